import csv
import json
import os

import numpy as np
import pytest
import scipy.linalg
import torch
import torch.multiprocessing as multiprocessing
from lightning.pytorch import LightningModule, Trainer
from sklearn.metrics.pairwise import pairwise_distances, polynomial_kernel
from sklearn.neighbors import NearestNeighbors
from torch.utils.data import DataLoader
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from callbacks import Checkpoints, ImageMetrics
from callbacks.images.feature_extractor import INCEPTION_FILE, InceptionFeatures, RandomConvFeatures
from callbacks.images.sample_quality import Spread, frechet_distance, kernel_distance, precision_and_recall
from callbacks.results import read_results
from datamodules.batches import Reconstructions
from datamodules.errors import InputError

RESULTS = "results/dataloader/results.json"
SCORES = "results/dataloader/scores.csv"

D = 5


def pictures(count=23, channels=1, seed=0):
    """Discs of random place, size and brightness."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:16, :20]
    made = []
    for _ in range(count):
        y, x, r, light = random.uniform([4, 4, 2, 0.4], [12, 16, 5, 1])
        made.append(np.where((rows - y) ** 2 + (columns - x) ** 2 < r**2, light, 0.1))
    images = (torch.tensor(np.stack(made)) * 255).round().float() / 255
    return images[:, None].expand(-1, channels, -1, -1)


def rows(count=23, channels=1):
    """One Reconstructions of a single picture each, the same whatever the batch."""
    images, random = pictures(count, channels), torch.Generator().manual_seed(1)
    reconstructed = (images + 0.1 * torch.randn(images.shape, generator=random)).clamp(0, 1)
    mean = torch.randn(count, D, generator=random) * torch.tensor([1.0, 1.0, 0.05, 0.3, 0.0])
    kl = torch.rand(count, D, generator=random)
    return [
        Reconstructions(
            [f"{n}.png"], torch.tensor([n]), images[n : n + 1], reconstructed[n : n + 1], mean[n : n + 1], kl[n : n + 1]
        )
        for n in range(count)
    ]


def join(parts):
    tensors = ("index", "images", "reconstructed", "mean", "kl")
    return Reconstructions(
        [name for part in parts for name in part.name],
        *(torch.cat([getattr(part, key) for part in parts]) for key in tensors),
    )


def loader(made, batch_size=7):
    return DataLoader(made, batch_size=batch_size, collate_fn=join)


class Replay(LightningModule):
    """Returns recorded reconstructions; decodes by a fixed rule."""

    latent_dim = D

    def __init__(self, contrast=0.1):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.contrast, self.decoded = contrast, []

    def decode(self, z):
        assert not self.training
        self.decoded.append(z.clone())
        ramp = torch.linspace(0, 1, 20).expand(16, 20)
        return (0.4 + self.contrast * z[:, :1, None, None] * ramp + self.contrast * z[:, 1:2, None, None]).clamp(0, 1)

    def training_step(self, batch, batch_idx):
        return self.weight * 1.0

    def validation_step(self, batch, batch_idx):
        return batch

    test_step = validation_step

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


def trainer(folder, *callbacks, **kwargs):
    return Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=list(callbacks),
        **({"enable_checkpointing": False} | kwargs),
    )


def scipy_frechet(real, fake):
    """The trace of the root through symmetric matrices only, where torchmetrics takes a general one's eigenvalues."""
    first, second = np.cov(real.T), np.cov(fake.T)
    values, vectors = scipy.linalg.eigh(first)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    between = np.sqrt(scipy.linalg.eigvalsh(root @ second @ root).clip(0)).sum()
    shift = real.mean(0) - fake.mean(0)
    return shift @ shift + np.trace(first + second) - 2 * between


def sklearn_kernel(real, fake):
    """Unbiased squared MMD, written out."""
    m, width = len(real), real.shape[1]
    inner = sum(
        (k.sum() - np.trace(k)) / (m * (m - 1))
        for k in (polynomial_kernel(side, degree=3, gamma=1 / width, coef0=1) for side in (real, fake))
    )
    return inner - 2 * polynomial_kernel(real, fake, degree=3, gamma=1 / width, coef0=1).mean()


def share_among(these, those):
    """The share of rows that lie no further from one of the others than this one's third nearest, by scikit-learn."""
    reach = NearestNeighbors(n_neighbors=4).fit(those).kneighbors(those)[0][:, -1]  # the first is the row itself
    return (pairwise_distances(these, those) <= reach).any(1).mean()


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_test_writes_what_the_references_say(tmp_path, batch_size, capsys):
    model, made = Replay(), rows()
    with pytest.warns(UserWarning, match="64 features and the test split only 23 pictures"):
        logged = trainer(tmp_path, ImageMetrics()).test(model, loader(made, batch_size))[0]
    results, whole = json.loads((tmp_path / RESULTS).read_text()), join(made)
    samples = Replay().eval().decode(torch.cat(model.decoded))
    assert len(samples) == 23
    assert all(len(z) <= batch_size for z in model.decoded)
    extract = RandomConvFeatures()
    real, fake = extract(whole.images).double().numpy(), extract(samples).double().numpy()
    average = whole.images.mean(0, keepdim=True).expand_as(whole.images)
    repeated = extract(average).double().numpy()
    pixels = [a.double().flatten(1).numpy() for a in (samples, whole.images)]
    spread = [np.sqrt(np.mean([(a - b) ** 2 for a in one for b in one if a is not b])) for one in map(list, pixels)]
    expected = {
        "psnr": float(peak_signal_noise_ratio(whole.reconstructed, whole.images, data_range=1.0)),
        "ssim": float(structural_similarity_index_measure(whole.reconstructed, whole.images, data_range=1.0)),
        "kl": float(whole.kl.sum(1).mean()),
        "active_units": 3.0,
        "fid_random_conv": scipy_frechet(real, fake),
        "kid_random_conv": sklearn_kernel(real, fake),
        "sample_diversity": spread[0] / spread[1],
        "psnr_mean_picture": float(peak_signal_noise_ratio(average, whole.images, data_range=1.0)),
        "pairwise_distance_pictures": spread[1],
        "fid_random_conv_mean_picture": scipy_frechet(real, repeated),
        "kid_random_conv_mean_picture": sklearn_kernel(real, repeated),
        "kid_random_conv_halves": kernel_distance(torch.tensor(real[:-1:2]), torch.tensor(real[1::2])),
        "precision_random_conv": share_among(fake, real),
        "recall_random_conv": share_among(real, fake),
        "precision_random_conv_halves": share_among(real[1::2], real[:-1:2]),
        "recall_random_conv_halves": share_among(real[:-1:2], real[1::2]),
    }
    found = results["metrics"]
    assert not [name for name, value in expected.items() if found[name] != pytest.approx(value, rel=1e-5, abs=1e-6)]
    assert "fid_random_conv_halves" not in found  # of half as many pictures: larger, whatever they show
    assert logged["test/fid_random_conv"] == pytest.approx(found["fid_random_conv"], rel=1e-6)
    assert "test/fid_random_conv_mean_picture" not in logged
    assert results["counts"] == {"pictures": 23, "samples": 23, "latent_dim": D}
    dimensions = results["groups"]["dimension"]
    assert [one["kl"] for one in dimensions.values()] == pytest.approx(whole.kl.mean(0).tolist())
    assert list(dimensions) == [str(number) for number in range(D)]
    assert results["undefined"] == {}
    assert read_results(tmp_path) == results
    table = list(csv.DictReader((tmp_path / SCORES).open()))
    assert [row["name"] for row in table] == whole.name
    each = [
        float(peak_signal_noise_ratio(r, i, data_range=1.0))
        for r, i in zip(whole.reconstructed, whole.images, strict=True)
    ]
    np.testing.assert_allclose([float(row["psnr"]) for row in table], each, rtol=1e-5)
    assert "mean picture" in capsys.readouterr().out


def test_validation_decodes_the_same_samples_and_the_test_others(tmp_path, recwarn):
    model, made = Replay(), rows()
    judge = ImageMetrics()
    run = trainer(
        tmp_path,
        judge,
        Checkpoints(),
        max_epochs=2,
        enable_checkpointing=True,
    )
    run.fit(model, DataLoader(torch.zeros(2, 1)), loader(made, 100))
    first, second = model.decoded  # the sanity check drew none
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert json.loads((tmp_path / "checkpoints/index.json").read_text())["best"]["epoch"] == 0
    assert "val/fid_random_conv" in run.progress_bar_metrics
    assert set(judge.logged(model)) == set(run.callback_metrics)
    assert json.loads((tmp_path / "checkpoints/index.json").read_text())["best"]["monitor"] == "val/fid_random_conv"
    assert sum("only 23 pictures" in str(warning.message) for warning in recwarn) == 1
    assert not (tmp_path / "results").exists()
    trainer(tmp_path, ImageMetrics()).test(model, loader(made, 100))
    assert not torch.equal(model.decoded[2], first)


class Draws(Replay):
    """Draws from two places; a third has too little behind it."""

    sampler, samplers = "gaussian", ("prior", "gaussian", "mixture")

    def latents(self, noise, sampler=None):
        return noise if sampler == "prior" else 3 + noise

    def can_draw(self, sampler):
        return sampler != "mixture"


@pytest.mark.filterwarnings("ignore:fid_random_conv has 64 features")
def test_a_test_judges_every_way_to_draw_samples(tmp_path):
    prior, own = Replay(), Draws()
    from_prior = trainer(tmp_path / "prior", ImageMetrics()).test(prior, loader(rows()), verbose=False)[0]
    trainer(tmp_path / "own", ImageMetrics()).test(own, loader(rows()), verbose=False)
    found = read_results(tmp_path / "own" / RESULTS)["metrics"]
    for name in ("fid_random_conv", "kid_random_conv"):
        assert found[f"{name}_from_prior"] == pytest.approx(from_prior[f"test/{name}"], rel=1e-6)
        assert found[name] > 2 * abs(found[f"{name}_from_prior"])
    assert not [name for name in found if name.endswith(("from_gaussian", "from_mixture"))]


def test_one_repeated_sample_has_no_diversity(tmp_path):
    with pytest.warns(UserWarning, match="only"):
        trainer(tmp_path, ImageMetrics()).test(Replay(contrast=0.0), loader(rows()))
    assert read_results(tmp_path)["metrics"]["sample_diversity"] == pytest.approx(0, abs=1e-6)


def test_a_single_picture_has_no_distances(tmp_path):
    callback = ImageMetrics()
    with pytest.warns(UserWarning, match=r"test has no value \(the split has a single picture\): .*fid_random_conv"):
        trainer(tmp_path, callback).test(Replay(), loader(rows(1)))
    results = json.loads((tmp_path / RESULTS).read_text())
    of_samples = {f"{kind}_random_conv" for kind in ("fid", "kid", "precision", "recall")}
    assert set(results["undefined"]) == {"active_units", "sample_diversity", *of_samples}
    assert "psnr" in results["metrics"]
    assert "fid_random_conv" not in results["metrics"]


def test_exact_reconstructions_have_no_psnr(tmp_path):
    exact = rows(4)
    for row in exact:
        row.reconstructed = row.images
    with pytest.warns(UserWarning, match="only"):
        trainer(tmp_path, ImageMetrics()).test(Replay(), loader(exact))
    assert json.loads((tmp_path / RESULTS).read_text())["undefined"] == {"psnr": "every reconstruction is exact"}


def test_a_reconstruction_that_is_no_number_is_named(tmp_path):
    made = rows(4)
    made[2].reconstructed = torch.full_like(made[2].images, float("nan"))
    with pytest.raises(ValueError, match=r"2\.png: 'squared_error' is not finite"):
        trainer(tmp_path, ImageMetrics()).test(Replay(), loader(made))


def test_what_cannot_be_judged_is_named(tmp_path):
    class Mute(Replay):
        decode = None

        def test_step(self, batch, batch_idx):
            return None

    with pytest.raises(RuntimeError, match=r"Mute\.test_step returned no Reconstructions"):
        trainer(tmp_path, ImageMetrics()).test(Mute(), loader(rows(2)))
    twice = [*rows(5), rows(5)[3]]
    with pytest.raises(RuntimeError, match="picture 3 of the split came more than once"):
        trainer(tmp_path, ImageMetrics()).test(Replay(), loader(twice))
    with pytest.raises(InputError, match="features is empty"):
        ImageMetrics(features=[])


def run_rank(rank, world, port, folder):
    os.environ.update(
        MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(world), LOCAL_RANK=str(rank)
    )
    torch.set_num_threads(1)
    run = trainer(folder, ImageMetrics(), strategy="ddp", devices=world)
    run.test(Replay(), loader(rows(), 2))


def test_two_processes_give_the_numbers_of_one(tmp_path, unused_port):
    with pytest.warns(UserWarning, match="only"):
        trainer(tmp_path / "one", ImageMetrics()).test(Replay(), loader(rows(), 2))
    multiprocessing.start_processes(run_rank, (2, unused_port, tmp_path / "two"), nprocs=2, start_method="fork")
    one, two = (json.loads((tmp_path / name / RESULTS).read_text()) for name in ("one", "two"))
    assert len(one["metrics"]) > 10
    assert two["metrics"] == pytest.approx(one["metrics"], rel=1e-6, abs=1e-9)
    assert two["counts"] == one["counts"]  # 23 pictures: the sampler has repeated one


@pytest.fixture
def unused_port():
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_distances_of_many_features_from_few_rows():
    random = np.random.default_rng(0)
    real, fake = random.normal(size=(30, 64)), random.normal(0.3, 1.5, size=(30, 64))
    assert frechet_distance(torch.tensor(real), torch.tensor(fake)) == pytest.approx(
        scipy_frechet(real, fake), rel=1e-4
    )
    assert frechet_distance(torch.tensor(real), torch.tensor(real)) == pytest.approx(0, abs=1e-4)
    assert kernel_distance(torch.tensor(real), torch.tensor(fake)) == pytest.approx(sklearn_kernel(real, fake))


def test_kernel_distance_of_large_sets_is_near_that_of_all(monkeypatch):
    random = np.random.default_rng(0)
    real, fake = torch.tensor(random.normal(size=(900, 8))), torch.tensor(random.normal(0.5, 1, size=(900, 8)))
    exact = sklearn_kernel(real.numpy(), fake.numpy())
    assert kernel_distance(real, fake) == pytest.approx(exact)
    assert kernel_distance(real, fake[::2]) == pytest.approx(exact, rel=0.1)
    monkeypatch.setattr("callbacks.images.sample_quality.MOST", 300)
    assert kernel_distance(real, fake) == pytest.approx(exact, rel=0.1)
    state = torch.get_rng_state()
    assert kernel_distance(real, fake) == kernel_distance(real, fake)
    torch.testing.assert_close(torch.get_rng_state(), state, rtol=0, atol=0)


def test_precision_and_recall_are_those_of_scikit_learn_and_tell_the_two_failures_apart(monkeypatch):
    random = np.random.default_rng(0)
    real, fake = torch.tensor(random.normal(size=(300, 8))), torch.tensor(random.normal(0.4, 0.8, size=(300, 8)))
    expected = share_among(fake.numpy(), real.numpy()), share_among(real.numpy(), fake.numpy())
    assert 0.1 < expected[1] < 0.9 < expected[0]
    assert precision_and_recall(real, fake) == pytest.approx(expected)
    same_picture = real[:1] + 1e-3 * torch.tensor(random.normal(size=(300, 8)))
    assert precision_and_recall(real, same_picture) == pytest.approx((1, 0), abs=0.01)
    scattered = 5 * torch.tensor(random.normal(size=(300, 8)))
    precision, recall = precision_and_recall(real, scattered)
    assert precision < 0.1 < 0.9 < recall
    monkeypatch.setattr("callbacks.images.sample_quality.MOST", 150)
    assert precision_and_recall(real, fake) == pytest.approx(expected, abs=0.1)


def test_spread_is_that_of_all_pairs():
    images = pictures(9)
    spread = Spread()
    spread.add(images[:4])
    spread.add(images[4:])
    flat = images.double().flatten(1)
    assert spread.pairwise_distance == pytest.approx(float((torch.pdist(flat).square().mean() / 320).sqrt()))
    torch.testing.assert_close(spread.mean, images.double().mean(0))


def test_random_features_are_fixed_and_tell_damage_from_none():
    images, extract = pictures(200, 3), RandomConvFeatures()
    features = extract(images)
    assert features.shape == (200, 64)
    assert not features.requires_grad
    torch.testing.assert_close(extract(images[:, :1]), features)  # grey is RGB of three equal channels
    torch.testing.assert_close(extract(torch.full((1, 3, 30, 40), 0.5)), torch.zeros(1, 64))
    # the same on every machine and in every version: numbers of different runs compare
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
    torch.testing.assert_close(extract(ramp)[0, :3], torch.tensor(RAMP), rtol=1e-4, atol=1e-5)
    blurred = [torch.nn.functional.avg_pool2d(images, size, 1, size // 2) for size in (3, 5, 9)]
    worse = [frechet_distance(features.double(), extract(one).double()) for one in blurred]
    assert 0 < worse[0] < worse[1] < worse[2]
    scrambled = images[:, :, torch.randperm(16, generator=torch.Generator().manual_seed(0))]
    assert frechet_distance(features.double(), extract(scrambled).double()) > worse[0]


RAMP = [0.43398127, -0.16335796, -1.13078999]


def test_inception_is_never_downloaded(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    with pytest.raises(InputError, match=f"not at {tmp_path}/checkpoints/{INCEPTION_FILE}"):
        trainer(tmp_path, ImageMetrics(features=["inception"])).test(Replay(), loader(rows(2)))
    with pytest.raises(InputError, match=r"inception_weights is /no/such\.pth: there is no such file"):
        InceptionFeatures("/no/such.pth")


def test_inception_is_used_where_it_is_there(tmp_path, monkeypatch, caplog):
    class Means(RandomConvFeatures):
        name = "inception"

        def __init__(self, weights):
            super().__init__()

    module = "callbacks.images.feature_extractor"
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    monkeypatch.setattr(f"{module}.InceptionFeatures", Means)

    def names(**given):
        callback = ImageMetrics(**given)
        callback.setup(None, None, "fit")
        return [extractor.name for extractor in callback._extractors]

    assert names() == ["random_conv"]
    assert f"Inception is left out: its weights are not at {tmp_path}/checkpoints" in caplog.text
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / INCEPTION_FILE).touch()
    assert names() == ["random_conv", "inception"]  # the first is the one that picks the best checkpoint
    assert "by Inception, whose weights are there" in caplog.text
    assert names(features=["random_conv"]) == ["random_conv"]
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"inception_weights is /no/such\.pth: there is no such file"):
        names(inception_weights="/no/such.pth")


def test_inception_is_a_file_without_code(tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(InputError, match=r"is refused|not a whole"):
        InceptionFeatures(str(tmp_path / "weights.pth"))


@pytest.mark.parametrize("channels", [1, 3])
def test_inception_is_shown_bytes_in_rgb(tmp_path, monkeypatch, channels):
    class Stub(torch.nn.Module):
        def __init__(self, *given):
            super().__init__()
            self.given, self.shown = given, []

        def forward(self, images):
            self.shown.append(images)
            return images.float().flatten(1)

    module, weights = "callbacks.images.feature_extractor", tmp_path / "weights.pth"
    torch.save({}, weights)
    monkeypatch.setattr(f"{module}.NoTrainInceptionV3", Stub)
    extract = InceptionFeatures(str(weights))
    assert extract.network.given == ("inception-v3-compat", ["2048"], str(weights))
    images = pictures(3, channels)
    extract(images.double() - 1e-4)  # rounded, not cut off
    (shown,) = extract.network.shown
    assert shown.dtype == torch.uint8
    assert torch.equal(shown, (images * 255).round().byte().expand(3, 3, 16, 20))
