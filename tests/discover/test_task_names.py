"""What a span with errors is called: hidden bases and centres, noise up to one part in a hundred, and tasks kept by shears and scalings."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from erlangen.discover.task import TaskSymmetries, task_symmetries
from erlangen.discover.task.closure import bracket_defect
from erlangen.discover.task.settled import exact_algebra
from erlangen.groups.affine_algebra import affine_algebra
from erlangen.groups.linear import sl_basis
from erlangen.groups.linear_names import linear_name
from erlangen.groups.orthogonal import so_basis
from erlangen.groups.symplectic import sp_basis

F64 = torch.float64


def _move(n: int, *entries: tuple[int, int, float]) -> Tensor:
    """One generator of R^n by its entries; column n is the shift."""
    out = torch.zeros(n, n + 1, dtype=F64)
    for i, j, value in entries:
        out[i, j] = value
    return out


def _linear(*bases: Tensor) -> Tensor:
    whole = torch.cat(bases).to(F64)
    return torch.cat([whole, torch.zeros_like(whole[..., :1])], 2)


def _shifts(n: int) -> Tensor:
    return torch.stack([_move(n, (i, n, 1.0)) for i in range(n)])


def _beside(a: Tensor, b: Tensor) -> Tensor:
    n, m = a.shape[1], b.shape[1]
    first, second = torch.zeros(len(a), n + m, n + m, dtype=F64), torch.zeros(len(b), n + m, n + m, dtype=F64)
    first[:, :n, :n], second[:, n:, n:] = a, b
    return torch.cat([first, second])


SPANS = {
    "so(2) + 1 translation": torch.stack([_move(3, (0, 1, -1.0), (1, 0, 1.0)), _move(3, (2, 3, 1.0))]),
    "heisenberg(3)": torch.stack([_move(3, (0, 1, 1.0)), _move(3, (1, 2, 1.0)), _move(3, (0, 2, 1.0))]),
    "se(2)": torch.cat([_linear(so_basis(2)), _shifts(2)]),
    "se(3)": torch.cat([_linear(so_basis(3)), _shifts(3)]),
    "iso(1,1)": torch.cat([_linear(so_basis(1, 1)), _shifts(2)]),
    "so(1,2)": _linear(so_basis(1, 2)),
    "so(1,3)": _linear(so_basis(1, 3)),
    "so(2) + so(3)": _linear(_beside(so_basis(2), so_basis(3))),
    "saff(2)": torch.cat([_linear(sl_basis(2)), _shifts(2)]),
    "sp(4)": _linear(sp_basis(2)),
    "sim(2)": torch.cat([_linear(so_basis(2), torch.eye(2)[None]), _shifts(2)]),
    "so(1,1) ⋉ R^2": torch.stack(
        [_move(3, (0, 0, 1.0), (1, 1, -1.0)), _move(3, (0, 3, 1.0), (2, 1, -1.0)), _move(3, (1, 3, 1.0), (2, 0, -1.0))]
    ),
    "2 shears + 1 translation": torch.stack(
        [_move(3, (0, 3, 1.0), (2, 1, 1.0)), _move(3, (1, 3, 1.0), (2, 0, 1.0)), _move(3, (2, 3, 1.0))]
    ),
    "a shear": _move(2, (0, 1, 1.0))[None],
    "2 shears": torch.stack([_move(3, (2, 0, 1.0)), _move(3, (2, 1, 1.0))]),
    "scaling (2,0,-1)": _linear(torch.diag(torch.tensor([2.0, 0.0, -1.0]))[None]),
    "torus of 2 scalings": _linear(torch.diag_embed(torch.tensor([[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]]))),
}


def _angle(a: Tensor, b: Tensor) -> float:
    first, second = (torch.linalg.qr(span.flatten(1).mT).Q for span in (a, b))
    return math.degrees(float(torch.arccos(torch.linalg.svdvals(first.mT @ second).min().clamp(max=1))))


@pytest.mark.parametrize("noise", [0.0, 1e-3, 1e-2])
@pytest.mark.parametrize("name", SPANS)
def test_a_span_with_errors_in_a_hidden_basis_has_its_name(name, noise):
    span = SPANS[name]
    n = span.shape[1]
    for seed in range(3):
        rng = torch.Generator().manual_seed(seed)
        u, v = (torch.linalg.qr(torch.randn(n, n, generator=rng, dtype=F64)).Q for _ in range(2))
        basis = u @ torch.diag(torch.exp(0.8 * torch.rand(n, generator=rng, dtype=F64) - 0.4)) @ v
        centre = 0.3 * torch.randn(n, 1, generator=rng, dtype=F64)
        A = basis @ span[..., :n] @ torch.linalg.inv(basis)
        truth = torch.cat([A, basis @ span[..., n:] - A @ centre], 2)
        rows = torch.linalg.qr(truth.flatten(1).mT).Q.mT
        rows = torch.linalg.qr((rows + noise * torch.randn(rows.shape, generator=rng, dtype=F64)).mT).Q.mT
        seen = rows.view(truth.shape)
        # Errors turn a span by about so much; what is no farther is allowed.
        allowed = 1e-4 + 2.5 * math.degrees(noise * rows.shape[1] ** 0.5)
        found, _ = exact_algebra(seen, lambda candidate, seen=seen, allowed=allowed: _angle(candidate, seen) <= allowed)
        assert found is not None
        closed = torch.linalg.qr(found.flatten(1).mT).Q.mT.view(found.shape)
        assert float(bracket_defect(closed).abs().sum()) < 1e-7
        assert len(found) == len(truth)
        assert _angle(found, truth) <= 2 * allowed
        called = affine_algebra(found, torch.ones(n, dtype=F64), torch.zeros(n, dtype=F64)).name
        # Where errors hide which one it is, that is said, and no other name.
        assert called == name or (noise > 1e-3 and ("a one-parameter group" in called or "an algebra of dimension" in called)), (
            called
        )


def test_a_product_and_a_sum_are_kept_by_boosts_and_shears():
    # (x0, x1) -> (x0 + s, x1), x2 -> x2 - s x1 and its like commute: the algebra is that of motions of a plane with a boost, no so(1,2).
    for columns in (3, 4):
        x = torch.randn(600, columns, generator=torch.Generator().manual_seed(columns), dtype=F64)
        found = task_symmetries(x, x[:, 0] * x[:, 1] + x[:, 2])
        assert found.algebra.name == "so(1,1) ⋉ R^2"
        assert (found.algebra.dim, found.algebra.shears, found.algebra.centre) == (3, 2, None)
        again = TaskSymmetries.from_dict(found.as_dict())
        assert (again.algebra.name, str(again)) == (found.algebra.name, str(found))
        g = found.group.sample(6, dtype=F64)
        moved = found.group.point.act(g, x[:6])
        assert torch.allclose(moved[:, 0] * moved[:, 1] + moved[:, 2], x[:6, 0] * x[:6, 1] + x[:6, 2], atol=1e-4, rtol=1e-4)


def test_products_of_powers_are_kept_by_scalings():
    x = torch.randn(500, 3, generator=torch.Generator().manual_seed(1), dtype=F64)
    one = task_symmetries(x[:, :2], x[:, 0] * x[:, 1] ** 2)
    assert one.algebra.name == "scaling (2,-1)"
    assert "with weights (2, -1)" in str(one)
    assert torch.equal(one.algebra.linear[0], torch.diag(one.algebra.linear[0].diagonal()))
    two = task_symmetries(x, x[:, 0] * x[:, 1] * x[:, 2])
    assert two.algebra.name == "torus of 2 scalings"
    assert float(two.generators.diagonal(dim1=1, dim2=2).sum(1).abs().max()) < 1e-9


def test_scalings_that_a_target_follows():
    z = 0.5 + torch.randn(500, 2, generator=torch.Generator().manual_seed(2), dtype=F64).abs()
    found = task_symmetries(z, z[:, 0] ** 2 * z[:, 1], law=True)
    assert found.algebra.name == "scalings(2)"
    # Each axis by its own power: x0 -> e^t x0 takes the target to e^(2t), x1 -> e^t x1 to e^t of it.
    rates = found.generators[..., :2].diagonal(dim1=1, dim2=2) @ torch.tensor([2.0, 1.0], dtype=F64)
    assert torch.allclose(found.law[:, 0, 0], rates, atol=0.01)


def test_names_of_matrices():
    shear = torch.zeros(1, 2, 2, dtype=F64)
    shear[0, 0, 1] = 1.0
    eye = torch.eye(2, dtype=F64)[None]
    assert linear_name(torch.cat([shear, eye])).name == "dilation + a shear"
    upper = torch.cat([shear, torch.diag_embed(torch.eye(2, dtype=F64))])
    assert linear_name(upper).name == "scalings(2) ⋉ R^1"
    block = torch.zeros(5, 3, 3, dtype=F64)
    block[:3, :2, :2] = sl_basis(2)
    block[3, 0, 2] = block[4, 1, 2] = 1.0
    assert linear_name(block).name == "sl(2) ⋉ R^2"
    assert linear_name(torch.diag(torch.tensor([1.0, -(2.0**0.5)], dtype=F64))[None]).name == "a scaling"
    assert linear_name(eye).name == "dilation"


def test_scalings_of_two_directions_hidden_in_many_columns():
    """Rounding makes pairs of the many zero eigenvalues complex."""
    rng = torch.Generator().manual_seed(0)
    rows = torch.linalg.qr(torch.randn(60, 4, generator=rng, dtype=torch.float64)).Q.mT
    mixed = torch.randn(4, 4, generator=rng, dtype=torch.float64)
    inside = mixed @ torch.diag(torch.tensor([2.0, 1.0, 0.0, 0.0], dtype=torch.float64)) @ torch.linalg.inv(mixed)
    assert affine_algebra((rows.mT @ inside @ rows)[None]).name.startswith("scaling (2,1,0,")
