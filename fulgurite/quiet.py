"""What Lightning says and is wrong or of no use here; every entry with its reason."""

import logging
import warnings

UNHELPFUL_WARNINGS = (
    # A window is a slice of a memory map: worker processes cost more than they bring at the default size.
    r"The '\w+_dataloader' does not have many workers",
    # The best and last checkpoints live in the run folder, together with config.yaml, on purpose.
    r"Checkpoint directory .* exists and is not empty",
    # Lightning 2.6 itself calls what torch 2.14 has renamed; nothing that a user could change.
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
)
UNHELPFUL_MESSAGES = (
    "💡 Tip:",  # advertisements of other products; Lightning has no switch for them
    "TPU available",  # says that there is none on every machine but a few
    "\nDetected KeyboardInterrupt",  # the command says it in its own words
)


def keep_quiet() -> None:
    """Filter the entries above out of Python's warnings and Lightning's log."""
    for message in UNHELPFUL_WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(_helpful)


def _helpful(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(UNHELPFUL_MESSAGES)
