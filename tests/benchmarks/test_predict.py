"""What the benchmark of prediction takes for the time of a stage."""

import time
from types import SimpleNamespace

from benchmarks.predict import Stopwatch, generate
from datamodules.media import read_frames


def work(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
    return seconds


class Run:
    def begin(self):
        work(0.05)

    def end(self):
        work(0.02)


def test_time_is_that_of_the_stages_within_the_run(monkeypatch, tmp_path):
    watch, module = Stopwatch(), SimpleNamespace(start=work, draw=work, wait=time.sleep)
    monkeypatch.setattr(Run, "begin", Run.begin)  # put back afterwards, what a watch replaces
    monkeypatch.setattr(Run, "end", Run.end)
    watch.function(module, "draw", "drawing")
    watch.function(module, "start", "starting")
    watch.function(module, "wait", "waiting")
    watch.frames(module, "decoding")
    watch.span(Run, "begin", "end")
    module.start(0.01)
    run = Run()
    run.begin()
    assert module.draw(0.04) == 0.04
    module.wait(0.1)
    assert len([*module.read_frames(generate(tmp_path / "blocks.mp4", 3))]) == len(
        [*read_frames(tmp_path / "blocks.mp4")]
    )
    run.end()
    assert 0.04 <= watch.spent["drawing"] < watch.processor  # what was spent before the run does not count
    assert "starting" not in watch.spent
    assert watch.spent["waiting"] < 0.1 < watch.wall
    assert 0 < watch.spent["decoding"] < watch.processor
