"""CNNParamTanh as a whole: WGAN-GP to the letter, five critic steps for one, clips, what it shows."""

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch.nn import functional as F
from torch.utils.data import DataLoader

from datamodules.batches import ImageBatch
from datamodules.errors import InputError
from datamodules.seeding import derive_seed, global_seed
from lightning_models import CNNParamTanh
from lightning_models.cnn_param_tanh.module import latent_circle
from lightning_models.training.schedules import WarmUp

SIZE = 16
SMALL = {"image_size": SIZE, "latent_dim": 5, "num_frames": 3}


def adam(parameters):
    return torch.optim.Adam(parameters, 1e-3, betas=(0.0, 0.9))


def model(**changes):
    torch.manual_seed(0)
    return CNNParamTanh(discriminator_optimizer=adam, generator_optimizer=adam, **{**SMALL, **changes})


def batch(count=4, size=SIZE, channels=3, seed=0):
    coarse = torch.rand(count, channels, 4, 4, generator=torch.Generator().manual_seed(seed))
    images = (F.interpolate(coarse, (size, size), mode="bilinear") * 255).byte()
    return ImageBatch(images, [f"{n}.png" for n in range(count)], torch.zeros(count).long(), torch.arange(count))


@pytest.fixture
def prepared(monkeypatch):
    """A model outside of a trainer, and what its phases share."""
    monkeypatch.setattr(CNNParamTanh, "phase_due", lambda *_: True)

    def prepare(**changes):
        system = model(**changes)
        torch.manual_seed(1)
        return system, system.prepare(batch())

    return prepare


def fit(system, batches, *callbacks, **options):
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=list(callbacks),
        **options,
    )
    trainer.fit(system, DataLoader(batches, batch_size=None))
    return system


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_critics_objective_is_that_of_the_paper(prepared, share):
    """E f(fake) - E f(real) + 10 E (|grad f| - 1)^2 on uniform places between pairs (Gulrajani et al. 2017)."""
    system, generated = prepared(reconstruction_share=share)
    torch.manual_seed(2)
    terms = system.discriminator_loss(generated)
    total = sum(system.weights[name] * term for name, term in terms.items())

    torch.manual_seed(2)
    takes_reconstructed = torch.rand(4, 1, 1, 1) < share
    reconstructed, sampled = generated.reconstructed.detach(), generated.sampled.detach()
    fake = torch.stack([reconstructed[(n + 3) % 4] if takes_reconstructed[n] else sampled[n] for n in range(4)])
    place = torch.rand(4, 1, 1, 1)
    norms = []
    for between in ((1 - place) * generated.images + place * fake).split(1):
        between.requires_grad_()
        norms.append(torch.autograd.grad(system.critic(between), between)[0].norm())
    norms = torch.stack(norms)
    real, of_reconstructed, of_sampled = (
        system.critic(kind).mean() for kind in (generated.images, reconstructed, sampled)
    )
    of_fakes = share * of_reconstructed + (1 - share) * of_sampled
    assert total.item() == pytest.approx((of_fakes - real + 10 * (norms - 1).square().mean()).item(), rel=1e-4)
    assert terms["w1"].item() == pytest.approx((real - of_fakes).item(), abs=1e-6)
    assert terms["gradient_norm"].item() == pytest.approx(norms.mean().item(), rel=1e-4)


def test_the_generators_objective(prepared):
    system, generated = prepared(reconstruction_share=0.25)
    terms = system.generator_loss(generated)
    scores = [system.critic(kind).mean().item() for kind in (generated.reconstructed, generated.sampled)]
    assert terms["adversarial"].item() == pytest.approx(-0.25 * scores[0] - 0.75 * scores[1], rel=1e-4)
    difference = (generated.reconstructed - generated.images).detach().abs().sum((1, 2, 3)).mean()
    assert terms["reconstruction"].item() == pytest.approx(difference.item(), rel=1e-5)
    mean, variance = generated.posterior.mean.detach().numpy(), generated.posterior.variance.detach().numpy()
    assert terms["kl"].item() == pytest.approx(
        (0.5 * (variance + mean**2 - 1 - np.log(variance))).sum(1).mean(), rel=1e-5
    )


def test_free_bits_cost_nothing(prepared):
    """A dimension whose divergence is below them, on average over the batch, counts as much and is left alone."""
    _, generated = prepared()
    mean, variance = generated.posterior.mean.detach().numpy(), generated.posterior.variance.detach().numpy()
    divergence = (0.5 * (variance + mean**2 - 1 - np.log(variance))).mean(0)
    free = float(np.sort(divergence)[2:4].mean())  # between the third dimension and the fourth
    system, generated = prepared(free_bits=free)
    assert system.generator_loss(generated)["kl"].item() == pytest.approx(np.maximum(divergence, free).sum(), rel=1e-5)


def test_each_phase_reaches_its_own_parameters(prepared):
    system, generated = prepared()
    terms = system.discriminator_loss(generated)
    (terms["penalty"] - terms["w1"]).backward()
    generator = [*system.vae.parameters(), *system.param_tanh.parameters()]
    assert all(weight.grad is None for weight in generator)
    # a constant added to all scores changes neither distance nor slope
    assert all(weight.grad is not None for weight in list(system.critic.parameters())[:-1])
    sum(system.generator_loss(generated).values()).backward()
    assert all(weight.grad is not None for weight in generator)


class Steps(Callback):
    """Notes after every batch which parts have changed."""

    def __init__(self):
        self.changed = []

    def on_train_batch_start(self, trainer, pl_module, *_):
        self.before = {name: weight.clone() for name, weight in pl_module.named_parameters()}

    def on_train_batch_end(self, trainer, pl_module, *_):
        now = dict(pl_module.named_parameters())
        self.changed.append(
            {name.split(".")[0] for name, own in now.items() if not torch.equal(own, self.before[name])}
        )


def test_five_critic_steps_for_one_of_the_generator():
    steps, system = Steps(), model()
    fit(system, [batch(seed=seed) for seed in range(11)], steps)
    both = {"critic", "vae", "param_tanh"}
    assert steps.changed == [both if n % 5 == 4 else {"critic"} for n in range(11)]


def test_a_critic_step_is_that_of_a_plain_loop():
    """The first batch: autoencoder without gradient, one Adam step of the critic."""
    system, reference, examples = model(sampler="prior"), model(sampler="prior"), batch()
    fit(system, [examples])
    images = examples.images.float() / 127.5 - 1
    torch.manual_seed(derive_seed(global_seed(), "train", 0, 0))
    with torch.no_grad():
        features = reference.vae.encoder(images).flatten(1)
        mean, log_variance = reference.vae.posterior.mean(features), reference.vae.posterior.log_variance(features)
        prior = torch.randn(4, 5)
        latent = torch.cat([mean + (0.5 * log_variance).exp() * torch.randn(4, 5), prior])
        generated = reference.vae.decode(latent)
        frames = (generated[:, None] + 0.02 * torch.arange(3).view(3, 1, 1, 1) * torch.randn(3, 3, SIZE, SIZE)).clamp(
            -1, 1
        )
        reconstructed, sampled = torch.tanh(reference.param_tanh.alpha(frames) * generated).chunk(2)
    takes_reconstructed = torch.rand(4, 1, 1, 1) < 0.5
    fake = torch.where(takes_reconstructed, reconstructed[[3, 0, 1, 2]], sampled)
    place = torch.rand(4, 1, 1, 1)
    between = (images + place * (fake - images)).requires_grad_()
    critic = reference.critic
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    fakes = (critic(reconstructed).mean() + critic(sampled).mean()) / 2
    loss = fakes - critic(images).mean() + 10 * (slope.flatten(1).norm(dim=1) - 1).square().mean()
    loss.backward()
    for own, weight in zip(list(system.critic.parameters())[:-1], reference.critic.parameters(), strict=False):
        torch.testing.assert_close(own.grad, weight.grad, rtol=1e-3, atol=1e-5)


def test_the_penalty_is_float32_under_mixed_precision(monkeypatch):
    system = model()
    seen = set()
    system.critic[0][0].register_forward_hook(lambda _, given, made: seen.add((given[0].requires_grad, made.dtype)))
    fit(system, [batch()], precision="bf16-mixed")
    assert (True, torch.float32) in seen  # between the pictures
    assert (False, torch.bfloat16) in seen  # the pictures
    assert (True, torch.bfloat16) not in seen
    assert all(weight.grad.isfinite().all() for weight in list(system.critic.parameters())[:-1])


def test_the_descriptions_objective_trains_by_the_critic_alone(prepared):
    system, generated = prepared(weights={"reconstruction": 0.0, "kl": 0.0})
    terms = system.generator_loss(generated)
    assert {name for name in terms if system.weights[name]} == {"adversarial"}
    fit(model(weights={"reconstruction": 0.0, "kl": 0.0}), [batch()] * 5)


def test_beta_follows_its_schedule(monkeypatch):
    monkeypatch.setattr(CNNParamTanh, "phase_due", lambda *_: False)
    system = model(weights={"kl": WarmUp(0.5, 10)})
    for epochs, beta in [(0.0, 0.0), (5.0, 0.25), (20.0, 0.5)]:
        system.weights.follow(epochs)
        assert system.weights["kl"] == pytest.approx(beta)
        assert not system.prepare(batch()).reconstructed.requires_grad


def test_health_ranks_pairs(prepared):
    system, generated = prepared()
    system.discriminator_loss(generated)
    with torch.no_grad():
        real, reconstructed, sampled = (
            system.critic(kind) for kind in (generated.images, generated.reconstructed, generated.sampled)
        )
    fakes = [*reconstructed.tolist(), *sampled.tolist()]
    ordered = np.mean([own > fake for own in real.tolist() for fake in fakes])
    assert system.health["accuracy"].item() == pytest.approx(ordered)
    for name, scores in (("real", real), ("reconstruction", reconstructed), ("sample", sampled)):
        assert system.health[name].item() == pytest.approx(scores.mean().item(), abs=1e-6)


def test_training_reconstructs_the_pictures():
    examples = batch(8)
    examples.images //= 4  # an untrained decoder draws grey
    system = model(weights={"reconstruction": 0.1}, n_critic=1)

    def error():
        system.eval()
        with torch.no_grad():
            return (system(examples.images) - examples.images / 255).abs().mean().item()

    before = error()
    system.optimizer_factories["generator"] = lambda parameters: torch.optim.Adam(parameters, 5e-3)
    fit(system.train(), [examples] * 40)
    assert error() < 0.5 * before


def test_what_is_handed_to_the_callbacks():
    system, examples = model().eval(), batch(3)
    with torch.no_grad():
        made = system.validation_step(examples, 0)
        torch.testing.assert_close(made.images, examples.images / 255)
        torch.testing.assert_close(made.mean, system.encode(examples.images))
        torch.testing.assert_close(made.reconstructed, system.decode(made.mean))
        torch.testing.assert_close(made.reconstructed[:1], system(examples.images[:1]), rtol=1e-4, atol=1e-5)
        assert made.reconstructed.min() >= 0
        assert made.reconstructed.max() <= 1
        assert made.kl.shape == made.mean.shape == (3, system.latent_dim)
        alpha = system.visuals(examples)["alpha"]
    assert torch.equal(alpha, torch.full((3, 1, SIZE, SIZE), 0.5))
    with torch.no_grad():
        system.param_tanh.head[0].bias.fill_(1.0)
    assert system.visuals(examples)["alpha"].mean().item() == pytest.approx((np.tanh(1) + 1) / 2, abs=1e-4)


@pytest.mark.parametrize("kind", ["frames", "walk"])
def test_clips_begin_with_the_picture(kind):
    system, z = model(clip=kind).eval(), torch.randn(2, 5)
    with torch.no_grad():
        system.param_tanh.head[0].weight.normal_()
        clip = system.generate_video(z)
        assert torch.equal(clip, system.generate_video(z))
        assert clip.shape == (2, 3 if kind == "frames" else 48, 3, SIZE, SIZE)
        torch.testing.assert_close(clip[:, 0], system.decode(z))
        # clips do not know of each other
        torch.testing.assert_close(clip[1:], system.generate_video(z[1:]), rtol=1e-4, atol=1e-5)
    assert clip.min() >= 0
    assert clip.max() <= 1
    assert not torch.equal(clip[:, 0], clip[:, 1])


def test_a_walk_is_a_circle_around_the_origin():
    z = torch.randn(3, 7, dtype=torch.float64)
    walk = latent_circle(z, 8)
    torch.testing.assert_close(walk.norm(dim=2), z.norm(dim=1).expand(8, 3))
    torch.testing.assert_close(walk[0], z)
    torch.testing.assert_close(walk[4], -z)
    lengths = (walk - walk.roll(1, 0)).norm(dim=2)  # the last step leads back to the first
    torch.testing.assert_close(lengths, lengths[:1].expand(8, 3))
    assert torch.equal(latent_circle(torch.zeros(1, 7), 3), torch.zeros(3, 1, 7))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reconstruction_share": -0.1}, "reconstruction_share"),
        ({"image_size": 20}, "image_size"),
        ({"n_critic": 0}, "n_critic"),
        ({"weights": {"adversarial": -1.0}}, "adversarial is -1.0: give a finite number of at least 0"),
        ({"weights": {"reconstruction": -1.0}}, "reconstruction is -1"),
        ({"weights": {"penalty": float("inf")}}, "penalty is inf"),
        ({"weights": {"w1": 1.0}}, "no 'w1'"),
        ({"free_bits": -0.1}, r"free_bits is -0\.1"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(changes, said):
    with pytest.raises(InputError, match=said):
        model(**changes)


@pytest.mark.parametrize("other", [batch(size=24), batch(channels=1)])
def test_pictures_of_another_form_are_refused(other):
    with pytest.raises(InputError, match="image_size"):
        model().encode(other.images)
