"""The commands that documents show, block by block, and which of them a test cannot run."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/*.md", "lightning_models/*/README.md", "benchmarks/README.md", "examples/README.md")
    for path in ROOT.glob(pattern)
)
SYSTEMS = sorted(path.stem for path in ROOT.glob("experiments/*.yaml") if path.with_suffix("").is_dir())

TESTED_ELSEWHERE = {
    "docs/extending.md": "tests/fulgurite/test_extending.py follows it from end to end",
    "docs/runs.md": "tests/fulgurite/test_list_runs.py lists and removes runs that it makes",
    "docs/doctor.md": "tests/fulgurite/test_doctor.py: how it ends depends on the machine",
    "docs/prepare.md": "tests/fulgurite/test_prepare.py prepares small data of every kind, and begins the training",
    "docs/sweeps.md": "tests/fulgurite/sweeps/test_document.py checks the space of each command",
    "docs/batch.md": "tests/fulgurite/batches/test_batch.py lists the runs of each command, and runs smaller ones",
}

NO_PROGRAM_OF_OURS = {
    "make": "its targets are looked up in the Makefile: they set up an environment",
    "pip": "installs packages",
    "source": "chooses an environment",
    "git": "needs the network",
    "wandb": "needs an account",
    "export": "sets a variable of the reader's shell",
    "jupytext": "opens an example as a notebook; it is no package of this project's",
}
"""Why a line that begins with another program is not run."""


class Command(NamedTuple):
    """A line of a document.

    Attributes:
        document: path from the top of the repository.
        text: as a reader types it, in one line.
        words: what the shell makes of it, comments left out.
    """

    document: str
    text: str
    words: list[str]

    @property
    def own(self) -> list[str] | None:
        """The words behind ``lightning``, also where a launcher stands before it; None for other programs."""
        for number, word in enumerate(self.words[:-1]):
            if word in ("lightning", "fulgurite"):
                return self.words[number + 1 :]
        return None

    @property
    def only_parsed(self) -> str | None:
        """Why it is only parsed, None where it is run."""
        if self.words[0] in ("torchrun", "srun"):
            return f"{self.words[0]} starts processes on several machines"
        if re.search(r"--trainer\.(devices ([2-9]|\d\d)|num_nodes)", self.text):
            return "needs several devices"
        if self.words[1] == "watch" and "://" in self.text:
            return "needs a camera in the network"
        if self.words[1] == "dashboard" and "--dry-run" not in self.words:
            return "draws in a terminal until a key is pressed, or asks the network"
        return None


def commands_of(document: str) -> list[Command]:
    """Return the commands in the blocks marked ``bash``, in their order."""
    found = []
    for block in re.findall(r"^ *```bash\n(.*?)^ *```", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words:
                found.append(Command(document, " ".join(words), words))
    return found


def python_blocks(document: str) -> list[str]:
    """Return the blocks marked ``python``, in their order."""
    return re.findall(r"^```python\n(.*?)^```", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL)


COMMANDS = [command for document in DOCUMENTS for command in commands_of(document)]


def in_smoke_form(words: list[str]) -> list[str]:
    """Return the words with the system's smoke overlay behind its last ``--config``: what is typed still wins."""
    places = [number for number, word in enumerate(words) if word == "--config"]
    if not places or words[0] not in ("fit", "validate", "test", "predict", "sample"):
        return words
    first = Path(words[places[0] + 1]).stem
    smoke = ["--config", str(ROOT / f"experiments/{first}/smoke.yaml")]
    small = ["--trainer.enable_model_summary", "false"]
    small += ["--trainer.limit_train_batches", "2"] if words[0] == "fit" else []
    end = places[-1] + 2
    return [*words[:end], *smoke, *small, *words[end:]]
