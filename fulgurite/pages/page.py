"""One HTML file that needs no other: its style, its scripts and its data stand in it, and it asks no network.

Whatever is put into a template is escaped, and a browser runs none but the two scripts that this module puts there: the
page's policy names them by their digests.
"""

import base64
import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from callbacks.figures import duration, figure
from callbacks.text import printable
from datamodules.atomic_file import write_text

TEMPLATES = "pages/templates"
NOTHING = "–"


def render(template: str, **values: Any) -> str:
    """Return a page.

    Args:
        template: its file in ``templates/``; it extends ``base.html``, whose blocks are listed at its top.
        values: what its expressions name. Names of files may hold anything that a file system takes.
    """
    return _environment().get_template(template).render(**values)


def write_page(path: Path, page: str) -> None:
    """Write a page in one step.

    Raises:
        DiskError: if the disk is full or the folder cannot be written.
    """
    write_text(path, page)


def figure_text(value: float | int | None) -> str:
    """Return a number as people read it; ``–`` where there is none."""
    if value is None:
        return NOTHING
    return f"{value:,}" if isinstance(value, int) and abs(value) < 10**15 else figure(value)


def brief(value: float | int | None) -> str:
    """Return a number with four digits, and a whole one as such, for captions; ``–`` where there is none."""
    return NOTHING if value is None else f"{value:.4g}"


def bytes_text(count: float) -> str:
    """Return a number of bytes in the decimal unit that suits it: ``4.8 MB``."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"


FILTERS: dict[str, Callable[..., str]] = {
    "brief": brief,
    "figure": figure_text,
    "duration": duration,
    "bytes": bytes_text,
    "name": printable,
}
"""What a template calls behind a ``|``; ``name`` is for names of files and whatever else may hold odd characters."""


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("fulgurite", TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_encodable,
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    environment.filters |= FILTERS
    environment.globals |= {"style": _part("style.css"), "scripts": _scripts}
    return environment


def _encodable(value: Any) -> Any:
    r"""Write bytes of a file's name that are not UTF-8 as ``\udcff``: no file could hold the text otherwise."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return value.encode("utf-8", "backslashreplace").decode()


def _part(name: str) -> Markup:
    text = (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")
    return Markup(text)  # it is ours


@cache
def _scripts() -> list[dict[str, Markup]]:
    """Return the scripts of a page, plotly's first, and the digest by which the policy lets each run."""
    texts = [Markup(get_plotlyjs()), _part("page.js")]  # they are the package's and ours
    return [
        {"text": text, "digest": Markup(base64.b64encode(hashlib.sha256(text.encode()).digest()).decode())}
        for text in texts
    ]
