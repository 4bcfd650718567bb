"""What must be true of the project's files: pins, versions, decisions, docstrings, pages, and no trace of a machine."""

from __future__ import annotations

import ast
import re
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONSTRAINTS = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
FENCE = re.compile(r"^```python\n(.*?)^```", re.M | re.S)


def requirements() -> list[Requirement]:
    """Everything the package or one of its extras asks for, itself left out."""
    asked = [*PROJECT["dependencies"], *(line for extra in PROJECT["optional-dependencies"].values() for line in extra)]
    return [r for r in map(Requirement, asked) if r.name != PROJECT["name"]]


def tracked() -> list[Path]:
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a clone")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_constraints_are_exact_and_portable() -> None:
    pins = [Requirement(line) for line in CONSTRAINTS]
    assert pins[0].name == "torch"
    assert len({canonicalize_name(pin.name) for pin in pins}) == len(pins)
    for pin in pins:
        (spec,) = pin.specifier
        assert spec.operator == "==", f"{pin} is not a version"
        assert "+" not in spec.version, f"{pin} names a build that one platform has"
        assert "*" not in spec.version, f"{pin} is not one version"


def test_every_requirement_is_pinned_inside_its_range() -> None:
    pins = {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in map(Requirement, CONSTRAINTS)}
    for wanted in requirements():
        name = canonicalize_name(wanted.name)
        assert name in pins, f"constraints.txt does not pin {name}"
        assert wanted.specifier.contains(pins[name]), f"constraints.txt pins {name} {pins[name]}, outside {wanted}"


def test_versions_agree() -> None:
    import erlangen

    version = PROJECT["version"]
    assert erlangen.__version__ == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    first = re.search(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert first is not None
    assert first[1] in (version, "Unreleased")


def test_the_licence_is_there_in_full() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert PROJECT["license"] == "Apache-2.0"
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_check_that_guards_changes_can_run() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & stat.S_IXUSR
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    assert "set -euo pipefail" in script.read_text()


@pytest.mark.parametrize("target", ["fit", "test", "test-all", "bench", "docs", "lint", "clean"])
def test_make_knows_the_target(target: str) -> None:
    said = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr


def test_decisions_are_numbered_without_gaps() -> None:
    pages = sorted(p for p in (ROOT / "docs" / "decisions").glob("*.md") if p.name != "README.md")
    for number, page in enumerate(pages, 1):
        assert re.fullmatch(rf"{number:04d}-[a-z0-9-]+\.md", page.name), f"{page.name} should be number {number}"
        text = page.read_text()
        assert text.startswith(f"# {number}. "), f"{page.name}: the title starts with its number"
        for part in ("**Context.**", "**Decision.**", "**Consequences.**"):
            assert part in text, f"{page.name} lacks {part}"


def test_every_module_says_what_it_is() -> None:
    silent = [p for p in (ROOT / "src").rglob("*.py") if not ast.get_docstring(ast.parse(p.read_text()))]
    assert not silent, f"no docstring: {[str(p.relative_to(ROOT)) for p in silent]}"


def test_no_file_tells_where_it_was_written() -> None:
    # In pieces, so that this file does not match itself.
    traces = re.compile(
        "|".join(["/" + "work/", "/" + "root/", "/" + "farm/", "bash_" + "jobs", r"/home/" + r"\w", "/Us" + r"ers/\w"])
    )
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in traces.finditer(text)]
    assert not found, found


def test_python_on_pages_is_python() -> None:
    for page in [ROOT / "CONTRIBUTING.md", ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for block in FENCE.findall(page.read_text()):
            compile(block, str(page.relative_to(ROOT)), "exec")


@pytest.mark.parametrize(
    "page",
    [
        "docs/index.md",
        *(
            f"docs/guide/{n}.md"
            for n in (
                "fit",
                "groups",
                "reps",
                "actions",
                "frames",
                "measure",
                "maps",
                "activations",
                "sets-and-graphs",
                "tensors",
                "weight-spaces",
                "asymmetric-networks",
                "adapters",
                "materials",
                "crystal-structure-prediction",
                "ponita",
                "fourier-operators",
                "lie-convolution",
                "decompositions",
                "orbit-distance",
                "neural-fourier-transform",
                "self-supervision",
                "photonics",
                "facility-location",
                "fair-division",
                "geometric-algebra",
                "design",
                "robots",
                "soft-equivariance",
                "hidden-symmetries",
                "expressivity",
                "hardness",
                "explanations",
            )
        ),
    ],
)
def test_examples_on_pages_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block of a page, in order and in one namespace, as a reader would type them."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in FENCE.findall((ROOT / page).read_text()):
        if "check_study" not in block:  # a study at its defaults takes minutes
            exec(compile(block, page, "exec"), names)


def test_drawings_of_the_guide_are_those_of_the_code() -> None:
    import importlib.util

    spec = importlib.util.spec_from_file_location("draw_diagrams", ROOT / "docs" / "draw_diagrams.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, text in module.sheets().items():
        assert (ROOT / "docs" / "images" / name).read_text() == text, "run python docs/draw_diagrams.py"
