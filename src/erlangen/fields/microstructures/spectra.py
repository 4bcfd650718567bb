"""Invariants of translations in frequencies: power spectra, which mates share, and bispectra, which tell them apart."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Complex, Float
from scipy import fft

from erlangen.errors import ArgumentError
from erlangen.fields.microstructures.correlation import phase_pairs
from erlangen.fields.microstructures.structure import as_structure, both
from erlangen.verdict import Verdict

#: Frequencies of a bispectrum where none are named: all of a small grid, the lowest of a larger one.
MOST_FREQUENCIES = 64
#: Relative differences of bispectra below this are taken for rounding.
ROUNDING = 1e-9


class Invariants(NamedTuple):
    """What a structure has in common with all its translates.

    Attributes:
        power: ``conj(I_a) I_b`` in frequencies for the independent pairs of phases, ``[pairs, *P]``: the two-point correlations.
        bispectrum: see :func:`bispectrum`.
    """

    power: Complex[np.ndarray, "pairs ..."]
    bispectrum: Complex[np.ndarray, "phases m m"]


def invariants(S: Any) -> Invariants:
    """Power spectra and bispectra.

    >>> invariants([1, 1, 2, 1, 2, 2]).bispectrum.shape
    (1, 6, 6)
    """
    array = as_structure(S)
    hats = indicator_transforms(array)
    power = [hats[a - 1].conj() * hats[b - 1] for a, b in phase_pairs(int(array.max()))]
    return Invariants(np.stack(power) if power else hats[:0], bispectrum(array))


def bispectrum(S: Any, frequencies: Any = None) -> Complex[np.ndarray, "phases m m"]:
    """``B_a[q1, q2] = I_a[q1] I_a[q2] conj(I_a[q1 + q2])`` for phases 1 .. n - 1 (1 where there is one only).

    Translations leave it, inversion conjugates it; for structures whose spectrum vanishes nowhere it determines them up to translation.

    Args:
        S: a structure ``[*P]``.
        frequencies: integers ``[m, D]``; by default the 64 lowest.

    >>> B = bispectrum([1, 1, 2, 1, 2, 2])
    >>> bool(np.allclose(B, bispectrum([2, 1, 1, 2, 1, 2])))
    True
    """
    array = as_structure(S)
    q = low_frequencies(array.shape) if frequencies is None else np.asarray(frequencies)
    if q.ndim != 2 or q.shape[1] != array.ndim or q.dtype.kind not in "iu":
        raise ArgumentError("frequencies", f"integers [m, {array.ndim}]", f"{q.dtype} {q.shape}")
    hats = indicator_transforms(array)
    one = hats[(slice(None), *(q % array.shape).T)]
    both_q = (q[:, None] + q[None]) % array.shape
    total = hats[(slice(None), *np.moveaxis(both_q, -1, 0))]
    return one[:, :, None] * one[:, None, :] * total.conj()


def indicator_transforms(array: np.ndarray) -> Complex[np.ndarray, "phases ..."]:
    """Fourier transforms of the indicators of phases 1 .. n - 1, of one phase its own."""
    masks = array[None] == np.arange(1, max(2, int(array.max()))).reshape(-1, *(1,) * array.ndim)
    return fft.fftn(masks.astype(np.float64), axes=tuple(range(1, array.ndim + 1)))


def low_frequencies(sizes: tuple[int, ...], most: int = MOST_FREQUENCIES) -> Float[np.ndarray, "m D"]:
    """The lowest frequencies by their length in turns a site, each once; ties in the order of the grid."""
    sides = [range(-((s - 1) // 2), s // 2 + 1) for s in sizes]
    reach = int(np.ceil(most ** (1 / len(sizes)))) + 1
    near = itertools.product(*([k for k in side if abs(k) <= reach] if len(side) > 2 * reach else side for side in sides))
    every = np.array(list(near), np.int64).reshape(-1, len(sizes))
    return every[np.argsort(((every / np.array(sizes)) ** 2).sum(1), kind="stable")][:most]


def distinguished(a: Any, b: Any, frequencies: Any = None) -> Verdict:
    """Whether bispectra tell two structures apart, also up to inversion: a certificate in floating-point numbers.

    Returns:
        a verdict with numbers ``bispectra`` (the largest difference, relative to the largest entry, of the nearer of ``b`` and its
        inversion) and ``power spectra`` (the same of these); its witness is ``(phase, q1, q2)`` of that difference. Where it does not
        hold, nothing is proved: only these frequencies were compared.

    >>> distinguished([1, 1, 2, 2, 1, 2, 1, 2, 2, 2, 2, 2], [1, 1, 2, 1, 2, 2, 2, 1, 2, 2, 2, 2]).holds
    True
    """
    first, second = both(a, b)
    q = low_frequencies(first.shape) if frequencies is None else np.asarray(frequencies)
    x, y = bispectrum(first, q), bispectrum(second, q)
    if x.shape != y.shape:
        return Verdict(True, "the numbers of phases differ", "exact")
    size = max(np.abs(x).max(), np.abs(y).max(), 1e-300)
    gaps = [np.abs(x - other) / size for other in (y, y.conj())]
    gap = min(gaps, key=lambda g: float(g.max()))
    where = np.unravel_index(int(gap.argmax()), gap.shape)
    f, g = indicator_transforms(first), indicator_transforms(second)
    power = np.abs(np.abs(f) ** 2 - np.abs(g) ** 2).max() / (np.abs(f) ** 2).max()
    holds = bool(gap.max() > ROUNDING)
    return Verdict(
        holds, "bispectra tell the structures apart, also up to inversion", "exact" if holds else "search", tried=gap.size,
        numbers={"bispectra": float(gap.max()), "power spectra": float(power)},
        witness=(int(where[0]) + 1, q[where[1]].tolist(), q[where[2]].tolist()),
    )  # fmt: skip
