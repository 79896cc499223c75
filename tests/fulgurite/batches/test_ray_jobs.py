"""What is told before Ray is asked, and what stands on its cluster; test_ray_cluster.py has a real one."""

import importlib.util
import sys
import time
from types import SimpleNamespace

import pytest

from datamodules.errors import InputError
from fulgurite.batches import ray_jobs
from fulgurite.batches.ray_jobs import RayJobs
from fulgurite.batches.ray_runner import Runner


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"gpu": "1"}, "--ray gpu=1: there is no such option; it has address, gpus, cpus"),
        ({"gpus": "many"}, "--ray gpus=many: give a number of at least 0"),
        ({"cpus": "nan"}, "--ray cpus=nan: give a number"),
    ],
)
def test_options_without_a_meaning_are_refused(tasks, options, said):
    with pytest.raises(InputError, match=said):
        RayJobs(options, tasks)


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra ray is not installed")
@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1"])
def test_where_no_cluster_answers_it_is_said_at_once(tasks, monkeypatch, address):
    with pytest.raises(InputError, match=f"no cluster answers at {address} .*refused.*ray start --head"):
        RayJobs({"address": address}, tasks)
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(InputError, match=f"no cluster answers at {address}"):
        RayJobs({}, tasks)


def test_a_missing_package_is_told_with_the_command_that_installs_it(tasks, monkeypatch):
    monkeypatch.setattr(ray_jobs.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'fulgurite\[ray\]'"):
        RayJobs({}, tasks)


def test_a_runner_works_in_the_senders_environment_but_for_what_is_the_places(tmp_path, monkeypatch):
    left = []
    ray = SimpleNamespace(kill=left.append, get_runtime_context=lambda: SimpleNamespace(current_actor="this"))
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    sent = {"CUDA_VISIBLE_DEVICES": "0", "WANDB_MODE": "offline", "RAY_ADDRESS": "x", "PATH": "/usr/bin:/bin"}
    log = tmp_path / "runs/a.log"
    text = 'echo "$CUDA_VISIBLE_DEVICES $WANDB_MODE ${RAY_ADDRESS-none} $PWD"; exec sleep 60'
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    runner = Runner(["bash", "-c", text], str(tmp_path), sent, str(log))
    while not log.read_text():
        time.sleep(0.01)
    assert log.read_text() == f"3 offline none {tmp_path}\n"
    assert 0 <= runner.seconds() < 60
    assert left == []
    runner.end()
    while not left:
        time.sleep(0.01)
    assert left == ["this"]
