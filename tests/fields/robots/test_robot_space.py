"""The group side of robots: the lattice and its names, both actions, projectors and soft states, the source's map, boxes, links."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from erlangen.design import SoftSymmetrizer
from erlangen.errors import ArgumentError
from erlangen.fields.robots.space import LOWER, SHORTEST, UPPER, RadialSpace, links
from erlangen.groups import generated, subgroup_lattice
from erlangen.testing import check_rep

D = torch.float64
#: Number of legs to subgroups and lines of the lattice.
COUNTS = {
    3: (6, 8),
    4: (10, 15),
    5: (8, 12),
    6: (16, 33),
    7: (10, 16),
    8: (19, 32),
    9: (16, 27),
    10: (22, 49),
    11: (14, 24),
    12: (34, 80),
}
#: Free numbers of one scalar and one horizontal vector of all legs.
DIMS = {
    4: {
        "H_4": (4, 8), "H_2": (2, 4), "H_1": (1, 2), "K_0": (3, 4), "K_2": (3, 4), "K_1": (2, 4), "K_3": (2, 4), "H_2_0": (2, 2),
        "H_2_1": (1, 2), "H_1_0": (1, 1),
    },
    6: {
        "H_6": (6, 12), "H_3": (3, 6), "H_2": (2, 4), "H_1": (1, 2), "K_0": (4, 6), "K_2": (4, 6), "K_4": (4, 6), "K_1": (3, 6),
        "K_3": (3, 6), "K_5": (3, 6), "H_3_0": (2, 3), "H_3_1": (2, 3), "H_3_2": (2, 3), "H_2_0": (2, 2), "H_2_1": (1, 2), "H_1_0": (1, 1),
    },
}  # fmt: skip


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def elements(space: RadialSpace):
    """``(k, s)`` and the element, as the spec writes them: rotations, then reflections."""
    return [((k, s), space.group.element(k, s)) for s in (0, 1) for k in range(space.n_legs)]


@pytest.mark.parametrize("n", COUNTS)
def test_the_lattice_has_the_known_subgroups_and_lines(n: int) -> None:
    space = RadialSpace(n)
    lattice, group = space.lattice, space.group
    assert (len(lattice.subgroups), len(lattice.covers())) == COUNTS[n]
    # Every one is what two elements generate, and there are no others.
    every = group.elements()
    pairs = {generated(group, every[[i, j]]).positions for i, j in itertools.combinations_with_replacement(range(2 * n), 2)}
    assert pairs == {s.positions for s in lattice.subgroups}
    # The names say which elements: turns by multiples of d, reflections i -> l - i modulo d.
    named = {f"H_{d}": {(d * i, 0) for i in range(n // d)} for d in range(1, n + 1) if n % d == 0}
    named |= {
        f"H_{d}_{m}": named[f"H_{d}"] | {(m + d * i, 1) for i in range(n // d)}
        for d in range(1, n + 1)
        if n % d == 0
        for m in range(d)
    }
    assert set(named) == set(lattice.names)
    for name, members in named.items():
        assert {k + n * s for k, s in members} == space.subgroup(name).positions
    for i in range(n):
        assert space.subgroup(f"K_{i}") == space.subgroup(f"H_{n}_{i}")


@pytest.mark.parametrize(("n", "index"), [(n, index) for n in range(3, 9) for index in (0, 1, 2)])
def test_both_actions_follow_the_multiplication_table(n: int, index: int) -> None:
    space = RadialSpace(n, 1, index)
    group = space.group
    for (a, s), g in elements(space):
        legs = space.leg_permutation(g).tolist()
        assert legs == [(a - i if s else a + i) % n for i in range(n)]
        for (b, t), h in elements(space):
            # rho rho = rho_{a+b}, rho pi = pi_{a+b}, pi rho = pi_{a-b}, pi pi = rho_{a-b}
            product = group.element((a - b if s else a + b) % n, (s + t) % 2)
            assert torch.equal(group.multiply(g, h), product)
            assert torch.allclose(space.plane.matrix(g) @ space.plane.matrix(h), space.plane.matrix(product), rtol=0, atol=1e-14)
            assert [legs[i] for i in space.leg_permutation(h).tolist()] == space.leg_permutation(product).tolist()
        # The plane turns and mirrors as the legs' angles say.
        direction = torch.stack([space.angles.cos(), space.angles.sin()])
        assert torch.allclose(space.plane.matrix(g) @ direction, direction[:, legs], rtol=0, atol=1e-14)
    everywhere = group.elements()
    assert len({tuple(row) for row in space.leg_permutation(everywhere).tolist()}) == 2 * n
    assert len({tuple(row) for row in space.plane.matrix(everywhere).flatten(1).round(decimals=9).tolist()}) == 2 * n


@pytest.mark.parametrize("n", range(1, 9))
def test_the_plane_is_a_representation_for_any_number_of_legs(n: int) -> None:
    space = RadialSpace(np.int64(n), 1, np.int64(1))
    assert check_rep(space.group.plane)
    assert check_rep(space.plane)
    assert check_rep(space.legs)
    assert space.plane.dim == 2
    assert space.plane.is_orthogonal


def test_reflections_are_those_of_the_formula_and_the_axis_may_lie_between_legs() -> None:
    for n in (3, 4, 5):
        space = RadialSpace(n)
        for k in range(n):
            c, s = math.cos(2 * math.pi * k / n), math.sin(2 * math.pi * k / n)
            assert torch.allclose(
                space.plane.matrix(space.group.element(k, 0)), torch.tensor([[c, -s], [s, c]], dtype=D), atol=1e-14
            )
            assert torch.allclose(
                space.plane.matrix(space.group.element(k, 1)), torch.tensor([[c, s], [s, -c]], dtype=D), atol=1e-14
            )
    between = RadialSpace(4, x_axis_index=1)
    assert between.angles[:2].tolist() == pytest.approx([-math.pi / 4, math.pi / 4])
    # The mirror at the x axis exchanges legs 0 and 1.
    assert torch.allclose(
        between.plane.matrix(between.group.element(1, 1)), torch.diag(torch.tensor([1.0, -1.0], dtype=D)), atol=1e-15
    )
    assert between.leg_permutation(between.group.element(1, 1)).tolist() == [1, 0, 3, 2]


@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize("n", [4, 6])
def test_dimensions_are_the_known_ones_by_formula_and_by_rank(n: int, index: int) -> None:
    space = RadialSpace(n, 3, index)
    units = torch.eye(n * 18, dtype=D).view(-1, n, 3, 6)
    assert set(DIMS[n]) == {name.replace(f"H_{n}_", "K_") for name in space.lattice.names}
    for name, dims in DIMS[n].items():
        assert space.dim(name) == dims
        P = space.symmetrizer(name)
        matrix = P(units).view(len(units), -1)
        assert P.dim == torch.linalg.matrix_rank(matrix) == 3 * (4 * dims[0] + dims[1])


@pytest.mark.parametrize(
    "space", [RadialSpace(1), RadialSpace(2, 1), RadialSpace(3), RadialSpace(4), RadialSpace(6, 1, 1)], ids=repr
)
def test_projectors_keep_their_laws(space: RadialSpace) -> None:
    x, y = (space.random(5, 2, generator=draw(i), dtype=D) for i in (0, 1))
    x[..., 5], y[..., 5] = x[..., 5] / 400, y[..., 5] / 400  # numbers of one size, so that 1e-12 means something for all
    projectors = [space.symmetrizer(s) for s in space.lattice.subgroups]
    assert torch.equal(projectors[0](x), x)
    for subgroup, P in zip(space.lattice.subgroups, projectors):
        assert torch.allclose(P(P(x)), P(x), rtol=0, atol=1e-13)
        assert torch.allclose((P(x) * y).sum(), (x * P(y)).sum(), rtol=0, atol=1e-11)
        by_hand = torch.stack([space.action.act(space.group.take(subgroup.elements, i), x) for i in range(subgroup.order)]).mean(0)
        assert torch.allclose(P(x), by_hand, rtol=0, atol=1e-13)
        for i in range(subgroup.order):
            assert torch.allclose(space.action.act(space.group.take(subgroup.elements, i), P(x)), P(x), rtol=0, atol=1e-13)
    for (i, lower), (j, upper) in itertools.product(enumerate(space.lattice.subgroups), repeat=2):
        if lower.positions <= upper.positions:
            assert torch.allclose(projectors[j](projectors[i](x)), projectors[j](x), rtol=0, atol=1e-13)
            assert torch.allclose(projectors[i](projectors[j](x)), projectors[j](x), rtol=0, atol=1e-13)


def test_moved_legs_carry_their_numbers() -> None:
    space = RadialSpace(4, 1)
    design = torch.zeros(4, 1, 6, dtype=D)
    design[1, 0] = torch.tensor([0.3, 0.1, -0.2, 0.05, 0.1, 100.0])
    moved = space.action.act(space.group.element(2, 1), design)  # leg 1 to leg 2 - 1, x mirrored
    assert torch.allclose(moved[1, 0], torch.tensor([-0.3, 0.1, -0.2, 0.05, 0.1, 100.0], dtype=D), atol=1e-15)
    quarter = space.action.act(space.group.element(1, 0), design)
    assert torch.allclose(quarter[2, 0], torch.tensor([-0.1, 0.3, -0.2, 0.05, 0.1, 100.0], dtype=D), atol=1e-15)


def test_soft_states_scale_what_the_larger_subgroup_takes_away() -> None:
    space, steps = RadialSpace(6, 1), 3
    x = space.random(4, generator=draw(), dtype=D)
    for lower, upper in itertools.permutations(space.lattice.subgroups, 2):
        if not lower.positions < upper.positions:
            continue
        low, high = space.symmetrizer(lower), space.symmetrizer(upper)
        for alpha in range(steps + 1):  # the source counts from the larger subgroup
            soft = SoftSymmetrizer(low, high, 1 - alpha / steps)
            ratio = lower.order / upper.order
            a = (1 - ratio) * alpha / steps + ratio
            rest = upper.order - lower.order
            weights = torch.zeros(12, dtype=D)
            weights[sorted(upper.positions)] = (1 - a) / rest
            weights[sorted(lower.positions)] = a / lower.order
            assert torch.allclose(soft.weights, weights, rtol=0, atol=1e-14)
            assert float(soft.weights.sum()) == pytest.approx(1, abs=1e-14)
            taken = low(x) - high(x)
            assert torch.allclose(soft(taken), (a - (1 - a) * lower.order / rest) * taken, rtol=0, atol=1e-11)
        assert torch.equal(SoftSymmetrizer(low, high, 1.0)(x), high(x))


def test_the_source_s_map_copies_scalars_shortens_vectors_and_leaves_gears() -> None:
    space = RadialSpace(4)
    x = space.random(3, generator=draw(), dtype=D)
    found = space.symmetrizer("H_2_0", mode="paper")(x)
    assert torch.equal(found[:, [0, 2]][..., 2:5], x[:, [0, 0]][..., 2:5])
    assert torch.equal(found[:, [1, 3]][..., 2:5], x[:, [1, 1]][..., 2:5])
    assert torch.equal(found[..., 5], x[..., 5])
    projected = space.symmetrizer("H_2_0")(x)
    assert torch.allclose(found[..., :2], projected[..., :2] * math.sqrt(2) / 2, rtol=0, atol=1e-15)
    # Worked out: of legs 0 and 2 only half the difference of their x is left, of legs 1 and 3 of their y.
    assert torch.allclose(found[:, 0, :, 0], (x[:, 0, :, 0] - x[:, 2, :, 0]) / 2 * math.sqrt(0.5), rtol=0, atol=1e-15)
    assert torch.allclose(found[:, 1, :, 1], (x[:, 1, :, 1] - x[:, 3, :, 1]) / 2 * math.sqrt(0.5), rtol=0, atol=1e-15)
    assert float(found[:, 0, :, 1].abs().max()) < 1e-15
    again = space.symmetrizer("H_2_0", mode="paper")(found)
    assert torch.allclose(again[..., :2], found[..., :2] * math.sqrt(0.5), rtol=0, atol=1e-15)  # no projector
    trivial = space.symmetrizer("H_4", mode="paper")(x)
    assert torch.equal(trivial[..., 2:], x[..., 2:])
    assert torch.allclose(trivial[..., :2], x[..., :2] * math.sqrt(0.5), rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, D], ids=str)
@pytest.mark.parametrize("space", [RadialSpace(2), RadialSpace(3), RadialSpace(4, 2, 1), RadialSpace(6, 4)], ids=repr)
def test_clamping_commutes_with_the_group_and_ends_in_the_boxes(space: RadialSpace, dtype: torch.dtype) -> None:
    wild = 3 * torch.randn(200, space.n_legs, space.depth, 6, generator=draw(), dtype=dtype)
    wild[..., 3:5] *= 0.1
    wild[..., 5] = wild[..., 5] * 100
    wild[50:100, ..., :3] *= 0.02  # many short ones
    wild[100, ..., :3] = 0
    low, high = torch.tensor(LOWER, dtype=dtype), torch.tensor(UPPER, dtype=dtype)
    tiny = 1e-6 if dtype == torch.float32 else 1e-14
    found = space.clamp(wild)
    assert bool((found >= low - tiny).all() and (found <= high + tiny).all())
    length = found[..., :3].norm(dim=-1)
    assert bool((length >= found[..., 4] + SHORTEST - tiny).all())
    assert torch.allclose(space.clamp(found), found, rtol=1e-6, atol=10 * tiny)
    every = space.group.elements()
    for i in range(len(every)):
        g = every[i]
        assert torch.allclose(space.clamp(space.action.act(g, wild)), space.action.act(g, found), rtol=10 * tiny, atol=1e3 * tiny)
    for subgroup in space.lattice.subgroups:
        P = space.symmetrizer(subgroup)
        symmetric = space.clamp(P(wild))
        assert torch.allclose(P(symmetric), symmetric, rtol=10 * tiny, atol=100 * tiny)


def test_a_bone_that_averages_to_nothing_points_outward() -> None:
    space = RadialSpace(4, 1)
    design = space.random(generator=draw(), dtype=D)
    design[..., :3] = torch.tensor([0.3, 0.0, 0.0], dtype=D)  # all the same way: their mean over turns is nothing
    found = space.clamp(space.symmetrizer("H_1")(design))
    outward = torch.stack([space.angles.cos(), space.angles.sin()], -1)
    assert torch.allclose(found[:, 0, :2], (found[:, 0, 4:5] + SHORTEST) * outward, rtol=0, atol=1e-14)


def test_raw_numbers_fill_the_boxes() -> None:
    space = RadialSpace(3)
    for value, box in ((-1.0, LOWER), (1.0, UPPER), (3.0, LOWER)):
        raw = torch.full((2, 3, 2, 6), value, dtype=D)
        assert torch.allclose(space.from_raw(raw), torch.tensor(box, dtype=D).expand(2, 3, 2, 6), rtol=0, atol=1e-12)
    assert torch.equal(space.random(generator=draw(3)), space.random(generator=draw(3)))
    assert space.random(generator=draw()).dtype == torch.float32
    assert space.random(0, generator=draw()).shape == (0, 3, 2, 6)
    assert space.symmetrizer("H_1")(space.random(0)).shape == (0, 3, 2, 6)


def test_gradients_go_through_the_whole_map() -> None:
    space = RadialSpace(4)
    raw = torch.rand(2, 4, 2, 6, generator=draw(), dtype=D, requires_grad=True)
    P = space.symmetrizer("H_2_1")
    assert torch.autograd.gradcheck(lambda r: space.clamp(P(space.from_raw(r))), (raw,))
    zero = torch.zeros(4, 2, 6, dtype=D, requires_grad=True)
    space.clamp(zero).sum().backward()
    assert zero.grad is not None
    assert bool(torch.isfinite(zero.grad).all())


@pytest.mark.parametrize(("a", "b"), [(3, 6), (4, 6), (5, 6), (3, 4)])
def test_numbers_of_legs_are_linked_where_the_matrices_are_the_same(a: int, b: int) -> None:
    first, second = RadialSpace(a), RadialSpace(b)
    pairs = links(first, second)
    assert {(y, x) for x, y in pairs} == set(links(second, first))
    for x, y in pairs:
        one, two = (s.plane.matrix(s.subgroup(name).elements) for s, name in ((first, x), (second, y)))
        assert len(one) == len(two)
        assert float((one[:, None] - two[None]).abs().amax((-2, -1)).min(1).values.max()) < 1e-12
    # What both share is the dihedral group of the greatest common divisor.
    assert len(pairs) == len(subgroup_lattice(RadialSpace(math.gcd(a, b)).group).subgroups)
    assert links(first, RadialSpace(b, x_axis_index=1)) != pairs


def test_what_is_no_design_or_no_subgroup_is_refused() -> None:
    space = RadialSpace(4)
    design = space.random(generator=draw())
    for options in (
        {"n_legs": 0},
        {"n_legs": 41},
        {"n_legs": 2.5},
        {"n_legs": True},
        {"n_legs": 3, "depth": 5},
        {"n_legs": 3, "depth": 0},
        {"n_legs": 3, "x_axis_index": 0.5},
    ):
        with pytest.raises(ArgumentError, match=f"'{list(options)[-1]}'"):
            RadialSpace(**options)
    with pytest.raises(ArgumentError, match=r"'subgroup'.*H_2_0.*K_3.*'H_3'"):
        space.symmetrizer("H_3")
    with pytest.raises(ArgumentError, match="'subgroup'.*4 legs.*D_6"):
        space.symmetrizer(RadialSpace(6).subgroup("H_1"))
    with pytest.raises(ArgumentError, match="'mode'"):
        space.symmetrizer("H_1", mode="mean")
    for function in (space.clamp, space.from_raw, space.symmetrizer("H_1"), space.symmetrizer("H_1", mode="paper")):
        with pytest.raises(ArgumentError, match="4, 2, 6"):
            function(design[..., :5])
        with pytest.raises(ArgumentError, match="4, 2, 6"):
            function(RadialSpace(3).random())
    design[1, 1, 3] = torch.nan
    with pytest.raises(ArgumentError, match="'design'.*radius"):
        space.clamp(design)
