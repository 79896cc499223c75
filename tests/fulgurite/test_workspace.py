"""The pages on W&B as code: what they name is what the systems declare, and no network is asked."""

import json
import socket
import sys
from pathlib import Path

import pytest

pytest.importorskip("wandb_workspaces")

from fulgurite import workspace
from fulgurite.cli import main

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
SYSTEMS = sorted(path.stem for path in EXPERIMENTS.glob("*.yaml"))


@pytest.fixture(autouse=True)
def nobody_logged_in(monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)


def panels(view):
    bank = view["spec"]["section"]["panelBankConfig"]
    return {section["name"]: [panel["config"] for panel in section["panels"]] for section in bank["sections"]}


def printed(capsys, *words):
    main(["dashboard", "--workspace", "--dry-run", *words])
    return json.loads(capsys.readouterr().out)


def test_every_experiment_has_a_page_and_one_compares_them(capsys, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the network was asked"))
    views = printed(capsys)
    assert [view["displayName"] for view in views] == [
        *(f"Fulgurite: {one}" for one in SYSTEMS),
        "Fulgurite: comparison",
    ]
    pages = {view["displayName"].removeprefix("Fulgurite: "): panels(view) for view in views}
    for system in SYSTEMS:
        assert pages[system].keys() - {"Health"} == {"Metrics", "Losses", "Media", "System"}
    assert {system for system in SYSTEMS if "Health" in pages[system]} == {"cnn_param_tanh", "motor_vae_gan", "vta_gan"}
    lines = [config for page in pages.values() for section in ("Metrics", "Losses") for config in page.get(section, ())]
    assert {config["xAxis"] for config in lines if "xAxis" in config} == {"batches"}
    compared = {name for config in pages["comparison"]["Headlines"] for name in config["metrics"]}
    assert compared == {
        f"{stage}/{name}"
        for stage in ("val", "test")
        for name in ("frame_auroc_micro", "tile_auroc", "fid_random_conv", "l1")
    }


def test_a_page_shows_the_runs_of_its_experiment_and_each_metric_beside_its_references(capsys):
    page, _ = printed(capsys, "audio_to_video", "--project", "mine", "--entity", "we")
    assert (page["project"], page["entity"]) == ("mine", "we")
    (runs,) = page["spec"]["section"]["runSets"]
    (rule,) = runs["filters"]["filters"]
    assert (rule["key"]["name"], rule["op"], rule["value"]) == ("group", "=", "audio_to_video")
    drawn = [config["metrics"] for config in panels(page)["Metrics"]]
    assert ["val/psnr", "val/psnr_own_mean_picture"] in drawn
    assert [f"val/shuffle_l1_increase{end}" for end in ("", "_low", "_high")] in drawn
    media = [config["mediaKeys"] for config in panels(page)["Media"] if "mediaKeys" in config]
    assert media == [["val/video"], ["val/panel"], ["val/attention"]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--workspace"], "saving needs a key of W&B: run `wandb login`, or add --dry-run"),
        (["--workspace", "--dry-run", "vta_gna"], "there is no such experiment. Choose among aitex_vae, "),
        (["--dry-run"], "--project and --entity belong to --workspace"),
    ],
)
def test_what_cannot_be_done_is_said(words, said, capsys):
    with pytest.raises(SystemExit) as end:
        main(["dashboard", *words])
    assert end.value.code == 2
    assert said in capsys.readouterr().err


def test_without_the_package_its_name_is_said(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb_workspaces.reports.v2", None)
    monkeypatch.delitem(sys.modules, "fulgurite.workspace_views", raising=False)
    with pytest.raises(SystemExit) as end:
        main(["dashboard", "--workspace", "--dry-run"])
    assert end.value.code == 2
    assert workspace.MISSING in capsys.readouterr().err


def test_with_a_key_they_are_saved(capsys, monkeypatch):
    import wandb_workspaces.workspaces as ws

    saved = []

    def save(self):
        saved.append((self.entity, self.name))
        return type("Saved", (), {"url": "https://wandb.example/view"})

    monkeypatch.setenv("WANDB_API_KEY", "secret")
    monkeypatch.setattr(ws.Workspace, "save", save)
    main(["dashboard", "--workspace", "motor_vae_gan", "--entity", "we"])
    assert saved == [("we", "Fulgurite: motor_vae_gan"), ("we", "Fulgurite: comparison")]
    assert "Fulgurite: motor_vae_gan: https://wandb.example/view" in capsys.readouterr().out


def test_a_server_that_says_no_is_quoted(capsys, monkeypatch):
    import wandb_workspaces.workspaces as ws

    def refuses(self):
        raise ConnectionError("connection refused")

    monkeypatch.setenv("WANDB_API_KEY", "secret")
    monkeypatch.setattr(ws.Workspace, "save", refuses)
    with pytest.raises(SystemExit) as end:
        main(["dashboard", "--workspace", "motor_vae_gan", "--entity", "we"])
    assert end.value.code == 2
    assert "W&B says: connection refused" in capsys.readouterr().err
