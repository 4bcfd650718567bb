"""The soft equivariance study on a tiny scale: exact facts only."""

from __future__ import annotations

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.mechanics.inertia import CANDIDATES, FEATURES, INPUT, TARGET, broken_inertia, features
from erlangen.studies.soft_equivariance import STUDY, Config
from erlangen.testing import check_outcome


def test_satellites_meet_their_thresholds() -> None:
    outcome = STUDY.run(Config(seeds=3), quiet=True)
    assert check_outcome(STUDY, outcome)
    ours = [c for c in outcome.claims if c.key != "rival"]
    assert [c.holds for c in ours] == [True] * 5, outcome.claims.failing
    law, cubic = [c for c in outcome.claims if c.key == "rival"]
    assert law.baseline.value < law.measured.value < cubic.baseline.value
    assert set(outcome.metrics["days"]) == {"0.1", "2.0", "6.0"}


def test_linear_moment_of_inertia_meets_its_thresholds() -> None:
    outcome = STUDY.run(Config(part="linear", seeds=3), quiet=True)
    assert check_outcome(STUDY, outcome)
    ours = [c for c in outcome.claims if c.key != "rival"]
    assert [c.holds for c in ours] == [True] * 4, outcome.claims.failing
    few, *_, middle, many = [c for c in outcome.claims if c.key == "rival"]
    assert few.measured.value < few.baseline.value / 2  # the lasso comes near with more samples
    assert middle.baseline.value < 2 * middle.measured.value
    assert many.baseline.value < 1.5 * many.measured.value
    assert outcome.metrics["crossover"]["places"] == [40, 80, 200, 500]


def test_networks_run_and_the_bound_ones_are_equivariant() -> None:
    outcome = STUDY.run(Config(part="inertia", steps=24, samples=60, width=30, batch_size=30), quiet=True)
    assert check_outcome(STUDY, outcome)
    errors = outcome.metrics["equivariance error"]
    assert max(errors["O(3) imposed"]) < 1e-5
    assert errors["O(2)z imposed"][3] < 1e-5 < errors["O(2)z imposed"][1]
    assert len(outcome.claims) == 6
    (linear,) = outcome.metrics["linear"]
    assert linear < 1e-5  # 65 weights of 60 samples


def test_the_target_has_the_symmetry_that_is_claimed() -> None:
    draw = torch.Generator().manual_seed(0)
    data = broken_inertia(20, 0.3, draw)
    assert features(data.x).shape == (20, FEATURES.dim)
    g = CANDIDATES["O2z"].sample(generator=draw, dtype=torch.float64)
    moved = INPUT.rep(CANDIDATES["O2z"].vector).act(g, data.x)
    big = broken_inertia(400, 0.3, draw)
    found = torch.linalg.lstsq(features(big.x), big.y, driver="gelsd").solution  # the target is linear in the features
    assert (features(big.x) @ found - big.y).abs().max() < 1e-10
    left = features(moved) @ found
    right = TARGET.rep(CANDIDATES["O2z"].vector).act(g, features(data.x) @ found)
    assert (left - right).abs().max() < 1e-10


def test_unknown_parts_are_refused() -> None:
    with pytest.raises(ArgumentError, match="'part'"):
        STUDY.run(Config(part="waymo"), quiet=True)  # type: ignore[arg-type]
