"""What the tests of all experiments ask of a run's configuration."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from callbacks import monitors


@pytest.fixture(autouse=True)
def _everything_logged_was_declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Compare what every run of a test has logged with what model and callbacks had declared before."""
    declared: set[str] = set()
    declare = monitors._declared

    def remember(*args: Any) -> list[str] | None:
        found = declare(*args)
        assert found is not None, "all of ours say what they log"
        declared.update(found)
        return found

    monkeypatch.setattr(monitors, "_declared", remember)
    yield
    for path in tmp_path.glob("runs/*/*/metrics.csv") if declared else ():  # empty: trained by processes of their own
        with path.open() as file:
            logged = {name for name in next(csv.reader(file)) if name.startswith(("train/", "val/"))}
        assert logged
        assert logged <= declared, sorted(logged - declared)


@pytest.fixture(autouse=True)
def _every_metric_is_described(tmp_path: Path) -> Iterator[None]:
    """Compare what every test of a run reports with what is said of it."""
    yield
    for path in tmp_path.glob("runs/*/*/results/*/results.json"):
        results = json.loads(path.read_text())
        names = {*results["metrics"], *results["undefined"]}
        assert results["meanings"].keys() == names
        assert results["headline"] in names
        for name, said in results["meanings"].items():
            assert said["beside"] in {None, *names}
            low, high = said["range"]
            value = results["metrics"].get(name, low)
            assert low is None or value >= low, name
            assert high is None or value is None or value <= high, name


@pytest.fixture(autouse=True)
def _every_test_has_a_report(tmp_path: Path) -> Iterator[None]:
    """Look for the report of every run that was tested, and in it for what could not be shown."""
    yield
    for run in {path.parents[2] for path in tmp_path.glob("runs/*/*/results/*/results.json")}:
        page = (run / "report.html").read_text()
        assert "Best beside it" in page or "better" in page
        assert 'id="missing"' not in page


@pytest.fixture
def assert_written() -> Callable[[dict[str, Any], dict[str, Any], Iterable[str]], None]:
    """Return the check that a run's config.yaml holds every value of an overlay, but for the keys that were typed."""

    def check(saved: dict[str, Any], wanted: dict[str, Any], typed: Iterable[str]) -> None:
        keys = {word.removeprefix("--") for word in typed if word.startswith("--")}
        assert wanted
        _compare(saved, wanted, "", keys)

    return check


def _compare(found: dict[str, Any], wanted: dict[str, Any], place: str, typed: set[str]) -> None:
    for key, value in wanted.items():
        name = place if key == "init_args" else f"{place}.{key}".removeprefix(".")
        if name in typed:
            continue
        if isinstance(value, dict):
            # the arguments of a class may be written without ``init_args``
            inner = found if key == "init_args" and "init_args" not in found else found[key]
            _compare(inner, value, name, typed)
        elif key == "class_path":
            assert found[key].rpartition(".")[2] == value.rpartition(".")[2], name
        else:
            assert found[key] == value, name
