"""Sets in sorted order: exact with one evaluation, ties where members are equal."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import erlangen as er
from erlangen.actions.graphs import adjacency, nodes
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.symmetrize import Sorted
from erlangen.symmetrize.ordering import block_sizes, count_orders, levels, lexicographic, orders_of, shuffles_of
from erlangen.testing import check_frame

F64 = torch.float64


class Places(nn.Module):
    """A function that tells places apart, for each member or for all."""

    def __init__(self, per_member):
        super().__init__()
        self.per_member = per_member

    def forward(self, x):
        place = torch.arange(1, x.shape[1] + 1, dtype=x.dtype).view(-1, 1)
        y = torch.tanh(x * place + x.roll(1, 1))
        return y if self.per_member else y.sum(1)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=8))
@settings(max_examples=50, deadline=None)
def test_order_is_that_of_python(rows):
    order, same = lexicographic(torch.tensor(rows)[None])
    assert [rows[i] for i in order[0]] == sorted(rows)
    expected = [False, *(a == b for a, b in zip(sorted(rows), sorted(rows)[1:]))]
    assert same[0].tolist() == expected


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3))
@settings(max_examples=30, deadline=None)
def test_orders_of_ties(sizes):
    same = torch.cat([torch.arange(size) > 0 for size in sizes])
    assert block_sizes(same) == tuple(sizes)
    every = {tuple(row) for row in orders_of(tuple(sizes)).tolist()}
    assert len(every) == count_orders(same[None])
    drawn = shuffles_of(same[None], 50 * len(every) if len(every) <= 24 else 5, torch.Generator().manual_seed(0))[0]
    assert {tuple(row) for row in drawn.tolist()} <= every
    if len(every) <= 24:
        assert {tuple(row) for row in drawn.tolist()} == every


def test_levels_are_ranks_within_a_tolerance():
    values = torch.tensor([[[0.3], [0.1 + 1e-9], [0.1], [0.7]]], dtype=F64)
    assert levels(values, 1e-6)[0, :, 0].tolist() == [1, 0, 0, 2]
    assert levels(values, 0.0)[0, :, 0].tolist() == [2, 1, 0, 3]


@pytest.mark.parametrize("per_member", [False, True])
def test_sets_without_equal_members(per_member):
    S = er.Symmetric(6)
    x = torch.randn(5, 6, 3, generator=torch.Generator().manual_seed(0), dtype=F64).round(decimals=1)
    out = nodes(S) if per_member else S.scalar
    model = er.symmetrize(Places(per_member), nodes(S), out, frame=Sorted())
    assert model.frames(x).elements.shape == (5, 1, 6)
    assert er.equivariance_error(model, x, nodes(S), out, elements=40)["worst"] == 0


def test_equal_members():
    """Outputs for all are exact at once; those of each member need the average over the places of equal ones."""
    S = er.Symmetric(6)
    x = torch.tensor([[2.0, 1.0, 2.0, 0.0, 1.0, 1.0], [5.0, 5.0, 4.0, 3.0, 2.0, 1.0]], dtype=F64).unsqueeze(-1)
    once = er.symmetrize(Places(False), nodes(S), S.scalar, frame=Sorted())
    assert er.equivariance_error(once, x, nodes(S), S.scalar, elements=40)["worst"] == 0
    broken = er.symmetrize(Places(True), nodes(S), nodes(S), frame=Sorted())
    assert er.equivariance_error(broken, x, nodes(S), nodes(S), elements=20)["worst"] > 0.01
    model = er.symmetrize(Places(True), nodes(S), nodes(S), frame=Sorted(ties=True))
    assert model.frames(x).elements.shape[1] == 6  # lcm(1, 2, 3)
    assert er.equivariance_error(model, x, nodes(S), nodes(S), elements=100)["worst"] < 1e-12
    assert torch.allclose(model(x)[0, 0], model(x)[0, 2])


def test_plain_vectors_and_several_features():
    S = er.Symmetric(5)
    check_frame(Sorted(), S.vector)
    inp = Record({"kind": nodes(S), "place": nodes(S)})
    check_frame(Sorted(), inp, {"kind": torch.ones(3, 5, 1, dtype=F64), "place": torch.randn(3, 5, 2, dtype=F64)})


def test_refuses():
    S = er.Symmetric(4)
    assert "graphs" in Sorted().refuse(Record({"x": nodes(S), "a": adjacency(S)}))
    assert "permuted" in Sorted().refuse(er.SO(3).vector)
    assert "all permutations" in Sorted().refuse(nodes(er.Alternating(4)))
    with pytest.raises(ArgumentError, match="max_frame = 2"):
        Sorted(ties=True, max_frame=2)(nodes(S), torch.ones(1, 4, 1))
    with pytest.raises(ArgumentError, match="'max_frame'"):
        Sorted(max_frame=0)
