"""What SLURM says of a job in the environment, and how a job goes back into the queue."""

import os
import subprocess
from collections.abc import Mapping


def slurm_name(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return a name that all tasks of a job step share, and keep after a requeue; None outside of one."""
    if "SLURM_NTASKS" not in environment or environment.get("SLURM_JOB_NAME") in ("bash", "interactive"):
        return None
    return f"slurm-{environment['SLURM_JOB_ID']}.{environment.get('SLURM_STEP_ID', 0)}"


def requeued(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether SLURM starts this job again: it then goes on in the folder that it has."""
    return int(environment.get("SLURM_RESTART_COUNT", 0)) > 0


def requeue(environment: Mapping[str, str] = os.environ) -> str:
    """Put this job back into the queue, and return why that failed, empty where it did not.

    A task of an array is named by the array: its own number may be that of the array, and mean all of its tasks.
    """
    job = environment["SLURM_JOB_ID"]
    if "SLURM_ARRAY_JOB_ID" in environment:
        job = f"{environment['SLURM_ARRAY_JOB_ID']}_{environment['SLURM_ARRAY_TASK_ID']}"
    try:
        done = subprocess.run(["scontrol", "requeue", job], check=False, capture_output=True, text=True)
    except OSError as problem:
        return f"scontrol: {problem.strerror}"
    return " ".join(done.stderr.split()) or f"scontrol ended with {done.returncode}" if done.returncode else ""
