"""What stands on a Ray cluster for one run: it starts the job, answers for it, and leaves when it has ended.

Nothing heavy is imported: this runs where Ray has placed it, beside the job.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from fulgurite.batches.parent import ended_with_parent

OF_THE_PLACE = ("RAY_", "CUDA_VISIBLE_DEVICES", "HOSTNAME", "TMPDIR", "VIRTUAL_ENV")
"""How variables begin that are those of the place and not of whoever has handed the run over."""


class Runner:
    """An actor that outlives whoever has made it, holding what the run needs until it ends.

    Args:
        command: of the job.
        folder: in which it runs.
        environment: of whoever has handed it over; what Ray sets for the place is kept.
        log: file for what the job itself says.
    """

    def __init__(self, command: Sequence[str], folder: str, environment: Mapping[str, str], log: str) -> None:
        self._began = time.time()
        theirs = {key: value for key, value in environment.items() if not key.startswith(OF_THE_PLACE)}
        Path(log).parent.mkdir(parents=True, exist_ok=True)
        with Path(log).open("ab") as file:
            self._process = subprocess.Popen(
                [*command],
                cwd=folder,
                env={**os.environ, **theirs},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=ended_with_parent(signal.SIGKILL),
            )
        threading.Thread(target=self._leave, daemon=True).start()

    def seconds(self) -> float:
        """Return how long the job has been running."""
        return time.time() - self._began

    def end(self) -> None:
        """Ask the job to end; its training writes a checkpoint."""
        os.killpg(self._process.pid, signal.SIGINT)

    def _leave(self) -> None:
        import ray

        self._process.wait()
        ray.kill(ray.get_runtime_context().current_actor)
