"""LieGNN is invariant under the isometries of its form, and under nothing else."""

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.nn import LieGNN

F64 = torch.float64


@pytest.mark.parametrize("group", [er.SO(1, 3), er.SO(4), er.Isometries(torch.diag(torch.tensor([2.0, -1, -1, -0.5])))], ids=str)
def test_invariance(group):
    torch.manual_seed(0)
    net = LieGNN(group.form, width=16, blocks=3).double().eval()
    x = torch.randn(4, 6, 4, dtype=F64)
    x[:, -2:] = 0
    assert er.equivariance_error(net, x, group.vector, group.scalar, scale=1.0)["worst"] < 1e-10
    other = er.SO(4) if "SO(4)" not in str(group) else er.SO(1, 3)
    assert er.equivariance_error(net, x, other.vector, other.scalar, scale=1.0)["mean"] > 1e-4


def test_padding_and_order_of_nodes_do_not_matter():
    torch.manual_seed(0)
    net = LieGNN(er.SO(1, 3).form, width=16, blocks=2).double().eval()
    x = torch.randn(3, 5, 4, dtype=F64)
    padded = torch.cat([x, torch.zeros(3, 4, 4, dtype=F64)], 1)
    assert torch.allclose(net(padded), net(x), atol=1e-12)
    assert torch.allclose(net(x[:, [3, 1, 0, 4, 2]]), net(x), atol=1e-12)


def test_without_a_metric_vectors_are_not_seen():
    net = LieGNN(None, width=8, blocks=2).eval()
    assert torch.equal(net(torch.ones(1, 3, 4)), net(2 * torch.ones(1, 3, 4)))
    with pytest.raises(ArgumentError, match="'form'"):
        LieGNN(torch.zeros(3, 4))
