import warnings

import pytest

from datamodules.warn_once import warn_once


def test_a_thing_is_told_once(tmp_path):
    with pytest.warns(UserWarning, match="first words"):
        warn_once(f"{tmp_path}: first words")
    with pytest.warns(UserWarning, match="second words"):
        warn_once(f"{tmp_path}: second words", about=tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_once(f"{tmp_path}: first words")
        warn_once("other words", about=tmp_path)
