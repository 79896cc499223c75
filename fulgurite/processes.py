"""Which of the processes of a distributed run this one is, as Lightning, torchrun or SLURM says in the environment."""

import os
import sys
from collections.abc import Mapping

from fulgurite.slurm import slurm_name


def rank(environment: Mapping[str, str] = os.environ) -> int:
    """Return the number of this process among all of the run; 0 for the first or only one."""
    if "RANK" in environment:
        return int(environment["RANK"])
    if slurm_name(environment):
        return int(environment.get("SLURM_PROCID", 0))
    local, node = int(environment.get("LOCAL_RANK", 0)), int(environment.get("NODE_RANK", 0))
    return max(local, node)  # only whether it is 0 counts here


def say(message: str) -> None:
    """Print one line for the user, with the number of the process where it is not the first."""
    number = rank()
    print(message if number == 0 else f"[process {number}] {message}", file=sys.stderr, flush=True)
