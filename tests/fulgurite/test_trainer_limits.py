import pytest
from lightning.pytorch.strategies import StrategyRegistry

from fulgurite.cli import main
from fulgurite.trainer_limits import STRATEGIES

OTHERS = sorted(set(StrategyRegistry.available_strategies()) - set(STRATEGIES))


def answer(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main(["fit", "--config", "tiny.yaml", "--model.fails", "true", *words])  # fails where it is built
    said = capsys.readouterr().err.strip().splitlines()
    assert end.value.code == 2
    assert [line for line in said if not line.startswith("Seed set")] == said[-1:]
    return said[-1]


@pytest.mark.parametrize("strategy", OTHERS)
def test_other_strategies_are_refused_before_anything_is_built(strategy, experiment, capsys):
    said = answer(capsys, "--trainer.strategy", strategy)
    assert f"trainer.strategy = {strategy}: " in said
    assert "ddp_find_unused_parameters_true" in said


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("{class_path: FSDPStrategy}", "FSDPStrategy"),
        ("{class_path: ModelParallelStrategy}", "ModelParallelStrategy"),
        ("{class_path: DDPStrategy, init_args: {start_method: spawn}}", "start_method: spawn"),
        ("{class_path: DDPStrategy, init_args: {checkpoint_io: {class_path: TorchCheckpointIO}}}", "TorchCheckpointIO"),
    ],
)
def test_so_are_their_classes(written, named, experiment, capsys):
    said = answer(capsys, "--trainer.strategy", written)
    assert "trainer.strategy = " in said
    assert named in said


@pytest.mark.parametrize("written", ["{class_path: AsyncCheckpointIO}", "[{class_path: AsyncCheckpointIO}]"])
def test_so_are_checkpoint_plugins(written, experiment, capsys):
    said = answer(capsys, "--trainer.plugins", written)
    assert "trainer.plugins = lightning.pytorch.plugins" in said
    assert "AsyncCheckpointIO: checkpoints are written" in said


@pytest.mark.parametrize(
    "strategy", [*STRATEGIES, "{class_path: DDPStrategy, init_args: {process_group_backend: gloo}}"]
)
def test_one_process_or_ddp_is_built(strategy, experiment):
    with pytest.raises(RuntimeError, match="a defect of ours"):
        main(["fit", "--config", experiment, "--model.fails", "true", "--trainer.strategy", strategy])
