"""The ``lightning`` command: one verb per line of a table, each imported only when it is called.

Run ``lightning --help`` for the verbs; ``fulgurite`` and ``python -m fulgurite`` are other spellings of it.
"""

import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import version
from typing import NamedTuple, NoReturn

from fulgurite.huge_pages import use_huge_pages

BAD_INPUT = 2
"""Exit status of everything the user can put right: a typo, a missing file, a wrong value."""


class Verb(NamedTuple):
    """Where a verb lives (a module with ``main(argv)``) and its line in the help."""

    module: str
    help: str


VERBS = {
    "fit": Verb("fulgurite.train", "train a model, validating after every epoch"),
    "validate": Verb("fulgurite.train", "judge a checkpoint on the validation data"),
    "test": Verb("fulgurite.train", "judge a checkpoint on the labelled test data"),
    "predict": Verb("fulgurite.train", "score your own recordings with a checkpoint"),
    "sample": Verb("fulgurite.sample", "draw new pictures from a checkpoint"),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the verb named by the first argument.

    Args:
        argv: Arguments after the name of the command; those of the process when None. The difference matters:
            the other processes of a distributed run are started again from the arguments of the process.

    Raises:
        SystemExit: With status 2 for anything the user can put right, 130 after Ctrl-C.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    first = words[0] if words else "--help"
    if first in ("-h", "--help", "help"):
        print(_help())
    elif first in ("-V", "--version", "version"):
        print(f"fulgurite {version('fulgurite')}")
    elif first in VERBS:
        use_huge_pages()
        import_module(VERBS[first].module).main(None if argv is None else words)
    else:
        _unknown(first)


def _help() -> str:
    width = max(map(len, VERBS))
    return "\n".join(
        [
            "usage: lightning VERB [options]",
            "",
            *(f"  {name:<{width}}  {verb.help}" for name, verb in VERBS.items()),
            "",
            "lightning VERB --help lists the options of a verb, lightning --version names the release.",
            "Start with: lightning fit --config experiments/vta_gan.yaml",
        ]
    )


def _unknown(word: str) -> NoReturn:
    close = get_close_matches(word, VERBS, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    verbs = ", ".join(VERBS)
    remedy = "write it before the options" if word.startswith("-") else "choose one of them"
    print(f"error: '{word}' is not a verb of lightning.{hint} Verbs: {verbs}; {remedy}.", file=sys.stderr)
    raise SystemExit(BAD_INPUT)
