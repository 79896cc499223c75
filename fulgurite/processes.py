"""Which of the processes of a distributed run this one is, as Lightning, torchrun or SLURM says in the environment."""

import os
import sys
from collections.abc import Mapping


def rank(environment: Mapping[str, str] = os.environ) -> int:
    """Return the number of this process among all of the run; 0 for the first or only one."""
    if "RANK" in environment:
        return int(environment["RANK"])
    if slurm_name(environment):
        return int(environment.get("SLURM_PROCID", 0))
    local, node = int(environment.get("LOCAL_RANK", 0)), int(environment.get("NODE_RANK", 0))
    return max(local, node)  # only whether it is 0 counts here


def slurm_name(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return a name that all tasks of a SLURM job step share, and keep after a requeue; None outside of one."""
    if "SLURM_NTASKS" not in environment or environment.get("SLURM_JOB_NAME") in ("bash", "interactive"):
        return None
    return f"slurm-{environment['SLURM_JOB_ID']}.{environment.get('SLURM_STEP_ID', 0)}"


def requeued(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether SLURM starts this job again: it then goes on in the folder that it has."""
    return int(environment.get("SLURM_RESTART_COUNT", 0)) > 0


def say(message: str) -> None:
    """Print one line for the user, with the number of the process where it is not the first."""
    number = rank()
    print(message if number == 0 else f"[process {number}] {message}", file=sys.stderr, flush=True)
