"""Classes of subgroups: known counts, the lattice as an independent method, marks and induced characters."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from erlangen.errors import UnsupportedError
from erlangen.groups import (
    Alternating,
    Cyclic,
    Dihedral,
    FiniteAbelian,
    MatrixGroup,
    Symmetric,
    conjugacy_classes,
    generated,
    induced_character,
    linear_characters,
    permutation_characters,
    subgroup_classes,
    subgroup_lattice,
    table_of_marks,
)
from erlangen.reps import Induced
from erlangen.testing import check_rep

I = torch.tensor([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]])
J = torch.tensor([[0.0, 0, -1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, -1, 0, 0]])
QUATERNIONS = MatrixGroup([I, J])


@pytest.mark.parametrize(
    ("group", "classes", "subgroups"),
    [
        (Symmetric(1), 1, 1),
        (Symmetric(3), 4, 6),
        (Symmetric(4), 11, 30),
        (Symmetric(5), 19, 156),
        (Symmetric(6), 56, 1455),
        (Alternating(4), 5, 10),
        (Alternating(5), 9, 59),
        (Dihedral(4), 8, 10),
        (Dihedral(6), 10, 16),
        (QUATERNIONS, 6, 6),
        *((Cyclic(n), d, d) for n, d in ((7, 2), (12, 6), (60, 12))),
        (FiniteAbelian(2, 2, 2), 16, 16),
    ],
    ids=str,
)
def test_known_counts(group, classes, subgroups):
    found = subgroup_classes(group)
    assert len(found) == classes
    assert sum(c.size for c in found) == subgroups
    assert found[0].order == 1
    assert found[-1].order == group.order


@pytest.mark.slow
def test_symmetric_group_of_seven_points():
    found = subgroup_classes(Symmetric(7))
    assert len(found) == 96
    assert sum(c.size for c in found) == 11300


@pytest.mark.parametrize("group", [Symmetric(4), Dihedral(6), Alternating(5), QUATERNIONS], ids=str)
def test_the_same_classes_as_in_the_lattice(group):
    lattice = subgroup_lattice(group)
    ours = {c.representative.positions: c.size for c in subgroup_classes(group)}
    for members in lattice.classes:
        inside = [lattice.subgroups[i].positions for i in members if lattice.subgroups[i].positions in ours]
        assert len(inside) == 1
        assert ours[inside[0]] == len(members)


def test_generators_generate():
    group = Symmetric(5)
    for c in subgroup_classes(group):
        if c.generators:
            assert generated(group, group.elements()[list(c.generators)]) == c.representative


def test_table_of_marks_of_a_group_in_the_books():
    # A_4, subgroups of order 1, 2, 3, 4, 12.
    assert table_of_marks(Alternating(4)).tolist() == [
        [12, 0, 0, 0, 0],
        [6, 2, 0, 0, 0],
        [4, 0, 1, 0, 0],
        [3, 3, 0, 3, 0],
        [1, 1, 1, 1, 1],
    ]


@pytest.mark.parametrize("group", [Symmetric(4), Dihedral(5)], ids=str)
def test_marks_are_fixed_cosets(group):
    classes = subgroup_classes(group)
    marks = table_of_marks(group, classes)
    for i, h in enumerate(classes):
        cosets = Induced(h.representative).matrix(group.elements())
        for j, k in enumerate(classes):
            fixed = cosets[sorted(k.representative.positions)].diagonal(dim1=-2, dim2=-1).prod(0).sum()
            assert marks[i, j] == fixed


@pytest.mark.parametrize("group", [Symmetric(4), Dihedral(4), QUATERNIONS], ids=str)
def test_characters_are_traces(group):
    first = group.take(group.elements(), torch.stack([c[0] for c in conjugacy_classes(group)]))
    classes = subgroup_classes(group)
    for row, c in zip(permutation_characters(group, classes), classes):
        assert np.array_equal(row, Induced(c.representative).character(first).numpy())
        for chi in linear_characters(group, c.representative):
            rep = Induced(c.representative, chi.signs)
            assert np.array_equal(induced_character(group, chi), rep.character(first).numpy())


def test_linear_characters():
    for group, count in ((Symmetric(4), 2), (Alternating(4), 1), (Dihedral(4), 4), (FiniteAbelian(2, 2, 2), 8), (Cyclic(9), 1)):
        whole = subgroup_classes(group)[-1].representative
        found = linear_characters(group, whole)
        assert len(found) == count
        assert found[0].is_trivial
        every = group.elements()
        for chi in found:
            rep = Induced(whole, chi.signs)
            products = rep.matrix(group.multiply(every[:, None], every[None]))
            assert torch.equal(products, rep.matrix(every)[:, None] @ rep.matrix(every)[None])
    signs = linear_characters(Symmetric(4), subgroup_classes(Symmetric(4))[-1].representative)[1].signs
    assert torch.equal(torch.tensor(signs).double(), Symmetric(4).pseudoscalar.matrix(Symmetric(4).elements()).flatten())


def test_induced_representations_are_representations():
    group = Symmetric(4)
    c = subgroup_classes(group)[6]
    for chi in linear_characters(group, c.representative):
        check_rep(Induced(c.representative, chi.signs))


def test_groups_too_large():
    with pytest.raises(UnsupportedError, match="5040"):
        subgroup_classes(Symmetric(8))
