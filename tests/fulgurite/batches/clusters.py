"""Clusters of one machine, for the tests that are only true with a real one."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol")


def why_no_slurm() -> str | None:
    """Return why there can be no cluster of SLURM here."""
    missing = [name for name in PROGRAMS if not shutil.which(name, path=_PATH)]
    if missing:
        return f"SLURM's {', '.join(missing)} are not installed (Debian: slurmctld, slurmd, slurm-client, munge)"
    return None if os.geteuid() == 0 else "slurmd starts jobs as the superuser alone"


_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


CONF = """
ClusterName=tests
SlurmctldHost={host}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=2
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort={port}
SlurmdPort={other}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
KillWait=20
SchedulerParameters=sched_interval=1,bf_interval=2,sched_min_interval=0
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:4
"""


@contextmanager
def slurm_cluster(folder: Path) -> Iterator[Path]:
    """A cluster with this machine as its only node; the environment finds it by SLURM_CONF within the block."""
    for part in ("state", "spool"):
        (folder / part).mkdir(parents=True)
    folder.chmod(0o755)
    host = socket.gethostname()
    key, conf = folder / "munge.key", folder / "slurm.conf"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    conf.write_text(CONF.format(host=host, folder=folder, port=free_port(), other=free_port(), cpus=os.cpu_count()))
    before = os.environ.get("SLURM_CONF")
    os.environ["SLURM_CONF"] = str(conf)
    munge = ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket"]
    munge += [f"--pid-file={folder}/munge.pid", f"--seed-file={folder}/munge.seed", f"--log-file={folder}/munge.log"]
    try:
        with ExitStack() as daemons:
            for words in (munge, ["slurmctld", "-D", "-f", str(conf)], ["slurmd", "-D", "-f", str(conf)]):
                daemons.enter_context(_daemon(words, folder))
                if words is munge:
                    _wait(lambda: (folder / "munge.socket").exists(), "munged")
            _wait(lambda: "idle" in _said("sinfo", "--noheader", "--format=%T"), "slurmd")
            yield conf
            subprocess.run(["scancel", "--me"], check=False, capture_output=True)
            _wait(lambda: not _said("squeue", "--noheader").strip(), "squeue")
    finally:
        os.environ.pop("SLURM_CONF")
        if before is not None:
            os.environ["SLURM_CONF"] = before


@contextmanager
def _daemon(words: list[str], folder: Path) -> Iterator[None]:
    program = shutil.which(words[0], path=_PATH)
    with (folder / f"{Path(words[0]).name}.out").open("ab") as said:
        process = subprocess.Popen([str(program), *words[1:]], stdout=said, stderr=said, start_new_session=True)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _said(*words: str) -> str:
    return subprocess.run(words, check=False, capture_output=True, text=True).stdout


def _wait(is_there, what: str) -> None:
    deadline = time.monotonic() + 60
    while not is_there():
        assert time.monotonic() < deadline, f"{what} does not come up"
        time.sleep(0.1)


@contextmanager
def ray_cluster(folder: Path) -> Iterator[str]:
    """A cluster of two workers on this machine, a CPU each; its address."""
    port = free_port()
    ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1", "--num-gpus=0"]
    ray += ["--object-store-memory=100000000", "--disable-usage-stats", f"--temp-dir={folder}"]
    with ExitStack() as nodes:
        nodes.enter_context(_daemon([*ray, "--head", f"--port={port}", "--include-dashboard=false"], folder))
        _wait(lambda: _answers(port), "ray")
        nodes.enter_context(_daemon([*ray[:-1], f"--address=127.0.0.1:{port}"], folder))
        yield f"127.0.0.1:{port}"


def _answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
