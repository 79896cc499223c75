"""A few cases of every promise; ``make soak`` tries all of them."""

import pytest

from tests.soak.promise import Case, Promise, try_promise
from tests.soak.promises import PROMISES


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.name)
def test_a_few_cases_of_every_promise(promise, tmp_path):
    outcome = try_promise(promise, tmp_path, 0, promise.short, lambda _: None)
    assert outcome.tried == promise.short
    assert not outcome.failures, next(iter(outcome.failures.values()))


def test_a_broken_promise_is_counted(tmp_path):
    def broken(folder):
        assert folder.is_dir()
        raise AssertionError("this one fails")

    promise = Promise("two", lambda seed: iter([Case("good", lambda _: None), Case(f"bad {seed}", broken)]), 2)
    outcome = try_promise(promise, tmp_path, 7, None, lambda _: None)
    assert (outcome.tried, list(outcome.failures)) == (2, ["bad 7"])
    assert "this one fails" in outcome.failures["bad 7"]
