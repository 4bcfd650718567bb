"""Polarisation matrices and quadrics against algebras known by hand."""

from __future__ import annotations

import pytest
import torch

from erlangen.discover import fit_quadric, polarise
from erlangen.discover.span import data_span, lift, warn_constants
from erlangen.errors import ArgumentError
from erlangen.groups import SO

MINKOWSKI = torch.diag(torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64))


def samples(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    ("function", "dim"),
    [
        (lambda v: v.square().sum(), 3),
        (lambda v: v[0] ** 2 + 2 * v[1] ** 2 + v[2], 1),
        (lambda v: v.prod(), 2),
        (lambda v: v[0] * v[1] - v[2] ** 2, 3),
    ],
)
def test_dimension_of_the_algebra_of_a_function(function, dim: int) -> None:
    found = polarise(function, samples(200, 3))
    assert found.algebra.dim == dim
    assert found.null.clear


def test_the_one_symmetry_of_a_bent_bowl() -> None:
    (found,) = polarise(lambda v: v[0] ** 2 + 2 * v[1] ** 2 + v[2], samples(200, 3)).algebra.basis
    wanted = torch.tensor([[0.0, 1.0, 0.0], [-0.5, 0.0, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    assert torch.allclose(found / found[0, 1], wanted, atol=1e-10)


def test_a_product_has_the_traceless_diagonal() -> None:
    found = polarise(lambda v: v.prod(), samples(200, 3)).algebra.basis
    off = found - torch.diag_embed(found.diagonal(dim1=1, dim2=2))
    assert float(off.abs().max()) < 1e-10
    assert float(found.diagonal(dim1=1, dim2=2).sum(-1).abs().max()) < 1e-10


def test_minkowski_product_of_two_tokens() -> None:
    found = polarise(lambda v: v[0] @ MINKOWSKI @ v[1], samples(200, 2, 4))
    assert found.algebra.dim == 6
    assert found.algebra.same_span(SO(1, 3).algebra, 1e-9)


def test_an_equivariant_function() -> None:
    # v -> |v|^2 v commutes with rotations only; a linear isotropic map with everything.
    assert polarise(lambda v: v * v.square().sum(), samples(100, 3), equivariant=True).algebra.same_span(SO(3).algebra, 1e-8)
    assert polarise(lambda v: 2 * v, samples(100, 3), equivariant=True).algebra.dim == 9


@pytest.mark.parametrize("mass", [0.0, 1.0])
def test_quadric_of_relativistic_particles(mass: float) -> None:
    p = samples(500, 3)
    e = (p.square().sum(-1, keepdim=True) + mass**2).sqrt()
    padded = torch.cat([torch.cat([e, p], -1), torch.zeros(100, 4, dtype=torch.float64)])
    found = fit_quadric(padded)
    assert found
    assert found.is_cone is (mass == 0)
    assert torch.allclose(found.form, MINKOWSKI / 2, atol=1e-10)
    assert found.algebra().same_span(SO(1, 3).algebra, 1e-8)


def test_particles_of_tiny_mass_are_on_the_cone() -> None:
    p = samples(500, 3)
    e = (p.square().sum(-1, keepdim=True) + 1e-6).sqrt()
    assert fit_quadric(torch.cat([e, p], -1)).is_cone


def test_no_quadric() -> None:
    assert not fit_quadric(samples(500, 3))
    assert fit_quadric(torch.cat([samples(200, 3).norm(dim=1, keepdim=True), samples(200, 3)], 1).numpy()).signature == (1, 3)
    with pytest.raises(ArgumentError, match="'x'"):
        fit_quadric(samples(5, 3))


def test_span_and_lift() -> None:
    half = samples(50, 2)
    span = data_span(torch.cat([half, -half], -1))
    assert span.shape == (4, 2)
    lifted = lift(SO(2).algebra, span)
    x = torch.cat([half, -half], -1)
    assert torch.allclose((x @ lifted.basis[0].mT).norm(dim=-1), x.norm(dim=-1))
    with pytest.warns(UserWarning, match="mass: constant"):
        assert warn_constants(torch.cat([half, torch.ones(50, 1)], -1), ("a", "b", "mass")) == ["mass"]
