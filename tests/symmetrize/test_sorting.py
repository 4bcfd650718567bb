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
from erlangen.symmetrize import Ordered, Sorted
from erlangen.symmetrize.ordering import (
    block_sizes,
    count_orders,
    levels,
    lexicographic,
    node_parts,
    orders_of,
    shuffles_of,
    sorted_rows,
)
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
    once = er.symmetrize(Places(False), nodes(S), S.scalar, frame=Sorted(ties=False))
    assert once.frames(x).elements.shape[1] == 1
    assert er.equivariance_error(once, x, nodes(S), S.scalar, elements=40)["worst"] == 0
    broken = er.symmetrize(Places(True), nodes(S), nodes(S), frame=Sorted(ties=False))
    assert er.equivariance_error(broken, x, nodes(S), nodes(S), elements=20)["worst"] > 0.01
    model = er.symmetrize(Places(True), nodes(S), nodes(S), frame=Sorted())
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


# ---- numbers that are equal but for rounding ----


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_rounding_decides_no_order(dtype):
    """The first column is noise, the second decides; equal rows stay equal although rounding tells them apart."""
    eps = torch.finfo(dtype).eps
    x = torch.tensor([[[3.0 + 3 * eps, 2.0], [3.0, 7.0], [3.0 - 3 * eps, 5.0], [3.0 + 6 * eps, 5.0]]], dtype=dtype)
    order, same = sorted_rows(node_parts(nodes(er.Symmetric(4)), x).features)
    assert order.tolist() == [[0, 2, 3, 1]]
    assert same.tolist() == [[False, False, True, False]]
    found = Sorted()(nodes(er.Symmetric(4)), x).elements
    assert sorted(found[0].tolist()) == [[0, 2, 3, 1], [0, 3, 2, 1]]
    assert Sorted(ties=False)(nodes(er.Symmetric(4)), x).elements.shape == (1, 1, 4)


def test_integers_are_exact_and_columns_have_their_own_scale():
    S = er.Symmetric(3)
    big = 2**50
    assert Sorted()(nodes(S), torch.tensor([[[big + 2], [big], [big + 1]]])).elements.tolist() == [[[1, 2, 0]]]
    x = torch.tensor([[[1e9, 3e-9], [1e9, 1e-9], [1e9, 2e-9]]])
    assert Sorted()(nodes(S), x).elements.tolist() == [[[1, 2, 0]]]


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_batches_of_none_and_one_and_complex_numbers(dtype):
    act = nodes(er.Symmetric(3))
    assert Sorted()(act, torch.zeros(0, 3, 2, dtype=dtype)).elements.shape == (0, 1, 3)
    assert Sorted()(nodes(er.Symmetric(1)), torch.zeros(2, 1, 2, dtype=dtype)).elements.tolist() == [[[0]], [[0]]]
    z = torch.tensor([[[1 + 2j], [1 + 1j], [0 + 9j]]], dtype=torch.complex64 if dtype == torch.float32 else torch.complex128)
    assert Sorted()(act, z).elements.tolist() == [[[2, 1, 0]]]


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("frame", [Sorted(), Ordered(nn.Identity())], ids=["Sorted", "Ordered"])
def test_equal_members_get_equal_outputs_by_default(frame, dtype):
    S = er.Symmetric(5)
    x = torch.tensor([[2.0, 1.0, 2.0, 0.0, 1.0], [3.0, 3.0, 3.0, 3.0, 3.0]], dtype=dtype).unsqueeze(-1)
    model = er.symmetrize(Places(True), nodes(S), nodes(S), frame=frame)
    assert er.equivariance_error(model, x, nodes(S), nodes(S), elements=60)["worst"] < 8 * torch.finfo(dtype).eps
    y = model(x)
    assert torch.allclose(y[0, [0, 1]], y[0, [2, 4]])
    assert float((y[0, 0] - y[0, 1]).abs()) > 0.01
    assert torch.allclose(y[1], y[1, :1].expand(5, 1))


def test_a_batch_of_batches_by_vmap():
    S = er.Symmetric(5)
    x = torch.randn(4, 3, 5, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    model = er.symmetrize(Places(False), nodes(S), S.scalar, frame=Sorted(), check=False)
    assert torch.allclose(torch.func.vmap(model)(x), torch.stack([model(part) for part in x]))
