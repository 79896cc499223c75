"""What a step of motorVAEGAN costs: ``python -m benchmarks.motor_vae_gan``.

The original's step, discriminator and then autoencoder on 16 pictures of 1x256x256, took 5.7 s on 2 cores where the
matrix product takes 0.13-0.16 s, about 40 products, and 4.2 s, 29 products, with its weights in channels-last layout.
The aim is 3.8 s, 26 products. The work is 124 billion multiplications and additions, the product's 8.6 billion: 14
products if it ran exactly as fast as one.

pythae's VAEGAN took 27 s for 64 pictures of 3x64x64 with networks of its own. Where pythae is installed (an environment
of its own is best, it pins old versions), its row is timed as well; elsewhere a line says that it is missing.
"""

import gc
import importlib.util
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch.nn import functional as F

from benchmarks import common
from datamodules.batches import ImageBatch
from lightning_models.motor_vae_gan import MotorVAEGAN
from lightning_models.motor_vae_gan.network import VAE, Discriminator

BATCH, SIZE = 16, 256
Work = Callable[[], object]


class Untrained(MotorVAEGAN):
    """The system outside of a trainer: its losses are called here, step by step."""

    epochs_seen = 0.0
    trainer: Any = SimpleNamespace()


def adam(parameters: Any) -> torch.optim.Optimizer:
    """Return the optimizer of the experiment."""
    return torch.optim.Adam(parameters, 1e-4, fused=True)


def our_step(**settings: Any) -> Work:
    """Build one step as ``AdversarialModule`` takes it: shared forward, discriminator, autoencoder."""
    system = Untrained(image_size=SIZE, **settings)
    phases = {"discriminator": system.discriminator, "generator": system.vae}
    optimizers = {phase: adam(network.parameters()) for phase, network in phases.items()}
    images = torch.randint(0, 256, (BATCH, 1, SIZE, SIZE), dtype=torch.uint8)
    batch = ImageBatch(images, [""] * BATCH, torch.zeros(BATCH).long(), torch.arange(BATCH))

    def step() -> None:
        drawn = system.prepare(batch)
        for phase, optimizer in optimizers.items():
            for other, network in phases.items():
                network.requires_grad_(other == phase)
            optimizer.zero_grad()
            terms = getattr(system, f"{phase}_loss")(drawn)
            sum(system.weights.get(name, 1.0) * term for name, term in terms.items()).backward()
            optimizer.step()
        for network in phases.values():
            network.requires_grad_(True)

    return step


def published_step(*, channels_last: bool) -> Work:
    """Build the original's step on the same networks: forward anew for each phase, nothing frozen, a call a kind."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    vae = VAE(image_size=SIZE).to(memory_format=layout)
    discriminator = Discriminator(image_size=SIZE, norm="batch").to(memory_format=layout)
    of_vae, of_discriminator = (
        torch.optim.Adam(vae.parameters(), 1e-4),
        torch.optim.Adam(discriminator.parameters(), 5e-5),
    )
    images = torch.rand(BATCH, 1, SIZE, SIZE)

    def bce(pictures: torch.Tensor, target: float) -> torch.Tensor:
        probability = discriminator(pictures).logits.sigmoid()
        return F.binary_cross_entropy(probability, torch.full_like(probability, target))

    def step() -> None:
        posterior = vae.encode(images)
        decoded, sampled = vae.decode(posterior.rsample()), vae.decode(torch.randn(BATCH, 128))
        loss = bce(images, 1.0) + 0.5 * (bce(decoded.detach(), 0.0) + bce(sampled.detach(), 0.0))
        of_discriminator.zero_grad()
        loss.backward()
        of_discriminator.step()
        posterior = vae.encode(images)
        decoded, sampled = vae.decode(posterior.rsample()), vae.decode(torch.randn(BATCH, 128))
        mean, variance = posterior.mean, posterior.variance
        loss = F.mse_loss(decoded, images, reduction="sum") + 0.25 * (mean**2 + variance - 1 - variance.log()).sum()
        loss = loss + 0.5 * (bce(decoded, 1.0) + bce(sampled, 1.0))
        of_vae.zero_grad()
        loss.backward()
        of_vae.step()

    return step


def reconstruct() -> Work:
    """Build the forward pass that a picture takes at prediction."""
    system = Untrained(image_size=SIZE).eval()
    images = torch.randint(0, 256, (BATCH, 1, SIZE, SIZE), dtype=torch.uint8)
    return torch.no_grad()(lambda: system(images))


def pythae_step() -> Work:
    """Build pythae's step: 64 pictures of 3x64x64, its networks for CelebA, all three updates."""
    from pythae.data.datasets import DatasetOutput  # type: ignore[import-not-found]
    from pythae.models import VAEGAN, VAEGANConfig  # type: ignore[import-not-found]
    from pythae.models.nn.benchmarks.celeba import (  # type: ignore[import-not-found]
        Decoder_Conv_AE_CELEBA,
        Discriminator_Conv_CELEBA,
        Encoder_Conv_VAE_CELEBA,
    )

    config = VAEGANConfig(input_dim=(3, 64, 64), latent_dim=64, reconstruction_layer=3)
    networks = (Encoder_Conv_VAE_CELEBA, Decoder_Conv_AE_CELEBA, Discriminator_Conv_CELEBA)
    encoder, decoder, discriminator = (network(config) for network in networks)
    model = VAEGAN(config, encoder=encoder, decoder=decoder, discriminator=discriminator)
    parts = (model.encoder, model.decoder, model.discriminator)
    optimizers = [torch.optim.Adam(part.parameters(), 1e-4) for part in parts]
    images = DatasetOutput(data=torch.rand(64, 3, 64, 64))

    def step() -> None:
        made = model(images)
        losses = (made.encoder_loss, made.decoder_loss, made.discriminator_loss)
        gradients = [
            torch.autograd.grad(loss, list(part.parameters()), retain_graph=True, allow_unused=True)
            for loss, part in zip(losses, parts, strict=True)
        ]
        for part, own, optimizer in zip(parts, gradients, optimizers, strict=True):
            for weight, gradient in zip(part.parameters(), own, strict=True):
                weight.grad = gradient
            optimizer.step()

    return step


ROWS: list[tuple[str, str, Callable[[], Work]]] = [
    ("reconstruction, no gradient", "1.4-4", reconstruct),
    ("step, default setting", "26", our_step),
    ("step, original setting", "26", lambda: our_step(discriminator_norm="batch", adversarial="bce")),
    ("step, with Larsen's features", "-", lambda: our_step(weights={"feature": 0.1})),
    ("step, with R1", "-", lambda: our_step(weights={"r1": 1.0})),
    ("the original's step on these networks", "40", lambda: published_step(channels_last=False)),
    ("the same, channels last", "29", lambda: published_step(channels_last=True)),
]


def main() -> None:
    """Time motorVAEGAN and print a table."""
    parser = common.parser("Time motorVAEGAN.")
    parser.add_argument("--rows", default="", help="only the rows whose name contains this")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    rows = list(ROWS)
    has_pythae = importlib.util.find_spec("pythae") is not None
    if has_pythae:
        rows.append(("pythae's VAEGAN, 64x3x64x64", "190", pythae_step))

    units = [common.matmul_seconds()]
    timings = []
    for name, published, build in rows:
        if arguments.rows not in name:
            continue
        work = build()
        timing = common.measure(work, runs=arguments.runs, warmup=1)
        timings.append((name, published, timing, f"{common.peak_rss_bytes() / 2**20:.0f}"))
        units.append(common.matmul_seconds(runs=3))
        del work
        gc.collect()
    unit = min(timing.fastest for timing in units)

    common.print_header("motorVAEGAN, 16 pictures of 1x256x256")
    print(f"- unit: one 2048^3 float32 product, {1e3 * unit:.1f} ms; ratios are of the fastest calls\n")
    table = [
        (name, timing, f"{timing.fastest / unit:.2f}", published, peak) for name, published, timing, peak in timings
    ]
    common.print_table(("work", "time, median (range)", "products", "published or aim", "peak MiB so far"), table)
    if not has_pythae:
        print("\nNot timed: pythae's VAEGAN. pip install pythae, in an environment of its own: it pins old versions.")


if __name__ == "__main__":
    main()
