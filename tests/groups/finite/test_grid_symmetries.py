"""Permutations of the points of a periodic grid, and the least member of an orbit of arrays."""

import itertools

import numpy as np
import pytest
import torch

import erlangen as er
from erlangen.actions.grid import GridArrays, GridShifts, translate_ranks
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups import GridSymmetries, PermutationGroup
from erlangen.groups.grid import automorphisms


@pytest.mark.parametrize("linear", ["translations", "inversion", "axis-reflections", "point-group", "automorphisms"])
@pytest.mark.parametrize("sizes", [(5,), (2, 3), (2, 2), (1, 4)])
def test_a_group_and_its_action(sizes, linear):
    G = GridSymmetries(sizes, linear)
    er.testing.check_group(G)
    er.testing.check_action(GridArrays(G))
    er.testing.check_action(GridShifts(G))
    assert len(G.elements().unique(dim=0)) == G.order
    assert PermutationGroup(list(G.generators)).order == G.order  # by Schreier and Sims


@pytest.mark.parametrize("sizes", [(6,), (2, 4), (3, 3), (2, 2, 2)])
def test_automorphisms_are_all_that_keep_addition(sizes):
    """By brute force over the images of generators."""
    points = list(itertools.product(*map(range, sizes)))
    orders = {p: next(k for k in range(1, 100) if all(k * x % s == 0 for x, s in zip(p, sizes))) for p in points}
    count = 0
    for images in itertools.product(points, repeat=len(sizes)):
        if any(sizes[j] % orders[image] for j, image in enumerate(images)):
            continue
        seen = {tuple(sum(p[j] * images[j][i] for j in range(len(sizes))) % s for i, s in enumerate(sizes)) for p in points}
        count += len(seen) == len(points)
    assert len(automorphisms(sizes)) == count


def test_ranks_order_the_translates():
    rng = np.random.default_rng(0)
    for sizes in ((7,), (12,), (3, 4), (2, 3, 4), (4, 4)):
        for labels in (1, 2, 3):
            x = rng.integers(0, labels, sizes)
            shifts = list(itertools.product(*map(range, sizes)))
            rolled = [tuple(np.roll(x, [-s for s in t], tuple(range(x.ndim))).reshape(-1)) for t in shifts]
            order = {row: i for i, row in enumerate(sorted(set(rolled)))}
            assert translate_ranks(x).reshape(-1).tolist() == [order[row] for row in rolled]


@pytest.mark.parametrize("linear", ["translations", "point-group", "automorphisms"])
def test_representatives_are_the_least_of_the_orbit(linear):
    G = GridSymmetries((3, 3), linear)
    act, plain = GridArrays(G), GridArrays(PermutationGroup(list(G.generators)), (3, 3))
    rng = torch.Generator().manual_seed(1)
    for _ in range(10):
        x = torch.randint(1, 4, (3, 3), generator=rng)
        least, g = act.representative(x)
        assert torch.equal(act.act(g, x), least)
        assert least.flatten().tolist() == min(y.flatten().tolist() for y in act.orbit(x))
        assert torch.equal(plain.representative(x)[0], least)
        assert torch.equal(act.representative(act.act(G.sample(generator=rng), x))[0], least)


def test_parts_and_membership():
    G = GridSymmetries((4, 6), "automorphisms")
    g = G.sample(50, generator=torch.Generator().manual_seed(0))
    assert torch.equal(G.element(*G.parts(g)), g)
    assert bool(G.contains(g).all())
    assert not bool(GridSymmetries((4, 6), "translations").contains(g).all())
    assert not bool(G.contains(torch.randperm(24, generator=torch.Generator().manual_seed(1))))
    turn = GridSymmetries((4, 4), [[[0, -1], [1, 0]]])
    assert turn.order == 64


def test_what_is_no_grid_is_refused():
    for sizes in ((), (0, 3), (2.5,), "ab", (True,), 4):
        with pytest.raises(ArgumentError, match="'sizes'"):
            GridSymmetries(sizes)
    with pytest.raises(ArgumentError, match="'linear'.*one of translations"):
        GridSymmetries((4, 3), "rotations")
    with pytest.raises(ArgumentError, match="automorphisms of the grid"):
        GridSymmetries((4, 3), [[[0, 1], [1, 0]]])
    with pytest.raises(UnsupportedError, match="automorphisms"):
        automorphisms((64, 64))
    with pytest.raises(ArgumentError, match="'sizes'"):
        GridArrays(er.Symmetric(5))
    with pytest.raises(ArgumentError, match="'group'"):
        GridShifts(er.Symmetric(5))
    with pytest.raises(ArgumentError, match="a grid of 5 points"):
        GridArrays(er.Symmetric(5), (2, 3))
