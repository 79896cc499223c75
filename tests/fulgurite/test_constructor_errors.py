"""Which error of a constructor is the user's mistake, and what he is told of it."""

import pytest
import torch
from jsonargparse import Namespace
from lightning.pytorch.callbacks import EarlyStopping, Timer

from datamodules.errors import InputError
from fulgurite.constructor_errors import told
from fulgurite.given import Given


class Checked:
    def __init__(self, size=1, other=None):
        if size < 1:
            raise ValueError(f"size {size} is too small.")
        if size == 2:
            raise InputError(f"size is {size}: give another")
        if size == 3:
            raise RuntimeError("a defect")
        if size == 4:
            raise MemoryError("Unable to allocate 4 TiB")
        if size == 6:
            raise InputError(f"Checked: size is {size}; give another")
        self.sizes = int("x") if size == 5 else size + other


class Sized:
    def __init__(self, size):
        self.values = torch.zeros(size) if isinstance(size, int) else int(size)


class Derived(Checked):
    pass


class Stopping(EarlyStopping):
    pass


SGD = torch.optim.SGD
WEIGHTS = [torch.nn.Parameter(torch.zeros(1))]


def answer(kind, given, config, *args, words=()):
    with pytest.raises(Exception) as raised:  # noqa: PT011  # which one is the question
        kind(*args, **given)
    return told(raised.value, kind, given, config, Given(words)), raised.value


def at(key, kind, **given):
    path = "torch.optim.SGD" if kind is SGD else f"{kind.__module__}.{kind.__qualname__}"
    entry = Namespace(class_path=path, init_args=Namespace(given))
    return Namespace({key: entry})


@pytest.mark.parametrize("kind", [Checked, Derived])
@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "model.net = {} with size = 0: size 0 is too small. Correct what is written below model.net"),
        (2, "model.net = {}: size is 2: give another"),
        (4, "model.net = {}: there is not enough memory for it (Unable to allocate 4 TiB). "
            "Make what is written below model.net smaller"),
    ],
)  # fmt: skip
def test_what_a_class_refuses_is_input(kind, size, said):
    found, _ = answer(kind, {"size": size}, at("model.net", kind, size=size), words=["--model.net.size", str(size)])
    assert type(found) is InputError
    assert str(found) == said.format(kind.__name__)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_what_it_stumbles_over_is_its_defect(size):
    found, problem = answer(Checked, {"size": size}, at("model.net", Checked, size=size))
    assert found is problem


@pytest.mark.parametrize("size", [2**63, 10**30, float("inf")])
def test_a_number_of_more_than_64_bits_is_input(size):
    found, _ = answer(Sized, {"size": size}, at("x", Sized, size=size), words=["--x.size", str(size)])
    assert str(found) == f"x = Sized with size = {size}: a number is too large. Correct what is written below x"


def test_what_names_its_class_is_left_as_it_is():
    found, problem = answer(Checked, {"size": 6}, at("model.net", Checked, size=6))
    assert found is problem


@pytest.mark.parametrize(
    ("kind", "given", "args", "said"),
    [
        (SGD, {"lr": -1.0}, [WEIGHTS], "x = SGD: Invalid learning rate: -1.0. Correct"),
        (SGD, {"lr": 0.1, "momentum": "lots"}, [WEIGHTS], "x = SGD: '<' not supported between instances"),
        (Timer, {"duration": "often"}, [], "x = Timer: `Timer(duration='often')` is not a valid duration."),
        (Stopping, {"monitor": "a", "mode": "most"}, [], "x = Stopping: `mode` can be min, max, got most. Correct"),
    ],
)
def test_torch_and_lightning_are_given_what_they_cannot_take(kind, given, args, said):
    found, _ = answer(kind, given, at("x", kind, **given), *args)
    assert isinstance(found, InputError)
    assert str(found).startswith(said)


def test_classes_that_occur_twice_are_told_apart_by_what_they_were_given():
    config = Namespace(model=Namespace(class_path="tiny.TinyModel", init_args=Namespace()))
    for name, lr in (("first", 0.1), ("second", -1.0)):
        config.model.init_args[name] = at("one", SGD, lr=lr, betas=(0.1, lr), made=Namespace(class_path="x")).one
    found, _ = answer(SGD, {"lr": -1.0}, config, WEIGHTS)
    assert str(found).startswith("SGD: Invalid")  # betas are missing: none of the two
    given = {"lr": -1.0, "betas": (0.1, -1.0)}
    with pytest.raises(TypeError) as raised:
        SGD(WEIGHTS, **given)
    assert str(told(raised.value, SGD, given, config, Given([]))).startswith("model.second = SGD: ")


def test_a_class_in_a_list_and_one_whose_arguments_are_a_group_of_keys():
    listed = [at("one", Checked, size=2, other=None).one]
    config = Namespace(trainer=Namespace(callbacks=listed), checks=Namespace(size=2, other=3))
    found, _ = answer(Checked, {"size": 2, "other": None}, config)
    assert str(found).startswith("trainer.callbacks = Checked: size")
    assert str(answer(Checked, {"size": 2, "other": 3}, config)[0]).startswith("checks = Checked: size")
