"""``python -m fulgurite``: the spelling that works wherever Python does."""

from fulgurite.cli import main

main()
