"""``erlangen locate POINTS.csv``: a place for people, what it costs, and who could gain by lying."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

#: Headers of a first column of numbers that are people's names.
NUMBERED = ("id", "ident", "index", "key", "name", "no", "no.", "nr", "nr.", "number", "nummer", "person", "#")


@dataclass(frozen=True)
class Locate:
    """Choose a place (or several) for people who say where they are: what it costs, what is guaranteed, and who could gain by lying."""

    points: Positional[Path]
    """A CSV file: a row for each person with the name first, a column for each coordinate. Columns called latitude and longitude (lat, lon)
    are degrees, and distances are then kilometres. Names may be numbers in a column called id, nr or name."""
    facilities: int = 1
    """How many places; everybody goes to the nearest."""
    norm: Literal["euclidean", "manhattan"] = "euclidean"
    """How distances are measured: as the crow flies, or along the axes, as in streets."""
    objective: Literal["total", "maximum"] = "total"
    """What the best place is compared by: what all together go, or what the farthest goes."""
    write: Path | None = None
    """Write the places to this CSV file, too."""
    seed: int = 0
    """Seed of what is random: local searches for several places, false reports that are tried."""
    out: Path = Path("runs")
    """Where reports are kept: OUT/NAME/DATE."""
    json: bool = False
    """Print JSON."""


def run_locate(args: Locate) -> None:
    """``erlangen locate POINTS.csv``."""
    import time

    import numpy as np

    from erlangen.cli.telling import tell
    from erlangen.cli.written import check_written
    from erlangen.data import read_labelled
    from erlangen.errors import ArgumentError
    from erlangen.fields.mechanisms.location import report
    from erlangen.fields.mechanisms.location.geography import REFUSED, Projection, check_degrees, degree_columns
    from erlangen.fields.mechanisms.location.profiles import norm_order
    from erlangen.reporting import check_folder, plain, run_directory
    from erlangen.serialization import write_bytes

    started = time.perf_counter()
    check_folder(args.out, "out")
    check_written(args.write, args.points, "POINTS")
    if args.facilities < 1:
        raise ArgumentError("facilities", "at least one place", repr(args.facilities))
    try:
        table = read_labelled(args.points)
    except ArgumentError as problem:
        raise ArgumentError("points", problem.expected, problem.got, problem.hint) from None
    x = np.array([[float(v) for v in row] for row in table.values])
    names, columns, projection = table.rows, list(table.columns), None
    if not table.corner and len(columns) > 1 and columns[0].strip().lower() in NUMBERED:
        # People who are called by numbers: not where they are.
        names, columns, x = tuple(str(row[0]) for row in table.values), columns[1:], x[:, 1:]
        if len(set(names)) < len(names):
            again = next(name for i, name in enumerate(names) if name in names[:i])
            raise ArgumentError("points", "a name of its own for each row", f"{again} again in column {table.columns[0]!r}")
    degrees = degree_columns(columns)
    if degrees is not None:
        if len(columns) > 2:
            more = [name for i, name in enumerate(columns) if i not in degrees]
            raise ArgumentError(
                "points",
                "latitude and longitude alone: degrees are not measured with anything else",
                f"{', '.join(map(repr, more))} beside them",
                "leave that column out",
            )
        x, columns = x[:, degrees], [columns[i] for i in degrees]
        check_degrees(x, names, "points")
        projection = Projection.about(x)
        some = x[:: max(1, len(x) // 300)]
        if (off := projection.off(some, some)) > REFUSED:
            raise ArgumentError(
                "points",
                "places near enough to each other, and far enough from the poles, to lie on a plane",
                f"distances that are off by {100 * off:.0f}% there",
                "give coordinates of a map projection of your choice, in kilometres",
            )
        x = projection.to_plane(x)
    found = report.located(x, names, columns, args.facilities, norm_order(args.norm), args.objective, projection, seed=args.seed)
    config = plain(args)
    outcome = report.locate_outcome(found, config, time.perf_counter() - started)
    directory = run_directory("locate", args.out)
    path = outcome.save(directory, {"places.csv": lambda file: file.write_bytes(report.places_table(found).encode())})
    if args.write is not None:
        write_bytes(args.write, report.places_table(found).encode())
    flat = () if projection is None else (report.on_a_plane(found),)
    tell(outcome, path, args.json, f"the places: {directory / 'places.csv'}", before=flat)
