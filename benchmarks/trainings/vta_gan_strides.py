"""How far apart windows may lie, and how evidence is joined: ``python -m benchmarks.trainings.vta_gan_strides RUN``.

The windows of the smallest stride pass the networks of a trained VTA-GAN once. Those of a larger one are among them,
and a checkpoint has the calibration of both joints, so that one pass gives all rows. ``--validation`` judges the
held-out clips and their pseudo-anomalies instead, where a choice belongs.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, get_args

import torch
from lightning.pytorch import seed_everything
from torch import Tensor

import fulgurite
from benchmarks import common
from callbacks.clips.evaluation import evaluate
from callbacks.clips.table import FrameTable
from datamodules.batches import FrameScores
from datamodules.clips.boxes import Boxes
from datamodules.clips.video_snippets import VideoSnippetDataModule
from datamodules.clips.windows import check_stride, is_regular_start
from datamodules.errors import InputError
from fulgurite.errors import readable_errors
from fulgurite.run_option import config_and_weights
from fulgurite.yaml_file import read_yaml
from lightning_models.vta_gan import VTAGAN
from lightning_models.vta_gan.patch_scorer import Joint

METRICS = "frame_auroc_micro", "frame_auroc_minmax", "frame_auroc_macro", "pixel_auroc", "rbdc", "tbdc"


def windows_of(scores: FrameScores, kept: Tensor) -> FrameScores:
    """Return some windows of a batch, which bool ``(B,)`` marks."""

    def some(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, Tensor):
            return value[kept]
        if isinstance(value, dict):
            return {name: one[kept] for name, one in value.items()}
        return [one for one, keep in zip(value, kept.tolist(), strict=True) if keep]

    return replace(scores, **{one.name: some(getattr(scores, one.name)) for one in fields(scores)})


def opened(run: str, source: str | None, strides: Sequence[int]) -> tuple[VTAGAN, VideoSnippetDataModule]:
    """Return model and data of a run, whose windows are those of the first stride; nothing is decoded yet.

    Raises:
        InputError: if a stride leaves frames out, or its windows are not among those of the first; if there is no such
            run.
    """
    least = strides[0]
    loaded = fulgurite.load(run, settings={"data.eval_stride": least, "data.validation_stride": least})
    model, data = loaded.module, loaded.data
    if not (isinstance(model, VTAGAN) and isinstance(data, VideoSnippetDataModule)):
        raise InputError(f"{run} is a run of {loaded.system}; give one of VTAGAN")
    for stride in strides:
        check_stride("--strides", stride, data.num_frames)
        if stride % least:
            raise InputError(
                f"--strides: windows {stride} apart are not all among those of the first, {least}; give multiples of it"
            )
    config, _ = config_and_weights(loaded.checkpoint, "best")
    seed_everything(int(read_yaml(config).get("seed_everything") or 0), verbose=False)  # decides what is held out
    return model, data if source is None else data.for_source(source)


def scored(model: VTAGAN, data: VideoSnippetDataModule, validation: bool) -> dict[Joint, list[FrameScores]]:
    """Return the scores of all windows by each joint, batch by batch.

    Raises:
        InputError: if the data cannot be used, or the checkpoint has learned from what is to be judged.
    """
    data.setup("validate" if validation else "test")
    loaders: Any = data.val_dataloader() if validation else [data.test_dataloader()]
    found: dict[Joint, list[FrameScores]] = {joint: [] for joint in get_args(Joint)}
    with torch.inference_mode():
        for batch in loaders[-1]:
            evidence = model.evidence(batch.to(model.device))
            for joint, parts in found.items():
                model.scorer.joint = joint
                parts.append(model.score(batch, evidence))
    return found


def judged(
    scores: list[FrameScores], stride: int, frame_step: int, boxes: Mapping[str, Boxes] | None
) -> dict[str, float]:
    """Return the metrics of the windows that a stride has, and how many they are; ``boxes`` None: of a validation."""
    starts: dict[str, list[int]] = {}
    for part in scores:
        for video, frame in zip(part.video, part.frame[:, 0].tolist(), strict=True):
            starts.setdefault(video, []).append(frame)
    tails = {video: max(own) - frame_step for video, own in starts.items()}
    table, windows = FrameTable(), 0
    for part in scores:
        first = part.frame[:, 0].tolist()
        kept = [
            start > tails[video] or is_regular_start(start, frame_step, stride)
            for video, start in zip(part.video, first, strict=True)
        ]
        windows += sum(kept)
        if any(kept):
            table.add(windows_of(part, torch.tensor(kept)))
    series = table.gather().series()
    return evaluate(series, tested=boxes is not None, boxes=boxes).metrics | {"windows": windows}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Compare strides and joints of a trained VTA-GAN.")
    parser.add_argument("run", help="run folder")
    parser.add_argument("--source", help="folder of the data, where it moved (default: as in the training)")
    parser.add_argument("--validation", action="store_true", help="judge held-out clips and their pseudo-anomalies")
    help_of_strides = "multiples of the first, at most num_frames"
    parser.add_argument("--strides", type=int, nargs="+", default=[1, 2, 4, 8], help=help_of_strides)
    options = parser.parse_args()
    with readable_errors():
        model, data = opened(options.run, options.source, options.strides)
        by_joint = scored(model, data, options.validation)
    boxes = None if options.validation else data.test_boxes()
    common.print_header("Strides and joints of VTA-GAN")
    rows, rule = [], {}
    for joint, scores in by_joint.items():
        for stride in options.strides:
            found = judged(scores, stride, data.frame_step, boxes)
            rows.append((joint, stride, found["windows"], *(_cell(found.get(name)) for name in METRICS)))
            rule[stride] = [_cell(found.get(f"{name}_baseline")) for name in METRICS[:2]]
    rows += [("rule: speed of classical flow", stride, "", *cells, "", "", "", "") for stride, cells in rule.items()]
    common.print_table(("joint", "stride", "windows", *METRICS), rows)


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


if __name__ == "__main__":
    main()
