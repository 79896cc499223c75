import sys
from functools import partial

import pytest

from datamodules.errors import InputError
from lightning_models.class_path import as_factory, named


class Kind:
    def __init__(self, size=1, inner=None):
        self.size, self.inner = size, inner


class Inner(Kind):
    pass


HERE = __name__


def test_a_class_and_its_arguments_have_a_name():
    assert named(Inner) == {"class_path": f"{HERE}.Inner"}
    assert named(partial(Kind, size=2, inner=Inner)) == {
        "class_path": f"{HERE}.Kind",
        "init_args": {"size": 2, "inner": {"class_path": f"{HERE}.Inner"}},
    }


@pytest.mark.parametrize("value", [1, "text", None, {"a": 1}, named, partial(Kind, 2), partial(named, make=1)])
def test_everything_else_is_left_as_it_is(value):
    assert named(value) is value


def test_a_name_makes_what_it_was_made_of():
    made = as_factory(named(partial(Kind, size=2)), Kind)()
    assert type(made) is Kind
    assert made.size == 2
    assert type(as_factory(f"{HERE}.Inner", Kind)(3)) is Inner
    assert as_factory(Kind, Kind) is Kind


@pytest.mark.parametrize("path", ["os.system", "os.path.join", "builtins.dict", f"{HERE}.Missing", "Kind", "", None])
def test_only_imported_classes_of_the_kind_are_made(path):
    with pytest.raises(InputError, match=f"{path} is no Kind that was imported"):
        as_factory({"class_path": path}, Kind)


def test_nothing_is_imported():
    sys.modules.pop("antigravity", None)
    with pytest.raises(InputError):
        as_factory({"class_path": "antigravity.Kind"}, Kind)
    assert "antigravity" not in sys.modules
