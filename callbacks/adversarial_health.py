"""Watches adversarial training: is the discriminator saturated, won or blind, has the generator collapsed?"""

import json
from collections import deque
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from callbacks.batches_seen import batches_seen
from callbacks.course_plot import draw_course
from callbacks.results import write_record
from callbacks.wandb_logger import show
from datamodules.errors import InputError
from datamodules.private_api import writes_log
from datamodules.protocols import Decodes, HasHealth

FILE = "adversarial_health.json"
SATURATED_ACCURACY, SATURATED_GAP = 0.99, 0.98
WON_OBJECTIVE = 0.01
BLIND_ACCURACY, BLIND_GAP = 0.55, 0.02
DIVERSITY, DIVERSITY_METRIC, VALIDATIONS = 0.05, "val/sample_diversity", 3


class AdversarialHealth(Callback):
    """Logs ``train/health/<name>`` and says, once by name, that a side of the game has collapsed.

    Judged are means over the last ``window`` batches in which the discriminator is asked, the first ``window`` of a run
    left out:

    - ``discriminator_saturated``: accuracy above 0.99, and D(real) above that of every kind of generated data by more
      than 0.98. Through a sigmoid so far out hardly any gradient reaches the generator. It does not apply to
      scores, which have no sigmoid.
    - ``discriminator_won``: accuracy above 0.99 and an objective below 0.01, where one that knows nothing has 2 (hinge)
      or 1.39 (cross-entropy): nothing is left for it to learn, however close to each other its probabilities are.
      Said only of what is not saturated. It does not apply to a critic, whose objective has no end.
    - ``discriminator_blind``: accuracy below 0.55; for probabilities also all within 0.02 of each other. What the
      generator learns from it is noise.
    - ``generator_collapsed``: ``val/sample_diversity`` below 0.05 at three validations in a row: it draws one picture.
      Not judged where nothing is sampled.

    ``adversarial_health.json`` in the run folder, and ``adversarial_health`` in ``results.json`` after a test,
    say what was found, from which batch on, and whether it still held at the end; also how much was judged:
    ``judged_batches``, and of a model that samples ``judged_validations`` for the last of the four. 0 is never, and no
    verdict then: a warning at the end of training says so. ``media/course.png`` draws the numbers over the whole run,
    with a critic's estimate of W1 and its gradient norm. Nothing waits for the device but at the rhythm of the log. Of
    several processes the first one's batches are judged.

    Args:
        judge: what the module's discriminator gives: a ``probability``, or a ``score`` (a Wasserstein critic).
        window: batches that are judged together.
    """

    def __init__(self, judge: Literal["probability", "score"] = "probability", window: int = 200) -> None:
        if window < 1:
            raise InputError(f"AdversarialHealth: window is {window}; give at least 1 batch.")
        self.judge, self.window = judge, window
        self.found: dict[str, dict[str, Any]] = {}
        self._sums: dict[str, Tensor] = {}
        self._batches = 0  # in the sums
        self._played = 0  # batches in which the discriminator was asked
        self._rows: deque[tuple[int, dict[str, float]]] = deque()  # number of batches, their means
        self._first = True  # window, not judged
        self._judged = 0  # batches
        self._validations = 0  # that told the diversity
        self._repeated = 0  # of these in a row, whose samples are all alike
        self._of_training: dict[str, Any] | None = None

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run goes on with."""
        return {
            "found": self.found,
            "sums": self._sums,
            "batches": self._batches,
            "played": self._played,
            "rows": list(self._rows),
            "first": self._first,
            "judged": self._judged,
            "validations": self._validations,
            "repeated": self._repeated,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave."""
        self.found, self._first, self._repeated = state_dict["found"], state_dict["first"], state_dict["repeated"]
        # checkpoints of before these were counted lack them
        self._judged, self._validations = state_dict.get("judged", 0), state_dict.get("validations", 0)
        self._played = state_dict.get("played", 0)
        self._sums, self._batches = state_dict["sums"], state_dict["batches"]
        self._rows = deque((count, dict(means)) for count, means in state_dict["rows"])

    def logged(self, model: Any) -> list[str]:
        """Return the names of what is logged: of every kind of generated data that a model may have."""
        names = ("real", "reconstruction", "sample", "pseudo", "accuracy", "objective")
        return [f"train/health/{name}" for name in names]

    def media_names(self, model: Any) -> list[str]:
        """Return the name of what is shown."""
        return ["train/course"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check that there is something to watch."""
        if not isinstance(pl_module, HasHealth):
            raise TypeError(f"{type(pl_module).__name__} has no health to watch; leave AdversarialHealth out")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add the batch up, on the device; read and judge at the rhythm of the log."""
        assert isinstance(pl_module, HasHealth)
        if not pl_module.health:
            return
        for name, value in pl_module.health.items():
            self._sums[name] = self._sums[name] + value.detach() if name in self._sums else value.detach().clone()
        self._batches += 1
        self._played += 1
        if writes_log(trainer):
            means = {name: float(total) / self._batches for name, total in self._sums.items()}
            pl_module.log_dict({f"train/health/{name}": value for name, value in means.items()}, batch_size=1)
            self._take(self._batches, means, trainer)
            self._sums, self._batches = {}, 0

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count the validations whose samples are all alike."""
        diversity = trainer.callback_metrics.get(DIVERSITY_METRIC)
        if trainer.sanity_checking or diversity is None:
            return
        self._validations += 1
        self._repeated = self._repeated + 1 if float(diversity) < DIVERSITY else 0
        alike = self._repeated >= VALIDATIONS
        why = f"{DIVERSITY_METRIC} was below {DIVERSITY} at {VALIDATIONS} validations in a row: it draws one picture"
        self._note(
            trainer,
            {"generator_collapsed": f"the generator has collapsed: {why}"} if alike else {},
            {"generator_collapsed"},
        )

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write what was found, say where nothing could be, and draw the course of the game.

        Not at the end of training, which Lightning does not call again for one that was killed just before it.
        """
        self._write(trainer)
        if not self._judged and not trainer.fast_dev_run:  # type: ignore[attr-defined]  # set without a type
            rank_zero_warn(self._why_never(trainer))
        if trainer.is_global_zero and (course := draw_course(Path(trainer.default_root_dir))):
            show(trainer, "train/course", course)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look for what the run's training has found."""
        found = Path(trainer.default_root_dir) / FILE
        self._of_training = json.loads(found.read_text()) if found.is_file() else None

    def results(self) -> dict[str, Any]:
        """Return what the run's training has found, for the results of its test."""
        return {} if self._of_training is None else {"adversarial_health": self._of_training}

    def means(self) -> dict[str, float]:
        """Return the means over the window by name; empty before the first batches."""
        count = sum(batches for batches, _ in self._rows)
        return {
            name: sum(batches * means[name] for batches, means in self._rows) / count
            for name in (self._rows[-1][1] if self._rows else {})
        }

    def _take(self, batches: int, means: dict[str, float], trainer: Trainer) -> None:
        judged = {name: value for name, value in means.items() if name != "objective"}
        outside = {name: value for name, value in judged.items() if not 0 <= value <= 1}
        if outside and self.judge == "probability":
            raise InputError(f"AdversarialHealth: {outside} is no probability; set judge: score for a critic's scores.")
        self._rows.append((batches, means))
        while sum(count for count, _ in self._rows) - self._rows[0][0] >= self.window:
            self._rows.popleft()
        if sum(count for count, _ in self._rows) < self.window:
            return
        if self._first:
            self._first = False
            self._rows.clear()
            return
        self._judged += batches if self._judged else sum(count for count, _ in self._rows)
        self._note(trainer, self._verdicts(), {"discriminator_saturated", "discriminator_won", "discriminator_blind"})

    def _verdicts(self) -> dict[str, str]:
        """Return a sentence by name for what holds of the window."""
        means = self.means()
        fakes = [value for name, value in means.items() if name not in ("real", "accuracy", "objective")]
        values = ", ".join(f"{name} {value:.4f}" for name, value in means.items())
        over = f"over the last {self.window} batches ({values})"
        found = {}
        always_right = means["accuracy"] > SATURATED_ACCURACY
        if always_right and means["real"] - max(fakes) > SATURATED_GAP and self.judge == "probability":
            found["discriminator_saturated"] = (
                f"the discriminator has collapsed: it tells all data for certain {over}, and the generator "
                "learns nothing from it. Weaken it (a spectral norm, a penalty, a lower learning rate)"
            )
        elif always_right and means.get("objective", WON_OBJECTIVE) < WON_OBJECTIVE:
            found["discriminator_won"] = (
                f"the discriminator has won: nothing is left for it to learn {over}, and the generator follows a judge "
                "that stands still. Weaken it (a penalty, a lower learning rate) or raise the adversarial weight"
            )
        apart = max(means["real"], *fakes) - min(means["real"], *fakes)
        if means["accuracy"] < BLIND_ACCURACY and (self.judge == "score" or apart < BLIND_GAP):
            found["discriminator_blind"] = (
                f"the discriminator has collapsed: it cannot tell real from generated {over}. "
                "Strengthen it (a higher learning rate, more of its steps, a weaker penalty)"
            )
        return found

    def _why_never(self, trainer: Trainer) -> str:
        """Return why no window was judged, and what would be the longest one that is."""
        if not self._played:
            kind = type(trainer.lightning_module).__name__
            return (
                f"AdversarialHealth has judged nothing: {kind} has trained no discriminator; it is switched off, or "
                "what asks it had weight 0 to the end, as a schedule may have in so short a training"
            )
        rhythm: int = trainer.log_every_n_steps  # type: ignore[attr-defined]  # Lightning sets it late
        longest = self._played // (2 * rhythm) * rhythm if rhythm else 0
        remedy = (
            f"Set window to at most {longest} to have so short a training judged"
            if longest
            else "Train longer, or lower trainer.log_every_n_steps, at whose rhythm batches are taken in, and window"
        )
        return (
            f"AdversarialHealth has judged nothing: the discriminator saw {self._played} batches, the first "
            f"{self.window} are left out, and {self.window} more make a window. {remedy}."
        )

    def _note(self, trainer: Trainer, sentences: dict[str, str], judged: set[str]) -> None:
        batch = batches_seen(trainer)
        for name, sentence in sentences.items():
            if name not in self.found:
                self.found[name] = {"since_batch": batch, "why": sentence, "at_the_end": True}
                rank_zero_warn(f"{name}: {sentence}.")
                self._write(trainer)
        for name in judged & self.found.keys():
            self.found[name]["at_the_end"] = name in sentences

    def _write(self, trainer: Trainer) -> None:
        if trainer.is_global_zero and not trainer.fast_dev_run:  # type: ignore[attr-defined]  # set without a type
            record: dict[str, Any] = {"collapsed": self.found, "judged_batches": self._judged}
            if self._validations or isinstance(trainer.lightning_module, Decodes):
                record["judged_validations"] = max(self._validations - VALIDATIONS + 1, 0)
            record |= {"window": self.window, "last_window": self.means()}
            write_record(Path(trainer.default_root_dir) / FILE, record)
