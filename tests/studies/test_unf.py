"""The studies of universal neural functionals keep the contract of studies, and the claims that decide them hold."""

import importlib

import pytest

from erlangen.testing import check_study

ZOO = importlib.import_module("erlangen.studies.unf_zoo").STUDY
OPTIMIZER = importlib.import_module("erlangen.studies.learned_optimizer").STUDY


def test_the_zoo_keeps_the_contract():
    assert check_study(ZOO, ZOO.config(networks=80, epochs=1, seeds=1), quiet=True)


def test_the_learned_optimizer_keeps_the_contract():
    assert check_study(OPTIMIZER, OPTIMIZER.config(steps=2, horizon=4, pairs=2, jobs=1), quiet=True)


def test_symmetry_claims_hold_at_any_size():
    zoo = ZOO.run(ZOO.config(networks=80, epochs=1, seeds=1), quiet=True)
    optimizer = OPTIMIZER.run(OPTIMIZER.config(steps=1, horizon=2, pairs=2, jobs=1), quiet=True)
    for outcome in (zoo, optimizer):
        assert next(claim for claim in outcome.claims if "permut" in claim.text).holds
        assert 0 < outcome.metrics["symmetry_error"] < 1e-10


@pytest.mark.slow
def test_weights_tell_accuracy():
    assert ZOO.run(ZOO.config(), quiet=True).claims.holds


@pytest.mark.slow
def test_learned_optimizers_win():
    assert OPTIMIZER.run(OPTIMIZER.config(), quiet=True).claims.holds
