"""Streams are read batch by batch, and Lightning has nothing to warn of."""

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer

from datamodules.streamed_loader import StreamedLoader


class Numbers:
    """A stream of as many numbers."""

    def __init__(self, count):
        self.count, self.read = count, 0

    def __len__(self):
        return self.count

    def __iter__(self):
        for number in range(self.count):
            self.read += 1
            yield number


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (3, [3]), (4, [4]), (9, [4, 4, 1])])
def test_batches_come_in_order_and_as_many_as_promised(count, sizes):
    loader = StreamedLoader(Numbers(count), 4, list)
    batches = [*loader]
    assert [len(batch) for batch in batches] == sizes
    assert [number for batch in batches for number in batch] == list(range(count))
    assert len(loader) == len(sizes)


def test_no_more_is_read_than_asked_for():
    stream = Numbers(100)
    next(iter(StreamedLoader(stream, 4, list)))
    assert stream.read == 4


def test_a_stream_without_a_length_has_none():
    with pytest.raises(TypeError):
        len(StreamedLoader((number for number in range(3)), 2, list))


class Watcher(LightningModule):
    def __init__(self):
        super().__init__()
        self.seen = []

    def predict_step(self, batch, _):
        self.seen += batch.tolist()


@pytest.mark.filterwarnings("error:.*IterableDataset", "error:.*__len__")
def test_lightning_predicts_on_it_without_a_warning():
    watcher = Watcher()
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    trainer = Trainer(enable_checkpointing=False, **quiet)
    trainer.predict(watcher, StreamedLoader(Numbers(9), 4, torch.tensor), return_predictions=False)
    assert watcher.seen == list(range(9))
    assert trainer.num_predict_batches == [3]
