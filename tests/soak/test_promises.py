"""A few cases of every promise; ``make soak`` tries all of them."""

from functools import partial

import pytest

from tests.soak.crash import CRASH
from tests.soak.disk import DISK
from tests.soak.exact_resume import EXACT_RESUME
from tests.soak.memory import MEMORY
from tests.soak.promise import Case, Promise, try_promises
from tests.soak.promises import PROMISES

TRAINS_SEVERAL_TIMES = CRASH, DISK, EXACT_RESUME, MEMORY
"""Promises of which one case alone takes ten seconds or more."""


@pytest.mark.parametrize(
    "promise",
    [pytest.param(one, marks=pytest.mark.slow if one in TRAINS_SEVERAL_TIMES else (), id=one.name) for one in PROMISES],
)
def test_a_few_cases_of_every_promise(promise, tmp_path):
    ((_, outcome),) = try_promises([promise], tmp_path, 0, promise.short)
    assert outcome.tried == promise.short
    assert not outcome.failures, next(iter(outcome.failures.values()))


def seven(seed):
    def check(folder, number):
        assert folder.is_dir()
        assert number % 3, f"{number} fails"

    yield from (Case(f"{seed}: {number}", partial(check, number=number)) for number in range(7))


@pytest.mark.parametrize(("most", "jobs"), [(None, 1), (None, 2), (4, 2)])
def test_every_case_is_tried_once_and_a_broken_promise_is_counted(most, jobs, tmp_path):
    told = []
    promises = [Promise(name, seven, 2) for name in ("of seven", "of others")]
    outcomes = dict(try_promises(promises, tmp_path, 5, most, jobs, lambda *so_far: told.append(so_far)))
    tried = most or 7
    assert outcomes.keys() == {"of seven", "of others"}
    for name, outcome in outcomes.items():
        assert outcome.tried == tried
        assert outcome.failures.keys() == {f"5: {number}" for number in range(tried) if not number % 3}
        assert "3 fails" in outcome.failures["5: 3"]
        assert [so_far for so_far in told if so_far[0] == name] == [(name, n, tried) for n in range(1, tried + 1)]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{stem}-{number:04d}" for stem in ("of_seven", "of_others") for number in range(tried)
    )
