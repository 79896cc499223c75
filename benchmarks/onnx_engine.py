"""What an exported file costs beside the network in torch: ``python -m benchmarks.onnx_engine RUN...``.

RUN is a run folder in which ``lightning export`` has left its files. Both are asked for the answer to the same batch in
turn, by as many threads, and the median is told. What a step does beside the network, such as OpenCV's flow for the
rule without learning, counts for torch as it does in ``lightning predict``.
"""

import statistics
import time
from pathlib import Path
from typing import Any, ClassVar

import torch
from lightning.pytorch import Trainer

from benchmarks import common
from callbacks.text import printable
from fulgurite.export import ExportCommand, Exporter, ExportingTrainer
from fulgurite.exports.files import of_graph, open_onnx, place
from fulgurite.pages.page import bytes_text
from fulgurite.quiet import keep_quiet


class _Timed(Exporter):
    """Times the files that are there, instead of writing them."""

    runs = 7

    def on_predict_epoch_end(self) -> None:
        """Print a row."""
        model: Any = self.model
        deployment = model.deployed()
        run = Path(self.trainer.default_root_dir)
        paths = {name: of_graph(place(run, deployment.system, "onnx"), name) for name in deployment.graphs}
        files = {name: open_onnx(path) for name, path in paths.items()}
        batch = self.batches[0]

        def by_file() -> None:
            deployment.answer(batch, lambda name, inputs: files[name].run(inputs))

        def by_torch() -> None:
            model.predict_step(batch, 0)

        seconds: dict[str, list[float]] = {"torch": [], "onnx": []}
        with torch.inference_mode():
            for number in range(self.runs + 1):
                for name, work in (("torch", by_torch), ("onnx", by_file)):
                    start = time.perf_counter()
                    work()
                    if number:  # the first call prepares
                        seconds[name].append(time.perf_counter() - start)
        in_torch, in_file = (1000 * statistics.median(seconds[name]) for name in ("torch", "onnx"))
        size = bytes_text(sum(path.stat().st_size for path in paths.values()))
        row = [printable(run.parent.name), size, f"{in_torch:.4g} ms", f"{in_file:.4g} ms", f"{in_torch / in_file:.2f}"]
        common.print_table(["run", "size", "torch", "onnxruntime", "times as fast"], [row])


class _TimingTrainer(ExportingTrainer):
    exporter_kind: ClassVar[type[Exporter]] = _Timed


class _TimingCommand(ExportCommand):
    trainer_kind: ClassVar[type[Trainer]] = _TimingTrainer


def main() -> None:
    """Time the runs named."""
    arguments = common.parser("what an exported file costs beside the network in torch")
    arguments.add_argument("run", nargs="*", help="run folder with an export")
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    keep_quiet()
    common.print_header("exported files beside torch")
    _Timed.runs = given.runs
    if not given.run:
        print("no run folder was named")
    for run in given.run:
        _TimingCommand(["export", "--run", run])


if __name__ == "__main__":
    main()
