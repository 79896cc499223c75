"""Following what an engine does, with one that plays its part as it is told."""

import pytest

from fulgurite.batches import follow as following
from fulgurite.batches.engine import State
from fulgurite.batches.follow import Work, follow
from fulgurite.batches.state import DONE, TRAIN

QUEUED, RUNNING, GOOD, BAD = (
    State("queued"),
    State("running", seconds=5),
    State("ended", status=0),
    State("ended", status=2),
)
SILENT = State("ended")


class Script:
    """Every run goes through the states that are written for it, one a look; ``known`` were handed over before."""

    outlives, look, slots = True, 0.0, None

    def __init__(self, courses, known=()):
        self.courses, self.known, self.submitted, self.left_by = courses, [*known], [], "nothing"

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.left_by = kind

    def submit(self, task):
        self.submitted.append(task.name)
        self.known.append(task.name)

    def states(self):
        shown = {}
        for task in self.tasks:
            if task.name in self.known:
                course = self.courses[task.name]
                shown[task.run] = course.pop(0) if len(course) > 1 else course[0]
        return shown


@pytest.fixture
def followed(tasks):
    def run(courses, known=(), changed=lambda: None):
        engine = Script(courses, known)
        engine.tasks = tasks
        works = [Work(task, TRAIN) for task in tasks]
        follow(works, engine, changed)
        return engine, works

    return run


def test_what_fails_is_noted_and_the_others_go_on(followed):
    engine, (one, two) = followed({"seed=0": [QUEUED, RUNNING, BAD], "seed=1": [RUNNING, RUNNING, GOOD]})
    assert engine.submitted == ["seed=0", "seed=1"]
    assert (one.failed, two.failed) == ("2", None)
    assert two.stage == DONE
    assert two.ended - two.began >= 5
    assert engine.left_by is None


def test_what_is_queued_or_runs_already_is_followed_and_not_handed_over_again(followed):
    engine, works = followed({"seed=0": [QUEUED, QUEUED, RUNNING, GOOD], "seed=1": [GOOD]}, known=["seed=0"])
    assert engine.submitted == ["seed=1"]
    assert [work.stage for work in works] == [DONE, DONE]


def test_the_word_of_an_earlier_job_does_not_count_for_a_new_one(followed, tasks):
    for task in tasks:
        task.outcome.parent.mkdir(parents=True, exist_ok=True)
        task.outcome.write_text("2\n")
    followed({"seed=0": [QUEUED, GOOD], "seed=1": [GOOD]}, known=["seed=1"])
    assert [task.outcome.exists() for task in tasks] == [False, True]


def test_a_job_that_is_gone_without_a_word_has_failed_after_a_while(followed, monkeypatch):
    monkeypatch.setattr(following, "SILENT", 0.05)
    looks = []
    _, (one, two) = followed({"seed=0": [SILENT], "seed=1": [SILENT, SILENT, GOOD]}, changed=lambda: looks.append(0))
    assert one.failed == "gone without a word"
    assert two.stage == DONE
    assert len(looks) > 4


def test_a_job_that_goes_back_into_the_queue_has_not_begun(tasks):
    engine, seen = Script({"seed=0": [RUNNING, QUEUED, RUNNING, GOOD]}), []
    engine.tasks = tasks[:1]
    work = Work(tasks[0], TRAIN)
    follow([work], engine, lambda: seen.append(work.began is not None))
    assert seen == [False, True, False, True, True]  # the first after it was handed over


def test_an_engine_is_left_by_what_has_ended_the_command(followed, tasks):
    engine = Script({"seed=0": [RUNNING], "seed=1": [RUNNING]})
    engine.tasks = tasks

    def press():
        if engine.submitted == ["seed=0", "seed=1"]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow([Work(task, TRAIN) for task in tasks], engine, press)
    assert engine.left_by is KeyboardInterrupt
