"""The verb ``report`` on run folders of every kind, and on what is wrong with them."""

import json
import os
import re
import shutil
from html import unescape
from pathlib import Path

import pytest

from fulgurite.cli import main
from fulgurite.pages import report_page


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def report(capsys, run: Path, *words: str) -> tuple[str, str, str]:
    """Return what a reader sees of the page, its HTML without the scripts, and what the command warns of."""
    main(["report", str(run), *words])
    said = capsys.readouterr()
    path = run.resolve() / "report.html"
    assert re.search(r"^Report: \S+report.html \(\d\.\d MB\)$", said.out, re.MULTILINE)
    page = path.read_text(encoding="utf-8")
    markup = _without_scripts(page)
    seen = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", markup)))
    return seen, markup, said.err


def test_all_of_a_run_stands_on_one_page(run, capsys):
    seen, markup, warned = report(capsys, run)
    assert "warning" not in warned
    for said in (
        "0.8125 Best beside it: 0.6562 baseline, what the speed of optical flow reaches. Better by 0.1562.",
        "how often an anomalous frame scores above a normal one; higher is better, 0 to 1",
        "pixel_auroc – No value: no masks.",
        "trained on street · 12 batches in 12 min 05 s · tested on street",
        "best.ckpt is picked by val/frame_auroc_micro : 0.8400 after 8 batches.",
        "lightning test 'my street/' --run runs/vta_gan",
        "lightning fit --config vta_gan",
        "model.ngf 4 16",
        "model.ema_decay 0.999 0.0 (default)",
        "8% of the time",
        "0123456789abcdef",
        "The worst cases street_01, frame 3 A false alarm. score 1.25 rank 1",
        "After 12 batches. With sound.",
        "26 November 2026, 15:08 UTC",
    ):
        assert said in seen, said
    assert "Not shown" not in seen
    assert markup.count("data:video/mp4;base64,") == 2
    assert markup.count("data:image/png;base64,") == 3  # of two validations only the last
    assert markup.count('class="canvas') == 2 + 2 + 1 + 1 + 3  # ROC and PR, recordings, spread, validations, training


def test_no_name_leaves_its_place(run, capsys, another_test):
    another_test("<img src=x onerror=alert(1)>", source="javascript:alert(1)", system="<script>alert(2)</script>")
    _, markup, _ = report(capsys, run)
    page = (run / "report.html").read_text()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "a&lt;b&gt;&amp;amp;" in markup
    assert r"\u003cscript\u003ealert" not in page  # titles are not part of a figure


def test_a_run_that_was_only_trained(run, capsys):
    shutil.rmtree(run / "results")
    seen, _, warned = report(capsys, run)
    assert "best validation val/frame_auroc_micro 0.8400 after 8 batches" in seen
    assert "not tested yet" in seen
    assert "warning" not in warned


def test_a_run_of_before_these_files(run, capsys):
    for file in ("training.json", "results/street/cases.json"):
        (run / file).unlink()
    results = run / "results/street/results.json"
    found = json.loads(results.read_text())
    results.write_text(json.dumps({key: found[key] for key in found if key not in ("headline", "meanings", "command")}))
    index = {"best": {"monitor": "val/frame_auroc_micro", "value": 0.8, "batches": 3}}
    (run / "checkpoints").mkdir()
    (run / "checkpoints/index.json").write_text(json.dumps(index))
    seen, _, warned = report(capsys, run)
    assert "frame_auroc_micro 0.8125" in seen  # by which best.ckpt was picked
    assert "written before their file said what they mean" in seen
    assert "Not recorded." in seen
    assert "warning" not in warned


def test_a_run_that_only_holds_a_test(run, capsys):
    for path in run.iterdir():
        if path.name != "results":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert "tested on street" in report(capsys, run)[0]


def test_several_sources_each_have_their_part_the_newest_first(run, capsys, another_test):
    another_test("yard.partial", complete=False, date="2026-11-27T00:00:00+00:00", verdict="All is well.")
    seen, markup, _ = report(capsys, run)
    assert seen.index("Results on yard.partial") < seen.index("Results on street")
    assert "All is well." in seen
    assert "A part of the data was tested only" in seen
    assert '<a href="#results-2">street</a>' in markup


def test_the_newest_run_of_an_experiment_and_one_that_was_moved(run, capsys, tmp_path):
    (run.parent / "latest").symlink_to(run.name)
    main(["report", "runs/vta_gan"])
    assert (run / "report.html").is_file()
    moved = tmp_path / "elsewhere"
    shutil.move(run, moved)
    seen, _, warned = report(capsys, moved)
    assert seen.split()[:4] == ["vta_gan", "/", "elsewhere", "vta_gan"]
    assert "What differs from the experiment vta_gan" in seen
    assert "warning" not in warned
    main(["report", "elsewhere", "--output", "sent/page.html"])
    assert (tmp_path / "sent/page.html").stat().st_size == (moved / "report.html").stat().st_size


def test_what_is_no_run_is_told_with_those_that_are(run, refused, tmp_path):
    assert "there is no such run" in refused("report", "runs/vta_gann")
    assert f"There are runs/vta_gan/{run.name}" in refused("report", "runs/vta_gan/yesterday")
    (tmp_path / "empty").mkdir()
    assert "this is no run" in refused("report", "empty")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("results/street/results.json", "{"),
        ("results/street/results.json", "[" * 100_000),
        ("results/street/results.json", '{"metrics": 1' + "0" * 5000 + "}"),
        ("metrics.csv", "step,val/a\n1,x\n"),
        ("metrics.csv", "val/a\n1\n"),
        ("metrics.csv", b"\xff\xfe\x00"),
        ("results/street/scores.csv", "name,score,label\na,b,0\n"),
        ("results/street/scores.csv", "name,score,label\na\n"),
    ],
)
def test_a_damaged_table_is_one_sentence(run, refused, file, content):
    (run / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert file in refused("report", str(run))


@pytest.mark.parametrize("change", [{"metrics": {"a": "high"}}, {"counts": [1]}, {"meanings": {"a": {"range": 1}}}])
def test_results_of_another_form_are_one_sentence(run, refused, change, another_test):
    another_test("street", **change)
    assert "street/results.json" in refused("report", str(run))


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("training.json", "{", "training.json is damaged"),
        ("training.json", '{"batches": 3, "seconds": "long"}', 'seconds is "long", expected a finite number'),
        ("results/street/cases.json", '{"cases": [1]}', "expected a list of objects"),
        ("config.yaml", "a: [", "config.yaml is damaged: line 1"),
        ("media/batch-0000012-samples.png", "no picture", "unreadable picture"),
        ("media/batch-0000012.mp4", "no video", "unreadable video"),
        ("results/street/cases/worst-1.png", "", "unreadable picture"),
    ],
)
def test_a_damaged_part_is_named_and_the_rest_is_shown(run, capsys, file, content, said):
    (run / file).write_text(content)
    seen, _, warned = report(capsys, run)
    assert said in seen[seen.rindex("Not shown") :]
    assert said in warned
    assert "0.8125" in seen


@pytest.mark.parametrize(
    "file",
    [
        "../../../secret.png",
        "/secret.png",
        "cases/link.png",
        "a\0.png",
        "notes.txt",
        "gone.png",
        "cases/loop.png",
        "a" * 5000 + ".png",
    ],
)
def test_a_case_leads_nowhere_else(run, capsys, tmp_path, file):
    shutil.copy(run / "samples/seed-1/sheet.png", tmp_path / "secret.png")
    folder = run / "results/street"
    (folder / "cases/link.png").symlink_to(tmp_path / "secret.png")
    (folder / "cases/loop.png").symlink_to("loop.png")
    case = {"name": "a", "kind": "worst", "says": "", "figures": {}, "file": file}
    (folder / "cases.json").write_text(json.dumps({"cases": [case]}))
    seen, _, warned = report(capsys, run)
    assert "The worst cases" not in seen
    assert "cases.json, cases[0]" in warned


def test_the_page_stays_below_its_size(run):
    whole = report_page.report(run)
    assert not whole.left_out
    most = len(whole.page.encode()) - 10
    smaller = report_page.report(run, most)
    assert len(smaller.page.encode()) < most
    assert smaller.left_out == []
    picture = run / "media/batch-0000012-samples.png"
    said = f"the picture itself, {picture.stat().st_size / 1000:.1f} kB, is media/{picture.name} in the run folder"
    assert said in smaller.page
    assert "the picture itself" not in whole.page
    bare = report_page.report(run, 1)
    clip = run / "media/batch-0000012.mp4"
    assert len(bare.left_out) == len(_embedded(run))
    assert 'src="data:' not in _without_scripts(bare.page)
    assert f"Left out of this page for its size, {clip.stat().st_size / 1000:.1f} kB: media/{clip.name}" in bare.page


def _without_scripts(page: str) -> str:
    return re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)


def _embedded(run: Path) -> list[Path]:
    files = [*run.rglob("*.png"), *run.rglob("*.mp4")]
    return [path for path in files if path.name != "batch-0000004-samples.png"]


def test_a_picture_that_leads_to_itself_is_named(run, capsys):
    (run / "media/loop-0000012.png").symlink_to("loop-0000012.png")
    assert "loop-0000012.png leads to no file" in report(capsys, run)[2]


@pytest.mark.parametrize("output", [".", "", "/", "..", "pipe"])
def test_a_report_takes_the_place_of_no_folder_or_pipe(run, refused, output):
    os.mkfifo("pipe")
    assert "cannot be written: it is no file" in refused("report", str(run), "--output", output)
    assert Path("pipe").is_fifo()


def test_scores_without_any_value_have_no_spread(run, capsys):
    (run / "results/street/scores.csv").write_text("name,frame,score,label\nstreet_01,0,,0\n")
    assert "Spread of the scores" not in report(capsys, run)[0]


def test_tens_of_thousands_of_metrics_are_shown(run, capsys, another_test):
    """A step for each two of them would take minutes."""
    another_test("many", metrics={f"metric_{n}_of_{n % 7}": n / 10 for n in range(20_000)})
    seen = report(capsys, run)[0]
    assert all(f"metric_{n}_of_{n % 7}" in seen for n in (0, 19_999))
