"""Clebsch-Gordan coefficients: invariant, isometric, symmetric as stated, and the numbers of e3nn."""

import itertools

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.groups import SO
from erlangen.reps import clebsch_gordan

D = torch.float64
TRIPLES = [(a, b, c) for a, b in itertools.product(range(4), repeat=2) for c in range(abs(a - b), a + b + 1)]


def test_they_are_invariant_isometric_and_symmetric():
    g = SO(3).sample(2, dtype=D, generator=torch.Generator().manual_seed(0))
    matrices = [SO(3).irrep(l)(g) if l else torch.ones(2, 1, 1, dtype=D) for l in range(7)]
    for a, b, c in TRIPLES:
        table = clebsch_gordan(a, b, c)
        moved = torch.einsum("nai,nbj,nck,ijk->nabc", matrices[a], matrices[b], matrices[c], table)
        torch.testing.assert_close(moved, table.expand_as(moved), atol=1e-12, rtol=0)
        gram = (2 * c + 1) * torch.einsum("ijk,ijl->kl", table, table)
        torch.testing.assert_close(gram, torch.eye(2 * c + 1, dtype=D), atol=1e-12, rtol=0)
        sign = (-1) ** (a + b + c)
        torch.testing.assert_close(clebsch_gordan(b, a, c), sign * table.transpose(0, 1), atol=1e-12, rtol=0)
        torch.testing.assert_close(
            clebsch_gordan(c, b, a), sign * table.transpose(0, 2), atol=1e-12, rtol=0
        ) if a <= b + c else None


def test_they_are_those_of_e3nn():
    o3 = pytest.importorskip("e3nn.o3")
    for a, b, c in [*TRIPLES, (8, 8, 8), (5, 7, 11), (11, 11, 0)]:
        if max(a, b, c) <= 11:
            torch.testing.assert_close(clebsch_gordan(a, b, c), o3.wigner_3j(a, b, c, dtype=D), atol=1e-12, rtol=0)


def test_large_degrees_keep_their_digits():
    table = clebsch_gordan(30, 30, 30)
    gram = 61 * torch.einsum("ijk,ijl->kl", table, table)
    torch.testing.assert_close(gram, torch.eye(61, dtype=D), atol=1e-11, rtol=0)


def test_what_is_returned_may_be_written_to():
    clebsch_gordan(1, 1, 0).zero_()
    assert float(clebsch_gordan(1, 1, 0).square().sum()) == pytest.approx(1)


@pytest.mark.parametrize(("degrees", "argument"), [((-1, 0, 0), "l1"), ((1, 2, 4), "l3"), ((1, 0.5, 1), "l2")])
def test_bad_degrees_are_named(degrees, argument):
    with pytest.raises(ArgumentError, match=f"'{argument}'"):
        clebsch_gordan(*degrees)
