import threading
import time

import pytest

from datamodules.pipeline import Behind, ahead


class Numbers:
    """Numbers from 0 on, with a note of how many were made, by which thread."""

    def __init__(self, count, fails_at=None):
        self.count, self.fails_at, self.made, self.threads = count, fails_at, 0, set()

    def __iter__(self):
        for number in range(self.count):
            if number == self.fails_at:
                raise OSError("the camera is gone")
            self.made += 1
            self.threads.add(threading.get_ident())
            yield number


def settled(numbers):
    """How many are made when nobody asks for more."""
    before = -1
    while before != numbers.made:
        before = numbers.made
        time.sleep(0.05)
    return before


@pytest.mark.parametrize("room", [1, 3, 50])
@pytest.mark.parametrize("count", [0, 1, 20])
def test_items_come_in_order_from_another_thread(count, room):
    numbers = Numbers(count)
    assert list(ahead(numbers, room)) == list(range(count))
    assert threading.get_ident() not in numbers.threads


def test_a_thread_is_never_further_ahead_than_its_room():
    numbers = Numbers(10_000)
    stream = ahead(numbers, 5)
    assert numbers.made == 0
    for taken in range(1, 4):
        next(stream)
        assert taken < settled(numbers) <= taken + 5


def test_an_error_comes_behind_the_items_before_it():
    stream = ahead(Numbers(20, fails_at=7), 4)
    assert [next(stream) for _ in range(7)] == list(range(7))
    with pytest.raises(OSError, match="camera"):
        next(stream)


def test_the_thread_ends_with_its_caller():
    before = threading.active_count()
    numbers = Numbers(10_000)
    stream = ahead(numbers, 5)
    next(stream)
    assert threading.active_count() == before + 1
    stream.close()
    assert threading.active_count() == before
    assert numbers.made <= 6


def test_works_are_done_in_order_by_another_thread():
    done, behind = [], Behind(2)
    for number in range(50):
        behind.do(lambda number=number: done.append((number, threading.get_ident())))
    behind.finish()
    assert [number for number, _ in done] == list(range(50))
    assert len({thread for _, thread in done} - {threading.get_ident()}) == 1


def test_who_hands_over_too_much_waits():
    may_go, behind, taken = threading.Event(), Behind(3), []

    def hand_over():
        for number in range(10):
            behind.do(may_go.wait)
            taken.append(number)

    caller = threading.Thread(target=hand_over)
    caller.start()
    time.sleep(0.2)
    assert len(taken) == 3
    may_go.set()
    caller.join()
    behind.finish()
    assert len(taken) == 10


def test_an_error_is_raised_at_the_caller_and_nothing_is_done_after_it():
    done, behind = [], Behind(2)

    def fail():
        raise OSError("the disk is full")

    def hand_over():
        behind.do(fail)
        for number in range(20):
            behind.do(lambda number=number: done.append(number))

    with pytest.raises(OSError, match="disk is full"):
        hand_over()
    with pytest.raises(OSError, match="disk is full"):
        behind.finish()
    assert done == []


def test_an_error_of_the_last_work_is_raised_at_the_end():
    behind = Behind(2)
    behind.do(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        behind.finish()
