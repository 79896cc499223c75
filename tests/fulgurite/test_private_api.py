"""What Lightning's command line keeps private still is what we take it for."""

import inspect
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
import yaml
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher, subprocess_script
from tiny import TinyModel

from fulgurite import private_api
from fulgurite.trust import trust

OVERRIDDEN = [name for name in vars(private_api.OpenLightningCLI) if name.startswith("_") and name[1] != "_"]


@pytest.mark.parametrize("name", [*OVERRIDDEN, "_get", "_parser"])
def test_lightning_still_has_the_method(name):
    theirs = vars(LightningCLI)[name]
    assert f".{name}(" in inspect.getsource(inspect.getmodule(LightningCLI)), "nobody calls it any more"
    if name in OVERRIDDEN:
        ours = vars(private_api.OpenLightningCLI)[name]
        assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)


def test_a_verb_goes_through_the_public_names(experiment):
    seen = []
    trust(["tiny"], {})

    class Watched(private_api.OpenLightningCLI):
        def run_verb(self):
            seen.append(self.subcommand)
            super().run_verb()

        def fixed_arguments(self):
            seen.append("arguments")
            return {}

    trainer = {"max_epochs": 1, "logger": False, "enable_checkpointing": False, "accelerator": "cpu"}
    config = {"trainer": trainer, "data": {"class_path": "tiny.TinyData"}}
    cli = Watched(
        TinyModel,
        subclass_mode_data=True,
        save_config_callback=None,
        auto_configure_optimizers=False,
        args={"subcommand": "fit", "fit": config},
    )
    assert seen == ["fit", "arguments"]
    assert cli.built("model") is cli.model
    assert {"model.width", "trainer.max_epochs"} <= cli.options("fit")
    assert yaml.safe_load(cli.as_text(cli.config["fit"]))["data"]["class_path"] == "tiny.TinyData"


def test_constructor_remembers_the_arguments():
    cli = SimpleNamespace(config_dump={"model": {"class_path": "tiny.TinyModel"}}, _dump_config=lambda: None)

    class Remembers(LightningModule):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.save_hyperparameters()

    made = private_api.constructor(cli, "model")(Remembers, applied_instantiation_links={}, width=2)
    assert made.hparams["_class_path"] == "tiny.TinyModel"


@pytest.fixture
def trainer_of():
    """A trainer whose launcher has started the given processes."""

    def make(*processes):
        trainer = Trainer(accelerator="cpu", devices=2, strategy="ddp", logger=False, enable_checkpointing=False)
        launcher = _SubprocessScriptLauncher(trainer.strategy.cluster_environment, 2, 1)
        trainer.strategy._launcher = launcher
        launcher.procs = [*processes]
        return trainer

    return make


DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"


def test_other_processes_are_ended_and_forgotten(trainer_of):
    process = subprocess.Popen(["sleep", "60"])
    trainer = trainer_of(process)
    assert private_api.other_processes(trainer) == [process]
    assert private_api.end_other_processes(trainer) == 1
    assert process.wait(10) == -signal.SIGTERM
    assert private_api.other_processes(trainer) == []


def test_other_processes_that_do_not_listen_are_ended_by_force(trainer_of):
    with subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        private_api.end_other_processes(trainer_of(process), patience=0.1)
        assert process.wait(10) == -signal.SIGKILL


def test_lightning_starts_no_watch_of_its_own(trainer_of, monkeypatch):
    monkeypatch.setattr(subprocess_script, "_launch_process_observer", lambda child_processes: pytest.fail("started"))
    private_api.keep_lightning_from_watching()
    launcher = trainer_of().strategy.launcher
    monkeypatch.setattr(launcher, "_call_children_scripts", lambda: None)
    assert launcher.launch(lambda: "done") == "done"


def test_a_view_is_what_saving_would_send():
    workspaces = pytest.importorskip("wandb_workspaces.workspaces")
    view = private_api.view_of(workspaces.Workspace(entity="e", project="p", name="n"))
    assert (view["entity"], view["project"], view["displayName"]) == ("e", "p", "n")
    assert view["spec"]["section"]["panelBankConfig"]["sections"] == []


def test_a_trial_is_found_by_its_number_in_all_studies():
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.InMemoryStorage()
    optuna.create_study(storage=storage, study_name="a").ask()
    study = optuna.create_study(storage=storage, study_name="b")
    study.ask()
    (trial,) = study.get_trials()
    optuna.Trial(study, private_api.trial_id(trial)).report(0.5, 1)
    assert study.get_trials()[0].intermediate_values == {1: 0.5}
