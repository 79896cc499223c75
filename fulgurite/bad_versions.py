"""Releases that must not run: ``pyproject.toml`` excludes them all, but whoever installs without it may have one."""

from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from fulgurite.refuse import refuse


class Bad(NamedTuple):
    """Releases of a package, and what is wrong with them.

    Attributes:
        package: Its name.
        releases: Which of them, in the form of PEP 440.
        why: What they do.
        instead: What to install.
        beyond: What else to do where it may have run.
    """

    package: str
    releases: str
    why: str
    instead: str
    beyond: str = ""


LIGHTNING = ">=2.6.6,<2.7"
STEALS = "steals passwords and keys (GHSA-w37p-236h-pfx3)"
STOLEN = "; where it has been imported, change every password and key that this account could read"
NAMES = "runs what a checkpoint names (CVE-2026-58659)"
BAD = (
    Bad("lightning", "==2.6.2", STEALS, f"lightning{LIGHTNING}", STOLEN),
    Bad("lightning", "==2.6.3", STEALS, f"lightning{LIGHTNING}", STOLEN),
    Bad("lightning", "<2.6.6", NAMES, f"lightning{LIGHTNING}"),
    Bad("pytorch-lightning", "<2.6.6", NAMES, f"pytorch-lightning{LIGHTNING}"),
    Bad("torch", "<2.6", "runs what is in a checkpoint (CVE-2025-32434)", "torch>=2.11,<2.15"),
    Bad("torch", "<2.10", "runs what is in a checkpoint (CVE-2026-24747)", "torch>=2.11,<2.15"),
    Bad("pillow", "<12.2", "lets a small picture fill the memory (CVE-2026-40192)", "pillow>=12.2"),
)
"""The worst of a package first."""


def found_bad() -> list[tuple[Bad, str]]:
    """Return those that are installed, each with the release, of a package the worst first; imports none of them."""
    from packaging.specifiers import SpecifierSet  # here: of no use to --help

    here = {package: _release(package) for package in {bad.package for bad in BAD}}  # reading one takes milliseconds
    installed = ((bad, release) for bad in BAD if (release := here[bad.package]) is not None)
    return [(bad, release) for bad, release in installed if release in SpecifierSet(bad.releases, prereleases=True)]


def _release(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # the import will say so
        return None


def bad_version() -> str | None:
    """Return one sentence about the first of them that is installed, None where there is none."""
    for bad, here in found_bad():
        return f"{bad.package} {here} is installed, which {bad.why}: pip install '{bad.instead}'{bad.beyond}"
    return None


def refuse_bad_versions() -> None:
    """End with one sentence if one of them is installed; called before any of these packages is imported."""
    if said := bad_version():
        refuse(said)
