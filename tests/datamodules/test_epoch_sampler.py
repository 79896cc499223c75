"""An epoch's order, dealt out to processes, and entered in its midst."""

import pytest

from datamodules.epoch_sampler import EpochSampler, FixedOrder


def test_a_sampler_begins_within_an_epoch_and_goes_on_with_whole_ones():
    whole, resumed = EpochSampler(10, 7), EpochSampler(10, 7, begin=(3, 4))
    assert len(resumed) == 10
    whole.set_epoch(3)
    for _ in range(2):  # Lightning may begin to read before it tells the epoch, and anew after it
        assert [*resumed] == [*whole][4:]
        resumed.set_epoch(3)
    for epoch in (4, 3):
        whole.set_epoch(epoch)
        resumed.set_epoch(epoch)
        assert [*resumed] == [*whole]
        assert {number for number, _ in resumed} == {epoch}


@pytest.mark.parametrize("rank", [0, 1])
def test_each_process_leaves_out_what_it_has_had(rank):
    whole, resumed = EpochSampler(11, 7, 2, rank), EpochSampler(11, 7, 2, rank, (0, 2))
    assert [*resumed] == [*whole][2:]
    assert len([*whole]) == 5


def test_a_fixed_order_is_that_of_the_first_epoch():
    fixed, first = FixedOrder(10, 7, begin=(2, 4)), [*EpochSampler(10, 7)]
    assert [*fixed] == first[4:]
    for epoch in (2, 3, 4):
        fixed.set_epoch(epoch)
        assert [*fixed] == (first[4:] if epoch == 2 else first)
