"""The LieGAN studies keep the contract of studies, and the claims that decide them hold."""

import pytest

from erlangen.studies import load_study, study_names
from erlangen.testing import check_study


def test_every_study_is_named_as_it_is_listed():
    for name in study_names():
        study = load_study(name)
        assert study.name == name
        assert study.claims


def test_a_study_keeps_the_contract():
    study = load_study("liegan-cyclic")
    assert check_study(study, study.config(steps=5, seeds=1, samples=100, width=8), quiet=True)


@pytest.mark.slow
def test_a_seventh_of_a_turn():
    study = load_study("liegan-cyclic")
    assert study.run(study.config(seeds=1), quiet=True).claims.holds
