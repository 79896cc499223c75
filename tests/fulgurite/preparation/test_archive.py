"""Archives, good ones of every kind and hostile ones, are unpacked whole or not at all."""

import gzip
import io
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

from datamodules.errors import InputError
from fulgurite.preparation import archive, entries
from fulgurite.preparation.archive import ORIGIN, name_of, unpack
from fulgurite.preparation.entries import is_archive

FILES = {"set/train/a.txt": b"one", "set/train/b.txt": b"two" * 1000, "set/empty.txt": b""}
KINDS = {"a.zip": "", "a.tar": "w:", "a.tar.gz": "w:gz", "a.tgz": "w:gz", "a.tar.bz2": "w:bz2", "a.tar.xz": "w:xz"}


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def packed(path, files=FILES):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("set/", b"")
            for name, content in files.items():
                made.writestr(name, content)
    else:
        with tarfile.open(path, KINDS[path.name]) as made:
            add(made, "set", kind=tarfile.DIRTYPE)
            for name, content in files.items():
                add(made, name, content)
    return path


def add(made, name, content=b"", kind=tarfile.REGTYPE, **more):
    info = tarfile.TarInfo(name)
    info.size, info.type, info.mode = len(content), kind, 0o6777
    for key, value in more.items():
        setattr(info, key, value)
    made.addfile(info, io.BytesIO(content))


def tar(**entry):
    with tarfile.open("bad.tar", "w") as made:
        add(made, "good.txt", b"good")
        add(made, **entry)
    return Path("bad.tar")


def zip_of(name, content=b"", kind=0, **fields):
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o777) << 16
    for key, value in fields.items():
        setattr(info, key, value)
    with zipfile.ZipFile("bad.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("good.txt", b"good")
        made.writestr(info, content, zipfile.ZIP_DEFLATED)
    return Path("bad.zip")


def refused(path, *said):
    """That it is refused, in these words, and leaves nothing behind, neither where it should go nor elsewhere."""
    before = {*Path().rglob("*")} | {Path("data")}
    with pytest.raises(InputError) as error:
        unpack(path)
    for words in said:
        assert words in str(error.value)
    assert str(path) in str(error.value)
    assert {*Path().rglob("*")} | {Path("data")} == before
    assert not Path("/evil.txt").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_unpacked_as_it_is(kind):
    path = packed(Path(kind))
    assert is_archive(path)
    folder = unpack(path)
    assert folder == Path("data/a")
    found = {one.relative_to(folder).as_posix(): one.read_bytes() for one in folder.rglob("*.txt")}
    assert found == FILES
    assert [one.name for one in Path("data").iterdir()] == ["a"]
    assert not any(one.stat().st_mode & 0o6111 for one in folder.rglob("*.txt"))  # nothing can be executed


def test_what_was_unpacked_is_taken_and_never_written_over(tmp_path):
    path = packed(Path("a.zip"))
    folder = unpack(path)
    (folder / "mine").touch()
    assert unpack(path) == folder
    assert (folder / "mine").exists()
    packed(path, {**FILES, "set/more.txt": b"3"})
    with pytest.raises(InputError, match=r"data/a is there already, .*lightning prepare data/a.*--to"):
        unpack(path)
    elsewhere = unpack(path, tmp_path / "b/c")
    assert (elsewhere / "set/more.txt").read_bytes() == b"3"


def test_what_a_killed_process_left_is_begun_anew_and_a_folder_of_others_is_not(tmp_path):
    path = packed(Path("a.zip"))
    partial = tmp_path / "data/a.partial"
    partial.mkdir(parents=True)
    (partial / "novel.txt").touch()
    with pytest.raises(InputError, match="is in the way, and was not begun here"):
        unpack(path)
    (partial / ORIGIN).touch()
    assert not (unpack(path) / "novel.txt").exists()


@pytest.mark.parametrize(
    "name", ["../evil.txt", "set/../../evil.txt", "/evil.txt", "//evil.txt", "C:/evil.txt", "..\\evil.txt", ORIGIN]
)
def test_names_that_lead_elsewhere_are_refused(name):
    refused(zip_of(name, b"evil"), "leads out of its folder")
    refused(tar(name=name, content=b"evil"), "leads out of its folder")


def test_a_name_that_ends_at_a_zero_byte_is_refused():
    path = zip_of("evilXtxt", b"evil")
    path.write_bytes(path.read_bytes().replace(b"evilXtxt", b"evil\0txt"))
    refused(path, "leads out of its folder")


@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret", "good.txt"])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_in_a_tar_are_refused(kind, target):
    refused(tar(name="link", kind=kind, linkname=target), "'link' is a link")


def test_links_in_a_zip_are_refused():
    refused(zip_of("link", b"/etc/passwd", stat.S_IFLNK), "'link' is a link")


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_in_a_tar_are_refused(kind):
    refused(tar(name="null", kind=kind, devmajor=1, devminor=3), "'null' is a device, a pipe or the like")


@pytest.mark.parametrize("kind", [stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_devices_in_a_zip_are_refused(kind):
    refused(zip_of("null", kind=kind), "'null' is a device, a pipe or the like")


@pytest.mark.parametrize("kind", ["a.zip", "a.tar.gz", "a.tar.xz"])
def test_bombs_are_refused_before_they_are_written(kind, monkeypatch):
    monkeypatch.setattr(archive, "SMALL", 100_000)
    path = packed(Path(kind), {"zeros": bytes(3_000_000)})
    assert path.stat().st_size * 200 < 3_000_000
    refused(path, "and at most 500.0 GB and 200 times its size are unpacked")


@pytest.mark.parametrize("kind", ["a.zip", "a.tar"])
def test_more_than_the_bounds_is_refused(kind, monkeypatch):
    path = packed(Path(kind))
    with monkeypatch.context() as bounds:
        bounds.setattr(archive, "MOST_FILES", 3)
        refused(path, "holds more than 3 files")
    with monkeypatch.context() as bounds:
        bounds.setattr(archive, "MOST_BYTES", 3000)
        refused(path, "become 3.0 kB or more")
    with monkeypatch.context() as bounds:
        bounds.setattr(archive, "RESERVE", 10**18)
        refused(path, "there is room for 0 B: free some, or name a folder on another disk by --to")
    assert unpack(path).is_dir()


def test_a_bomb_in_what_a_tar_says_of_an_entry_is_refused(monkeypatch):
    """The name of an entry may be as long as it likes, and would be read at once."""
    monkeypatch.setattr(entries, "_LARGEST_HEADER", 1 << 16)
    with tarfile.open("bad.tar", "w", format=tarfile.GNU_FORMAT) as made:
        add(made, "n" * 100_000, b"x")
    refused(Path("bad.tar"), "takes more than 65,536 bytes")


def test_a_zip_that_lies_about_its_sizes_is_refused():
    path = packed(Path("a.zip"), {"a.txt": bytes(5000)})
    raw = path.read_bytes()
    assert raw.count((5000).to_bytes(4, "little")) == 2
    path.write_bytes(raw.replace((5000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    refused(path, "cannot be unpacked")


def test_a_locked_zip_is_refused():
    path = packed(Path("a.zip"))
    raw = bytearray(path.read_bytes())
    start = raw.index(b"PK\x01\x02")
    raw[start + 8] |= 1  # the flag in the list of contents
    path.write_bytes(raw)
    refused(path, "is locked by a password")


@pytest.mark.parametrize("kind", ["a.zip", "a.tar", "a.tar.gz", "a.tar.bz2", "a.tar.xz"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_archives_that_are_cut_short_leave_nothing(kind, share):
    noise = zlib.compress(bytes(range(256)) * 400) + bytes(range(256)) * 40
    path = packed(Path(kind), {f"{number}.bin": noise[number:] for number in range(20)})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    refused(path)


def test_damage_within_a_zip_is_noticed():
    path = packed(Path("a.zip"), {"a.bin": bytes(range(256)) * 40})
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"a.bin") + 40] ^= 255
    path.write_bytes(raw)
    refused(path, "cannot be unpacked")


def test_a_zip_that_places_its_files_before_its_beginning_is_refused():
    path = packed(Path("a.zip"))
    raw = bytearray(path.read_bytes())
    place = raw.rindex(b"PK\x05\x06") + 16  # where its list of contents begins
    raw[place : place + 4] = (int.from_bytes(raw[place : place + 4], "little") + 1000).to_bytes(4, "little")
    path.write_bytes(raw)
    refused(path, "cannot be unpacked")


def test_names_that_stand_twice_are_refused():
    with pytest.warns(UserWarning, match="Duplicate name"):
        refused(zip_of("good.txt", b"another"), "holds 'good.txt' twice")
    refused(tar(name="good.txt", content=b"another"), "holds 'good.txt' twice")
    refused(tar(name="good.txt/inside", content=b"another"), "twice, or as a file and as a folder")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("film.mp4", b"0" * 600, "this is no zip or tar archive"),
        ("a.7z", b"7z\xbc\xaf'\x1c" + b"0" * 600, "archives of this kind (.7z) are not read; unpack it"),
        ("a.gz", gzip.compress(b"one file" * 100, mtime=0), "cannot be unpacked"),
        ("empty.zip", b"", "this is no zip or tar archive"),
    ],
)
def test_other_files_are_no_archives(name, content, said):
    Path(name).write_bytes(content)
    refused(Path(name), said)


@pytest.mark.parametrize(
    ("name", "folder"),
    [("ped2.zip", "ped2"), ("a.b.tar.gz", "a.b"), ("A.TGZ", "A"), ("set", "set"), (".zip", "unpacked")],
)
def test_the_folder_is_called_like_the_archive(name, folder):
    assert name_of(Path(name)) == folder
