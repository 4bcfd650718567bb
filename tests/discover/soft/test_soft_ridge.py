"""Ridge regression with soft equivariance: closed form, limits, tuning."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import erlangen as er
from erlangen.discover.soft import Layout, SoftEquivariantRidge, TensorType, project
from erlangen.errors import ArgumentError, UnsupportedError

F64 = torch.float64
V = er.SO(3).vector
INP = V + V**2
ABOUT = [er.SO(2, axis=axis) for axis in "xyz"]


def features(x: torch.Tensor) -> torch.Tensor:
    return torch.cat([x, (x[:, :, None] * x[:, None]).flatten(1)], 1)


def data(kind: str, count: int, noise: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 3, generator=draw, dtype=F64)
    y = 2 * x
    if kind == "axis":
        y = y + x[:, [2]] * torch.tensor([0.0, 0.0, 1.5]) + torch.stack([-x[:, 1], x[:, 0], 0 * x[:, 0]], 1) * x[:, [2]]
    return features(x), y + noise * torch.randn(count, 3, generator=draw, dtype=F64)


def test_the_solution_is_where_the_gradient_of_the_objective_vanishes() -> None:
    x, y = data("axis", 50, 0.3)
    ridge = SoftEquivariantRidge(ABOUT, INP, V, strengths=[0.3, 0.1, 2.0], tune="off", weight_decay=1e-3, intercept=False).fit(x, y)
    w = ridge.coef_.clone().requires_grad_()
    inp, out = Layout.of(INP, 3), Layout.of(V, 3)
    loss = 0.5 * (y - x @ w.mT).square().sum(1).mean() + 5e-4 * w.square().sum()
    for group, strength in zip(ABOUT, (0.3, 0.1, 2.0)):
        loss = loss + strength * 0.5 * (w - project(w, group.vector, out, inp)).square().sum()
    loss.backward()
    assert w.grad is not None
    assert w.grad.abs().max() < 1e-12


def test_copies_of_outputs_and_several_types_are_solved_alike() -> None:
    x, y = data("axis", 50, 0.3)
    both = torch.cat([y, x[:, 3:4], -y], 1)
    ridge = SoftEquivariantRidge(ABOUT, INP, V + V.group.scalar + V, tune="off", strengths=0.2).fit(x, both)
    one = SoftEquivariantRidge(ABOUT, INP, V, tune="off", strengths=0.2).fit(x, y)
    assert torch.allclose(ridge.coef_[:3], one.coef_)
    assert torch.allclose(ridge.coef_[4:], -one.coef_)


def test_a_large_strength_tends_to_the_constraint() -> None:
    x, y = data("axis", 60, 0.5)
    hard = SoftEquivariantRidge([er.SO(3)], INP, V, strengths=math.inf).fit(x, y)
    large = SoftEquivariantRidge([er.SO(3)], INP, V, strengths=1e6, tune="off").fit(x, y)
    assert (large.coef_ - hard.coef_).norm() < 1e-4 * hard.coef_.norm()
    inp, out = Layout.of(INP, 3), Layout(3, [(TensorType(1), 1)])
    assert (project(hard.coef_, V, out, inp) - hard.coef_).norm() < 1e-10
    # The constrained optimum, by ordinary least squares over the subspace's basis: here 2 x and nothing else is equivariant.
    scale = float((x[:, :3] * y).sum() / x[:, :3].square().sum())
    assert hard.coef_[0, 0] == pytest.approx(scale, rel=1e-4)


def test_strength_zero_is_plain_ridge() -> None:
    x, y = data("axis", 60, 0.5)
    plain = SoftEquivariantRidge(ABOUT, INP, V, strengths=0, weight_decay=1e-2, intercept=False).fit(x, y)
    gram = x.mT @ x / 60 + 1e-2 * torch.eye(12, dtype=F64)
    assert torch.allclose(plain.coef_, torch.linalg.solve(gram, x.mT @ y / 60).mT)


def test_soft_groups_inside_a_hard_one() -> None:
    x, y = data("axis", 60, 0.5)
    groups = {"z": ABOUT[2], "SO3": er.SO(3)}
    ridge = SoftEquivariantRidge(groups, INP, V, strengths={"z": math.inf, "SO3": 1e7}, tune="off", intercept=False).fit(x, y)
    hard = SoftEquivariantRidge([er.SO(3)], INP, V, strengths=math.inf, intercept=False).fit(x, y)
    assert torch.allclose(ridge.coef_, hard.coef_, atol=1e-4)


def test_the_right_axis_is_found_and_pays() -> None:
    x, y = data("axis", 30, 0.5)
    test_x, test_y = data("axis", 500, 0.0, seed=1)
    soft = SoftEquivariantRidge(ABOUT, INP, V, weight_decay=1e-3).fit(x, y)
    plain = SoftEquivariantRidge(ABOUT, INP, V, strengths=0, weight_decay=1e-3).fit(x, y)
    strengths = soft.strengths_
    assert strengths["SO(2) about z"] == pytest.approx(0.1)
    assert max(strengths["SO(2) about x"], strengths["SO(2) about y"]) < 0.01
    assert 1 - soft.score(test_x, test_y) < 0.85 * (1 - plain.score(test_x, test_y))
    degrees = soft.degrees()
    assert degrees.best == "SO(2) about z"
    assert degrees["SO(2) about z"] > degrees["SO(2) about x"] + 0.2


def test_exactly_symmetric_data_keep_every_group() -> None:
    x, y = data("all", 200, 0.01)
    ridge = SoftEquivariantRidge([er.SO(3)], INP, V).fit(x, y)
    assert ridge.cosine_residuals()["SO(3)"] < 1e-2
    assert ridge.strengths_["SO(3)"] == pytest.approx(0.1)
    assert ridge.degrees()["SO(3)"] > 0.99


def test_arrays_in_arrays_out() -> None:
    x, y = data("axis", 40, 0.1)
    ridge = SoftEquivariantRidge(ABOUT, INP, V).fit(x.numpy(), y.numpy())
    found = ridge.predict(x.numpy())
    assert isinstance(found, np.ndarray)
    assert np.allclose(found, ridge.predict(x).numpy())
    scalars = SoftEquivariantRidge(ABOUT, INP).fit(x, y[:, 0])
    assert scalars.predict(x).shape == (40, 1)


def test_bad_input_is_named() -> None:
    x, y = data("axis", 40, 0.1)
    with pytest.raises(ArgumentError, match="'y'"):
        SoftEquivariantRidge(ABOUT, INP, V).fit(x, y[:10])
    with pytest.raises(ArgumentError, match="'x'"):
        SoftEquivariantRidge(ABOUT, INP, V).fit(x * torch.nan, y)
    with pytest.raises(ArgumentError, match="'inp'"):
        SoftEquivariantRidge(ABOUT, V, V).fit(x, y)
    with pytest.raises(ArgumentError, match="'strengths'"):
        SoftEquivariantRidge(ABOUT, INP, V, strengths=-1)
    with pytest.raises(ArgumentError, match="'strengths'"):
        SoftEquivariantRidge(ABOUT, INP, V, strengths=math.inf).fit(x, y)
    with pytest.raises(ArgumentError, match="'tune'"):
        SoftEquivariantRidge(ABOUT, tune="repeat")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="'weight_decay'"):
        SoftEquivariantRidge(ABOUT, weight_decay=-1)
    with pytest.raises(UnsupportedError, match="fewer features"):
        SoftEquivariantRidge(ABOUT).fit(torch.randn(5, 2400), torch.randn(5, 3))
