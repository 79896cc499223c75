"""The page of a sweep, of trials written by hand, and as a browser shows it."""

import re
import shutil
from dataclasses import replace

import pytest
import yaml

optuna = pytest.importorskip("optuna")

from fulgurite.sweeps import plots  # noqa: E402
from fulgurite.sweeps.page import sweep_page  # noqa: E402
from fulgurite.sweeps.parameter import Parameter  # noqa: E402
from fulgurite.sweeps.space_file import read_space  # noqa: E402
from fulgurite.sweeps.study import Known, Study  # noqa: E402
from fulgurite.sweeps.trial import Trial  # noqa: E402
from tests.fulgurite.sweeps.conftest import SPACE  # noqa: E402

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PARAMETERS = (
    Parameter("model.lr", "float", 0.001, 0.1, log=True),
    Parameter("model.kind", "choice", choices=("warm", "cold", None)),
    Parameter("model.scale", "float", 0.0, 4.0, when={"model.kind": ("warm",)}),
)
TRIALS = [
    Known(0, {"model.lr": 0.01, "model.kind": "warm", "model.scale": 1.0}, "complete", {1: 0.4, 2: 0.5}, 0.5),
    Known(1, {"model.lr": 0.001, "model.kind": None}, "complete", {1: 0.7, 2: 0.9}, 0.9),
    Known(2, {"model.lr": 0.1, "model.kind": "cold"}, "pruned", {1: 0.1}, 0.1),
    Known(3, {"model.lr": 0.1, "model.kind": "cold"}, "failed", {}, None, "out of memory"),
]


def test_lines_pass_their_axes_where_their_values_lie():
    figure = plots.parallel(TRIALS, PARAMETERS, "val/score", "maximize")
    lines = {line["name"]: line["y"] for line in figure["data"]}
    assert lines["the others"] == pytest.approx([0.5, 0.0, 0.25, 0.5])
    assert lines["best"] == pytest.approx([0.0, 1.0, plots.NOT_SEARCHED, 1.0])
    assert lines["pruned"] == pytest.approx([1.0, 0.5, plots.NOT_SEARCHED, 0.0])
    assert figure["data"][-1]["name"] == "best"
    texts = [note["text"] for note in figure["layout"]["annotations"]]
    assert texts[:4] == ["lr", "kind", "scale", "val/score"]
    assert {"null", "not searched", "0.001"} <= set(texts)
    worst_first = plots.parallel(TRIALS, PARAMETERS, "val/score", "minimize")["data"][-1]["y"]
    assert worst_first == lines["the others"]


def test_the_course_has_every_value_and_the_best_so_far():
    complete, pruned, best = plots.history(TRIALS, "val/score", "maximize")["data"]
    assert (complete["x"], complete["y"], pruned["x"], pruned["y"]) == ([0, 1], [0.5, 0.9], [2], [0.1])
    assert best["y"] == [0.5, 0.9]
    assert plots.history(TRIALS, "val/score", "minimize")["data"][2]["y"] == [0.5, 0.5]
    bars = plots.importances({"a.x": 0.7, "a.y": 0.3})["data"][0]
    assert (bars["y"], bars["x"]) == (["y", "x"], [0.3, 0.7])


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of a study whose values were told by hand."""
    folder = tmp_path_factory.mktemp("page")
    path = folder / "space.yaml"
    path.write_text(yaml.safe_dump(SPACE, sort_keys=False))
    found = replace(read_space(path, {}), root=str(folder / "runs"), trials=9)
    found.folder.mkdir(parents=True)
    study = Study(found, "maximize")
    trials = []
    for number in range(9):
        assert study.ask() == number
        searched, every = study.values(number)
        trials.append(Trial(study, number, searched, found.task(number, every, "max")))
        study.report(number, {1: number / 10, 2: number / 9})
        if number == 7:
            study.fail(number, "<script>alert(1)</script>")
        elif number == 8:
            study.give_up(number)
        else:
            study.complete(number, number / 9)
    (folder / "sweep.html").write_text(sweep_page(study, trials, "a <b>clause</b>", "lightning sweep space.yaml"))
    return folder / "sweep.html"


def test_a_page_holds_what_it_needs_and_tells_the_best(page):
    text = page.read_text()
    body = text[text.index("<body>") : text.rindex("<script>")]
    assert "<script>alert(1)" not in body
    assert "a <b>clause" not in body
    assert '<div class="of">trial 006</div>' in body
    assert re.search(r"lightning test --run \S*runs/space_sweep/trial-006\n?<", body)
    assert text.count("plotly.js v") == 1
    assert re.search(r"7 complete, 1 pruned, 1 failed", " ".join(body.split()))
    for part in ("best", "history", "importances", "parallel", "trials", "space"):
        assert f'id="{part}"' in body
    assert body.count('class="canvas') == 4


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on PATH")
def test_a_browser_draws_it_without_a_network(page):
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    complaints, asked = [], []
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme="dark")
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(page.as_uri())
        for canvas in tab.locator(".canvas").all():
            canvas.scroll_into_view_if_needed()
            canvas.locator(".main-svg").first.wait_for()
        assert tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        assert tab.locator(".canvas").nth(3).locator(".scatterlayer .trace").count() == 8
        browser.close()
    assert complaints == []
    assert len(asked) == 1
