"""A configuration says one thing, and reading it comes to an end."""

from pathlib import Path

import pytest

from datamodules.errors import InputError
from fulgurite.yaml_file import read_yaml

GROWING = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


def written(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "my.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ("a: 1\nb: {a: 2}\nc:\n- a: 3\n- a: 4\n", {"a": 1, "b": {"a": 2}, "c": [{"a": 3}, {"a": 4}]}),
        ("x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  a: 3\n", {"x": {"a": 1, "b": 2}, "y": {"a": 3, "b": 2}}),
        (b"\xef\xbb\xbfa: 1\n", {"a": 1}),
        ("", None),
    ],
)
def test_reads_what_is_written(tmp_path: Path, content: str | bytes, value: object) -> None:
    assert read_yaml(written(tmp_path, content)) == value


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("seed: 1\nmodel:\n  lr: 1\n  width: 2\n  lr: 3\n", r"'lr' stands in line 3 and again in line 5"),
        ("seed: 1\nseed: 1\n", r"'seed' stands in line 1 and again in line 2"),
        ("m: {a: 1, 'a': 1}\n", r"'a' stands in line 1 and again in line 1"),
        ("a: &a [*a]\n", r"line 1: this value holds itself by an alias"),
        ("a: &a {b: {c: *a}}\n", r"line 1: this value holds itself by an alias"),
        (GROWING, r"more than 100000 values"),
        ("[" * 20_000, r"nested too deeply"),
        ("a" * ((1 << 20) + 1), r"larger than 1048576 bytes"),
        ("a: 2026-13-41\n", r"month must be in 1\.\.12"),
        (b"a: \xff\n", r"not text in UTF-8 \(byte 4\)"),
        ("a: \x00\n", r"not a text file"),
        ("a: !!python/object/apply:os.system [ls]\n", r"line 1: this is not YAML \(could not determine a constructor"),
    ],
)
def test_refuses_what_has_no_single_meaning(tmp_path: Path, content: str | bytes, why: str) -> None:
    with pytest.raises(InputError, match=r"--config .*my\.yaml.*" + why):
        read_yaml(written(tmp_path, content))
