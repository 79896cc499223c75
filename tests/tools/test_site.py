"""Links of all documents lead somewhere, and the site is built of them, asks no network, and can be searched."""

import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mkdocs")
from markdown.extensions.toc import slugify

from tools.site import MOVED, REFERENCE, public_names, turned

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted({*ROOT.glob("docs/*.md"), *(ROOT / source for source in MOVED)})
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def prose(document):
    return re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(document):
    headings = re.findall(r"^#+ +(.+)$", prose(document), re.MULTILINE)
    return {slugify(re.sub(r"[`*]", "", heading), "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere_with_their_anchors(document):
    for target, anchor in re.findall(r"\]\(([^)\s#:]*)(?:#([^)\s]+))?\)", prose(document)):
        there = (document.parent / target) if target else document
        there = there / "README.md" if there.is_dir() else there
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), f"{target}#{anchor}"


def test_every_document_is_a_page_that_the_site_lists():
    listed = set(re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    pages = {path.name for path in ROOT.glob("docs/*.md")} | set(MOVED.values())
    assert listed == pages | {f"reference/{name}.md" for name in REFERENCE}
    systems = {path.parent.name for path in ROOT.glob("lightning_models/*/module.py")}
    assert {f"lightning_models/{name}/README.md" for name in systems} < MOVED.keys()


@pytest.mark.parametrize("package", ["lightning_models", "datamodules", "callbacks", "fulgurite"])
def test_the_reference_has_all_that_is_public(package):
    assert public_names(package) == importlib.import_module(package).__all__


@pytest.mark.parametrize(
    ("text", "source", "page", "expected"),
    [
        ("[a](docs/video.md#masks)", "README.md", "index.md", "[a](video.md#masks)"),
        ("[a](lightning_models/vta_gan)", "README.md", "index.md", "[a](systems/vta_gan.md)"),
        ("![a](docs/pictures/favicon.svg)", "README.md", "index.md", "![a](pictures/favicon.svg)"),
        (
            "[a](../lightning_models/vta_gan/README.md)",
            "docs/metrics.md",
            "metrics.md",
            "[a](systems/vta_gan.md)",
        ),
        (
            "[a](../../docs/video.md)",
            "lightning_models/vta_gan/README.md",
            "systems/vta_gan.md",
            "[a](../video.md)",
        ),
        ("[a](images.md)", "docs/video.md", "video.md", "[a](images.md)"),
        ("[a](experiments/vta_gan.yaml)", "README.md", "index.md", "a"),  # a file that the site does not have
        ("[a](nowhere.md)", "README.md", "index.md", "[a](nowhere.md)"),  # MkDocs says so
        ("[a](https://semver.org/) [b](#here)", "README.md", "index.md", "[a](https://semver.org/) [b](#here)"),
    ],
)
def test_links_are_turned_to_the_pages_of_the_site(text, source, page, expected):
    assert turned(text, source, page) == expected


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_the_site_is_whole_and_names_no_other_machine(site):
    pages = {path.relative_to(site).as_posix(): path.read_text() for path in site.rglob("*.html")}
    assert {"index.html", "metrics.html", "systems/vta_gan.html", "reference/callbacks.html"} <= pages.keys()
    for name, text in pages.items():
        assert not re.findall(r"<(?:script|img|iframe)[^>]+src=\"?https?:", text), name
        assert not re.findall(r"<link[^>]+href=\"?https?:[^>]+stylesheet|stylesheet[^>]+https?:", text), name
    for name in public_names("callbacks"):
        assert f'id="callbacks.{name}"' in pages["reference/callbacks.html"]
    assert "every_n_validations" in pages["reference/callbacks.html"]
    for name in public_names("fulgurite"):
        assert re.search(rf'id="[\w.]+\.{name}"', pages["reference/python.html"]), name
    assert all(f"Loaded.{name}" in pages["reference/python.html"] for name in ("score", "embed", "sample", "draw"))
    assert "frame_auroc_micro" in pages["metrics.html"]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_reads_it_from_a_folder_without_a_network(site):
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for scheme, width in (("light", 1280), ("dark", 1280), ("light", 390)):
            page = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}).new_page()
            asked, wrong = [], []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.on("pageerror", lambda error, wrong=wrong: wrong.append(str(error)))
            for name in ("index.html", "metrics.html", "systems/vta_gan.html", "reference/protocols.html"):
                page.goto((site / name).as_uri())
                assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is too wide"
                assert page.locator("article h1").first.is_visible()
            if width > 1000:
                page.click(".md-search__input")
                page.keyboard.type("threshold")
                page.locator(".md-search-result__item a").first.wait_for(timeout=20_000)
            background = page.evaluate("getComputedStyle(document.body).backgroundColor")
            brightness = sum(map(int, re.findall(r"\d+", background)[:3]))
            assert (brightness > 380) == (scheme == "light")
            assert asked
            assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
            assert wrong == []
        browser.close()
