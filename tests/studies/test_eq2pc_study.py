"""The study of structures with one two-point correlation: its parts on small sizes, and the whole."""

import numpy as np
import pytest

from erlangen.fields import microstructures as micro
from erlangen.reporting import RIVAL
from erlangen.studies.eq2pc import STUDY, Config
from erlangen.studies.eq2pc.counting import RINGS, brute_force, children, race
from erlangen.studies.eq2pc.properties import annealed, expansion, regression


def test_annealing_ends_on_what_has_the_correlations():
    root = micro.search_roots((4, 3), (5,)).roots[0].members
    found = annealed(root, 8, 800, 0)
    assert found.neither == 0
    assert found.original + found.mate == 8
    assert found.residual == 0
    stuck = annealed(np.stack(list(micro.factor_roots((12, 12), seed=0))), 1, 20, 0)
    assert stuck.residual > 0


def test_brute_force_finds_the_same_classes():
    for ring in ((8, 4), (12, 5), (16, 8)):
        found = brute_force(*ring)
        assert found.found == found.searched == RINGS[ring][:3]


def test_no_prediction_from_correlations_beats_the_floor():
    runs = regression((4, 4), 6, (0, 1), True)
    assert runs[0] != runs[1]
    for found in runs:
        assert found.second >= found.floor > 0
        assert found.structures == 511
        assert found.judged > 20


def test_children_of_several_seeds_are_mates():
    made = children((0, 5))
    assert {child.seed for child in made} == {0, 5}
    assert all(child.equivalent and not child.related for child in made)


def test_the_search_is_ahead_on_rings_that_are_not_small():
    curve, found = race(((10, 4), (16, 7)), 2)
    assert [one.ring for one in found] == [(10, 4), (16, 7)]
    assert all(one.found == one.searched for one in found)
    assert [len(runs) for runs in curve.curves["the search"]] == [2, 2]


def test_differences_of_third_order():
    root = micro.search_roots((4, 3), (5,)).roots[0].members
    assert np.allclose([value for _, value in expansion(root)], [0.0116, 0.0136, 0.0148, 0.0155, 0.0159], atol=6e-5)


@pytest.mark.slow
def test_the_study_keeps_its_contract(checked):
    outcome = checked(STUDY, Config(crystals=2, samples=10))
    assert all(claim.holds for claim in outcome.claims if claim.key != RIVAL)
    assert all(one["found"] == one["searched"] for one in outcome.metrics["brute force"])
    assert len(outcome.metrics["regression"]) == 3
