import torch
from torch import nn

from callbacks.parts_of_model import PartsOfModel


def test_parts_and_weights_are_shown_and_nothing_that_was_not_measured(capsys):
    data = [
        (" ", ["0", "1"]),
        ("Name", ["generator", "fixed"]),
        ("Type", ["Generator", "Linear"]),
        ("Params", ["1.2 M", "6  "]),
        ("Mode", ["train", "train"]),
        ("FLOPs", ["0", "0"]),
    ]
    fixed = sum(weight.numel() for weight in nn.Linear(2, 2, device=torch.device("cpu")).parameters())
    PartsOfModel.summarize(data, 1_200_000 + fixed, 1_200_000, 4.8, {"train": 2, "eval": 0}, 0)
    said = capsys.readouterr().out
    assert "FLOPs" not in said
    assert [word for word in ("generator", "Generator", "1.2 M", "fixed", "Linear") if word not in said] == []
    assert "1,200,000 weights to train, 6 fixed" in said
