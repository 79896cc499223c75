"""Every key of every experiment takes null, which then is its default, or is refused in a sentence with its type."""

import pytest
import yaml
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.cli import LightningArgumentParser

from fulgurite import train
from fulgurite.cli import main
from fulgurite.given import Given
from fulgurite.messages import explain
from fulgurite.trust import trust
from tests.fulgurite.shipped_keys import SHIPPED, all_keys, with_value


@pytest.fixture(scope="module")
def parser():
    trust([], {})
    parser = LightningArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(LightningModule, "model", fail_untyped=False)
    parser.add_subclass_arguments(LightningDataModule, "data", fail_untyped=False)
    return parser


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_key(path, parser, monkeypatch, tmp_path):
    config = {key: value for key, value in yaml.safe_load(path.read_text()).items() if key in ("model", "data")}
    places = all_keys(config)
    taken, refused = [], []
    for place in places:
        key = ".".join(part for part in place if part != "init_args")
        try:
            parser.parse_object(with_value(config, place, None))
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
        config = (
            with_value(config, place, None) if len(place) == 3 and place[-1] not in ("optimizer", "weights") else config
        )
    (tmp_path / "nulls.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.chdir(tmp_path)
    built = []
    monkeypatch.setattr(train.CommandLine, "run_verb", lambda cli: built.append(cli.model))
    main(["fit", "--config", str(path), "--config", "nulls.yaml", "--wandb.mode", "disabled"])
    assert built
