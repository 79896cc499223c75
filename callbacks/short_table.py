"""What is printed after a test: the few figures that matter, each beside its references and with what it means."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Column, Table

from callbacks.figures import figure, several
from callbacks.meanings import Described, references_of

if TYPE_CHECKING:
    from callbacks.evaluation import Evaluation

MOST = 5


def short_table(
    evaluation: "Evaluation", described: Mapping[str, Described], matter: Sequence[str], rest: str = ""
) -> Table:
    """Return the table.

    Args:
        evaluation: of the test.
        described: what the metrics mean, as far as anybody says.
        matter: the names that are shown, in this order; empty: the first ones.
        rest: file that has all of them; empty where there is none.
    """
    title = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in evaluation.counts.items())
    name_column = Column("metric", overflow="fold")  # a name that is cut short could be that of several
    table = Table(name_column, "value", "beside it", "what it is", title=title, title_justify="left")
    own = [name for name in evaluation.all_names if name not in described or not described[name]["beside"]]
    shown = [name for name in matter if name in own] or own[:MOST]
    values = evaluation.metrics | evaluation.references
    for name in (name for name in shown if name in values):
        beside = [
            f"{figure(values[reference])} {reference.removeprefix(name).strip('_').replace('_', ' ')}"
            for reference in references_of(name, described, values)
        ]
        means = described[name]["means"] if name in described else ""
        table.add_row(name, figure(values[name]), "\n".join(beside), means)
    for reason, names in evaluation.without_value().items():
        if lacking := [name for name in names if name in shown]:
            table.add_row("\n".join(lacking), "undefined", "", reason, style="dim")
    left = [name for name in values if name not in shown]
    without = [name for name in evaluation.undefined if name not in shown]
    empty = f", and why {len(without)} have none" if without else ""
    table.caption = f"{several(len(left), 'further figure')}{empty}: {rest}" if rest and (left or without) else None
    return table
