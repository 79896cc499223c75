import contextlib

import pytest
from matplotlib.figure import Figure

from callbacks.plots import picture


@pytest.mark.parametrize("when", ["drawing", "writing"])
def test_an_error_keeps_the_plot_that_was_there(tmp_path, monkeypatch, when):
    path = tmp_path / "plots/roc.png"
    with picture(path, 2, 2) as figure:
        figure.subplots()
    before = path.read_bytes()
    assert before.startswith(b"\x89PNG")

    def half(_, file, **__):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(Figure, "savefig", half)
    with contextlib.suppress(KeyboardInterrupt), picture(path, 2, 2):
        if when == "drawing":
            raise KeyboardInterrupt
    assert [file.read_bytes() for file in path.parent.iterdir()] == [before]
