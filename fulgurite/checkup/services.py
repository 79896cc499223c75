"""What else a run uses: FFmpeg's codecs, and Weights & Biases."""

from collections.abc import Iterator
from typing import Literal

from fulgurite.checkup.finding import Finding

CODECS: tuple[tuple[str, Literal["r", "w"], str], ...] = (
    ("h264", "r", "H.264, which most videos are"),
    ("aac", "r", "AAC, the sound of most videos"),
    ("libx264", "w", "H.264, of the videos that predictions and reports write"),
    ("aac", "w", "AAC, the sound of those videos"),
)
"""What is used: FFmpeg's name, whether it reads or writes, and for what."""
MODES = {
    "online": "runs are sent, an account is logged in",
    "shared": "runs are sent, several processes write one",
    "offline": "runs stay on this machine",
    "disabled": "nothing is kept for it",
}


def codec_findings() -> Iterator[Finding]:
    """Yield PyAV's FFmpeg and whether it reads and writes what is needed; nothing where PyAV does not load."""
    try:
        import av
        from av.codec import Codec
    except ImportError:
        return
    yield Finding(
        "FFmpeg", f"libavcodec {'.'.join(map(str, av.library_versions['libavcodec']))}, of av {av.__version__}"
    )
    for name, mode, use in CODECS:
        does = "reads" if mode == "r" else "writes"
        try:
            Codec(name, mode)
        except ValueError:  # PyAV's error for a codec that is not there
            yield Finding(
                name,
                f"does not {does.removesuffix('s')} it",
                f"the FFmpeg of this PyAV lacks {name}: {use}. Install the one that PyPI has: pip install "
                "--force-reinstall --only-binary :all: av",
            )
        else:
            yield Finding(name, f"{does} {use}")


def wandb_findings() -> Iterator[Finding]:
    """Yield what W&B would do with a run; nobody is asked over the network, and no key is shown."""
    try:
        from callbacks.wandb_mode import wandb_mode
        from datamodules.errors import InputError
    except ImportError:  # a package that does not load has been told
        return
    try:
        mode = wandb_mode("auto")
    except InputError as error:
        yield Finding("W&B", "cannot be used", str(error).removesuffix("."))
    else:
        yield Finding("W&B", f"{mode}: {MODES[mode]}")
