"""The verb doctor: what is installed and what there is to compute with, and how to put right what is wrong.

lightning doctor
lightning doctor --report   # to paste into an issue
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from fulgurite.bad_versions import found_bad
from fulgurite.checkup.command import command_findings
from fulgurite.checkup.finding import Finding
from fulgurite.checkup.machine import device_findings, disk_findings, memory_findings
from fulgurite.checkup.packages import extra_findings, package_findings
from fulgurite.checkup.services import codec_findings, wandb_findings
from fulgurite.checkup.shown import for_an_issue, on_screen, problems
from fulgurite.refuse import show


def main(argv: Sequence[str] | None = None) -> None:
    """Run ``doctor``; see :func:`fulgurite.cli.main`.

    Raises:
        SystemExit: With status 1 where there is a problem.
    """
    parser = argparse.ArgumentParser(
        prog="lightning doctor",
        description="Look at versions, the command lightning, devices, threads, memory, disks, codecs, W&B and "
        "optional parts. Each problem is told with its remedy, and the exit status then is 1. Nothing is sent.",
    )
    parser.add_argument(
        "--report", action="store_true", help="as a text for an issue, without your names, folders and keys"
    )
    given = parser.parse_args((sys.argv[1:] if argv is None else list(argv))[1:])
    sections = examine()
    show(for_an_issue(sections) if given.report else on_screen(sections))
    if problems(sections):
        raise SystemExit(1)


def examine() -> dict[str, list[Finding]]:
    """Return all that was found, by what it is about.

    A release that must not run is told and not imported, nor is what would import it.
    """
    bad = {one.package for one, _ in found_bad()}
    sections = {"packages": [*package_findings()], "the command": [*command_findings()]}
    torch = None if "torch" in bad else _torch()
    sections["computing"] = [*device_findings(torch), *memory_findings(), *disk_findings(_cache())]
    sections["video and sound"] = [*codec_findings()]
    sections["Weights & Biases"] = [] if bad or torch is None else [*wandb_findings()]
    sections["optional parts"] = [*extra_findings()]
    return {title: findings for title, findings in sections.items() if findings}


def _torch() -> Any:
    try:
        return import_module("torch")
    except Exception:  # why it does not load has been told among the packages
        return None


def _cache() -> Path:
    """Return where decoded data are kept; as ``datamodules.cache_folder`` has it, which may not load here."""
    return Path(os.environ.get("FULGURITE_CACHE") or Path.home() / ".cache" / "fulgurite")
