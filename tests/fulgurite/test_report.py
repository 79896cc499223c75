"""A test ends with a report; what goes wrong with that takes nothing from the test."""

from pathlib import Path

import pytest

from fulgurite.cli import main


def test_a_test_ends_with_a_report_unless_it_is_told_not_to(fit, capsys):
    run = fit()
    page = run / "report.html"
    assert not page.exists()
    main(["test", "--run", "runs/tiny", "--report", "false"])
    assert not page.exists()
    main(["test", "--run", "runs/tiny", "--trainer.fast_dev_run", "true"])
    assert not page.exists()
    capsys.readouterr()
    main(["test", "--run", "runs/tiny"])
    said = capsys.readouterr().out
    assert said.splitlines()[-1].startswith(f"Report: {page.relative_to(Path.cwd())} (")
    assert "val/score" in page.read_text()


def test_a_report_of_a_checkpoint_is_that_of_its_run(fit):
    run = fit()
    main(["report", str(run / "checkpoints/best.ckpt")])
    assert "tiny / " in (run / "report.html").read_text()


def test_a_report_that_cannot_be_written_is_a_warning_behind_a_test(fit, capsys):
    run = fit()
    older = run / "results/other"
    older.mkdir(parents=True)
    (older / "results.json").write_text("{")
    main(["test", "--run", "runs/tiny"])
    assert "warning: no report was written: " in (said := capsys.readouterr().err)
    assert "other/results.json" in said
    with pytest.raises(SystemExit) as end:
        main(["report", "runs/tiny"])
    assert end.value.code == 2


def test_only_a_test_has_the_option(fit, capsys):
    with pytest.raises(SystemExit):
        fit("--report", "false")
    assert "report = false: there is no such option" in capsys.readouterr().err
