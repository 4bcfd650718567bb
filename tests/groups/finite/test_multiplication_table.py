"""The multiplication table, made from the generators' rows, is that of all products."""

import pytest
import torch

import erlangen as er
from erlangen.groups.finite import index_of, multiplication_table

QUARTER = torch.tensor([[0.0, -1.0], [1.0, 0.0]])


@pytest.mark.parametrize(
    "group",
    [
        er.Cyclic(1),
        er.Cyclic(12),
        er.Dihedral(7),
        er.Symmetric(4),
        er.MatrixGroup(generators=[QUARTER, torch.diag(torch.tensor([1.0, -1.0]))]),
        er.groups.FiniteAbelian(4, 6),
        er.Cyclic(3) * er.Dihedral(3),
    ],
    ids=str,
)
def test_rows_by_generators_are_products(group):
    every, order = group.elements(), int(group.order)
    table = multiplication_table(group)
    for i in range(order):
        row = group.multiply(group.take(every, slice(i, i + 1)), every)
        assert torch.equal(table[i], index_of(group, row))


def test_a_large_regular_representation_is_made_at_once():
    """A thousand permutations of a thousand points: their million products would be a billion numbers."""
    V = er.Cyclic(997).regular
    x = torch.arange(997.0)
    g = er.Cyclic(997).element(3)
    assert torch.equal(V.act(g, x), x.roll(3))
