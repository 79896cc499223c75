"""Training pictures are changed as seed, epoch and index say, and are parts of what they were."""

import cv2
import numpy as np
import torch

from datamodules.images.augmentation import mirror, zoom_in

KEYS = [(0, index) for index in range(40)]


def slopes(height=24, width=32):
    """Pictures whose brightness tells the place: rising to the right in one channel, downwards in the other."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return torch.from_numpy(np.stack([8 * x, 10 * y])).byte().expand(len(KEYS), -1, -1, -1)


def test_half_are_mirrored_and_the_others_left_alone():
    images = slopes()
    found = mirror(images, KEYS, 0)
    mirrored = [torch.equal(one, two.flip(-1)) for one, two in zip(found, images, strict=True)]
    same = [torch.equal(one, two) for one, two in zip(found, images, strict=True)]
    assert all(one != two for one, two in zip(mirrored, same, strict=True))
    assert 10 < sum(mirrored) < 30


def test_zoomed_pictures_are_enlarged_parts():
    images = slopes()
    found = zoom_in(images, KEYS, 0.4, 0)
    assert found.shape == images.shape
    assert found.dtype == torch.uint8
    kept, at = [], []
    for image in found.float():
        across = image[0, 12, 4:-4].diff().mean() / 8  # share of the picture's width that is seen
        down = image[1, 4:-4, 16].diff().mean() / 10
        assert abs(across - down) < 0.06
        kept.append(float(across))
        at.append(float(image[0, 12, 16]))
    assert 0.57 < min(kept) < 0.68
    assert 0.92 < max(kept) < 1.02
    assert np.std(at) > 10  # 1.2 pixels: not always the middle


def test_a_zoomed_picture_is_what_opencv_makes_of_its_part():
    image = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 1, 48, 48)).astype(np.uint8))
    image = torch.from_numpy(cv2.GaussianBlur(image[0, 0].numpy(), (0, 0), 3))[None, None]
    found = zoom_in(image, KEYS[:1], 0.5, 0)[0, 0].numpy().astype(float)
    candidates = (
        cv2.resize(image[0, 0, top : top + edge, left : left + edge].numpy(), (48, 48), interpolation=cv2.INTER_LINEAR)
        for edge in range(24, 49)
        for top in range(49 - edge)
        for left in range(49 - edge)
    )
    assert min(np.abs(found - candidate).max() for candidate in candidates) <= 1


def test_changes_are_functions_of_seed_epoch_and_index():
    images = slopes()
    first = zoom_in(images, KEYS, 0.4, 0)
    assert torch.equal(zoom_in(images[5:7], KEYS[5:7], 0.4, 0), first[5:7])
    assert not torch.equal(zoom_in(images, [(1, index) for _, index in KEYS], 0.4, 0), first)
    assert not torch.equal(zoom_in(images, KEYS, 0.4, 7), first)
