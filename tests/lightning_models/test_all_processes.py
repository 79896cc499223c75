"""Three processes that share a batch in turn compute what one computes of the whole; see also tests/soak/ranks.py."""

import socket

import pytest
import torch
import torch.distributed as dist
from torch import multiprocessing

from lightning_models.all_processes import mean_over_processes, mean_where, sample_before

BATCH = torch.randn(12, 2, generator=torch.Generator().manual_seed(0)).double()
COUNTED = (
    torch.rand(12, 2, generator=torch.Generator().manual_seed(1)).double().where(torch.arange(12)[:, None] % 3 > 0, 0)
)


def compute(values, counted):
    values = values.clone().requires_grad_()
    mean = mean_where(values, counted)
    mean.backward()
    none = mean_where(values, torch.zeros_like(counted, dtype=torch.bool))
    return {
        "mean": mean_over_processes(mean),
        "none": none,
        "gradient": values.grad,
        "before": sample_before(values),
        "plain": mean_over_processes(values.mean()),
    }


def run_rank(rank, port, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=3)
    torch.save(compute(BATCH[rank::3], COUNTED[rank::3]), folder / f"{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


@pytest.fixture
def found(tmp_path):
    """What three processes have computed, put together in the order of the samples."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    multiprocessing.start_processes(run_rank, (port, tmp_path), 3, start_method="fork")
    shares = [torch.load(tmp_path / f"{rank}.pt") for rank in range(3)]
    joined = {key: torch.stack([share[key] for share in shares], 1).flatten(0, 1) for key in ("gradient", "before")}
    return shares, joined


def test_together_they_compute_what_one_computes(found):
    shares, joined = found
    expected = (BATCH * COUNTED).sum() / COUNTED.sum()
    for share in shares:
        torch.testing.assert_close(share["mean"], expected)
        torch.testing.assert_close(share["plain"], BATCH.mean())
        assert share["none"] == 0
    torch.testing.assert_close(joined["gradient"] / 3, COUNTED / COUNTED.sum())  # DDP divides by their number
    torch.testing.assert_close(joined["before"], torch.cat([BATCH[-1:], BATCH[:-1]]), rtol=0, atol=0)


def test_one_process_alone():
    found = compute(BATCH, COUNTED)
    torch.testing.assert_close(found["mean"].detach(), (BATCH * COUNTED).sum() / COUNTED.sum())
    torch.testing.assert_close(found["gradient"], COUNTED / COUNTED.sum())
    torch.testing.assert_close(found["before"], BATCH.roll(1, 0), rtol=0, atol=0)


def test_what_does_not_count_may_be_no_number():
    values = torch.tensor([1.0, torch.nan, torch.inf], requires_grad=True)
    mean = mean_where(values, torch.tensor([True, False, False]))
    mean.backward()
    assert mean == 1
    assert values.grad.tolist() == [1, 0, 0]
