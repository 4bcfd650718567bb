"""The encoders: how many features they give, and which shifts they cannot tell."""

from __future__ import annotations

import torch

from erlangen.discover.essl import cell_encoder, features_of, resnet18, small_encoder


def test_encoders_give_the_features_they_say():
    x = torch.rand(2, 1, 28, 28)
    assert features_of(small_encoder(), x).shape == (2, 128)
    assert features_of(resnet18(), x).shape == (2, 512)
    assert features_of(cell_encoder(), torch.rand(2, 1, 32, 32)).shape == (2, 256)


def test_the_network_for_cells_ignores_no_shift_by_itself_but_keeps_those_of_its_pools():
    """Periodic padding: a shift by 32, the product of the pools, is none; by one pixel it is one."""
    torch.manual_seed(0)
    net, x = cell_encoder().eval(), torch.rand(2, 1, 32, 32)
    assert torch.allclose(net(x), net(x.roll(32, -1)))
    assert not torch.allclose(net(x), net(x.roll(5, -1)), atol=1e-5)
