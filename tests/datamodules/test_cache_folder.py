from pathlib import Path

from datamodules.cache_folder import default_cache


def test_default_folder(monkeypatch):
    monkeypatch.setenv("FULGURITE_CACHE", "/somewhere")
    assert default_cache() == Path("/somewhere")
    monkeypatch.delenv("FULGURITE_CACHE")
    assert default_cache() == Path.home() / ".cache" / "fulgurite"
