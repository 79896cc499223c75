"""Every file that ships is laid over the system that it is for, and those for all over each of them."""

from pathlib import Path

import pytest
import yaml

from fulgurite.cli import main

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
SYSTEMS = sorted(path.stem for path in EXPERIMENTS.glob("*.yaml"))
SPACES = "sweeps"  # nothing to lay on top of an experiment; test_sweeps.py tries them
FOLDERS = sorted(path.name for path in EXPERIMENTS.iterdir() if path.is_dir() and path.name != SPACES)
OF_ONE = [f"{folder}/{path.stem}" for folder in FOLDERS for path in sorted((EXPERIMENTS / folder).glob("*.yaml"))]
OF_ALL = [name for name in OF_ONE if name.startswith("overlays/")]
PAIRS = [(name.partition("/")[0], name) for name in OF_ONE if name not in OF_ALL]
PAIRS += [(system, name) for system in SYSTEMS for name in OF_ALL]


def test_every_folder_is_of_a_system_or_of_all():
    assert set(FOLDERS) <= {*SYSTEMS, "overlays"}
    found = {path.relative_to(EXPERIMENTS).with_suffix("").as_posix() for path in EXPERIMENTS.rglob("*.yaml")}
    assert {name for name in found if not name.startswith(f"{SPACES}/")} == {*SYSTEMS, *OF_ONE}


@pytest.mark.parametrize(("system", "overlay"), PAIRS, ids="-".join)
def test_an_overlay_is_taken(system, overlay, capsys):
    with pytest.raises(SystemExit) as end:
        main(["fit", "--config", system, "--config", overlay, "--print_config"])
    assert end.value.code == 0
    written = yaml.safe_load((EXPERIMENTS / f"{overlay}.yaml").read_text())
    printed = capsys.readouterr()
    assert (printed.err, "None" in printed.out) == ("", False)
    saved = yaml.safe_load(printed.out)
    plain = {key: value for key, value in written.get("trainer", {}).items() if not isinstance(value, dict | list)}
    assert {key: saved["trainer"][key] for key in plain} == plain
    assert (saved["model"]["init_args"].keys()) >= (written.get("model", {}).get("init_args", {}).keys())
