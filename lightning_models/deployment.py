"""What leaves the project with a trained system: networks from bytes to answers, and what has to be known of them.

A system says by ``deployed()`` what it is outside of this project. Its graphs are made of its own networks and buffers,
so that nothing is computed by a second formula; ``answer`` is the way from a batch to the answer of its step through
them, whoever runs them: torch, or another program that reads what was exported.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

Batch = TypeVar("Batch")
Answer = TypeVar("Answer")

Run = Callable[[str, Mapping[str, Tensor]], Mapping[str, Tensor]]
"""Runs a graph, by its name, on its inputs by name, and returns its outputs by name."""


@dataclass(frozen=True)
class Port:
    """An input or an output of a graph.

    Attributes:
        name: of the argument of the graph's ``forward``, or of what it returns.
        dims: what its dimensions are called, outermost first.
        dtype: of its elements, as NumPy calls it.
        range: of its values.
        means: what it is, in a few words.
    """

    name: str
    dims: tuple[str, ...]
    dtype: str
    range: str
    means: str


@dataclass(frozen=True)
class Graph:
    """A network that is exported.

    Attributes:
        module: takes the inputs in their order, and returns the outputs in theirs, as a tuple.
        inputs: what goes in.
        outputs: what comes out.
        may_vary: dimensions of the inputs that may have any size, from the smallest one named on. One that is smaller
            where the graph is captured stays as it is there, as all others do.
    """

    module: nn.Module
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    may_vary: Mapping[str, int] = field(default_factory=lambda: {"batch": 1})

    def open(self, example: Mapping[str, Tensor]) -> dict[str, int]:
        """Return the dimensions that any size may be given to where the graph is captured by an example."""
        sizes = {
            dim: size for port in self.inputs for dim, size in zip(port.dims, example[port.name].shape, strict=True)
        }
        return {dim: smallest for dim, smallest in self.may_vary.items() if sizes[dim] >= smallest}

    def fits(self, inputs: Mapping[str, Tensor], example: Mapping[str, Tensor]) -> bool:
        """Return whether the graph that is captured by an example takes these inputs: what is not open is the same."""
        open_dims = self.open(example)
        return all(
            dim in open_dims or size == own
            for port in self.inputs
            for dim, size, own in zip(port.dims, example[port.name].shape, inputs[port.name].shape, strict=True)
        )


class Deployment(ABC, Generic[Batch, Answer]):
    """A trained system as it is used outside of this project.

    Attributes:
        system: what its files are called.
        graphs: its networks by name; the only one has an empty name.
        facts: what has to be known of it, made of JSON's types: sizes, normalisation, threshold.
        outside: what is left to whoever runs it, each with the reason, in a sentence.
    """

    system: ClassVar[str]
    graphs: Mapping[str, Graph]
    facts: Mapping[str, Any]
    outside: tuple[str, ...] = ()

    @abstractmethod
    def answer(self, batch: Batch, run: Run) -> Answer:
        """Return what the system's own step answers to a batch, by what ``run`` computes."""


def in_torch(deployment: Deployment[Any, Any]) -> Run:
    """Return what runs the graphs of a system as they are, without any export."""

    @torch.no_grad()
    def run(name: str, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        graph = deployment.graphs[name]
        outputs = graph.module(*(inputs[port.name] for port in graph.inputs))
        return {port.name: output for port, output in zip(graph.outputs, outputs, strict=True)}

    return run
