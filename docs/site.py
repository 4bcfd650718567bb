"""What the site's pages and menu follow from: the files that are there. A MkDocs hook; nothing here is a page.

Every module of the package gets a reference page, every decision and guide page a line of the menu, and CONTRIBUTING.md,
CHANGELOG.md and the files of `examples/`, which live beside the code, are pages too. So a new file needs no edit of `mkdocs.yml`.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "erlangen"

#: The guide's order; a page that is not named here follows in alphabetical order.
GUIDE = [
    "fit", "when-symmetry-pays", "groups", "decompositions", "space-groups", "reps", "actions", "maps", "activations", "sets-and-graphs",
    "tensors",
    "weight-spaces", "adapters", "asymmetric-networks", "frames", "canonicalization", "orbit-distance", "materials", "ponita",
    "geometric-algebra", "side-by-side", "fourier-operators", "lie-convolution", "measure",
    "explanations", "expressivity", "hardness", "hidden-symmetries", "discover", "soft-equivariance", "neural-fourier-transform",
    "self-supervision", "photonics", "microstructures", "colloids", "spacetime", "binaries", "facility-location",
    "fair-division", "generate", "crystal-structure-prediction", "design", "robots", "curves", "training",
]  # fmt: skip


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Write the menu."""
    guide = sorted(p.stem for p in (DOCS / "guide").glob("*.md"))
    ordered = [name for name in GUIDE if name in guide] + [name for name in guide if name not in GUIDE]
    decisions = sorted(p.name for p in (DOCS / "decisions").glob("[0-9]*.md"))
    config.nav = [
        {"Home": "index.md"},
        {"Get started": "get-started.md"},
        {"Guide": [*(f"guide/{name}.md" for name in ordered), "data.md", "command-line.md"]},
        {"Reference": ["reference/index.md", *_menu(SOURCE)]},
        {"Decisions": ["decisions/README.md", *(f"decisions/{name}" for name in decisions)]},
        {"Contributing": ["contributing.md", *(f"examples/{path.stem}.md" for path in _examples())]},
        {"Changes": "changelog.md"},
        {"Licences": "licences.md"},
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that no file of `docs/` holds."""

    def add(path: str, text: str) -> None:
        files.append(File.generated(config, path, content=text))

    add("contributing.md", _beside_the_code("CONTRIBUTING.md"))
    add("changelog.md", _beside_the_code("CHANGELOG.md"))
    for path in _examples():
        add(f"examples/{path.stem}.md", f"# {path.name}\n\n```python\n{path.read_text()}```\n")
    add("reference/index.md", _index())
    for path in _modules():
        add(_page(path), f"# {_name(path)}\n\n::: {_name(path)}\n    options: {{{_options(path)}}}\n")
    return files


def on_page_content(html: str, **_: Any) -> str:
    """Let a name with its role (`:class:` ...) in a docstring stand as code, linked where the reference has it."""

    def code(match: re.Match[str]) -> str:
        name = match[1].removeprefix("~")
        shown = name if name == match[1] else name.rsplit(".", 1)[-1]
        return f'<autoref identifier="{name}" optional><code>{shown}</code></autoref>'

    return re.sub(r":(?:class|meth|func|mod|attr|data|exc):<code>([\w.~]+)</code>", code, html)


@event_priority(-100)
def on_post_build(config: MkDocsConfig) -> None:
    """Write the search's index as a script, too, which a page opened from disk can load."""
    index = Path(config.site_dir) / "search" / "search_index.json"
    index.with_suffix(".js").write_text(f"var __index = {index.read_text()};\n")


def _modules() -> list[Path]:
    """The public modules' files, packages as their `__init__.py`."""
    files = (p for p in sorted(SOURCE.rglob("*.py")) if p != SOURCE / "__init__.py")
    return [p for p in files if p.stem == "__init__" or not p.stem.startswith("_")]


def _examples() -> list[Path]:
    return sorted((ROOT / "examples").glob("*.py"))


def _name(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _page(path: Path) -> str:
    relative = path.relative_to(SOURCE).with_suffix(".md")
    return str(Path("reference") / (relative.with_name("index.md") if path.stem == "__init__" else relative))


def _options(path: Path) -> str:
    # A package's own page is its docstring; its members are on the pages of the modules that define them.
    return "show_root_heading: false, members: false" if path.stem == "__init__" else "show_root_heading: false"


def _menu(folder: Path) -> list[Any]:
    """The menu of one package: its own page first, then its modules and packages."""
    here = {p for p in _modules() if p.parent == folder}
    entries: list[Any] = [_page(p) for p in sorted(here, key=lambda p: (p.stem != "__init__", p.stem))]
    for child in sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("_")):
        if below := _menu(child):
            entries.append({child.name: below})
    return entries


def _index() -> str:
    about = "One page for each module. A package's public names can be imported from the package itself."
    lines = ["# Reference", "", about, ""]
    for path in _modules():
        text = ast.get_docstring(ast.parse(path.read_text())) or ""
        link = str(Path(_page(path)).relative_to("reference"))
        depth = _name(path).count(".") - 1
        lines.append(f"{'    ' * depth}- [`{_name(path)}`]({link}): {text.splitlines()[0] if text else ''}")
    return "\n".join(lines) + "\n"


def _beside_the_code(name: str) -> str:
    """A Markdown file of the top folder, with its links led to the pages of the site."""
    text = (ROOT / name).read_text().replace("](docs/", "](")
    text = re.sub(r"\]\(examples/(\w+)\.py\)", r"](examples/\1.md)", text)
    return re.sub(r"\]\(src/erlangen/([\w/]+)\.py\)", r"](reference/\1.md)", text)
