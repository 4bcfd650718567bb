"""``erlangen crystals`` at the prompt: the answer, what is written, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from erlangen.cli import main
from erlangen.fields import crystals
from erlangen.fields.crystals.crystal import cell_of


@pytest.fixture
def quartz(tmp_path: Path) -> Path:
    """Right-handed quartz in a left-handed basis, which a POSCAR of ASE's keeps."""
    proto = crystals.Protostructure.from_wyckoffs(152, [("a", "Si"), ("c", "O")])
    free = torch.tensor([0.4697, 0.4133, 0.2672, 0.7855 - 2 / 3], dtype=torch.float64)
    one = proto.place(cell_of((4.916, 4.916, 5.4054), (90, 90, 120)), free)
    order = torch.tensor([1, 0, 2])
    path = tmp_path / "quartz.vasp"
    crystals.Crystal(one.cell[order], one.fractional[:, order], one.numbers).to_ase().write(path)
    assert not crystals.read_crystal(path).is_right_handed
    return path


def test_symmetry_says_group_and_hand(quartz: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["crystals", "symmetry", str(quartz), "--write", str(tmp_path / "out.cif"), "--out", str(tmp_path / "runs")])
    said = capsys.readouterr().out
    assert "SiO2 has space group P3_121 (No. 152)" in said
    assert "the crystal is chiral" in said
    assert crystals.spglib_symmetry(crystals.read_crystal(tmp_path / "out.cif")).number == 152
    (report,) = (tmp_path / "runs").rglob("report.html")
    assert "Occupied Wyckoff positions" in report.read_text()


def test_symmetry_as_json(quartz: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["crystals", "symmetry", str(quartz), "--json", "--out", str(tmp_path / "runs")])
    told = json.loads(capsys.readouterr().out)
    assert told["space_group"] == 152
    assert told["protostructure"] == "A2B_hP9_152_c_a:O-Si"
    assert told["agreed"] is True
    assert told["steady"] is True


def test_convert_mirrors_nothing(quartz: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["crystals", "convert", str(quartz), str(tmp_path / "a.extxyz")])
    main(["crystals", "convert", str(tmp_path / "a.extxyz"), str(tmp_path / "b.cif"), "--symprec", "0"])
    main(["crystals", "convert", str(tmp_path / "b.cif"), str(tmp_path / "c.vasp")])
    assert "1 crystal" in capsys.readouterr().out
    for name in ("a.extxyz", "b.cif", "c.vasp"):
        assert crystals.spglib_symmetry(crystals.read_crystal(tmp_path / name)).number == 152


def test_one_of_several_crystals(quartz: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    one = crystals.read_crystal(quartz)
    cubic = crystals.Crystal(4.0 * torch.eye(3), torch.zeros(1, 3), ["Po"])
    double = crystals.Crystal(torch.diag(torch.tensor([4.0, 4, 8])), torch.tensor([[0, 0, 0], [0, 0, 0.5]]), ["Po", "Po"])
    crystals.write_crystals(tmp_path / "several.extxyz", [one, cubic, double])
    for index, group in ((0, "P3_121"), (1, "Pm-3m"), (2, "Pm-3m")):
        main(["crystals", "symmetry", str(tmp_path / "several.extxyz"), "--index", str(index), "--out", str(tmp_path / "runs")])
        said = capfd.readouterr()
        assert f"has space group {group} " in said.out
        assert not said.err  # engines say nothing of supercells
    with pytest.raises(SystemExit):
        main(["crystals", "symmetry", str(tmp_path / "several.extxyz")])
    assert "Say which: --index 0 is the first" in capfd.readouterr().err
    with pytest.raises(SystemExit):
        main(["crystals", "convert", str(tmp_path / "several.extxyz"), str(tmp_path / "x.vasp")])
    assert "argument TO: expected a file of several crystals" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["symmetry", "nowhere.cif"], "PATH: expected a file of crystals; got 'nowhere.cif'"),
        (["symmetry", "QUARTZ", "--tolerance", "5"], "below 2; got 5.0"),
        (["symmetry", "QUARTZ", "--tolerance", "0"], "argument --tolerance: expected a positive tolerance"),
        (["symmetry", "QUARTZ", "--tolerances", "0"], "argument --tolerances: expected a positive tolerance"),
        (["symmetry", "QUARTZ", "--write", "x.pdf"], "argument --write: expected a file whose name ends with one of"),
        (["symmetry", "QUARTZ", "--index", "1"], "argument --index: expected 0 to 0"),
        (["convert", "QUARTZ", "x.pdf"], "argument TO: expected a file whose name ends with one of"),
        (["convert", "QUARTZ", "QUARTZ/x.cif"], "argument TO: expected a folder that can be written to"),
        (["convert", "QUARTZ", "x.cif", "--symprec", "-1"], "argument --symprec: expected a positive tolerance"),
        (["predict", "NaCl", "--out", "x.pdf"], "argument --out: expected a file whose name ends with one of"),
        (["predict", "NaCl", "--out", "x.vasp", "--n", "2"], "argument --out: expected a file of several crystals"),
    ],
)
def test_what_is_refused(words: list[str], said: str, quartz: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["crystals", *(word.replace("QUARTZ", str(quartz)) for word in words)])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
