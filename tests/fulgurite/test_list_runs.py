"""The verb runs, on folders that are written here, on real trainings, and with a process that trains meanwhile."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fulgurite.cli import main

HOLD = """
import fcntl, sys, time
with open(sys.argv[1], "w") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("process 17 on elsewhere", file=file, flush=True)
    print("held", flush=True)
    time.sleep(60)
"""
"""What RunLock does, without what takes seconds to import."""


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    """The folder of a run in which another process trains."""
    run = tmp_path_factory.mktemp("shared") / "runs/vta/running"
    write(run, value=0.99)
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(run / ".lock")], stdout=subprocess.PIPE)
    assert process.stdout.readline()
    yield run
    process.kill()
    process.wait()


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(run, value=None, ended="finished", begun=0, mode="max", monitor="val/auc", size=1000, best=True):
    run.mkdir(parents=True)
    record = {"monitor": monitor, "mode": mode, "best_value": value, "batches": 12, "finished": ended == "finished"}
    record |= {"ended": ended, "reason": "no memory" if ended == "failed" else None}
    (run / "training.json").write_text(json.dumps(record))
    (run / "checkpoints").mkdir()
    if best:
        (run / "checkpoints/best.ckpt").write_bytes(bytes(size))
    (run / "config.yaml").touch()
    os.utime(run / "config.yaml", (begun, begun))
    return run


def said(capsys, *words):
    capsys.readouterr()
    main(["runs", *words])
    return capsys.readouterr().out


def listed(capsys, *words):
    return {f"{run['experiment']}/{run['name']}": run for run in json.loads(said(capsys, "--json", *words))}


def refused(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main(["runs", *words])
    assert end.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    return line


def six_runs(latest=None):
    """Four of one experiment, two of another that is better where it has less."""
    runs = Path("runs")
    write(runs / "vta/a", 0.7, begun=10)
    write(runs / "vta/b", 0.9, begun=20)
    write(runs / "vta/c", 0.8, begun=30, ended="aborted")
    write(runs / "vta/d", None, begun=40, ended="failed", best=False, size=0)
    write(runs / "sound/e", 0.2, mode="min", monitor="val/l1")
    write(runs / "sound/f", 0.1, mode="min", monitor="val/l1", begun=1)
    if latest:
        (runs / "vta/latest").symlink_to(latest)


def left(root="runs"):
    return sorted(f"{path.parent.name}/{path.name}" for path in Path(root).glob("*/*") if not path.is_symlink())


def test_a_list_imports_nothing_heavy(workplace):
    six_runs()
    code = (
        "import sys; from fulgurite.cli import main; main(['runs']);"
        "sys.exit(bool({'torch', 'lightning', 'numpy', 'jsonargparse'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "6 runs" in done.stdout


def test_real_trainings_are_told_by_how_they_ended(fit, capsys):
    good = fit("--run.name", "good")
    with pytest.raises(SystemExit):
        fit("--run.name", "failed", "--data.source", "worker")
    assert Path("runs/tiny/latest").resolve() == good  # the newer one has nothing to use
    with pytest.raises(SystemExit):
        fit("--run.name", "stopped", "--trust", "signalled", "--model", "Signalled", "--model.at", "train")
    found = listed(capsys)
    assert {name: run["state"] for name, run in found.items()} == {
        "tiny/good": "finished",
        "tiny/failed": "failed",
        "tiny/stopped": "aborted",
    }
    assert found["tiny/failed"]["reason"].endswith("clip7.mp4: this file is damaged; remove it")
    assert found["tiny/stopped"]["reason"] == "SIGTERM"
    assert [name for name, run in found.items() if run["is_latest"]] == ["tiny/good"]
    assert found["tiny/good"]["monitor"] == "val/score"
    assert found["tiny/good"]["best_value"] is not None
    assert found["tiny/good"]["size_bytes"] > 1000
    assert found["tiny/good"]["folder"] == str(good)
    assert said(capsys, "--state", "failed,aborted").count("tiny") == 2
    main(["runs", "clean", "--state", "failed,aborted", "--yes"])
    assert left() == ["tiny/good"]
    main(["validate", "--run", "runs/tiny"])


def test_the_newest_is_first_and_other_orders_can_be_had(workplace, capsys):
    six_runs(latest="b")
    assert [*listed(capsys)] == ["vta/d", "vta/c", "vta/b", "vta/a", "sound/f", "sound/e"]
    best = ["sound/f", "sound/e", "vta/b", "vta/c", "vta/a", "vta/d"]
    assert [*listed(capsys, "--sort", "best")] == best
    assert [*listed(capsys, "--sort", "name")] == sorted(best)
    assert [*listed(capsys, "--sort", "size")][-1] == "vta/d"
    table = said(capsys)
    assert "b (latest)" in table
    assert "no memory" in table
    assert "6 runs, 5." in table
    assert "4 finished, 1 failed, 1 aborted" in table


def test_words_choose_as_those_of_compare_do(workplace, capsys):
    six_runs(latest="b")
    for words in (["vta"], ["runs/vta"], ["runs/vta/*"], ["v*"], ["vta", "runs/vta/a"]):
        assert {name.split("/")[0] for name in listed(capsys, *words)} == {"vta"}, words
        assert len(listed(capsys, *words)) == 4, words
    assert [*listed(capsys, "vta/latest")] == [*listed(capsys, "runs/vta/b")] == ["vta/b"]
    assert "runs nothing: there is no such run. Experiments in runs: sound, vta" in refused(capsys, "nothing")
    assert "there is no state 'sleeping'" in _usage(capsys, "--state", "sleeping")


def _usage(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main(["runs", *words])
    assert end.value.code == 2
    return capsys.readouterr().err


def test_nothing_yet_is_no_error(workplace, capsys):
    assert said(capsys) == "No run in runs. Train one: lightning fit --config vta_gan\n"
    assert json.loads(said(capsys, "--json")) == []


def test_odd_names_are_shown_and_given(workplace, capsys):
    write(Path("runs/vta") / "[red]a\n:smile:", 0.5)
    assert "[red]a\\n:smile:" in said(capsys)
    assert [*listed(capsys)] == ["vta/[red]a\n:smile:"]


def test_the_best_of_each_experiment_stay(workplace, capsys):
    six_runs(latest="c")
    logs = [Path(f"runs/vta/{name}.log") for name in "ab"]
    for log in logs:
        log.touch()  # as a batch leaves it
    main(["runs", "clean", "--keep-best", "1", "--yes"])
    assert [log.exists() for log in logs] == [False, True]
    logs[1].unlink()
    assert left() == ["sound/f", "vta/b"]
    told = capsys.readouterr().out
    assert "This frees 3" in told
    assert "2 of 6 runs stay" in told
    assert "runs/vta/latest now leads to b" in told
    assert Path("runs/vta/latest").resolve().name == "b"
    assert Path("runs/vta/latest/checkpoints/best.ckpt").is_file()


def test_nothing_goes_without_a_word_of_who_stays_or_a_yes(workplace, capsys, monkeypatch):
    six_runs()
    assert "say what stays, --keep-best 5" in refused(capsys, "clean")
    assert "give at least 1" in refused(capsys, "clean", "--keep-best", "0")
    assert "is not removed; end it first" in refused(capsys, "clean", "--state", "running")
    monkeypatch.setattr("builtins.input", lambda prompt: "no")
    assert "Nothing was removed." in said(capsys, "clean", "--keep-best", "1")

    def nobody(prompt):
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    assert "nothing was removed; give --yes" in refused(capsys, "clean", "--keep-best", "1")
    assert len(left()) == 6
    monkeypatch.setattr("builtins.input", lambda prompt: "y")
    said(capsys, "clean", "vta", "--keep-best", "1")
    assert left() == ["sound/e", "sound/f", "vta/b"]
    assert said(capsys, "clean", "--keep-best", "5") == "Nothing goes.\n"


def test_a_run_of_which_nobody_knows_how_it_stands_stays(workplace, capsys):
    six_runs()
    (Path("runs/vta/a") / "training.json").write_text("{")
    told = said(capsys, "clean", "vta", "--keep-best", "1", "--yes")
    assert "vta/a stays: how it stands is not known (training.json is damaged)" in told
    assert "vta/a" in left()
    write(Path("runs/vta/older"), 0.1, mode=None)
    told = said(capsys, "clean", "vta", "--keep-best", "1", "--yes")
    assert "vta/older stays: whether more or less of val/auc is better is not known" in told


def test_latest_is_gone_with_the_last_run(workplace, capsys):
    write(Path("runs/vta/a"), 0.5, ended="failed")
    Path("runs/vta/latest").symlink_to("a")
    assert "runs/vta/latest is gone: no run is left" in said(capsys, "clean", "--state", "failed", "--yes")
    assert [*Path("runs/vta").iterdir()] == []


def test_a_run_that_is_being_trained_is_listed_and_never_removed(training, capsys, monkeypatch):
    monkeypatch.chdir(training.parents[2])
    write(training.parent / "a", 0.5)
    found = listed(capsys)
    assert found["vta/running"]["state"] == "running"
    assert found["vta/a"]["state"] == "finished"
    assert "running is being trained; end it first" in refused(
        capsys, "clean", "vta/running", "--keep-best", "1", "--yes"
    )
    told = said(capsys, "clean", "--keep-best", "1", "--yes")
    assert "vta/running stays: it is being trained" in told
    assert left() == ["vta/a", "vta/running"]  # the running one is not counted among the best


def test_a_run_that_somebody_begins_meanwhile_stays(training, capsys, monkeypatch):
    monkeypatch.chdir(training.parents[2])
    monkeypatch.setattr("fulgurite.run_list.state.is_held", lambda run: False)
    told = refused(capsys, "clean", "vta", "--state", "finished", "--yes")
    assert "is being trained by process" in told
    assert training.is_dir()


@pytest.mark.parametrize("link", ["run", "experiment"])
def test_nothing_is_removed_through_a_link(link, workplace, capsys):
    write(Path("elsewhere/vta/a"), 0.5)
    write(Path("runs/other/b"), 0.5)
    if link == "run":
        Path("runs/vta").mkdir()
        Path("runs/vta/a").symlink_to(Path("elsewhere/vta/a").absolute())
        words = ["runs/vta/a"]
    else:
        Path("runs/vta").symlink_to(Path("elsewhere/vta").absolute())
        words = []
    told = refused(capsys, "clean", *words, "--state", "finished", "--yes")
    assert "lies behind a link" in told
    assert Path("elsewhere/vta/a/config.yaml").is_file()
    assert Path("runs/other/b").is_dir()


def test_nothing_is_removed_outside_of_the_root(workplace, capsys):
    write(Path("elsewhere/vta/a"), 0.5)
    write(Path("runs/vta/b"), 0.5)
    told = refused(capsys, "clean", "elsewhere/vta", "--state", "finished", "--yes")
    assert f"does not lie in runs; give --root {Path('elsewhere').absolute()}" in told
    assert "does not lie in runs" in refused(capsys, "clean", "runs/../elsewhere/vta/a", "--state", "finished", "--yes")
    assert Path("elsewhere/vta/a").is_dir()
    said(capsys, "clean", "elsewhere/vta", "--root", "elsewhere", "--state", "finished", "--yes")
    assert left("elsewhere") == []
    assert left() == ["vta/b"]


def test_links_within_a_run_are_removed_and_what_they_lead_to_stays(workplace, capsys):
    run = write(Path("runs/vta/a"), 0.5)
    Path("data").mkdir()
    Path("data/film.mp4").write_bytes(bytes(10_000))
    (run / "data").symlink_to(Path("data").absolute())
    (run / "film").symlink_to(Path("data/film.mp4").absolute())
    assert listed(capsys)["vta/a"]["size_bytes"] < 2000
    said(capsys, "clean", "--state", "finished", "--yes")
    assert not run.exists()
    assert Path("data/film.mp4").stat().st_size == 10_000


def test_what_cannot_be_removed_is_told(workplace, capsys, monkeypatch):
    six_runs()

    def fails(path, ignore_errors=False):
        if not ignore_errors:
            raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(shutil, "rmtree", fails)
    told = refused(capsys, "clean", "--state", "failed", "--yes")
    assert "runs/vta/d cannot be removed: Permission denied" in told
