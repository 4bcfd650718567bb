"""Whether two crystals are the same up to noise: pymatgen's matcher, with a limit of time for each pair."""

from __future__ import annotations

import math
import signal
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np

from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.crystals.crystal import Crystal, as_crystal
from erlangen.fields.crystals.validity import smact14_valid, structure_valid

#: How far sites may be apart, in units of the cube root of the volume per atom; lengths of cells, relative; angles in degrees.
SITES, LENGTHS, ANGLES = 0.5, 0.3, 10.0
#: Cubic angstrom for an atom below which cells are no crystals, and pymatgen may take all memory.
SMALL = 0.1


@dataclass
class Matcher:
    """pymatgen's ``StructureMatcher`` (primitive cells, scaled to one volume), which may take very long on large skewed cells.

    It calls mirror images equal.

    Args:
        sites, lengths, angles: its tolerances ``stol``, ``ltol`` and ``angle_tol``.
        seconds: for a pair; then it counts as no match. Only the main thread, of systems with timers, can stop a pair; elsewhere there is
            no limit, and a warning says so. ``math.inf``: none is wanted.

    Attributes:
        stopped: how many pairs took too long.
    """

    sites: float = SITES
    lengths: float = LENGTHS
    angles: float = ANGLES
    seconds: float = 10.0
    stopped: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.seconds, int | float) or not self.seconds > 0:
            raise ArgumentError("seconds", "a positive number of seconds", repr(self.seconds))
        matcher = engine("crystals", "pymatgen.analysis.structure_matcher").StructureMatcher
        self._matcher = matcher(stol=self.sites, ltol=self.lengths, angle_tol=self.angles)

    def distance(self, a: Crystal, b: Crystal) -> float:
        """The root mean square distance of sites in units of the cube root of the volume per atom; NaN where they do not match."""
        if sorted(_fractions(a)) != sorted(_fractions(b)):
            return math.nan
        try:
            with _limit(self.seconds):
                found = self._matcher.get_rms_dist(_of_size(a).to_pymatgen(), _of_size(b).to_pymatgen())
        except TimeoutError:
            self.stopped += 1
            return math.nan
        return math.nan if found is None else float(found[0])

    def same(self, a: Crystal, b: Crystal) -> bool:
        """Whether they match."""
        return not math.isnan(self.distance(a, b))


@dataclass(frozen=True, eq=False)
class Matched:
    """Predictions beside references.

    Attributes:
        distances: of each prediction from its reference, ``[n, k]``, in units of the cube root of the volume per atom; NaN where they do
            not match.
        valid: whether each prediction is (structure and composition), bool ``[n, k]``; ``reference_valid`` of the references, ``[n]``.
        best: of each reference the least distance to *all* predictions of its composition, ``[n]``.
        stopped: how many pairs took too long, and count as no match.
        sites: the largest distance at which sites may match.
    """

    distances: np.ndarray
    valid: np.ndarray
    reference_valid: np.ndarray
    best: np.ndarray
    stopped: int
    sites: float

    def match_rate(self, k: int | None = None, valid: str | None = None) -> float:
        """The share of references that one of their first ``k`` predictions matches.

        Args:
            k: all by default.
            valid: ``"prediction"`` counts only matches by valid predictions, as the source does for several samples; ``"both"`` only those
                to valid references, too, as it does for one.
        """
        return float(np.mean(~np.isnan(self._least(k, valid))))

    def rmse(self, k: int | None = None, valid: str | None = None) -> float:
        """The mean of the least distances over matched references *only*: not to be compared between different match rates."""
        least = self._least(k, valid)
        return float(np.mean(least[~np.isnan(least)])) if (~np.isnan(least)).any() else math.nan

    @property
    def metre(self) -> float:
        """The share of references that *some* prediction of their composition matches: polymorphs may be found in any order."""
        return float(np.mean(~np.isnan(self.best)))

    @property
    def crmse(self) -> float:
        """The mean over *all* references of the least distance to the predictions of their composition; the largest where none matches."""
        return float(np.mean(np.where(np.isnan(self.best), self.sites, self.best)))

    def _least(self, k: int | None, valid: str | None) -> np.ndarray:
        there = self.distances.shape[1]
        if k is not None and (not isinstance(k, Integral) or isinstance(k, bool) or not 1 <= k <= there):
            raise ArgumentError("k", f"a number of predictions from 1 to {there}", repr(k))
        distances = self.distances[:, :k]
        if valid is not None:
            if valid not in ("prediction", "both"):
                raise ArgumentError("valid", "'prediction', 'both' or None", repr(valid))
            distances = np.where(self.valid[:, :k], distances, math.nan)
            if valid == "both":
                distances = np.where(self.reference_valid[:, None], distances, math.nan)
        return np.where(np.isnan(distances).all(1), math.nan, np.fmin.reduce(distances, axis=1))


def csp(pred: Sequence[Any], ref: Sequence[Any], *, seconds: float = 10.0) -> Matched:
    """Predicted structures beside the true ones, by the protocol of the literature: ``StructureMatcher(stol=.5, ltol=.3, angle_tol=10)``.

    The corrected numbers :attr:`Matched.metre` and :attr:`Matched.crmse` look at all predictions of a composition and all its references
    together, and unmatched references count with the largest distance: the usual RMSE, over matched ones alone, rewards failing.

    Args:
        pred: for each reference a crystal, or a list of as many as for the others.
        ref: crystals.
        seconds: for a pair, see :class:`Matcher`.

    Raises:
        ArgumentError: other numbers of predictions than of references.

    Source: Xie et al., ICLR 2022, arXiv:2110.06197; Jiao et al., NeurIPS 2023, arXiv:2309.04475; the corrected numbers, as we read it:
    "All that structure matches does not glitter", arXiv:2509.12178.

    >>> import torch
    >>> salt = Crystal(5.64 * torch.eye(3) / 2 @ (1 - torch.eye(3)), torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0.5]]), ["Na", "Cl"])
    >>> csp([[salt]], [salt]).match_rate()
    1.0
    """
    truth = [as_crystal(one, f"ref[{i}]") for i, one in enumerate(ref)]
    lists = [list(one) if isinstance(one, list | tuple) else [one] for one in pred]
    counts = {len(one) for one in lists}
    if len(lists) != len(truth) or len(counts) != 1 or 0 in counts:
        raise ArgumentError("pred", f"as many predictions for each of {len(truth)} references", f"{len(lists)} of {sorted(counts)}")
    made = [[as_crystal(one, f"pred[{i}][{k}]") for k, one in enumerate(each)] for i, each in enumerate(lists)]
    matcher = Matcher(seconds=seconds)
    distances = np.array([[matcher.distance(one, target) for one in each] for each, target in zip(made, truth)])
    valid = np.array([[structure_valid(one) and smact14_valid(one.counts) for one in each] for each in made])
    reference_valid = np.array([structure_valid(one) and smact14_valid(one.counts) for one in truth])
    best = np.where(np.isnan(distances).all(1), math.nan, np.fmin.reduce(distances, axis=1))
    group: dict[tuple[tuple[int, float], ...], list[int]] = {}
    for i, target in enumerate(truth):
        group.setdefault(tuple(sorted(_fractions(target))), []).append(i)
    for members in group.values():
        for i in members:
            for j in members:
                if i != j:  # own predictions are known
                    best[i] = np.fmin.reduce([best[i], *(matcher.distance(one, truth[i]) for one in made[j])])
    return Matched(distances, valid, reference_valid, best, matcher.stopped, matcher.sites)


def _of_size(crystal: Crystal) -> Crystal:
    """A crystal far too small for one, blown up: volumes are scaled anyway, but primitive cells are sought with a fixed tolerance."""
    each = crystal.volume / len(crystal)
    return crystal if each > SMALL else Crystal(crystal.cell * (10 / each) ** (1 / 3), crystal.fractional, crystal.numbers)


def _fractions(crystal: Crystal) -> list[tuple[int, float]]:
    """Shares of the elements, exact enough to tell formulas apart."""
    total = len(crystal)
    return [(number, round(count / total, 9)) for number, count in crystal.counts.items()]


@contextmanager
def _limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError after so many seconds, in the main thread of systems that have timers; a timer that runs goes on after it."""
    if math.isinf(seconds):
        yield
        return
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        warnings.warn(f"a pair of crystals cannot be stopped after {seconds:g} seconds outside the main thread", stacklevel=5)
        yield
        return

    def stop(number: int, frame: Any) -> None:
        raise TimeoutError

    before, started = signal.signal(signal.SIGALRM, stop), time.monotonic()
    left, every = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - started), 1e-3), every)
