"""A report as a browser shows it: nothing asked from a network, nothing wrong, pictures seen, clips played."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fulgurite.report import write_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on PATH")

SCROLL = """async () => {
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  for (let y = 0; y < document.body.scrollHeight; y += 400) {
    scrollTo({ top: y, behavior: "instant" });
    await new Promise(requestAnimationFrame);
    await new Promise((done) => setTimeout(done, 20));
  }
}"""
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
PLAYED = """async (video) => {
  video.muted = true;
  await video.play();
  for (let wait = 0; wait < 100 && video.currentTime < 0.2; wait += 1) {
    await new Promise((done) => setTimeout(done, 50));
  }
  video.pause();
  return video.currentTime;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def wait(tab: Any, condition: str) -> None:
    """Wait until an expression is true; playwright's own way is one that the page's policy forbids."""
    for _ in range(200):
        if tab.evaluate(condition):
            return
        tab.wait_for_timeout(50)
    raise AssertionError(condition)


def look(browser: Any, page: Path, width: int, scheme: str) -> Any:
    """Open a page, scroll to its end, and return it with what it has complained of and asked for."""
    tab = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme).new_page()
    tab.complaints, tab.asked = [], []
    tab.on("console", lambda message: tab.complaints.append(message.text))
    tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.on("request", lambda request: tab.asked.append(request.url))
    tab.goto(page.as_uri())
    tab.evaluate(SCROLL)
    wait(tab, "[...document.querySelectorAll('.canvas')].every((one) => one.dataset.drawn)")
    return tab


def test_a_browser_shows_all_of_it(browser, run, another_test):
    another_test("yard")
    page = write_report(run)
    colours = set()
    for width, scheme in ((1280, "light"), (390, "dark")):
        tab = look(browser, page, width, scheme)
        assert tab.complaints == []
        assert {url.partition(":")[0] for url in tab.asked} <= {"file", "data", "blob"}
        assert sum(url.startswith("file:") for url in tab.asked) == 1
        assert tab.evaluate(WIDER) <= 0
        pictures = tab.evaluate("[...document.images].map((one) => one.naturalWidth)")
        assert len(pictures) == 4
        assert min(pictures) > 0
        assert tab.locator(".canvas .main-svg").count() >= tab.locator(".canvas").count() > 0
        colours.add(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert tab.locator("h4", has_text="<script>alert('video')</script>").count() == 2
    assert len(colours) == 2
    videos = tab.locator("video")
    assert videos.count() == 3
    for number in range(videos.count()):
        video = videos.nth(number)
        assert video.evaluate("(one) => one.canPlayType('video/mp4; codecs=\"avc1.42E01E\"')")
        assert video.evaluate(PLAYED) >= 0.2
        assert video.evaluate("(one) => one.readyState") >= 2
        assert video.evaluate("(one) => one.error") is None
    sounds = tab.evaluate("[...document.querySelectorAll('video')].map((one) => one.webkitAudioDecodedByteCount > 0)")
    assert sounds == [False, False, True]  # those of the cases are silent


def test_a_plot_zooms_and_follows_the_colours_of_the_system(browser, run):
    tab = look(browser, write_report(run), 900, "light")
    axis = "document.querySelectorAll('.canvas')[2].layout.xaxis.range"
    before = tab.evaluate(axis)
    plot = tab.locator(".canvas").nth(2)
    plot.scroll_into_view_if_needed()
    box = plot.locator(".nsewdrag").first.bounding_box()
    tab.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 20)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 60, steps=5)
    tab.mouse.up()
    wait(tab, f"{axis}[1] - {axis}[0] < 0.5 * ({before[1]} - {before[0]})")
    colour = "document.querySelectorAll('.canvas')[0].data[0].line.color"
    light = tab.evaluate(colour)
    tab.emulate_media(color_scheme="dark")
    wait(tab, f"{colour} !== '{light}'")
