"""Which irreducible representations a set of matrices contains, read off their traces."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.base import Element
from erlangen.reps.base import Rep


def character_multiplicities(
    matrices: Float[Tensor, "n a a"], elements: Element, irreps: Sequence[Rep]
) -> Float[Tensor, " irreps"]:
    """How often each irreducible representation occurs, by least squares of the traces on the characters.

    The matrices need not be exact, nor in any particular basis, nor the elements spread by the Haar measure: there must only be at
    least as many of them as irreps. Real numbers come back; how far they are from whole ones says how well the matrices represent.

    Args:
        matrices: one for each element.
        elements: a batch ``[n, *element_shape]`` of elements of the irreps' group.
        irreps: inequivalent irreducible representations of one group.

    Raises:
        ArgumentError: no irreps, irreps of different groups, or numbers of matrices and elements that differ.

    >>> from erlangen.groups import SO
    >>> G = SO(3)
    >>> g = G.sample(50, dtype=torch.float64)
    >>> character_multiplicities((G.vector ** 3)(g), g, [G.irrep(l) for l in range(4)]).round().tolist()
    [1.0, 3.0, 2.0, 1.0]
    """
    traces = _traces(matrices)
    if not irreps or any(rep.group != irreps[0].group for rep in irreps):
        raise ArgumentError("irreps", "irreducible representations of one group", [repr(rep) for rep in irreps])
    batch = irreps[0].group.batch_shape(elements)
    if batch != (len(traces),):
        raise ArgumentError("elements", f"{len(traces)} elements, one for each matrix", f"a batch {batch}")
    return _fit(traces, torch.stack([rep.character(elements).to(traces) for rep in irreps], 1))


def frequency_multiplicities(matrices: Float[Tensor, "n a a"], angles: Float[Tensor, " n"], top: int) -> Float[Tensor, " top+1"]:
    """How often each frequency 0, 1, ..., ``top`` of SO(2) occurs in matrices that represent rotations by known angles.

    The character of frequency ``k`` is ``2 cos(k angle)`` (a real block of size two holds the conjugate pair), that of frequency 0 is 1.
    Only cosines are used, so angles from a half turn ``[0, pi]`` are enough.

    Args:
        matrices: one for each angle.
        angles: in radians.
        top: the highest frequency asked for; more matrices than ``top`` are needed.

    Raises:
        ArgumentError: numbers of matrices and angles that differ, or too few of them.

    >>> from erlangen.groups import SO
    >>> angles = torch.linspace(0, 3, 40, dtype=torch.float64)
    >>> V = SO(2).irrep(2) + SO(2).irrep(2) + SO(2).irrep(5) + SO(2).scalar
    >>> M = V(SO(2).exp(SO(2).algebra.combine(angles[:, None])))
    >>> frequency_multiplicities(M, angles, 6).round().abs().tolist()
    [1.0, 0.0, 2.0, 0.0, 0.0, 1.0, 0.0]
    """
    traces = _traces(matrices)
    if not isinstance(angles, Tensor) or tuple(angles.shape) != tuple(traces.shape):
        raise ArgumentError("angles", f"{len(traces)} angles, one for each matrix", f"shape {tuple(getattr(angles, 'shape', ()))}")
    if top < 0 or len(traces) <= top:
        raise ArgumentError("top", f"a frequency from 0 to {len(traces) - 1}, below the number of matrices", top)
    k = torch.arange(top + 1, dtype=torch.float64, device=traces.device)
    characters = 2 * torch.cos(angles.detach().to(traces)[:, None] * k)
    return _fit(traces, torch.cat([torch.ones_like(characters[:, :1]), characters[:, 1:]], 1))


def _traces(matrices: Tensor) -> Tensor:
    if not isinstance(matrices, Tensor) or matrices.ndim != 3 or matrices.shape[1] != matrices.shape[2]:
        raise ArgumentError("matrices", "a stack [n, a, a]", tuple(getattr(matrices, "shape", ())))
    return matrices.detach().to(torch.float64).diagonal(dim1=1, dim2=2).sum(1)


def _fit(traces: Tensor, characters: Tensor) -> Tensor:
    return torch.linalg.lstsq(characters.cpu(), traces.cpu().unsqueeze(1), driver="gelsd").solution.squeeze(1)
