"""Coordinate descent over the permutations of labels: one linear assignment after the other.

Everything is typed tensors ``[channels, *sizes]`` whose axes but the first have labels (:mod:`erlangen.parameters.layout`): weights, or
the activations of units over samples. The objective is the sum of the inner products of those of ``a`` with the moved ones of ``b``. In
one label alone it is linear if no tensor has that label twice, and its largest value is a linear assignment. Where a tensor has it twice
(the recurrent weights of an RNN) it is quadratic: the assignment for its gradient is taken if it is better, or else those of its
cycles that are, or else the best exchanges of two units.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor


@dataclass
class Pair:
    """A typed tensor of both networks, ``b`` being moved in place."""

    labels: tuple[str, ...]
    a: Tensor
    b: Tensor

    def moved(self, label: str, source: Tensor) -> Tensor:
        """``b`` with entry ``source[i]`` of every axis of a label at ``i``."""
        b = self.b
        for axis, own in enumerate(self.labels, 1):
            if own == label:
                b = b.index_select(axis, source)
        return b

    def inner(self) -> float:
        return float(torch.dot(self.a.flatten(), self.b.flatten()))


class Descent:
    """The pairs of two networks and the permutation so far, as sources: unit ``source[label][i]`` of ``b`` stands at ``i``."""

    def __init__(self, pairs: Sequence[Pair], labels: dict[str, int]) -> None:
        self.pairs = [Pair(p.labels, p.a, p.b) for p in pairs]
        self.source = {label: torch.arange(n) for label, n in labels.items()}
        self.of = {label: [p for p in self.pairs if label in p.labels] for label in labels}

    def objective(self) -> float:
        return math.fsum(p.inner() for p in self.pairs)

    def move(self, label: str, source: Tensor) -> None:
        for p in self.of[label]:
            p.b = p.moved(label, source)
        self.source[label] = self.source[label][source]

    def gain_matrix(self, label: str) -> Tensor:
        """``[n, n]``: the inner product of unit i of ``a`` with unit j of ``b``, all else as it stands."""
        n = len(self.source[label])
        total = torch.zeros(n, n, dtype=torch.float64)
        for p in self.of[label]:
            for axis, own in enumerate(p.labels, 1):
                if own == label:
                    total += p.a.movedim(axis, 0).reshape(n, -1) @ p.b.movedim(axis, 0).reshape(n, -1).T
        return total

    def improve(self, label: str, least: float) -> float:
        """Move one label to where the objective is larger; returns by how much it has grown, 0 if nothing grows by ``least``."""
        gain = self.gain_matrix(label)
        best = assignment(gain)
        here = torch.arange(len(best))
        if all(p.labels.count(label) == 1 for p in self.of[label]):
            grown = float((gain[here, best] - gain.diagonal()).sum())
            if grown > least:
                self.move(label, best)
                return grown
            return 0.0
        start = total = self._inner(label, here)
        for source in (best, *cycles(best)) if not torch.equal(best, here) else ():
            if (value := self._inner(label, source)) > total + least:
                self.move(label, source)
                total = value
                if source is best:
                    return total - start
        return total - start if total > start else self._exchange(label, gain, start, least)

    def _exchange(self, label: str, gain: Tensor, start: float, least: float) -> float:
        """The first exchange of two units that helps, those tried first of which the gradient promises most."""
        promise = gain + gain.T - gain.diagonal()[:, None] - gain.diagonal()
        n = len(gain)
        upper = torch.triu_indices(n, n, 1)
        order = promise[upper[0], upper[1]].argsort(descending=True)[: 4 * n]
        for i, j in upper[:, order].T.tolist():
            source = torch.arange(n)
            source[i], source[j] = j, i
            value = self._inner(label, source)
            if value > start + least:
                self.move(label, source)
                return value - start
        return 0.0

    def _inner(self, label: str, source: Tensor) -> float:
        """What the label's tensors would add to the objective."""
        return math.fsum(float(torch.dot(p.a.flatten(), p.moved(label, source).flatten())) for p in self.of[label])

    def run(self, labels: Sequence[str], generator: torch.Generator, sweeps: int) -> list[float]:
        """Sweep over labels in random orders until none moves; returns the objective before and after every step that moved."""
        least = 1e-10 * math.fsum(float(p.a.norm() * p.b.norm()) for p in self.pairs)
        history = [self.objective()]
        for _ in range(sweeps):
            before = len(history)
            for i in torch.randperm(len(labels), generator=generator).tolist():
                if grown := self.improve(labels[i], least):
                    history.append(history[-1] + grown)
            if len(history) == before:
                break
        return history


def assignment(gain: Tensor) -> Tensor:
    """The columns of the rows with the largest sum."""
    return torch.from_numpy(linear_sum_assignment(gain.numpy(), maximize=True)[1])


def cycles(source: Tensor) -> Iterator[Tensor]:
    """The cycles of a permutation, each alone, the others left in place.

    >>> [c.tolist() for c in cycles(torch.tensor([1, 0, 2, 4, 3]))]
    [[1, 0, 2, 3, 4], [0, 1, 2, 4, 3]]
    """
    seen = set()
    for start in range(len(source)):
        cycle, at = [], start
        while at not in seen:
            seen.add(at)
            cycle.append(at)
            at = int(source[at])
        if len(cycle) > 1:
            alone = torch.arange(len(source))
            alone[cycle] = source[cycle]
            yield alone


def profiles(pairs: Sequence[Pair], labels: dict[str, int]) -> dict[str, Tensor]:
    """A first guess that no other label's permutation changes: units whose weights are alike once they are sorted.

    Each unit's weights are sorted within each channel; the cost of two units is the squared distance of what comes out, summed over the
    tensors. Of networks that are the same up to a permutation it is right at once, unless units are alike.
    """
    found = {}
    for label, n in labels.items():
        cost = torch.zeros(n, n, dtype=torch.float64)
        for p in pairs:
            for axis, own in enumerate(p.labels, 1):
                if own == label:
                    a, b = (x.movedim(axis, 0).reshape(n, len(x), -1).sort(dim=-1).values.flatten(1) for x in (p.a, p.b))
                    cost += a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T
        found[label] = assignment(-cost)
    return found
