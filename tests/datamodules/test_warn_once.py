import warnings

import pytest

from datamodules.warn_once import tell_once, warn_once


def test_a_thing_is_told_once(tmp_path):
    with pytest.warns(UserWarning, match="first words"):
        warn_once(f"{tmp_path}: first words")
    with pytest.warns(UserWarning, match="second words"):
        warn_once(f"{tmp_path}: second words", about=tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_once(f"{tmp_path}: first words")
        warn_once("other words", about=tmp_path)


def test_what_is_no_warning_is_told_once(tmp_path, caplog):
    with caplog.at_level("INFO", logger="lightning.pytorch.utilities.rank_zero"):
        for path in (tmp_path, tmp_path / "other", tmp_path):
            tell_once(f"{path}: as it is")
    assert caplog.messages == [f"{tmp_path}: as it is", f"{tmp_path}/other: as it is"]
