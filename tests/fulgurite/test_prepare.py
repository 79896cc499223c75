"""The verb prepare, by the real command on small data of every kind; its promise is held against fit itself."""

import shlex
import shutil
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from datamodules import decode_cache
from fulgurite.cli import main
from tests.docs.document_commands import commands_of
from tests.docs.small_worlds import aitex, clips, parts, pictures, videos

pytestmark = pytest.mark.filterwarnings("ignore")

SMALL = {
    "vta_gan": ["--config", "vta_gan/smoke"],
    "aitex_vae": ["--config", "aitex_vae/smoke"],
    "motor_vae_gan": ["--config", "motor_vae_gan/smoke"],
    "cnn_param_tanh": ["--config", "cnn_param_tanh/smoke"],
    "audio_to_video": ["--config", "audio_to_video/smoke"],
}


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """Small data of every kind, made once."""
    folder = tmp_path_factory.mktemp("worlds")
    for make in (videos, parts, aitex, pictures, clips):
        make(folder / make.__name__)
    return folder


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("FULGURITE_CACHE", str(tmp_path / "cache"))
    return tmp_path


def prepared(capsys, *words):
    main(["prepare", *map(str, words)])
    return capsys.readouterr().out


def refused(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main(["prepare", *map(str, words)])
    assert end.value.code == 2
    said = capsys.readouterr()
    assert "Next:" not in said.out
    return said.err[said.err.index("error: ") :]


def rows(said):
    """The table's cells: by its columns, and by what is counted."""
    lines = [line for line in said.splitlines() if line[:1] in "│┃" and line]
    cells = [[cell.strip() for cell in line[1:-1].replace("┃", "│").split("│")] for line in lines]
    return {head: {row[0]: row[number] for row in cells[1:]} for number, head in enumerate(cells[0]) if head}


def untouched(workplace):
    """That nothing was begun but data, pictures of them and the cache."""
    return {path.name for path in workplace.iterdir()} <= {"cache", "prepared", "data"}


def test_videos(worlds, capsys, workplace):
    said = prepared(capsys, worlds / "videos", *SMALL["vta_gan"])
    assert f"{worlds / 'videos'}: data for vta_gan, read as plain" in said
    found = rows(said)
    assert (found["trained on"]["clips"], found["held out"]["clips"], found["tested"]["clips"]) == ("3", "1", "2")
    assert (found["tested"]["frames"], found["tested"]["anomalous frames"]) == ("48", "24")
    assert found["tested"]["names"] == "0"  # the next below it
    assert f"Next: lightning fit --config vta_gan --data.source {worlds / 'videos'} --config vta_gan/smoke" in said
    shown = cv2.imread("prepared/videos.png")
    assert min(shown.shape[:2]) > 190
    assert untouched(workplace)


@pytest.mark.slow
def test_labels_that_do_not_fit_their_clips_are_told(worlds, capsys, workplace):
    shutil.copytree(worlds / "videos", "mine")
    with Path("mine/test/labels.csv").open("a") as table:
        table.write("0,20,400\n")
    assert "the span from frame 20 up to 400" in refused(capsys, "mine", *SMALL["vta_gan"])
    assert not Path("prepared").exists()


@pytest.mark.slow
def test_a_clip_that_cannot_be_decoded_is_told(worlds, capsys):
    shutil.copytree(worlds / "videos", "mine")
    Path("mine/test/1.mp4").write_bytes(b"no film")
    assert "mine/test/1.mp4" in refused(capsys, "mine", *SMALL["vta_gan"])


def test_parts_of_an_archive_with_masks(worlds, capsys, workplace):
    with tarfile.open("fabric.tar.xz", "w:xz") as archive:
        archive.add(worlds / "aitex", "aitex-1.0/aitex")
    said = prepared(capsys, "fabric.tar.xz", "--layout", "aitex", *SMALL["aitex_vae"])
    assert "Unpacked: data/fabric\n" in said
    assert "data/fabric/aitex-1.0/aitex: data for aitex_vae, read as AITEX" in said
    found = rows(said)
    assert (found["tested"]["defective"], found["tested"]["with masks"], found["tested"]["groups"]) == ("4", "4", "2")
    shown = cv2.imread("prepared/aitex.png").astype(int)
    red = (shown[..., 2] - shown[..., 0] > 100).sum()
    assert red > 50  # what the mask marks of the last picture


@pytest.mark.slow
def test_a_mask_of_another_size_is_told(worlds, capsys):
    shutil.copytree(worlds / "parts", "mine")
    cv2.imwrite("mine/masks/scratch/1.png", np.full((10, 10), 255, np.uint8))
    said = refused(capsys, "mine", "--experiment", "aitex_vae", *SMALL["aitex_vae"])
    assert "mine/masks/scratch/1.png: measures 10x10, its picture" in said


@pytest.mark.parametrize("experiment", ["motor_vae_gan", pytest.param("cnn_param_tanh", marks=pytest.mark.slow)])
def test_fit_begins_where_it_ends_and_decodes_nothing_again(experiment, worlds, capsys, monkeypatch):
    said = prepared(capsys, worlds / "pictures", "--experiment", experiment, *SMALL[experiment])
    found = rows(said)
    assert sum(int(row["pictures"]) for row in found.values()) == 60
    command = said.rpartition("Next: lightning ")[2]

    def decodes(*_):
        raise AssertionError("decoded once more")

    monkeypatch.setattr(decode_cache, "_make", decodes)
    if experiment == "motor_vae_gan":
        main([*shlex.split(command), "--trainer.fast_dev_run", "1"])
    else:
        assert prepared(capsys, worlds / "pictures", "--experiment", experiment, *SMALL[experiment]) == said


@pytest.mark.slow
def test_sound(worlds, capsys, monkeypatch):
    words = [worlds / "clips", "--experiment", "audio_to_video", *SMALL["audio_to_video"]]
    found = rows(prepared(capsys, *words, "--picture", "one.png"))
    assert sum(int(row["clips"]) for row in found.values()) == 8
    assert all(int(row["seconds"]) >= 3 for row in found.values())
    assert cv2.imread("one.png") is not None
    monkeypatch.setattr(decode_cache, "_make", None)
    prepared(capsys, *words)


def test_what_several_can_be_trained_on_is_asked(worlds, capsys):
    said = refused(capsys, worlds / "pictures")
    assert "choose one by --experiment aitex_vae or motor_vae_gan or cnn_param_tanh" in said
    assert "is read as flat" in refused(capsys, worlds / "pictures", "--layout", "mvtec")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "there is no such folder or archive"),
        (["SOURCE", "--to", "x"], "is no archive, and stays where it is; leave --to out"),
        (["SOURCE", "--data.source", "x"], "the source is the first word"),
        (["SOURCE", "--wandb.mode", "online"], "one process prepares"),
        (["SOURCE", "another"], "a second source; give one"),
        *(
            pytest.param(["SOURCE", "--experiment", "vta_gan", *words], said, marks=pytest.mark.slow)
            for words, said in (
                (["--data.image_sise", "64"], "image_size"),
                (["--data.batch_size", "100000"], "data.batch_size"),
                (["--data.num_frames", "100"], "has 24 frames, a window of"),
                (["--trainer.gradient_clip_val", "1"], "gradient_clip_val"),
                (["--run.root", __file__], "no folder can be made in"),
            )
        ),
    ],
)
def test_what_fit_would_refuse_is_refused(words, said, worlds, capsys, workplace):
    assert said in refused(capsys, *(worlds / "videos" if word == "SOURCE" else word for word in words))
    assert untouched(workplace)


def test_the_source_comes_first(worlds, capsys):
    with pytest.raises(SystemExit) as end:
        main(["prepare", "--config", "vta_gan/smoke", str(worlds / "videos")])
    assert end.value.code == 2
    assert "SOURCE comes first" in capsys.readouterr().err


@pytest.mark.slow
def test_nothing_to_test_on_is_said(worlds, capsys):
    shutil.copytree(worlds / "videos/train", "mine/train")
    said = prepared(capsys, "mine", *SMALL["vta_gan"])
    assert "Nothing to test on" in said
    assert rows(said).keys() == {"trained on", "held out"}
    words = ("--experiment", "motor_vae_gan", *SMALL["motor_vae_gan"], "--data.test_fraction", "0")
    assert "Nothing to test on" in prepared(capsys, str(worlds / "pictures"), *words)


@pytest.mark.parametrize("document", ["docs/prepare.md", "docs/runs.md", "docs/doctor.md"])
def test_the_options_in_the_documents_are_known(document, capsys):
    commands = [command.own for command in commands_of(document) if command.own]
    assert commands
    for words in commands:
        if words[0] in ("prepare", "runs", "doctor"):
            verb = words[:2] if words[:2] == ["runs", "clean"] else words[:1]
            with pytest.raises(SystemExit) as end:
                main([*verb, "--help"])
            assert not end.value.code
            said = capsys.readouterr().out
            assert [word for word in words if word.startswith("--") and word not in said] == []
