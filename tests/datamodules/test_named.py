from pathlib import Path

from datamodules.named import source_name


def test_a_folder_keeps_its_name_and_a_file_loses_its_ending(tmp_path, monkeypatch):
    folder = tmp_path / "cars v1.2"
    folder.mkdir()
    (folder / "a.b.png").touch()
    assert source_name(folder) == "cars v1.2"
    assert source_name(folder / "a.b.png") == "a.b"
    monkeypatch.chdir(folder)
    assert source_name(Path()) == "cars v1.2"
    assert source_name(Path("..")) == tmp_path.name


def test_no_name_leads_out_of_its_folder(tmp_path):
    for name in ("..png", "...png", "....png"):
        (tmp_path / name).touch()
        assert set(source_name(tmp_path / name)) != {"."}
    assert source_name(Path("/")) == "root"
