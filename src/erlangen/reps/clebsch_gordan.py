"""How two irreducible parts of SO(3) or O(3) multiply: real Clebsch-Gordan coefficients, exact up to one rounding."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError


def clebsch_gordan(l1: int, l2: int, l3: int) -> Float[Tensor, "m1 m2 m3"]:
    """The invariant tensor of three degrees, ``[2 l1 + 1, 2 l2 + 1, 2 l3 + 1]`` in float64, its squares adding up to one.

    ``sqrt(2 l3 + 1) * einsum("ijk,i,j->k", C, x, y)`` is the part of degree l3 in the product of x and y: an isometry from the copy of
    that part in the tensor product. Components are those of :func:`~erlangen.reps.solid_harmonics`, and signs are those of Condon and
    Shortley, carried over to real harmonics by the phases ``(-i)^l``: the same numbers as e3nn's ``wigner_3j``. It is symmetric under
    exchange of two axes when ``l1 + l2 + l3`` is even and changes sign when it is odd.

    Args:
        l1, l2, l3: degrees; parities multiply and need no table.

    Raises:
        ArgumentError: a degree is negative, or the three form no triangle ``|l1 - l2| <= l3 <= l1 + l2``.

    Source: G. Racah, Phys. Rev. 62 (1942) 438, eq. 16, in whole numbers.

    >>> C = clebsch_gordan(1, 1, 1)                         # the cross product, over the root of 6
    >>> (C * 6**0.5).round().int()[0].tolist()
    [[0, 0, 0], [0, 0, 1], [0, -1, 0]]
    """
    for name, value in (("l1", l1), ("l2", l2), ("l3", l3)):
        if not isinstance(value, int) or value < 0:
            raise ArgumentError(name, "a degree of at least 0", repr(value))
    if not abs(l1 - l2) <= l3 <= l1 + l2:
        raise ArgumentError("l3", f"a degree from {abs(l1 - l2)} to {l1 + l2}, into which {l1} and {l2} multiply", repr(l3))
    return _coefficients(l1, l2, l3).clone()


@lru_cache(maxsize=4096)
@torch.inference_mode(False)  # what is kept must serve training too
def _coefficients(l1: int, l2: int, l3: int) -> Tensor:
    """The table itself, kept: not to be written to."""
    complex_table = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l3 + 1))
    for m1 in range(-l1, l1 + 1):
        for m2 in range(max(-l2, -l3 - m1), min(l2, l3 - m1) + 1):
            complex_table[l1 + m1, l2 + m2, l3 + m1 + m2] = _racah(l1, m1, l2, m2, l3)
    table = np.einsum("abc,ai,bj,ck->ijk", complex_table, _real(l1), _real(l2), _real(l3).conj(), optimize=True).real
    return torch.from_numpy(np.ascontiguousarray(table / np.linalg.norm(table)))


def _racah(l1: int, m1: int, l2: int, m2: int, l3: int) -> float:
    """``<l1 m1 l2 m2 | l3 m1+m2>`` up to a factor that depends on the degrees alone; the alternating sum is of whole numbers."""
    f, m3 = math.factorial, m1 + m2
    first = max(0, l2 - l3 - m1, l1 - l3 + m2)
    last = min(l1 + l2 - l3, l1 - m1, l2 + m2)
    # One common denominator would do; binomials are smaller: C(a, k) C(b, p - k) C(c, q - k) with factors that do not depend on k.
    total = sum(
        (-1) ** k * math.comb(l1 + l2 - l3, k) * math.comb(l3 + l1 - l2, l1 - m1 - k) * math.comb(l3 + l2 - l1, l2 + m2 - k)
        for k in range(first, last + 1)
    )
    size = f(l1 + m1) * f(l1 - m1) * f(l2 + m2) * f(l2 - m2) * f(l3 + m3) * f(l3 - m3)
    # Integers of any size: the quotient is rounded once.
    return math.copysign(math.sqrt(total * total * size / (f(l1) * f(l2) * f(l3)) ** 2), total)


@lru_cache(maxsize=64)
def _real(l: int) -> np.ndarray:
    """Complex harmonics (rows, ``m = -l .. l``) in terms of the real ones (columns), with the phase that makes coefficients real."""
    change = np.zeros((2 * l + 1, 2 * l + 1), dtype=np.complex128)
    change[l, l] = 1
    for m in range(1, l + 1):
        cosine, sine = l + m, l - m
        change[l - m, cosine], change[l - m, sine] = 2**-0.5, -1j * 2**-0.5
        change[l + m, cosine], change[l + m, sine] = (-1) ** m * 2**-0.5, (-1) ** m * 1j * 2**-0.5
    return (-1j) ** l * change
