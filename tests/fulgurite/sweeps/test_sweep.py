"""The verb sweep, with a stand-in for its trainings; the last tests run the real ones."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fulgurite.cli import main
from fulgurite.sweeps import screen as screens
from tests.fulgurite.interrupted import interrupted
from tests.fulgurite.sweeps.conftest import SPACE, trials

ROOT = Path(__file__).parents[3]
PACKAGES = Path(__file__).parents[1] / "packages"


def started():
    return Path("started.txt").read_text().splitlines()


def search(**changed):
    return {"search": {**SPACE["search"], **{key.replace("__", "."): value for key, value in changed.items()}}}


def test_a_sweep_prunes_resumes_after_ctrl_c_and_does_nothing_twice(sweep, monkeypatch, capsys):
    assert sweep("--trials", "6", "--name", "whole") == 0
    whole = trials("whole")
    assert [one["number"] for one in whole] == list(range(6))
    states = [one["state"] for one in whole]
    assert set(states) == {"complete", "pruned"}
    assert len({one["parameters"]["model.lr"] for one in whole}) == len(whole)
    complete = [one for one in whole if one["state"] == "complete"]
    assert all(one["step"] == 4 for one in complete)
    assert all(0 < one["step"] < 4 for one in whole if one["state"] == "pruned")
    for one in whole:
        parameters = one["parameters"]
        assert 1e-4 <= parameters["model.lr"] <= 1
        assert parameters["model.width"] in (1, 3, 5, 7)
        assert ("model.scale" in parameters) == (parameters["model.kind"] == "warm")
    best = max(complete, key=lambda one: one["value"])
    said = capsys.readouterr().out
    assert f"Best: trial-{best['number']:03d}, val/score {best['value']:.4f}" in said
    assert f"Test it: lightning test --run runs/whole/trial-{best['number']:03d}" in said
    again = shlex.split(re.search(r"Train it again: lightning (.*)", said)[1])
    assert again[:3] == ["fit", "--config", "tiny.yaml"]
    assert float(again[again.index("--model.lr") + 1]) == best["parameters"]["model.lr"]
    assert "--run.name" not in again

    Path("started.txt").unlink()
    Path("wait").touch()
    update = screens.SweepScreen.update

    def interrupt(self):
        update(self)
        if Path("runs/halves/trial-000/trial.json").exists() and trials("halves")[0]["step"] == 2:
            monkeypatch.setattr(screens.SweepScreen, "update", update)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(screens.SweepScreen, "update", interrupt)
    words = ["--trials", "6", "--name", "halves"]
    assert sweep(*words) == 130
    said = capsys.readouterr().err
    assert "The same command goes on: lightning sweep space.yaml --trials 6 --name halves" in said
    assert (started(), trials("halves")[0]["state"]) == (["trial-000 begins"], "running")
    Path("wait").unlink()
    assert sweep(*words) == 0
    assert trials("halves") == [{**one, "study": "halves"} for one in whole]
    assert started() == ["trial-000 begins", "trial-000 goes on", *(f"trial-00{n} begins" for n in range(1, 6))]
    assert sweep(*words) == 0
    assert len(started()) == 7


def test_no_test_is_suggested_where_the_data_hold_nothing_for_it(sweep, capsys):
    Path("no_test").touch()
    assert sweep("--trials", "1") == 0
    said = capsys.readouterr().out
    assert "Train it again: " in said
    assert "lightning test" not in said + Path("runs/space_sweep/sweep.html").read_text()


def test_a_failed_trial_is_noted_and_the_others_go_on(sweep, capsys):
    Path("cold_is_broken").touch()
    assert sweep("--jobs", "2") == 0
    said = capsys.readouterr()
    assert "failed, status 1: the cold kind is broken" in said.err
    assert re.search(r"6 of 6 trials over.*\d failed", said.out)
    assert {one["parameters"]["model.kind"] for one in trials()} == {"warm"}
    page = Path("runs/space_sweep/sweep.html").read_text()
    assert "failed, status 1: the cold kind is broken" in page
    alone = {key: SPACE["search"][key] for key in ("model.lr", "model.width")}
    assert sweep("--trials", "1", "--name", "none", "--model.kind", "cold", search=alone) == 1
    assert "no trial was trained to its end; their logs are in runs/none" in capsys.readouterr().err
    assert "No trial was trained to its end yet." in Path("runs/none/sweep.html").read_text()


def test_a_search_in_which_nothing_works_is_ended(sweep, capsys):
    Path("cold_is_broken").touch()
    alone = {key: SPACE["search"][key] for key in ("model.lr", "model.width")}
    assert sweep("--model.kind", "cold", search=alone) == 2
    said = capsys.readouterr().err
    assert "the first 3 trials have all failed before a validation, status 1: the cold kind is broken. Correct" in said
    assert len(started()) == 3


def test_a_study_whose_file_is_lost_takes_up_the_runs_that_are_there(sweep):
    assert sweep("--trials", "1") == 0
    before = trials()
    Path("runs/space_sweep/study.db").unlink()
    assert sweep("--trials", "1") == 0
    assert (trials(), len(started())) == (before, 1)


def test_what_differs_from_the_study_that_is_there_is_refused(sweep, capsys):
    assert sweep("--trials", "1") == 0
    for words, changed, said in (
        (["--seed", "3"], {}, "study.db was begun with seed = 0, and not 3"),
        (["--data.batch_size", "2"], {}, 'set = {}, and not {"data.batch_size": "2"}'),
        (
            [],
            {"search": {**SPACE["search"], "model.lr": {"type": "float", "low": 0.1, "high": 1}}},
            "another search.model.lr",
        ),
    ):
        assert sweep("--trials", "1", *words, **changed) == 2
        assert said in capsys.readouterr().err
    Path("runs/space_sweep/study.db").write_text("no database")
    assert sweep("--trials", "1") == 2
    assert "study.db is damaged or cannot be written (file is not a database)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "changed", "said"),
    [
        ([], {"objective": "test/score"}, "objective = test/score: a search that looks at the test leaves nothing"),
        ([], {"direction": None}, "objective = val/score: nothing says whether more or less of it is better"),
        (
            [],
            search(model__wdith={"choices": [1, 2]}),
            "model.wdith = 1: TinyModel has no such option. Did you mean 'width'",
        ),
        ([], search(model__width={"type": "int", "low": -1, "high": 3}), "width = -1: give a positive number"),
        ([], search(model__kind={"choices": ["warm", "hot"]}), "model.kind = hot: expected warm or cold"),
        (["--data.batch_size", "none"], {}, "data.batch_size = none: expected a whole number"),
        (["--model.lr", "1"], {}, "model.lr = 1: space.yaml searches it; remove one of the two"),
        (["--model.fails"], {}, "--model.fails: a value is missing behind it"),
        (["--trials", "0"], {}, "--trials 0: give at least 1"),
        (["--name", "a b"], {}, "run.experiment = a b: this cannot name a folder"),
    ],
)
def test_what_cannot_be_is_refused_before_the_first_trial(checked, capsys, words, changed, said):
    assert checked(*words, **changed) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert said in line
    assert not Path("runs").exists()


def test_a_dry_run_shows_the_space(checked, capsys):
    assert checked("--dry-run", "--data.batch_size=2") == 0
    said = capsys.readouterr().out
    assert "  model.lr: 0.0001 to 1.0, log\n" in said
    assert "  model.scale: 1.0 to 2.0, where model.kind is warm\n" in said
    assert "  data.batch_size: 2\n" in said
    assert not Path("runs").exists()


def test_without_the_package_it_is_said_how_to_get_it(checked, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "optuna", None)
    for name in [name for name in sys.modules if name in ("fulgurite.sweeps.study", "fulgurite.sweeps.search")]:
        monkeypatch.delitem(sys.modules, name)
    assert checked() == 2
    assert "pip install 'fulgurite[sweep]'" in capsys.readouterr().err


def test_a_name_that_no_space_has_is_told_with_those_there_are(capsys):
    with pytest.raises(SystemExit) as end:
        main(["sweep", "vta_gam"])
    assert end.value.code == 2
    assert "vta_gam: there is no space of this name. Give a YAML file, or one of aitex_vae, " in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_real_trainings_are_pruned_and_go_on_after_ctrl_c(space, tmp_path, monkeypatch):
    pytest.importorskip("optuna")
    monkeypatch.setenv("PYTHONPATH", f"{PACKAGES}:{ROOT}")
    path = space(trials=3, pruner={"kind": "median", "startup_trials": 1}, sampler="random")
    words = [sys.executable, "-m", "fulgurite", "sweep", path, "--trainer.max_epochs", "60"]
    first = tmp_path / "runs/space_sweep/trial-000"
    said = interrupted(words, first / "checkpoints/last.ckpt")
    assert "The same command goes on: lightning sweep space.yaml --trainer.max_epochs 60" in said
    assert json.loads((first / "training.json").read_text())["finished"] is False
    subprocess.run(words, check=True, env=os.environ, capture_output=True)
    found = trials()
    assert (found[0]["state"], found[0]["step"]) == ("complete", 60)
    log = first.with_suffix(".log").read_text()
    assert [" --ckpt_path last" in line for line in log.splitlines() if line.startswith("$ ")] == [False, True]
    for one in found[1:]:
        run = first.with_name(f"trial-{one['number']:03d}")
        assert json.loads((run / "training.json").read_text())["finished"] is (one["state"] == "complete")
        assert (run / "checkpoints/last.ckpt").is_file()
