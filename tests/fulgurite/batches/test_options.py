import pytest

from datamodules.errors import InputError
from fulgurite.batches.options import read_options
from fulgurite.batches.plan import Plan, read_plan
from fulgurite.batches.typed import typed, typed_plan


def plan(*words):
    return typed_plan(typed(words))


def test_options_are_given_to_the_engine_that_knows_them():
    made = plan("a", "--on", "slurm", "--slurm", "partition=gpu", "--slurm", "gpus_per_node=1", "--slurm", "exclusive")
    assert made.on == "slurm"
    assert made.options == {"slurm": {"partition": "gpu", "gpus-per-node": "1", "exclusive": "true"}}
    assert plan("a").on == "local"
    assert read_options("slurm", ["constraint=a=b"]) == {"constraint": "a=b"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--on", "pbs"], "on = pbs: give one of local, slurm, ray"),
        (["--slurm", "time=1"], "--slurm time=1: this is for --on slurm, and the batch runs on local"),
        (["--on", "ray", "--slurm", "time=1"], "and the batch runs on ray"),
        (["--on", "slurm", "--ray", "gpus=1"], "--ray gpus=1: this is for --on ray"),
        (["--on", "slurm", "--jobs", "2"], "--jobs 2: this is for --on local"),
        (["--cancel"], "--cancel: this is for the jobs of a cluster"),
        (
            ["--on", "slurm", "--slurm", "time="],
            "--slurm time=: write an option and its value, such as --slurm partition",
        ),
        (["--on", "slurm", "--slurm", "a;b=1"], "--slurm a;b=1: write an option"),
        (["--on", "ray", "--ray", "gpus=1", "--ray", "gpus=2"], "--ray gpus: given twice"),
    ],
)
def test_options_of_another_engine_or_without_a_meaning_are_refused(words, said):
    with pytest.raises(InputError, match=said):
        plan("a", *words)


def test_a_file_holds_them_as_they_are_written(tmp_path):
    file = tmp_path / "b.yaml"
    file.write_text("experiments: [a]\non: slurm\nslurm:\n  time: 4:00:00\n  partition: gpu\nray:\n  gpus: 1\n")
    read = read_plan(file)
    assert read.on == "slurm"
    assert read.options == {"slurm": {"time": "4:00:00", "partition": "gpu"}, "ray": {"gpus": "1"}}
    (tmp_path / "c.yaml").write_text(read.written())
    assert read_plan(tmp_path / "c.yaml") == read
    assert plan(str(file), "--slurm", "partition=cpu").options["slurm"] == {"time": "4:00:00", "partition": "cpu"}
    assert plan(str(file), "--on", "local").on == "local"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("on: pbs", "on = pbs: give one of"),
        ("slurm: [partition]", r"slurm = \['partition'\]: write its options below it"),
        ("slurm: {partition: [a, b]}", "each with one value"),
        ("yes: slurm", "a batch has no True"),
    ],
)
def test_a_file_without_a_meaning_is_refused(tmp_path, text, said):
    (tmp_path / "b.yaml").write_text(f"experiments: [a]\n{text}\n")
    with pytest.raises(InputError, match=said):
        read_plan(tmp_path / "b.yaml")


def test_a_batch_that_says_nothing_of_engines_is_the_same_as_ever(tmp_path):
    (tmp_path / "b.yaml").write_text("experiments: [a]\n")
    read = read_plan(tmp_path / "b.yaml")
    assert (read.on, read.options) == (Plan(["a"]).on, Plan(["a"]).options) == ("local", {})
