"""Networks that the tests of hidden symmetries share."""

from __future__ import annotations

from itertools import pairwise

import torch

from erlangen.parameters.hidden import KnownSymmetries, ReluNetwork

DOUBLE = {"dtype": torch.float64}


def he(widths, seed, bias=0.1):
    """Normal weights of variance 2 / fan-in, and normal biases."""
    g = torch.Generator().manual_seed(seed)
    weights = [torch.randn(n, m, generator=g, **DOUBLE) * (2 / m) ** 0.5 for m, n in pairwise(widths)]
    return ReluNetwork(tuple(weights), tuple(bias * torch.randn(n, generator=g, **DOUBLE) for n in widths[1:]))


def moved(net, seed, scale):
    """The network at another point of its orbit: random permutations and scalings e^s, s ~ N(0, scale^2)."""
    act = KnownSymmetries(net)
    g = act.group.sample(generator=torch.Generator().manual_seed(seed), scale=scale, **DOUBLE)
    return ReluNetwork.from_params(act.act(g, net.params))


def with_rows(net, layer, neuron, row, bias):
    """The network with other incoming weights of one neuron (layers count from 1, as in formulas)."""
    w, b = net.weights[layer - 1].clone(), net.biases[layer - 1].clone()
    w[neuron], b[neuron] = row, bias
    return net.replaced({layer - 1: (w, b)})


def with_column(net, layer, neuron, column):
    """The network with other outgoing weights of one neuron."""
    w = net.weights[layer].clone()
    w[:, neuron] = column
    return net.replaced({layer: (w, net.biases[layer])})
