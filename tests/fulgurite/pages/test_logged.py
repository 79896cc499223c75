from fulgurite.pages.logged import read_logged, training_panels, validation_panels

HEADER = (
    "step,train/generator/l1,train/generator/learning_rate,train/health/real,train/loss,val/f1,val/f1_rule,val/ssim\n"
)


def titles(panels):
    return {panel.title: [trace["name"] for trace in panel.figure["data"]] for panel in panels}


def test_curves_are_grouped_by_what_they_are(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(f"{HEADER}0,1,0.1,0.5,2,,,\n4,,,,,0.25,0.5,0.75\n8,3,0.1,0.5,2,,,\n9,9")  # the last one is cut
    logged = read_logged(path)
    assert [list(part) for part in logged["train/generator/l1"]] == [[0, 8], [1, 3]]
    meanings = {"f1_rule": {"means": "a rule", "better": "higher", "range": (0, 1), "beside": "f1"}}
    assert titles(validation_panels(logged, meanings, "ssim", 4)) == {"ssim": ["ssim"], "f1": ["f1", "f1_rule"]}
    assert titles(training_panels(logged)) == {
        "losses of the generator": ["l1"],
        "learning rate": ["generator"],
        "what the discriminator makes of real and generated data": ["real"],
        "further": ["loss"],
    }
    assert validation_panels(logged, meanings, None, None)[0].caption.startswith("A click")
    best, rule = validation_panels(logged, meanings, "f1", 4)[0].figure["data"]
    assert "dash" not in best["line"]
    assert rule["line"]["dash"] == "dot"


def test_a_run_that_logged_nothing_has_no_curves(tmp_path):
    assert read_logged(tmp_path / "metrics.csv") == {}
    (tmp_path / "metrics.csv").write_text("step,val/a\n")
    assert read_logged(tmp_path / "metrics.csv") == {}
