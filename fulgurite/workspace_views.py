"""How the pages on Weights & Biases are laid out. Imports what only ``lightning dashboard --workspace`` needs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws
from wandb_workspaces import expr

from callbacks.course_plot import PANELS
from callbacks.wandb_charts import CASES_TABLE, CURVES, LINE, LINE_FIELDS, OVER_TIME, PR_FIELDS, RANKED, ROC_FIELDS
from callbacks.wandb_logger import AXIS
from fulgurite.logged_names import Logged, alternatives, families

STAGES = ("val", "train", "test")
"""Order in which media are shown."""
SPEED = ("train/samples_per_second", "train/data_wait_share")
MACHINE = ("system/cpu", "system/proc.memory.rssMB", "system/gpu.0.gpu", "system/gpu.0.memoryAllocatedBytes")
"""What W&B itself measures, and how it calls it."""


def of_experiment(logged: Logged, project: str, entity: str) -> ws.Workspace:
    """Return the page of an experiment: its losses, the health of its game, metrics, media, and the machine."""
    sections = [
        ws.Section("Metrics", panels=_metrics(logged), is_open=True),
        ws.Section("Losses", panels=_losses(logged), is_open=True),
        ws.Section("Health", panels=_health(logged)),
        ws.Section("Media", panels=_media(logged.media), is_open=True),
        ws.Section("System", panels=[*_lines(SPEED), *_lines(MACHINE, x="Relative Time (Process)")]),
    ]
    return ws.Workspace(
        entity=entity,
        project=project,
        name=f"Fulgurite: {logged.experiment}",
        sections=[section for section in sections if section.panels],
        settings=ws.WorkspaceSettings(x_axis=AXIS),
        runset_settings=ws.RunsetSettings(
            filters=f"Metric('Group') == '{logged.experiment}'",
            pinned_columns=[f"summary:best/val/{logged.headline}", f"summary:test/{logged.headline}"],
        ),
    )


def comparison(experiments: Sequence[Logged], project: str, entity: str) -> ws.Workspace:
    """Return the page on which runs of all experiments are compared, a colour an experiment."""
    headlines = list(dict.fromkeys(one.headline for one in experiments))
    lines = [_line(f"val/{name}", [f"val/{name}"]) for name in headlines]
    bars = [wr.BarPlot(title=f"test/{name}", metrics=[f"test/{name}"]) for name in headlines]
    sections = [
        ws.Section("Headlines", panels=[*bars, *lines], is_open=True),
        ws.Section("Speed", panels=_lines(SPEED), is_open=True),
        ws.Section("What differs", panels=[wr.RunComparer(diff_only=True)], is_open=True),
    ]
    return ws.Workspace(
        entity=entity,
        project=project,
        name="Fulgurite: comparison",
        sections=sections,
        settings=ws.WorkspaceSettings(x_axis=AXIS, max_runs=30),
        runset_settings=ws.RunsetSettings(
            groupby=[expr.Metric("Group")], pinned_columns=[f"summary:test/{name}" for name in headlines]
        ),
    )


def _metrics(logged: Logged) -> list[Any]:
    """Every metric beside its references over the batches, then what a test has made of the headline."""
    panels = [_line(name, [f"val/{one}" for one in family]) for name, family in families(logged).items()]
    if logged.has_alternatives:
        title = f"{logged.headline}: each kind of evidence alone"
        panels.append(wr.LinePlot(title=title, x=AXIS, metric_regex=alternatives(logged)))
    tested = families(logged)[logged.headline]
    return [*panels, wr.BarPlot(title=f"test: {logged.headline}", metrics=[f"test/{name}" for name in tested])]


def _losses(logged: Logged) -> list[Any]:
    rates = [f"train/{phase}/learning_rate" for phase in logged.losses]
    terms = (f"train/{phase}/{term}" for phase, names in logged.losses.items() for term in ("total", *names))
    return [*_lines(terms), _line("learning rates", rates)]


def _health(logged: Logged) -> list[Any]:
    """The panels of ``media/course.png``, as far as they are health and no loss."""
    groups = ((title, [f"train/{name}" for name in names]) for title, names in PANELS.items())
    known = ((title, [name for name in names if name in logged.health]) for title, names in groups)
    return [_line(title, names) for title, names in known if names]


def _media(shown: Sequence[str]) -> list[Any]:
    """Pictures and videos first, then the charts of a test and the table of its cases."""
    tables = {
        CURVES[0]: _chart(CURVES[0], RANKED, ROC_FIELDS),
        CURVES[1]: _chart(CURVES[1], RANKED, PR_FIELDS),
        OVER_TIME: _chart(OVER_TIME, LINE, LINE_FIELDS),
        CASES_TABLE: wr.WeavePanelSummaryTable(table_name=CASES_TABLE),
    }
    seen = sorted((name for name in shown if name not in tables), key=lambda name: STAGES.index(name.partition("/")[0]))
    media = [wr.MediaBrowser(title=name, media_keys=[name]) for name in seen]
    return [*media, *(panel for name, panel in tables.items() if name in shown)]


def _lines(names: Iterable[str], x: str = AXIS) -> list[Any]:
    return [_line(name, [name], x) for name in names]


def _line(title: str, names: Sequence[str], x: str = AXIS) -> wr.LinePlot:
    return wr.LinePlot(title=title, x=x, y=list(names))


def _chart(table: str, kind: str, fields: Mapping[str, str]) -> wr.CustomChart:
    chart = wr.CustomChart.from_table(table, dict(fields), {"title": table.removesuffix("_table")})
    chart.chart_name = kind
    return chart
