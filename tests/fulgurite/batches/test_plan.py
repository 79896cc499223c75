from pathlib import Path

import pytest
import yaml

from datamodules.errors import InputError
from fulgurite.batches.plan import Plan, checked_seeds, read_choices, read_plan, run_name


def test_every_combination_is_a_run_of_its_own():
    plan = Plan(["a.yaml", "b"], ["smoke"], [0, 1], {"model.ngf": [16, 32], "data.image_size": [[64, 64]]}, root="r")
    tasks = plan.tasks()
    assert len(tasks) == len({task.run for task in tasks}) == 8
    first = tasks[0]
    assert first.run == Path("r").absolute() / "a" / first.name
    assert first.name.startswith("ngf=16+image_size=-64-64-")
    assert first.name.endswith("+seed=0")
    words = first.fit_words()
    assert words[:5] == ["fit", "--config", "a.yaml", "--config", "smoke"]
    assert words[words.index("--data.image_size") + 1] == "[64, 64]"
    assert words[words.index("--seed_everything") + 1] == "0"


def test_an_overlay_may_be_each_experiments_own():
    one, two = Plan(["x/a.yaml", "b"], ["{}/smoke", "cpu.yaml"]).tasks()
    assert one.configs == ("x/a.yaml", "a/smoke", "cpu.yaml")
    assert two.configs == ("b", "b/smoke", "cpu.yaml")


def test_experiments_that_would_share_a_folder_are_refused():
    with pytest.raises(InputError, match="two experiments are called a, and would share a folder"):
        Plan(["x/a.yaml", "y/a.yaml"]).tasks()


def test_what_is_written_down_is_read_back(tmp_path):
    plan = Plan(["vta_gan"], ["cpu"], [3], {"model.evidence": [["flow"], None], "model.lr": [1e-3, True, "x"]}, 2, "r")
    (tmp_path / "batch.yaml").write_text(plan.written())
    assert read_plan(tmp_path / "batch.yaml") == plan


def test_a_configuration_of_an_experiment_is_no_batch(tmp_path):
    (tmp_path / "a.yaml").write_text("model: {}\n")
    assert read_plan(tmp_path / "a.yaml") is None


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"experiment": 1}, "a batch has no experiment; it has experiments, configs"),
        ({"experiments": "vta_gan"}, "experiments = vta_gan: give a list"),
        ({"set": [1]}, r"set = \[1\]: give a mapping"),
        ({"set": {"a": 1}}, "set.a = 1: give a list of the values to try"),
        ({"seeds": ["x"]}, "seeds: x is no whole number"),
    ],
)
def test_entries_without_a_meaning_are_named(tmp_path, entries, said):
    (tmp_path / "batch.yaml").write_text(yaml.safe_dump({"experiments": ["a"], **entries}))
    with pytest.raises(InputError, match=said):
        read_plan(tmp_path / "batch.yaml")


def test_values_are_those_of_yaml():
    assert read_choices(["a.b=1,2.5,null,x", "c=[1,2],[3,4]", "d=true"]) == {
        "a.b": [1, 2.5, None, "x"],
        "c": [[1, 2], [3, 4]],
        "d": [True],
    }


@pytest.mark.parametrize("word", ["a", "a=", "=1,[", "a=[1"])
def test_words_that_name_no_values_are_refused(word):
    with pytest.raises(InputError, match="write a key and its values"):
        read_choices([word])


def test_a_key_or_a_seed_twice_is_refused():
    with pytest.raises(InputError, match="--set a: given twice"):
        read_choices(["a=1", "a=2"])
    with pytest.raises(InputError, match="one comes twice"):
        checked_seeds([1, 1])
    with pytest.raises(InputError, match="-1 is no whole number"):
        checked_seeds([-1])


def test_names_tell_values_apart_and_can_be_folders():
    assert run_name({"model.ngf": 16}, 3) == "ngf=16+seed=3"
    assert run_name({"a.lr": 1, "b.lr": 2}, 0) == "a.lr=1+b.lr=2+seed=0"
    one, two = run_name({"data.source": "/a b"}, 0), run_name({"data.source": "/a-b"}, 0)
    assert one != two
    assert "/" not in one + two
