"""The two formats of exported graphs: how a file is written, and how it is run."""

import io
import json
import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.export import ExportedProgram

from datamodules.errors import InputError
from lightning_models.deployment import Graph

Format = Literal["onnx", "torch_export"]
SUFFIXES: Mapping[Format, str] = {"onnx": ".onnx", "torch_export": ".pt2"}
FOLDER = "export"
ABOUT = "about.json"
"""Name under which a ``.pt2`` file holds what an ``.onnx`` file has as its metadata."""

RunFile = Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]


class Opened(NamedTuple):
    """An exported graph that is ready to run.

    Attributes:
        run: computes its outputs, by name, of its inputs by name.
        about: its metadata.
    """

    run: RunFile
    about: Mapping[str, Any]


def place(run: Path, system: str, kind: Format) -> Path:
    """Return where a run folder has the export of its system."""
    return run / FOLDER / f"{system}{SUFFIXES[kind]}"


def of_graph(path: Path, graph: str) -> Path:
    """Return the file of a graph, whose name stands before the ending where a system has several."""
    return path.with_name(f"{path.stem}.{graph}{path.suffix}") if graph else path


def refuse_missing(what: str) -> None:
    """Refuse to go on where a package of the extra is missing.

    Args:
        what: option that needs it.

    Raises:
        InputError: with the command that installs them.
    """
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        are = "packages" if len(missing) > 1 else "package"
        raise InputError(
            f"{what} needs the {are} {' and '.join(missing)}, not installed here: pip install 'fulgurite[export]'"
        )


def writer(kind: Format, program: ExportedProgram, graph: Graph) -> Callable[[Mapping[str, Any]], bytes]:
    """Return what makes a file's content of its metadata; the graph is brought into the format once.

    Raises:
        InputError: if the format has no word for an operation of the graph.
    """
    if kind == "torch_export":
        return lambda about: _as_program(program, about)
    exported = _as_onnx(program, graph)
    return lambda about: _with_metadata(exported, about)


def open_program(content: bytes, graph: Graph) -> Opened:
    """Make a ``.pt2`` ready to run that this process has just written: reading one may run what is in it.

    Args:
        content: of the file.
        graph: what was captured; the file does not hold the names of its outputs.
    """
    extra = {ABOUT: ""}
    module = torch.export.load(io.BytesIO(content), extra_files=extra).module()

    @torch.no_grad()
    def run(inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        outputs = module(*(inputs[port.name] for port in graph.inputs))
        return {port.name: output for port, output in zip(graph.outputs, outputs, strict=True)}

    return Opened(run, json.loads(extra[ABOUT]))


def _as_program(program: ExportedProgram, about: Mapping[str, Any]) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about itself
        torch.export.save(program, file, extra_files={ABOUT: json.dumps(about)})
    return file.getvalue()


def _as_onnx(program: ExportedProgram, graph: Graph) -> torch.onnx.ONNXProgram:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about itself; what comes out is compared with the network
        try:
            exported = torch.onnx.export(
                program,
                (),
                dynamo=True,
                verbose=False,
                input_names=[port.name for port in graph.inputs],
                output_names=[port.name for port in graph.outputs],
            )
        except torch.onnx.OnnxExporterError as error:
            reason = str(error.__cause__ or error).strip().splitlines()[0]
            raise InputError(
                f"--format onnx: ONNX has no word for a part of this network ({reason}): give --format torch_export"
            ) from error
    assert exported is not None
    return exported


def _with_metadata(exported: torch.onnx.ONNXProgram, about: Mapping[str, Any]) -> bytes:
    exported.model.metadata_props.update({name: json.dumps(value) for name, value in about.items()})
    return bytes(exported.model_proto.SerializeToString())


def open_onnx(content: bytes | Path) -> Opened:
    """Make an ``.onnx`` file, or what it holds, ready to run on the processor.

    Raises:
        InputError: if the file is damaged.
    """
    import onnxruntime  # here: it need not be installed
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, InvalidProtobuf

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors
    model = content if isinstance(content, bytes) else str(content)
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except (Fail, InvalidGraph, InvalidProtobuf) as error:
        if isinstance(content, bytes):  # which we have just written
            raise
        raise InputError(f"{content} is no whole ONNX file ({error}); write it again by lightning export") from error
    said = session.get_modelmeta().custom_metadata_map
    about = {name: json.loads(text) for name, text in said.items()} if "checkpoint_fingerprint" in said else {}
    names = [output.name for output in session.get_outputs()]
    expected = {port.name: port.shape for port in session.get_inputs()}

    def run(inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        for name, value in inputs.items():
            shape = expected[name]
            if len(shape) != value.dim() or any(
                isinstance(size, int) and size != own for size, own in zip(shape, value.shape, strict=True)
            ):
                raise InputError(
                    f"--engine onnx: the exported file takes {name} of {_sizes(shape)}, and these are "
                    f"{_sizes(value.shape)}: leave out what changes them, or export the run with it"
                )
        found = session.run(names, {name: value.detach().cpu().numpy() for name, value in inputs.items()})
        return {name: torch.from_numpy(value) for name, value in zip(names, found, strict=True)}

    return Opened(run, about)


def _sizes(shape: Any) -> str:
    return " x ".join(str(size) for size in shape)
