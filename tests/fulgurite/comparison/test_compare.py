import csv
import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from callbacks.screen import plain_console
from fulgurite.cli import main
from fulgurite.comparison.difference import difference, metrics_of
from fulgurite.comparison.leaderboard import leaderboard
from fulgurite.comparison.run import find_runs, names_of, read_run
from fulgurite.comparison.tables import on_screen


def compare(*words):
    main(["compare", *map(str, words)])


def refused(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        compare(*words)
    assert ended.value.code == 2
    return capsys.readouterr().err


def status(verb):
    """Return the exit status of a verb on the one run there is, None where it does its work."""
    try:
        main([verb, "runs/vta_gan/one"])
    except SystemExit as ended:
        return ended.code
    return None


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_seeds_are_one_row_and_the_best_comes_first(make_run, tmp_path, capsys):
    for seed in range(3):
        make_run(f"good{seed}", 2.0, seed)
        make_run(f"bad{seed}", 0.5, seed, ngf=16)
    compare("runs/vta_gan", "--baseline", "bad0")
    said = capsys.readouterr().out
    board = rows(tmp_path / "comparison/leaderboard.csv")
    assert [row["name"] for row in board] == ["vta_gan/good0, good1, good2", "vta_gan/bad0, bad1, bad2"]
    assert [row["runs"] for row in board] == ["3", "3"]
    own = [float(row["frame_auroc_micro"]) for row in rows(tmp_path / "comparison/runs.csv") if "good" in row["name"]]
    assert float(board[0]["frame_auroc_micro"]) == pytest.approx(np.mean(own))
    assert float(board[0]["frame_auroc_micro_std"]) == pytest.approx(np.std(own, ddof=1))
    low, high = (float(board[0][f"frame_auroc_micro_difference_{end}"]) for end in ("low", "high"))
    assert 0 < low < float(board[0]["frame_auroc_micro_difference"]) < high
    assert "model.ngf" in said
    assert "cache_dir" not in said
    assert " *" in said
    assert "500 ms" in said
    assert "2.00 GB" in said


def test_what_may_be_chance_is_told(make_run, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    make_run("one", 1.0, 0)
    make_run("two", 1.0, 1, ngf=16)
    compare("runs/vta_gan", "--baseline", "one", "--metric", "frame_auroc_micro")
    assert "no difference can be told" in capsys.readouterr().out


def test_an_interval_holds_the_truth_as_often_as_it_says(make_run):
    """Of two models of equal quality 95 % of the intervals hold 0; a few more may, with so few videos."""
    held = 0
    for trial in range(60):
        runs = [read_run(make_run(f"{trial}-{kind}", 1.0, 2 * trial + kind, truth=trial), "ped2") for kind in (0, 1)]
        one = difference("frame_auroc_micro", runs[:1], runs[1:], 400, trial)
        held += one.low <= 0 <= one.high
    assert 50 <= held <= 60


def test_equal_runs_differ_by_nothing(make_run):
    runs = [read_run(make_run(name, 1.0, 0), "ped2") for name in ("a", "b")]
    one = difference("frame_auroc_micro", runs[:1], runs[1:], 200, 0)
    assert (one.value, one.low, one.high, one.told) == (0.0, 0.0, 0.0, False)
    assert difference("frame_eer", runs[:1], runs[1:], 200, 0).why.startswith("no interval: scores.csv")


def test_other_test_data_are_said_at_the_top_and_have_no_interval(make_run, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    make_run("one", 1.0, 0)
    make_run("two", 1.0, 0, truth=1, ngf=16)
    compare("runs/vta_gan", "--baseline", "one")
    said = capsys.readouterr()
    assert said.err.startswith("warning: These runs were NOT measured on the same test data")
    assert "other test data" in said.out


def test_runs_that_were_not_tested_are_named_and_come_last(make_run, capsys, tmp_path):
    make_run("tested")
    make_run("untested", tested=False, ngf=16)
    compare("runs/*/*")
    assert "warning: Not tested: vta_gan/untested." in capsys.readouterr().err
    assert [row["name"] for row in rows(tmp_path / "comparison/leaderboard.csv")] == [
        "vta_gan/tested",
        "vta_gan/untested",
    ]


def test_the_source_that_all_share_is_taken_or_asked_for(make_run, capsys, tmp_path):
    run = make_run("one")
    make_run("two", source="avenue", ngf=16)
    assert "choose one by --source ped2 or avenue" in refused(capsys, "runs/vta_gan").replace(
        "avenue or ped2", "ped2 or avenue"
    )
    assert "--source car: no run was tested on it" in refused(capsys, "runs/vta_gan", "--source", "car")
    (tmp_path / "runs/vta_gan/two/results/avenue").rename(run / "results/avenue")
    compare("runs/vta_gan", "--source", "avenue")
    assert "Not tested: vta_gan/two" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere: there is no run. Give folders of runs or of experiments"),
        (
            ["runs/vta_gan", "--metric", "psnr"],
            "--metric psnr: not every test has a value of it. Choose by --metric among frame_auroc_micro",
        ),
        (["runs/vta_gan", "--baseline", "three"], "--baseline three: no such run. There are vta_gan/one"),
        (["runs/vta_gan", "--resamples", "3"], "--resamples 3: give at least 100"),
    ],
)
def test_what_cannot_be_is_one_sentence(make_run, capsys, words, said):
    make_run("one")
    assert said in refused(capsys, *words)


def test_damaged_files_are_named(make_run, capsys):
    run = make_run("one")
    (run / "training.json").write_text("{")
    assert "training.json is damaged" in refused(capsys, "runs/vta_gan")
    (run / "training.json").unlink()
    compare("runs/vta_gan")
    (run / "results/ped2/scores.csv").unlink()
    assert "scores.csv is missing. Run" in refused(capsys, "runs/vta_gan")
    (run / "config.yaml").write_text("a: [")
    assert "config.yaml is damaged" in refused(capsys, "runs/vta_gan")


def test_lower_is_better_where_it_is(make_run):
    runs = [
        read_run(make_run(name, quality, 0, ngf=size), "ped2") for name, quality, size in (("a", 1, 1), ("b", 2, 2))
    ]
    board = leaderboard(runs, "frame_eer", None)
    assert [group.name for group in board.groups] == ["vta_gan/b", "vta_gan/a"]
    assert board.best("frame_eer") == ["vta_gan/b"]
    assert "frame_auroc_micro_baseline" not in board.shown


def test_latest_is_no_second_run(make_run, tmp_path):
    run = make_run("one")
    (run.parent / "latest").symlink_to("one")
    assert find_runs(["runs/vta_gan", "runs/vta_gan/latest", "runs/*/*"]) == [run]


def test_results_of_two_kinds_cannot_be_ranked(make_run, capsys):
    make_run("one")
    other = make_run("two", experiment="motor_vae_gan")
    path = other / "results/ped2/results.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"metrics": {"psnr": 20.0}, "system": "MotorVAEGAN"}))
    assert "the tests of MotorVAEGAN, x have no metric in common" in refused(
        capsys, "runs/vta_gan", "runs/motor_vae_gan"
    )


def test_the_page_shows_everything_in_one_file(make_run, tmp_path):
    for name, quality, size in (("one", 1.0, 32), ("<b>two", 2.0, 16)):
        run = make_run(name, quality, ngf=size)
        rows = "step,train/generator/total,val/frame_auroc_micro\n0,2.5,\n9,1.5,0.75\n"
        (run / "metrics.csv").write_text(rows)
    compare("runs/vta_gan", "--baseline", "one")
    page = (tmp_path / "comparison/comparison.html").read_text()
    assert "2 runs by frame_auroc_micro" in page
    assert "Differences to vta_gan/one" in page
    assert "<b>two" not in page.replace("&lt;b", "")
    assert page.count('<figure class="plot">') == 3  # ROC, validation, loss
    assert "model.ngf" in page
    assert "<img src" not in page
    assert "http-equiv" in page
    assert (tmp_path / "comparison/comparison.html").stat().st_size < 6e6


def test_a_run_that_was_only_trained_has_its_place_on_the_page(make_run, tmp_path):
    make_run("one")
    make_run("two", tested=False, ngf=16)
    compare("runs/vta_gan")
    page = (tmp_path / "comparison/comparison.html").read_text()
    assert "Not tested: vta_gan/two." in page
    assert page.count('<figure class="plot">') == 1


def test_other_content_under_the_same_names_is_other_test_data(make_run, capsys):
    for name, content in (("one", "aa"), ("two", "bb")):
        path = make_run(name, ngf=len(name + content) + ord(name[0])) / "results/ped2/results.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"fingerprints": {"test": content}}))
    make_run("older", ngf=3)
    compare("runs/vta_gan")
    assert "Measured on the same data were: vta_gan/older, vta_gan/one; vta_gan/two." in capsys.readouterr().err


def test_runs_of_two_roots_keep_their_names_and_settings(make_run, tmp_path, monkeypatch):
    make_run("one", 1.0, 0)
    (tmp_path / "runs").rename(tmp_path / "here")
    make_run("one", 2.0, 1, ngf=16)
    (tmp_path / "runs").rename(tmp_path / "there")
    folders = find_runs(["here/vta_gan", "there/vta_gan"])
    names = names_of(folders)
    board = leaderboard([read_run(folder, "ped2", names[folder]) for folder in folders], None, None)
    assert [group.name for group in board.groups] == ["there/vta_gan/one", "here/vta_gan/one"]
    assert board.best("frame_auroc_micro") == ["there/vta_gan/one"]
    assert board.differing["model.ngf"] == {"there/vta_gan/one": "16", "here/vta_gan/one": "32"}


def test_copies_of_a_run_are_no_seeds(make_run, tmp_path, capsys):
    run = make_run("one")
    shutil.copytree(run, run.with_name("two"))
    compare("runs/vta_gan")
    assert "some of these runs have the same seed and the same settings" in capsys.readouterr().err


def test_a_single_run_has_no_deviation(make_run, tmp_path):
    make_run("one")
    compare("runs/vta_gan")
    (row,) = rows(tmp_path / "comparison/leaderboard.csv")
    assert row["frame_auroc_micro_std"] == ""


def test_a_group_of_many_seeds_has_a_name_that_can_be_read(make_run):
    runs = [read_run(make_run(f"s{seed}", 1.0, seed), "ped2") for seed in range(9)]
    runs.append(read_run(make_run("other", 1.0, 0, ngf=16), "ped2"))
    names = {group.name for group in leaderboard(runs, None, None).groups}
    assert names == {"vta_gan/s0, s1, s2, s3, s4, s5 and 3 more", "vta_gan/other"}


@pytest.mark.parametrize("name", ["runs/vta_gan/one", "./runs/vta_gan/one/", "vta_gan/one", "one"])
def test_a_baseline_is_named_as_one_likes(make_run, tmp_path, name):
    make_run("one", 1.0, 0)
    make_run("two", 2.0, 0, ngf=16)
    compare("runs/vta_gan", "--baseline", name)
    better, baseline = rows(tmp_path / "comparison/leaderboard.csv")
    assert better["frame_auroc_micro_difference"]
    assert baseline["name"] == "vta_gan/one"
    assert not baseline["frame_auroc_micro_difference"]


def test_a_baseline_that_may_be_two_is_asked_for(make_run, capsys):
    make_run("one")
    make_run("one", experiment="other")
    assert "--baseline one: several are called so. Write one of other/one, vta_gan/one" in refused(
        capsys, "runs/*/one", "--baseline", "one"
    )


def test_a_path_below_home_and_a_glob_with_stars_in_the_middle_are_understood(make_run, tmp_path, monkeypatch, capsys):
    run = make_run("one")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_runs(["~/runs/*"]) == [run]
    assert "a**b: there is no run" in refused(capsys, "a**b")


def test_a_headline_without_value_is_not_laid_on_the_user(make_run, capsys):
    path = make_run("one") / "results/ped2/results.json"
    results = json.loads(path.read_text())
    results["undefined"]["frame_auroc_micro"] = results["metrics"].pop("frame_auroc_micro") and "one class only"
    path.write_text(json.dumps(results))
    said = refused(capsys, "runs/vta_gan")
    assert "frame_auroc_micro, by which these tests are ranked: not every test has a value of it. Choose by" in said


def test_a_test_that_judged_nothing_is_not_called_untested(make_run, capsys):
    (make_run("one") / "results/ped2/scores.csv").write_text("name,frame,score,label\n")
    compare("runs/vta_gan")
    said = capsys.readouterr().err
    assert "scores.csv is empty: vta_gan/one" in said
    assert "Not tested" not in said


DAMAGE = {
    "config.yaml": ["", "- 1\n", "hello", "[" * 5000, "a: &a\n  b: *a\n", "a: 2026-13-41\n"],
    "training.json": [
        "[]",
        "[" * 100_000,
        '{"seconds": NaN}',
        '{"commit": ["a"]}',
        f'{{"seconds": {"9" * 400}}}',
    ],
    "results/ped2/results.json": ["[]", "[" * 100_000],
    "results/ped2/scores.csv": [
        "name,frame,score,label\nv0,1\n",
        "name,frame,score,label\nv0,1,2,0,5\n",
        "name,frame,score,label\nv0,1,loud,0\n",
        "name,frame,score,label\nv0,1,1,7\n",
        "frame,score,label\n1,1,0\n",
        "name,score,score\nv0,1,2\n",
        f"name,score\n{'x' * 200_000},1\n",
        "\udcff",
    ],
}


@pytest.mark.parametrize("verb", ["compare", "report"])
@pytest.mark.parametrize(("file", "content"), [(file, text) for file, texts in DAMAGE.items() for text in texts])
def test_a_damaged_file_is_named_in_one_sentence_or_in_a_note(make_run, capsys, file, content, verb):
    path = make_run("one") / file
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    assert status(verb) in (None, 2)
    said = capsys.readouterr().err
    assert str(path) in said
    assert len(said) < 1000


RESULTS = {
    "a number beyond all floats": {"metrics": {"frame_auroc_micro": 10**400}},
    "no number": {"metrics": {"frame_auroc_micro": "high"}},
    "not a number": {"metrics": {"frame_auroc_micro": float("nan")}},
    "no metrics": {"metrics": [1]},
    "no meaning": {"meanings": {"frame_auroc_micro": {}}},
    "no headline": {"headline": ["x"]},
}


@pytest.mark.parametrize("changed", RESULTS.values(), ids=RESULTS)
@pytest.mark.parametrize("verb", ["compare", "report"])
def test_results_of_another_form_are_refused(make_run, capsys, changed, verb):
    path = make_run("one") / "results/ped2/results.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(SystemExit) as ended:
        main([verb, "runs/vta_gan/one"])
    assert ended.value.code == 2
    assert str(path) in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["compare", "report"])
@pytest.mark.parametrize("kind", [os.mkfifo, os.mkdir])
@pytest.mark.parametrize("file", ["results.json", "scores.csv"])
def test_a_pipe_or_folder_in_the_place_of_a_file_holds_nothing_up(make_run, capsys, file, kind, verb):
    path = make_run("one") / "results/ped2" / file
    path.unlink()
    kind(path)
    assert status(verb) in (None, 2)
    assert str(path.parent) in capsys.readouterr().err


def test_scores_that_are_not_finite_are_left_out_of_the_curves(make_run, tmp_path):
    path = make_run("one") / "results/ped2/scores.csv"
    head, first, *others = path.read_text().splitlines()
    name, frame, _, label = first.split(",")
    path.write_text("\n".join([head, f"{name},{frame},nan,{label}", *others]) + "\n")
    compare("runs/vta_gan")
    assert "ROC" in (tmp_path / "comparison/comparison.html").read_text()


def test_names_are_printed_as_they_are_and_not_cut(make_run, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    make_run("one [red] :bug:", ngf="[/blue]")
    make_run("two", 2.0)
    compare("runs/vta_gan", "--metric", "frame_auroc_micro")
    said = capsys.readouterr().out
    table = "".join(line.split("│")[1].strip() for line in said.splitlines() if line.startswith("│"))
    assert "one[red]:bug:" in table.replace(" ", "")
    assert "…" not in said
    assert "[/blue]" in said


def test_a_thousand_runs_are_compared_within_moments(make_run):
    """Each run's table is read, hashed and compared once, not with each other run."""
    run = read_run(make_run("one"), "ped2")
    hashed = []

    class Counted(dict):
        def __contains__(self, key):
            hashed.append(key)
            return super().__contains__(key)

    runs = [replace(run, name=f"x/{n}", settings={"n": str(n)}, items=Counted(run.items)) for n in range(300)]
    leaderboard(runs, None, None)
    assert len(hashed) < 300 * 20


def test_equal_values_do_not_deviate(make_run):
    runs = [read_run(make_run(f"s{seed}", 1.0, 0), "ped2") for seed in range(3)]
    (group,) = leaderboard(runs, None, None).groups
    assert group.metrics["frame_auroc_micro"] == (metrics_of(runs[0])["frame_auroc_micro"], 0.0)


def test_the_screen_shows_as_much_of_a_table_as_can_be_read(capsys):
    rows = [["", *(f"run {n}" for n in range(100))], *([f"key {n}", *["x"] * 100] for n in range(50))]
    plain_console().print(on_screen(rows, "settings"))
    said = capsys.readouterr().out
    assert "run 6" in said
    assert "run 7" not in said
    assert "key 39" in said
    assert "10 more rows and 93 more columns" in " ".join(said.split())


def test_files_are_written_where_nobody_reads_the_screen_to_its_end(make_run, tmp_path, monkeypatch):
    make_run("one")

    def closed():
        raise BrokenPipeError

    monkeypatch.setattr("fulgurite.compare.plain_console", closed)
    with pytest.raises(BrokenPipeError):
        compare("runs/vta_gan")
    written = {path.name for path in (tmp_path / "comparison").iterdir()}
    assert written == {"leaderboard.csv", "runs.csv", "comparison.html"}
