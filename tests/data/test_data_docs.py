"""The page about data tells the truth: its Python runs in order, and prints what its comments say."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from erlangen.cli.commands import Fit
from erlangen.cli.words import flags_of, in_flags
from erlangen.data import read
from erlangen.errors import ArgumentError

PAGE = Path(__file__).parents[2] / "docs" / "data.md"


def test_the_page_runs_as_written(tmp_path, monkeypatch, capsys):
    pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    (tmp_path / "page.py").write_text(code, encoding="utf-8")
    scope = runpy.run_path(str(tmp_path / "page.py"))
    expected = [line[2:] for line in code.splitlines() if line.startswith("# ")]
    assert len(expected) == 3
    assert capsys.readouterr().out.splitlines() == expected
    assert len(scope["train"]) == 350
    with pytest.raises(ArgumentError) as caught:
        read("orbits.csv", target="energie")
    assert f"erlangen: error: {in_flags(str(caught.value), flags_of(Fit))}" in text
