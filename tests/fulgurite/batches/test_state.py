"""How far a run is, by a real one that writes no results, and by files laid down by hand."""

import json
import shutil

import pytest

from fulgurite.batches.local import _Run
from fulgurite.batches.plan import Plan
from fulgurite.batches.state import DONE, RESUME, TEST, TRAIN, commands_of, stage_of, words_of
from fulgurite.cli import main


def test_a_model_that_writes_no_results_is_tested_once(experiment):
    (task,) = Plan([experiment]).tasks()
    assert stage_of(task) == TRAIN
    main(task.fit_words())
    assert stage_of(task) == TEST
    assert commands_of(task) == [words_of(task, TEST)]
    main(words_of(task, TEST))
    assert stage_of(task) == DONE
    assert commands_of(task) == []
    (left,) = (task.run / "results").iterdir()
    assert [file.name for file in left.iterdir()] == ["about.json"]
    about = json.loads((left / "about.json").read_text())
    assert about["complete"] is True
    assert about["checkpoint"] == str(task.run / "checkpoints/best.ckpt")
    shutil.rmtree(task.run / "results")  # as of who wants it tested again
    assert stage_of(task) == TEST


@pytest.mark.parametrize(
    ("files", "stage"),
    [
        ([], TRAIN),
        (["checkpoints/last.ckpt"], RESUME),
        (["checkpoints/last.ckpt", "results/ped2/results.json"], RESUME),  # of an earlier state of the training
        (["training.json"], TEST),
        (["training.json", "results/ped2/results.json"], DONE),
        (["training.json", "results/ped2/about.json"], DONE),
        (["training.json", "results/.tmp-12.machine-ab/results.json"], TEST),  # of a test that was killed
        (["training.json", "predictions/ped2/about.json"], TEST),
    ],
)
def test_what_comes_next_is_told_by_the_folder(tasks, files, stage):
    task = tasks[0]
    for name in files:
        (task.run / name).parent.mkdir(parents=True, exist_ok=True)
        (task.run / name).write_text(json.dumps({"finished": True}))
    assert stage_of(task) == stage


@pytest.mark.parametrize(("can_test", "stage"), [(False, DONE), (True, TEST)])
def test_a_run_whose_data_hold_nothing_to_be_tested_on_is_over_after_its_training(tasks, can_test, stage):
    task = tasks[0]
    run = _Run(task)
    assert run.words() == task.fit_words()
    task.run.mkdir(parents=True)
    (task.run / "training.json").write_text(json.dumps({"finished": True, "can_test": can_test}))
    assert stage_of(task) == stage
    assert run.note(0) == (not can_test)  # whether it is over
