"""What a checkpoint has learned from, so that nothing is judged by it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from datamodules.errors import InputError

Split = Literal["validation", "test"]


@dataclass(frozen=True)
class Learned:
    """Names of clips, pictures or the like by the digest of their content, whatever they are called elsewhere.

    Attributes:
        trained: those of the training.
        validated: those of the validation, which chose the checkpoint or calibrated it.
        either: one or the other: older checkpoints do not tell.
        form: what the digests depend on beside the files; those of another form cannot be compared.
    """

    trained: Mapping[str, str] = field(default_factory=dict)
    validated: Mapping[str, str] = field(default_factory=dict)
    either: Mapping[str, str] = field(default_factory=dict)
    form: str = ""

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Read what ``state`` wrote, or the two older forms that know one list only."""
        either = state.get("either") or state.get("pictures") or state.get("learned") or {}
        return cls(state.get("trained", {}), state.get("validated", {}), either, state.get("form", ""))

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return asdict(self)

    def after(self, trained: Mapping[str, str], validated: Mapping[str, str], form: str) -> "Learned":
        """Return this, and what has been learned since."""
        return Learned({**self.trained, **trained}, {**self.validated, **validated}, self.either, form)

    def refuse(
        self, split: Split, items: Mapping[str, str], form: str, item: str, splitting: Sequence[str]
    ) -> str | None:
        """Make sure that the test holds nothing learned, and the validation nothing trained on.

        Args:
            split: what is to be judged.
            items: what a message calls its items, by their digest.
            form: what these digests depend on.
            item: the kind of item, in the singular.
            splitting: keys that decide what is held out.

        Returns:
            Why that cannot be known, if so.

        Raises:
            InputError: naming the first item that is in both.
        """
        if form != self.form:
            return f"it learned from {self.form or 'items that are told apart otherwise'}, these are {form}"
        forbidden, how = self.trained, "trained"
        if split == "test":
            forbidden = {**self.trained, **self.validated, **self.either}
            how = "trained, calibrated or validated"
        if taken := [digest for digest in items if digest in forbidden]:
            others = len(taken) - 1
            several = f" and {others} more {split} {item}s were" if others else f", for {split}, was"
            raise InputError(
                f"data.source: {items[taken[0]]}{several} already learned from: the checkpoint was {how} on this one "
                f"as {forbidden[taken[0]]}. Use the data and the split settings of its training "
                f"({', '.join(splitting)}), or other {item}s"
            )
        if split == "validation" and self.either.keys() & items.keys():
            return "it does not tell what it was trained on from what it was validated on"
        return None
