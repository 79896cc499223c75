"""Who owns the command ``lightning``: another package may have installed one of that name."""

import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from fulgurite import clashes
from fulgurite.checkup.finding import Finding

REPAIR = "pip install --force-reinstall --no-deps fulgurite"


def command_findings() -> Iterator[Finding]:
    """Yield the command that a shell would run, and other packages that install one of its name."""
    here = Path(sysconfig.get_path("scripts"))
    found = shutil.which("lightning")
    if found is None:
        yield Finding("lightning", f"not on the PATH: activate the environment of {here}, or type python -m fulgurite")
    else:
        path = Path(found)
        problem = ""
        if b"fulgurite" not in path.read_bytes()[:4096]:
            problem = (
                f"{path} is the command of another program: type fulgurite in its place, or uninstall what has "
                f"installed it, then {REPAIR}"
            )
        elif path.parent.resolve() != here.resolve():
            problem = (
                f"{path} belongs to another Python than the one that runs now, of {here}: activate the environment "
                "that is meant"
            )
        yield Finding("lightning", str(path), problem)
    for other in clashes.other_owners():
        yield Finding(
            other,
            "installs a command lightning",
            f"{other} also installs a command lightning, and what was installed last has it: pip uninstall {other}, "
            f"then {REPAIR}; or type fulgurite",
        )
