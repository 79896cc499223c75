"""The verbs fit, validate, test and predict: LightningCLI, a run folder, and errors that can be read.

lightning fit --config vta_gan
lightning test --config vta_gan --ckpt_path best
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar, Literal

from jsonargparse import Namespace
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelSummary, ProgressBar
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI

import datamodules  # noqa: F401  # a short class name (class_path: VTAGAN) is that of an imported class
import lightning_models  # noqa: F401
from callbacks import Checkpoints, WandbRun, resolve_checkpoint
from callbacks.bar_progress import BarProgress
from callbacks.finite_weights import FiniteWeights
from callbacks.graceful_stop import GracefulStop
from callbacks.metrics_csv import MetricsCsv
from callbacks.monitors import LoggedMonitors, check_monitors
from callbacks.parts_of_model import PartsOfModel
from callbacks.plain_progress import PlainProgress
from callbacks.training_record import TrainingRecord, note_failure
from callbacks.written_settings import WrittenSettingsWin
from datamodules.atomic_file import DiskError
from datamodules.errors import InputError
from fulgurite.agent_words import of_agent
from fulgurite.building import build, refuse_functions, write_out_enums
from fulgurite.chosen_callbacks import check_added, check_fit_for, place_checkpoints, refuse_twice
from fulgurite.errors import one_line, readable_errors
from fulgurite.experiment_files import named
from fulgurite.given import Given
from fulgurite.launch import RUN_VARIABLE, Place, place
from fulgurite.messages import explain
from fulgurite.null import CLASSES, nested_words, refuse_null
from fulgurite.private_api import (
    OpenLightningCLI,
    end_other_processes,
    keep_lightning_from_watching,
    null_is_written,
    other_processes,
)
from fulgurite.processes import rank, say
from fulgurite.quiet import keep_quiet
from fulgurite.refuse import shortened
from fulgurite.run_folder import RunFolder
from fulgurite.run_lock import RunLock
from fulgurite.run_option import of_run
from fulgurite.runs import CONFIG, RunSettings, forget_unused, renew_latest
from fulgurite.scaled import set_scale
from fulgurite.shared_arguments import shared_words
from fulgurite.signals import SIGNALS
from fulgurite.trainer_limits import check_trainer
from fulgurite.trust import separate_trust, trust
from fulgurite.watch import Watch
from fulgurite.written_form import as_yaml

GROUPS = ("trainer", "run", "checkpoints", "wandb")
"""Keys that hold nothing but further keys."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the verb that is the first argument; see :func:`fulgurite.cli.main`."""
    keep_quiet()
    with readable_errors():
        CommandLine(None if argv is None else list(argv))


class Parser(LightningArgumentParser):
    """Lightning's parser, for which a value is never the name of a file to read more settings from."""

    def add_class_arguments(self, *args: Any, **kwargs: Any) -> list[str]:
        """Add the arguments of a class; its values are what they say."""
        return super().add_class_arguments(*args, **{**kwargs, "sub_configs": False})

    def dump(self, *args: Any, **kwargs: Any) -> str:
        """Return settings as YAML; those that were parsed need no second check, which takes longer than the writing."""
        with null_is_written():
            return str(super().dump(*args, **{"skip_validation": True} | kwargs))


class CommandLine(OpenLightningCLI):
    """LightningCLI with a run folder, and with errors of one sentence.

    Args:
        args: Verb and options; None for those of the process, from which a distributed run starts its others.
    """

    trainer_kind: ClassVar[type[Trainer]] = Trainer
    parser_kind: ClassVar[type[Parser]] = Parser

    def __init__(self, args: list[str] | None) -> None:
        typed = sys.argv[1:] if args is None else args
        self.typed = ["lightning", *typed]
        self.understand(typed)
        self.place: Place | None = None
        self.lock: RunLock | None = None
        try:
            super().__init__(
                LightningModule,
                LightningDataModule,
                trainer_class=self.trainer_kind,
                parser_class=self.parser_kind,
                save_config_callback=None,  # RunFolder does it
                seed_everything_default=0,
                parser_kwargs={"allow_abbrev": False, "exit_on_error": False},
                subclass_mode_model=True,
                subclass_mode_data=True,
                args=args,
                auto_configure_optimizers=False,
            )
        finally:
            if self.lock:
                self.lock.release()
                self._renew_latest()
            if self.place and self.place.is_new:
                forget_unused(self.place.run, failed=sys.exception() is not None)
                os.environ.pop(RUN_VARIABLE)

    def _renew_latest(self) -> None:
        """Let ``latest`` lead to this run if its last checkpoint was its first; that it cannot hides no error."""
        assert self.place is not None
        if (self.place.run / CONFIG).is_file():
            try:
                renew_latest(self.place.run.parent)
            except DiskError as problem:
                say(f"warning: {one_line(problem)}")

    def understand(self, typed: Sequence[str]) -> None:
        """Work out what the user wrote, and the words for the parser.

        Args:
            typed: verb and options.
        """
        words, packages = separate_trust(named(of_run(of_agent(typed))))
        self.given = Given(words[1:])
        self.trusted = trust(packages, self.given.configs)
        # jsonargparse takes all words behind --model.help for options of the model
        helping = any(word.partition("=")[0].endswith(".help") for word in words)
        own = [] if helping else [*shared_words(self.given), f"--trust={json.dumps(self.trusted)}"]
        self.words = [words[0], *nested_words(self.given), *own]

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]  # static there, where all verbs are built
        """Return the one verb that runs, with the arguments of the trainer's method that are not options.

        ``return_predictions`` is none: predictions are written as they come, never kept in memory. Nor is
        ``weights_only``: with it off, reading a checkpoint runs what is in it.
        """
        verb = self.words[0]
        return {verb: LightningCLI.subcommands()[verb] | {"return_predictions", "weights_only"}}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add what the command itself brings: the run folder, its checkpoints, its copy on Weights & Biases."""
        parser.add_argument(
            "--trust",
            type=list[str],
            default=[],
            help="Package whose models, data modules and callbacks may be named: installed, or in the working "
            "directory. Give it once for each.",
        )
        parser.add_argument(
            "--run",
            type=RunSettings,
            default=RunSettings(),
            help="Where a run leaves its files. --run RUN instead "
            "names an earlier one, which brings its configuration and its weights.",
        )
        if self.words[0] == "predict":
            parser.add_argument(
                "--engine",
                type=Literal["torch", "onnx"],
                default="torch",
                help="What computes: torch, or onnx: the files that lightning export has left in the run folder.",
            )
        if self.words[0] == "test":
            parser.add_argument(
                "--report", type=bool, default=True, help="Whether the test ends with report.html in the run folder."
            )
        if self.words[0] == "predict":
            parser.add_argument(
                "--scale",
                type=int,
                default=1,
                help="Videos and sheets of drawn pictures also so many times as high and wide, by Lanczos' filter.",
            )
        parser.add_lightning_class_args(Checkpoints, "checkpoints")
        parser.add_lightning_class_args(WandbRun, "wandb")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse, and say in one sentence what is wrong."""
        check_added(self.given)
        for group in GROUPS:
            written = self.given.find(group)
            if written and isinstance(written.value, str) and not written.value.startswith("{"):
                raise InputError(f"{group}{written}: expected a mapping; write its keys below it, indented")
        for key in CLASSES:
            written = self.given.find(key)
            if written and isinstance(written.value, str) and Path(written.value).exists():  # jsonargparse reads it
                raise InputError(f"{key}{written}: expected a class; the settings in a file are read by --config alone")
        try:
            self.config = parser.parse_args(self.words)
        except argparse.ArgumentError as problem:
            verb = self.words[0]
            raise InputError(explain(str(problem), self.options(verb), self.given, verb)) from None
        for group in GROUPS:
            value = self.config[self.words[0]][group]
            if not isinstance(value, Namespace):
                shown = shortened(as_yaml(value))
                raise InputError(f"{group} = {shown}: expected a mapping; write its keys below it, indented")
        write_out_enums(self.config)
        refuse_null(self.config[self.words[0]])
        refuse_functions(self.config[self.words[0]])

    def before_instantiate_classes(self) -> None:
        """Find or make the run folder, before anything is built that could write."""
        verb = str(self.subcommand)
        settings = self.config[verb]
        check_trainer(settings.trainer)
        self.saved = settings.clone()
        run = RunSettings(**settings.run.as_dict())
        self.place = place(verb, run, settings.ckpt_path, list(self.given.configs), resolve_checkpoint)
        if self.place.is_new:
            os.environ[RUN_VARIABLE] = str(self.place.run)
        if verb == "fit" and rank() == 0:
            self.lock = RunLock(self.place.run)
            self.lock.acquire()
        self.saved.run.experiment, self.saved.run.name = self.place.run.parent.name, None
        self.saved.ckpt_path = None
        settings.trainer.default_root_dir = str(self.place.run)
        settings.ckpt_path = str(self.place.checkpoint) if self.place.checkpoint else None

    def instantiate_classes(self) -> None:
        """Build data, model and trainer; the error of a constructor is raised as it is."""
        self.config_init = build(self.parser, self.config, self, self.given)
        self.datamodule = self.built("data")
        self.model = self.built("model")
        self.trainer = self.instantiate_trainer()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Build the trainer, with what is bound to the run folder."""
        assert self.place is not None
        settings = self.built("trainer")
        dry = bool(settings["fast_dev_run"])
        own: list[Callback] = [FiniteWeights()]
        table = MetricsCsv(self.place.run) if settings["logger"] is None and self.subcommand == "fit" else None
        if not dry:
            training = TrainingRecord() if self.subcommand == "fit" else None
            folder = RunFolder(self.place.run, lambda: self.as_text(self.saved), self.lock, table, self.typed, training)
            own += [WrittenSettingsWin(), *([training] if training else []), folder]
        chosen = settings["callbacks"] or []
        chosen = chosen if isinstance(chosen, list) else [chosen]
        for kind, key in ((Checkpoints, "checkpoints"), (WandbRun, "wandb")):
            if any(isinstance(callback, kind) for callback in chosen):
                raise InputError(f"trainer.callbacks: {kind.__name__} is always there; set it by {key}.* instead")
        check_fit_for(self.model, chosen)
        refuse_twice(chosen)
        if self.subcommand == "predict":
            set_scale(chosen, self.config[self.subcommand].scale)
        place_checkpoints(self.place.run, chosen)
        if self.subcommand == "predict" and self.config["predict"].engine == "onnx":
            from fulgurite.exports.engine import OnnxEngine  # here: what it needs is of no use to other verbs

            own.append(OnnxEngine(self.place.run))
        if settings["enable_progress_bar"] is not False and not any(isinstance(c, ProgressBar) for c in chosen):
            own.append(BarProgress() if sys.stdout.isatty() else PlainProgress())
        if settings["enable_model_summary"] is not False and not any(isinstance(c, ModelSummary) for c in chosen):
            own.append(PartsOfModel())
        settings["callbacks"] = [LoggedMonitors(), *chosen, *own]  # the first: before those that miss a metric
        if settings["logger"] is None:
            settings["logger"] = [table] if table else False
        try:
            trainer = super().instantiate_trainer(**kwargs)
        except (MisconfigurationException, TypeError, ValueError) as problem:
            said = one_line(problem)
            remedy = (
                ". Set --trainer.accelerator auto to take what there is"
                if "accelerator" in said or "backend" in said
                else ""
            )
            raise InputError(f"trainer: {said}{remedy}") from problem
        trainer.callbacks.append(GracefulStop(SIGNALS))  # type: ignore[attr-defined]  # the last of all
        return trainer

    def before_fit(self) -> None:
        """Check what is monitored before anything is decoded."""
        check_monitors(self.model, self.trainer.callbacks)  # type: ignore[attr-defined]  # set without a type

    def run_verb(self) -> None:
        """Run the verb; where it fails, end the other processes too."""
        assert self.place is not None
        several = self.trainer.world_size > 1
        keep_lightning_from_watching()
        noted = {"note": note_failure} if self.subcommand == "fit" else {}  # a test is no part of the training
        watch = Watch(self.place.run, lambda: other_processes(self.trainer), **noted)
        try:
            with watch.ended_together() if several else nullcontext():
                for callback in self.trainer.callbacks:  # type: ignore[attr-defined]  # set without a type
                    if isinstance(callback, WandbRun):
                        callback.open_own_loggers(self.trainer)
                super().run_verb()
        except BaseException:
            if end_other_processes(self.trainer):
                watch.forget_words()
            raise
        if self.subcommand == "test" and self.config[self.subcommand].report:
            self._write_report(self.place.run)

    def _write_report(self, run: Path) -> None:
        """Write the report; that it cannot be written is said, and takes nothing from the test, which is over."""
        from fulgurite.report import write_report  # here: what it needs is of no use to other verbs

        if not self.trainer.is_global_zero or self.trainer.fast_dev_run:  # type: ignore[attr-defined]  # set untyped
            return
        try:
            write_report(run)
        except InputError as problem:
            say(f"warning: no report was written: {one_line(problem)}")

    def fixed_arguments(self) -> dict[str, Any]:
        """Keep no predictions: they are written as they come."""
        return {"return_predictions": False} if self.subcommand == "predict" else {}
