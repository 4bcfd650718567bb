"""The Jacobian of a ReLU network in its parameters, from its structure: an outer product for each layer, no automatic differentiation.

With activation patterns ``s`` and ``delta_d = e_o``, ``delta_l = s_l W_{l+1}^T delta_{l+1}``, the derivative of output ``o`` in the weights
and bias of layer ``l`` is ``delta_l`` times ``[a_{l-1}; 1]``. Patterns are given, not recomputed: on one linear region the Jacobian is
an affine function of the input, and it may be evaluated at any input of that affine extension.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from erlangen.parameters.hidden.network import ReluNetwork
from erlangen.parameters.hidden.ranks import COPIES, Collector, Sketch

#: Rows of one block: small enough to stay in cache with a few hundred parameters.
BLOCK = 256
#: Inputs that are run at once where no rows are written.
POINTS = 2048


class Arithmetic(Protocol):
    """Where sums and products are taken: the reals, or a prime field."""

    def matmul(self, a: Tensor, b: Tensor) -> Tensor: ...

    def add(self, a: Tensor, b: Tensor) -> Tensor: ...

    def multiply(self, a: Tensor, b: Tensor, out: Tensor) -> None: ...


class Reals:
    """Floating-point numbers."""

    def matmul(self, a: Tensor, b: Tensor) -> Tensor:
        return a @ b

    def add(self, a: Tensor, b: Tensor) -> Tensor:
        return a + b

    def multiply(self, a: Tensor, b: Tensor, out: Tensor) -> None:
        torch.mul(a, b, out=out)


def jacobian(network: ReluNetwork, x: Tensor) -> Tensor:
    """The Jacobian of ``theta -> F_theta(x)`` at inputs where no pre-activation is zero.

    Args:
        network: a network, or a batch ``[*batch]`` of them.
        x: inputs ``[N, n_0]``, or ``[*batch, N, n_0]``.

    Returns: ``[*batch, N, n_d, D]``, columns in the order of :attr:`ReluNetwork.vector`.

    >>> net = ReluNetwork((torch.eye(2), torch.ones(1, 2)), (torch.zeros(2), torch.zeros(1)))
    >>> jacobian(net, torch.tensor([[3.0, -1.0]])).flatten().abs()       # W_1 by rows, b_1, W_2, b_2
    tensor([3., 1., 0., 0., 1., 0., 3., 0., 1.], dtype=torch.float64)
    """
    x = network.inputs(x, "x")
    return rows(network.weights, network.biases, x, [z > 0 for z in network.preactivations(x)[:-1]], Reals())


def rows(
    weights: Sequence[Tensor], biases: Sequence[Tensor], x: Tensor, patterns: Sequence[Tensor], arithmetic: Arithmetic
) -> Tensor:
    """As :func:`jacobian`, with the activation patterns ``[*batch, N, n_l]`` of the hidden layers given."""
    acts = [x]
    for w, b, s in zip(weights, biases, patterns):
        acts.append(arithmetic.add(arithmetic.matmul(acts[-1], w.mT), b.unsqueeze(-2)) * s)
    widths = [weights[0].shape[-1], *(w.shape[-2] for w in weights)]
    lead, outputs = acts[-1].shape[:-1], widths[-1]
    found = x.new_empty(*lead, outputs, sum(n * (m + 1) for m, n in pairwise(widths)))
    stop = found.shape[-1]
    delta = torch.eye(outputs, dtype=x.dtype).expand(*lead, outputs, outputs)
    for layer in reversed(range(len(weights))):
        n, m = weights[layer].shape[-2:]
        start = stop - n * (m + 1)
        block = found[..., start : start + n * m].unflatten(-1, (n, m))
        arithmetic.multiply(delta.unsqueeze(-1), acts[layer][..., None, None, :], block)
        found[..., stop - n : stop] = delta
        stop = start
        if layer:
            # [*batch, N, o, n] @ [*batch, 1, n, m]
            delta = arithmetic.matmul(delta, weights[layer].unsqueeze(-3)) * patterns[layer - 1].unsqueeze(-2)
    return found


def collect(collector: Collector, network: ReluNetwork, x: Tensor, patterns: Sequence[Tensor], step: Callable[[int], None]) -> None:
    """Give a collector the rows of the Jacobian of one network, scaled to length one (which changes no rank).

    Args:
        step: called with the number of rows that were added.
    """
    if isinstance(collector, Sketch) and network.widths[0] > 1:
        _sketch(collector, network, x, step)
        return
    size = max(1, BLOCK // network.widths[-1])
    for start in range(0, len(x), size):
        some = slice(start, start + size)
        block = rows(network.weights, network.biases, x[some], [s[some] for s in patterns], Reals()).flatten(0, 1)
        collector.add(block.div_(block.norm(dim=-1, keepdim=True)))
        step(len(block))


def _sketch(sketch: Sketch, network: ReluNetwork, x: Tensor, step: Callable[[int], None]) -> None:
    """Sums of random multiples of rows without the rows: for each bucket and layer one product of two small matrices.

    A bucket takes as many rows as any other, at random places in a random order; a row is an input and an output. Patterns are those of the
    inputs themselves.
    """
    outputs = network.widths[-1]
    count = len(x) * outputs
    # About the lengths of rows, for these networks grow as their inputs do.
    lengths = (1 + x.square().sum(-1)).sqrt()
    for part in sketch.parts():
        held = -(-count // len(part))  # rows in each bucket
        order = torch.randperm(held * len(part), generator=sketch.generator).view(len(part), held)
        size = max(1, POINTS // held)
        for start in range(0, len(part), size):
            chosen = order[start : start + size]
            row = chosen.clamp(max=count - 1).flatten()
            point = row // outputs
            weight = torch.randn(chosen.shape, generator=sketch.generator, dtype=x.dtype) * (chosen < count)
            delta = (weight.flatten() / lengths[point]).unsqueeze(-1)
            if outputs > 1:
                delta = delta * torch.nn.functional.one_hot(row % outputs, outputs)
            _add_products(part[start : start + size], network, x[point], delta)
        step(count // COPIES)


def _add_products(part: Tensor, network: ReluNetwork, x: Tensor, delta: Tensor) -> None:
    """Add to each of ``B`` buckets ``[B, D]`` the rows of its inputs, which start from ``delta``: ``[B * P, n_0]``, ``[B * P, n_d]``."""
    acts = [x]
    for w, b in zip(network.weights[:-1], network.biases[:-1]):
        acts.append(torch.addmm(b, acts[-1], w.mT).relu_())
    buckets, stop = len(part), part.shape[1]
    for layer in reversed(range(len(network.weights))):
        n, m = network.weights[layer].shape
        start = stop - n * (m + 1)
        grouped = delta.view(buckets, -1, n)
        part[:, start : stop - n] += (grouped.mT @ acts[layer].view(buckets, -1, m)).flatten(1)
        part[:, stop - n : stop] += grouped.sum(1)
        if layer:
            delta = (delta @ network.weights[layer]).masked_fill_(acts[layer] <= 0, 0.0)
        stop = start
