"""Metrics of generated crystals against cases known by hand."""

import math
import signal
import threading
import time

import numpy as np
import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.crystals import Crystal
from erlangen.fields.crystals.metrics import Matcher, coverage, csp, densities, generation, neighbour_fingerprint, wasserstein

pytest.importorskip("pymatgen.analysis.structure_matcher")


def salt(a="Na", b="Cl", edge=5.64):
    return Crystal(edge / 2 * (1 - torch.eye(3)), torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0.5]]), [a, b])


def caesium(a="Cs", b="Cl", edge=4.1, shift=0.0):
    return Crystal(edge * torch.eye(3), torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0.5 + shift]]), [a, b])


def doubled(one):
    cell = torch.diag(torch.tensor([1.0, 1, 2], dtype=torch.float64)) @ one.cell
    half = one.fractional * torch.tensor([1, 1, 0.5], dtype=torch.float64)
    return Crystal(cell, torch.cat([half, half + torch.tensor([0, 0, 0.5], dtype=torch.float64)]), one.numbers.repeat(2))


def test_matches_known_by_hand():
    scores = csp([salt(), doubled(salt()), salt("K"), caesium("Na")], [salt()] * 4)
    assert scores.distances[:2].max() < 1e-6
    assert np.isnan(scores.distances[2:]).all()
    assert scores.match_rate() == 0.5
    assert scores.rmse() < 1e-6
    # All predictions of the composition count for each reference.
    assert scores.metre == 1.0
    assert scores.crmse < 1e-6


def test_distances_are_in_units_of_the_volume_per_atom():
    shift = 0.1
    (distance,) = csp([caesium(shift=shift)], [caesium()]).distances[0]
    # Both atoms share the shift: each is off by half of it.
    assert distance == pytest.approx(shift * 4.1 / 2 / (4.1**3 / 2) ** (1 / 3), rel=1e-6)


def test_best_of_k_and_what_unmatched_references_cost():
    scores = csp([[salt("K"), salt()], [salt("K"), salt("K")]], [salt(), salt("Na", "Br")])
    assert scores.match_rate(1) == 0.0
    assert math.isnan(scores.rmse(1))
    assert scores.match_rate() == 0.5
    assert scores.metre == 0.5
    assert scores.crmse == pytest.approx(0.25)


def test_validity_counts_as_the_two_conventions_have_it():
    odd = Crystal(4 * torch.eye(3), torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0.0]]), ["Na", "Cl", "Cl"])
    scores = csp([odd, salt()], [odd, salt()])
    assert scores.match_rate() == 1.0
    assert scores.match_rate(valid="prediction") == scores.match_rate(valid="both") == 0.5
    with pytest.raises(ArgumentError, match="valid"):
        scores.match_rate(valid="yes")


def test_slow_pairs_are_stopped(monkeypatch):
    matcher = Matcher(seconds=0.05)

    class Slow:
        def get_rms_dist(self, a, b):
            time.sleep(5)

    monkeypatch.setattr(matcher, "_matcher", Slow())
    started = time.monotonic()
    assert math.isnan(matcher.distance(salt(), salt()))
    assert matcher.stopped == 1
    assert time.monotonic() - started < 4


def test_where_no_pair_can_be_stopped_a_warning_says_so():
    matcher, found = Matcher(), []

    def work():
        with pytest.warns(UserWarning, match="cannot be stopped after 10 seconds outside the main thread"):
            found.append(matcher.distance(salt(), salt()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [pytest.approx(0, abs=1e-9)]
    for seconds in (0, -1.0, math.nan, "ten"):
        with pytest.raises(ArgumentError, match="seconds"):
            Matcher(seconds=seconds)
    assert Matcher(seconds=math.inf).same(salt(), salt())


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="a system without timers")
def test_the_users_own_timer_goes_on():
    rung = []
    kept = signal.signal(signal.SIGALRM, lambda *_: rung.append(True))
    before = signal.setitimer(signal.ITIMER_REAL, 600)
    try:
        Matcher().distance(salt(), salt())
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 600
        signal.raise_signal(signal.SIGALRM)
        assert rung == [True]
    finally:
        signal.setitimer(signal.ITIMER_REAL, *before)
        signal.signal(signal.SIGALRM, kept)


def test_numbers_of_predictions_are_checked():
    for pred in ([salt()], [[salt()], [salt(), salt()]], [[], []]):
        with pytest.raises(ArgumentError, match="pred"):
            csp(pred, [salt(), salt()])


def test_fingerprints_of_cells_of_one_crystal_agree():
    rng = torch.Generator().manual_seed(0)
    one = Crystal.from_parameters((4, 5, 6), (80, 95, 100), torch.rand(4, 3, generator=rng), [8, 8, 22, 56])
    a, b = neighbour_fingerprint([one, doubled(one)])
    assert (a - b).abs().max() < 1e-6
    # Rock salt: six neighbours, then twelve farther by the root of 2; the unit is half an edge.
    lengths = neighbour_fingerprint([salt()])[0]
    assert torch.allclose(lengths[:6], torch.ones(6, dtype=torch.float64), atol=1e-6)
    assert torch.allclose(lengths[6:12], torch.full((6,), 2**0.5, dtype=torch.float64), atol=1e-6)
    assert lengths[12:].abs().max() < 1e-3


def test_far_atoms_count_as_at_the_end():
    lone = Crystal(torch.diag(torch.tensor([1.0, 1, 50])), torch.zeros(1, 3), ["H"])
    assert neighbour_fingerprint([lone])[0, :12].max() <= 3.0


def test_coverage_of_a_set_by_itself():
    group = [salt(), caesium(), salt("K", "Br", 6.6)]
    assert coverage(group, group, group) == (1.0, 1.0)
    assert coverage([caesium("Cs", "I", 4.5)], group, group)[0] < 1.0


def test_laws_of_properties():
    assert wasserstein([1, 2, 3], [3, 2, 1]) == 0.0
    assert float(densities([salt()])[0]) == pytest.approx(2.163, abs=0.01)


def test_generated_beside_real():
    clash = Crystal(4.1 * torch.eye(3), torch.tensor([[0.0, 0, 0], [0.05, 0, 0]]), ["Cs", "Cl"])
    scores = generation([salt(), salt(), salt("K"), clash], [salt(), caesium()])
    assert scores.structure == 0.75
    assert scores.composition == 1.0
    assert scores.valid == 0.75
    assert scores.unique == pytest.approx(2 / 3)
    assert scores.novel == pytest.approx(1 / 3)
    assert 0 < scores.precision <= 0.75
    assert math.isnan(scores.energy)
    same = generation([salt(), caesium()], [salt(), caesium()], energy=len)
    assert (same.recall, same.precision) == (1.0, 1.0)
    assert same.density == same.elements == same.energy == 0.0
