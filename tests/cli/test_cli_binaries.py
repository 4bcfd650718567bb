"""``erlangen binaries`` as a user meets it: an example, its report, and tables with every kind of fault."""

import json
import math

import numpy as np
import pytest
import torch

pytest.importorskip("astropy")

from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable, Table
from astropy.time import Time

from erlangen.cli import main
from erlangen.errors import ArgumentError
from erlangen.fields import binaries as bi


def call(capsys, *args):
    code = 0
    try:
        main([str(a) for a in args])
    except SystemExit as stop:
        code = stop.code or 0
    out = capsys.readouterr()
    return code, out.out, out.err


def test_an_example_and_its_report(tmp_path, capsys):
    table = tmp_path / "table.ecsv"
    assert call(capsys, "binaries", "orientations", table, "--write-example")[0] == 0
    code, _, err = call(capsys, "binaries", "orientations", table, "--write-example")
    assert code == 2
    assert "--write-example" not in err
    code, out, err = call(capsys, "binaries", "orientations", table, "--out", tmp_path / "runs")
    assert code == 0, err
    assert out.startswith(
        "Of 4 binaries, 1 has two directions left, 3 four. The ephemeris of SDSS J0651+2844 is too old to decide."
    )
    (folder,) = (tmp_path / "runs" / "binaries-orientations").iterdir()
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Directions of the angular momentum" in page
    assert "Usable until" in page
    kept = QTable.read(folder / "candidates.ecsv", format="ascii.ecsv")
    assert len(kept) == 16
    assert kept["l"].unit == u.deg
    assert np.allclose([kept["weight"][i : i + 4].sum() for i in range(0, 16, 4)], 1)
    code, out, _ = call(capsys, "binaries", "orientations", table, "--out", tmp_path / "runs", "--json")
    told = json.loads(out)
    assert (told["two"], told["four"], told["continuous"]) == (1, 3, 0)
    assert told["binaries"][0]["usable until"] == pytest.approx(2015.7, abs=0.2)


def test_what_channels_cannot_tell(capsys):
    code, out, _ = call(capsys, "binaries", "degeneracy", "gravitational waves", "0,1")
    assert code == 0
    assert out == "They leave 2 position angles: the group is Z/2, of order 2.\nturns on the sky and of the orbit: 0, 0; 1/2, 0\n"
    assert "any position angle" in call(capsys, "binaries", "degeneracy", "eclipses")[1]
    assert json.loads(call(capsys, "binaries", "degeneracy", "eclipses", "2,2", "--json")[1])["order"] == 2
    code, _, err = call(capsys, "binaries", "degeneracy", "x-rays")
    assert code == 2
    assert "gravitational waves" in err


def plain():
    table = Table()
    table["name"] = ["A", "B"]
    table["l"], table["b"] = [10.0, 20.0] * u.deg, [1.0, -2.0] * u.deg
    table["inclination"], table["psi"] = [60.0, 80.0] * u.deg, [0.3, 0.4] * u.rad
    return table


def timed():
    table = plain()
    table["gw_phase"], table["gw_phase_error"] = [0.5, 1.0] * u.rad, [0.05, 0.05] * u.rad
    table["epoch"] = Time([2464000.0, 2464000.0], format="jd", scale="tdb")
    table["T0"] = Time([2463000.0, 2463000.0], format="jd", scale="tdb")
    for name, value, unit in (("P", 600.0, "s"), ("T0_error", 0.5, "s"), ("P_error", 1e-6, "s"), ("Pdot_error", 1e-14, "")):
        table[name] = [value, value] * u.Unit(unit)
    table["Pdot"] = [1e-12, -1e-12]
    return table


def test_frames_and_times_of_a_table(tmp_path):
    found = bi.orientations(bi.sources_of(timed()))
    assert [f.left for f in found] == [2, 2]
    # the same binary, its place and angle told in another frame, has the same directions
    there = SkyCoord(plain()["l"], plain()["b"], frame="galactic")
    one = bi.candidates(there, [60.0, 80.0] * u.deg, [0.3, 0.4] * u.rad)
    table = plain()
    table["sky"] = there.icrs
    table.remove_columns(["l", "b"])
    lon, lat = (torch.as_tensor(x.rad) for x in (there.icrs.ra, there.icrs.dec))
    vectors = torch.as_tensor(np.moveaxis(one.icrs.cartesian.xyz.value, 0, -1))
    psi = bi.orientation(vectors[:, 0], lon, lat)[1]
    table["psi"] = psi.numpy() * u.rad
    path = tmp_path / "sky.ecsv"
    table.write(path, format="ascii.ecsv")
    other = bi.orientations(bi.read_table(path))
    for f, v in zip(other, vectors):
        assert np.abs(np.moveaxis(f.candidates.icrs.cartesian.xyz.value, 0, -1) - v.numpy()).max() < 1e-9
    table = timed()  # days with the scale in the column's name
    table["T0_bjd_tdb"], table["epoch_bjd_tdb"] = table["T0"].jd * u.d, table["epoch"].jd * u.d
    table.remove_columns(["T0", "epoch"])
    again = bi.orientations(bi.sources_of(table))
    assert all(torch.allclose(a.candidates.weights, b.candidates.weights) for a, b in zip(found, again))


def test_nearly_face_on_is_said_to_be_so():
    table = plain()
    table["inclination"] = [3.0, 0.0] * u.deg
    table["inclination_error"] = [10.0, 1.0] * u.deg
    found = bi.orientations(bi.sources_of(table))
    assert [f.continuous for f in found] == [True, True]
    assert "continuous" in found[0].says()


def test_a_population_is_asked_whether_it_is_aligned():
    from erlangen.fields.binaries.report import orientation_outcome

    table = Table()
    count = 60
    rng = np.random.default_rng(0)
    table["name"] = [f"b{i}" for i in range(count)]
    table["l"], table["b"] = rng.uniform(0, 360, count) * u.deg, np.degrees(np.arcsin(rng.uniform(-1, 1, count))) * u.deg
    table["inclination"] = np.degrees(np.arccos(rng.uniform(-1, 1, count))) * u.deg
    table["psi"] = rng.uniform(0, 360, count) * u.deg
    table["remark"] = ["x"] * count
    sources = bi.sources_of(table)
    assert "remark" in sources.notes[0]
    outcome = orientation_outcome(sources, bi.orientations(sources), {}, 0.0)
    assert "no alignment" in outcome.answer
    assert 0.01 < outcome.metrics["quadrupole"]["p"] <= 1


def faulty(change, base=plain):
    table = base()
    change(table)
    return table


def hole(name, row):
    def change(table):
        table[name] = MaskedColumn(np.asarray(table[name]), unit=table[name].unit, mask=[i == row for i in range(2)])

    return change


def put(name, value):
    return lambda table: table.replace_column(name, value) if name in table.colnames else table.add_column(value, name=name)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (faulty(lambda t: t.remove_column("psi")), ["psi"]),
        (faulty(lambda t: t.remove_column("name")), ["name"]),
        (faulty(lambda t: t.remove_column("b")), ["l and b"]),
        (faulty(hole("psi", 1)), ["row 2", "'B'", "'psi'", "empty cell"]),
        (faulty(hole("l", 0)), ["row 1", "'A'", "'l'"]),
        (faulty(lambda t: put("inclination", [1.0, 2.0])(t)), ["unit", "inclination"]),
        (faulty(lambda t: put("inclination", [1.0, 2.0] * u.m)(t)), ["inclination", "unit m"]),
        (faulty(lambda t: put("inclination", [60.0, 190.0] * u.deg)(t)), ["row 2", "inclination", "180"]),
        (faulty(lambda t: put("inclination", [60.0, np.inf] * u.deg)(t)), ["row 2", "inclination"]),
        (faulty(lambda t: put("b", [1.0, 95.0] * u.deg)(t)), ["row 2", "latitude"]),
        (faulty(lambda t: put("name", ["A", "A"])(t)), ["'A' again in row 2"]),
        (faulty(lambda t: put("psi_error", [-1.0, 1.0] * u.deg)(t)), ["row 1", "psi_error"]),
        (faulty(lambda t: t.meta.update(psi_frame="sideways")), ["psi_frame", "sideways"]),
        (faulty(lambda t: put("T0", [2463000.0, 2463000.0] * u.d)(t), timed), ["T0", "scale", "T0_bjd_tdb"]),
        (faulty(lambda t: put("T0", Time([2463000.0] * 2, format="jd", scale="utc"))(t), timed), ["row 1", "T0", "'utc'"]),
        (faulty(hole("P", 1), timed), ["row 2", "'P'", "empty"]),
        (faulty(hole("P_error", 0), timed), ["row 1", "P_error"]),
        (faulty(hole("gw_phase_error", 0), timed), ["row 1", "gw_phase_error"]),
        (faulty(lambda t: put("P", [0.0, 1.0] * u.s)(t), timed), ["row 1", "'P'", "positive"]),
        (faulty(lambda t: t.remove_column("epoch"), timed), ["row 1", "epoch"]),
        (faulty(lambda t: put("event", ["noon", "noon"])(t), timed), ["row 1", "event", "noon"]),
        (Table(names=["name"], dtype=[str]), ["row"]),
    ],
)  # fmt: skip
def test_faults_are_named_by_row_and_column(table, words):
    with pytest.raises(ArgumentError) as problem:
        bi.orientations(bi.sources_of(table))
    for word in words:
        assert word in str(problem.value), str(problem.value)


def test_files_that_are_no_tables(tmp_path, capsys):
    code, _, err = call(capsys, "binaries", "orientations", tmp_path / "none.ecsv")
    assert code == 2
    assert "none.ecsv" in err
    (tmp_path / "text.ecsv").write_text("this is no table\n")
    code, _, err = call(capsys, "binaries", "orientations", tmp_path / "text.ecsv")
    assert code == 2
    assert err.count("\n") == 1
    table = plain()
    table["psi"] = MaskedColumn([0.3, 0.0], unit="rad", mask=[False, True])
    table.write(tmp_path / "hole.ecsv", format="ascii.ecsv")
    code, _, err = call(capsys, "binaries", "orientations", tmp_path / "hole.ecsv", "--out", tmp_path / "runs")
    assert code == 2
    assert "row 2 ('B'), column 'psi'" in err
    assert not (tmp_path / "runs").exists()
    assert math.isclose(bi.read_table(_written(plain(), tmp_path / "good.fits")).binaries[1].iota, math.radians(80))


def _written(table, path):
    table.write(path)
    return path
