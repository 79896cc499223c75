"""Every key of every experiment and overlay that ships is explained where it stands."""

from pathlib import Path

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def test_every_key_has_a_comment():
    for path in sorted(EXPERIMENTS.rglob("*.yaml")):
        explained = {"class_path"}
        for line in path.read_text().splitlines():
            key, _, rest = (part.strip() for part in line.partition(":"))
            explained |= {key} if "#" in rest else set()
            assert not rest or key.startswith(("#", "- ")) or key in explained, f"{path.name}: {line}"
