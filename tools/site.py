"""What MkDocs is told to build the site, see ``mkdocs.yml``: documents from outside ``docs/``, and the reference.

Documents keep the links that a reader of the repository follows. On the site a page may lie elsewhere, so links to
documents are turned to their pages; a link to any other file of the repository, which the site does not have, becomes
its text.
"""

import ast
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]

MOVED = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
    "examples/README.md": "examples.md",
    **{
        f"lightning_models/{module.parent.name}/README.md": f"systems/{module.parent.name}.md"
        for module in sorted(ROOT.glob("lightning_models/*/module.py"))
    },
}
"""Page of the site by file of the repository, of those that lie outside ``docs/``."""

REFERENCE = {
    "python": (
        "Python",
        "What `import fulgurite` offers; [From Python](../python.md) shows it.",
        ("fulgurite", "classes"),
    ),
    "models": ("Models", "What `model.class_path` may name, each with its arguments.", ("lightning_models", "classes")),
    "data": ("Data modules", "What `data.class_path` may name, each with its keys.", ("datamodules", "classes")),
    "callbacks": ("Callbacks", "What `trainer.callbacks` may name, each with its arguments.", ("callbacks", "classes")),
    "protocols": ("Protocols", "", ("datamodules.protocols", "module")),
    "batches": ("Batches and answers", "", ("datamodules.batches", "module")),
    "results": ("Results", "Readers of what a test and a prediction have written.", ("callbacks.results", "module")),
}
"""Pages of the reference: title, words, and the package whose public classes they list, or the module they show."""

WITH_METHODS = ("Loaded", "VideoScores", "DrawnVideo")
"""Classes whose methods are shown, too."""

_LINK = re.compile(r"(?<!\\)(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s#:]+)(?P<anchor>#[^)\s]*)?\)")
_FENCE = re.compile(r"(^```.*?^```\s*$)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, *, config: Any) -> Files:
    """Add the documents that lie outside ``docs/``, and the pages of the reference."""
    for source, page in MOVED.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text()))
    for name, (title, words, (package, kind)) in REFERENCE.items():
        files.append(File.generated(config, f"reference/{name}.md", content=_reference(title, words, package, kind)))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Turn the links of a document to the pages of the site."""
    sources = {target: source for source, target in MOVED.items()}
    here = page.file.src_uri
    source = sources.get(here, f"docs/{here}")
    parts = _FENCE.split(markdown)  # code is left alone: every other part
    return "".join(part if number % 2 else turned(part, source, here) for number, part in enumerate(parts))


def turned(text: str, source: str, page: str) -> str:
    """Turn the links of a text.

    Args:
        text: Markdown.
        source: the file of the repository that it stands in, from the top of the repository.
        page: the page of the site that it becomes, from the top of the site.
    """

    def turn(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link["target"]))
        if (ROOT / target).is_dir():
            target = f"{target}/README.md"
        if target.startswith("docs/"):
            there = target.removeprefix("docs/")
        elif target in MOVED:
            there = MOVED[target]
        elif link["picture"] or not (ROOT / target).exists():
            return link[0]  # MkDocs says what is wrong with it
        else:
            return link["text"]
        path = posixpath.relpath(there, posixpath.dirname(page) or ".")
        return f"{link['picture']}[{link['text']}]({path}{link['anchor'] or ''})"

    return _LINK.sub(turn, text)


def _reference(title: str, words: str, package: str, kind: str) -> str:
    head = f"# {title}\n\n{words}\n\n"
    if kind == "module":
        return f"{head}::: {package}\n    options:\n      show_root_heading: false\n      members: true\n"
    return head + "\n".join(_described(package, name) for name in public_names(package))


def _described(package: str, name: str) -> str:
    """Return the lines that show a class, those of ``WITH_METHODS`` with their public methods."""
    home = home_of(package, name)
    if name not in WITH_METHODS:
        return f"::: {home}.{name}\n"
    tree = ast.parse((ROOT / f"{home.replace('.', '/')}.py").read_text())
    kind = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    methods = [one.name for one in kind.body if isinstance(one, ast.FunctionDef) and one.name[0] != "_"]
    return f"::: {home}.{name}\n    options:\n      members: [{', '.join(methods)}]\n"


def public_names(package: str) -> list[str]:
    """Return what a package says is public, without importing it."""
    tree = ast.parse((ROOT / package.replace(".", "/") / "__init__.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(one) for one in node.targets] == ["__all__"]:
            return list(ast.literal_eval(node.value))
    raise ValueError(f"{package} has no __all__")


def home_of(package: str, name: str) -> str:
    """Return where a public name is described: the package itself, or the module that has it where more is shown.

    Of a class that a package has from elsewhere its members are not known.
    """
    tree = ast.parse((ROOT / package.replace(".", "/") / "__init__.py").read_text())
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    home = next(f"{node.module}" for node in imported if name in [one.name for one in node.names])
    return package if home.startswith(package) and name not in WITH_METHODS else home


def on_post_page(output: str, *, page: Any, config: Any) -> str:
    """Let the theme's search find its helper for pages opened from a folder beside them, not on another machine."""
    here = posixpath.relpath("worker.js", posixpath.dirname(page.file.dest_uri) or ".")
    return output.replace("https://unpkg.com/iframe-worker/shim", here)


def on_post_template(output: str, *, template_name: str, config: Any) -> str:
    """Do the same to the page for addresses that lead nowhere."""
    return output.replace("https://unpkg.com/iframe-worker/shim", "worker.js")
