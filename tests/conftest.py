"""What every test needs: two cores at most, no look at the outside world, no trace left in the checkout."""

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported
os.environ.setdefault("MPLBACKEND", "agg")


@pytest.fixture(autouse=True)
def _no_leftover_environment():
    """Let no test inherit the seed or the processes of another."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
