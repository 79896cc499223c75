"""Compared with SciPy's reader, which the files are written for and which trusts what they say."""

import numpy as np
import pytest
import scipy.io

from datamodules.errors import InputError
from datamodules.mat_file import read_mat


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    "dtype", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", bool], ids=lambda dtype: np.dtype(dtype).name
)
def test_numbers_of_every_type_and_shape(dtype, compressed, tmp_path):
    random = np.random.default_rng(0)
    arrays = {
        f"a{number}": random.integers(0, 2 if dtype is bool else 100, shape).astype(dtype)
        for number, shape in enumerate([(1, 1), (3, 4), (0, 3), (2, 3, 5), (1, 700)])
    }
    scipy.io.savemat(tmp_path / "a.mat", arrays, do_compression=compressed)
    expected = scipy.io.loadmat(tmp_path / "a.mat")
    for name in arrays:
        found = read_mat(tmp_path / "a.mat", name)
        assert found.dtype == expected[name].dtype
        np.testing.assert_array_equal(found, expected[name])
    assert read_mat(tmp_path / "a.mat", "none") is None


def test_cells_of_numbers(tmp_path):
    cells = np.empty((1, 4), object)
    cells[0, :] = [np.array([[1, 2], [3, 4]]), np.zeros((0, 0)), np.array([[5.5]]), np.zeros((2, 3, 4), np.uint8)]
    scipy.io.savemat(tmp_path / "a.mat", {"gt": cells})
    expected, found = scipy.io.loadmat(tmp_path / "a.mat")["gt"], read_mat(tmp_path / "a.mat", "gt")
    assert (found.shape, found.dtype) == (expected.shape, np.dtype(object))
    for mine, theirs in zip(found.ravel(), expected.ravel(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("version", ["4", "5"])
def test_what_is_no_such_file_is_named(version, tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"gt": np.arange(300.0)}, format=version)
    whole = (tmp_path / "a.mat").read_bytes()
    for content in [whole] if version == "4" else [whole[:200], whole[:-8], b"", b"MATLAB 7.3 MAT-file" + bytes(600)]:
        (tmp_path / "a.mat").write_bytes(content)
        with pytest.raises(InputError, match=r"a\.mat: not a readable MATLAB file"):
            read_mat(tmp_path / "a.mat", "gt")
