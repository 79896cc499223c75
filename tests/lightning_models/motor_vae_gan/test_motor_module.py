"""motorVAEGAN as a whole: its losses against formulas, its step against a plain loop, its gate, what it shows."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from torch.nn import functional as F
from torch.utils.data import DataLoader

from datamodules.batches import ImageBatch
from datamodules.errors import InputError
from datamodules.seeding import derive_seed, global_seed
from lightning_models import MotorVAEGAN
from lightning_models.training.schedules import HoldThenLinear

SIZE = 32
SMALL = {"image_size": SIZE, "latent_dim": 6, "width": 2}
ORIGINAL = {
    "discriminator_norm": "batch",
    "adversarial": "bce",
    "sampler": "prior",
    "weights": {"adversarial": 0.25, "kl": 0.01},
}


def adam(parameters):
    return torch.optim.Adam(parameters, 1e-3)


def model(**changes):
    torch.manual_seed(0)
    return MotorVAEGAN(discriminator_optimizer=adam, generator_optimizer=adam, **{**SMALL, **changes})


def batch(count=4, size=SIZE, channels=1, seed=0):
    coarse = torch.rand(count, channels, 4, 4, generator=torch.Generator().manual_seed(seed))
    images = (F.interpolate(coarse, (size, size), mode="bilinear") * 255).byte()
    return ImageBatch(images, [f"{n}.png" for n in range(count)], torch.zeros(count).long(), torch.arange(count))


@pytest.fixture
def prepared():
    """A model outside of a trainer, and what its phases share."""

    def prepare(**changes):
        system = model(**changes)
        torch.manual_seed(1)
        return system, system.prepare(batch())

    return prepare


def fit(system, batches):
    torch.set_num_threads(1)
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(system, DataLoader(batches, batch_size=None))
    return system


def test_the_losses_are_sums_over_a_picture_and_means_over_the_batch(prepared):
    system, generated = prepared()
    terms = system.generator_loss(generated)
    reconstructed = generated.fakes[:4].detach().numpy()
    squared = [np.square(own - real).sum() for own, real in zip(reconstructed, generated.images.numpy(), strict=True)]
    assert terms["reconstruction"].item() == pytest.approx(np.mean(squared), rel=1e-5)
    mean, variance = generated.posterior.mean.detach().numpy(), generated.posterior.variance.detach().numpy()
    divergence = 0.5 * (variance + mean**2 - 1 - np.log(variance)).sum(1)
    assert terms["kl"].item() == pytest.approx(divergence.mean(), rel=1e-5)


def test_free_bits_cost_nothing(prepared):
    """A dimension whose divergence is below them, on average over the batch, counts as much and is left alone."""
    _, generated = prepared()
    mean, variance = generated.posterior.mean.detach().numpy(), generated.posterior.variance.detach().numpy()
    divergence = (0.5 * (variance + mean**2 - 1 - np.log(variance))).mean(0)
    free = float(np.sort(divergence)[2:4].mean())  # between the third dimension and the fourth
    system, generated = prepared(free_bits=free)
    assert system.generator_loss(generated)["kl"].item() == pytest.approx(np.maximum(divergence, free).sum(), rel=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_reconstructions_and_samples_count_by_their_share(prepared, share):
    system, generated = prepared(reconstruction_share=share, adversarial="bce", discriminator_norm="none")
    with torch.no_grad():
        of_reconstructed, of_sampled = (system.discriminator(kind).logits for kind in generated.fakes.chunk(2))
    expected = share * F.softplus(of_reconstructed).mean() + (1 - share) * F.softplus(of_sampled).mean()
    assert system.discriminator_loss(generated)["fake"].item() == pytest.approx(expected.item(), rel=1e-5)
    fooled = share * F.softplus(-of_reconstructed).mean() + (1 - share) * F.softplus(-of_sampled).mean()
    assert system.generator_loss(generated)["adversarial"].item() == pytest.approx(fooled.item(), rel=1e-5)


def test_batch_norm_sees_each_kind_by_itself(prepared):
    system, generated = prepared(**ORIGINAL)
    kinds = [generated.images, *generated.fakes.detach().chunk(2)]
    expected = F.softplus(-system.discriminator(kinds[0]).logits).mean()
    assert system.discriminator_loss(generated)["real"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_features_of_the_chosen_layer(prepared):
    system, generated = prepared(weights={"feature": 0.1}, feature_layer=2, discriminator_norm="none")
    with torch.no_grad():
        real, reconstructed = (system.discriminator(kind).maps[1] for kind in (generated.images, generated.fakes[:4]))
    expected = (real - reconstructed).square().sum((1, 2, 3)).mean()
    assert system.generator_loss(generated)["feature"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_r1_is_the_squared_gradient_on_photographs(prepared):
    system, generated = prepared(weights={"r1": 1.0}, discriminator_norm="none")
    term = system.discriminator_loss(generated)["r1"]
    slopes = []
    for image in generated.images:
        image = image[None].clone().requires_grad_()
        (slope,) = torch.autograd.grad(system.discriminator(image).logits, image)
        slopes.append(slope.square().sum())
    assert term.item() == pytest.approx(torch.stack(slopes).mean().item(), rel=1e-4)
    term.backward()
    assert system.discriminator.stages[0][0].weight.grad.abs().sum() > 0


def test_the_discriminators_phase_leaves_the_autoencoder_alone(prepared):
    system, generated = prepared(weights={"r1": 1.0})
    sum(system.discriminator_loss(generated).values()).backward()
    assert all(weight.grad is None for weight in system.vae.parameters())
    assert all(weight.grad is not None for weight in system.discriminator.parameters())


def test_every_parameter_of_the_autoencoder_is_trained(prepared):
    system, generated = prepared()
    sum(system.generator_loss(generated).values()).backward()
    assert all(weight.grad is not None for weight in system.vae.parameters())


def test_every_term_has_its_weight(prepared):
    assert set(filter(model().weights.count, model().weights)) == {"reconstruction", "adversarial", "kl"}
    system, generated = prepared(weights={"feature": 0.5, "r1": 2.0})
    terms = system.discriminator_loss(generated) | system.generator_loss(generated)
    assert set(terms) == {*system.weights, "real", "fake"}
    assert system.weights["feature"] == 0.5
    assert system.weights["r1"] == 2.0


def plain_step(system, images):
    """The original's step written out: discriminator on its three kinds, then the autoencoder."""
    vae, judge = system.vae, system.discriminator
    of_judge, of_vae = adam(judge.parameters()), adam(vae.parameters())
    torch.manual_seed(derive_seed(global_seed(), "train", 0, 0))
    features = vae.encoder(images).flatten(1)
    mean, log_variance = vae.posterior.mean(features), vae.posterior.log_variance(features)
    prior = torch.randn(len(images), 6)
    z = mean + (0.5 * log_variance).exp() * torch.randn(mean.shape)
    reconstructed, sampled = vae.decoder(torch.cat([z, prior])).chunk(2)

    def bce(pictures, target):
        probability = judge(pictures).logits.sigmoid()
        return F.binary_cross_entropy(probability, torch.full_like(probability, target))

    loss = bce(images, 1.0) + 0.5 * (bce(reconstructed.detach(), 0.0) + bce(sampled.detach(), 0.0))
    loss.backward()
    of_judge.step()
    squared = F.mse_loss(reconstructed, images, reduction="sum") / len(images)
    divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum() / len(images)
    fooled = 0.5 * (bce(reconstructed, 1.0) + bce(sampled, 1.0))
    of_vae.zero_grad()
    (squared + 0.01 * divergence + 0.25 * fooled).backward()
    of_vae.step()
    return mean


def test_a_step_is_the_originals_discriminator_first():
    """Parameters after one step; Adam's first step is that of the sign, so the gradients are compared too."""
    reference, system = model(**ORIGINAL), model(**ORIGINAL)
    examples = batch()
    plain_step(reference, examples.images.float() / 255)
    fit(system, [examples])
    expected = dict(reference.named_parameters())
    for name, weight in system.named_parameters():
        assert weight.grad is not None
        if not name.startswith("discriminator"):  # the reference's autoencoder step has added to those
            # a bias before a BatchNorm has no gradient but rounding errors
            torch.testing.assert_close(weight.grad, expected[name].grad, rtol=1e-3, atol=1e-3)
    for name, buffer in system.discriminator.named_buffers():
        torch.testing.assert_close(buffer, dict(reference.discriminator.named_buffers())[name], rtol=1e-2, atol=1e-3)


def changed(before, after):
    return {name.split(".")[0] for name, weight in after.items() if not torch.equal(weight, before[name])}


def judged_by_brightness(system, sign):
    """Let the logit be high for bright pictures, or low."""
    with torch.no_grad():
        for weight in system.discriminator.parameters():
            weight.abs_()
        logits = system.discriminator(torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 1, SIZE, SIZE)).logits
        dark, bright = logits.tolist()
        system.discriminator.to_logit.weight.mul_(sign * 40 / (bright - dark))
        system.discriminator.to_logit.bias.zero_()
        middle = system.discriminator(torch.full((1, 1, SIZE, SIZE), 0.75)).logits
        system.discriminator.to_logit.bias.sub_(middle)


@pytest.mark.parametrize(("sign", "trained"), [(1, {"vae"}), (-1, {"discriminator"})])
def test_the_gate_lets_the_one_behind_train_alone(sign, trained):
    """White photographs against the grey that an untrained decoder draws."""
    system = model(gate_margin=0.35, discriminator_norm="none")
    judged_by_brightness(system, sign)
    white = batch()
    white.images.fill_(255)
    before = {name: weight.clone() for name, weight in system.named_parameters()}
    fit(system, [white])
    assert changed(before, dict(system.named_parameters())) == trained
    assert set(system.health) == {"real", "reconstruction", "sample", "accuracy", "objective"}
    assert system.health["accuracy"].item() == (1 if sign > 0 else 0)


def test_the_gate_holds_nobody_who_is_both_ahead_and_behind():
    """Everything is taken for a photograph: right for those, wrong for the others."""
    system = model(gate_margin=0.35, discriminator_norm="none")
    with torch.no_grad():
        system.discriminator.to_logit.weight.mul_(1e-3)
        system.discriminator.to_logit.bias.fill_(4.0)
    before = {name: weight.clone() for name, weight in system.named_parameters()}
    fit(system, [batch()])
    assert changed(before, dict(system.named_parameters())) == {"vae", "discriminator"}


def test_health_is_what_the_discriminator_says(prepared):
    system, generated = prepared(discriminator_norm="none")
    system.discriminator_loss(generated)
    with torch.no_grad():
        logits = [system.discriminator(kind).logits for kind in (generated.images, *generated.fakes.chunk(2))]
    names = ("real", "reconstruction", "sample")
    for name, own in zip(names, logits, strict=True):
        assert system.health[name].item() == pytest.approx(own.sigmoid().mean().item(), abs=1e-6)
        assert not system.health[name].requires_grad
    right = (logits[0] > 0).float().mean() / 2 + (torch.cat(logits[1:]) <= 0).float().mean() / 2
    assert system.health["accuracy"].item() == pytest.approx(right.item())
    hinge = (1 - logits[0]).relu().mean() + sum((1 + fake).relu().mean() for fake in logits[1:]) / 2
    assert system.health["objective"].item() == pytest.approx(hinge.item(), rel=1e-5)


def test_beta_follows_its_schedule():
    system = model(weights={"kl": HoldThenLinear(0.01, 2, 0.5, 4)})
    for epochs, beta in [(0.0, 0.01), (2.0, 0.01), (3.0, 0.255), (9.0, 0.5)]:
        system.weights.follow(epochs)
        assert system.weights["kl"] == pytest.approx(beta)


def test_training_reconstructs_the_pictures():
    examples = batch(8)
    system = model(width=4, weights={"reconstruction": 4.0, "kl": 0.1})

    def error():
        system.eval()
        with torch.no_grad():
            return (system(examples.images) - examples.images / 255).square().mean().item()

    before = error()
    system.optimizer_factories["generator"] = lambda parameters: torch.optim.Adam(parameters, 5e-3)
    fit(system.train(), [examples] * 40)
    assert error() < 0.6 * before
    assert math.isfinite(system.health["real"].item())


def test_what_is_handed_to_the_callbacks():
    system, examples = model().eval(), batch(3)
    with torch.no_grad():
        made = system.validation_step(examples, 0)
        torch.testing.assert_close(made.images, examples.images / 255)
        torch.testing.assert_close(made.mean, system.encode(examples.images))
        torch.testing.assert_close(made.reconstructed, system.decode(made.mean))
        torch.testing.assert_close(made.reconstructed[:1], system(examples.images[:1]), rtol=1e-4, atol=1e-5)
    assert made.kl.shape == made.mean.shape == (3, system.latent_dim)
    assert made.name == examples.name


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reconstruction_share": 1.5}, "reconstruction_share"),
        ({"feature_layer": 6}, "feature_layer"),
        ({"weights": {"r1": 1.0}, "discriminator_norm": "batch"}, r"weights\.r1"),
        ({"gate_margin": -1.0}, "gate_margin is -1"),
        ({"gate_margin": 0.7}, "no discriminator is better than chance by ln 2"),
        ({"weights": {"reconstruction": -1.0}}, "reconstruction is -1.0: give a finite number of at least 0"),
        ({"weights": {"adversarial": -1.0}}, "adversarial is -1"),
        ({"weights": {"feature": float("nan")}}, "feature is nan"),
        ({"weights": {"r1": -1.0}}, "r1 is -1"),
        ({"free_bits": -0.1}, r"free_bits is -0\.1"),
        ({"free_bits": float("inf")}, "free_bits is inf"),
        ({"gate_margin": 0.3, "accumulate": 2}, "accumulate"),
        ({"image_size": 40}, "image_size"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(changes, said):
    with pytest.raises(InputError, match=said):
        model(**changes)


@pytest.mark.parametrize("other", [batch(size=64), batch(channels=3)])
def test_pictures_of_another_form_are_refused(other):
    with pytest.raises(InputError, match="image_size"):
        model().encode(other.images)


def test_the_gate_asks_all_processes(prepared, monkeypatch):
    """One process alone would let the discriminator wait; the mean over both does not."""
    system, generated = prepared(discriminator_norm="none")
    system.gate_margin = 0.35
    judged_by_brightness(system, 1)
    asked = []

    def reduce(costs, reduce_op):
        asked.append(reduce_op)
        return torch.full_like(costs, math.log(2))

    both = SimpleNamespace(strategy=SimpleNamespace(reduce=reduce))
    monkeypatch.setattr(MotorVAEGAN, "trainer", property(lambda _: both))
    assert system._gated(generated) is None
    assert asked == ["mean"]


def test_the_game_is_shown_samples_of_the_sampler(prepared):
    """Decoded together with the reconstructions, of noise that is drawn first, as with the prior."""
    for sampler in ("prior", "gaussian"):
        system, _ = prepared(sampler=sampler)
        system.latent_sampler.take(5 + torch.randn(600, 6, generator=torch.Generator().manual_seed(3)))
        torch.manual_seed(1)
        fakes = system.prepare(batch()).fakes
        torch.manual_seed(1)
        noise = torch.randn(4, 6)
        posterior = system.vae.encode(system.from_pixels(batch().images))
        drawn = noise if sampler == "prior" else system.latent_sampler.mean + noise @ system.latent_sampler.factor.T
        assert sampler == "prior" or drawn.mean() > 3
        expected = system.vae.decode(torch.cat([posterior.rsample(), drawn]))
        torch.testing.assert_close(fakes, expected, rtol=1e-3, atol=1e-3)


def test_a_training_keeps_the_latent_vectors_of_its_pictures():
    system = fit(model(), [batch(seed=seed) for seed in range(3)])
    assert system.latent_sampler.taken == 12
    assert not torch.equal(system.latent_sampler.mean, torch.zeros(6))
    assert system.can_draw("gaussian")
    assert not system.can_draw("mixture")


def test_the_average_gets_statistics_of_its_own_and_keeps_no_latent_vectors_for_them(monkeypatch):
    monkeypatch.setattr("lightning_models.motor_vae_gan.module.SETTLE", 2)
    system, plain = model(ema_decay=0.9), model()
    for one in (system, plain):
        fit(one, [batch(seed=seed) for seed in range(4)])
    for name, value in plain.state_dict().items():  # the training goes on as without
        assert name.endswith("num_batches_tracked") or torch.equal(value, system.state_dict()[name]), name
    trained = system.vae.decoder.stages[0][1].running_var.clone()
    system.take_average()
    assert not torch.allclose(system.vae.decoder.stages[0][1].running_var, trained, rtol=1e-3)


def test_a_checkpoint_without_latent_vectors_can_draw_from_the_prior(caplog):
    system = fit(model(), [batch()])
    checkpoint = {"state_dict": system.state_dict(), "phased_training": {"batches_seen": 1, "windows_seen": 1}}
    checkpoint["state_dict"] = {k: v for k, v in checkpoint["state_dict"].items() if "latent_sampler" not in k}
    new = model()
    new.on_load_checkpoint(checkpoint)
    new.load_state_dict(checkpoint["state_dict"])
    noise = torch.randn(3, 6)
    assert new.latents(noise) is noise
    assert "samples are drawn from the prior, as in its training" in caplog.text
    assert [one for one in new.samplers if new.can_draw(one)] == ["prior"]
