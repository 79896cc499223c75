"""The page of a watch, asked as a browser does, and as a browser never would."""

import json
import shutil
import socket
import threading
import time
from http.client import HTTPConnection

import cv2
import numpy as np
import pytest

from callbacks.clips.window_merger import Merged
from datamodules.clips.live_stream import Shot, to_jpeg
from datamodules.errors import InputError
from fulgurite.live import page
from fulgurite.live.page import HEADERS, Page
from fulgurite.live.picture import Picture

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
TOLD = {"source": "<b>yard</b>", "delay": "5 frames", "fps": 9.5, "dropped": 3, "events": 1}


def show(picture, number, score, rings=False, size=(60, 80)):
    frame = np.full((*size, 3), (30, 90, 160), np.uint8)
    shot = Shot(number, number / 10, frame, (4, 0, 24, 32), size, to_jpeg(frame), None)
    picture.take(shot, Merged(number, score, np.full((4, 4), score, np.float32)), (32, 32), TOLD | {"rings": rings})


@pytest.fixture
def served():
    picture = Picture(1.0)
    page = Page(picture, 0, "127.0.0.1")
    yield picture, page
    page.close()


def port(page):
    return int(page.address.rstrip("/").rpartition(":")[2])


def ask(page, path, **headers):
    connection = HTTPConnection("127.0.0.1", port(page), timeout=5)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    return answer, answer.read()


def test_state_and_picture_are_those_of_the_newest_frame(served):
    picture, page = served
    show(picture, 3, 0.5)
    show(picture, 4, 1.5, rings=True)
    answer, content = ask(page, "/state")
    state = json.loads(content)
    assert state.items() >= {**TOLD, "rings": True, "score": 1.5, "threshold": 1.0, "over": False}.items()
    assert state["course"] == [[0.3, 0.5], [0.4, 1.5]]
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    number, jpeg = picture.wait(3)
    shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert (number, shown.shape) == (4, (60, 80, 3))
    assert shown[30, 0, 2] > 200  # the border of an alarm is red
    assert picture.wait(3)[1] is jpeg  # and drawn once


def test_a_wide_picture_is_shown_smaller(served):
    show(served[0], 0, 0.1, size=(540, 1920))
    shown = cv2.imdecode(np.frombuffer(served[0].wait(-1)[1], np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape == (270, 960, 3)


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "//etc/passwd", "/%2e%2e/x", "/style.css?x=/etc", "/base.html", "*"]
)
def test_no_address_becomes_a_path(served, path):
    answer, content = ask(served[1], path)
    assert answer.status == 404
    assert content == b"There is nothing here.\n"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "192.168.1.7", "", "localhost.evil.example"])
def test_a_name_that_leads_here_from_elsewhere_is_refused(served, host):
    for path in ("/", "/state", "/stream"):
        assert ask(served[1], path, Host=host)[0].status == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1:1234", "[::1]:5", "[::1]"])
def test_this_machine_goes_by_its_own_names(served, host):
    assert ask(served[1], "/", Host=host)[0].status == 200


def test_who_listens_for_others_answers_to_numbers_and_to_its_own_name():
    page = Page(Picture(1.0), 0, "0.0.0.0")
    try:
        answered = [
            ask(page, "/", Host=host)[0].status for host in ("192.168.1.7:80", socket.gethostname(), "evil.example")
        ]
        assert answered == [200, 200, 421]
    finally:
        page.close()


def test_only_so_many_look_at_once_and_who_leaves_makes_room(served, monkeypatch):
    picture, page = served
    show(picture, 0, 0.1)
    open_ones = []
    for _ in range(8):
        connection = HTTPConnection("127.0.0.1", port(page), timeout=5)
        connection.request("GET", "/stream")
        answer = connection.getresponse()
        assert answer.read(10) == b"--next-pic"
        open_ones.append((connection, answer))
    assert ask(page, "/stream")[0].status == 503
    for connection, answer in open_ones:
        answer.close()
        connection.close()
    for number in range(1, 100):
        show(picture, number, 0.1)
        time.sleep(0.02)
        connection = HTTPConnection("127.0.0.1", port(page), timeout=5)
        connection.request("GET", "/stream")
        status = connection.getresponse().status
        connection.close()
        if status == 200:
            break
    assert status == 200


def test_a_port_that_is_taken_is_told(served):
    with pytest.raises(InputError, match=r"--page \d+: cannot listen at 127\.0\.0\.1 .*; give another port"):
        Page(Picture(1.0), port(served[1]), "127.0.0.1")
    with pytest.raises(InputError, match="cannot listen at nowhere"):
        Page(Picture(1.0), 0, "nowhere.invalid")


def test_a_stream_ends_with_the_watch():
    picture = Picture(1.0)
    served = Page(picture, 0, "127.0.0.1")
    show(picture, 0, 0.1)
    got = []
    thread = threading.Thread(target=lambda: got.append(ask(served, "/stream")[1]))
    thread.start()
    time.sleep(0.2)
    served.close()
    thread.join(5)
    assert not thread.is_alive()
    assert got[0].count(b"image/jpeg") == 1
    assert page.MOST_VIEWERS == 8


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on PATH")
def test_a_browser_shows_score_and_picture_live(served):
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    picture, page = served
    ended = threading.Event()

    def feed():
        for number in range(100_000):
            show(picture, number, 0.4 if number < 20 else 1.6, rings=number >= 20)
            if ended.wait(0.05):
                return

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_context(viewport={"width": 390, "height": 800}, color_scheme="dark").new_page()
        complaints = []
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.goto(page.address, wait_until="domcontentloaded")
        for _ in range(100):
            if tab.text_content("#state") == "ALARM" and tab.evaluate("document.images[0].naturalWidth") == 80:
                break
            tab.wait_for_timeout(50)
        assert tab.text_content("#state") == "ALARM"
        assert tab.text_content("#score") == "1.600"
        assert tab.text_content("#source") == "<b>yard</b>"
        assert tab.evaluate("document.images[0].naturalWidth") == 80
        assert tab.evaluate("document.getElementById('points').getAttribute('points').length") > 20
        assert tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        assert complaints == []
        ended.set()
        feeder.join()
        page.close()
        for _ in range(100):
            if tab.text_content("#state") == "over":
                break
            tab.wait_for_timeout(50)
        assert tab.text_content("#state") == "over"
        browser.close()
