"""`check_group`: the axioms, and that the conveniences agree with them."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from erlangen.groups.base import Element, Group
from erlangen.testing.laws import Laws
from erlangen.verdict import Verdict


def check_group(group: Group, *, seed: int = 0, trials: int = 16, scale: float = 0.5, atol: float = 1e-9) -> Verdict:
    """Check a group on random elements.

    Associativity, identity, inverses, powers, membership of products; for finite ones that the list of elements is complete, distinct
    and closed; for ones with a Lie algebra that exp and log invert each other, that one-parameter subgroups are subgroups and that the
    algebra's exponentials are members; that batches broadcast and that the seed decides the sample.

    Args:
        group: what to check.
        seed, trials: of the random elements.
        scale: spread of samples of groups that are not compact.
        atol: relative tolerance, in float64.

    Raises:
        AssertionError: naming the law and by how much it fails.

    >>> from erlangen.groups import SO
    >>> bool(check_group(SO(3)))
    True
    """
    laws = Laws(group, atol)
    rng = torch.Generator().manual_seed(seed)
    draw: dict[str, Any] = {"generator": rng, "dtype": torch.float64, "scale": scale}
    g, h, k = (group.sample(trials, **draw) for _ in range(3))
    mul, inv = group.multiply, group.inverse
    one = group.identity_like(g)
    laws.true("elements have the stated shape", group.batch_shape(g) == (trials,))
    laws.equal("(g h) k = g (h k)", mul(mul(g, h), k), mul(g, mul(h, k)))
    laws.equal("1 g = g", mul(one, g), g)
    laws.equal("g 1 = g", mul(g, one), g)
    laws.equal("g g^-1 = 1", mul(g, inv(g)), one)
    laws.equal("g^-1 g = 1", mul(inv(g), g), one)
    laws.equal("g^3 = g g g", group.power(g, 3), mul(g, mul(g, g)))
    laws.equal("g^-2 = (g^-1)^2", group.power(g, -2), mul(inv(g), inv(g)))
    laws.true("samples are members", group.contains(g).all())
    laws.true("products are members", group.contains(mul(g, h)).all())
    laws.true("inverses are members", group.contains(inv(g)).all())
    laws.true("g = g, element by element", group.equal(g, g).all())
    laws.equal(
        "broadcast products",
        group.take(mul(group.reshape(g, trials, 1), group.reshape(h, 1, trials)), (2, 1)),
        mul(group.take(g, 2), group.take(h, 1)),
    )
    again = [
        group.sample(trials, generator=torch.Generator().manual_seed(seed), dtype=torch.float64, scale=scale) for _ in range(2)
    ]
    laws.equal("the seed decides the sample", again[0], again[1])
    laws.true("equal groups hash alike", hash(group) == hash(group) and group == group)
    if group.generators is not None:
        laws.true("generators are members", group.contains(group.generators).all())
    if group.is_finite and group.order <= 5000:
        _check_elements(group, laws)
    if group.dim:
        _check_algebra(group, laws, trials, rng)
    else:
        laws.true("a discrete group has no algebra", group.algebra is None or group.algebra.dim == 0)
    return laws.verdict()


def _check_elements(group: Group, laws: Laws) -> None:
    every, order = group.elements(), int(group.order)
    laws.true("as many elements as the order", group.batch_shape(every) == (order,))
    laws.equal("the identity comes first", group.take(every, 0), group.identity_like(group.take(every, 0)))
    some = list(range(0, order, math.ceil(order / 12)))
    for i in some:
        one = group.take(every, slice(i, i + 1))
        same = group.equal(one, every)
        laws.true("elements are distinct", int(same.sum()) == 1)
        row = group.multiply(one, every)
        laws.true("the list is closed", group.contains(row).all())


def _check_algebra(group: Group, laws: Laws, trials: int, rng: torch.Generator) -> None:
    tangents = group.tangents(torch.float64)
    laws.true("as many tangents as the dimension", group.batch_shape(tangents) == (group.dim,))
    small = 0.3 * torch.randn(trials, group.dim, generator=rng, dtype=torch.float64) / math.sqrt(group.dim)
    a = combine(group, small, tangents)
    g = group.exp(a)
    laws.true("exp lands in the group", group.contains(g).all())
    laws.equal("log exp a = a", group.log(g), a)
    laws.equal("exp 2a = (exp a)^2", group.exp(combine(group, 2 * small, tangents)), group.multiply(g, g))
    laws.equal("exp 0 = 1", group.exp(combine(group, 0 * small, tangents)), group.identity_like(g))


def combine(group: Group, coefficients: Tensor, tangents: Element) -> Element:
    """Algebra elements ``sum_k c_k t_k``; a discrete factor of a product stays at its identity."""
    count = len(coefficients)

    def mix(leaf: Tensor, shape: tuple[int, ...]) -> Tensor:
        if not leaf.is_floating_point():
            return leaf[:1].expand(count, *shape)
        return torch.einsum("bk,k...->b...", coefficients, leaf)

    return group.map(mix, tangents)
