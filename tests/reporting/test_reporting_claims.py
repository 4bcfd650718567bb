"""Claims, and their table in the terminal."""

from __future__ import annotations

import dataclasses

import pytest
from rich.console import Console

from erlangen.errors import ArgumentError
from erlangen.reporting import Claim, Claims, PlusMinus, claim_from
from erlangen.verdict import Verdict


def text_of(claims: Claims, width: int = 120) -> str:
    console = Console(width=width, no_color=True, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(claims.table())
    return console.export_text()


CLAIMS = Claims(
    [
        Claim("metric is Minkowski's", 0.9975, 0.99941, True, baseline=0.61, scale="3,000 jets", source="arXiv:2302.00236"),
        Claim("AUC is [bold]kept[/bold]", None, PlusMinus(0.61, 0.02), False, note="it falls", unit="nats"),
    ]
)


def test_the_table_says_what_holds_and_what_does_not():
    lines = text_of(CLAIMS).splitlines()
    (kept,) = (line for line in lines if "AUC is" in line)
    (metric,) = (line for line in lines if "Minkowski" in line)
    assert "DOES NOT HOLD" in kept
    assert "[bold]kept[/bold]" in kept  # markup in a user's words is words
    assert "0.610 ± 0.020 nats" in kept
    for part in ("0.9975", "0.9994", "0.61", "holds"):
        assert part in metric
    assert "DOES NOT HOLD" not in metric
    assert any("it falls" in line for line in lines)
    assert any("3,000 jets" in line for line in lines)
    assert any("arXiv:2302.00236" in line for line in lines)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_number_is_cut_off_in_a_narrow_terminal(width):
    flat = "".join(text_of(CLAIMS, width).split())
    assert "…" not in flat
    assert "0.9975" in flat
    assert "0.9994" in flat


def test_columns_that_nothing_fills_are_left_out():
    text = text_of(Claims([Claim("a", 1, 2, True)]))
    assert "baseline" not in text


def test_a_verdict_becomes_a_claim():
    verdict = Verdict(
        False,
        "f is invariant",
        how="statistical",
        tried=64,
        numbers={"mean": 0.1, "worst": 0.4},
        interval=(0.08, 0.12),
        reason="no",
    )
    claim = claim_from(verdict, reported=0.0)
    assert (claim.text, claim.measured, claim.holds) == ("f is invariant", 0.1, False)
    assert claim.scale == "statistical, 64 tried"
    assert claim.note == "no; 95% interval [0.08, 0.12]"
    assert claim_from(verdict, "other", measured="worst").measured == 0.4
    assert claim_from(Verdict(True, "c", how="exact")).measured == "holds"
    assert Claim("x", None, 1, holds=verdict).holds is False


def test_claims_are_a_frozen_sequence():
    assert len(CLAIMS) == 2
    assert CLAIMS.holds is False
    assert CLAIMS.failing == (CLAIMS[1],)
    assert CLAIMS[:1].holds
    assert (CLAIMS + CLAIMS[:1]).summary() == "2 of 3 claims hold, 1 does not"
    assert Claims().holds
    assert CLAIMS.as_dict()["holding"] == 1
    assert CLAIMS.as_dict()["claims"][1]["measured"] == {"value": 0.61, "spread": 0.02}
    with pytest.raises(dataclasses.FrozenInstanceError):
        CLAIMS[0].text = "x"
    with pytest.raises(ArgumentError):
        Claims([Verdict(True, "c", how="exact")])
    with pytest.raises(ArgumentError):
        Claim("", None, 1, True)


def test_columns_without_a_number_leave_their_room_to_the_claims():
    claims = Claims(
        [Claim("the model keeps its AUC on moved data", None, 1e-9, True, baseline=0.3, note="AUC lost", scale="900 jets")] * 8
    )
    text = text_of(claims, 80)
    assert "reported" not in text
    assert "baseline" in text
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) == 2 + 8 * 2  # a head with its rule, and for each claim a line and one with its details
    assert max(map(len, lines)) <= 80
