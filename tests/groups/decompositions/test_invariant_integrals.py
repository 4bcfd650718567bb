"""The invariant measure: integrals do not move, and all decompositions give the same."""

from __future__ import annotations

import math

import pytest
import torch

from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups import SL, SO, Cyclic, GLplus, Sp
from erlangen.groups.decompositions import Normal

D = torch.float64
CASES = [
    *((GLplus(2), name, scale) for name, scale in (("polar", 0.6), ("iwasawa", 1.0), ("cartan", 0.6), ("ldu", 0.8))),
    *((SL(2), name, scale) for name, scale in (("polar", 0.6), ("iwasawa", 1.0), ("cartan", 0.6), ("ldu", 0.8))),
    *((SL(3), name, scale) for name, scale in (("polar", 0.6), ("iwasawa", 0.8), ("cartan", 0.6), ("ldu", 0.4))),
    *((Sp(4), name, scale) for name, scale in (("polar", 0.6), ("iwasawa", 0.8), ("cartan", 0.6))),
    *((SO(1, 3, connected=True), name, scale) for name, scale in (("polar", 0.6), ("iwasawa", 1.0), ("cartan", 0.7))),
]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def wide(g: torch.Tensor) -> torch.Tensor:
    """Decays with the stretch, and depends on the turns a little: no invariance of its own helps."""
    decay = g.square().sum((-2, -1)) + torch.linalg.inv(g).square().sum((-2, -1)) - 2 * g.shape[-1]
    return (-decay).exp() * (1 + 0.5 * torch.tanh(g[:, 0, 0] + 0.5 * g[:, 0, 1] - 0.3 * g[:, 1, 0]))


def narrow(g: torch.Tensor) -> torch.Tensor:
    """A bump about the identity, well inside of the big cell."""
    one = torch.eye(g.shape[-1], dtype=D)
    return (-2 * (g - one).square().sum((-2, -1)) - 2 * (torch.linalg.inv(g) - one).square().sum((-2, -1))).exp()


@pytest.fixture(scope="module")
def references():
    """The integrals by the polar decomposition with many points."""
    return {}


@pytest.mark.parametrize(("group", "name", "scale"), CASES, ids=str)
def test_integrals_are_invariant_and_agree(group, name, scale, references):
    function = narrow if name == "ldu" else wide
    if (group, function) not in references:
        references[group, function] = group.integrate(function, Normal(0.6), 2**15, generator=seeded(9))
    value, error = references[group, function]
    move = _small(group)
    functions = [function, lambda g: function(move @ g), lambda g: function(g @ move), lambda g: function(torch.linalg.inv(g))]
    found, errors = group.integrate(
        lambda g: torch.stack([f(g) for f in functions], -1), Normal(scale), 2**14, name=name, generator=seeded(2)
    )
    assert bool((errors < 0.1 * value).all())
    for other, its_error in zip(found, errors):
        # Of 72 comparisons, with errors from 16 parts, one is expected beyond three of them.
        assert abs(float(other - value)) < 4 * math.hypot(float(error), float(its_error))


def _small(group) -> torch.Tensor:
    c = 0.15 * torch.randn(group.dim, generator=seeded(1), dtype=D)
    return torch.linalg.matrix_exp(torch.einsum("d,dij->ij", c, group.algebra.basis).expand(2, -1, -1))[0]


@pytest.mark.parametrize("kind", ["random", "sobol"])
def test_intervals_cover_the_truth(kind):
    """200 intervals of 95 % of the volume of a ball of stretches of SL(2), pi (cosh(sqrt 2 rho) - 1)."""
    rng = seeded(3)
    exact = math.pi * (math.cosh(math.sqrt(2) * 1.1) - 1)
    hits = 0
    for _ in range(200):
        value, error = SL(2).integrate(lambda g: 1 + g[:, 0, 1] ** 3, 1.1, 512, kind=kind, generator=rng)
        hits += abs(float(value) - exact) < 1.96 * float(error)
    assert 180 <= hits <= 196


def test_integrals_of_finite_groups_are_means_of_all_elements():
    value, error = Cyclic(4).integrate(lambda g: g[:, 0] == 0)
    assert (float(value), float(error)) == (0.25, 0.0)
    for wrong in (lambda g: g.float().sum(), lambda g: torch.ones(3), lambda g: 1.0):  # not one for each element
        with pytest.raises(ArgumentError, match="'function'"):
            Cyclic(4).integrate(wrong)


def test_integrals_of_compact_groups_are_means():
    value, error = SO(4).integrate(lambda g: torch.stack([g[:, 0, 0] ** 2, g[:, 0, 0] * g[:, 1, 1]], -1), generator=seeded())
    assert bool(((value - torch.tensor([0.25, 0.0], dtype=D)).abs() < 4 * error).all())
    assert float(SO(3).integrate(lambda g: torch.ones(len(g), dtype=D))[0]) == 1
    for kind in ("sobol", "random"):  # values that are no real numbers
        share, error = SO(2).integrate(lambda g: g[:, 0, 0] > 0, kind=kind, generator=seeded())
        assert abs(float(share) - 0.5) <= 4 * float(error) < 0.1
        wave, error = SO(2).integrate(lambda g: torch.complex(g[:, 0, 0], g[:, 1, 0]) ** 2, kind=kind, generator=seeded())
        assert float(wave.abs()) <= 4 * float(error) + 1e-12 < 0.1


def test_windows_beyond_numbers_are_refused():
    for group, window in ((SL(2), 2000.0), (GLplus(3), 200.0)):
        with pytest.raises(ArgumentError, match="'window'"):
            group.integrate(lambda g: torch.exp(-g.square().sum((-2, -1))), window, generator=seeded())


@pytest.mark.parametrize("name", ["polar", "iwasawa", "cartan", "ldu"])
def test_coordinates_that_are_no_tensor_are_named(name):
    with pytest.raises(ArgumentError, match="'c'.*list"):
        SL(2).decomposition(name).element([1.0])


@pytest.mark.parametrize("group", [SO(2) * SO(2), SO(3) * Cyclic(3), SO(2) * GLplus(2)], ids=str)
def test_products_say_that_they_have_no_decomposition(group):
    with pytest.raises(UnsupportedError, match="has no integral by a decomposition; integrate over its factors"):
        group.integrate(lambda g: g[0])
    with pytest.raises(ArgumentError, match="argument 'name'"):
        group.integrate(lambda g: g[0], name="polar")
