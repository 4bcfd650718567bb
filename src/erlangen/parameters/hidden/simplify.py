"""`simplify`: a smaller ReLU network with the same function."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from scipy.linalg import qr
from torch import Tensor

from erlangen.linalg import numerical_rank
from erlangen.parameters.hidden.bounds import Box
from erlangen.parameters.hidden.network import ReluNetwork
from erlangen.parameters.hidden.observe import Observed, observe
from erlangen.parameters.hidden.parallel import parallel_pairs, weighed
from erlangen.parameters.hidden.reading import relu_network


class Step(NamedTuple):
    """What was done to a layer (counted from 1): the change, the neurons it took (as numbered before the step), and how it is known."""

    what: str
    layer: int
    neurons: tuple[int, ...]
    evidence: str


@dataclass(frozen=True, eq=False)
class Simplified:
    """A smaller network with the same function.

    Attributes:
        network: it.
        maps: for each hidden layer, ``[n_l', n_l]``: activations of the new layer from those of the old one.
        steps: what was done.
        widths: of the network that was given.
    """

    network: ReluNetwork
    maps: tuple[Tensor, ...] = field(repr=False)
    steps: tuple[Step, ...]
    widths: tuple[int, ...]

    @property
    def removed(self) -> int:
        """How many neurons fewer there are."""
        return sum(self.widths[1:-1]) - self.network.num_hidden

    def __repr__(self) -> str:
        before, after = ("-".join(map(str, w)) for w in (self.widths, self.network.widths))
        steps = [f"  layer {s.layer}: {s.what} {', '.join(map(str, s.neurons))} ({s.evidence})" for s in self.steps]
        return "\n".join([f"{before} -> {after}, {self.removed} neurons fewer", *steps])


class _Change(NamedTuple):
    """A new layer: its rows and bias, the next layer's weights and bias, and its activations from the old ones."""

    step: Step
    weight: Tensor
    bias: Tensor
    onward: Tensor
    bias_onward: Tensor
    map: Tensor


@torch.no_grad()
def simplify(
    model: Any,
    points: Any = None,
    *,
    box: Box = None,
    proved: bool = False,
    generator: torch.Generator | None = None,
    seed: int = 0,
) -> Simplified:
    """Remove what does nothing: neurons that are never active or lead nowhere, all but one of parallel ones, and stably active ones
    where fewer can carry the same affine map. A layer keeps at least one neuron.

    The function stays the same to rounding. The functional dimension stays the same where inactive or parallel neurons (of one output)
    and redundant affine ones go; without a neuron of zero outgoing weights, it loses what turning those on would have added.

    Args:
        model: what :func:`relu_network` reads; it is left as it is.
        points: inputs at which neurons are watched, as for :func:`diagnose`.
        box: least and largest value of every input, for proofs that a neuron is off or on.
        proved: remove only what is proved, not what was merely never seen active.
        generator, seed: of inputs.

    Raises:
        ArgumentError: no ReLU network, or inputs that do not fit.

    >>> rows = torch.tensor([[1.0, 0.5], [2.0, 1.0], [0.3, -1.0]], dtype=torch.float64)
    >>> net = ReluNetwork((rows, torch.ones(1, 3)), (torch.tensor([0.2, 0.4, 0.1], dtype=torch.float64), torch.zeros(1)))
    >>> simplify(net)
    2-3-1 -> 2-2-1, 1 neurons fewer
      layer 1: merged into 0: 1 (weights)
    """
    network = relu_network(model).one()
    generator = generator or torch.Generator().manual_seed(seed)
    widths = network.widths
    steps: list[Step] = []
    change: _Change | None
    maps = [torch.eye(n, dtype=torch.float64) for n in widths[1:-1]]
    for layer in range(1, len(network.weights)):  # these are on a kink everywhere, where nothing can be observed
        silent = (network.weights[layer - 1] == 0).all(-1) & (network.biases[layer - 1] == 0)
        gone = torch.nonzero(silent).flatten().tolist()[: widths[layer] - 1]
        if gone:
            change = _without(network, Step("always zero:", layer, tuple(gone), "weights"), gone)
            network, maps, steps = _apply(network, maps, steps, change)
    # One change at a time, for each changes what the others see; every change makes the network smaller, so this ends.
    seen = observe(network, points, generator, box)
    while (change := _next(seen, proved)) is not None:
        network, maps, steps = _apply(network, maps, steps, change)
        seen = observe(network, seen.x, generator, box)
    return Simplified(network, tuple(maps), tuple(steps), widths)


def _apply(
    network: ReluNetwork, maps: list[Tensor], steps: list[Step], change: _Change
) -> tuple[ReluNetwork, list[Tensor], list[Step]]:
    at = change.step.layer - 1
    changed = network.replaced({at: (change.weight, change.bias), at + 1: (change.onward, change.bias_onward)})
    return changed, [change.map @ m if i == at else m for i, m in enumerate(maps)], [*steps, change.step]


def _next(seen: Observed, proved: bool) -> _Change | None:
    for layer in range(1, len(seen.network.weights)):
        if seen.network.widths[layer] > 1:
            for find in (_idle, _merge, _fold):
                change = find(seen, layer, proved)
                if change is not None:
                    return change
    return None


def _idle(seen: Observed, layer: int, proved: bool) -> _Change | None:
    """Neurons that are never active, or that lead nowhere."""
    network = seen.network
    off = {j: evidence for j, evidence in seen.off(layer) if not proved or evidence != "sampled"}
    nowhere = torch.nonzero((network.weights[layer] == 0).all(0)).flatten().tolist()
    for what, gone in (("never active:", list(off)), ("leads nowhere:", nowhere)):
        if gone:
            gone = gone[: network.widths[layer] - 1]
            evidence = "weights" if gone[0] not in off else "bound" if all(off[j] == "bound" for j in gone) else seen.evidence()
            return _without(network, Step(what, layer, tuple(gone), evidence), gone)
    return None


def _merge(seen: Observed, layer: int, proved: bool) -> _Change | None:
    """All parallel pairs with one first neuron: what leaves the others leaves the first, times their ratio."""
    pairs = [(i, j, ratio) for i, j, ratio in parallel_pairs(seen.network, layer, seen.acts[layer - 1]) if ratio > 0]
    if not pairs:
        return None
    first = pairs[0][0]
    onward = seen.network.weights[layer].clone()
    gone = [j for i, j, _ in pairs if i == first]
    for i, j, ratio in pairs:
        if i == first:
            onward[:, i] += ratio * onward[:, j]
    return _without(seen.network, Step(f"merged into {first}:", layer, tuple(gone), "weights"), gone, onward)


def _fold(seen: Observed, layer: int, proved: bool) -> _Change | None:
    """Stably active neurons carry an affine map: by as many of them as have independent rows, or by the positive and the negative part
    of what each next neuron receives, whichever is fewer."""
    network = seen.network
    on = {j: evidence for j, evidence in seen.on(layer) if not proved or evidence != "sampled"}
    group = list(on)
    rest = [j for j in range(network.widths[layer]) if j not in on]
    if not group:
        return None
    w, b, onward = network.weights[layer - 1][group], network.biases[layer - 1][group], network.weights[layer][:, group]
    # Rows and columns of one size, as far as they matter to what arrives: an input may be large and its weights small.
    level = weighed(w, seen.acts[layer - 1])
    level = level / level.norm(dim=-1, keepdim=True).clamp_min(1e-300)
    rank = numerical_rank(level, rtol=1e-12).rank if bool((w != 0).any()) else 0
    parts = torch.cat([onward.clamp(min=0), (-onward).clamp(min=0)])
    signs = torch.cat([torch.eye(len(onward), dtype=w.dtype), -torch.eye(len(onward), dtype=w.dtype)], 1)
    used = torch.nonzero((parts > 0).any(1)).flatten()
    if rank < len(group) and rank <= len(used):
        basis = sorted(qr(level.mT.numpy(), mode="r", pivoting=True)[1][:rank].tolist())
        arriving = weighed(w, seen.acts[layer - 1])
        combined = torch.linalg.lstsq(arriving[basis].mT, arriving.mT).solution.mT if rank else w.new_zeros(len(group), 0)
        taken = torch.eye(len(group), dtype=w.dtype)[basis]
        carried, constant = onward @ combined, onward @ (b - combined @ b[basis])
    elif len(used) < len(group):
        taken, carried, constant = parts[used], signs[:, used], torch.zeros(len(onward), dtype=w.dtype)
    else:
        return None
    if not rest and not len(taken):  # a layer of constants keeps one neuron, which leads nowhere
        taken, carried = torch.eye(len(group), dtype=w.dtype)[:1], torch.zeros(len(onward), 1, dtype=w.dtype)
    evidence = "bound" if all(e == "bound" for e in on.values()) else seen.evidence()
    step = Step(f"stably active, folded to {len(taken)}:", layer, tuple(group), evidence)
    moved = torch.zeros(len(rest) + len(taken), network.widths[layer], dtype=w.dtype)
    moved[range(len(rest)), rest] = 1.0
    moved[len(rest) :, group] = taken
    return _Change(
        step,
        torch.cat([network.weights[layer - 1][rest], taken @ w]),
        torch.cat([network.biases[layer - 1][rest], taken @ b]),
        torch.cat([network.weights[layer][:, rest], carried], 1),
        network.biases[layer] + constant,
        moved,
    )


def _without(network: ReluNetwork, step: Step, gone: list[int], onward: Tensor | None = None) -> _Change:
    """The layer without some of its neurons, and other weights of the next layer."""
    layer = step.layer
    kept = [j for j in range(network.widths[layer]) if j not in gone]
    onward = network.weights[layer] if onward is None else onward
    chosen = torch.eye(network.widths[layer], dtype=torch.float64)[kept]
    rows, bias = network.weights[layer - 1][kept], network.biases[layer - 1][kept]
    return _Change(step, rows, bias, onward[:, kept], network.biases[layer], chosen)
