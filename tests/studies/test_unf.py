"""The studies of universal neural functionals keep the contract of studies, and the claims that decide them hold."""

import importlib

import pytest

from erlangen.testing import check_outcome

ZOO = importlib.import_module("erlangen.studies.unf_zoo").STUDY
OPTIMIZER = importlib.import_module("erlangen.studies.learned_optimizer").STUDY


def test_symmetry_claims_hold_at_any_size():
    zoo = ZOO.run(ZOO.config(networks=80, epochs=1, seeds=1), quiet=True)
    optimizer = OPTIMIZER.run(OPTIMIZER.config(steps=1, horizon=2, pairs=2, jobs=1), quiet=True)
    assert check_outcome(ZOO, zoo)
    assert check_outcome(OPTIMIZER, optimizer)
    # Running a network on the digits tells more than any reading of its weights, with labels or without.
    taus = zoo.metrics["simple"]
    assert min(taus["a test on 50 labelled digits"], taus["agreement with the whole zoo on 50 unlabelled digits"]) > 0.7
    assert taus["a test on 50 labelled digits"] == zoo.metrics["tau_by_labelled_digits"]["50"]
    for outcome in (zoo, optimizer):
        assert next(claim for claim in outcome.claims if "permut" in claim.text).holds
        assert 0 < outcome.metrics["symmetry_error"] < 1e-10


@pytest.mark.slow
def test_weights_tell_accuracy():
    outcome = ZOO.run(ZOO.config(), quiet=True)
    assert all(claim.holds for claim in outcome.claims if claim.key != "rival")


@pytest.mark.slow
def test_learned_optimizers_win():
    assert OPTIMIZER.run(OPTIMIZER.config(), quiet=True).claims.holds
