"""`diagnose`: the mechanisms by which a ReLU network loses degrees of freedom, the neurons that cause them, and moves along them.

Source of the mechanisms: J. E. Grigsby, K. Lindsey, D. Rolnick, "Hidden symmetries of ReLU networks", ICML 2023, arXiv:2306.06179, and
J. E. Grigsby, K. Lindsey, R. Meyerhoff, C. Wu, arXiv:2209.04036; the counts are ours, and tested against ranks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor

from erlangen.linalg import numerical_rank
from erlangen.parameters.hidden.bounds import Box
from erlangen.parameters.hidden.dimension import functional_dimension
from erlangen.parameters.hidden.moves import Direction, Move, apply_move
from erlangen.parameters.hidden.network import ReluNetwork
from erlangen.parameters.hidden.observe import POINTS, SCALES, Observed, observe
from erlangen.parameters.hidden.parallel import parallel_pairs
from erlangen.parameters.hidden.reading import relu_network
from erlangen.parameters.hidden.result import FunctionalDimension

Name = Literal["stably inactive", "never active together", "collapsed image", "no effect", "stably active", "parallel", "antipodal"]
#: A neuron must be active at this many inputs for each of its parameters before what arrives at it is called collapsed.
ENOUGH = 4
#: Moves of collapsed images go this far of what the observed inputs allow.
SAFETY = 0.5


@dataclass(frozen=True)
class Mechanism:
    """One cause of hidden symmetries.

    Attributes:
        name: which.
        neurons: (layer, index) of the neurons; layers count from 1, indices from 0.
        contribution: how many degrees of freedom it takes in an otherwise generic network.
        evidence: ``"bound"`` (proved for all inputs, or of the box), ``"weights"`` (seen in the parameters), ``"all regions"`` (of a line)
            or ``"sampled"``.
        moves: straight lines that keep the function, none of them in the known orbit. None where only the first order is kept.
    """

    name: Name
    neurons: tuple[tuple[int, int], ...]
    contribution: int
    evidence: str
    moves: tuple[Move, ...] = ()

    def __str__(self) -> str:
        where = ", ".join(f"({layer}, {index})" for layer, index in self.neurons)
        moves = f"; {len(self.moves)} move{'s' * (len(self.moves) != 1)}" if self.moves else "; first order only"
        return f"{self.name} {where}: {self.contribution} ({self.evidence}{moves})"


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """Mechanisms, which explain, and the functional dimension, which counts: contributions overlap and need not add up to the deficit.

    Attributes:
        mechanisms: in the order of layers.
        dimension: the functional dimension, on inputs of the same law (or the ones that were given).
        network: what was looked at.
    """

    mechanisms: tuple[Mechanism, ...]
    dimension: FunctionalDimension
    network: ReluNetwork

    @property
    def moves(self) -> tuple[Move, ...]:
        """The moves of all mechanisms."""
        return tuple(move for mechanism in self.mechanisms for move in mechanism.moves)

    def of(self, name: Name) -> tuple[Mechanism, ...]:
        """The mechanisms of one name."""
        return tuple(m for m in self.mechanisms if m.name == name)

    def __repr__(self) -> str:
        count = sum(m.contribution for m in self.mechanisms)
        head = (
            f"deficit {self.dimension.deficit}, {len(self.mechanisms)} mechanisms with contributions of {count} (they may overlap)"
        )
        shown = [f"  {m}" for m in self.mechanisms[:40]]
        left = len(self.mechanisms) - len(shown)
        return "\n".join([head, *shown, *([f"  ... and {left} more"] if left else [])])


@torch.no_grad()
def diagnose(
    model: Any, points: Any = None, *, box: Box = None, generator: torch.Generator | None = None, seed: int = 0
) -> Diagnosis:
    """Why a network has fewer degrees of freedom than the most: each mechanism with its neurons, its contribution and its moves.

    Args:
        model: what :func:`relu_network` reads.
        points: inputs ``[N, n_0]`` at which neurons are watched; 30,000 normal ones of spread 1, 3 and 10 by default.
        box: least and largest value of every input, for proofs that a neuron is off or on; all of ``R^{n_0}`` by default.
        generator, seed: of inputs.

    Raises:
        ArgumentError: no ReLU network, or inputs that do not fit.

    >>> rows = torch.tensor([[1.0, 0.5], [2.0, 1.0], [0.3, -1.0]], dtype=torch.float64)
    >>> net = ReluNetwork((rows, torch.ones(1, 3)), (torch.tensor([0.2, 0.4, 0.1], dtype=torch.float64), torch.zeros(1)))
    >>> print(diagnose(net).mechanisms[0])
    parallel (1, 0), (1, 1): 3 (weights; 1 move)
    """
    network = relu_network(model).one()
    generator = generator or torch.Generator().manual_seed(seed)
    seen = observe(network, points, generator, box)
    found = [m for layer in range(1, len(network.weights)) for m in _of_layer(seen, layer)]
    checked = tuple(
        Mechanism(m.name, m.neurons, m.contribution, m.evidence, tuple(v for v in m.moves if _keeps(seen, v))) for m in found
    )
    if points is None and network.widths[0] > 1:  # the inputs that neurons were watched at
        dimension = functional_dimension(network, POINTS, scale=SCALES, generator=generator)
    else:
        dimension = functional_dimension(network, points, generator=generator)
    return Diagnosis(checked, dimension, network)


def _of_layer(seen: Observed, layer: int) -> Iterator[Mechanism]:
    network = seen.network
    before, own, after = network.widths[layer - 1 : layer + 2]
    off = dict(seen.off(layer))
    idle = [j for j in range(own) if j not in off and not bool(seen.matters[layer][:, j].any())]
    for j, evidence in off.items():
        yield Mechanism("stably inactive", ((layer, j),), before + after, evidence, (_inactive(network, layer, j, evidence),))
    for j in idle:
        zero = bool((network.weights[layer][:, j] == 0).all())
        moves: tuple[Move, ...] = (_row(network, layer, j),) if zero else ()
        yield Mechanism("no effect", ((layer, j),), before, "weights" if zero else seen.evidence(), moves)
    settled = {*off, *idle}
    if layer > 1:
        for j in (j for j in range(own) if j not in settled):
            yield from _arriving(seen, layer, j)
    on = dict(seen.on(layer))
    group = [j for j in on if j not in settled]
    if group:
        evidence = "bound" if all(on[j] == "bound" for j in group) else seen.evidence()
        k, r = len(group), min(len(group), before, after)
        lost = k * (before + after) - r * (before + after - r)
        neurons = tuple((layer, j) for j in group)
        yield Mechanism("stably active", neurons, lost, evidence, tuple(_affine(network, layer, group)))
    for i, j, ratio in parallel_pairs(network, layer, seen.acts[layer - 1]):
        if {i, j} & settled or {i, j} <= set(group):
            continue
        pair = ((layer, i), (layer, j))
        if ratio > 0:
            columns = network.weights[layer][:, [i, j]]
            together = numerical_rank(columns).rank < 2
            lost = before + after if together else after
            yield Mechanism("parallel", pair, lost, "weights", (_transfer(network, layer, i, j, ratio),))
        elif len(network.weights) == 2 and after == 1:
            # Both kinks must stay together, which they do to first order only: there is no move.
            yield Mechanism("antipodal", pair, 1, "weights")


def _arriving(seen: Observed, layer: int, j: int) -> Iterator[Mechanism]:
    """What neuron ``j`` does not learn from the layer before while it matters: neurons that are off then, and collapsed images."""
    network, matters = seen.network, seen.matters[layer][:, j]
    alive = seen.active[layer - 1].any(0)
    with_it = seen.active[layer - 1][matters].any(0)
    for i in torch.nonzero(alive & ~with_it).flatten().tolist():
        apart = not bool((seen.active[layer - 1][:, i] & seen.active[layer][:, j]).any())
        moves: tuple[Move, ...] = (_lower(network, layer, i, j),) if apart else ()
        yield Mechanism("never active together", ((layer - 1, i), (layer, j)), 1, seen.evidence(), moves)
    inputs = torch.nonzero(with_it).flatten()
    if int(matters.sum()) < ENOUGH * (len(inputs) + 1):
        return
    arriving = _homogeneous(seen.acts[layer - 1][:, inputs])
    # Centred columns of one size: an activation may be tiny, or vary little far from zero, without being dependent.
    centre = (arriving[matters].amin(0) + arriving[matters].amax(0)) / 2
    centre[-1] = 0.0
    size = (arriving - centre)[matters].abs().amax(0)
    noise = network.rounding * torch.cat([seen.formed[layer - 1][:, inputs][matters].amax(0), size[-1:]])
    size = torch.where(size > noise, size, float("inf"))  # constant
    rtol = max(1e-11, float((noise / size).max()))
    rank = numerical_rank((arriving - centre)[matters] / size, rtol=rtol).rank
    if rank < len(inputs) + 1:
        moves = _collapsed(seen, layer, j, inputs, arriving, centre, size, rtol)
        yield Mechanism("collapsed image", ((layer, j),), len(inputs) + 1 - rank, seen.evidence(), moves)


def _homogeneous(a: Tensor) -> Tensor:
    return torch.cat([a, torch.ones(len(a), 1, dtype=a.dtype)], 1)


def _keeps(seen: Observed, move: Move) -> bool:
    """Whether a move, as far as it goes but not beyond 1, keeps every output at every input that was observed, to what is left of them
    after rounding: to 1e-10 of the sums that are formed for it."""
    other = apply_move(seen.network, move, min(1.0, move.high))
    before, after = seen.network(seen.x), other(seen.x)
    size = torch.maximum(seen.formed[-1], other.formed(seen.x, [z > 0 for z in other.preactivations(seen.x)[:-1]])[-1])
    return bool(((after - before).abs() <= 1e-10 * size).all())


# ---- moves ----


def _inactive(network: ReluNetwork, layer: int, j: int, evidence: str) -> Move:
    d = Direction(network)
    if evidence == "sampled":  # where it is active after all, it is so no more
        d.bias(layer)[j] = -1.0
        return Move(f"lower the bias of ({layer}, {j})", d.vector)
    d.weight(layer + 1)[:, j] = 1.0
    return Move(f"change the outgoing weights of ({layer}, {j})", d.vector, low=-float("inf"))


def _row(network: ReluNetwork, layer: int, j: int) -> Move:
    d = Direction(network)
    d.weight(layer)[j], d.bias(layer)[j] = 1.0, -0.5
    return Move(f"change the incoming weights of ({layer}, {j})", d.vector, low=-float("inf"))


def _lower(network: ReluNetwork, layer: int, i: int, j: int) -> Move:
    """Where ``i`` is active, ``j`` is off already; a smaller weight keeps it off."""
    d = Direction(network)
    d.weight(layer)[j, i] = -1.0
    return Move(f"lower the weight from ({layer - 1}, {i}) to ({layer}, {j})", d.vector)


def _affine(network: ReluNetwork, layer: int, group: list[int]) -> Iterator[Move]:
    """A higher bias, taken back by the next layer; and one neuron added to another."""
    onward = network.weights[layer]
    d = Direction(network)
    d.bias(layer)[group[0]], d.bias(layer + 1)[:] = 1.0, -onward[:, group[0]]
    yield Move(f"raise the bias of ({layer}, {group[0]})", d.vector)
    for i, j in pairwise(group):
        d = Direction(network)
        d.weight(layer)[i], d.bias(layer)[i] = network.weights[layer - 1][j], network.biases[layer - 1][j]
        d.weight(layer + 1)[:, j] = -onward[:, i]
        yield Move(f"add ({layer}, {j}) to ({layer}, {i})", d.vector)


def _transfer(network: ReluNetwork, layer: int, i: int, j: int, ratio: float) -> Move:
    """``a_j = ratio * a_i``: what leaves one may leave the other."""
    d = Direction(network)
    d.weight(layer + 1)[:, i], d.weight(layer + 1)[:, j] = 1.0, -1.0 / ratio
    return Move(f"shift outgoing weight from ({layer}, {j}) to ({layer}, {i})", d.vector, low=-float("inf"))


def _collapsed(
    seen: Observed, layer: int, j: int, inputs: Tensor, arriving: Tensor, centre: Tensor, size: Tensor, rtol: float
) -> tuple[Move, ...]:
    """Add to a neuron's row what vanishes wherever it is active, as little as keeps it off wherever it is off."""
    on = seen.active[layer][:, j]
    scaled = (arriving - centre)[on] / size
    _, values, right = torch.linalg.svd(scaled, full_matrices=len(scaled) < len(size))
    rank = int((values > rtol * values[0]).sum())
    if rank == len(size):
        return ()
    # A constant column is zero when centred and stands for itself; the bias takes back what centring took off.
    row = right[-1] / torch.where(torch.isfinite(size), size, 1.0)
    row[-1] -= centre[:-1] @ row[:-1]
    change, depth = (arriving[~on] @ row).abs(), -seen.z[layer][~on, j]
    # Noise, where the row vanishes for all inputs, must not set the pace.
    ratio = change / (depth + 1e-9 * (arriving[~on].abs() @ row.abs()))
    fastest = float(ratio.max()) if len(ratio) else 0.0
    reach = float(row.abs().max())
    step = 1.0 / reach if fastest <= 1e-7 * reach else min(SAFETY / fastest, 1.0 / reach)
    d = Direction(seen.network)
    d.weight(layer)[j, inputs], d.bias(layer)[j] = step * row[:-1], step * row[-1]
    return (Move(f"change the incoming weights of ({layer}, {j}) where nothing arrives", d.vector, low=-1.0, high=1.0),)
