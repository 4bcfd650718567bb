"""What traces say: which irreducible representations a set of matrices contains, and how many maps commute with a finite group."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups.base import Element
from erlangen.groups.lookup import chunks
from erlangen.reps.base import Rep
from erlangen.reps.basic import Permutation
from erlangen.reps.combine import DirectSum, TensorProduct
from erlangen.reps.finite import Regular

#: The largest group whose characters are summed, and the most numbers in all matrices that are made for it.
LARGEST_GROUP, LARGEST_SUM = 20_000, 2**27


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
        raise ArgumentError("top", f"a frequency from 0 to {len(traces) - 1}, below the number of matrices", repr(top))
    k = torch.arange(top + 1, dtype=torch.float64, device=traces.device)
    characters = 2 * torch.cos(angles.detach().to(traces)[:, None] * k)
    return _fit(traces, torch.cat([torch.ones_like(characters[:, :1]), characters[:, 1:]], 1))


def _traces(matrices: Tensor) -> Tensor:
    if not isinstance(matrices, Tensor) or matrices.ndim != 3 or matrices.shape[1] != matrices.shape[2]:
        raise ArgumentError("matrices", "a stack [n, a, a]", tuple(getattr(matrices, "shape", ())))
    return matrices.detach().to(torch.float64).diagonal(dim1=1, dim2=2).sum(1)


def _fit(traces: Tensor, characters: Tensor) -> Tensor:
    return torch.linalg.lstsq(characters.cpu(), traces.cpu().unsqueeze(1), driver="gelsd").solution.squeeze(1)


def character(rep: Rep, g: Element) -> Float[Tensor, "*batch"]:
    """The traces of the matrices in float64, of sums and products from those of their parts and of permutations by fixed points.

    >>> from erlangen.groups import Symmetric
    >>> V = Symmetric(3).vector
    >>> character(V ** 2 + V, Symmetric(3).elements()).tolist()
    [12.0, 2.0, 2.0, 0.0, 0.0, 2.0]
    """
    if isinstance(rep, DirectSum):
        return torch.stack([character(part, g) for part in rep.parts]).sum(0)
    if isinstance(rep, TensorProduct):
        return torch.stack([character(part, g) for part in rep.parts]).prod(0)
    if isinstance(rep, Permutation):
        return (g == torch.arange(rep.dim, device=g.device)).sum(-1).to(torch.float64)
    if isinstance(rep, Regular):
        return rep.dim * rep.group.equal(g, rep.group.identity_like(g)).to(torch.float64)
    return rep.character(g).to(torch.float64)


def largest_matrix(rep: Rep) -> int:
    """How many numbers the largest matrix has that :func:`character` makes for one element."""
    if isinstance(rep, (DirectSum, TensorProduct)):
        return max(largest_matrix(part) for part in rep.parts)
    return rep.dim if isinstance(rep, (Permutation, Regular)) else rep.dim**2


def count_equivariant_maps(source: Rep, target: Rep) -> int | None:
    """The dimension of the equivariant maps between two representations of a finite group: the mean of the product of their characters.

    Exact, and without a basis; ``None`` where the group is infinite or too large to go through (20 000 elements, or matrices of more than
    2^27 numbers in all).

    Raises:
        ArgumentError: the representations belong to different groups.
        UnsupportedError: the mean is no whole number: one of the representations is none, or its matrices are too inaccurate.

    >>> from erlangen.groups import Dihedral
    >>> V = Dihedral(4).vector
    >>> count_equivariant_maps(V ** 3, V ** 3)
    528
    """
    group = source.group
    if group != target.group:
        raise ArgumentError("target", f"a representation of {group}", f"one of {target.group}")
    numbers = max(largest_matrix(source), largest_matrix(target))
    if not group.is_finite or group.order > LARGEST_GROUP or group.order * numbers > LARGEST_SUM:
        return None
    every, total, size = group.elements(), 0.0, 0.0
    for part in chunks(int(group.order), numbers):
        g = group.take(every, part)
        products = character(source, g) * character(target, g)
        total, size = total + float(products.sum()), size + float(products.abs().sum())
    count = total / int(group.order)
    # Of real representations the character of the inverse is the same.
    if abs(count - round(count)) > 0.01 + 1e-12 * size / int(group.order) or round(count) < 0:
        raise UnsupportedError(
            f"the equivariant maps {source.symbol} -> {target.symbol} of {group} have no clear dimension: the characters count "
            f"{count:.6g}, no whole number; check the representations with erlangen.testing.check_rep"
        )
    return round(count)
