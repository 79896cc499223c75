"""Latent vectors, reconstructions and samples from Python are those of the command."""

import csv

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.neighbors import NearestNeighbors

import fulgurite
from callbacks.file_names import cell
from datamodules.errors import InputError
from datamodules.picture_file import read_picture
from fulgurite.cli import main
from fulgurite.python.inputs import picture_of
from tests.docs.small_worlds import picture


@pytest.fixture(scope="module")
def world(trained, tmp_path_factory):
    """A run, and a folder of pictures of other sizes."""
    folder = tmp_path_factory.mktemp("new")
    for number in range(5):
        picture(folder / f"{number}.png", 70 + number)
    pixels = read_picture(folder / "4.png", 3)
    cv2.imwrite(str(folder / "4.png"), pixels[:30, :, ::-1])
    return trained("motor_vae_gan"), folder


@pytest.fixture(scope="module")
def model(world):
    return fulgurite.load(world[0], device="cpu")


def pixels_of(pictures):
    return (255 * pictures).round().astype(np.uint8).squeeze(-1)


def test_vectors_and_reconstructions_are_those_of_the_command(world, model, predict):
    run, folder = world
    written = predict(run, folder) / folder.name
    embedded, shown = model.embed(folder), model.reconstruct(folder)
    assert embedded.name == shown.name == tuple(f"{number}.png" for number in range(5))
    np.testing.assert_array_equal(embedded.vector, np.load(written / "latents.npy"))
    np.testing.assert_array_equal(shown.vector, embedded.vector)
    assert np.ptp(embedded.vector, axis=0).min() > 0
    with (written / "scores.csv").open() as file:
        rows = [*csv.DictReader(file)]
    assert [row["psnr"] for row in rows] == [str(cell(value)) for value in shown.psnr]
    assert [row["kl"] for row in rows] == [str(cell(value)) for value in shown.kl]
    for kind, pictures in (("inputs", shown.picture), ("reconstructions", shown.reconstructed)):
        files = [cv2.imread(str(written / kind / f"{name}.png"), cv2.IMREAD_UNCHANGED) for name in shown.name]
        np.testing.assert_array_equal(np.stack(files), pixels_of(pictures))


def test_pictures_in_memory_are_embedded_like_their_files(world, model):
    of_files = model.embed(world[1]).vector
    files = [world[1] / f"{number}.png" for number in range(5)]
    arrays = [read_picture(path, 3) for path in files]
    for given in (files, arrays, iter(arrays), [torch.from_numpy(one).permute(2, 0, 1) for one in arrays]):
        np.testing.assert_array_equal(model.embed(given).vector, of_files)
    np.testing.assert_array_equal(model.embed([*map(Image.open, files)]).vector, of_files)
    np.testing.assert_allclose(model.embed(arrays[1]).vector, of_files[1:2], atol=1e-5)
    np.testing.assert_allclose(model.embed(np.stack(arrays[:4])).vector, of_files[:4], atol=1e-5)


@pytest.mark.parametrize("words", [{"model.latent_dim": 3}, {"model.adversarial": "bce"}])
def test_what_the_weights_depend_on_is_refused_in_the_words_of_python(words, world):
    with pytest.raises(InputError, match=r"Leave it out of settings$"):
        fulgurite.load(world[0], settings=words)


def test_a_picture_that_cannot_be_written_to_is_copied():
    own, pillows = np.zeros((4, 5, 3), np.uint8), np.asarray(Image.new("RGB", (5, 4)))
    assert np.shares_memory(picture_of(own, "it"), own)
    assert not pillows.flags.writeable
    assert picture_of(pillows, "it").flags.writeable  # else torch warns of it


@pytest.mark.slow
def test_another_precision_is_that_of_the_command(world, predict):
    words = {"trainer.precision": "bf16-mixed", "data.eval_batch_size": 3}
    written = predict(*world, *(f"--{key}={value}" for key, value in words.items())) / world[1].name
    vectors = fulgurite.load(world[0], settings=words).embed(world[1]).vector
    np.testing.assert_array_equal(vectors, np.load(written / "latents.npy"))
    assert (vectors != fulgurite.load(world[0]).embed(world[1]).vector).any()


@pytest.mark.gpu
def test_a_gpu_answers_nearly_the_same(world, model):
    on_gpu = fulgurite.load(world[0], device="cuda")
    assert on_gpu.device.type == "cuda"
    np.testing.assert_allclose(on_gpu.embed(world[1]).vector, model.embed(world[1]).vector, atol=1e-2)
    np.testing.assert_allclose(on_gpu.sample(3).picture, model.sample(3).picture, atol=1e-2)


def test_scikit_learn_takes_what_is_embedded(world, model):
    embedded = model.embed(world[1])
    near = NearestNeighbors(n_neighbors=1).fit(embedded).kneighbors(embedded, return_distance=False)
    assert near[:, 0].tolist() == [*range(5)]
    assert np.asarray(embedded, np.float64).shape == (len(embedded), model.module.latent_dim)


@pytest.mark.parametrize("sampler", ["prior", "gaussian"])
def test_samples_are_those_of_the_command(world, model, tmp_path, sampler):
    words = ["--count", "18", "--seed", "3", "--sampler", sampler, "--output", str(tmp_path / "drawn")]
    main(["sample", "--run", str(world[0]), *words])
    drawn = model.sample(18, seed=3, sampler=sampler)
    np.testing.assert_array_equal(drawn.vector, np.load(tmp_path / "drawn/latents.npy"))
    files = [cv2.imread(str(tmp_path / f"drawn/{number:04d}.png"), cv2.IMREAD_UNCHANGED) for number in range(18)]
    np.testing.assert_array_equal(np.stack(files), pixels_of(drawn.picture))
    assert drawn.clip is None
    few = model.sample(2, seed=3, sampler=sampler).vector
    np.testing.assert_allclose(few, drawn.vector[:2], rtol=1e-5, atol=1e-6)  # products of other batches round otherwise


def test_what_cannot_be_embedded_is_told_in_one_sentence(world, model, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    for given, said in (
        ([], "no picture is given"),
        (np.zeros((4, 4), np.int64), "picture 0: int64 (4, 4); give bytes"),
        (tmp_path / "broken.png", "unreadable picture"),
        ([tmp_path], "is a folder, in a list of pictures"),
        (Image.new("RGBA", (4, 4)), 'is of mode RGBA; give picture.convert("RGB")'),
    ):
        with pytest.raises(InputError) as told:
            model.embed(given)
        assert said in str(told.value)
    with pytest.raises(InputError, match="count: is 0; give at least 1"):
        model.sample(0)
    with pytest.raises(fulgurite.NotOffered, match="MotorVAEGAN draws pictures and no clips"):
        model.sample(1, clips=True)
