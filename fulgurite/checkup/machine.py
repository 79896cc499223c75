"""What there is to compute with: devices, cores and threads, memory, room on the disks."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fulgurite.checkup.finding import Finding
from fulgurite.run_list.shown import size

LEAST_MEMORY = 2_000_000_000
LEAST_DISK = 2_000_000_000
"""Bytes below which an ordinary training is likely to fail."""
OTHER_BUILD = "install another build of torch, see pytorch.org/get-started"
_GROUPS = Path("/sys/fs/cgroup")


def device_findings(torch: Any) -> Iterator[Finding]:
    """Yield the devices that torch can use, and whether it takes more threads than there are cores.

    Args:
        torch: the module, or None where it does not load.
    """
    cores = usable_cores()
    yield Finding("cores", f"{cores:g} of {os.cpu_count()}")
    if torch is None:
        return
    threads = torch.get_num_threads()
    least = max(1, int(cores))
    problem = (
        f"torch computes with {threads} threads on {cores:g} cores, where they wait for each other: set "
        f"OMP_NUM_THREADS={least}"
        if threads > least
        else ""
    )
    asked = os.environ.get("OMP_NUM_THREADS")
    yield Finding("threads", f"{threads}{f', of OMP_NUM_THREADS={asked}' if asked else ''}", problem)
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            about, built = torch.cuda.get_device_properties(number), torch.cuda.get_arch_list()
            kind = f"sm_{about.major}{about.minor}"
            foreign = f"this torch is not built for {about.name} ({kind}), but for {', '.join(built)}: {OTHER_BUILD}"
            fits = is_built_for(about.major, about.minor, built)
            yield Finding(f"GPU {number}", f"{about.name}, {size(about.total_memory)}, {kind}", "" if fits else foreign)
    elif Path("/dev/nvidia0").exists() or Path("/proc/driver/nvidia/version").exists():
        build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU only"
        yield Finding(
            "GPU",
            "not usable",
            f"there is an NVIDIA GPU, and torch {torch.__version__} ({build}) cannot use it: look at nvidia-smi for "
            f"the driver that is here, and {OTHER_BUILD}",
        )
    elif torch.backends.mps.is_available():
        yield Finding("GPU", "Apple (mps)")
    else:
        yield Finding("GPU", "none: trainings run on the CPU")


def memory_findings() -> Iterator[Finding]:
    """Yield the memory that is free for this process, as the system or its container tells."""
    free, total = usable_memory()
    if free is None:
        yield Finding("memory", "not told by this system")
        return
    short = f"only {size(free)} of memory are free: end other programs, or give a smaller data.batch_size"
    yield Finding("memory", f"{size(free)} free of {size(total or 0)}", short if free < LEAST_MEMORY else "")


def disk_findings(cache: Path) -> Iterator[Finding]:
    """Yield the room where runs and decoded data are kept, and for what loader processes share.

    Args:
        cache: folder of decoded data; it need not exist yet.
    """
    for what, folder, remedy in (
        ("runs", Path.cwd() / "runs", "free some by lightning runs clean --keep-best 5, or give another --run.root"),
        ("cache", cache, "free some, or name another folder by FULGURITE_CACHE or --data.cache_dir"),
    ):
        there = next(place for place in (folder, *folder.parents) if place.is_dir())
        free = shutil.disk_usage(there).free
        problem = ""
        if not os.access(there, os.W_OK | os.X_OK):
            problem = f"{there} cannot be written: allow it, or {remedy.rpartition('or ')[2]}"
        elif free < LEAST_DISK:
            problem = f"only {size(free)} are free for {folder}: {remedy}"
        yield Finding(what, f"{size(free)} free, {folder}", problem)
    shared = Path("/dev/shm")
    if shared.is_dir():
        room = shutil.disk_usage(shared).total
        few = ": too few for data.num_workers above 0; docker run --shm-size 2g gives more" if room < 500e6 else ""
        yield Finding("/dev/shm", f"{size(room)}{few}")


def usable_cores() -> float:
    """Return the cores that this process may use, as its affinity and its container allow."""
    cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    quota, _, period = _first_line(_GROUPS / "cpu.max").partition(" ")
    return min(cores, int(quota) / int(period)) if quota.isdecimal() and period.isdecimal() else cores


def usable_memory() -> tuple[int | None, int | None]:
    """Return bytes that are free, and all that there are; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None, None
    known = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
    free, total = known["MemAvailable"], known["MemTotal"]
    most, used = _first_line(_GROUPS / "memory.max"), _first_line(_GROUPS / "memory.current")
    if most.isdecimal() and used.isdecimal() and int(most) < total:
        free, total = min(free, int(most) - int(used)), int(most)
    return free, total


def is_built_for(major: int, minor: int, built: list[str]) -> bool:
    """Whether code of a build runs on a device: of the same generation and not newer, or translated at the start."""
    for one in built:
        kind, _, number = one.partition("_")
        digits = "".join(letter for letter in number if letter.isdecimal())
        theirs = int(digits[:-1] or 0), int(digits[-1:] or 0)
        if theirs <= (major, minor) and (kind == "compute" or theirs[0] == major):
            return True
    return not built


def _first_line(path: Path) -> str:
    try:
        return path.read_text().splitlines()[0]
    except (OSError, IndexError):
        return ""
