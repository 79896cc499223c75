"""Every key of every experiment takes null, which then is its default, or is refused in a sentence with its type."""

from pathlib import Path

import pytest
import yaml
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.cli import LightningArgumentParser

import datamodules
import lightning_models
from fulgurite import train
from fulgurite.class_names import arguments_of
from fulgurite.cli import main
from fulgurite.given import Given
from fulgurite.messages import explain
from fulgurite.trust import trust

SHIPPED = sorted((Path(__file__).parents[2] / "experiments").glob("*.yaml"))


@pytest.fixture(scope="module")
def parser():
    trust([], {})
    parser = LightningArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(LightningModule, "model", fail_untyped=False)
    parser.add_subclass_arguments(LightningDataModule, "data", fail_untyped=False)
    return parser


def keys(value, key):
    """Every key below a class, with the path to it in the YAML file."""
    for name, inner in (value.get("init_args") or {}).items():
        place = [*key, "init_args", name]
        yield place
        if isinstance(inner, dict) and "class_path" in inner:
            yield from keys(inner, place)
        elif isinstance(inner, dict):
            for weight, schedule in inner.items():
                yield [*place, weight]
                yield from keys(schedule, [*place, weight]) if isinstance(schedule, dict) else ()


def all_keys(config):
    """Every key that the file has, and every argument of its two classes."""
    found = []
    for part, package in (("model", lightning_models), ("data", datamodules)):
        kind = getattr(package, config[part]["class_path"])
        names = dict.fromkeys(name.partition(".")[0] for name in arguments_of(f"{kind.__module__}.{kind.__qualname__}"))
        found += [[part, "init_args", name] for name in names if name not in config[part]["init_args"]]
        found += keys(config[part], [part])
    return found


def with_null(config, place):
    head, *rest = place
    return {**config, head: with_null(config[head], rest) if rest else None}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_key(path, parser, monkeypatch, tmp_path):
    config = {key: value for key, value in yaml.safe_load(path.read_text()).items() if key in ("model", "data")}
    places = all_keys(config)
    taken, refused = [], []
    for place in places:
        key = ".".join(part for part in place if part != "init_args")
        try:
            parser.parse_object(with_null(config, place))
        except Exception as problem:
            said = explain(str(problem), [], Given([]), "fit")
            assert said.startswith(f"{key} = null: expected "), said
            assert "another value" not in said
            assert "<class" not in said
            refused.append(key)
        else:
            taken.append(place)
    assert len(refused) > 20
    assert len(taken) > 5
    for place in taken:
        config = with_null(config, place) if len(place) == 3 and place[-1] not in ("optimizer", "weights") else config
    (tmp_path / "nulls.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.chdir(tmp_path)
    built = []
    monkeypatch.setattr(train.CommandLine, "run_verb", lambda cli: built.append(cli.model))
    main(["fit", "--config", str(path), "--config", "nulls.yaml", "--wandb.mode", "disabled"])
    assert built
