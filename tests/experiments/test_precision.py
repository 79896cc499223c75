"""Every shipped experiment trains in every precision that its documents name, with gradients clipped and not."""

from pathlib import Path

import pytest
import torch

from fulgurite.cli import main
from lightning_models.training.phases import PhasedModule
from tests.docs.small_worlds import LEARNED, WORLDS

SYSTEMS = sorted(path.stem for path in (Path(__file__).parents[2] / "experiments").glob("*.yaml"))
CLIP = 0.05
FEW = ["--data.batch_size", "4", "--data.eval_batch_size", "2"]  # bfloat16 is slow where the processor only emulates it


@pytest.fixture
def steps(monkeypatch):
    """The norm of every gradient that reaches an optimizer, and whether its step moved the weights."""
    norms = []
    before = PhasedModule.on_before_optimizer_step

    def watch(system, optimizer):
        before(system, optimizer)
        grads = [w.grad for group in optimizer.param_groups for w in group["params"] if w.grad is not None]
        norms.append(float(torch.stack([grad.double().square().sum() for grad in grads]).sum().sqrt()))

    monkeypatch.setattr(PhasedModule, "on_before_optimizer_step", watch)
    return norms


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Small data for every system, by its name."""
    folder = tmp_path_factory.mktemp("sources")
    for name in set(LEARNED.values()):
        WORLDS[name](folder / name)
    return {system: folder / LEARNED[system.removesuffix("_legacy")] for system in SYSTEMS}


@pytest.fixture
def train(sources, tmp_path, monkeypatch):
    """Train a system for two batches."""
    monkeypatch.chdir(tmp_path)

    def run(system, *words):
        configs = ["--config", system, "--config", f"{system.removesuffix('_legacy')}/smoke"]
        data = ["--data.source", str(sources[system]), "--data.cache_dir", str(tmp_path / "cache")]
        few = FEW[:2] if system == "aitex_vae" else FEW  # its pictures are judged one at a time
        short = ["--trainer.accelerator", "cpu", "--trainer.fast_dev_run", "2", "--wandb.mode", "disabled"]
        main(["fit", *configs, *data, *few, *short, *words])

    return run


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("clip", [0.0, CLIP])
def test_bfloat16_on_a_cpu(system, clip, steps, train):
    train(system, "--trainer.precision", "bf16-mixed", "--model.gradient_clip", str(clip))
    assert len(steps) >= 2
    assert all(0 < norm < float("inf") for norm in steps)
    if clip:
        assert max(steps) <= CLIP * (1 + 1e-4)
    else:
        assert max(steps) > CLIP


@pytest.mark.gpu
@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
@pytest.mark.parametrize("clip", [0.0, CLIP])
def test_every_precision_on_a_gpu(system, precision, clip, steps, train):
    words = ["--trainer.precision", precision, "--model.gradient_clip", str(clip), "--trainer.accelerator", "gpu"]
    optimizers = {"aitex_vae": ["optimizer"], "audio_to_video": ["optimizer"], "audio_to_video_legacy": ["optimizer"]}
    for name in optimizers.get(system, ["generator_optimizer", "discriminator_optimizer"]):
        words += [f"--model.{name}.fused", "false"] if precision == "16-mixed" and clip else []
    train(system, *words)
    assert not clip or max(steps) <= CLIP * (1 + 1e-3)


@pytest.mark.parametrize("precision", ["64-true", "bf16-true", "16-true"])
@pytest.mark.parametrize("system", ["motor_vae_gan", "audio_to_video"])
def test_others_are_refused(system, precision, train, capsys):
    with pytest.raises(SystemExit) as end:
        train(system, "--trainer.precision", precision)
    assert end.value.code == 2
    assert f"--trainer.precision is {precision}, " in capsys.readouterr().err
