"""New crystals: the group that was asked for, in every reader; what is left out is counted; files and reports at the prompt."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from erlangen.cli import main
from erlangen.errors import ArgumentError
from erlangen.fields import crystals
from erlangen.fields.crystals import generating
from erlangen.fields.crystals.generating import known_protostructures
from erlangen.fields.crystals.wyckoffdiff import WyckoffDiff, atomic_volumes
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
    assert crystals.generate(1, 221, model=model, seed=-(2**61), quiet=True).drawn  # any whole number is a seed
    novel = crystals.generate(5, 221, elements=("Ba", "Ti", "O"), model=model, seed=1, novel=True, quiet=True)
    assert novel.known == 0
    assert made.known == 0 or "a protostructure of the training data" in novel.rejected


def test_what_was_interrupted_goes_on(model: WyckoffDiff, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Realisations that are there are not made again, and all are the same to the last bit; another call's file is refused."""
    whole = crystals.generate(4, 62, model=model, max_atoms=30, seed=2, quiet=True)
    path, plain, made = tmp_path / "made.json", generating.realise, []

    def interrupted(*arguments, **options):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(plain(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(generating, "realise", interrupted)
    with pytest.raises(KeyboardInterrupt):
        crystals.generate(4, 62, model=model, max_atoms=30, seed=2, checkpoint=path, quiet=True)
    again = []
    monkeypatch.setattr(generating, "realise", lambda *a, **o: again.append(plain(*a, **o)) or again[-1])
    resumed = crystals.generate(4, 62, model=model, max_atoms=30, seed=2, checkpoint=path, quiet=True)
    assert len(again) == 4 + sum("once realised" in reason for reason in whole.rejected for _ in range(whole.rejected[reason])) - 2
    assert resumed.rejected == whole.rejected
    for one, other in zip(whole.crystals, resumed.crystals, strict=True):
        assert one.protostructure == other.protostructure
        assert torch.equal(one.crystal.cell, other.crystal.cell)
        assert torch.equal(one.crystal.fractional, other.crystal.fractional)
        assert torch.equal(one.crystal.numbers, other.crystal.numbers)
        names = ("energy", "closest", "found", "symmetry", "failed")
        assert [getattr(one, name) for name in names] == [getattr(other, name) for name in names]
    with pytest.raises(ArgumentError, match="of another seed") as error:
        crystals.generate(4, 62, model=model, max_atoms=30, seed=3, checkpoint=path, quiet=True)
    assert error.value.argument == "checkpoint"
    path.write_text("{}")
    with pytest.raises(ArgumentError, match="realised samples"):
        crystals.generate(4, 62, model=model, max_atoms=30, seed=2, checkpoint=path, quiet=True)


def test_the_database_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reads, plain = [], generating.icsd_clean
    monkeypatch.setattr(generating, "icsd_clean", lambda *a, **o: reads.append(1) or plain(*a, **o))
    generating._read.cache_clear()
    first = known_protostructures(quiet=True)
    assert known_protostructures(quiet=False) == first
    assert generating._real(False)[1] == generating._real(True)[1]
    assert len(reads) == 1
    assert generating._real(True)[1] == atomic_volumes(plain(20, quiet=True))


def test_at_the_prompt(model: WyckoffDiff, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = model.save(tmp_path / "model.safetensors")
    out = tmp_path / "out.cif"
    words = ["--space-group", "194", "--n", "3", "--model", str(weights), "--runs", str(tmp_path / "runs"), "--quiet"]
    main(["crystals", "generate", "--out", str(out), *words])
    said = capsys.readouterr().out
    assert "3 of 3 crystals wanted with space group P6_3/mmc (No. 194)" in said
    assert f"written: {out}" in said
    assert [crystals.spglib_symmetry(one, 1e-3).number for one in crystals.read_crystals(out)] == [194] * 3
    assert [one.name for one in tmp_path.iterdir() if "unfinished" in one.name] == []
    (report,) = (tmp_path / "runs").rglob("report.html")
    assert "Crystals that were kept" in report.read_text()


def test_what_is_refused(model: WyckoffDiff, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ArgumentError, match="1 to 230"):
        crystals.generate(1, 231, model=model)
    with pytest.raises(ArgumentError, match="positive whole number"):
        crystals.generate(0, model=model)
    with pytest.raises(ArgumentError, match="a whole number"):
        crystals.generate(1, 225, model=model, seed=0.5)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="at least 4, the fewest that space group 228"):
        crystals.generate(1, 228, max_atoms=3, model=model)
    with pytest.raises(ArgumentError, match="symbol of an element"):
        crystals.generate(1, 225, elements=["Xx"], model=model)
    with pytest.raises(SystemExit):
        main(["crystals", "generate", "--out", str(tmp_path / "a.pdf")])
    assert "ends with .cif or .extxyz" in capsys.readouterr().err
