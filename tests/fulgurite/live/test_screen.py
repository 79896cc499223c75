import time

import pytest

from fulgurite.live import screen
from fulgurite.live.screen import Screen


@pytest.mark.parametrize(
    ("score", "rings", "behind", "said"),
    [
        (None, False, None, "waiting for frames  normal"),
        (0.5, False, None, "score 0.5000, threshold 1.0000  normal"),
        (1.5, True, 1.64, "score 1.5000, threshold 1.0000  ALARM"),
    ],
)
def test_a_line_says_how_it_goes(score, rings, behind, said, capsys, monkeypatch):
    monkeypatch.setattr(screen, "EVERY_PLAIN", 0.0)
    with Screen("[bold]yard\n", 1.0) as shown:
        time.sleep(0.01)
        shown.update(score, rings, 10, 2, 1, behind)
        shown.tell("[red]lost")
    line, told = capsys.readouterr().out.splitlines()
    assert line.startswith(f"0:00  {said}  ")
    assert "frames/s, 2 dropped, 1 event" in line
    assert line.endswith((", 1.6 s behind" if behind else "1 event") + r"  [bold]yard\n")
    assert told == "[red]lost"


def test_the_rate_is_known_before_the_first_line(monkeypatch):
    now = [10.0]
    monkeypatch.setattr(screen.time, "monotonic", lambda: now[0])
    shown, rates = Screen("yard", 1.0), []
    for passed, frames in ((0.1, 0), (0.5, 8), (0.2, 9), (0.8, 28), (0.5, 28)):
        now[0] += passed
        shown.update(0.1, False, frames, 0, 0, None)
        rates.append(round(shown.fps, 6))
    assert rates == [0, 13.333333, 13.333333, 20, 20]


def test_lines_are_few_without_a_terminal(capsys):
    with Screen("yard", 1.0) as shown:
        for number in range(50):
            shown.update(0.1, False, number, 0, 0, None)
    assert capsys.readouterr().out == ""
