import json
import os
import shutil
import subprocess

import pytest
import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from torch.utils.data import DataLoader, IterableDataset

from callbacks import results
from callbacks.evaluation import Evaluation, EvaluationCallback, split_undefined
from callbacks.meanings import Meaning
from callbacks.results import commit, is_cut, read_results, write_rows
from datamodules.atomic_file import DiskError
from datamodules.errors import InputError


class Numbers(LightningDataModule):
    def __init__(self, source=None, count=4):
        super().__init__()
        self.source, self.count = source, count

    def test_dataloader(self):
        return DataLoader(torch.arange(float(self.count)))

    val_dataloader = test_dataloader


class Echo(LightningModule):
    def test_step(self, batch, batch_idx):
        return batch

    validation_step = test_step


class Mean(EvaluationCallback[list, list]):
    """The smallest room: judges the mean of numbers."""

    judged, headline = torch.Tensor, "mean"

    def new_table(self, trainer):
        return []

    def collect(self, table, outputs, batch, trainer):
        table += outputs.tolist()

    def gather(self, table):
        return table

    def evaluate(self, rows, stage, trainer, pl_module):
        return Evaluation({"mean": sum(rows) / len(rows)}, {"odd": "no reason"}, {"best": 0.0}, {"numbers": len(rows)})

    def scores(self, rows):
        return ["name", "number"], [(str(row), row) for row in rows]


def run_test(folder, data, **kwargs):
    run = Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=folder,
        **{"callbacks": [Mean()]} | kwargs,
    )
    run.test(Echo(), data)
    return run


def test_a_record_says_what_was_tested_and_how(tmp_path, capsys):
    run_test(tmp_path, Numbers(source="numbers"))
    found = read_results(tmp_path)
    assert (found["system"], found["checkpoint"], found["processes"]) == ("Echo", None, 1)
    assert found["source"].endswith("/numbers")
    assert found["source"].startswith("/")
    assert found["metrics"] == {"mean": 1.5, "best": 0.0}
    assert found["undefined"] == {"odd": "no reason"}
    assert found["complete"] is True
    folder = tmp_path / "results/numbers"
    assert (folder / "scores.csv").read_text().splitlines()[:2] == ["name,number", "0.0,0"]
    said = capsys.readouterr().out
    assert "4 numbers" in said
    assert f"Results: {os.path.relpath(folder)}\n" in said
    run_test(tmp_path, Numbers())
    assert read_results(tmp_path / "results/generated")["source"] is None


def test_every_source_has_results_of_its_own(tmp_path):
    for place, count in (("a/frames", 4), ("b/frames", 2), ("a/frames", 3)):
        run_test(tmp_path, Numbers(tmp_path / place, count))
    found = {path.name: read_results(path) for path in (tmp_path / "results").iterdir()}
    assert {name: (one["source"], one["counts"]["numbers"]) for name, one in found.items()} == {
        "frames": (str(tmp_path / "a/frames"), 3),
        "frames-2": (str(tmp_path / "b/frames"), 2),
    }
    with pytest.raises(InputError, match=r"several tests: name one of .*/results/frames, .*/results/frames-2\."):
        read_results(tmp_path)


def test_a_test_that_cannot_be_written_leaves_the_older_one_as_it_was(tmp_path, monkeypatch):
    run_test(tmp_path, Numbers())
    folder = tmp_path / "results/generated"
    before = {path: path.read_bytes() for path in folder.iterdir()}

    def fails(*_):
        raise DiskError("plots cannot be written", "No space left on device")

    monkeypatch.setattr(Mean, "draw", fails)
    with pytest.raises(DiskError):
        run_test(tmp_path, Numbers(count=3))
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["generated"]
    shutil.copytree(folder, folder.with_name(".tmp-1-2"))  # of a process that was killed
    assert read_results(tmp_path)["counts"]["numbers"] == 4


def test_a_part_of_a_source_does_not_replace_the_whole(tmp_path):
    run_test(tmp_path, Numbers())
    run_test(tmp_path, Numbers(), limit_test_batches=1)
    folder = tmp_path / "results"
    assert sorted(path.name for path in folder.iterdir()) == ["generated", "generated.partial"]
    assert [read_results(folder / f"generated{end}")["counts"]["numbers"] for end in ("", ".partial")] == [4, 1]


def test_a_callback_adds_what_it_has_to_say(tmp_path):
    class Remark(Callback):
        def results(self):
            return {"remark": "odd numbers"}

    run_test(tmp_path, Numbers(), callbacks=[Mean(), Remark()])
    assert read_results(tmp_path)["remark"] == "odd numbers"


def test_a_model_adds_what_it_has_to_say(tmp_path, monkeypatch):
    said = {"calibrated_on": {"scale": {"used": 3, "of": 4}}}
    monkeypatch.setattr(Echo, "results", lambda self: said, raising=False)
    run_test(tmp_path, Numbers())
    assert read_results(tmp_path)["calibrated_on"] == said["calibrated_on"]


def test_a_table_is_written_row_by_row(tmp_path):
    """Nothing of a table of millions of rows waits in memory for the last of them."""
    sizes = []

    def rows():
        for number in range(3000):
            sizes.append(max(path.stat().st_size for path in tmp_path.iterdir()))
            yield [f"name {number}", number / 3]

    write_rows(tmp_path / "a.csv", ["name", "score"], rows())
    assert sizes[-1] > 30_000
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 3001


@pytest.mark.parametrize(("limit", "complete"), [(3, False), (0.5, False), (4, True), (100, True), (1.0, True)])
def test_a_test_that_is_cut_says_so(tmp_path, limit, complete):
    run_test(tmp_path, Numbers(), limit_test_batches=limit)
    assert read_results(tmp_path)["complete"] is complete


def test_of_a_stream_only_a_test_without_limit_is_known_to_be_complete(tmp_path):
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(torch.arange(4.0))

    class Streamed(Numbers):
        def test_dataloader(self):
            return DataLoader(Stream())

    assert not is_cut(run_test(tmp_path, Streamed()))
    assert is_cut(run_test(tmp_path, Streamed(), limit_test_batches=3))


def test_a_dry_run_leaves_no_files(tmp_path):
    run_test(tmp_path, Numbers(), fast_dev_run=2)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (None, "does not exist. Run `lightning test` first"),
        ("{", "is no results.json of a test"),
        ("[]", "lacks metrics"),
        ('{"psnr": 20.0, "undefined": {}, "counts": {}}', "lacks checkpoint, .*metrics.* before version 0.2"),
    ],
)
def test_what_is_no_record_is_refused(tmp_path, written, said):
    if written is not None:
        (tmp_path / "results.json").write_text(written)
    with pytest.raises(InputError, match=said):
        read_results(tmp_path)


def test_the_commit_is_that_of_the_project_and_of_no_folder_above(tmp_path, monkeypatch):
    git = shutil.which("git")
    if git is None:
        pytest.skip("needs git")

    def call(*words):
        identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        return subprocess.run(
            [git, "-C", tmp_path, *identity, *words], check=True, capture_output=True, text=True
        ).stdout

    (tmp_path / "code.py").write_text("1")
    call("init", "-q")
    call("add", ".")
    call("commit", "-qm", "one")
    head = call("rev-parse", "HEAD").strip()
    call("tag", "v1")
    monkeypatch.setattr(results, "HOME", tmp_path)
    assert commit() == head
    (tmp_path / "code.py").write_text("2")
    assert commit() == f"{head}-dirty"
    (tmp_path / "inside").mkdir()
    monkeypatch.setattr(results, "HOME", tmp_path / "inside")
    assert commit() is None
    monkeypatch.setattr(results, "HOME", tmp_path)
    monkeypatch.setenv("PATH", "")
    assert commit() is None


def test_what_has_no_value_gets_the_reason_of_its_beginning():
    found = {"a": 1.0, "b_x": None, "c": None}
    assert split_undefined(found, {"b": "no b"}, "why not") == ({"a": 1.0}, {"b_x": "no b", "c": "why not"})


def test_rows_have_nine_digits(tmp_path):
    write_rows(tmp_path / "a.csv", ["name", "score"], [("x", 1 / 3), ("y", None), ("z", 2)])
    assert (tmp_path / "a.csv").read_text() == "name,score\nx,0.333333333\ny,\nz,2\n"


def test_every_entry_is_written(tmp_path):
    run_test(tmp_path, Numbers())
    entries = (results.Results.__required_keys__ | results.Results.__optional_keys__) - {"verdict"}
    assert json.loads((tmp_path / "results/generated/results.json").read_text()).keys() == entries


def test_the_command_is_that_of_the_callback_that_knows_it(tmp_path):
    class Typed(Callback):
        command = ("lightning", "test")

    run_test(tmp_path, Numbers(), callbacks=[Mean(), Typed()])
    assert read_results(tmp_path)["command"] == ["lightning", "test"]


def test_results_of_version_0_2_can_be_read(tmp_path):
    run_test(tmp_path, Numbers())
    path = tmp_path / "results/generated/results.json"
    path.write_text(
        json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != "meanings"})
    )
    assert read_results(tmp_path)["metrics"] == {"mean": 1.5, "best": 0.0}


def test_metrics_are_described_where_their_callback_does(tmp_path):
    class Described(Mean):
        meanings = (
            Meaning("best", "the best of all", "lower", 0, None, beside="mean"),
            Meaning("mean", "the mean", "higher"),
        )

    run_test(tmp_path, Numbers(), callbacks=[Described()])
    found = read_results(tmp_path)
    assert found["headline"] == "mean"
    assert found["meanings"] == {
        "best": {"means": "the best of all", "better": "lower", "range": [0, None], "beside": "mean"},
        "mean": {"means": "the mean", "better": "higher", "range": [None, None], "beside": None},
    }


def test_a_validation_that_was_asked_for_prints_one_table(tmp_path, capsys):
    run = Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, callbacks=[Mean()], default_root_dir=tmp_path
    )
    run.validate(Echo(), Numbers())
    said = capsys.readouterr().out
    assert said.count("mean") == 1
    assert "1.5000" in said
    assert "Validate metric" not in said
