"""The files to copy: they run, call their checks, stay short, and CONTRIBUTING.md leads to each."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_its_check_holds(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(path), run_name="__main__")
    said = capsys.readouterr().out.splitlines()
    assert said
    assert all(line.startswith("holds: ") for line in said)


@pytest.mark.parametrize("kind", ["group", "decomposition", "rep", "action", "frame", "study"])
def test_everything_that_has_a_check_has_an_example(kind: str) -> None:
    text = (ROOT / "examples" / f"my_{kind}.py").read_text()
    assert f"er.testing.check_{kind}(" in text
    assert len(text.splitlines()) <= 75
    assert f"(examples/my_{kind}.py)" in (ROOT / "CONTRIBUTING.md").read_text()
