"""Whatever a configuration says, a command ends in time with 0, or with 2 and one sentence."""

import os
import resource
from collections.abc import Iterator
from functools import cache, partial
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from fulgurite.train import CommandLine
from tests.fulgurite.shipped_keys import SHIPPED, all_keys, places, with_value
from tests.soak.mutations import HOSTILE, mutated
from tests.soak.promise import Case, Promise
from tests.soak.trainings import finish, said, start

MUTATIONS = 2000
VALUES = 2  # hostile ones of each key, besides null
TRAINED = 25  # of so many cases one is trained; the others end where a training would begin
SECONDS = 60
MEMORY = 4 << 30
LONGEST = 1000  # characters of a sentence
OF_PYTHON = ("Traceback", "Namespace(", "NoneType", "<class ", "has no attribute")
LIMITS = ("max_epochs", "limit_train_batches", "limit_val_batches", "devices", "num_nodes")
"""Of a training; each is 1."""


def cases(seed: int) -> Iterator[Case]:
    """Null, another value and a mutation in turn, of one experiment after the other."""
    kinds = [[*_nulls()], [*_values(seed)], [*_mutations(seed)]]
    for number, found in enumerate(filter(None, chain.from_iterable(zip_longest(*kinds)))):
        name, net, files = found
        trained = number % TRAINED == TRAINED - 1
        yield Case(f"{name}{', trained' if trained else ''} ({number})", partial(_ends_well, net, files, trained))


def _nulls() -> Iterator[tuple[str, str, list[bytes]]]:
    for path in SHIPPED:
        config = _shipped(path)
        for place in _places(config):
            yield f"{path.stem}: {_dotted(place)} = null", path.stem, [_with(config, place, None)]


def _values(seed: int) -> Iterator[tuple[str, str, list[bytes]]]:
    """Every key of every class once, and not in every experiment that has it."""
    seen = set()
    for path in SHIPPED:
        config = _shipped(path)
        for place in _places(config):
            owner = config[place[0]]["class_path"] if place[0] in ("model", "data") else ""
            if (owner, *map(str, place)) not in seen:
                seen.add((owner, *map(str, place)))
                random = np.random.default_rng((seed, len(seen)))
                for number in random.choice(len(HOSTILE), VALUES, replace=False):
                    value = HOSTILE[number]
                    name = f"{path.stem}: {_dotted(place)} = {repr(value)[:40]}"
                    yield name, path.stem, [_with(config, place, value)]


def _mutations(seed: int) -> Iterator[tuple[str, str, list[bytes]]]:
    for number in range(MUTATIONS):
        path, random = SHIPPED[number % len(SHIPPED)], np.random.default_rng((seed, number))
        texts = [path.read_text(), _smoke(path).read_text()]
        which = int(random.random() < 0.2)
        files = [mutated(text, random) if place == which else text.encode() for place, text in enumerate(texts)]
        yield f"{path.stem}: mutation {number}", path.stem, files


def _ends_well(net: str, files: list[bytes], trained: bool, folder: Path) -> None:
    words = ["fit"]
    for name, content in zip((net, "smoke"), files, strict=False):
        (folder / f"{name}.yaml").write_bytes(content)
        words += ["--config", f"{name}.yaml"]
    words += ["--run.root", "runs", "--wandb.mode", "disabled"]
    words += [f"--trainer.{key}=1" for key in LIMITS] if trained else []
    process = start(words, folder / "log", partial(_prepare, folder, trained))
    code = finish(process, SECONDS)
    told = said(folder / "log")
    assert code in (0, 2), f"status {code}: {_kept(folder)}: {told[-3000:]}"
    sentences = [line for line in told.splitlines() if line.startswith("error: ")]
    assert len(sentences) == (code == 2), f"status {code}: {_kept(folder)}: {told[-3000:]}"
    assert not any(word in told for word in OF_PYTHON), f"{_kept(folder)}: {told[-3000:]}"
    assert all(len(sentence) < LONGEST for sentence in sentences), sentences


def _kept(folder: Path) -> str:
    return " ".join(str(path) for path in folder.glob("*.yaml"))


def _prepare(folder: Path, trained: bool) -> None:
    """Work in the folder of the case, with a cache that all share, and little memory."""
    os.environ["FULGURITE_CACHE"] = str(folder.parent / "cache")
    os.chdir(folder)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))
    if not trained:
        CommandLine.run_verb = lambda self: None  # type: ignore[method-assign]  # in this process alone


def _smoke(path: Path) -> Path:
    return path.parent / path.stem.removesuffix("_legacy") / "smoke.yaml"


@cache
def _shipped(path: Path) -> dict[str, Any]:
    """Return an experiment with its smoke overlay in it."""
    return _merged(yaml.safe_load(path.read_text()), yaml.safe_load(_smoke(path).read_text()))


def _merged(below: Any, above: Any) -> Any:
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return below | {key: _merged(below.get(key), value) for key, value in above.items()}


def _places(config: dict[str, Any]) -> list[list[Any]]:
    found = [*places(config, []), *all_keys(config)]
    return [list(place) for place in dict.fromkeys(map(tuple, found))]


def _dotted(place: list[Any]) -> str:
    return ".".join(str(part) for part in place if part != "init_args")


def _with(config: dict[str, Any], place: list[Any], value: Any) -> bytes:
    return yaml.safe_dump(with_value(config, place, value), sort_keys=False).encode()


WRONG_VALUES = Promise("any wrong value", cases, short=5)
