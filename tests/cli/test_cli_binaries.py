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
from prompt import call

from erlangen.errors import ArgumentError
from erlangen.fields import binaries as bi


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


def phase_of(Pdot, seconds=1e3 * 86400, P=600.0):
    """The waves' phase, by the definition: an eclipse of star 1 at whole numbers of cycles, twice the orbit's plus half a turn."""
    low, high = 0.0, 2 * seconds / P
    for _ in range(200):
        n = (low + high) / 2
        low, high = (n, high) if P * n + P * Pdot * n**2 / 2 < seconds else (low, n)
    return (2 * (1.5 * math.pi + 2 * math.pi * low) + math.pi) % (2 * math.pi)


def timed():
    table = plain()
    table["gw_phase"] = [phase_of(1e-12) + 0.1, phase_of(-1e-12) - 0.1 + math.pi] * u.rad
    table["gw_phase_error"] = [0.05, 0.05] * u.rad
    table["epoch"] = Time([2464000.0, 2464000.0], format="jd", scale="tdb")
    table["T0"] = Time([2463000.0, 2463000.0], format="jd", scale="tdb")
    for name, value, unit in (("P", 600.0, "s"), ("T0_error", 0.5, "s"), ("P_error", 1e-6, "s"), ("Pdot_error", 1e-14, "")):
        table[name] = [value, value] * u.Unit(unit)
    table["Pdot"] = [1e-12, -1e-12]
    return table


def test_frames_and_times_of_a_table(tmp_path):
    found = bi.orientations(bi.sources_of(timed()))
    assert [f.left for f in found] == [2, 2]
    # the first row's phase is the timed one, the second's half a turn off: the other pair
    assert [f.candidates.likely().tolist() for f in found] == [[True, False, True, False], [False, True, False, True]]
    assert [f.off for f in found] == pytest.approx([0.1 / math.hypot(0.05, f.sigma_timed) for f in found], rel=1e-6)
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


def test_a_timed_phase_that_fits_neither_pair_decides_nothing():
    """69 s of UTC taken for TDB, or 200 s of light: then no pair is right, and one of them is not named."""
    from erlangen.fields.binaries.report import orientation_outcome

    table = timed()
    off = 4 * math.pi * 69.184 / 600
    table["gw_phase"] = [phase_of(1e-12) + off, phase_of(-1e-12)] * u.rad
    sources = bi.sources_of(table)
    found = bi.orientations(sources)
    assert [f.left for f in found] == [4, 2]
    assert found[0].disagrees
    assert found[0].off == pytest.approx(off / math.hypot(0.05, found[0].sigma_timed), rel=1e-6)
    assert torch.allclose(found[0].candidates.weights, torch.full((4,), 0.25, dtype=torch.float64))
    assert "fits neither pair" in found[0].says()
    assert "The timed phase of A fits neither pair" in orientation_outcome(sources, found, {}, 0.0).answer
    # an error of the waves' own phase is not laid on the ephemeris
    table["gw_phase_error"] = [200.0, 2.0] * u.deg
    assert "phases are too uncertain" in bi.orientations(bi.sources_of(table))[0].says()


def test_edge_on_is_not_face_on_and_angles_that_are_not_measured():
    table = plain()
    table["inclination"], table["inclination_error"] = [90.0, 150.0] * u.deg, [31.0, 16.0] * u.deg
    assert [f.continuous for f in bi.orientations(bi.sources_of(table))] == [False, True]
    table["inclination_error"], table["psi_error"] = [1.0, 1.0] * u.deg, [10.0, 90.0] * u.deg
    found = bi.orientations(bi.sources_of(table))
    assert [f.continuous for f in found] == [False, True]
    assert "not measured" in found[1].says()


@pytest.mark.parametrize("ending", ["fits", "vot", "ecsv"])
def test_files_with_empty_cells_and_odd_names(tmp_path, ending):
    table = timed()
    table["T0_bjd_tdb"], table["epoch_bjd_tdb"] = table["T0"].jd * u.d, table["epoch"].jd * u.d
    table.remove_columns(["T0", "epoch"])
    table["name"] = ["a <b>, 'c'", "AM CVn" if ending == "fits" else "\u03b2 Lyr"]
    for name in ("T0_bjd_tdb", "P", "Pdot", "T0_error", "P_error", "Pdot_error"):
        table[name] = MaskedColumn(np.asarray(table[name]), unit=table[name].unit, mask=[False, True])
    path = tmp_path / f"table.{ending}"
    table.write(path, **({"format": "votable"} if ending == "vot" else {}))
    found = bi.read_table(path).binaries
    assert [b.name for b in found] == list(table["name"])
    assert found[0].ephemeris.P == 600
    assert found[1].ephemeris is None
    one = QTable(timed())
    one.write(tmp_path / "times.fits")
    assert bi.read_table(tmp_path / "times.fits").binaries[0].ephemeris.T0.jd == pytest.approx(2463000.0, abs=1e-9)


def test_the_example_says_which_numbers_are_placeholders(tmp_path):
    path = tmp_path / "t.ecsv"
    bi.example_table().write(path, format="ascii.ecsv")
    told = " ".join(QTable.read(path, format="ascii.ecsv").meta["comments"])
    assert "Placeholders, not checked against a paper: T0 and its error of J0651; all three errors of J1539" in told
    assert "Invented: psi" in told


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


def days(name, values):
    def change(table):
        table.remove_column("T0")
        table[name] = values * u.d

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
        (faulty(lambda t: put("T0", Time([59000.0] * 2, format="jd", scale="tdb"))(t), timed), ["row 1", "T0", "modified"]),
        (faulty(days("T0_bjd_tdb", [2463000.0, 59000.0]), timed), ["row 2", "T0_bjd_tdb", "modified"]),
        (faulty(days("T0_hjd", [2463000.0, 2463000.0]), timed), ["row 1", "T0_bjd_tdb"]),
        (faulty(lambda t: put("T0_bjd_tdb", [2463000.0] * 2 * u.d)(t), timed), ["T0_bjd_tdb", "both"]),
        (faulty(lambda t: put("event", MaskedColumn(["star 1 eclipsed", ""], mask=[False, True]))(t), timed), ["row 2", "event", "empty"]),
        (faulty(lambda t: t.meta.update(psi_frame="altaz")), ["psi_frame", "altaz"]),
        (faulty(lambda t: t.meta.update(psi_frame="hcrs")), ["psi_frame", "hcrs"]),
        (faulty(lambda t: put("sky", SkyCoord([1.0, math.nan], [1.0, 2.0], unit="deg"))(t)), ["row 2", "sky"]),
        (faulty(hole("P_error", 0), timed), ["row 1", "P_error"]),
        (faulty(lambda t: t.remove_columns(["Pdot", "Pdot_error"]), timed), ["row 1", "Pdot_error"]),
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
