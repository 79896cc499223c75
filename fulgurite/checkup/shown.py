"""How findings are shown: on the screen, or as a text for an issue, in which nobody's names and keys stand."""

import getpass
import os
import re
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from fulgurite.checkup.finding import Finding
from fulgurite.run_list.shown import printable

Sections = Mapping[str, Sequence[Finding]]
_SECRET = re.compile(r"key|token|secret|passw|credential|auth|cookie", re.IGNORECASE)
_PATH = re.compile(r"~?(?:/[^\s/:,;'\"()|]+)+/(?P<last>[^\s/:,;'\"()|]+)")
_DIGITS = re.compile(r"\b[0-9a-fA-F]{24,}\b")
_LOGIN = re.compile(r"://[^\s/@]+@")


def on_screen(sections: Sections) -> str:
    """Return all findings, and below them the problems with their remedies."""
    lines = []
    for title, findings in sections.items():
        lines.append(title)
        width = max((len(one.what) for one in findings), default=0)
        lines += [f"  {'!' if one.problem else ' '} {one.what:<{width}}  {printable(one.says)}" for one in findings]
    return "\n".join([*lines, "", *_problems(sections)])


def for_an_issue(sections: Sections) -> str:
    """Return the same as Markdown, without names of users and machines, folders, and keys."""
    lines = []
    for title, findings in sections.items():
        lines += [f"**{title}**", "", "```text", *(f"{one.what}: {printable(one.says)}" for one in findings), "```", ""]
    return without_names("\n".join([*lines, *_problems(sections)]))


def problems(sections: Sections) -> list[str]:
    """Return what is wrong."""
    return [one.problem for findings in sections.values() for one in findings if one.problem]


def without_names(text: str) -> str:
    """Return a text without users, machines, what looks like a key, and all of paths but their ends."""
    for name, value in os.environ.items():
        if _SECRET.search(name) and len(value) >= 6:
            text = text.replace(value, "SECRET")
    text = _DIGITS.sub("SECRET", _LOGIN.sub("://", text))
    text = _PATH.sub(lambda path: f"…/{path['last']}", text)
    for word, names in (("USER", _users()), ("HOST", _hosts())):
        for name in sorted(names, key=len, reverse=True):
            text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", word, text, flags=re.IGNORECASE)
    return text


def _problems(sections: Sections) -> list[str]:
    found = problems(sections)
    if not found:
        return ["No problem found."]
    count = f"{len(found)} problems" if len(found) > 1 else "1 problem"
    return [f"{count}:", *(f"  {number}. {printable(one)}." for number, one in enumerate(found, start=1))]


def _users() -> set[str]:
    names = {os.environ.get("USER"), os.environ.get("LOGNAME"), os.environ.get("SUDO_USER"), Path.home().name}
    with suppress(OSError, KeyError):  # a number without a name, as in some containers
        names.add(getpass.getuser())
    return {name for name in names if name}


def _hosts() -> set[str]:
    names = {socket.gethostname(), os.environ.get("HOSTNAME", "")}
    return {part for name in names for part in (name, name.partition(".")[0]) if part and part != "localhost"}
