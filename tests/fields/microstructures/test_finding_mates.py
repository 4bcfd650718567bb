"""Mates of given structures: each way that finds some, what is said where there is none, and searches that were stopped."""

import json

import numpy as np
import pytest

from erlangen.errors import ArgumentError
from erlangen.fields import microstructures as micro
from erlangen.fields.microstructures.common_factor import common_factors


def checked(found, S):
    assert found, found
    pair = found.witness
    assert np.array_equal(pair.a, S)
    assert micro.equivalent(*pair)
    assert not micro.related(*pair)
    return pair.origin["found by"]


@pytest.mark.parametrize("P", [(64, 64), (24, 20), (10, 9, 8)])
def test_motifs_are_found_in_what_was_made_of_them(P):
    for seed in range(3):
        pair = micro.factor_roots(P, 3 if len(P) == 2 else 2, seed=seed)
        found = micro.find_mate(pair.b)
        assert checked(found, pair.b) == "motifs"
        assert len(found.witness.origin["motif"]) == len(pair.origin["motif"])


def test_a_motif_that_overlaps_by_chance_is_fitted_exactly():
    rng = np.random.default_rng(0)
    motif = np.array([[0, 0], [0, 1], [1, 0], [3, 1]])
    for _ in range(2):
        S, free = np.full((16, 16), 2), np.ones((16, 16), bool)
        for _ in range(12):
            points = (rng.integers(16, size=2) + motif) % 16
            if free[tuple(points.T)].all():
                S[tuple(points.T)], free[tuple(points.T)] = 1, False
        assert (S == 1).sum() > 25
        factors = next(f for f in common_factors(S) if f is not None and len(f.motif) == 4)
        again = np.full(S.shape, 2)
        for offset in factors.motif:
            again[tuple(((factors.copies + offset) % 16).T)] = 1
        assert np.array_equal(again, S)
        assert checked(micro.find_mate(S), S) == "motifs"


def test_enumeration_finds_what_has_no_reason_and_proves_that_there_is_none():
    roots = micro.search_roots((4, 4), (6,))
    ways = {checked(micro.find_mate(root.members[0]), root.members[0]) for root in roots}
    assert "enumeration" in ways
    with_mates = {micro.canonical(m).tobytes() for root in micro.search_roots((4, 4), (6,), phase_swap=True) for m in root.members}
    alone = [S for S in roots.representatives if S.tobytes() not in with_mates]
    assert len(alone) > 100
    for S in alone[::30]:
        verdict = micro.find_mate(S)
        assert not verdict
        assert verdict.how == "exhaustive"
        assert verdict.tried >= 5005 * 6 // 16
    quick = micro.find_mate(alone[0], largest=0)
    assert quick.how == "search"
    assert "enumeration" not in quick.reason


def test_coarse_structures_are_seen():
    root = micro.search_roots((4, 3), (3, 2)).roots[0].members[0]
    recipes = {
        "repeated": [("tile", [2, 4])],
        "blocks": [("kernel-extend", [np.ones((5, 6), int)])],
        "set apart": [("extend", [5, 6]), ("coalesce", [[3, 4]])],
    }
    for word, steps in recipes.items():
        S = np.roll(micro.Recipe(steps)(root), (2, 1), (0, 1))
        assert word in checked(micro.find_mate(S), S)


def test_exchange_of_phases_is_a_mate_unless_it_is_a_relation():
    S = np.array([1, 1, 2, 1, 1, 2, 2, 2])
    assert checked(micro.find_mate(S), S) == "exchange of phases"
    assert not micro.find_mate([1, 1, 2, 2])


def test_nothing_is_claimed_of_a_large_structure_without_a_reason():
    S = np.random.default_rng(0).integers(1, 3, (40, 40))
    verdict = micro.find_mate(S)
    assert not verdict
    assert verdict.how == "search"
    for word in ("exchange of phases", "automorphisms", "motifs"):
        assert word in verdict.reason


def test_a_search_that_was_stopped_goes_on(tmp_path, monkeypatch):
    from erlangen.fields.microstructures import mates

    S = micro.search_roots((5, 5), (9,), max_results=1).representatives[1000]
    whole = micro.find_mate(S)
    kept = tmp_path / "mate.json"
    monkeypatch.setattr(mates, "BETWEEN", 0.0)
    real, calls = mates._matching, []

    def stopped(words, chunk, wanted):
        calls.append(len(chunk))
        if len(calls) == 6:
            raise KeyboardInterrupt
        return real(words, chunk, wanted)

    monkeypatch.setattr(mates, "_matching", stopped)
    with pytest.raises(KeyboardInterrupt):
        micro.find_mate(S, checkpoint=kept)
    before = json.loads(kept.read_text())["tried"]["enumeration"]
    assert before == sum(calls[:5])
    calls.clear()
    calls.extend([0] * 10)
    again = micro.find_mate(S, checkpoint=kept)
    assert again.holds == whole.holds
    assert sum(calls[10:]) + before <= 735_471  # nothing twice: all of C(24, 8)
    finished = micro.find_mate(S, checkpoint=kept)
    assert finished.holds == whole.holds
    with pytest.raises(ArgumentError, match="'checkpoint'"):
        micro.find_mate(np.roll(S, 1), checkpoint=kept)
