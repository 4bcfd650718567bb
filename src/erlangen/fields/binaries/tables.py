"""Tables of binaries as people have them: ECSV, FITS, VOTable or what else astropy reads, with units; every cell is looked at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.binaries.timing import EVENTS, Ephemeris, check_barycentric

#: Pairs of columns that place a binary on the sky, and the frame of astropy that each is in.
PLACES = {
    ("ra", "dec"): "icrs",
    ("l", "b"): "galactic",
    ("lam", "beta"): "barycentricmeanecliptic",
    ("lon", "lat"): "",
}
#: Columns of an ephemeris; ``T0`` is a time, or ``T0_bjd_tdb`` days.
EM = ("P", "Pdot", "T0_error", "P_error", "Pdot_error")
#: Units in which the columns are wanted.
UNITS = {
    "inclination": "rad", "inclination_error": "rad", "psi": "rad", "psi_error": "rad", "gw_phase": "rad", "gw_phase_error": "rad",
    "P": "s", "Pdot": "", "T0_error": "s", "P_error": "s", "Pdot_error": "", "T0_bjd_tdb": "d", "epoch_bjd_tdb": "d",
}  # fmt: skip
REQUIRED = ("inclination", "psi")
#: Julian days of the years 1800 and 2200: a day outside of them is no Julian date, but a modified or a reduced one.
FIRST_DAY, LAST_DAY = 2_378_497.0, 2_524_594.0


@dataclass(frozen=True)
class Measured:
    """What is known of one binary.

    Attributes:
        name: of the binary.
        sky: ``SkyCoord``, in the frame that ``psi`` is measured in.
        iota, psi: radians; ``psi`` from north through east.
        iota_error, psi_error: standard deviations, radians, or nothing.
        gw_phase: the waves' phase ``phi0`` at ``epoch``, as gbgpu has it, and its error, radians, or nothing.
        epoch: barycentric ``Time``.
        ephemeris: of electromagnetic timing, or nothing.
    """

    name: str
    sky: Any
    iota: float
    psi: float
    iota_error: float | None = None
    psi_error: float | None = None
    gw_phase: float | None = None
    gw_phase_error: float | None = None
    epoch: Any = None
    ephemeris: Ephemeris | None = None


@dataclass(frozen=True)
class Sources:
    """Binaries of a table.

    Attributes:
        binaries: one for each row.
        frame: in which position angles are measured.
        notes: what was read otherwise than one might think, in words.
    """

    binaries: tuple[Measured, ...]
    frame: str
    notes: tuple[str, ...] = field(default=())


def read_table(path: str | Path) -> Sources:
    """Read a table of binaries.

    Columns, all with units: ``name``; the place on the sky as ``sky`` (a ``SkyCoord``), ``ra`` and ``dec``, ``l`` and ``b``, ``lam``
    and ``beta`` (ecliptic), or ``lon`` and ``lat`` with the frame's name in the table's meta, ``frame``; ``inclination`` and ``psi``.
    Position angles are from the north of that frame, or of the frame that meta names as ``psi_frame``.

    If there: ``inclination_error``, ``psi_error``; ``gw_phase``, ``gw_phase_error`` and their ``epoch``; an ephemeris of ``T0``,
    ``P``, ``Pdot``, ``T0_error``, ``P_error``, ``Pdot_error``, ``event``. Times are columns of astropy's ``Time`` in TDB or TCB, or
    days in ``T0_bjd_tdb``, ``epoch_bjd_tdb``. A row without ephemeris leaves all of its cells empty; one that has it states all of its
    errors, and a ``Pdot`` that is left out is zero within its error.

    Raises:
        ArgumentError: naming the column, and the row where it is one's: a column that is missing, has no unit or a wrong one, a cell
            that is empty, not finite or out of range, a time without a barycentric scale.
    """
    path = Path(path)
    tables, table_errors = engine("binaries", "astropy.table"), (OSError, ValueError, TypeError, KeyError)
    if not path.is_file():
        raise ArgumentError("table", "a file", repr(str(path)))
    engine("binaries", "astropy.io.ascii")
    registry = engine("binaries", "astropy.io.registry")
    form = {".ecsv": "ascii.ecsv", ".csv": "ascii.ecsv"}.get(path.suffix.lower())
    try:
        native = {"astropy_native": True} if path.suffix.lower() in (".fits", ".fit", ".fts") else {}
        table = tables.QTable.read(path, format=form, **native)
    except (*table_errors, registry.IORegistryError) as problem:
        raise ArgumentError(
            "table",
            "a table with units that astropy reads (.ecsv, .fits, .vot)",
            f"'{path.name}': {str(problem).splitlines()[0]}",
            "--write-example makes one to fill in",
        ) from None
    return sources_of(table)


def sources_of(table: Any) -> Sources:
    """The binaries of an astropy ``QTable`` (or ``Table`` with units); see :func:`read_table`.

    Raises:
        ArgumentError: as there.
    """
    if not len(table):
        raise ArgumentError("table", "at least one row", "none")
    known = {"name", "sky", "event", "T0", "epoch", *UNITS, *(c for pair in PLACES for c in pair)}
    notes = [f"column {name!r} is not used" for name in table.colnames if name not in known]
    placed = [pair for pair in ((("sky",), *PLACES)) if all(c in table.colnames for c in pair)]
    notes += [f"the place is that of {' and '.join(placed[0])}; {' and '.join(pair)} are not used" for pair in placed[1:]]
    names = _names(table)
    sky, frame = _sky(table, names)
    columns = {name: _numbers(table, name, names) for name in UNITS if name in table.colnames}
    for name in REQUIRED:
        if name not in columns:
            raise ArgumentError("table", f"a column {name!r}", f"columns {', '.join(table.colnames)}")
    low_high = {"inclination": (0.0, math.pi), "inclination_error": (0.0, math.inf), "psi_error": (0.0, math.inf),
                "gw_phase_error": (0.0, math.inf)}  # fmt: skip
    for name, values in columns.items():
        may_miss = name in EM or name in ("T0_bjd_tdb", "epoch_bjd_tdb", "gw_phase", "gw_phase_error")
        low, high = low_high.get(name, (-math.inf, math.inf))
        for i, value in enumerate(values):
            if math.isnan(value) and may_miss:
                continue
            if not math.isfinite(value):
                raise _cell(name, names, i, "a finite number", "an empty cell" if math.isnan(value) else repr(value))
            if not low <= value <= high:
                wanted = "an angle from 0 to 180 degrees" if high < math.inf else "a number of at least 0"
                raise _cell(name, names, i, wanted, f"{value:.6g} rad" if UNITS[name] == "rad" else f"{value:.6g}")
    rows = tuple(_row(table, i, names, sky, columns) for i in range(len(table)))
    return Sources(rows, frame, tuple(notes))


def _masked(column: Any, count: int) -> np.ndarray:
    return np.broadcast_to(np.asarray(getattr(column, "mask", False)), count)


def _names(table: Any) -> list[str]:
    if "name" not in table.colnames:
        raise ArgumentError("table", "a column 'name'", f"columns {', '.join(table.colnames)}")
    names = []
    mask = _masked(table["name"], len(table))
    for i, name in enumerate(table["name"]):
        if mask[i] or not str(name).strip():
            raise ArgumentError("table", "a name in every row", f"an empty cell in row {i + 1}, column 'name'")
        if str(name) in names:
            raise ArgumentError("table", "a name of its own for each row", f"{str(name)!r} again in row {i + 1}")
        names.append(str(name))
    return names


def _sky(table: Any, names: Sequence[str]) -> tuple[Any, str]:
    """Where the binaries are, in the frame of the position angles, and that frame's name."""
    coordinates = engine("binaries", "astropy.coordinates")
    if "sky" in table.colnames:
        sky = table["sky"]
        if not isinstance(sky, coordinates.SkyCoord):
            raise ArgumentError("table", "a column 'sky' of coordinates (SkyCoord)", type(sky).__name__)
        gaps = _masked(sky, len(table)) | ~np.isfinite(sky.spherical.lon.rad) | ~np.isfinite(sky.spherical.lat.rad)
        if gaps.any():
            raise _cell("sky", names, int(gaps.argmax()), "a place", "an empty cell")
    else:
        pair = next((p for p in PLACES if all(c in table.colnames for c in p)), None)
        if pair is None:
            raise ArgumentError("table", "a place on the sky: columns ra and dec, l and b, or lam and beta",
                                f"columns {', '.join(table.colnames)}")  # fmt: skip
        frame = PLACES[pair] or str(table.meta.get("frame", ""))
        if not frame:
            raise ArgumentError("table", "the frame of lon and lat in the table's meta, 'frame'", "none")
        lon, lat = (_numbers(table, c, names, "rad") for c in pair)
        for c, values, limit in zip(pair, (lon, lat), (math.inf, math.pi / 2 + 1e-12)):
            for i, value in enumerate(values):
                if not math.isfinite(value) or abs(value) > limit:
                    got = "an empty cell" if math.isnan(value) else f"{math.degrees(value):.6g} deg"
                    raise _cell(c, names, i, "an angle" if limit == math.inf else "a latitude from -90 to 90 degrees", got)
        try:
            sky = coordinates.SkyCoord(lon, lat, unit="rad", frame=frame)
        except ValueError:
            raise ArgumentError("table", "a frame that astropy knows in meta 'frame'", repr(frame)) from None
    wanted = str(table.meta.get("psi_frame", sky.frame.name))
    try:
        return sky.transform_to(wanted), wanted
    except (ValueError, TypeError, AttributeError, coordinates.ConvertError, engine("binaries", "astropy.units").UnitsError):
        raise ArgumentError("table", "a frame of astropy, a rotation of ICRS, in meta 'psi_frame'", repr(wanted)) from None


def _numbers(table: Any, name: str, names: Sequence[str], unit: str | None = None) -> np.ndarray:
    """A column in the wanted unit, with NaN where a cell is empty."""
    units = engine("binaries", "astropy.units")
    column, wanted = table[name], units.Unit(UNITS[name] if unit is None else unit)
    if getattr(column, "shape", ()) != (len(table),):
        raise ArgumentError("table", f"one number in each cell of {name!r}", f"shape {getattr(column, 'shape', '')}")
    mask = _masked(column, len(table))
    given = getattr(column, "unit", None)
    if given is None and wanted != units.dimensionless_unscaled:
        raise ArgumentError("table", f"a unit of the column {name!r}, such as {'deg' if wanted == units.rad else wanted}", "none")
    plain = getattr(column, "unmasked", column)
    values = np.asarray(getattr(plain, "value", plain))
    if values.dtype.kind not in "fiu":
        raise ArgumentError("table", f"numbers in the column {name!r}", f"{values.dtype}")
    try:
        factor = units.Unit(given or "").to(wanted)
    except units.UnitConversionError:
        raise ArgumentError("table", f"the column {name!r} in a unit like {wanted or 'a plain number'}", f"unit {given}") from None
    return np.where(mask, np.nan, values.astype(float) * factor)


def _row(table: Any, i: int, names: Sequence[str], sky: Any, columns: dict[str, np.ndarray]) -> Measured:
    def number(name: str) -> float | None:
        value = float(columns[name][i]) if name in columns else math.nan
        return None if math.isnan(value) else value

    epoch = _time(table, "epoch", i, names, columns)
    phase, error = number("gw_phase"), number("gw_phase_error")
    if phase is not None and error is None:
        raise _cell("gw_phase_error", names, i, "the error of the waves' phase", "an empty cell")
    if phase is not None and epoch is None:
        raise _cell("epoch", names, i, "the time at which the waves' phase is stated", "an empty cell")
    return Measured(
        names[i],
        sky[i],
        float(columns["inclination"][i]),
        float(columns["psi"][i]) % (2 * math.pi),
        number("inclination_error"),
        number("psi_error"),
        phase,
        error,
        epoch,
        _ephemeris(table, i, names, columns, number),
    )


def _ephemeris(table: Any, i: int, names: Sequence[str], columns: dict[str, np.ndarray], number: Any) -> Ephemeris | None:
    T0 = _time(table, "T0", i, names, columns)
    found = {name: number(name) for name in EM}
    if T0 is None and all(v is None for v in found.values()):
        return None
    for name in ("T0", "P", "T0_error", "P_error", "Pdot_error"):  # a rate that is not known is not zero: it drifts by minutes
        if (T0 if name == "T0" else found[name]) is None:
            wanted = "a number, as the row has an ephemeris"
            if name == "T0":
                wanted = "a time in TDB or TCB, or barycentric Julian days in TDB as 'T0_bjd_tdb', as the row has an ephemeris"
            raise _cell(name, names, i, wanted, "an empty cell" if name in table.colnames else "none")
    event = "star 1 eclipsed"
    if "event" in table.colnames:
        event = "" if _masked(table["event"], len(table))[i] else str(table["event"][i])
        if event not in EVENTS:
            raise _cell("event", names, i, f"one of {', '.join(EVENTS)}", repr(event) if event else "an empty cell")
    try:
        return Ephemeris(T0, found["P"] or 0.0, found["Pdot"] or 0.0, found["T0_error"], found["P_error"],
                         found["Pdot_error"], event)  # fmt: skip
    except ArgumentError as problem:
        name = {"sigma_T0": "T0_error", "sigma_P": "P_error", "sigma_Pdot": "Pdot_error"}.get(problem.argument, problem.argument)
        raise _cell(name, names, i, problem.expected, problem.got) from None


def _time(table: Any, name: str, i: int, names: Sequence[str], columns: dict[str, np.ndarray]) -> Any:
    """A barycentric time of a row, or nothing."""
    times = engine("binaries", "astropy.time")
    days = f"{name}_bjd_tdb"
    if name in table.colnames:
        column = table[name]
        if days in table.colnames:
            raise ArgumentError("table", f"one of the columns {name!r} and {days!r}", "both")
        if not isinstance(column, times.Time):
            raise ArgumentError("table", f"times with a scale in the column {name!r}", f"plain numbers or texts ({column.dtype})",
                                f"barycentric Julian days in TDB are a column {days!r}")  # fmt: skip
        t = column[i]
        if bool(np.any(t.mask)):
            return None
        try:
            check_barycentric(t, name)
        except ArgumentError as problem:
            raise _cell(name, names, i, problem.expected, problem.got) from None
        _dated(t.jd, name, names, i)
        return times.Time(t.jd1, t.jd2, format="jd", scale=t.scale)
    if days in columns and not math.isnan(columns[days][i]):
        _dated(float(columns[days][i]), days, names, i)
        return times.Time(float(columns[days][i]), format="jd", scale="tdb")
    return None


def _dated(day: float, column: str, names: Sequence[str], i: int) -> None:
    if not FIRST_DAY <= day <= LAST_DAY:
        wanted = "a full Julian date of the years 1800 to 2200 (2400000.5 more than a modified one)"
        raise _cell(column, names, i, wanted, f"{day!r}")


def _cell(column: str, names: Sequence[str], i: int, expected: str, got: object) -> ArgumentError:
    return ArgumentError("table", expected, f"{got} in row {i + 1} ({names[i]!r}), column {column!r}")


def example_table() -> Any:
    """A table to begin with, an astropy ``Table`` with units: four real binaries.

    Its comments say which numbers are published and which are placeholders. Position angles and phases of waves are invented, as the
    detector does not fly yet.
    """
    tables, nan = engine("binaries", "astropy.table"), math.nan
    rows = [
        # name, ra, dec, inclination, psi, phase, T0, P, Pdot, errors
        ("SDSS J0651+2844", 102.8889, 28.7400, 86.9, 35.0, 250.0, 2455652.598091, 765.206543, -9.8e-12, 0.73, 5.5e-5, 2.8e-12),
        ("ZTF J1539+5027", 234.8840, 50.4608, 84.0, 110.0, 20.0, 2458305.6827886, 414.7915404, -2.373e-11, 0.1, 3e-6, 5e-14),
        ("HM Cnc", 121.5956, 15.4586, 38.0, 250.0, 80.0, nan, nan, nan, nan, nan, nan),
        ("AM CVn", 188.7276, 37.6289, 43.0, 5.0, 130.0, nan, nan, nan, nan, nan, nan),
    ]
    names, *columns = zip(*rows)
    table = tables.Table(masked=True)
    table["name"] = list(names)
    columns = [*columns, (3.0, 3.0, 6.0, 6.0), (1.0, 1.5, 4.0, 6.0), (1.0, 1.0, 4.0, 6.0), (2464694.5,) * 4]
    titles = {
        "ra": "deg", "dec": "deg", "inclination": "deg", "psi": "deg", "gw_phase": "deg", "T0_bjd_tdb": "d", "P": "s", "Pdot": None,
        "T0_error": "s", "P_error": "s", "Pdot_error": None, "gw_phase_error": "deg", "psi_error": "deg", "inclination_error": "deg",
        "epoch_bjd_tdb": "d",
    }  # fmt: skip
    for (title, unit), values in zip(titles.items(), columns):
        array = np.array(values)
        table[title] = tables.MaskedColumn(array, unit=unit, mask=np.isnan(array))
    table.meta["psi_frame"] = "barycentricmeanecliptic"
    table.meta["comments"] = [
        "An example, not a catalogue: look numbers up before you use them.",
        "Published: places and inclinations (Kupfer et al. 2018, Burdge et al. 2019); P, Pdot and their errors of J0651 "
        "(Hermes et al. 2012); T0, P and Pdot of J1539 (Burdge et al. 2019).",
        "Placeholders, not checked against a paper: T0 and its error of J0651; all three errors of J1539; errors of inclinations.",
        "Invented: psi, gw_phase and their errors, as no detector has measured them yet.",
        "psi: position angle of the projected angular momentum, from ecliptic north through east.",
        "gw_phase: phi0 of the waves (gbgpu's convention) at the epoch. event of T0: star 1 is eclipsed.",
    ]
    return table
