import pytest

from tests.soak.memory import MOST, _check_level
from tests.soak.watching import watched


@pytest.mark.slow
def test_a_watch_takes_no_more_memory_for_its_length(tmp_path):
    """In short; tests/soak does the same for longer."""
    _check_level(watched(6_000, tmp_path, 20), 2 * MOST / 1000)
