from fulgurite.batches.remaining import seconds_left


def test_nothing_is_said_before_anything_is_known_or_where_nothing_is_left():
    assert seconds_left({}, [("a", 5.0)], ["a"], 1) is None
    assert seconds_left({"a": []}, [], ["a"], 1) is None
    assert seconds_left({"a": [10.0]}, [], [], 1) is None


def test_a_run_lasts_as_long_as_those_of_its_kind():
    took = {"short": [8.0, 12.0], "long": [100.0]}
    assert seconds_left(took, [], ["short", "long"], 1) == 110
    assert seconds_left(took, [], ["short", "long"], 2) == 100
    assert seconds_left({"short": [10.0]}, [], ["long"], 1) == 10


def test_what_runs_needs_less_and_what_waits_takes_its_place():
    took = {"a": [10.0]}
    assert seconds_left(took, [("a", 4.0)], ["a"], 1) == 16
    assert seconds_left(took, [("a", 4.0)], ["a"], 2) == 10
    assert seconds_left(took, [("a", 4.0)], [], 4) == 6
    assert seconds_left(took, [("a", 50.0)], [], 1) == 0
