"""Two gloo processes train as one does; what DDP leaves to drift is shared in time."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).with_name("ddp_processes.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ddp")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder)], capture_output=True, text=True, timeout=120, check=False
    )
    (folder / "stderr").write_text(done.stderr)
    return folder


@pytest.mark.parametrize("name", ["plain", "windows"])
def test_two_processes_equal_one_with_twice_the_batch(folder, name):
    two, one = (torch.load(folder / f"{name}.{processes}.pt") for processes in (2, 1))
    assert two.keys() == one.keys()
    assert max((two[key] - one[key]).abs().max().item() for key in one) < 1e-10


def buffers(folder: Path, name: str) -> list[torch.Tensor]:
    values = [torch.load(folder / f"{name}.{rank}.pt") for rank in (0, 1)]
    return [torch.cat([value.double().flatten() for value in rank.values()]) for rank in values]


def test_buffers_are_equal_in_validation_and_in_the_checkpoint(folder):
    for name in ("drifted before validation", "drifted before the save"):  # what would be used otherwise
        assert not torch.equal(*buffers(folder, name))
    first, second = buffers(folder, "validation")
    assert len(first) == 17  # mean, variance and count of 8 features
    assert torch.equal(first, second)
    first, second = buffers(folder, "saved")
    assert torch.equal(first, second)
    checkpoint = torch.load(folder / "saved.ckpt", weights_only=True)["state_dict"]
    names = ("running_mean", "running_var", "num_batches_tracked")
    assert torch.equal(torch.cat([checkpoint[f"generator.1.{name}"].double().flatten() for name in names]), first)


def test_a_loss_that_is_not_finite_on_one_process_ends_both(folder):
    # the launcher shows the traceback of the process that ended first: both say the same
    assert "InputError: train/generator/hinge is not finite since batch 2" in (folder / "stderr").read_text()
