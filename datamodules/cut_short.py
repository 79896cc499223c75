"""Whether a file of sound or video ends before it says: FFmpeg reads what is there and does not tell."""

from pathlib import Path

from datamodules.warn_once import warn_once

_UNKNOWN = range(0x7FFF_F000, 0x8000_1000)  # written as a size by programs that cannot go back to it
_NO_SIZE = (0, 0xFFFF_FFFF)
_LARGEST_PAGE = 65_307  # bytes, of Ogg
_LAST = 4  # flag of an Ogg page


def tell_if_cut(path: Path) -> None:
    """Warn if a WAV file is shorter than its first bytes say, or an Ogg file has no end."""
    length = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        file.seek(max(0, length - _LARGEST_PAGE))
        tail = file.read() if head.startswith(b"OggS") else b""
    if head.startswith(b"RIFF") and head[8:] == b"WAVE":
        size = int.from_bytes(head[4:8], "little")
        if size not in _NO_SIZE and size not in _UNKNOWN and size + 8 > length:
            warn_once(
                f"{path}: its header says {size + 8:,} bytes and {length:,} are there; it was cut short: get it anew"
            )
    elif head.startswith(b"OggS") and not _ends_with_last_page(tail):
        warn_once(f"{path}: its last page is not marked as the end; if it was cut short, get it anew")


def mp3_says_length(path: Path) -> bool:
    """Return whether the first frame of an MP3 says how many there are; else FFmpeg guesses it by the bit rate."""
    with path.open("rb") as file:
        head = file.read(10)
        if head.startswith(b"ID3"):
            file.seek(sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(reversed(head[6:]))) + len(head))
        else:
            file.seek(0)
        first = file.read(4096)
    return any(tag in first for tag in (b"Xing", b"Info", b"VBRI"))


def _ends_with_last_page(tail: bytes) -> bool:
    page = tail[tail.rfind(b"OggS") :] if b"OggS" in tail else b""
    if len(page) < 27 or len(page) < 27 + page[26]:
        return False
    return bool(page[5] & _LAST) and len(page) >= 27 + page[26] + sum(page[27 : 27 + page[26]])
