"""``lightning export`` and ``lightning predict --engine onnx``, by the real command on the smallest system."""

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from callbacks.results import read_rows
from datamodules.picture_file import read_picture
from fulgurite.cli import main
from fulgurite.exports.about import fingerprint
from fulgurite.exports.files import open_program

RUN = Path("runs/motor_vae_gan/latest")
ENCODER, DECODER = (RUN / f"export/motor_vae_gan.{name}.onnx" for name in ("encoder", "decoder"))


def session(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def said(path):
    return {key: json.loads(text) for key, text in session(path).get_modelmeta().custom_metadata_map.items()}


def predict(*words):
    shutil.rmtree(RUN / "predictions", ignore_errors=True)
    main(["predict", "pictures", "--run", str(RUN), *words])
    folder = RUN / "predictions/pictures"
    rows = [[float(row[name]) for name in ("psnr", "kl")] for row in read_rows(folder / "scores.csv")]
    drawn = np.stack([read_picture(path, 3) for path in sorted(folder.glob("reconstructions/*.png"))])
    return sorted(path.name for path in folder.rglob("*")), np.array(rows), np.load(folder / "latents.npy"), drawn


def test_a_prediction_by_the_files_writes_the_same(workplace):
    names, rows, latents, drawn = predict()
    other_names, other_rows, other_latents, other_drawn = predict("--engine", "onnx")
    assert other_names == names
    assert len(drawn) == 40
    np.testing.assert_allclose(other_latents, latents, atol=1e-4)
    np.testing.assert_allclose(other_rows, rows, rtol=1e-4)
    assert np.abs(other_drawn.astype(int) - drawn).max() <= 1


def test_the_files_take_any_number_of_pictures_and_hold_the_averaged_weights(workplace):
    checkpoint = torch.load(RUN / "checkpoints/best.ckpt", weights_only=True)
    averaged = checkpoint["weight_average"]["average"]["vae.decoder.to_image.bias"]
    assert not torch.equal(averaged, checkpoint["state_dict"]["vae.decoder.to_image.bias"])
    z = np.random.default_rng(0).normal(size=(7, 8)).astype(np.float32)
    (pictures,) = session(DECODER).run(None, {"z": z})
    assert pictures.shape == (7, 1, 32, 32)
    assert pictures.min() > 0 > pictures.max() - 1
    (alone,) = session(DECODER).run(["pictures"], {"z": z[:1]})
    np.testing.assert_allclose(alone, pictures[:1], atol=1e-6)
    mean, kl = session(ENCODER).run(["mean", "kl"], {"images": np.zeros((3, 1, 32, 32), np.uint8)})
    assert mean.shape == kl.shape == (3, 8)


def test_the_files_say_what_they_are(workplace):
    about = said(ENCODER)
    assert about["system"] == "MotorVAEGAN"
    assert about["graph"] == "encoder"
    assert about["checkpoint_fingerprint"] == fingerprint(RUN / "checkpoints/best.ckpt")
    assert about["preparation"]["image_size"] == [32, 32]
    assert about["inputs"][0]["shape"] == ["batch", 1, 32, 32]
    assert about["outputs"][0]["shape"] == ["batch", 8]
    assert about["versions"].keys() >= {"torch", "fulgurite"}
    assert 0 < max(about["largest_difference"].values()) <= about["tolerance"] == 1e-3
    assert {"commit", "date", "normalisation", "picture_shape", "latent_dim"} <= about.keys()
    assert said(DECODER)["inputs"][0]["name"] == "z"


def test_files_of_other_weights_are_not_used(workplace, refused):
    whole = ENCODER.read_bytes()
    try:
        ENCODER.unlink()
        missing = refused("predict", "pictures", "--run", str(RUN), "--engine", "onnx")
        assert "there is no" in missing
        assert "lightning export" in missing
        ENCODER.write_bytes(whole[:1000])
        assert "no whole ONNX file" in refused("predict", "pictures", "--run", str(RUN), "--engine", "onnx")
        ENCODER.write_bytes(whole.replace(fingerprint(RUN / "checkpoints/best.ckpt").encode(), b"0" * 32))
        stale = refused("predict", "pictures", "--run", str(RUN), "--engine", "onnx")
        assert "is of another checkpoint" in stale
    finally:
        ENCODER.write_bytes(whole)


@pytest.mark.slow
def test_a_file_that_answers_otherwise_is_not_kept(workplace, refused, monkeypatch):
    """The decoder's last layer is changed between its capture and the comparison."""

    def changed(content, graph):
        with torch.no_grad():
            graph.module.vae.decoder.to_image.bias.add_(0.1)
        return open_program(content, graph)

    monkeypatch.setattr("fulgurite.exports.writing.open_program", changed)
    words = ["export", str(RUN), "--format", "torch_export", "--out", "strict.pt2"]
    told = refused(*words)
    assert "answers otherwise than the network, reconstructed by 0.0" in told
    assert "0.001 is allowed" in told
    assert not [*Path().glob("strict*")]
    main([*words, "--tolerance", "0.5"])
    assert len([*Path().glob("strict.*.pt2")]) == 2


def test_weights_that_are_no_numbers_are_refused(workplace, refused, tmp_path):
    checkpoint = torch.load(RUN / "checkpoints/best.ckpt", weights_only=True)
    checkpoint["weight_average"]["average"]["vae.decoder.to_image.bias"].fill_(torch.nan)
    torch.save(checkpoint, tmp_path / "broken.ckpt")
    told = refused("export", "--run", str(tmp_path / "broken.ckpt"), "--out", "broken.onnx")
    assert "to_image.bias holds values that are not finite" in told
    assert not [*Path().glob("broken*")]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["export", str(RUN), "--run", str(RUN)], "a second run, beside --run"),
        (["export", str(RUN), "--out", "a.pt2"], "--out a.pt2: a file of --format onnx ends in .onnx"),
        (["export", str(RUN), "--tolerance", "0"], "--tolerance 0.0: give a number above 0"),
        (["export", str(RUN), "--trainer.precision", "bf16-mixed"], "trainer.precision = bf16-mixed: changes nothing"),
        (["export", str(RUN), "--format", "openvino"], "format = openvino: expected"),
        (["test", "pictures", "--run", str(RUN), "--engine", "onnx"], "engine = onnx: there is no such option"),
        (["predict", "pictures", "--run", str(RUN), "--engine", "tvm"], "engine = tvm: expected"),
        (
            ["predict", "pictures", "--run", str(RUN), "--engine", "onnx", "--trainer.precision", "bf16-mixed"],
            "--engine onnx computes on the processor in float32",
        ),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(workplace, refused, words, told):
    assert told in refused(*words)


@pytest.mark.parametrize(
    "words", [["export", str(RUN)], ["predict", "pictures", "--run", str(RUN), "--engine", "onnx"]]
)
def test_a_missing_extra_is_told_with_the_command_that_installs_it(workplace, refused, monkeypatch, words):
    find = importlib.util.find_spec
    monkeypatch.setattr("fulgurite.exports.files.find_spec", lambda name: None if name == "onnxruntime" else find(name))
    assert "needs the package onnxruntime, not installed here: pip install 'fulgurite[export]'" in refused(*words)
