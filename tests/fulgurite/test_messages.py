"""Every mistake a user can make ends with status 2 and one line that names the key, the value and the remedy."""

import pytest

from fulgurite.cli import main

# what the user writes on the command line, and what has to be in the answer
WORDS = {
    "--trainer.max_epoch 1": ["trainer.max_epoch = 1", "Did you mean 'trainer.max_epochs'?"],
    "--trainer.max_epoch=1": ["trainer.max_epoch = 1", "Did you mean 'trainer.max_epochs'?"],
    "--modle.width 3": ["modle.width = 3", "Did you mean 'model.width'?"],
    "--run.nam x": ["run.nam = x", "Did you mean 'run.name'?"],
    "--checkpoints.moniter x": ["checkpoints.moniter = x", "Did you mean 'checkpoints.monitor'?"],
    "--zzz 1": ["zzz = 1", "lightning fit --help"],
    "--trainer.max_epochs one": ["trainer.max_epochs = one", "a whole number or null"],
    "--trainer.max_epochs": ["--trainer.max_epochs", "a value is missing"],
    "--trainer.precision bf16-mixd": ["trainer.precision = bf16-mixd", "Did you mean 'bf16-mixed'?"],
    "--trainer.accelerator cpuu": ["accelerator='cpuu'", "mps"],
    "--trainer.strategy ddpp": ["trainer.strategy = ddpp", "Did you mean 'ddp'?"],
    "--trainer.devices x": ["devices", "int > 0"],
    "--trainer.default_root_dir here": ["trainer.default_root_dir = here", "run.root"],
    "--seed_everything x": ["seed_everything = x", "a whole number"],
    "--model.widht 3": ["model.widht = 3", "TinyModel", "Did you mean 'width'?"],
    "--model.zzz 3": ["model.zzz = 3", "It has: width, kind, lr"],
    "--model.width x": ["model.width = x", "a whole number"],
    "--model.width 0": ["width = 0", "give a positive number"],
    "--model.lr fast": ["model.lr = fast", "a number"],
    "--data.lr 3 --model.lr 4": ["data.lr = 3", "TinyData"],
    "--model.scale fast": ["model.scale = fast", "a number or null"],
    "--model.kind worm": ["model.kind = worm", "warm or cold", "Did you mean 'warm'?"],
    "--model.size 64": ["model.size = 64", "a list"],
    "--model.size [64]": ["model.size = [64]", "2 elements"],
    "--model.weights {a:x}": ["model.weights", "mapping"],
    "--model TinyModl": ["model = TinyModl", "Did you mean 'TinyModel'?"],
    "--model TinyData": ["model = TinyData", "no such class"],
    "--model os.system": ["model = os.system", "TinyModel"],
    "--data.sorce x": ["data.sorce = x", "TinyData", "Did you mean 'source'?"],
    "--data.source nowhere": ["data.source = nowhere", "no such file"],
    "--data.source worker --data.num_workers 1": ["clip7.mp4", "remove it"],
    "--run.name ../x": ["run.name = ../x", "letters"],
    "--run.name latest": ["run.name = latest", "do not use 'latest'"],
    "--run.root tiny.yaml": ["run.root", "tiny.yaml"],
    "--checkpoints.monitor val/scor": ["val/scor", "val/score"],
    "--ckpt_path nope.ckpt": ["--ckpt_path nope.ckpt", "best, last or the path"],
    "--ckpt_path .": ["--ckpt_path .", "this is a folder"],
    "--ckpt_path last": ["run.experiment", "no run", "lightning fit"],
    "--ckpt_path https://example.org/x.ckpt": ["https://example.org/x.ckpt", "download"],
    "--config nope.yaml": ["--config nope.yaml", "no such file"],
    "--config tinny.yaml": ["--config tinny.yaml", "Did you mean tiny.yaml?"],
    "--config https://example.org/x.yaml": ["https://example.org/x.yaml", "download"],
    "--config vta_gna": ["--config vta_gna", "Did you mean vta_gan?", "lightning experiments"],
    "--config vta_gan/smok": ["--config vta_gan/smok", "Did you mean vta_gan/smoke?"],
    "--config .": ["--config .", "this is a folder"],
    "--config": ["--config", "a value is missing"],
    "foo": ["'foo'", "begin with --"],
}
# what the user writes in a second configuration, and what has to be in the answer
FILES = {
    "trainr: {max_epochs: 3}": ["trainr.max_epochs = 3", "overlay.yaml", "Did you mean 'trainer.max_epochs'?"],
    "trainer: {max_epoch: 3}": ["trainer.max_epoch = 3", "overlay.yaml", "Did you mean 'trainer.max_epochs'?"],
    "trainer: {max_epochs: three}": ["trainer.max_epochs = three", "overlay.yaml", "a whole number or null"],
    "trainer: 3": ["trainer", "3"],
    "model: {init_args: {lr: 3}}\ndata: {init_args: {lr: 4}}": ["data.lr = 4 (in overlay.yaml)", "TinyData"],
    "model: {init_args: {widht: 3}}": ["model.widht = 3", "overlay.yaml", "Did you mean 'width'?"],
    "model: {init_args: {width: wide}}": ["model.width = wide", "overlay.yaml", "a whole number"],
    "model: {class_path: TinyModl}": ["model = TinyModl", "Did you mean 'TinyModel'?"],
    "model: {class_path: tiny.TinyModl}": ["tiny.TinyModl", "Did you mean"],
    "model: {class_path: tinny.TinyModel}": ["tinny.TinyModel", "Did you mean"],
    "model: {class_path: tiny.TinyData}": ["tiny.TinyData", "another kind", "TinyModel"],
    "model: {class_path: NeedyModel}": ["model.must", "not given", "NeedyModel"],
    "model: {init_args: {optimizer: {class_path: torch.optim.Adma}}}": ["torch.optim.Adma", "Did you mean"],
    "model: {init_args: {optimizer: {class_path: torch.optim.SGD, init_args: {lrr: 3}}}}": [
        "model.optimizer.lrr = 3", "overlay.yaml", "SGD", "Did you mean 'lr'?",
    ],
    "model: {init_args: {optimizer: {class_path: torch.optim.SGD, init_args: {lr: x}}}}": [
        "model.optimizer.lr = x", "overlay.yaml", "a number",
    ],
    "trainer: {callbacks: [{class_path: EarlyStoping}]}": ["EarlyStoping", "Did you mean 'EarlyStopping'?"],
    "trainer: {callbacks: [{class_path: EarlyStopping, init_args: {monitr: x}}]}": [
        "trainer.callbacks.monitr = x", "overlay.yaml", "Did you mean 'monitor'?",
    ],
    "trainer: {callbacks: [{class_path: EarlyStopping, init_args: {monitor: x, patience: lots}}]}": [
        "trainer.callbacks.patience = lots", "overlay.yaml", "a whole number",
    ],
    "trainer: {callbacks: [{class_path: EarlyStopping, init_args: {monitor: x, mode: most}}]}": [
        "trainer.callbacks = EarlyStopping", "mode = most (in overlay.yaml)", "min, max",
    ],
    "model: {class_path: OptimizedModel, init_args: {optimizer: {class_path: torch.optim.SGD, init_args: {lr: -1}}}}": [
        "model.optimizer = SGD", "lr = -1 (in overlay.yaml)", "Invalid learning rate",
    ],
    "model: {init_args: {width: 100000000000000}}": ["model = TinyModel", "not enough memory", "allocate"],
    "data: {init_args: {batch_size: 0}}": ["data = TinyData", "batch_size is 0"],
    "checkpoints: {every_n_batches: -1}": ["checkpoints = Checkpoints: every_n_batches is -1"],
    "trainer: {callbacks: [{class_path: os.system, init_args: {command: touch hacked}}]}": [
        "os.system", "Checkpoints",
    ],
    "trainer: {callbacks: [{class_path: WandbRun}]}": ["trainer.callbacks", "WandbRun", "wandb.*"],
    "model: [\ndata: }": ["overlay.yaml, line 2", "not YAML"],
    "!!python/object/apply:os.system ['touch hacked']": ["overlay.yaml", "not YAML"],
    "hello": ["overlay.yaml", "hello", "key: value"],
}  # fmt: skip


def answer(capsys, *words: str) -> str:
    with pytest.raises(SystemExit) as end:
        main(["fit", *words])
    said = capsys.readouterr().err.strip().splitlines()
    lines = [line for line in said if not line.startswith(("Seed set", "GPU available"))]
    assert end.value.code == 2
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.mark.parametrize("words", WORDS)
def test_on_the_command_line(words, experiment, capsys, tmp_path):
    said = answer(capsys, "--config", experiment, *words.split())
    assert [part for part in WORDS[words] if part not in said] == [], said
    noticed_while_it_runs = "worker" in words or "monitor" in words
    assert noticed_while_it_runs or not list(tmp_path.glob("runs/*/*"))


@pytest.mark.parametrize("text", FILES)
def test_in_a_file(text, experiment, capsys, tmp_path):
    (tmp_path / "overlay.yaml").write_text(text)
    said = answer(capsys, "--config", experiment, "--config", "overlay.yaml")
    assert [part for part in FILES[text] if part not in said] == [], said
    assert not (tmp_path / "hacked").exists()


def test_no_configuration_at_all(experiment, capsys):
    said = answer(capsys)
    assert "model" in said
    assert "--config vta_gan" in said


def test_other_verbs_need_a_checkpoint(experiment, capsys):
    with pytest.raises(SystemExit) as end:
        main(["test", "--config", experiment])
    assert end.value.code == 2
    assert "--ckpt_path: not given" in capsys.readouterr().err


def test_a_source_in_another_place_is_told_where_one_goes(experiment, capsys):
    with pytest.raises(SystemExit) as end:
        main(["predict", "--config", experiment, "--ckpt_path", "best", "b.mp4"])
    assert end.value.code == 2
    assert "'b.mp4': lightning predict takes one source, which is its first word: a file" in capsys.readouterr().err


def test_checkpoint_of_another_model(fit, capsys):
    run = fit()
    said = answer(
        capsys, "--config", "tiny.yaml", "--ckpt_path", str(run / "checkpoints/best.ckpt"), "--model.width", "2"
    )
    assert "line.weight" in said
    assert "config.yaml" in said


def test_our_defects_keep_their_traceback(fit):
    with pytest.raises(RuntimeError, match="a defect of ours"):
        fit("--model.fails", "true")


def test_ctrl_c(fit, capsys):
    with pytest.raises(SystemExit) as end:
        fit("--data.interrupt", "true")
    assert end.value.code == 130
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith("interrupted")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--checkpoints.monitor val/tile_auroc_macr", "Did you mean 'val/tile_auroc_macro'?"),
        ("--checkpoints.tie_breaker train/vae/kl", "checkpoints.tie_breaker = train/vae/kl: nothing logs it"),
        ("--trainer.callbacks+=EarlyStopping --trainer.callbacks.monitor train/vae/kll", "'train/vae/kl'?"),
        ("--trainer.callbacks [] --checkpoints.monitor null", "no callback judges the validations"),
    ],
)
def test_a_monitor_that_nobody_logs_is_refused_before_anything_is_decoded(words, said, experiment, capsys, tmp_path):
    sizes = "--model.width 2 --model.latent_dim 2 --data.tile_size 32 --trainer.accelerator cpu"
    assert said in answer(capsys, "--config", "aitex_vae", "--data.cache_dir", "cache", *sizes.split(), *words.split())
    assert [path.name for path in tmp_path.iterdir() if path.name != "runs"] == ["tiny.yaml"]


def test_an_option_before_the_configuration_that_names_its_class(capsys, tmp_path):
    with pytest.raises(SystemExit) as end:
        main(["fit", "--model.size", "3", "--config", "experiments/vta_gan.yaml", "--run.root", str(tmp_path)])
    assert end.value.code == 2
    assert "write --config before --model" in capsys.readouterr().err
