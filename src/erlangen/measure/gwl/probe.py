"""`separation` and `probe`: does one particular network tell two graphs apart, and by how much?"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from erlangen.errors import ArgumentError
from erlangen.verdict import Verdict

#: Separations below this count as none: they are what rounding in float64 leaves of a network of some depth.
THRESHOLD = 1e-7


@dataclass(frozen=True)
class Separation:
    """How far apart a network holds two graphs. True as a condition when it distinguishes them.

    Attributes:
        median: of ``|f(A) - f(B)| / (|f(A)| + |f(B)|)`` over random initialisations, between 0 and 1.
        values: of each initialisation.
        threshold: ``distinguishes`` says whether the median is above.
    """

    median: float
    values: tuple[float, ...]
    threshold: float = THRESHOLD

    @property
    def distinguishes(self) -> bool:
        """Whether the separation is more than rounding."""
        return self.median > self.threshold

    def __bool__(self) -> bool:
        return self.distinguishes

    def __str__(self) -> str:
        return f"{'distinguishes' if self else 'does not distinguish'} (separation {self.median:.1e})"

    def verdict(self) -> Verdict:
        """As a :class:`~erlangen.verdict.Verdict` of the claim that the network tells the two apart."""
        numbers = {"median": self.median, "least": min(self.values), "most": max(self.values)}
        claim = "the network tells the two graphs apart"
        return Verdict(bool(self), claim, how="statistical", tried=len(self.values), numbers=numbers, witness=self)


def separation(
    model_fn: Callable[[], Callable[[Any], Any]],
    pair: tuple[Any, Any],
    *,
    n_init: int = 10,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
    threshold: float = THRESHOLD,
) -> Separation:
    """How far apart random initialisations of an architecture hold two graphs.

    A generic network of a class separates what the class can separate, so that random weights answer in seconds what a training would, and
    as a number: one that falls with the depth that is needed is oversquashing.

    Args:
        model_fn: makes a network with fresh weights from torch's random numbers; a network takes one graph (whatever ``pair`` holds) and
            returns a tensor. It should not depend on the order of nodes or on the frame, as else copies of one graph are held apart, too.
        pair: the two graphs.
        n_init: number of initialisations.
        seed: of the first; the global random state is left as it was.
        dtype: networks that are modules are moved to it.
        threshold: the median from which on the pair counts as separated.

    Raises:
        ArgumentError: no initialisation, or outputs that do not fit or are not finite.

    >>> from erlangen.measure.gwl import kchain
    >>> lengths = lambda: lambda graph: graph.edge_vec.norm(dim=-1).sum()
    >>> print(separation(lengths, kchain(3)))
    does not distinguish (separation 0.0e+00)
    """
    if n_init < 1:
        raise ArgumentError("n_init", "at least 1", repr(n_init))
    values = []
    for k in range(n_init):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + k)
            model = model_fn()
        if isinstance(model, torch.nn.Module):
            model = model.to(dtype).eval()
        values.append(_apart(model, pair))
    return Separation(statistics.median(values), tuple(values), threshold)


def probe(
    model: Callable[..., Any], pairs: Mapping[str, tuple[Any, Any]], *, n_init: int | None = None, threshold: float = THRESHOLD
) -> dict[str, Separation]:
    """Which of several pairs a network tells apart.

    Args:
        model: any callable from a graph to a tensor, with the weights it has; or, with ``n_init``, what makes one (see :func:`separation`).
        pairs: by name, e.g. ``{"k=4": kchain(4)}``; in whatever form the model takes graphs.
        n_init: number of initialisations.
        threshold: as for :func:`separation`.

    >>> from erlangen.measure.gwl import counterexample, kchain
    >>> spread = lambda graph: torch.cdist(graph.pos, graph.pos).sum()
    >>> {name: bool(found) for name, found in probe(spread, {"chain": kchain(2), "stars": counterexample("2-body")}).items()}
    {'chain': True, 'stars': True}
    """
    if not pairs:
        raise ArgumentError("pairs", "at least one pair", "none")
    if n_init is not None:
        return {name: separation(model, pair, n_init=n_init, threshold=threshold) for name, pair in pairs.items()}
    found = {name: _apart(model, pair) for name, pair in pairs.items()}
    return {name: Separation(value, (value,), threshold) for name, value in found.items()}


@torch.no_grad()
def _apart(model: Callable[[Any], Any], pair: tuple[Any, Any]) -> float:
    first, second = (torch.as_tensor(model(graph)).detach().double().reshape(-1) for graph in pair)
    if first.shape != second.shape:
        raise ArgumentError("model", "outputs of one shape for both graphs", f"{first.numel()} and {second.numel()} numbers")
    if not bool(first.isfinite().all() & second.isfinite().all()):
        raise ArgumentError("model", "finite outputs", "NaN or infinity")
    size = float(first.norm() + second.norm())
    return float((first - second).norm()) / size if size else 0.0
