import resource
from pathlib import Path

import pytest
import yaml

from fulgurite import experiment_files
from fulgurite.cli import main

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package with an experiment of the given name, which must not be imported to be listed."""

    def install(name: str, experiment: str) -> Path:
        site = tmp_path / f"site_{name}"
        folder = site / name / "experiments"
        folder.mkdir(parents=True)
        (site / name / "__init__.py").write_text("raise AssertionError('imported')")
        (folder / f"{experiment}.yaml").write_text("# Another one. And more.\n#   a command\nseed_everything: 1\n")
        info = site / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[fulgurite]\n{name} = {name}\n")
        monkeypatch.syspath_prepend(site)
        return folder / f"{experiment}.yaml"

    return install


def refused(capsys, *words: str) -> str:
    with pytest.raises(SystemExit) as end:
        main(words)
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert said.count("\n") == 1
    return said


def test_every_experiment_is_listed_on_a_line_with_what_it_says_of_itself(capsys):
    main(["experiments"])
    lines = capsys.readouterr().out.splitlines()
    for path in ROOT.glob("experiments/*.yaml"):
        (line,) = [line for line in lines if line.startswith(f"{path.stem} ")]
        assert len(line) <= 120
        assert line.split(maxsplit=1)[1][:20] in path.read_text()
    assert "    searched by lightning sweep vta_gan" in lines


def test_names_are_those_of_the_files():
    shipped = {
        str(p.relative_to(ROOT / "experiments")).removesuffix(".yaml") for p in ROOT.glob("experiments/**/*.yaml")
    }
    assert set(experiment_files.names()) == {name for name in shipped if not name.startswith("sweeps/")}
    assert {f"sweeps/{name}" for name in experiment_files.spaces()} == shipped - set(experiment_files.names())
    assert experiment_files.find("vta_gan/smoke") == ROOT / "experiments/vta_gan/smoke.yaml"
    assert experiment_files.find("../pyproject") is None


def test_copy_writes_it_with_its_overlays(capsys):
    main(["experiments", "copy", "vta_gan"])
    assert "lightning fit --config experiments/vta_gan.yaml" in capsys.readouterr().out
    own = (ROOT / "experiments/vta_gan.yaml", ROOT / "experiments/sweeps/vta_gan.yaml")
    for source in (*own, *ROOT.glob("experiments/vta_gan/*.yaml")):
        assert Path(source.relative_to(ROOT)).read_bytes() == source.read_bytes()


def test_copy_into_a_folder_overwrites_nothing(capsys):
    Path("here/vta_gan").mkdir(parents=True)
    Path("here/vta_gan/smoke.yaml").write_text("mine")
    assert "here/vta_gan/smoke.yaml is there already" in refused(capsys, "experiments", "copy", "vta_gan", "here")
    assert [str(path) for path in Path().rglob("*.yaml")] == ["here/vta_gan/smoke.yaml"]
    assert Path("here/vta_gan/smoke.yaml").read_text() == "mine"


@pytest.mark.parametrize("name", ["vta_gam", "vta_gan/smoke", "overlays", "../x"])
def test_copy_of_what_is_no_experiment(name, capsys):
    assert "Choose one of: aitex_vae, " in refused(capsys, "experiments", "copy", name)


def test_copy_to_where_nothing_can_be_written(capsys):
    Path("file").touch()
    assert "cannot write" in refused(capsys, "experiments", "copy", "vta_gan", "file/below")


def test_copy_onto_a_full_disk_leaves_nothing_in_the_way(capsys):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, before[1]))
    try:
        said = refused(capsys, "experiments", "copy", "vta_gan", "here")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "cannot write here/vta_gan.yaml (File too large)" in said
    main(["experiments", "copy", "vta_gan", "here"])


def test_a_name_stands_for_the_file(tmp_path):
    given = ["fit", "--config", "vta_gan", "-c", "vta_gan/smoke", "--config=overlays/cpu", "--run.name", "vta_gan"]
    at = ROOT / "experiments"
    assert experiment_files.named(given) == [
        *("fit", "--config", f"{at}/vta_gan.yaml", "-c", f"{at}/vta_gan/smoke.yaml"),
        *(f"--config={at}/overlays/cpu.yaml", "--run.name", "vta_gan"),
    ]


def test_a_file_of_that_name_comes_first():
    Path("vta_gan").write_text("seed_everything: 1")
    assert experiment_files.named(["fit", "--config", "vta_gan"]) == ["fit", "--config", "vta_gan"]
    assert experiment_files.named(["fit", "--config", "mine.yaml"]) == ["fit", "--config", "mine.yaml"]


def test_experiments_of_an_installed_package(package, capsys):
    file = package("another_package", "another")
    main(["experiments"])
    assert "another                 Another one.\n" in capsys.readouterr().out
    assert experiment_files.find("another") == file
    main(["experiments", "copy", "another", "."])
    assert yaml.safe_load(Path("another.yaml").read_text()) == {"seed_everything": 1}


def test_an_experiment_that_two_packages_have(package, capsys):
    first, second = package("package_a", "same"), package("package_b", "same")
    said = refused(capsys, "fit", "--config", "same")
    assert str(first) in said
    assert str(second) in said
