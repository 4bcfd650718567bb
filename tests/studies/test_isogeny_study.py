"""The study of isogenies on a small scale."""

import pytest

from erlangen.errors import ArgumentError
from erlangen.fields import curves
from erlangen.reporting import RIVAL
from erlangen.studies.isogeny import STUDY, Config
from erlangen.studies.isogeny.bare import bare_walk
from erlangen.testing import check_outcome


def test_isogenies_on_a_small_scale():
    outcome = STUDY.run(Config(largest=67, traces=1, searched=1, quaternions=30, steps=6), quiet=True)
    assert check_outcome(STUDY, outcome)
    assert all(claim.holds for claim in outcome.claims if claim.key != RIVAL)
    assert [rival.name for rival in outcome.rivals] == ["the same walk by bare calls of PARI", "factoring division polynomials"]
    assert outcome.rivals[1].winner == "method"
    assert outcome.metrics["census"]["equal"] == outcome.metrics["census"]["subgroups"] > 60
    assert outcome.metrics["toy"]["lengths"] == [27, 9, 27]
    assert outcome.metrics["census"]["naive"] < outcome.metrics["census"]["subgroups"]


@pytest.mark.parametrize("ell_lam", [(3, 1), (3, 2), (13, 8), (17, 1), (23, 5), (29, 17)])
def test_bare_calls_lead_where_the_walk_leads(ell_lam):
    E = curves.Curve(2**64 - 59, (3, 12345))
    assert curves.Curve(E.p, bare_walk(E.p, 3, 12345, E.trace, [ell_lam] * 2)) == curves.walk(E, [ell_lam] * 2)[-1]


def test_settings_out_of_range_are_refused():
    with pytest.raises(ArgumentError, match="largest"):
        STUDY.run(Config(largest=10))
