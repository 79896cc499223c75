import json
import math

import numpy as np
import pytest

from callbacks.case_picture import case_picture
from callbacks.cases import MOST, Case, outermost, plan_of, rank_of, sentence, write_cases


def case(kind, ending=".png", **figures):
    return Case("a/b, frame 3", kind, "It is so.", figures, ending, lambda path: path.write_text(kind))


def test_the_table_names_the_files_it_stands_beside(tmp_path):
    (tmp_path / "cases").mkdir()
    written = write_cases(tmp_path, [case("worst", score=1.5), case("worst"), case("best", ".mp4")])
    assert [str(path.relative_to(tmp_path)) for path in written] == [
        "cases/worst-1.png",
        "cases/worst-2.png",
        "cases/best-1.mp4",
    ]
    listed = json.loads((tmp_path / "cases.json").read_text())["cases"]
    assert listed[0] == {
        "name": "a/b, frame 3",
        "kind": "worst",
        "says": "It is so.",
        "figures": {"score": 1.5},
        "file": "cases/worst-1.png",
    }
    assert all((tmp_path / one["file"]).read_text() == one["kind"] for one in listed)


def test_without_a_case_nothing_is_written(tmp_path):
    assert write_cases(tmp_path, []) == []
    assert not [*tmp_path.iterdir()]


def test_a_figure_that_is_no_number_is_refused(tmp_path):
    (tmp_path / "cases").mkdir()
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_cases(tmp_path, [case("worst", score=math.nan)])


@pytest.mark.parametrize(
    ("labels", "kinds", "each"),
    [
        ([0, 1, -1], [("worst", 0), ("worst", 1), ("best", 1), ("best", 0)], 3),
        ([0, 0], [("worst", 0), ("best", 0)], 6),
        ([1, -1], [("worst", 1), ("best", 1)], 6),
        ([-1, -1], [("worst", -1), ("best", -1)], 6),
    ],
)
def test_known_labels_decide_what_is_a_case(labels, kinds, each):
    plan, count = plan_of(np.array(labels))
    assert [(kind, label) for kind, label, _ in plan] == kinds
    assert count == each
    assert count * len(plan) == MOST
    ends = {(kind, label): end for kind, label, end in plan}
    assert ends.get(("worst", 0), "highest") == "highest"  # a false alarm
    assert ends.get(("worst", 1), "lowest") == "lowest"  # a miss


def test_ranks_count_from_either_end():
    scores = np.array([1.0, 5.0, 3.0, 3.0])
    assert [rank_of(value, scores, "highest") for value in (5.0, 3.0, 1.0)] == [1, 2, 4]
    assert [rank_of(value, scores, "lowest") for value in (5.0, 3.0, 1.0)] == [4, 2, 1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            (0, "highest", "normal frames", (1, 1200), 1.23456, 1.0),
            "The highest score of 1,200 normal frames: 1.235, above the threshold of 1: a false alarm.",
        ),
        (
            (1, "lowest", "anomalous frames", (3, 7), 0.5, 1.0),
            "The 3rd lowest score of 7 anomalous frames: 0.5, not above the threshold of 1: missed.",
        ),
        (
            (1, "highest", "frames", (1, 7), 2.0, 1.0),
            "The highest score of 7 frames: 2, above the threshold of 1: found.",
        ),
        ((0, "lowest", "frames", (1, 7), 0.0, None), "The lowest score of 7 frames: 0; no threshold is known."),
        (
            (-1, "highest", "frames", (1, 7), 2.0, 1.0),
            "The highest score of 7 frames: 2, above the threshold of 1: whether rightly is not known, since it has no "
            "label.",
        ),
    ],
)
def test_the_sentence_says_what_is_known(arguments, said):
    assert sentence(*arguments) == said


def test_ranks_are_said_in_words():
    said = [outermost(rank, "lowest") for rank in (1, 2, 3, 4, 11, 22, 1113)]
    ends = ["", "2nd ", "3rd ", "4th ", "11th ", "22nd ", "1,113th "]
    assert said == [f"{end}lowest" for end in ends]


def test_small_pictures_are_enlarged_and_text_is_never_cut_off():
    small = np.zeros((20, 30, 3), np.uint8)
    drawn = case_picture({"input": small, "heat": small}, ["short"], {})
    assert drawn.shape[1] == 2 * (300 + 4)
    long = case_picture({"input": small}, ["a long line of text " * 20], {})
    assert (long[:, -8:] == 255).all()
    assert (long[:16, -80:-8] < 255).any()
