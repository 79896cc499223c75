"""How far apart windows may lie, and how evidence is joined: ``python -m benchmarks.trainings.vta_gan_strides RUN``.

The windows of the smallest stride pass the networks of a trained VTA-GAN once. Those of a larger one are among them,
and a checkpoint has the calibration of both joints, so that one pass gives all rows. ``--validation`` judges the
held-out clips and their pseudo-anomalies instead, where a choice belongs.
"""

import argparse
from dataclasses import fields, replace
from typing import Any, get_args

import torch
from torch import Tensor

import fulgurite
from benchmarks import common
from callbacks.clips.evaluation import evaluate
from callbacks.clips.table import FrameTable
from datamodules.batches import FrameScores
from datamodules.clips.video_snippets import VideoSnippetDataModule
from datamodules.clips.windows import is_regular_start
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


def scored(run: str, source: str | None, stride: int, validation: bool) -> dict[Joint, list[FrameScores]]:
    """Return the scores of the windows of a stride by each joint, batch by batch."""
    settings: dict[str, Any] = {} if source is None else {"data.source": source}
    loaded = fulgurite.load(run, settings=settings | {"data.eval_stride": stride, "data.validation_stride": stride})
    model, data = loaded.module, loaded.data
    if not (isinstance(model, VTAGAN) and isinstance(data, VideoSnippetDataModule)):
        raise SystemExit(f"{run} is a run of {loaded.system}; give one of VTAGAN")
    data.prepare_data()
    data.setup("validate" if validation else "test")
    batches = data.validation_loaders()[1] if validation else data.test_loader()
    found: dict[Joint, list[FrameScores]] = {joint: [] for joint in get_args(Joint)}
    with torch.inference_mode():
        for batch in batches:
            evidence = model.evidence(batch.to(model.device))
            for joint, parts in found.items():
                model.scorer.joint = joint
                parts.append(model.score(batch, evidence))
    return found


def judged(scores: list[FrameScores], stride: int, frame_step: int) -> dict[str, float]:
    """Return the metrics of the windows that a stride has, and how many they are."""
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
    return evaluate(table.gather().series(), tested=True).metrics | {"windows": windows}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Compare strides and joints of a trained VTA-GAN.")
    parser.add_argument("run", help="run folder")
    parser.add_argument("--source", help="folder of the data, where it moved (default: as in the training)")
    parser.add_argument("--validation", action="store_true", help="judge held-out clips and their pseudo-anomalies")
    parser.add_argument("--strides", type=int, nargs="+", default=[1, 2, 4, 8], help="multiples of the first")
    options = parser.parse_args()
    least = options.strides[0]
    if any(stride % least for stride in options.strides):
        parser.error(f"--strides: {options.strides} are not all multiples of {least}")
    common.print_header("Strides and joints of VTA-GAN")
    rows, rule = [], {}
    for joint, scores in scored(options.run, options.source, least, options.validation).items():
        for stride in options.strides:
            found = judged(scores, stride, int(scores[0].frame[0, 1] - scores[0].frame[0, 0]))
            rows.append((joint, stride, found["windows"], *(_cell(found.get(name)) for name in METRICS)))
            rule[stride] = [_cell(found.get(f"{name}_baseline")) for name in METRICS[:2]]
    rows += [("rule: speed of classical flow", stride, "", *cells, "", "", "", "") for stride, cells in rule.items()]
    common.print_table(("joint", "stride", "windows", *METRICS), rows)


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


if __name__ == "__main__":
    main()
