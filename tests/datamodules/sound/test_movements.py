"""In which ways the pictures of pieces move."""

import numpy as np

from datamodules.sound.movements import changes, find_movements, find_weighed_movements
from datamodules.sound.pieces import Piece

LIPS, PIXELS = 4, 64  # of 8 x 8


def piece_of(moved):
    """A piece of pictures whose grey pixels ``(T, 64)``, about 0, lie about the middle of the range."""
    frames = np.clip(np.rint(128 + moved), 0, 255).astype(np.uint8).reshape(-1, 1, 8, 8).repeat(3, axis=1)
    silence = np.zeros((1, 16), np.float32)
    return Piece(silence, frames, np.ones(len(frames), bool), silence, "piece", 0.0, 0)


def lips_before_a_head():
    """Few pixels that move much and many that move together a little, which are more in all."""
    random = np.random.default_rng(0)
    lips = 30 * random.normal(size=(400, 1)) * np.ones(LIPS)
    head = 10 * random.normal(size=(400, 1)) * np.ones(PIXELS - LIPS)
    return piece_of(np.concatenate([lips, head], axis=1))


def share_of_lips(component):
    return float(np.square(component.reshape(3, PIXELS)[:, :LIPS]).sum())


def test_weights_decide_which_way_comes_first():
    piece = lips_before_a_head()
    weights = np.tile(np.where(np.arange(PIXELS) < LIPS, 3.0, 1.0), 3).astype(np.float32)
    plain = find_movements([piece], [0], 1).components_[0]
    even, weighed = (find_weighed_movements([piece], [0], 1, one)[0] for one in (np.ones_like(weights), weights))
    assert share_of_lips(plain) < 0.1
    assert abs(plain @ even) > 0.999
    assert share_of_lips(weighed) > 0.9


def test_a_pixel_without_weight_still_does_what_it_does_beside_the_others():
    piece = lips_before_a_head()
    weights = np.tile(np.arange(PIXELS) < LIPS, 3).astype(np.float32)
    [way] = find_weighed_movements([piece], [0], 1, weights)
    moved = changes(piece)
    amounts = np.linalg.svd(moved * weights, full_matrices=False)[0][:, 0]
    expected = np.linalg.lstsq(amounts[:, None], moved, rcond=None)[0][0]
    assert abs(way @ expected) / np.linalg.norm(expected) > 0.9999
    np.testing.assert_allclose(np.linalg.norm(way), 1, atol=1e-5)


def test_what_never_moves_has_no_ways():
    found = find_weighed_movements([piece_of(np.zeros((5, PIXELS)))], [0], 2, np.ones(3 * PIXELS, np.float32))
    assert found.shape == (0, 3 * PIXELS)


def test_what_moves_in_one_way_has_no_second_one():
    moved = np.outer([0, 1, 3, 2, 5], np.arange(PIXELS) % 16)
    found = find_weighed_movements([piece_of(moved)], [0], 3, np.ones(3 * PIXELS, np.float32))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1], atol=1e-5)
