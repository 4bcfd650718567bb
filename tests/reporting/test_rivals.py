"""A rival's row: who won is decided by the numbers, said first, and stands in the table of claims."""

from __future__ import annotations

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.reporting import RIVAL, Outcome, PlusMinus, Rival


def row(measured: object, rival: object, better: str = "lower", **more: object) -> Rival:
    return Rival("boosting", "our network", "test error", measured, rival, better, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("measured", "rival", "better", "winner"),
    [
        (0.2, 0.3, "lower", "method"),
        (0.3, 0.2, "lower", "rival"),
        (0.3, 0.2, "higher", "method"),
        (0.2, 0.2, "higher", "level"),
        (PlusMinus(0.20, 0.03), PlusMinus(0.24, 0.04), "lower", "level"),
        (PlusMinus(0.20, 0.03), PlusMinus(0.26, 0.04), "lower", "method"),
        (PlusMinus(0.20, float("nan")), 0.26, "lower", "method"),
        (float("inf"), 1.0, "lower", "rival"),
        (float("inf"), float("inf"), "lower", "level"),
        (3, 3, "lower", "level"),
    ],
)
def test_the_numbers_decide(measured: object, rival: object, better: str, winner: str) -> None:
    found = row(measured, rival, better)
    assert found.winner == winner
    claim = found.claim()
    assert (claim.holds, claim.key, claim.measured, claim.baseline) == (winner == "method", RIVAL, measured, rival)
    assert ("level" in claim.text) == ("level" in found.sentence()) == (winner == "level")


def test_a_stated_difference_is_none() -> None:
    assert row(0.2, 0.21).winner == "method"
    assert row(0.2, 0.21, level=0.02).winner == "level"


def test_the_answer_begins_with_who_won() -> None:
    rival = row(0.3, 0.2, seconds=60.0, rival_seconds=0.5, settings="100 trees")
    outcome = Outcome("demo", "A demonstration", {}, answer="Turns are seen.", rivals=[rival])
    assert (
        outcome.answer == "Boosting is better than our network here: test error 0.2 beside 0.3 (0.5 s beside 60 s). Turns are seen."
    )
    assert [claim.key for claim in outcome.claims] == [RIVAL]
    assert "100 trees" in outcome.claims[0].note
    again = Outcome("demo", "A demonstration", {}, outcome.claims, answer=outcome.answer, rivals=[rival])
    assert again.answer == outcome.answer
    assert len(again.claims) == 1


@pytest.mark.parametrize(
    ("argument", "made"),
    [
        ("measured", lambda: row(float("nan"), 1.0)),
        ("rival", lambda: row(1.0, "good")),
        ("better", lambda: row(1.0, 1.0, "more")),
        ("level", lambda: row(1.0, 1.0, level=-1.0)),
        ("level", lambda: row(1.0, 1.0, level=float("nan"))),
        ("level", lambda: row(1.0, 1.0, level=float("inf"))),
        ("measured", lambda: row("0.2", 1.0)),
        ("measured", lambda: row(PlusMinus(float("nan"), 0.1), 1.0)),
        ("rival", lambda: row(1.0, torch.ones(2))),
        ("rival", lambda: row(1.0, None)),
        ("seconds", lambda: row(1.0, 1.0, seconds=float("nan"))),
        ("rival_seconds", lambda: row(1.0, 1.0, rival_seconds=-1.0)),
        ("name", lambda: Rival("", "ours", "error", 1.0, 2.0, "lower")),
    ],
)
def test_what_cannot_be_compared_is_refused(argument: str, made: object) -> None:
    with pytest.raises(ArgumentError, match=f"argument '{argument}'"):
        made()  # type: ignore[operator]
