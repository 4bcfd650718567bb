"""Trees of limbs: their numbers, and edits by orbits that keep them symmetric."""

from __future__ import annotations

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.robots.skeleton import ADD, REMOVE, Skeleton
from erlangen.fields.robots.space import RadialSpace


def digits(number: int, base: int) -> list[int]:
    found = []
    while number:
        number, digit = divmod(number, base)
        found.append(digit)
    return found


@pytest.mark.parametrize(("n", "largest"), [(1, 0), (3, 0), (4, 6), (6, 0), (8, 12)])
def test_numbers_tell_leg_and_depth(n: int, largest: int) -> None:
    skeleton = Skeleton(tuple(1 + i % 4 for i in range(n)), largest)
    assert skeleton.base == max(5, max(n, largest) + 1)
    assert skeleton.bodies[0] == 0
    assert len(set(skeleton.bodies)) == 1 + sum(skeleton.depths)
    for body, (leg, limb) in zip(skeleton.bodies[1:], skeleton.limbs):
        written = digits(body, skeleton.base)  # the last digit first
        assert (written[0], len(written)) == (leg + 1, limb + 1)
        assert skeleton.place(body) == (leg, limb)
    children = [child for _, child in skeleton.edges]
    assert sorted(children) == sorted(skeleton.bodies[1:])
    for parent, child in skeleton.edges:
        assert parent == 0 or (digits(parent, skeleton.base) == digits(child, skeleton.base)[:-1])
    parents = [parent for parent, _ in skeleton.edges if parent]
    assert len(set(parents)) == len(parents)  # at most one child
    assert skeleton.mask().sum(1).tolist() == list(skeleton.depths)


def test_two_hundred_sequences_of_edits_keep_every_symmetry() -> None:
    draw = torch.Generator().manual_seed(0)
    changes, spaces = 0, [RadialSpace(n, 1, index) for n in range(3, 9) for index in (0, 1)]
    for sequence in range(200):
        space = spaces[sequence % len(spaces)]
        names = space.lattice.names
        subgroup = names[int(torch.randint(len(names), (), generator=draw))]
        skeleton = Skeleton(tuple(torch.randint(1, 5, (space.n_legs,), generator=draw).tolist())).symmetrized(space, subgroup)
        for _ in range(5):
            before = skeleton
            skeleton = skeleton.changed(torch.randint(3, (len(skeleton.bodies),), generator=draw), space, subgroup)
            changes += skeleton != before
            assert all(1 <= d <= 4 for d in skeleton.depths)
            assert all(abs(a - b) <= 1 for a, b in zip(skeleton.depths, before.depths))
            # Invariant as a tree: moved legs are the same set of (leg, depth).
            for g in space.subgroup(subgroup).elements:
                moved = space.leg_permutation(g).tolist()
                assert {(moved[leg], limb) for leg, limb in skeleton.limbs} == set(skeleton.limbs)
    assert changes > 500


def test_actions_are_those_of_the_first_leg_of_an_orbit() -> None:
    space, skeleton = RadialSpace(6), Skeleton((2, 1, 2, 1, 2, 1))
    actions = torch.zeros(len(skeleton.bodies), dtype=torch.int64)
    last = {leg: i + 1 for i, (leg, _) in enumerate(skeleton.limbs)}
    actions[last[0]], actions[last[3]] = ADD, REMOVE  # leg 3 is not the first of its orbit
    assert skeleton.changed(actions, space, "H_2").depths == (3, 1, 3, 1, 3, 1)
    assert skeleton.changed(actions, space, "H_6").depths == (3, 1, 2, 1, 2, 1)
    actions[0] = ADD  # the torso's legs are given
    assert skeleton.changed(actions, space, "H_2").depths == (3, 1, 3, 1, 3, 1)
    inner = torch.zeros_like(actions)
    inner[1] = REMOVE  # the first limb of leg 0 carries another
    assert skeleton.changed(inner, space, "H_2") == skeleton
    everything = torch.full_like(actions, ADD)
    tall = skeleton
    for _ in range(5):
        tall = tall.changed(torch.full((len(tall.bodies),), ADD), space, "H_2")
    assert tall.depths == (4,) * 6
    assert skeleton.changed(everything, space, "K_0").depths == (3, 2, 3, 2, 3, 2)


def test_what_is_no_skeleton_is_refused() -> None:
    space = RadialSpace(4)
    for depths in ((), (0, 1), (5,), (1.0, 2.0)):
        with pytest.raises(ArgumentError, match="'depths'"):
            Skeleton(depths)
    with pytest.raises(ArgumentError, match="'largest'"):
        Skeleton((1, 1, 1), largest=2)
    skeleton = Skeleton((1, 2, 1, 2))
    with pytest.raises(ArgumentError, match="'body'"):
        skeleton.place(99)
    with pytest.raises(ArgumentError, match="'depth'"):
        skeleton.mask(1)
    with pytest.raises(ArgumentError, match="'space'"):
        skeleton.is_symmetric(RadialSpace(5), "H_1")
    nothing = torch.zeros(7, dtype=torch.int64)
    with pytest.raises(ArgumentError, match="'subgroup'.*keeps the skeleton"):
        skeleton.changed(nothing, space, "H_1")
    with pytest.raises(ArgumentError, match=r"'subgroup'.*'H_7'"):
        skeleton.changed(nothing, space, "H_7")
    for actions in (nothing[:6], nothing + 3, nothing.float(), nothing - 1, [0] * 7):
        with pytest.raises(ArgumentError, match="'actions'.*7 whole numbers"):
            skeleton.changed(actions, space, "H_2")
