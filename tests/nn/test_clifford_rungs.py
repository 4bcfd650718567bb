"""Attention of rank k over the neighbours of a node tells stars apart from body order k + 1 on; what its invariant mode and parity hide."""

import pytest
import torch

from erlangen.actions.ragged import to_dense
from erlangen.measure.gwl import counterexample, probe
from erlangen.nn import VectorAttention

PAIRS = {name: counterexample(name) for name in ("2-body", "3-body", "4-body", "4-body-chiral")}


class Stars(torch.nn.Module):
    """One attention over the edges to each node, and a sum over nodes."""

    def __init__(self, **options):
        super().__init__()
        self.net = VectorAttention(8, **options).double()

    def forward(self, graph):
        r, there = to_dense(graph.edge_vec.double(), graph.edge_index[1])
        return self.net((r, torch.ones(*r.shape[:2], 8, dtype=r.dtype)), mask=there).sin().sum(0)


SEEN = [
    (1, "full", "so3", []),
    (2, "single", "so3", ["2-body"]),
    (2, "full", "so3", ["2-body"]),
    (3, "single", "so3", ["3-body"]),  # in a plane and of equal lengths, three vectors have no other invariant
    (3, "full", "so3", ["2-body", "3-body"]),
    (4, "full", "so3", ["2-body", "3-body", "4-body", "4-body-chiral"]),
    (4, "full", "o3", ["2-body", "3-body", "4-body"]),
]


@pytest.mark.parametrize(("rank", "mode", "parity", "expected"), SEEN)
def test_what_each_rank_tells_apart(rank, mode, parity, expected):
    torch.manual_seed(0)
    found = probe(Stars(rank=rank, invariant_mode=mode, parity=parity), PAIRS)
    assert [name for name, apart in found.items() if apart] == expected
