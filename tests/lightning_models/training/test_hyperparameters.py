import pytest
import torch

from datamodules.errors import InputError
from lightning_models.training.hyperparameters import check_fits


def test_a_list_is_no_other_value_than_its_tuple():
    """A configuration has lists where a constructor has tuples; only what truly differs is named."""
    saved = {"size": (64, 64), "width": 2}
    checkpoint = {"state_dict": {"line.weight": torch.zeros(2, 1)}, "hyper_parameters": saved}
    with pytest.raises(InputError) as told:
        check_fits(checkpoint, {"line.weight": torch.zeros(3, 1)}, {"size": [64, 64], "width": 3}, None)
    assert "width is 2 in the checkpoint and 3 here" in str(told.value)
    assert "size" not in str(told.value)
