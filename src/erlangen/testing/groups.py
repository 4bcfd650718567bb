"""`check_group`: the axioms, and that the conveniences agree with them."""

from __future__ import annotations

import math

import optree
import torch
from torch import Tensor

from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups.base import Element, Group
from erlangen.groups.finite import generated_part, generating_set, index_of, inverse_positions, multiplication_table
from erlangen.groups.table import TableGroup
from erlangen.testing.laws import Laws
from erlangen.verdict import Verdict

#: Up to this order all pairs of elements are multiplied, and samples must reach every element.
SMALL = 64
#: Up to this order the list of elements is looked at.
LISTED = 5_000
#: The probability that a group with a sound sample is refused by chance (though not for the default seed, where it was tried).
FALSE_ALARM = 1e-9
#: How many samples the test of a Haar measure takes.
HAAR_SAMPLES = 4096


def check_group(group: Group, *, seed: int = 0, trials: int = 16, scale: float = 0.5, atol: float = 1e-9) -> Verdict:
    """Check a group.

    On random elements (samples, and products of generators and exponentials, so that a sample that is not random hides nothing):
    associativity, identity, inverses, powers, membership of products (where the group has a test of it: the verdict's reason lists the
    laws that were tried); that batches broadcast and that the seed decides the sample.

    For finite groups, that the list of elements is complete, distinct and closed and that the generators generate it (up to order 5000);
    up to order 64 that *all* products make a group, which is a proof: the verdict is then "exhaustive". For ones with a Lie algebra, that
    exp and log invert each other, that one-parameter subgroups are subgroups, and that samples of a compact one lie in the components that
    its generators lead to.

    That samples differ; of a finite group up to order 64, that they reach every element and take all alike; and where a group of matrices
    says "Haar", that the mean of samples does not move with them.

    Args:
        group: what to check.
        seed, trials: of the random elements.
        scale: spread of samples of groups that are not compact.
        atol: relative tolerance, in float64.

    Raises:
        AssertionError: naming the law and by how much it fails.

    >>> from erlangen.groups import SO, Symmetric
    >>> bool(check_group(SO(3))), check_group(Symmetric(4)).how
    (True, 'exhaustive')
    """
    laws = Laws(group, atol)
    rng = torch.Generator().manual_seed(seed)
    _check_types(group, laws)
    g, h, k = (random_elements(group, trials, rng, scale) for _ in range(3))
    mul, inv = group.multiply, group.inverse
    one = group.identity_like(g)
    laws.true("elements have the stated shape", group.batch_shape(g) == (trials,))
    laws.equal("(g h) k = g (h k)", mul(mul(g, h), k), mul(g, mul(h, k)))
    laws.equal("1 g = g", mul(one, g), g)
    laws.equal("g 1 = g", mul(g, one), g)
    # Relative to 1 at least: the identity of a group that adds is zero, and so is nothing but rounding in its size.
    laws.equal("g g^-1 = 1", mul(g, inv(g)), one, scale=1.0)
    laws.equal("g^-1 g = 1", mul(inv(g), g), one, scale=1.0)
    laws.equal("g^3 = g g g", group.power(g, 3), mul(g, mul(g, g)))
    laws.equal("g^-2 = (g^-1)^2", group.power(g, -2), mul(inv(g), inv(g)))
    _members(group, laws, "samples are members", g)
    _members(group, laws, "products are members", mul(g, h))
    _members(group, laws, "inverses are members", inv(g))
    laws.true("g = g, element by element", group.equal(g, g).all())
    laws.equal(
        "broadcast products",
        group.take(mul(group.reshape(g, trials, 1), group.reshape(h, 1, trials)), (2, 1)),
        mul(group.take(g, 2), group.take(h, 1)),
    )
    again = [group.sample(64, generator=torch.Generator().manual_seed(seed), dtype=torch.float64, scale=scale) for _ in range(2)]
    samples = again[0]
    laws.equal("the seed decides the sample", again[0], again[1])
    laws.true("equal groups hash alike", hash(group) == hash(group) and group == group)
    laws.true(
        "samples differ",
        group.order == 1 or not bool(group.equal(group.take(samples, slice(0, 1)), samples).all()),
        "all are alike",
    )
    if group.generators is not None:
        _members(group, laws, "generators are members", group.generators)
    exhaustive = group.order <= SMALL
    if group.order <= LISTED:
        _check_elements(group, laws, exhaustive)
    if exhaustive:
        _check_reach(group, laws, rng)
    if group.dim:
        _check_algebra(group, laws, trials, rng)
        _check_components(group, laws, group.take(samples, slice(0, trials)))
    else:
        laws.true("a discrete group has no algebra", group.algebra is None or group.algebra.dim == 0)
    if group.has_haar and not exhaustive:
        _check_haar(group, laws, rng)
    return laws.verdict("exhaustive" if exhaustive else "statistical")


def _members(group: Group, laws: Laws, law: str, g: Element) -> None:
    """Demand membership, where the group can tell."""
    try:
        inside = group.contains(g)
    except UnsupportedError:
        return
    laws.true(law, inside.all())


def _check_types(group: Group, laws: Laws) -> None:
    """What is stated once for all types is stated in the widest: generators that are rounded are not quite members."""
    for what in ("generators", "tangents"):
        stated = group.generators if what == "generators" else group.tangents(torch.float64)
        leaves: list[Tensor] = [] if stated is None else optree.tree_leaves(stated)
        kinds = {str(leaf.dtype) for leaf in leaves if leaf.is_floating_point() and leaf.dtype != torch.float64}
        laws.true(
            f"{what} are in float64 where they are floating-point numbers", not kinds, f"they are in {', '.join(sorted(kinds))}"
        )


def random_elements(group: Group, count: int, rng: torch.Generator, scale: float = 0.5) -> Element:
    """Elements ``[count, *element_shape]`` in float64: samples, every other one times a word of generators and an exponential."""
    g = group.sample(count, generator=rng, dtype=torch.float64, scale=scale)
    if group.order == 1:
        return g
    other = group.random_word(count, generator=rng)
    if group.dim:
        small = scale * torch.randn(count, group.dim, generator=rng, dtype=torch.float64) / math.sqrt(group.dim)
        moves = group.exp(combine(group, small, group.tangents(torch.float64)))
        other = moves if group.generators is None else group.multiply(moves, other)
    other = group.multiply(other, g)
    odd = torch.arange(count) % 2 == 1
    return optree.tree_map(lambda a, b: torch.where(odd.view(-1, *(1,) * (a.ndim - 1)), b, a), g, other)


def all_steps(group: Group) -> tuple[Element, Element]:
    """Elements that generate a finite group, found among its own, and all elements: in pairs, ``m order`` of them.

    A map for which ``f(s g) = f(s) f(g)`` holds for these is a homomorphism.
    """
    every, gens = group.elements(), generating_set(group)
    (count,), order = group.batch_shape(gens), int(group.order)
    pair = torch.arange(count * order)
    return group.take(gens, pair // order), group.take(every, pair % order)


def _check_elements(group: Group, laws: Laws, exhaustive: bool) -> None:
    every, order = group.elements(), int(group.order)
    laws.true("as many elements as the order", group.batch_shape(every) == (order,))
    laws.equal("the identity comes first", group.take(every, 0), group.identity_like(group.take(every, 0)))
    some = list(range(0, order, math.ceil(order / (SMALL if exhaustive else 12))))
    for i in some:
        one = group.take(every, slice(i, i + 1))
        same = group.equal(one, every)
        laws.true("elements are distinct", int(same.sum()) == 1)
        row = group.multiply(one, every)
        laws.true("the list is closed", group.contains(row).all())
    try:
        made = len(generated_part(group, group.generators))
        laws.true("generators generate the group", made == order, f"they make {made} of {order} elements")
        if exhaustive:
            table = TableGroup(multiplication_table(group)).table
            laws.equal("all products", group.multiply(*_pairs(group, every)), group.take(every, table.flatten()))
            laws.equal("all inverses", group.inverse(every), group.take(every, inverse_positions(table)))
    except ArgumentError as error:
        laws.true("products of elements make a group", False, str(error))


def _pairs(group: Group, every: Element) -> tuple[Element, Element]:
    """All pairs of elements, row by row."""
    order = int(group.order)
    pair = torch.arange(order * order)
    return group.take(every, pair // order), group.take(every, pair % order)


def _check_reach(group: Group, laws: Laws, rng: torch.Generator) -> None:
    """Uniform samples, ``m`` to an element on average, miss one with probability below ``e^-m``: none, up to the false alarm. How unevenly
    they take the elements is a chi-square test, which 20 and more to an element is enough for."""
    order = int(group.order)
    mean = max(math.log(2 * order / FALSE_ALARM), HAAR_SAMPLES / order)
    counts = index_of(group, group.sample(math.ceil(order * mean), generator=rng)).bincount(minlength=order).double()
    laws.true("samples reach every element", bool((counts > 0).all()), f"{int((counts == 0).sum())} of {order} never come")
    expected = float(counts.sum()) / order
    squares = ((counts - expected).square() / expected).sum()
    chance = 1.0 if order == 1 else float(torch.special.gammaincc(torch.tensor((order - 1) / 2).double(), squares / 2))
    laws.true(
        "samples take all elements alike",
        chance > FALSE_ALARM,
        f"one came {int(counts.max())} times, another {int(counts.min())}, of {int(counts.sum())}",
    )


def _check_haar(group: Group, laws: Laws, rng: torch.Generator) -> None:
    """The means over Haar samples ``g`` of a function of ``g`` and of ``s g`` are the same: of entries and their squares, within eight
    standard deviations."""
    if not (isinstance(group.element_shape, tuple) and len(group.element_shape) == 2) or group.measure != "Haar":
        return
    g = group.sample(HAAR_SAMPLES, generator=rng, dtype=torch.float64)
    if not isinstance(g, Tensor) or not g.is_floating_point():
        return
    steps = [] if group.generators is None else [group.generators.double()]
    if group.algebra is not None:
        steps.append(group.exp(0.7 * group.algebra.basis))
    for s in torch.cat(steps):
        moved = group.multiply(s, g)
        change = torch.stack([moved - g, moved.square() - g.square()])
        off = change.mean(1).abs() - 8 * change.std(1) / math.sqrt(len(g))
        laws.true(
            "samples called Haar do not move on average",
            bool((off <= 1e-9).all()),
            f"a mean moves by {float(change.mean(1).abs().max()):.3g}",
        )


def _check_components(group: Group, laws: Laws, samples: Element) -> None:
    """Every element of a compact group is one of a component's that generators lead to, times an exponential of the algebra."""
    if not group.is_compact or not isinstance(samples, Tensor):
        return
    left = torch.ones(group.batch_shape(samples), dtype=torch.bool)
    components = group.components()
    if group.generators is not None:
        words = group.random_word(32, generator=torch.Generator().manual_seed(0))
        components = torch.cat([components.to(words.dtype), words])
    for i in range(len(components)):
        rest = group.multiply(group.inverse(group.take(components, slice(i, i + 1))), samples)
        for k in left.nonzero().flatten().tolist():
            one = group.take(rest, slice(k, k + 1))
            try:
                left[k] = not bool(group.equal(group.exp(group.log(one)), one, 1e-6).all())
            except (ArgumentError, UnsupportedError):
                continue  # it lies in another component
    count = int(left.sum())
    laws.true(
        "generators and algebra reach the samples",
        count == 0,
        f"{count} of {len(left)} lie in a component that no generator leads to",
    )


def _check_algebra(group: Group, laws: Laws, trials: int, rng: torch.Generator) -> None:
    tangents = group.tangents(torch.float64)
    laws.true("as many tangents as the dimension", group.batch_shape(tangents) == (group.dim,))
    assert group.algebra is not None
    open_by = group.algebra.closure_residual()
    laws.true("the algebra is closed under brackets", open_by <= laws.atol, f"one leaves the span by {open_by:.3g} of its norm")
    small = 0.3 * torch.randn(trials, group.dim, generator=rng, dtype=torch.float64) / math.sqrt(group.dim)
    a = combine(group, small, tangents)
    g = group.exp(a)
    _members(group, laws, "exp lands in the group", g)
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
