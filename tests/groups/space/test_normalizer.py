"""Normalizers keep their group, and rename Wyckoff positions as other tables say."""

from __future__ import annotations

import pytest
import torch

from erlangen.groups import SpaceGroup
from erlangen.groups.closure import close_objects
from erlangen.groups.normalizer import found_letter_maps, letter_maps, normalizer
from erlangen.groups.rational_maps import compose, inverse_map, modulo


@pytest.mark.parametrize("number", [2, 16, 47, 62, 99, 146, 166, 194, 221, 225, 227, 230])
def test_conjugation_keeps_the_group(number: int) -> None:
    G = SpaceGroup(number)
    N = normalizer(G)
    every = N.elements()
    known = {tuple(g.flatten().tolist()) for g in G.elements()}
    for n in every[:: max(1, len(every) // 40)]:
        moved = modulo(compose(compose(n, G.generators), inverse_map(n)), G.denominator)
        assert all(tuple(g.flatten().tolist()) in known for g in moved)
    assert bool(N.contains(G.generators).all())


@pytest.mark.parametrize(
    ("number", "index"),
    # International Tables A, table 3.5.2.5: index of G in its Euclidean normalizer (of the most symmetric cell), polar shifts aside.
    [(16, 96), (47, 48), (48, 48), (62, 8), (194, 2), (221, 2), (225, 2), (227, 2), (229, 1), (230, 1)],
)
def test_how_much_larger_normalizers_are(number: int, index: int) -> None:
    G = SpaceGroup(number)
    assert normalizer(G).order == index * G.order


@pytest.mark.parametrize(
    ("number", "count"), [(1, 1), (2, 1344), (15, 8), (47, 48), (48, 48), (62, 2), (166, 2), (194, 2), (225, 2), (229, 1)]
)
def test_how_many_ways_positions_are_renamed(number: int, count: int) -> None:
    G = SpaceGroup(number)
    maps = letter_maps(G)
    assert len(set(maps)) == len(maps) == count
    assert maps[0] == tuple(range(len(G.wyckoff_positions)))
    for one in maps:
        for i, j in enumerate(one):
            a, b = G.wyckoff_positions[i], G.wyckoff_positions[j]
            assert (a.multiplicity, a.dof, len(a.stabilizer)) == (b.multiplicity, b.dof, len(b.stabilizer))


def test_known_renamings() -> None:
    def words(number: int) -> set[str]:
        G = SpaceGroup(number)
        return {"".join(G.wyckoff_positions[i].letter for i in one) for one in letter_maps(G)}

    assert words(62) == {"abcd", "bacd"}
    assert words(225) == {"abcdefghijkl", "bacdefgihjkl"}
    assert words(227) >= {"abcdefghi", "badcefghi"}


def test_other_settings_have_the_same_renamings() -> None:
    assert letter_maps(SpaceGroup(227, "1")) == letter_maps(SpaceGroup(227))
    G = SpaceGroup(166, "R")
    N = normalizer(G)
    assert N.order == normalizer(SpaceGroup(166)).order // 3
    assert bool(N.contains(torch.cat([G.generators[..., :-1], G.generators[..., -1:] * N.denominator // G.denominator], -1)).all())


@pytest.mark.parametrize("number", [2, 5, 12, 47, 62, 166, 194, 225, 227])
def test_the_table_of_renamings_says_what_is_found(number: int) -> None:
    G = SpaceGroup(number)
    assert set(found_letter_maps(G)) <= set(letter_maps(G))
    identity = letter_maps(G)[0]
    closed = close_objects(identity, found_letter_maps(G), lambda g, f: tuple(g[i] for i in f), lambda one: one, 2_000)
    assert closed is not None
    assert set(closed[0]) == set(letter_maps(G))
