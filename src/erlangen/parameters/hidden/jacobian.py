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
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    x: Tensor,
    patterns: Sequence[Tensor],
    arithmetic: Arithmetic,
    centre: Tensor | None = None,
) -> Tensor:
    """As :func:`jacobian`, with the activation patterns ``[*batch, N, n_l]`` of the hidden layers given.

    With a ``centre`` ``[n_0]``, first weights have the derivative in ``x - centre``, for other parameters of the same functions: the bias
    of a first neuron is then its value at the centre.
    """
    acts = [x]
    for w, b, s in zip(weights, biases, patterns):
        acts.append(arithmetic.add(arithmetic.matmul(acts[-1], w.mT), b.unsqueeze(-2)) * s)
    widths = [weights[0].shape[-1], *(w.shape[-2] for w in weights)]
    lead, outputs = acts[-1].shape[:-1], widths[-1]
    found = x.new_empty(*lead, outputs, sum(n * (m + 1) for m, n in pairwise(widths)))
    if centre is not None:
        acts[0] = x - centre
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


def collect(
    collector: Collector, network: ReluNetwork, x: Tensor, patterns: Sequence[Tensor], centre: Tensor, step: Callable[[int], None]
) -> Tensor:
    """Give a collector the rows of the Jacobian of one network, scaled to about length one (which changes no rank).

    Args:
        centre: of the inputs, as for :func:`rows`.
        step: called with the number of rows that were added.

    Returns: for each column the sum of the squares of its entries ``[D]``, had nothing cancelled in them. Its root is what the rounding of
    the column is to be compared with.
    """
    squares = x.new_zeros(network.num_params)
    size = max(1, POINTS // network.widths[-1])
    lengths = []
    for start in range(0, len(x), size):
        some = slice(start, start + size)
        lengths.append(_formed(network, x[some], [s[some] for s in patterns], centre, squares))
    length = torch.cat(lengths) if lengths else x.new_zeros(0, network.widths[-1])
    if isinstance(collector, Sketch) and network.widths[0] > 1:
        _sketch(collector, network, x, centre, length.flatten(), step)
        return squares
    size = max(1, BLOCK // network.widths[-1])
    for start in range(0, len(x), size):
        some = slice(start, start + size)
        block = rows(network.weights, network.biases, x[some], [s[some] for s in patterns], Reals(), centre).flatten(0, 1)
        collector.add(block.div_(length[some].view(-1, 1)))
        step(len(block))
    return squares


def _formed(network: ReluNetwork, x: Tensor, patterns: Sequence[Tensor], centre: Tensor, squares: Tensor) -> Tensor:
    """The lengths of rows ``[N, n_d]`` that are formed without cancellation; squares of their entries, at length one, are added up."""
    # Inputs stand in columns: products of few neurons and many inputs are three times as fast so.
    active = [on.mT.to(x.dtype) for on in patterns]
    acts, size = [(x - centre).abs().mT], x.abs().mT
    for w, b, on in zip(network.weights, network.biases, active):
        size = torch.addmm(b.abs().unsqueeze(1), w.abs(), size).mul_(on)
        acts.append(size)
    outputs = network.widths[-1]
    deltas = [torch.eye(outputs, dtype=x.dtype).unsqueeze(-1).expand(outputs, outputs, len(x))]
    for w, on in zip(reversed(network.weights[1:]), reversed(active)):
        deltas.append((w.abs().mT @ deltas[-1]).mul_(on))
    deltas = [delta.square() for delta in reversed(deltas)]
    acts = [a.square() for a in acts]
    total = torch.stack([delta.sum(1) * (1 + a.sum(0)) for delta, a in zip(deltas, acts)]).sum(0)
    stop = 0
    for delta, a in zip(deltas, acts):
        weighed = (delta / total.unsqueeze(1)).sum(0)
        n, m = len(weighed), len(a)
        start, stop = stop, stop + n * (m + 1)
        squares[start : start + n * m] += (weighed @ a.mT).flatten()
        squares[start + n * m : stop] += weighed.sum(1)
    return total.sqrt().mT


def _sketch(sketch: Sketch, network: ReluNetwork, x: Tensor, centre: Tensor, length: Tensor, step: Callable[[int], None]) -> None:
    """Sums of random multiples of rows without the rows: for each bucket and layer one product of two small matrices.

    A bucket takes as many rows as any other, at random places in a random order; a row is an input and an output. Patterns are those of the
    inputs themselves.
    """
    outputs = network.widths[-1]
    count = len(x) * outputs
    for part in sketch.parts():
        held = -(-count // len(part))  # rows in each bucket
        order = torch.randperm(held * len(part), generator=sketch.generator).view(len(part), held)
        size = max(1, POINTS // held)
        for start in range(0, len(part), size):
            chosen = order[start : start + size]
            row = chosen.clamp(max=count - 1).flatten()
            point = row // outputs
            weight = torch.randn(chosen.shape, generator=sketch.generator, dtype=x.dtype) * (chosen < count)
            delta = (weight.flatten() / length[row]).unsqueeze(0)
            if outputs > 1:
                delta = delta * (row % outputs == torch.arange(outputs).unsqueeze(1))
            _add_products(part[start : start + size], network, x[point], centre, delta)
        step(count // COPIES)


def _add_products(part: Tensor, network: ReluNetwork, x: Tensor, centre: Tensor, delta: Tensor) -> None:
    """Add to each of ``B`` buckets ``[B, D]`` the rows of its inputs, which start from ``delta``: ``[B * P, n_0]``, ``[n_d, B * P]``."""
    # Inputs stand in columns: products of few neurons and many inputs are three times as fast so.
    acts = [x.mT]
    for w, b in zip(network.weights[:-1], network.biases[:-1]):
        acts.append(torch.addmm(b.unsqueeze(1), w, acts[-1]).relu_())
    acts[0] = (x - centre).mT
    buckets, stop = len(part), part.shape[1]
    for layer in reversed(range(len(network.weights))):
        n, m = network.weights[layer].shape
        start = stop - n * (m + 1)
        grouped = delta.unflatten(1, (buckets, -1)).transpose(0, 1)
        part[:, start : stop - n] += (grouped @ acts[layer].unflatten(1, (buckets, -1)).permute(1, 2, 0)).flatten(1)
        part[:, stop - n : stop] += grouped.sum(2)
        if layer:
            delta = (network.weights[layer].mT @ delta).mul_(acts[layer].sign())
        stop = start
