"""Names of subgroups: of dihedral groups those in use, of others their structure; the counts of the dihedral lattices."""

from __future__ import annotations

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.groups import Alternating, Cyclic, Dihedral, FiniteAbelian, MatrixGroup, PermutationGroup, Symmetric, subgroup_lattice
from erlangen.groups.subgroup_names import structure

#: Subgroups and cover relations of D_n, from n = 3 on.
COUNTS = [(6, 8), (10, 15), (8, 12), (16, 33), (10, 16), (19, 32), (16, 27), (22, 49), (14, 24), (34, 80)]


@pytest.mark.parametrize(("n", "counts"), list(enumerate(COUNTS, 3)))
def test_dihedral_lattices_have_the_known_sizes_and_names(n: int, counts: tuple[int, int]) -> None:
    group = Dihedral(n)
    lattice = subgroup_lattice(group)
    assert (len(lattice.subgroups), len(lattice.covers())) == counts
    divisors = [d for d in range(1, n + 1) if n % d == 0]
    assert set(lattice.names) == {f"H_{d}" for d in divisors} | {f"H_{d}_{l}" for d in divisors for l in range(d)}
    for d in divisors:
        turns = set(range(0, n, d))
        assert lattice.subgroups[lattice.place(f"H_{d}")].positions == turns
        for l in range(d):
            mirrors = {n + (l + i) % n for i in turns}
            assert lattice.subgroups[lattice.place(f"H_{d}_{l}")].positions == turns | mirrors


@pytest.mark.parametrize("n", [1, 2])
def test_small_dihedral_groups_have_names(n: int) -> None:
    lattice = subgroup_lattice(Dihedral(n))
    assert (lattice.names[0], lattice.names[-1]) == (f"H_{n}", "H_1_0")
    assert len(set(lattice.names)) == len(lattice.names)


def test_a_dihedral_group_is_known_whoever_wrote_it() -> None:
    square = PermutationGroup([[1, 2, 3, 0], [0, 3, 2, 1]])
    lattice = subgroup_lattice(square)
    own = subgroup_lattice(Dihedral(4))
    for name in own.names:
        ours, theirs = (found.subgroups[found.place(name)].elements for found in (own, lattice))
        assert sorted(ours.tolist()) == sorted(theirs.tolist())


@pytest.mark.parametrize(
    "group", [Symmetric(4), Alternating(5), FiniteAbelian(4, 2, 2), Cyclic(12), Cyclic(1), Dihedral(6) * Cyclic(2)], ids=str
)
def test_every_subgroup_has_a_name_of_its_own(group) -> None:
    lattice = subgroup_lattice(group)
    assert len(set(lattice.names)) == len(lattice.subgroups)
    assert [lattice.place(name) for name in lattice.names] == list(range(len(lattice.subgroups)))
    if group.order > 1:
        assert lattice.names[-1] == group.name


@pytest.mark.parametrize(
    ("factors", "name"),
    [
        ((2, 2), "C_2xC_2"),
        ((2, 3), "C_6"),
        ((4, 2, 2), "C_2xC_2xC_4"),
        ((6, 4), "C_2xC_12"),
        ((3, 3, 9), "C_3xC_3xC_9"),
        ((4, 4), "C_4xC_4"),
    ],
)
def test_abelian_groups_are_named_by_invariant_factors(factors: tuple[int, ...], name: str) -> None:
    assert structure(subgroup_lattice(FiniteAbelian(*factors)).subgroups[-1]) == name


def test_quaternions_are_no_dihedral_group() -> None:
    i = torch.tensor([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]])
    j = torch.tensor([[0.0, 0, -1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, -1, 0, 0]])
    whole = subgroup_lattice(MatrixGroup([i, j])).subgroups[-1]
    assert structure(whole) == "order 8"
    assert structure(subgroup_lattice(Dihedral(4)).subgroups[-1]) == "D_4"
    assert structure(subgroup_lattice(Symmetric(3)).subgroups[-1]) == "D_3"


def test_classes_are_connected_where_members_are() -> None:
    lattice = subgroup_lattice(Symmetric(4))
    covers = lattice.covers()
    for a, b in lattice.class_covers():
        assert any((i, j) in covers for i in lattice.classes[a] for j in lattice.classes[b])
    assert {(lattice.class_of[i], lattice.class_of[j]) for i, j in covers} == set(lattice.class_covers())


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(ArgumentError, match="one of H_3, H_3_0, H_3_1, H_3_2, H_1, H_1_0; got 'H_2'"):
        subgroup_lattice(Dihedral(3)).place("H_2")
