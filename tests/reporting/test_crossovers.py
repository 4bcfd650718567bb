"""Where a method is ahead of its rivals along an axis: said in words, drawn, and kept number by number."""

from __future__ import annotations

import pytest

from erlangen.errors import ArgumentError
from erlangen.reporting import Crossover, to_json

OURS = [[0.5, 0.6], [0.30, 0.33], [0.10, 0.11]]
RIDGE = [[0.30, 0.32], [0.29, 0.32], [0.29, 0.30]]


def crossover(**more):
    arguments = {
        "axis": "systems",
        "places": (100, 1000, 10_000),
        "quantity": "test error",
        "better": "lower",
        "method": "the network",
        "curves": {"ridge": RIDGE, "the network": OURS},
    }
    return Crossover(**{**arguments, **more})


def test_winners_are_those_of_the_table_of_claims():
    assert crossover().winners("ridge") == ("rival", "level", "method")
    assert crossover(better="higher").winners("ridge") == ("method", "level", "rival")
    assert crossover().sentence() == "Ridge is ahead of the network at 100 systems, level at 1,000, behind it at 10,000."
    three = crossover(curves={"ridge": RIDGE, "the network": OURS, "the law": [[0.0], [0.0], [0.0]]})
    assert three.sentence().endswith("The law is ahead of the network at 100 to 10,000 systems.")


def test_figure_table_and_numbers_agree():
    found = crossover()
    section = found.section()
    table = section.tables[0]
    assert list(table.columns) == ["systems", "ridge", "the network"]
    assert [row[0] for row in table.rows] == [100, 1000, 10_000]
    assert table.rows[2][2].value == pytest.approx(0.105)
    assert "0.105" in to_json(section.figures[0].as_dict())
    kept = found.as_dict()
    assert kept["curves"] == {"ridge": RIDGE, "the network": OURS}
    assert kept["method"] == "the network"
    lone = crossover(curves={"ridge": [[0.3], [0.2], [0.1]], "the network": [[0.2], [0.2], [0.2]]})
    assert lone.winners("ridge") == ("method", "level", "rival")
    assert not lone.figure().as_dict().get("caption")


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"places": (100,), "curves": {"ridge": RIDGE[:1], "the network": OURS[:1]}}, "places"),
        ({"places": (100, 1000, float("nan"))}, "places"),
        ({"places": (100, 100, 1000)}, "places"),
        ({"places": (0, 1, 2)}, "log_x"),
        ({"curves": {"the network": OURS}}, "curves"),
        ({"curves": {"ridge": RIDGE, "network": OURS}}, "curves"),
        ({"curves": {"ridge": RIDGE[:2], "the network": OURS}}, "curves"),
        ({"curves": {"ridge": [[], [0.1], [0.1]], "the network": OURS}}, "curves"),
        ({"curves": {"ridge": [0.3, 0.1, 0.1], "the network": OURS}}, "curves"),
        ({"better": "less"}, "better"),
        ({"curves": {"ridge": [[float("nan")], [0.1], [0.1]], "the network": OURS}}, "curves"),
        ({"curves": {"ridge": [[0.0], [0.1], [0.1]], "the network": OURS}, "log_y": True}, "log_y"),
    ],
)
def test_arguments_are_named(more, name):
    with pytest.raises(ArgumentError) as caught:
        crossover(**more)
    assert caught.value.argument == name
