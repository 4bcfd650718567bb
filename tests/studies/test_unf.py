"""The studies of universal neural functionals keep the contract of studies, and the claims that decide them hold."""

import importlib

import pytest

from erlangen.testing import check_outcome

ZOO = importlib.import_module("erlangen.studies.unf_zoo").STUDY
OPTIMIZER = importlib.import_module("erlangen.studies.learned_optimizer").STUDY


def test_symmetry_claims_hold_at_any_size():
    zoo = ZOO.run(ZOO.config(networks=80, epochs=1, seeds=1), quiet=True)
    optimizer = OPTIMIZER.run(OPTIMIZER.config(steps=1, horizon=2, pairs=2, seeds=2, jobs=1), quiet=True)
    assert check_outcome(ZOO, zoo)
    assert check_outcome(OPTIMIZER, optimizer)
    # Running a network on the digits tells more than any reading of its weights, with labels or without.
    taus = zoo.metrics["simple"]
    assert min(*taus["a test on 50 labelled digits"], *taus["agreement with the whole zoo on 50 unlabelled digits"]) > 0.7
    assert taus["a test on 50 labelled digits"] == [zoo.metrics["tau_by_labelled_digits"]["50"]]
    # Each seed is judged on runs of its own, and the row says mean and spread over them.
    losses = optimizer.metrics["losses"]["UNF"]
    row = next(claim for claim in optimizer.claims if claim.key == "rival")
    assert len(losses) == 2
    assert losses[0] != losses[1]
    assert row.measured.value == pytest.approx(sum(losses) / 2)
    for outcome in (zoo, optimizer):
        assert next(claim for claim in outcome.claims if "permut" in claim.text).holds
        assert 0 < outcome.metrics["symmetry_error"] < 1e-10


def test_curves_of_a_small_zoo():
    outcome = ZOO.run(ZOO.config(networks=120, epochs=1, seeds=2, curve=True), quiet=True)
    found = outcome.metrics["crossover"]
    assert found["networks"]["places"] == [60, 90]
    assert found["networks"]["curves"]["UNF on weights"][-1] == outcome.metrics["tau"]["UNF"]
    assert (
        found["networks"]["curves"]["boosting on statistics of weights"][-1]
        == outcome.metrics["simple"]["boosting on statistics of weights"]
    )
    told = found["digits"]["curves"]["a test on labelled digits"]
    # More digits tell more.
    assert all(few < many for few, many in zip(told[0], told[-1]))


@pytest.mark.slow
def test_weights_tell_accuracy():
    outcome = ZOO.run(ZOO.config(), quiet=True)
    assert all(claim.holds for claim in outcome.claims if claim.key != "rival")


@pytest.mark.slow
def test_learned_optimizers_win():
    assert OPTIMIZER.run(OPTIMIZER.config(), quiet=True).claims.holds
