"""The study of cybloids on a small scale."""

from erlangen.studies.cybloids import STUDY, Config
from erlangen.testing import check_outcome


def test_laws_hold_on_a_small_scale():
    outcome = STUDY.run(Config(replicas=300, seeds=1, steps=1500), quiet=True)
    assert check_outcome(STUDY, outcome)
    found = {claim.key: claim for claim in outcome.claims}
    assert found["speed"].holds
    assert found["designer"].holds
    assert abs(outcome.metrics["harmonic"]["kappa -3, tau 0.2"]["D_eff"] / 6.25 - 1) < 0.3
    square, hexagonal = outcome.rivals
    assert hexagonal.rival > 0.5 > square.rival  # dense cores are hexagonal, and nothing else
    assert set(outcome.left_out) == {"honeycomb", "phases"}
