"""Where decoded data are kept."""

import os
from pathlib import Path


def default_cache() -> Path:
    """Return ``$FULGURITE_CACHE``, or ``~/.cache/fulgurite`` where it is not set."""
    return Path(os.environ.get("FULGURITE_CACHE") or Path.home() / ".cache" / "fulgurite")
