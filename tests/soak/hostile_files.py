"""Files made to run a program, to fill the memory or to hang are refused: at once, and with nothing run or written."""

import io
import multiprocessing
import os
import pickle
import resource
import socket
import struct
import sys
import traceback
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
import torch

from datamodules.clips.labels import read_array, read_csv_spans, read_masks, read_mat_spans, read_ucsd_spans
from datamodules.clips.video_layouts import read_layout
from datamodules.errors import InputError
from datamodules.images.image_folder import ImageFolderDataModule
from datamodules.mask_file import mask_pixels
from datamodules.media import probe
from datamodules.picture_file import read_picture
from datamodules.sound.sound import read_sound
from datamodules.weights_file import read_checkpoint
from fulgurite import sample, train  # noqa: F401  # once here, not in every process
from fulgurite.cli import main
from lightning_models.vta_gan.flownet_sd import FlowNetSD, load_flownet_sd
from tests.soak.promise import Case, Promise

SECONDS = 10
MEMORY = 2 << 30
PACKAGES = Path(__file__).parents[1] / "fulgurite/packages"
TINY = """\
trust: [tiny]
model: {class_path: TinyModel}
data: {class_path: TinyData}
checkpoints: {monitor: val/score}
wandb: {mode: disabled}
trainer: {max_epochs: 1, accelerator: cpu, enable_model_summary: false}
"""
Attack = Callable[[], Any]


def cases(seed: int) -> Iterator[Case]:
    """Kinds of attack in turn; nothing in them is drawn at random. The large ones are made late."""
    kinds = [_programs(), _archives(), _yaml(), _arrays(), _no_files(), _pictures(), _addresses()]
    for name, attack in chain.from_iterable(map(partial(filter, None), zip_longest(*kinds))):
        yield Case(name, partial(_refused, attack))


def _refused(attack: Attack, folder: Path) -> None:
    """Run an attack in a process of its own, in an empty folder, short of time and memory."""
    inside = folder / "inside"
    inside.mkdir()
    fork = multiprocessing.get_context("fork")
    receive, send = fork.Pipe(duplex=False)
    process = fork.Process(target=_attacked, args=(attack, inside, send))
    process.start()
    send.close()
    answer = receive.recv() if receive.poll(SECONDS) else f"not done after {SECONDS} seconds"
    process.kill()
    process.join()
    assert answer == "refused", answer
    assert [path.name for path in folder.iterdir()] == ["inside"], "something was written outside"
    assert not [*inside.rglob("marker*")], "something was run"


def _attacked(attack: Attack, inside: Path, send: Any) -> None:
    os.chdir(inside)
    os.environ.update(HOME=str(inside), TMPDIR=str(inside), FULGURITE_CACHE=str(inside / "cache"))
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            attack()
        send.send("it was taken")
    except InputError:
        send.send("refused")
    except SystemExit as end:
        send.send("refused" if end.code == 2 else f"exit status {end.code}")
    except BaseException:
        send.send(traceback.format_exc())
    os._exit(0)


def _command(*words: str) -> None:
    sys.path.append(str(PACKAGES))
    Path("tiny.yaml").write_text(TINY)
    main([*words[:1], "--config", "tiny.yaml", *words[1:]])


# --- what would run a program ----------------------------------------------------------------------------------------


class _Program:
    """What a pickle calls when it is read."""

    def __init__(self, call: Callable[..., Any], *values: Any) -> None:
        self._call = call, values

    def __reduce__(self) -> Any:
        return self._call


_CALLS: dict[str, _Program] = {
    "os.mkdir": _Program(os.mkdir, "marker"),
    "os.system": _Program(os.system, "touch marker"),
    "exec": _Program(exec, "open('marker', 'w')"),
    "eval": _Program(eval, "open('marker', 'w')"),
    "open": _Program(open, "marker", "w"),
    "partial": _Program(partial, os.mkdir, "marker"),
    "Path.touch": _Program(Path.touch, Path("marker")),
    "torch.save": _Program(torch.save, 1, "marker"),
}


def _programs() -> Iterator[tuple[str, Attack]]:
    for name, program in _CALLS.items():
        yield f"{name} in a checkpoint", partial(_saved, program, lambda: read_checkpoint(Path("a.ckpt")))
        yield f"{name} in a bare pickle", partial(_pickled, program, lambda: read_checkpoint(Path("a.ckpt")))
        yield f"{name} in labels", partial(_objects, program, lambda: read_array(Path("a.npy")))
        yield f"{name} in masks", partial(_objects, program, lambda: [*read_masks(Path("a.npy"))])
        yield f"{name} in weights of FlowNet", partial(_saved, program, lambda: load_flownet_sd("a.ckpt", FlowNetSD()))
        yield f"{name} in old weights of FlowNet", partial(_pickled, program, lambda: load_flownet_sd("a.ckpt", None))
    for verb in ("fit", "test"):
        program = _CALLS["os.mkdir"]
        yield (
            f"a program for {verb}",
            partial(_saved, program, lambda verb=verb: _command(verb, "--ckpt_path", "a.ckpt")),
        )


def _saved(program: Any, read: Attack) -> None:
    torch.save({"state_dict": {"a": torch.zeros(2)}, "callbacks": {"one": program}}, "a.ckpt")
    read()


def _pickled(program: Any, read: Attack) -> None:
    Path("a.ckpt").write_bytes(pickle.dumps({"state_dict": program}, protocol=2))
    read()


def _objects(program: Any, read: Attack) -> None:
    np.save("a.npy", np.array([program, 1], dtype=object), allow_pickle=True)
    read()


# --- archives that are more than they seem ---------------------------------------------------------------------------


def _archives() -> Iterator[tuple[str, Attack]]:
    for name, how in (("deflated", zipfile.ZIP_DEFLATED), ("bzip2", zipfile.ZIP_BZIP2), ("lzma", zipfile.ZIP_LZMA)):
        yield f"{name} members", partial(_rezipped, lambda parts: parts, how)
        yield f"{name} bomb", partial(_rezipped, _with_record(bytes(64 << 20)), how)
    changes: dict[str, Callable[[dict[str, bytes]], Any]] = {
        "another record": lambda parts: {**parts, "a/data/0": b"short"},
        "no record": lambda parts: {name: part for name, part in parts.items() if "data/0" not in name},
        "no pickle": lambda parts: {name: part for name, part in parts.items() if "pkl" not in name},
        "2^40 elements": _with_pickle(b"K\x08", b"\x8a\x06\x00\x00\x00\x00\x00\x01"),
        "2^62 elements": _with_pickle(b"K\x08", b"\x8a\x08" + struct.pack("<q", 1 << 62)),
        "fewer than no elements": _with_pickle(b"K\x08", b"J\xff\xff\xff\xff"),
        "a number of a thousand digits": _with_pickle(b"K\x08", b"L" + b"9" * 5000 + b"L\n"),
        "a text of 2^40 bytes": lambda parts: _pickle_of(parts, b"\x80\x04\x8d" + struct.pack("<Q", 1 << 40)),
        "bytes of 2^40": lambda parts: _pickle_of(parts, b"\x80\x05\x96" + struct.pack("<Q", 1 << 40)),
        "a number of 2^31 bytes": lambda parts: _pickle_of(parts, b"\x80\x02\x8b\xff\xff\xff\x7f"),
        "a memo of 2^32": lambda parts: _pickle_of(parts, b"\x80\x02Nr\xff\xff\xff\xff."),
        "lists within lists": lambda parts: _pickle_of(parts, b"\x80\x02" + b"(" * 200_000 + b"l" * 200_000 + b"."),
        "an empty stack": lambda parts: _pickle_of(parts, b"\x80\x02."),
        "no end": lambda parts: _pickle_of(parts, b"\x80\x02]"),
    }
    for name, change in changes.items():
        yield f"checkpoint with {name}", partial(_rezipped, change, zipfile.ZIP_STORED)
        yield f"weights with {name}", partial(_rezipped, change, zipfile.ZIP_STORED, weights=True)
    yield "a part there twice", _twice
    yield "a zip in a zip's end", lambda: (Path("a.ckpt").write_bytes(bytes(100)), read_checkpoint(Path("a.ckpt")))


def _rezipped(change: Callable[[dict[str, bytes]], Any], how: int, weights: bool = False) -> None:
    torch.save({"state_dict": {"weight": torch.arange(8.0)}}, "good.ckpt")
    with zipfile.ZipFile("good.ckpt") as archive:
        parts = {part.filename: archive.read(part) for part in archive.infolist()}
    with zipfile.ZipFile("a.ckpt", "w", how) as archive:
        for name, part in change({f"a/{name.partition('/')[2]}": part for name, part in parts.items()}).items():
            archive.writestr(name, part)
    if weights:
        load_flownet_sd("a.ckpt", FlowNetSD())
    else:
        read_checkpoint(Path("a.ckpt"))


def _with_record(content: bytes) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda parts: {**parts, "a/data/0": content}


def _with_pickle(old: bytes, new: bytes) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    def change(parts: dict[str, bytes]) -> dict[str, bytes]:
        assert old in parts["a/data.pkl"]
        return _pickle_of(parts, parts["a/data.pkl"].replace(old, new))

    return change


def _pickle_of(parts: dict[str, bytes], content: bytes) -> dict[str, bytes]:
    return {**parts, "a/data.pkl": content}


def _twice() -> None:
    torch.save({}, "a.ckpt")
    with zipfile.ZipFile("a.ckpt", "a") as archive:
        archive.writestr(archive.namelist()[0], b"")
    read_checkpoint(Path("a.ckpt"))


# --- configurations --------------------------------------------------------------------------------------------------


def _yaml() -> Iterator[tuple[str, Attack]]:
    levels = range(1, 10)
    texts: dict[str, bytes] = {
        "aliases": b"a0: &a0 [x]\n"
        + b"".join(b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 9)) for n in levels),
        "merges": b"a0: &a0 {k0: 1}\n"
        + b"".join(b"a%d: &a%d {<<: [%s], k%d: 1}\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 9), n) for n in levels),
        "a cycle": b"a: &a [*a]\n",
        "a cycle of mappings": b"a: &a {b: *a}\n",
        "a cycle by a merge": b"a: &a {<<: *a}\n",
        "a cycle in a key": b"? &a [*a]\n: 1\n",
        "brackets": b"[" * 100_000,
        "closed brackets": b"a: " + b"[" * 20_000 + b"]" * 20_000,
        "braces": b"{a: " * 20_000 + b"1" + b"}" * 20_000,
        "dashes": b"- " * 100_000,
        "50 MB": b"# comment\n" * 5_000_000,
        "50 MB in one line": b"a" * (50 << 20),
        "many anchors": b"".join(b"k%d: &a%d 1\n" % (n, n) for n in range(200_000)),
        "a program": b"model: !!python/object/apply:os.mkdir [marker]\n",
        "a new object": b"model: !!python/object/new:os.mkdir {args: [marker]}\n",
        "a module": b"model: !!python/module:antigravity\n",
        "a number of digits": b"seed_everything: " + b"9" * 5000 + b"\n",
        "a number by colons": b"seed_everything: " + b"1:" + b"59:" * 3000 + b"59\n",
        "no text": bytes(range(256)),
        "UTF-16": "trainer: {}".encode("utf-16"),
        "a date": b"seed_everything: 9999-99-99\n",
        "two documents": b"a: 1\n---\nb: 2\n",
        "a directive": b"%YAML 9.9\n---\na: 1\n",
        "a list": b"[1, 2]\n",
        "a class path": b"model: {class_path: os.mkdir, init_args: {path: marker}}\n",
        "a callback": b"trainer: {callbacks: [{class_path: subprocess.Popen, init_args: {args: [touch, marker]}}]}\n",
        "trust": b"trust: [os]\nmodel: {class_path: os.mkdir, init_args: {path: marker}}\n",
    }
    for name, text in texts.items():
        yield f"YAML with {name}", partial(_configured, text)


def _configured(text: bytes) -> None:
    Path("a.yaml").write_bytes(text)
    _command("fit", "--config", "a.yaml")


# --- arrays that announce more than there is -------------------------------------------------------------------------


def _arrays() -> Iterator[tuple[str, Attack]]:
    for name, shape, kind in (
        ("2^40 values", "(1099511627776,)", "|u1"),
        ("2^40 values of 8 bytes", "(1048576, 1048576)", "<f8"),
        ("more than can be counted", "(4611686018427387904, 16)", "<f8"),
        ("fewer than none", "(-8, 3, 4)", "|u1"),
        ("no tuple", "8", "|u1"),
        ("a program for a shape", "__import__('os').mkdir('marker')", "|u1"),
        ("a kind that is none", "(4, 3, 4)", "zz"),
        ("objects", "(4, 3, 4)", "|O"),
        ("texts", "(1, 1, 1)", "|S16"),
        ("values of 2 GB each", "(1, 1, 1)", "|V2147483647"),
    ):
        head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
        for version in (1, 3):
            yield f".npy of {name} ({version})", partial(_array, _npy(head, version))
    yield ".npy with brackets", partial(_array, _npy("(" * 9000, 1))
    yield ".npy with a head of 4 GB", partial(_array, b"\x93NUMPY\x02\x00\xff\xff\xff\xff{")
    cell = _element(6, struct.pack("<II", 1, 0)) + _element(5, struct.pack("<ii", 1, 1)) + _element(1, b"gt")
    deep = b""
    for _ in range(3000):
        deep = _element(14, cell + deep)
    numbers = _element(6, struct.pack("<II", 6, 0)) + _element(5, struct.pack("<ii", 2**30, 2**30)) + _element(1, b"gt")
    mats = {
        "2^60 values": _element(14, numbers + _element(9, bytes(16))),
        "2^30 cells": _element(14, cell.replace(struct.pack("<ii", 1, 1), struct.pack("<ii", 2**15, 2**15))),
        "3000 cells in cells": deep,
        "a bomb": _bomb(),
        "no end": struct.pack("<II", 14, 2**31) + bytes(64),
        "no beginning": bytes(64),
        "a kind that is none": _element(
            14, numbers.replace(struct.pack("<ii", 2**30, 2**30), struct.pack("<ii", 1, 1)) + _element(99, bytes(8))
        ),
    }
    for name, content in mats.items():
        yield f".mat with {name}", partial(_mat, content)
    yield ".mat with an object", lambda: (scipy.io.savemat("a.mat", {"gt": {"a": 1}}), _read_mat())
    yield ".mat of version 4", lambda: (scipy.io.savemat("a.mat", {"gt": np.eye(2)}, format="4"), _read_mat())
    for name, row in (
        ("digits", b"a," + b"9" * 5000 + b",2"),
        ("a field of 1 MB", b"a," + b'"' + b"x" * (1 << 20) + b'",2'),
        ("an open quote", b'a,"' + b"1\n" * 100_000),
        ("zeros", b"a,\0\0,2"),
    ):
        yield f".csv with {name}", partial(_csv, b"video,start,end\n" + row + b"\n")
    yield (
        ".m with digits",
        lambda: (Path("a.m").write_text(f"gt_frame = [{'9' * 5000}];"), read_ucsd_spans(Path("a.m"))),
    )
    yield (
        ".m with an open bracket",
        lambda: (Path("a.m").write_text("gt_frame = [" * 9000), read_ucsd_spans(Path("a.m"))),
    )


def _npy(head: str, version: int) -> bytes:
    text = (head + " " * (-(len(head) + 1) % 64) + "\n").encode()
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + bytes(48)


def _array(content: bytes) -> None:
    Path("a.npy").write_bytes(content)
    [*read_masks(Path("a.npy"))]


def _element(kind: int, content: bytes) -> bytes:
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def _bomb() -> bytes:
    """Return a compressed variable of 3 GB."""
    packing = zlib.compressobj(9)
    parts = [packing.compress(struct.pack("<II", 14, 3 << 30))]
    parts += [packing.compress(bytes(1 << 24)) for _ in range(192)]
    return _element(15, b"".join([*parts, packing.flush()]))


def _mat(content: bytes) -> None:
    Path("a.mat").write_bytes(b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + content)
    _read_mat()


def _read_mat() -> None:
    read_mat_spans(Path("a.mat"))


def _csv(content: bytes) -> None:
    Path("a.csv").write_bytes(content)
    for spans in read_csv_spans(Path("a.csv")).values():
        spans.read(10)


# --- what is no file -------------------------------------------------------------------------------------------------

_READERS: dict[str, Callable[[Path], Any]] = {
    "a.mp4": probe,
    "a.wav": lambda path: [*read_sound(path, 16_000)],
    "a.png": lambda path: read_picture(path, 3),
    "m.png": mask_pixels,
    "a.npy": read_array,
    "b.npy": lambda path: [*read_masks(path)],
    "a.mat": read_mat_spans,
    "a.csv": read_csv_spans,
    "a.m": read_ucsd_spans,
    "a.ckpt": read_checkpoint,
    "a.pth": lambda path: load_flownet_sd(path, FlowNetSD()),
    "a.yaml": lambda path: _command("fit", "--config", str(path)),
    "b.ckpt": lambda path: _command("test", "--ckpt_path", str(path)),
}
_NO_FILES: dict[str, Callable[[Path], Any]] = {
    "a pipe": os.mkfifo,
    "endless zeros": lambda path: path.symlink_to("/dev/zero"),
    "a loop of links": lambda path: path.symlink_to(path.name),
    "a socket": lambda path: socket.socket(socket.AF_UNIX).bind(str(path)),
}


def _no_files() -> Iterator[tuple[str, Attack]]:
    for what, make in _NO_FILES.items():
        for name, read in _READERS.items():
            yield f"{what} as {name}", partial(_no_file, Path(name), make, read)
        yield f"{what} as a source", partial(_source, make)
    yield "a loop of folders", _loop_of_folders


def _no_file(path: Path, make: Callable[[Path], Any], read: Callable[[Path], Any]) -> None:
    make(path)
    read(path)


def _source(make: Callable[[Path], Any]) -> None:
    make(Path("source"))
    ImageFolderDataModule("source", cache_dir="cache").prepare_data()


def _loop_of_folders() -> None:
    folder = Path("train/a")
    folder.mkdir(parents=True)
    (folder / "again").symlink_to("..")
    (Path("train") / "self").symlink_to(".")
    read_layout(Path())
    ImageFolderDataModule("train", cache_dir="cache").prepare_data()


# --- pictures that are larger than they seem -------------------------------------------------------------------------


def _pictures() -> Iterator[tuple[str, Attack]]:
    for side in (60_000, 2**31 - 1):
        for depth, colour in ((1, 0), (8, 2), (16, 6)):
            png = _png(side, depth, colour)
            yield f"PNG of {side}x{side} ({depth} bits, {colour})", partial(_picture, png, "a.png")
    yield (
        "GIF of 65535x65535",
        partial(_picture, b"GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\xff\xff\xff\xff\0", "a.gif"),
    )
    yield "PPM of 60000x60000", partial(_picture, b"P6 60000 60000 255\n", "a.ppm")
    yield "PPM of a width of 5000 digits", partial(_picture, b"P6 " + b"9" * 5000 + b" 1 255\n", "a.ppm")
    yield "PNG with a text of 1 GB", partial(_picture, _png(8, 8, 2, b"zTXt", b"a\0\0" + _zeros(1 << 30)), "a.png")
    yield "PNG with a profile of 1 GB", partial(_picture, _png(8, 8, 2, b"iCCP", b"a\0\0" + _zeros(1 << 30)), "a.png")


def _zeros(size: int) -> bytes:
    packing = zlib.compressobj(9)
    return b"".join([*(packing.compress(bytes(1 << 24)) for _ in range(size >> 24)), packing.flush()])


def _png(side: int, depth: int, colour: int, kind: bytes = b"", content: bytes = b"") -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, 0))
    extra = chunk(kind, content) if kind else chunk(b"IDAT", _zeros(1 << 26))
    return b"\x89PNG\r\n\x1a\n" + head + extra + chunk(b"IEND", b"")


def _picture(content: bytes, name: str) -> None:
    Path(name).write_bytes(content)
    read_picture(Path(name), 3)


# --- addresses -------------------------------------------------------------------------------------------------------


def _addresses() -> Iterator[tuple[str, Attack]]:
    for address in (
        "http://localhost:1/a",
        "https://localhost:1/a",
        "s3://bucket/a",
        "file:///etc/passwd",
        "memory://a",
    ):
        yield f"{address} as source", lambda address=address: ImageFolderDataModule(address)
        yield f"{address} as config", lambda address=address: _command("fit", "--config", address)
        yield f"{address} as ckpt_path", lambda address=address: _command("test", "--ckpt_path", f"{address}.ckpt")
    playlist = "#EXTM3U\n#EXTINF:1,\nhttp://localhost:1/a.ts\n"
    yield "a play list as video", lambda: (Path("a.mp4").write_text(playlist), probe(Path("a.mp4")))
    yield (
        "a play list of files",
        lambda: (Path("a.mp4").write_text("ffconcat version 1.0\nfile /etc/passwd\n"), probe(Path("a.mp4"))),
    )


HOSTILE_FILES = Promise("hostile files", cases, short=25)
