"""``python -m fulgurite``: the spelling that works wherever Python does."""

import sys
from pathlib import Path

# Python looks into the working directory first, where a user may have a folder of the name of one of our packages.
if Path(sys.path[0]).resolve() == Path.cwd() != Path(__file__).resolve().parents[1]:
    del sys.path[0]

from fulgurite.cli import main

main()
