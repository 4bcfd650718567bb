"""New crystals: the group that was asked for, in every reader; what is left out is counted; files and reports at the prompt."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from erlangen.cli import main
from erlangen.errors import ArgumentError
from erlangen.fields import crystals
from erlangen.fields.crystals.generating import known_protostructures
from erlangen.fields.crystals.wyckoffdiff import WyckoffDiff
from erlangen.training import TrainingConfig


@pytest.fixture(scope="module")
def model() -> WyckoffDiff:
    """A model of real crystals that has hardly been trained: it knows how often what stands where."""
    torch.manual_seed(0)
    made = WyckoffDiff(steps=20, hidden=16)
    made.fit(known_protostructures(quiet=True)[::20], TrainingConfig(steps=3), quiet=True)
    return made


@pytest.mark.parametrize("number", [62, 152, 225])
def test_engines_find_the_group_that_was_asked_for(number: int, model: WyckoffDiff, tmp_path: Path) -> None:
    from ase.io import read
    from pymatgen.io.cif import CifParser

    made = crystals.generate(4, number, model=model, max_atoms=30, quiet=True)
    assert made.drawn == 4 + sum(made.rejected.values())
    assert len({one.protostructure.canonical() for one in made.crystals}) == len(made.crystals) == 4
    path = crystals.write_crystals(tmp_path / "a.cif", [crystals.conventional(one.crystal, 1e-3) for one in made.crystals])
    theirs = [*read(path, index=":"), *CifParser(path).parse_structures(primitive=False)]
    assert len(theirs) == 8
    for one in theirs:
        assert crystals.spglib_symmetry(one, 1e-3).number == number
        assert crystals.moyo_symmetry(one, 1e-3).number == number
    for one in made.crystals:
        assert one.symmetry == "kept"
        assert len(one.crystal) == one.protostructure.n_atoms() <= 30
        assert one.closest >= 0.7 - 1e-9


def test_what_is_left_out_is_counted(model: WyckoffDiff) -> None:
    made = crystals.generate(5, 221, elements=("Ba", "Ti", "O"), model=model, seed=1, quiet=True)
    assert set().union(*(one.crystal.composition for one in made.crystals)) <= {"Ba", "Ti", "O"}
    again = crystals.generate(3, 221, elements=("Ba", "Ti", "O"), model=model, seed=1, quiet=True)
    assert [one.protostructure for one in again.crystals] == [one.protostructure for one in made.crystals[:3]]
    novel = crystals.generate(5, 221, elements=("Ba", "Ti", "O"), model=model, seed=1, novel=True, quiet=True)
    assert novel.known == 0
    assert made.known == 0 or "a protostructure of the training data" in novel.rejected


def test_at_the_prompt(model: WyckoffDiff, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = model.save(tmp_path / "model.safetensors")
    out = tmp_path / "out.cif"
    words = ["--space-group", "194", "--n", "3", "--model", str(weights), "--runs", str(tmp_path / "runs"), "--quiet"]
    main(["crystals", "generate", "--out", str(out), *words])
    said = capsys.readouterr().out
    assert "3 of 3 crystals wanted with space group P6_3/mmc (No. 194)" in said
    assert f"written: {out}" in said
    assert [crystals.spglib_symmetry(one, 1e-3).number for one in crystals.read_crystals(out)] == [194] * 3
    (report,) = (tmp_path / "runs").rglob("report.html")
    assert "Crystals that were kept" in report.read_text()


def test_what_is_refused(model: WyckoffDiff, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ArgumentError, match="1 to 230"):
        crystals.generate(1, 231, model=model)
    with pytest.raises(ArgumentError, match="positive whole number"):
        crystals.generate(0, model=model)
    with pytest.raises(ArgumentError, match="at least 4, the fewest that space group 228"):
        crystals.generate(1, 228, max_atoms=3, model=model)
    with pytest.raises(ArgumentError, match="symbol of an element"):
        crystals.generate(1, 225, elements=["Xx"], model=model)
    with pytest.raises(SystemExit):
        main(["crystals", "generate", "--out", str(tmp_path / "a.pdf")])
    assert "ends with .cif or .extxyz" in capsys.readouterr().err
