"""The command itself, on a film in which the light is on from frame 20 to frame 35."""

import csv
import errno
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import av
import pytest
from watchers import Brightness

from datamodules import ImageFolderDataModule
from datamodules.atomic_file import DiskError
from datamodules.errors import InputError
from fulgurite.cli import main
from fulgurite.live.alarms import Alarms
from fulgurite.watch_video import WatchingTrainer, as_parsed, shown
from tests.fulgurite.live.conftest import FPS, LIT, write_video


def rows(file: Path) -> list[dict[str, str]]:
    with file.open() as text:
        return list(csv.DictReader(text))


def frames_of(clip: Path) -> int:
    with av.open(str(clip)) as film:
        assert film.streams.video[0].codec_context.name == "h264"
        return sum(1 for _ in film.decode(video=0))


def test_a_file_is_scored_as_a_prediction_scores_it(watch, run, film, capsys):
    out = watch(film)
    said = capsys.readouterr().out
    main(["predict", str(film), "--run", str(run / "checkpoints/last.ckpt"), "--trust", "watchers"])
    predicted = run / "predictions/room"
    assert (out / "scores.csv").read_bytes() == (predicted / "scores.csv").read_bytes()
    (event,), (same,) = rows(out / "events.csv"), rows(predicted / "events.csv")
    assert event == same | {"clip": "clips/0001.mp4"}
    assert (int(event["first_frame"]), int(event["last_frame"])) == LIT
    # three seconds before and after, of which only two are there before
    assert frames_of(out / "clips/0001.mp4") == 60
    about = json.loads((out / "about.json").read_text())
    assert (about["finished"], about["frames"], about["dropped"], about["events"]) == (True, 60, 0, 1)
    assert (about["system"], about["source"], about["threshold"]) == ("Brightness", str(film), 1.0)
    assert "Threshold 1.0000, the model's own; an event ends below 0.8000." in said
    assert "A score is final at most 10 frames after its frame; --data.eval_batch_size 1 makes it fewer." in said
    assert "alarm 1 at 0:02: score 1.7" in said
    assert "event 1 is over: 1.5 seconds" in said
    assert "60 frames scored, 0 dropped, 1 event, " in said
    assert "Run folder" not in said


def test_options_of_events_and_clips(watch, film, capsys):
    alone = ["--data.eval_batch_size", "1"]  # so that no window waits for another one
    out = watch(film, "--before", "0.5", "--after", "0.3", "--gap", "0", "--release", "0.95", *alone)
    assert "makes it fewer" not in capsys.readouterr().out
    (event,) = rows(out / "events.csv")
    assert float(event["start"]) == LIT[0] / FPS
    assert frames_of(out / "clips/0001.mp4") == 5 + 16 + 3
    assert json.loads((out / "about.json").read_text())["release"] == 0.95


def test_a_long_event_has_a_clip_that_ends(watch, film):
    out = watch(film, "--threshold", "-1", "--longest-clip", "2", "--before", "0")
    (event,) = rows(out / "events.csv")
    assert (event["first_frame"], event["last_frame"]) == ("0", "59")
    assert frames_of(out / "clips/0001.mp4") == 21


def test_too_short_is_no_event_and_without_clips_there_are_none(watch, film, capsys):
    out = watch(film, "--shortest", "1.6", "--clips", "false")
    assert rows(out / "events.csv") == []
    assert sorted(path.name for path in out.iterdir()) == ["about.json", "events.csv", "scores.csv"]
    assert "alarm" not in capsys.readouterr().out


def test_the_command_of_an_alarm_gets_the_clip(watch, film, tmp_path):
    script = tmp_path / "note it.py"
    script.write_text("import pathlib, sys\npathlib.Path('noted').write_text(repr(sys.argv[1:]))\nprint('rang')\n")
    command = f"{sys.executable} '{script}' {{clip}} 'n={{event}};$(touch no)' {{start}} {{threshold}}"
    out = watch(film, "--on-alarm", command)
    assert Path("noted").read_text() == repr(
        [str((out / "clips/0001.mp4").absolute()), "n=1;$(touch no)", "0:02", "1.0000"]
    )
    assert not Path("no").exists()
    assert (out / "on_alarm.log").read_text() == "rang\n"


def test_a_command_that_fails_is_told_and_ends_nothing(watch, film, capsys):
    out = watch(film, "--on-alarm", f"{sys.executable} -c 'raise SystemExit(3)' {{clip}}")
    said = capsys.readouterr().out
    assert "--on-alarm failed for event 1 with status 3" in said
    assert "Failed: 1 command of --on-alarm" in said
    assert len(rows(out / "scores.csv")) == 60


def test_the_threshold_for_a_rate_of_false_alarms(watch, film, tmp_path, capsys):
    normal = write_video(tmp_path / "quiet.mp4", 80, [(n, n + 2) for n in range(5, 80, 15)])
    out = watch(film, "--false-alarms-per-hour", "1400", "--normal", str(normal), "--gap", "0")
    about = json.loads((out / "about.json").read_text())
    assert about["threshold"] > 1.5  # there are five equal ones, and only three may be
    assert about["normal"]["events"] <= 3
    assert about["normal"]["hours"] == 0.0022
    assert "above which 0.00222 hours of normal video have" in capsys.readouterr().out


def test_what_was_held_out_is_normal_and_mostly_too_little(watch, film, capsys):
    with pytest.raises(SystemExit) as ended:
        watch(film, "--false-alarms-per-hour", "1")
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "the normal video held out of the training lasts 2.4 seconds, and 3.0 hours are needed" in said
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--threshold", "1", "--false-alarms-per-hour", "1"], "give one of them"),
        (["--normal", "a.mp4"], "--normal: is for --false-alarms-per-hour"),
        (["--release", "2.5"], "release = 2.5: an event would end where it begins"),
        (["--on-alarm", "no-such-program {clip}"], "there is no program 'no-such-program'"),
        (["--on-alarm", "echo {clop}"], "{clop} is not known; there are {clip}, {event}"),
        (["--on-alarm", "echo '{clip}"], "No closing quotation; close what is quoted"),
        (["--on-alarm", "echo {clip}", "--clips", "false"], "names {clip}, but --clips is false"),
        (["--before", "-1"], "--before -1: give seconds"),
        (["--follow", "0"], "--follow 0: give seconds above 0"),
        (["--page", "70000"], "--page 70000: cannot listen at 127.0.0.1"),
    ],
)
def test_mistakes_are_told_in_one_sentence(watch, film, words, said, capsys):
    with pytest.raises(SystemExit) as ended:
        watch(film, *words)
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert said in told
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nowhere.mp4", "--source nowhere.mp4: there is no such file"),
        ("gopher://host/x", "--source gopher://host/x: give an address of rtsp"),
        ("rtsp://me:secret@127.0.0.1:9/cam", "--source rtsp://***@127.0.0.1:9/cam: Connection refused. See that"),
    ],
)
def test_a_source_that_is_not_there_is_told_without_its_password(watch, source, said, capsys):
    with pytest.raises(SystemExit) as ended:
        watch(source)
    told = capsys.readouterr()
    assert ended.value.code == 2
    assert said in told.err
    assert "secret" not in told.err + told.out
    assert not Path("out").exists()


def test_other_systems_are_told_what_can_watch(tmp_path):
    film = tmp_path / "a.mp4"
    film.touch()
    trainer = WatchingTrainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    with pytest.raises(InputError, match="ImageFolderDataModule cuts no windows out of live video, so that Brightness"):
        trainer.watch(Brightness(), ImageFolderDataModule(), source=str(film))


def test_words_are_taken_as_they_are_typed():
    assert as_parsed(["watch", "0", "--normal", "a.mp4", "b c.mp4", "--real-time", "--on-alarm", "x {clip}"]) == [
        "watch",
        "--source",
        "0",
        '--normal=["a.mp4", "b c.mp4"]',
        "--real_time=true",
        "--on_alarm",
        "x {clip}",
    ]
    assert as_parsed(["watch", "--false-alarms-per-hour=2", "--real-time=false"]) == [
        "watch",
        "--false_alarms_per_hour=2",
        "--real_time=false",
    ]
    assert shown("--source=rtsp://a:b@c/d?key=1") == "--source=rtsp://***@c/d?***"
    assert shown("rtsp://a:b@c/d") == "rtsp://***@c/d"
    assert shown("--out=x") == "--out=x"


def test_help_lists_its_options(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["watch", "--help"])
    said = capsys.readouterr().out
    assert not ended.value.code
    assert all(option in said for option in ("--source", "--false-alarms-per-hour", "--on-alarm", "--page", "--follow"))


def test_asked_to_end_it_finishes_what_is_open(watch, film, capfd):
    """The film lasts six seconds, and the light goes on in the second."""

    def ask():
        table = Path("out/scores.csv")
        while not table.exists() or table.read_text().count("\n") < 24:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    asking = threading.Thread(target=ask)
    asking.start()
    out = watch(film, "--real-time")
    asking.join()
    said = capfd.readouterr()
    scored = rows(out / "scores.csv")
    assert 24 <= len(scored) < 50
    (event,) = rows(out / "events.csv")
    assert int(event["first_frame"]) == LIT[0]
    assert event["last_frame"] == str(min(LIT[1], len(scored) - 1))
    assert frames_of(out / event["clip"]) == len(scored)
    about = json.loads((out / "about.json").read_text())
    assert (about["finished"], about["frames"], about["events"]) == (True, len(scored), 1)
    assert "the watch ends, with what is open finished; once more ends it at once" in said.err
    assert f"{len(scored)} frames scored, 0 dropped, 1 event" in said.out


def test_an_error_leaves_what_there_was_and_says_that_it_is_not_all(watch, film, monkeypatch):
    take, calls = Alarms.take, []

    def fails(self, frames, is_end):
        calls.append(frames)
        if len(calls) == 6:
            raise ZeroDivisionError
        take(self, frames, is_end)

    monkeypatch.setattr(Alarms, "take", fails)
    with pytest.raises(ZeroDivisionError):
        watch(film)
    about = json.loads(Path("out/about.json").read_text())
    assert not about["finished"]
    assert 0 < len(rows(Path("out/scores.csv"))) < 60
    (event,) = rows(Path("out/events.csv"))
    assert frames_of(Path("out") / event["clip"]) > 0


def test_a_full_disk_ends_no_watch(watch, film, monkeypatch, capsys):
    """The tables cannot grow, and no clip can be begun: alarms ring all the same, and it is said what is missing."""
    write, fails = os.write, [False]

    def full(file, data):
        if fails[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fails[0] = bytes(data).startswith(b"name,first") or bytes(data).startswith(b"name,start")
        return write(file, data)

    def no_clip(*_):
        raise DiskError("cannot be written", "No space left on device")

    monkeypatch.setattr("fulgurite.live.table.os.write", full)
    monkeypatch.setattr("fulgurite.live.clips.VideoWriter", no_clip)
    out = watch(
        film, "--on-alarm", f"{sys.executable} -c \"import sys; open('rang', 'w').write(repr(sys.argv))\" {{clip}}"
    )
    said = capsys.readouterr().out
    assert said.count("No space left on device. The watch goes on without it") == 3
    assert "alarm 1 at 0:02" in said
    assert Path("rang").read_text() == "['-c', '']"
    assert "Failed: 61 rows of the tables not written, 1 clip not written" in said
    assert json.loads((out / "about.json").read_text())["rows_lost"] == 61
    assert (out / "scores.csv").read_text() == "name,frame,time,score,anomalous\n"
