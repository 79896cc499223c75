"""How many runs there are at once, and what of the machine each of them sees."""

import os
from collections.abc import Mapping

import torch


def slots(jobs: int | None) -> list[Mapping[str, str]]:
    """Return the environment of each process: a device of its own where there are some, and its share of the cores.

    Args:
        jobs: how many at once; None: one a device, or a single one.
    """
    devices = torch.cuda.device_count()
    count = jobs or max(devices, 1)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = os.environ.get("OMP_NUM_THREADS", str(max(cores // count, 1)))
    visible = [one for one in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if one] or list(
        map(str, range(devices))
    )
    return [
        {"OMP_NUM_THREADS": threads, **({"CUDA_VISIBLE_DEVICES": visible[slot % len(visible)]} if devices else {})}
        for slot in range(count)
    ]
