"""The study of null infinity on a small scale."""

from erlangen.studies.bms3 import STUDY, Config
from erlangen.testing import check_outcome


def test_the_claims_hold_on_a_small_scale():
    outcome = STUDY.run(Config(points=96, cases=10, band=4, energies=50), quiet=True)
    assert check_outcome(STUDY, outcome)
    assert all(claim.holds for claim in outcome.claims), [str(claim) for claim in outcome.claims if not claim.holds]
    assert not outcome.left_out
    assert outcome.metrics["conservation"]["without the turn"] > 0.1
    assert outcome.rivals[0].winner == "method"
