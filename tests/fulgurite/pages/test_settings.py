import pytest
import yaml

from fulgurite import experiment_files
from fulgurite.pages.settings import NOWHERE, differences, shipped_name

CALLBACKS = [{"class_path": "callbacks.ClipMedia", "init_args": {"windows": 2, "keep": 20}}]


def found(config, shipped=None):
    return {one.key: (one.here, one.there, one.is_default) for one in differences(config, shipped or {})}


def test_values_that_are_the_same_however_they_are_written_are_no_difference():
    config = {"model": {"class_path": "lightning_models.VTAGAN", "init_args": {"ngf": 32}}, "data": {"size": [64, 64]}}
    assert (
        found(config, {"model": {"class_path": "VTAGAN", "init_args": {"ngf": 32.0}}, "data": {"size": [64, 64]}}) == {}
    )
    assert found({"a": True}, {"a": 1}) == {"a": ("true", "1", False)}


def test_what_the_experiment_does_not_name_is_compared_with_the_default():
    config = {"model": {"class_path": "lightning_models.VTAGAN", "init_args": {"ema_decay": 0.5, "gradient_clip": 0.0}}}
    config["trainer"] = {"max_epochs": 3, "callbacks": CALLBACKS}
    assert found(config, {"model": {"class_path": "VTAGAN"}}) == {
        "model.ema_decay": ("0.5", "0.0", True),
        "trainer.max_epochs": ("3", "null", True),
        "trainer.callbacks.ClipMedia": ("ClipMedia", NOWHERE, False),
        "trainer.callbacks.ClipMedia.windows": ("2", "4", True),
    }


def test_a_class_that_is_another_one_and_keys_that_are_gone_are_told():
    assert found({"data": {"class_path": "x.B"}}, {"data": {"class_path": "A", "init_args": {"n": [1, None]}}}) == {
        "data": ("B", "A", False),
        "data.n": (NOWHERE, "[1, null]", False),
    }


def test_where_a_run_lies_is_no_setting():
    assert found({"run": {"name": "b"}, "ckpt_path": "c", "wandb": {"mode": "offline"}}, {"run": {"name": "a"}}) == {}


@pytest.mark.parametrize(
    "name", ["subprocess.Popen", "os.path", "torch.Tensor", "torch.nn.Linear", "nowhere.At.All", "", "x"]
)
def test_any_class_may_be_named_and_none_is_imported_or_run(name):
    assert "model.a" in found({"model": {"class_path": name, "init_args": {"a": 1}}})


@pytest.mark.parametrize("name", [name for name in experiment_files.names() if "/" not in name])
def test_an_experiment_does_not_differ_from_itself(name):
    config = yaml.safe_load(experiment_files.find(name).read_text())
    assert found(config, config) == {}


def test_a_run_knows_its_experiment_wherever_it_lies(tmp_path):
    assert shipped_name({"run": {"experiment": "vta_gan"}}, tmp_path) == "vta_gan"
    assert shipped_name({"run": 1}, tmp_path / "other/run") == "other"
