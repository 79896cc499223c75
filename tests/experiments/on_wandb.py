"""What a training and a test by the real command have left of a run on W&B, compared with what was declared."""

import json
import re
from pathlib import Path

import pytest

from fulgurite.logged_names import alternatives, logged_by
from fulgurite.private_api import view_of
from tests.wandb_file import wandb_files

CURVES_MOST = 200


def check(run: Path, batches: int, unlogged: set[str]) -> None:
    """Read both files back.

    Args:
        run: the folder of a run that was trained and then tested by its best weights, W&B offline.
        batches: of the training, which has one validation at its end.
        unlogged: what the experiment declares, and this run of it does not log; nothing else may be missing.
    """
    fit, test = wandb_files(run)
    experiment = run.parent.name
    logged = logged_by(experiment)
    _one_axis(fit, test, batches)
    _carried(fit, test, run)
    _best(fit, logged, batches)
    _media(fit, test)
    found = fit.names() | test.names()
    for phase in logged.losses:
        assert {f"train/{phase}/total", f"train/{phase}/learning_rate"} <= found
    declared = _workspace_names(logged) | set(logged.media)
    missing = declared - found
    assert missing == unlogged, f"{sorted(missing - unlogged)} is logged no more, or {sorted(unlogged - missing)} again"
    if logged.has_alternatives:
        assert len([name for name in found if re.fullmatch(alternatives(logged), name)]) > 2


def _one_axis(fit, test, batches: int) -> None:
    assert all("batches" in row for row in [*fit.rows, *test.rows])
    for name in fit.names():
        at = fit.batches(name)
        assert at == sorted(at)
        assert at[-1] == batches, (name, at)  # of the last batch, of the validation after it, and of what that shows
        assert not name.startswith("val/") or at == [batches], name
    assert {batch for name in test.names() for batch in test.batches(name)} == {batches}  # the best weights' own


def _carried(fit, test, run: Path) -> None:
    config = fit.config
    assert config["model"]["class_path"]
    assert config["run"]["experiment"] == run.parent.name
    assert len(config["about"]["fingerprints"]["train"]) == 16
    assert len(test.config["about_test"]["fingerprints"]["test"]) == 16
    assert set(config["about"]) == {"commit", "dirty", "source", "fingerprints", "versions"}
    assert fit.run.run_id == test.run.run_id == json.loads((run / "wandb_run.json").read_text())["id"]
    for one in (fit, test):
        assert (one.run.run_group, one.run.job_type) == (run.parent.name, "fit")
    results = json.loads(next(run.glob("results/*/results.json")).read_text())
    assert results["fingerprints"] == test.config["about_test"]["fingerprints"]


def _best(fit, logged, batches: int) -> None:
    value = fit.rows[-1] if f"val/{logged.headline}" in fit.rows[-1] else _last(fit, f"val/{logged.headline}")
    (way,) = fit.summary[f"val/{logged.headline}"]
    assert way == {"higher": "max", "lower": "min"}[logged.described[logged.headline]["better"]]
    assert fit.summary[f"val/{logged.headline}"][way] == value[f"val/{logged.headline}"]
    assert fit.summary[f"best/val/{logged.headline}"] == pytest.approx(value[f"val/{logged.headline}"])
    assert fit.summary["best/batches"] == batches


def _last(fit, name: str) -> dict:
    return [row for row in fit.rows if name in row][-1]


def _media(fit, test) -> None:
    for one in (fit, test):
        media = {name for row in one.rows for name, value in row.items() if isinstance(value, dict) and "path" in value}
        for name in media:
            assert one.file(name).stat().st_size > 0, name
    for name in {"test/roc_curve_table", "test/pr_curve_table"} & test.names():
        rows = test.table(name)
        model = [row for row in rows if row["class"].startswith("model")]
        assert 2 <= len(model) <= CURVES_MOST
        assert len([row for row in rows if row["class"].startswith("chance")]) == 2
    cases = test.table("test/cases")
    assert {row["kind"] for row in cases} <= {"worst", "best"}
    assert all(row["picture"].stat().st_size > 0 for row in cases)
    assert all(file.is_relative_to(test.folder.parent) for files in test.artifacts.values() for file in files.values())


def _workspace_names(logged) -> set[str]:
    """All that the page of an experiment draws, but for what W&B itself measures."""
    pytest.importorskip("wandb_workspaces")
    from fulgurite.workspace_views import of_experiment

    bank = view_of(of_experiment(logged, "p", "e"))["spec"]["section"]["panelBankConfig"]
    configs = [panel["config"] for section in bank["sections"] for panel in section["panels"]]
    named = {name for config in configs for key in ("metrics", "mediaKeys") for name in config.get(key) or ()}
    tables = set(re.findall(r'"name": "tableKey", "value": "([^"]+)"', json.dumps(configs)))
    return {name for name in named | tables if not name.startswith("system/")}
