"""From a network to a graph that holds for inputs of other sizes, as torch.export captures it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from lightning_models.deployment import Graph

LARGEST = 1 << 20


def captured(graph: Graph, example: Mapping[str, Tensor]) -> ExportedProgram:
    """Capture a graph.

    Args:
        graph: the network, in evaluation mode.
        example: inputs by name, real ones.
    """
    open_dims = {name: Dim(name, min=smallest, max=LARGEST) for name, smallest in graph.open(example).items()}
    shapes = tuple(
        {axis: open_dims[name] for axis, name in enumerate(port.dims) if name in open_dims} for port in graph.inputs
    )
    inputs = tuple(_several(example[port.name], port.dims) for port in graph.inputs)
    with torch.no_grad(), _attention_in_steps():
        return torch.export.export(
            graph.module,
            inputs,
            dynamic_shapes=shapes,
            prefer_deferred_runtime_asserts_over_guards=True,
        )


def _several(value: Tensor, dims: tuple[str, ...]) -> Tensor:
    """Repeat a batch of one: torch.export takes a dimension of 1 for one that is always 1."""
    is_alone = dims[0] == "batch" and value.shape[0] == 1
    return torch.cat([value, value]) if is_alone else value


@contextmanager
def _attention_in_steps() -> Iterator[None]:
    """Keep torch's fused attention out of the graph, which no other program knows."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
