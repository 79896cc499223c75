import json
from pathlib import Path

from fulgurite.cli import main
from fulgurite.endings import after_fit


def test_a_training_says_what_came_of_it(fit, capsys):
    run = fit("--run.name", "first")
    said = capsys.readouterr().out.splitlines()
    record = json.loads((run / "training.json").read_text())
    assert record["finished"] is True
    assert (record["batches"], record["epochs"]) == (4, 2)
    assert record["monitor"] == "val/score"
    index = json.loads((run / "checkpoints/index.json").read_text())["best"]
    assert (record["best_value"], record["best_batches"]) == (index["value"], index["batches"])
    assert record["parameters"]["total"] >= record["parameters"]["trainable"] > 0
    assert record["peak_memory_bytes"] > 50e6
    assert 0 <= record["data_wait_share"] <= 1
    assert record["command"] == ["lightning", "fit", "--config", "tiny.yaml", "--run.name", "first"]
    assert said[-4].startswith("Trained on 4 batches in ")
    assert said[-3].startswith("Best val/score: ")
    assert said[-2:] == ["Run folder: runs/tiny/first", "Next: lightning test --run runs/tiny/first"]


def test_what_is_said_next_works(fit, capsys):
    fit()
    words = capsys.readouterr().out.splitlines()[-1].removeprefix("Next: lightning ").split()
    main(words)
    assert "Run folder: " in capsys.readouterr().out


def test_the_seconds_of_all_sittings_are_counted(fit):
    run = fit()
    record = json.loads((run / "training.json").read_text())
    (run / "training.json").write_text(json.dumps(record | {"seconds": 1000.0}))
    fit("--ckpt_path", "last", "--trainer.max_epochs", "3")
    record = json.loads((run / "training.json").read_text())
    assert 1000 < record["seconds"] < 1100
    assert record["batches"] == 6
    fit("--ckpt_path", "last", "--trainer.max_epochs", "3")  # nothing is left to train
    record = json.loads((run / "training.json").read_text())
    assert (record["batches"], record["finished"]) == (6, True)
    assert "step_seconds" not in record


def test_a_monitor_without_value_and_slow_data_are_told():
    record = {"monitor": "val/a", "best_value": None, "batches": 1, "seconds": 3.0}
    record |= {"samples_per_second": 12.0, "data_wait_share": 0.5, "can_test": True}
    assert after_fit(record, Path("runs/a b")) == [
        "Trained on 1 batch in 3.0 s, 12 samples/s, 50% of the time waiting for data",
        "val/a never had a value: best.ckpt is the last one",
        "Run folder: runs/a b",
        "Next: lightning test --run 'runs/a b'",
    ]


def test_a_source_without_a_test_is_predicted_on_next():
    record = {"monitor": None, "best_value": None, "batches": 1, "seconds": 3.0, "can_test": False}
    assert after_fit(record, Path("runs/a"))[-1] == "Next: lightning predict SOURCE --run runs/a"
