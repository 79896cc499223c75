"""What Lightning says and is wrong or of no use here; every entry with its reason."""

import logging
import warnings

UNHELPFUL_WARNINGS = (
    # A window is a slice of a memory map: worker processes cost more than they bring at the default size.
    r"The '\w+_dataloader' does not have many workers",
    # ClipMetrics computes its numbers from the scores of all processes, so that they are equal on all of them.
    r"It is recommended to use `self.log\('(val|test)/.*', ..., sync_dist=True\)`",
    # The best and last checkpoints live in the run folder, together with config.yaml, on purpose.
    r"Checkpoint directory .* exists and is not empty",
    # Lightning 2.6 itself calls what torch 2.14 has renamed; nothing that a user could change.
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    # Lightning 2.6 uses an argument that jsonargparse has renamed; both are pinned.
    r"\s*skip_none parameter was deprecated",
    r"\s*By default only one JsonargparseDeprecationWarning",
    # The data modules do resume within an epoch: their sampler begins at the batch where the checkpoint was written.
    r"You're resuming from a checkpoint that ended before the epoch ended and your dataloader is not resumable",
)
UNHELPFUL_MESSAGES = (
    "💡 Tip:",  # advertisements of other products; Lightning has no switch for them
    "TPU available",  # says that there is none on every machine but a few
    "Trainer already configured with model summary callbacks",  # that is our own
    "\nDetected KeyboardInterrupt",  # the command says it in its own words
)


def keep_quiet() -> None:
    """Filter the entries above out of Python's warnings and Lightning's log, and print warnings in one line."""
    logging.raiseExceptions = False  # W&B's own log of what it does, on a full disk, of which we tell
    warnings.formatwarning = _one_line
    for message in UNHELPFUL_WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(_helpful)


def _one_line(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    place = "" if category is UserWarning else f" ({category.__name__} in {filename}, line {lineno})"
    return f"warning: {' '.join(str(message).split())}{place}\n"


def _helpful(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(UNHELPFUL_MESSAGES)
