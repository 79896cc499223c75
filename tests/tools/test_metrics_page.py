"""The page of metrics is as the tables are, and the tables have every figure that a test can write."""

import numpy as np
import pytest
import torch

from callbacks import ClipMetrics, ImageMetrics, PartMetrics, SoundMetrics
from callbacks.clips.evaluation import evaluate
from callbacks.clips.table import VideoSeries
from callbacks.images.nearest import PIXELS, small
from callbacks.images.sample_quality import Spread
from callbacks.images.table import Pictures
from callbacks.meanings import Meaning, describe
from callbacks.parts.evaluation import evaluate_parts, judge_thresholds
from callbacks.parts.table import PartRow
from callbacks.sound.table import METRICS
from datamodules.batches import ImageBatch
from tools.metrics_page import COUNTS, GROUPS, PAGE, SECTIONS, page


def of_clips():
    frame = np.arange(4)
    video = VideoSeries("a", frame, np.arange(4.0), np.array([0, 0, 1, 1]), {"baseline": np.arange(4.0)})
    return evaluate([video], 1.0, tested=True)


def of_parts():
    tile, label = np.zeros((2, 4), np.int64), np.array([0, 1])
    rows = [
        PartRow(name, "a", "hole", own, number, 1.0, tile, np.arange(2.0), label * own, {"flow": np.arange(2.0)})
        for number, (name, own) in enumerate({"good": 0, "bad": 1}.items())
    ]
    evaluation = evaluate_parts(rows)
    judge_thresholds(evaluation, rows, 0.5, 0.5)
    return evaluation


class Decoder(torch.nn.Module):
    latent_dim, device = 3, "cpu"

    def decode(self, z):
        return torch.rand(len(z), 1, 16, 20, generator=torch.Generator().manual_seed(1))


def of_images():
    judge = ImageMetrics(["random_conv"])
    judge.setup(None, None, "test")
    images, random = torch.rand(6, 1, 16, 20), np.random.default_rng(0)
    spread = Spread()
    spread.add(images)
    rows = Pictures(
        name=list("abcdef"),
        index=np.arange(6),
        squared_error=random.uniform(size=6),
        ssim=random.uniform(size=6),
        mean=random.normal(size=(6, 3)),
        kl=random.uniform(size=(6, 3)),
        features={"random_conv": random.normal(size=(6, 64)), PIXELS: small(images).numpy()},
        spread=spread,
    )

    class Learned:
        def training_pictures(self):
            levels = (torch.rand(6, 1, 16, 20) * 255).byte()
            yield ImageBatch(levels, list("ghijkl"), torch.zeros(6), torch.arange(6))

    class Trainer:
        global_rank, world_size, datamodule = 0, 1, Learned()

    return judge.evaluate(rows, "test", Trainer(), Decoder())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("made", "title"), list(zip((of_clips, of_parts, of_images), SECTIONS, strict=False)))
def test_every_figure_of_a_test_is_explained(made, title):
    evaluation, (_, meanings) = made(), SECTIONS[title]
    assert len(evaluation.all_names) > 5
    assert set(evaluation.all_names) == describe(evaluation.all_names, meanings).keys()
    assert evaluation.counts.keys() <= COUNTS.keys()
    for group in evaluation.groups.values():
        for figures in group.values():
            assert figures.keys() <= GROUPS.keys() | COUNTS.keys()


def test_every_figure_of_sound_is_explained():
    assert describe(METRICS, SECTIONS["Pictures to sound (AudioToVideo)"][1]).keys() == set(METRICS)


@pytest.mark.parametrize("judge", [ClipMetrics, PartMetrics, ImageMetrics, SoundMetrics])
def test_every_figure_on_the_screen_has_its_trap(judge):
    trapped = [one for one in judge.meanings if one.trap]
    shown = judge().matter
    assert 5 <= len(shown) <= 7
    assert describe(shown, trapped).keys() == set(shown)


def test_the_page_is_as_the_tables_are():
    assert PAGE.read_text() == page(), "run `make docs`"


def test_ranges_are_said_in_words(monkeypatch):
    bounds = {(0, 1): "0 to 1", (0, None): "at least 0", (None, 1): "at most 1", (None, None): "any"}
    table = [Meaning(f"m{number}", "it", None, *both) for number, both in enumerate(bounds)]
    monkeypatch.setattr("tools.metrics_page.SECTIONS", {"Title": ("Words.", table)})
    for number, said in enumerate(bounds.values()):
        assert f"| `m{number}` | it | {said} | neither |" in page()
