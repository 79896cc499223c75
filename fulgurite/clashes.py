"""Other programs and packages that have taken a name of ours."""

from importlib.metadata import entry_points, packages_distributions
from importlib.util import find_spec
from pathlib import Path

from fulgurite.refuse import refuse

PACKAGES = ("datamodules", "callbacks", "lightning_models")


REMEDY = "Remove it from PYTHONPATH, or install fulgurite in an environment of its own"


def hidden_packages() -> dict[str, str]:
    """Return the packages of ours in whose place Python would import another one, with where that is."""
    home = Path(__file__).resolve().parents[1]
    hidden = {}
    for package in PACKAGES:
        spec = find_spec(package)
        found = Path(spec.origin).resolve().parent if spec and spec.origin else None
        if found != home / package:
            hidden[package] = str(found or f"a folder {package} without __init__.py")
    return hidden


def refuse_other_packages() -> None:
    """End with one sentence if Python would import another package under one of our names."""
    for package, where in hidden_packages().items():
        refuse(f"the package {package} of fulgurite is hidden by {where}, which Python finds first. {REMEDY}")


def explain(problem: ImportError) -> None:
    """End with one sentence if ``problem`` comes from a package of ours that another distribution has written over."""
    package = (problem.name or "").partition(".")[0]
    if package not in PACKAGES:
        return
    others = sorted(set(packages_distributions().get(package, [])) - {"fulgurite"})
    if others:
        refuse(
            f"{' and '.join(others)} has written over the package {package} of fulgurite ({problem}). Uninstall it, "
            "then: pip install --force-reinstall --no-deps fulgurite"
        )


def other_owners() -> list[str]:
    """Return the other distributions that install a command ``lightning``; only one of all can have it."""
    scripts = entry_points(group="console_scripts", name="lightning")
    return sorted({script.dist.name for script in scripts if script.dist} - {"fulgurite"})
