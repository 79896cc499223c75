import json
import os
import threading
import time
from dataclasses import dataclass

import numpy as np
import pytest

from datamodules import file_identity
from datamodules.arrays import mapped
from datamodules.decode_cache import CacheError, fingerprint, made_once, open_all
from datamodules.errors import InputError
from datamodules.file_identity import content_hash


@dataclass
class Upper:
    """Decodes a text into its bytes in capitals."""

    how: str = "loud"
    name = "texts"
    kind = "texts"
    format = 1

    def __post_init__(self):
        self.decoded = []

    def settings(self, item):
        return self.how

    def sources(self, item):
        return [item]

    def decode(self, item, folder):
        self.decoded.append(item.name)
        if not (text := item.read_text()):
            raise InputError(f"{item}: is empty")
        np.save(folder / "text.npy", np.frombuffer(text.upper().encode(), np.uint8))

    def open(self, item, folder):
        return item.name, bytes(mapped(folder / "text.npy")).decode()


@pytest.fixture
def room():
    return Upper()


@pytest.fixture
def texts(tmp_path):
    (tmp_path / "texts").mkdir()
    files = [tmp_path / "texts" / f"{name}.txt" for name in ("first", "second", "third")]
    for file in files:
        file.write_text(file.stem)
    return files


def test_items_come_in_order_and_are_decoded_once(tmp_path, room, texts):
    expected = [(file.name, file.stem.upper()) for file in texts]
    for _ in range(2):
        assert open_all(texts, room, tmp_path / "cache", "error") == expected
    assert sorted(room.decoded) == [file.name for file in texts]


def test_moved_files_are_not_decoded_again(tmp_path, room, texts):
    open_all(texts, room, tmp_path / "cache", "error")
    moved = texts[0].rename(tmp_path / "elsewhere.txt")
    assert open_all([moved], room, tmp_path / "cache", "error") == [("elsewhere.txt", "FIRST")]
    assert len(room.decoded) == 3


def test_other_settings_and_formats_are_other_entries(tmp_path, room, texts):
    open_all(texts, room, tmp_path / "cache", "error")
    for change in ("how", "format"):
        setattr(room, change, "other")
        open_all(texts, room, tmp_path / "cache", "error")
    assert len(room.decoded) == 9
    assert fingerprint(1, "a", "bc") != fingerprint(1, "ab", "c")


@pytest.mark.parametrize("damage", ["cut", "gone", "no record"])
def test_damaged_entries_are_made_again(tmp_path, room, texts, damage, recwarn):
    open_all(texts[:1], room, tmp_path / "cache", "error")
    (folder,) = (tmp_path / "cache/texts").iterdir()
    stored = folder / "text.npy"
    if damage == "cut":
        os.truncate(stored, stored.stat().st_size - 2)
    elif damage == "gone":
        stored.unlink()
    else:
        (folder / ".sizes.json").unlink()
        stored.write_bytes(b"of an earlier release")
    assert open_all(texts[:1], room, tmp_path / "cache", "error") == [("first.txt", "FIRST")]
    assert room.decoded == ["first.txt"] * 2
    assert list((tmp_path / "cache/texts").iterdir()) == [folder]
    told = [str(warning.message) for warning in recwarn]
    assert told == ([f"{folder}: files are missing or cut short; it is made again"] if damage != "no record" else [])


def test_unusable_items_end_the_run_or_are_left_out(tmp_path, room, texts):
    texts[1].write_text("")
    with pytest.raises(InputError, match=r"second.txt: is empty\n.data.on_bad_file: skip leaves such texts out"):
        open_all(texts, room, tmp_path / "cache", "error")
    with pytest.warns(UserWarning, match=r"left out: .*second.txt: is empty"):
        usable = open_all(texts, room, tmp_path / "cache", "skip")
    assert [name for name, _ in usable] == ["first.txt", "third.txt"]
    assert len(list((tmp_path / "cache/texts").iterdir())) == 2


def test_an_unwritable_cache_is_not_the_fault_of_an_item(tmp_path, room, texts):
    (tmp_path / "file").touch()
    for on_bad_file in ("error", "skip"):
        with pytest.raises(CacheError, match=r"data\.cache_dir: cannot write to .*with room$"):
            open_all(texts, room, tmp_path / "file/cache", on_bad_file)


def test_of_several_that_want_the_same_one_makes_it(tmp_path):
    place, made = tmp_path / "cache/entry", []

    def make(folder):
        time.sleep(0.2)
        made.append(folder)
        (folder / "index.json").write_text("{}")

    threads = [threading.Thread(target=made_once, args=(place, make)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert len(made) == 1
    assert [path.name for path in place.parent.iterdir()] == ["entry"]
    assert json.loads((place / "index.json").read_text()) == {}


def test_every_byte_counts_and_nothing_else(tmp_path):
    """Two bitmaps of one size whose first and last 64 KiB agree, as masks of a fixed camera do."""
    first, second = tmp_path / "a.bmp", tmp_path / "b.bmp"
    data = bytearray(300_000)
    first.write_bytes(data)
    data[150_000] = 255
    second.write_bytes(data)
    memory = tmp_path / "memory"
    assert content_hash([first], memory) != content_hash([second], memory)
    assert content_hash([first, second], memory) != content_hash([second, first], memory)
    copy = tmp_path / "copy.bmp"
    copy.write_bytes(data)
    assert content_hash([copy], memory) == content_hash([second], memory)
    assert content_hash([tmp_path / "gone"], memory) != content_hash([], memory)


def test_settled_files_are_not_read_again_until_they_change(tmp_path, monkeypatch):
    file, memory, read = tmp_path / "a", tmp_path / "memory", []
    file.write_bytes(b"one")

    def hash_all(work, files):
        read.extend(files)
        return map(work, files)

    def known():
        return content_hash([file], memory, hash_all)

    first = known()
    assert (known(), len(read)) == (first, 2)  # just written: another write might not show in its times
    monkeypatch.setattr(file_identity, "_SETTLED", -1)
    assert (known(), known(), len(read)) == (first, first, 3)
    status = file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert known() != first


def test_a_cache_that_can_only_be_read_is_read(tmp_path, room, texts, monkeypatch):
    open_all(texts, room, tmp_path / "cache", "error")
    (tmp_path / "cache/identities").touch()  # no folder, so that nothing can be written into it
    monkeypatch.setattr(file_identity, "_SETTLED", -1)
    open_all(texts, room, tmp_path / "cache", "error")
    assert len(room.decoded) == 3
