"""What installed packages add to the command, by two groups of entry points in their ``pyproject.toml``.

[project.entry-points.fulgurite]
my_package = "my_package"       # its classes may be named, and its experiments/*.yaml are listed

[project.entry-points."fulgurite.verbs"]
publish = "my_package.publish"  # a module with main(argv), run by `lightning publish`
"""

from importlib.metadata import EntryPoint, entry_points

PACKAGES = "fulgurite"
VERBS = "fulgurite.verbs"


def packages() -> dict[str, str]:
    """Return the packages that are made for this project, and the distribution that each comes from."""
    return {entry.module: _distribution(entry) for entry in entry_points(group=PACKAGES)}


def verbs() -> dict[str, dict[str, str]]:
    """Return the verbs that are added: for each the modules that run it, and the distribution each comes from."""
    found: dict[str, dict[str, str]] = {}
    for entry in entry_points(group=VERBS):
        found.setdefault(entry.name, {})[entry.module] = _distribution(entry)
    return found


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.module
