"""The study of isogenies on a small scale."""

import pytest

from erlangen.errors import ArgumentError
from erlangen.studies.isogeny import STUDY, Config
from erlangen.testing import check_outcome


def test_isogenies_on_a_small_scale():
    outcome = STUDY.run(Config(largest=67, traces=1, searched=1, quaternions=30, steps=6), quiet=True)
    assert check_outcome(STUDY, outcome)
    assert outcome.claims.holds
    assert outcome.metrics["census"]["equal"] == outcome.metrics["census"]["subgroups"] > 60
    assert outcome.metrics["toy"]["lengths"] == [27, 9, 27]
    assert outcome.metrics["census"]["naive"] < outcome.metrics["census"]["subgroups"]


def test_settings_out_of_range_are_refused():
    with pytest.raises(ArgumentError, match="largest"):
        STUDY.run(Config(largest=10))
