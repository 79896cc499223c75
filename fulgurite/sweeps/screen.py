"""A sweep on the screen: its trials, the best first to be seen."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from callbacks.figures import figure, several
from callbacks.text import printable
from fulgurite.batches.live_table import LiveTable
from fulgurite.batches.screen import time_left, time_of
from fulgurite.sweeps.space import shown
from fulgurite.sweeps.study import Study
from fulgurite.sweeps.trial import Trial


class SweepScreen(LiveTable):
    """Shows the trials of a sweep.

    Args:
        study: to which they belong.
        trials: those that have begun; more come while it is shown.
        slots: how many run at once.
    """

    def __init__(self, study: Study, trials: Sequence[Trial], slots: int) -> None:
        super().__init__()
        self._study, self._trials, self._slots = study, trials, slots

    def states(self) -> Iterator[tuple[str, str]]:
        """Yield name and state of each trial that was begun by this command."""
        return ((trial.task.name, _line(trial)) for trial in self._trials if trial.began is not None)

    def table(self, most: int, whole: bool) -> Table:
        """Return the table as it is now: the newest trials and the best one, in their order."""
        best = self._study.best()
        table = Table("trial", "state", printable(self._study.space.objective), "validations", "time")
        table.add_column("values", no_wrap=not whole, overflow="fold" if whole else "ellipsis")
        newest = sorted(self._trials, key=lambda one: (best is None or one.number != best.number, -one.number))
        for trial in sorted(newest[:most], key=lambda one: one.number):
            is_best = best is not None and best.number == trial.number
            value = "" if trial.value is None else figure(trial.value) + (" *" if is_best else "")
            table.add_row(
                f"{trial.number:03d}",
                trial.state,
                value,
                str(max(trial.course, default="")),
                time_of(trial),
                printable(shown(trial.searched)),
                style="bold" if is_best else "",
            )
        table.caption = self._summary(most)
        return table

    def _summary(self, most: int) -> str:
        wanted = max(self._study.space.trials, len(self._trials))
        over = [one for one in self._trials if one.state != "running"]
        text = f"{len(over)} of {several(wanted, 'trial')} over"
        for state in ("pruned", "failed"):
            count = sum(one.state == state for one in over)
            text += f", {count} {state}" if count else ""
        hidden = len(self._trials) - most
        text += f"; {hidden} more rows" if hidden > 0 else ""
        return text + time_left(self._trials, wanted - len(over), self._slots)


def _line(trial: Trial) -> str:
    if trial.value is None:
        return f"{trial.state}, {shown(trial.searched)}" if trial.state == "running" else trial.state
    name = trial.study.space.objective
    return f"{trial.state}, {name} {figure(trial.value)} in {several(len(trial.course), 'validation')}"
