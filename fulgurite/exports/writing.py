"""Exporting the graphs of a system: captured by real inputs, written, read back, and kept if they answer alike."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from datamodules.atomic_file import atomic_file
from datamodules.errors import InputError
from datamodules.protocols import Deploys
from fulgurite.exports.about import about_graph, about_run
from fulgurite.exports.difference import differences
from fulgurite.exports.files import Format, RunFile, open_onnx, open_program, writer
from fulgurite.exports.programs import captured
from lightning_models.deployment import Deployment, in_torch


class Written(NamedTuple):
    """The files of a system.

    Attributes:
        paths: of its graphs.
        differences: largest difference of each answer from the network's, by name.
    """

    paths: Sequence[Path]
    differences: Mapping[str, float]


def write(
    model: LightningModule,
    data: object,
    batches: Sequence[Any],
    checkpoint: Path,
    kind: Format,
    path: Callable[[str, str], Path],
    tolerance: float,
) -> Written:
    """Write the files of a system.

    Args:
        model: that can be exported, with its weights, in evaluation mode, on the processor.
        data: its data module.
        batches: real ones.
        checkpoint: file that the weights are from.
        kind: format of the files.
        path: gives the file of a system's graph.
        tolerance: largest difference with which they are kept.

    Raises:
        InputError: if the format cannot hold a graph, or the files would answer otherwise than the network.
    """
    assert isinstance(model, Deploys)
    if not batches:
        raise InputError("data.source: no data are held out there, on which the files could be compared; give others")
    deployment: Deployment[Any, Any] = model.deployed()
    for graph in deployment.graphs.values():
        graph.module.eval()
    seen = _seen(deployment, batches[0])
    about = about_run(deployment, model, data, checkpoint) | {"tolerance": tolerance}
    records, writers, runs = {}, {}, {}
    for name, graph in deployment.graphs.items():
        records[name] = about | about_graph(name, graph, seen[name])
        writers[name] = writer(kind, captured(graph, seen[name]), graph)
        content = writers[name](records[name])
        runs[name] = (open_onnx(content) if kind == "onnx" else open_program(content, graph)).run
    found = _compare(model, deployment, _of_one_size(deployment, batches, seen), runs)
    if too_far := {name: value for name, value in found.items() if value > tolerance}:
        told = ", ".join(f"{name} by {value:.2g}" for name, value in too_far.items())
        raise InputError(
            f"--format {kind}: what was exported answers otherwise than the network, {told}, and {tolerance:g} is "
            "allowed. Nothing was written. Train longer where the network has hardly learned: its scores are large "
            "then, or allow more by --tolerance"
        )
    paths = {name: path(deployment.system, name) for name in writers}
    for name, write_content in writers.items():
        with atomic_file(paths[name]) as file:
            file.write(write_content(records[name] | {"largest_difference": found}))
    return Written([*paths.values()], found)


def _seen(deployment: Deployment[Any, Any], batch: Any) -> dict[str, dict[str, Tensor]]:
    """Return inputs and outputs by name of every graph, as they are where a batch is answered."""
    run, seen = in_torch(deployment), {}

    def watched(name: str, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        outputs = run(name, inputs)
        seen[name] = {**inputs, **outputs}
        return outputs

    deployment.answer(batch, watched)
    return seen


def _of_one_size(
    deployment: Deployment[Any, Any], batches: Sequence[Any], seen: Mapping[str, Mapping[str, Tensor]]
) -> list[Any]:
    """Return the batches that files for the first one take: parts of several groups begin at different columns."""

    def fits(batch: Any) -> bool:
        own = _seen(deployment, batch)
        return all(graph.fits(own[name], seen[name]) for name, graph in deployment.graphs.items())

    return [batches[0], *filter(fits, batches[1:])]


@torch.no_grad()
def _compare(
    model: LightningModule, deployment: Deployment[Any, Any], batches: Sequence[Any], runs: Mapping[str, RunFile]
) -> dict[str, float]:
    """Return the largest difference of each answer on real batches."""
    found: dict[str, float] = {}
    for number, batch in enumerate(batches):
        answer = deployment.answer(batch, lambda name, inputs: runs[name](inputs))
        for name, value in differences(model.predict_step(batch, number), answer).items():
            found[name] = max(found.get(name, 0.0), value)
    return found
