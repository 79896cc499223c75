"""The largest difference is what a file is kept or refused by: nothing may be missed."""

import math

import pytest
import torch

from datamodules.batches import GeneratedClips
from fulgurite.exports.difference import difference, differences


@pytest.mark.parametrize(
    ("exact", "found", "expected"),
    [
        ([0.1, -0.5], [0.1, -0.45], 0.05),  # absolute up to 1
        ([100.0, 1.0], [101.0, 1.0], 0.01),  # a share of what is larger
        ([math.nan, 1.0], [math.nan, 1.0], 0.0),
        ([math.inf, -math.inf], [math.inf, -math.inf], 0.0),
        ([math.nan, 1.0], [0.0, 1.0], math.inf),
        ([0.0, 1.0], [0.0, math.nan], math.inf),
        ([math.inf, 1.0], [-math.inf, 1.0], math.inf),
        ([], [], 0.0),
    ],
)
def test_the_largest_difference(exact, found, expected):
    assert difference(torch.tensor(exact), torch.tensor(found)) == pytest.approx(expected)


def test_answers_are_compared_by_name():
    exact = GeneratedClips(torch.zeros(2, 1), silent=torch.ones(1))
    assert differences(exact, GeneratedClips(torch.full((2, 1), 0.25), silent=torch.ones(1))) == {
        "frames": 0.25,
        "silent": 0.0,
    }
