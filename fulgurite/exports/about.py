"""What an exported file says of itself, so that it can be used by who has nothing else of the run."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from torch import Tensor

from callbacks.results import commit, versions
from datamodules.protocols import SaysPreparation
from lightning_models.deployment import Deployment, Graph, Port

FORM = 1
"""Number of the form of this record."""


def about_run(deployment: Deployment[Any, Any], model: object, data: object, checkpoint: Path) -> dict[str, Any]:
    """Return what all files of a run say: system, facts, preparation, checkpoint, commit, date, versions."""
    return {
        "form": FORM,
        "system": type(model).__name__,
        **deployment.facts,
        "preparation": dict(data.preparation()) if isinstance(data, SaysPreparation) else None,
        "outside": list(deployment.outside),
        "checkpoint": str(checkpoint),
        "checkpoint_fingerprint": fingerprint(checkpoint),
        "commit": commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
    }


def about_graph(name: str, graph: Graph, seen: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return what one file says beside: its graph's name, inputs and outputs.

    Args:
        name: of the graph.
        graph: the network.
        seen: inputs and outputs by name, whose sizes stand for those that are not open.
    """
    sizes = {
        dim: size
        for port in (*graph.inputs, *graph.outputs)
        for dim, size in zip(port.dims, seen[port.name].shape, strict=True)
    }
    of_inputs = {dim for port in graph.inputs for dim in port.dims}
    smallest = graph.open(seen)
    # what an output alone has, such as the number of tiles, follows from the sizes of the inputs
    is_open = smallest.keys() | (sizes.keys() - of_inputs if smallest.keys() - {"batch"} else set())

    def described(port: Port) -> dict[str, Any]:
        return {
            "name": port.name,
            "dtype": port.dtype,
            "shape": [dim if dim in is_open else sizes[dim] for dim in port.dims],
            "dims": list(port.dims),
            "range": port.range,
            "means": port.means,
        }

    return {
        "graph": name,
        "inputs": [described(port) for port in graph.inputs],
        "outputs": [described(port) for port in graph.outputs],
        "smallest": smallest,
    }


def fingerprint(checkpoint: Path) -> str:
    """Return 32 digits that change with any byte of a checkpoint."""
    with checkpoint.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
