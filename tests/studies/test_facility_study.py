"""The study of facility location on small grids."""

import pytest

from erlangen.reporting import RIVAL
from erlangen.studies.facility import STUDY, Config
from erlangen.studies.facility.real import COUNTS, cities, votes

pytest.importorskip("pysat")


def test_the_study_keeps_its_contract(checked):
    outcome = checked(STUDY, Config(quick=True, rounds=80))
    failing = {claim.key for claim in outcome.claims.failing}
    # The abstract's sentence is false, and honesty has its price.
    assert failing == {"abstract", RIVAL}
    assert outcome.answer.startswith("The geometric median is better")
    assert not outcome.left_out


def test_german_cities():
    found = cities()
    assert found.total / found.least == pytest.approx(1.0036, abs=5e-5)
    assert found.rotated == pytest.approx(1.0003, abs=5e-5)
    assert len(found.names) == 101
    assert found.optimal
    assert found.gain > 0


def test_voters():
    found = votes()
    assert found.voters == 909
    assert found.counts == COUNTS
    assert found.median == 4
    assert found.median_holds
    assert found.mean_gain > 0.1
    assert found.off < 1e-3
