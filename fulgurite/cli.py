"""The ``lightning`` command: one verb per line of a table, each imported only when it is called.

Run ``lightning --help`` for the verbs; ``fulgurite`` and ``python -m fulgurite`` are other spellings of it.
"""

import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import version
from typing import NamedTuple, NoReturn

from fulgurite import clashes, plugins
from fulgurite.bad_versions import refuse_bad_versions
from fulgurite.huge_pages import use_huge_pages
from fulgurite.processes import rank
from fulgurite.refuse import refuse, show
from fulgurite.signals import SIGNALS


class Verb(NamedTuple):
    """A word of the command.

    Attributes:
        module: Where it lives, with ``main(argv)``.
        help: Its line in the help.
        is_heavy: Whether it takes a while to load.
        needs_sound_packages: Whether it is refused where packages are bad or hidden; else it tells of them itself.
    """

    module: str
    help: str
    is_heavy: bool = True
    needs_sound_packages: bool = True


VERBS = {
    "fit": Verb("fulgurite.train", "train a model, validating after every epoch"),
    "validate": Verb("fulgurite.train", "judge a checkpoint on the validation data"),
    "test": Verb("fulgurite.train", "judge a checkpoint on the labelled test data"),
    "predict": Verb("fulgurite.train", "score your own recordings with a checkpoint"),
    "prepare": Verb("fulgurite.prepare", "get data ready for a first run: unpack, recognise, check, decode"),
    "watch": Verb("fulgurite.watch_video", "score a camera, a stream or a growing file, and raise alarms"),
    "sample": Verb("fulgurite.sample", "draw new pictures from a checkpoint"),
    "export": Verb("fulgurite.export", "write a trained model into files that run without this project"),
    "report": Verb("fulgurite.report", "write one HTML file of all that a run has left behind"),
    "runs": Verb("fulgurite.list_runs", "list runs and how they stand; clean frees disk", is_heavy=False),
    "batch": Verb("fulgurite.batch", "train and test many runs: experiments, settings, seeds"),
    "sweep": Verb("fulgurite.sweep", "search the settings of an experiment: trials, pruning, a page of what mattered"),
    "compare": Verb("fulgurite.compare", "rank runs by their tests, and tell which differences may be chance"),
    "dashboard": Verb("fulgurite.dashboard", "watch trainings in a terminal, or lay out pages on W&B", is_heavy=False),
    "experiments": Verb("fulgurite.experiment_files", "list the experiments, or copy one to edit", is_heavy=False),
    "doctor": Verb("fulgurite.doctor", "look for what is wrong with this installation", needs_sound_packages=False),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the verb named by the first argument.

    Args:
        argv: Arguments after the name of the command; those of the process when None. The difference matters:
            the other processes of a distributed run are started again from the arguments of the process.

    Raises:
        SystemExit: With status 2 for anything the user can put right, 130 after Ctrl-C, 143 after SIGTERM.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    first = words[0] if words else "--help"
    if first in ("-h", "--help", "help"):
        show(_help())
    elif first in ("-V", "--version", "version"):
        print(f"fulgurite {version('fulgurite')}")
    else:
        ours = first in VERBS
        module = VERBS[first].module if ours else _added_module(first)
        if not ours or VERBS[first].needs_sound_packages:
            clashes.refuse_other_packages()
            refuse_bad_versions()
        use_huge_pages()
        if (not ours or VERBS[first].is_heavy) and "torch" not in sys.modules and rank() == 0:
            print("loading ...", file=sys.stderr, flush=True)  # importing torch and Lightning takes seconds
        with SIGNALS.caught():
            try:
                verb = import_module(module)
            except ImportError as problem:
                clashes.explain(problem)
                raise
            verb.main(None if ours and argv is None else words)


def _added_module(name: str) -> str:
    """Return the module of a verb that an installed package adds."""
    added = plugins.verbs()
    if name not in added:
        _unknown(name, [*VERBS, *added])
    if len(added[name]) > 1:
        refuse(f"the verb {name} is added by {' and '.join(added[name].values())}; uninstall one of them")
    return next(iter(added[name]))


def _help() -> str:
    lines = [*((name, verb.help) for name, verb in VERBS.items())]
    for name, sources in plugins.verbs().items():
        hidden = ", and not used: the verb is ours" if name in VERBS else ""
        lines.append((name, f"added by {' and '.join(sources.values())}{hidden}"))
    width = max(len(name) for name, _ in lines)
    others = clashes.other_owners()
    clash = f"{' and '.join(others)} also installs a command lightning; if that runs, type fulgurite, or uninstall it."
    return "\n".join(
        [
            "usage: lightning VERB [options]",
            "",
            *(f"  {name:<{width}}  {text}" for name, text in lines),
            "",
            "lightning VERB --help lists the options of a verb, lightning --version names the release.",
            "Start with: lightning fit --config vta_gan",
            *([clash] if others else []),
        ]
    )


def _unknown(word: str, verbs: Sequence[str]) -> NoReturn:
    close = get_close_matches(word, verbs, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    remedy = "write it before the options" if word.startswith("-") else "choose one of them"
    refuse(f"'{word}' is not a verb of lightning.{hint} Verbs: {', '.join(verbs)}; {remedy}.")
