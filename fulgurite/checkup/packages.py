"""Which packages are here, whether they are those that are needed, and what the missing ones are for."""

import platform
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, metadata, requires, version

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fulgurite import clashes
from fulgurite.bad_versions import found_bad
from fulgurite.checkup.finding import Finding

EXTRAS = {
    "sweep": "lightning sweep",
    "slurm": "lightning batch --on slurm",
    "ray": "lightning batch --on ray",
    "export": "lightning export --format onnx",
    "workspace": "lightning dashboard --workspace",
    "docs": "make docs",
    "dev": "make test",
}
"""What the optional parts of ``pyproject.toml`` are for."""
COMPILED = {
    "torch": "torch",
    "torchvision": "torchvision",
    "torchaudio": "torchaudio",
    "lightning": "lightning.pytorch",
    "opencv-python": "cv2",
    "av": "av",
    "scipy": "scipy.io",
    "pillow": "PIL.Image",
    "wandb": "wandb",
}
"""What may be installed and still not load, by its distribution: the module that is tried."""
_REMEDIES = {"libGL": "apt-get install libgl1, or pip install opencv-python-headless in its place"}


def package_findings() -> Iterator[Finding]:
    """Yield Python, this project, and all that it needs: versions that are bad, do not fit, or do not load."""
    yield Finding("python", f"{platform.python_version()} ({platform.system()} {platform.machine()})")
    try:
        yield Finding("fulgurite", version("fulgurite"))
    except PackageNotFoundError:
        yield Finding(
            "fulgurite", "not installed", "fulgurite is not installed, so nobody knows what it needs: make install"
        )
        return
    bad = {canonicalize_name(one.package): one for one, _ in reversed(found_bad())}  # of each the worst
    for needed in _needed(""):
        name = canonicalize_name(needed.name)
        here = installed(needed.name)
        if name in bad:
            one = bad[name]
            problem = f"{one.package} {here} {one.why}: pip install '{one.instead}'{one.beyond}"
        else:
            problem = _unfit(needed, here) or ("" if bad else does_not_load(name))  # which might import a bad one
        yield Finding(needed.name, here or "missing", problem)
    pair = installed("lightning"), installed("pytorch-lightning")
    if None not in pair and pair[0] != pair[1]:
        says = f"{pair[0]} and {pair[1]}"
        yield Finding(
            "both Lightnings", says, f"lightning and pytorch-lightning differ: pip install pytorch-lightning=={pair[0]}"
        )
    for package, where in clashes.hidden_packages().items():
        yield Finding(package, "hidden", f"the package {package} of fulgurite is hidden by {where}. {clashes.REMEDY}")


def extra_findings() -> Iterator[Finding]:
    """Yield the optional parts, with what those are for that are missing; to lack one is no problem."""
    try:
        named = metadata("fulgurite").get_all("Provides-Extra") or []
    except PackageNotFoundError:
        return
    for extra in named:
        use = EXTRAS.get(extra, "a use that is not described here")
        unfit = [one for one in _needed(extra) if _unfit(one, installed(one.name))]
        if unfit:
            lacking = ", ".join(one.name for one in unfit)
            yield Finding(extra, f"lacks {lacking}; for {use}: pip install 'fulgurite[{extra}]'")
        else:
            yield Finding(extra, f"there, for {use}")


def installed(name: str) -> str | None:
    """Return the version of a package, None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def does_not_load(name: str) -> str:
    """Return why an installed package cannot be imported, and what helps; empty where it can, or is not tried."""
    module = COMPILED.get(name)
    if module is None:
        return ""
    try:
        import_module(module)
    except Exception as error:  # whatever it is: it is told, and the rest is looked at
        said = " ".join(str(error).split())
        remedy = next(
            (remedy for sign, remedy in _REMEDIES.items() if sign in said), f"pip install --force-reinstall {name}"
        )
        return f"{name} does not load ({type(error).__name__}: {said}): {remedy}"
    return ""


def _needed(extra: str) -> Iterator[Requirement]:
    """Yield what the project needs, or one of its optional parts."""
    for line in requires("fulgurite") or ():
        one = Requirement(line)
        always = one.marker is None or one.marker.evaluate({"extra": ""})
        if always != bool(extra) and (one.marker is None or one.marker.evaluate({"extra": extra})):
            yield one


def _unfit(needed: Requirement, here: str | None) -> str:
    """Return what is wrong with the version of a package, empty where it is one that is needed."""
    wanted = f"{needed.name}{needed.specifier}"
    if here is None:
        return f"{needed.name} is missing: pip install '{wanted}'"
    if not needed.specifier.contains(here, prereleases=True):
        return f"{needed.name} {here} is not one of {needed.specifier}: pip install '{wanted}'"
    return ""
