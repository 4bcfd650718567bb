"""Which of the library's groups a group is, whichever class wrote it: so that an own SO(3) gets the frames and maps of ``SO(3)``."""

from __future__ import annotations

import math

import torch

from erlangen.groups.base import Group
from erlangen.linalg import matrix_exp

#: How nearly the elements of two groups must agree, relative to their size, to be the same ones (in float64).
SAME = 1e-9


def recognised(group: Group) -> Group:
    """The library's own group with the same elements: ``SO(3)`` for anybody's class of all rotation matrices; else the group itself.

    The answer has the same elements, as the same tensors, so that it can stand in for the group: it knows closed forms, Haar
    measures, parts of an element. Recognised are groups of matrices by their Lie algebra and generators (rotations with and without
    reflections, about an axis, of a form, symplectic, linear, affine, tori), and groups of permutations by order and members (all, the
    even ones, cyclic shifts with and without reversal). Two groups compare equal when what they are recognised as does.

    >>> import erlangen as er
    >>> recognised(er.MatrixGroup(algebra=er.SO(3).algebra.basis))
    SO(3)
    >>> er.groups.PermutationGroup(["(0 1)", "(0 1 2 3)"], degree=4) == er.Symmetric(4)
    True
    """
    return group._recognised


def recognise(group: Group) -> Group:
    """Find what :func:`recognised` gives, anew."""
    shape = group.element_shape
    if not isinstance(shape, tuple) or not all(isinstance(size, int) for size in shape):
        return group
    if len(shape) == 1 and group.is_finite:
        return _permutations(group, shape[0])
    if len(shape) == 2 and shape[0] == shape[1] and group.dim:
        return _matrices(group)
    return group


def _permutations(group: Group, n: int) -> Group:
    from erlangen.groups.cyclic import Cyclic, Dihedral
    from erlangen.groups.permutation import Alternating, PermutationGroup, Symmetric

    if type(group) in (Cyclic, Dihedral, Alternating, Symmetric) or n < 1:
        return group
    if not isinstance(group, PermutationGroup) and not _composes(group):
        return group
    order = int(group.order)
    if order == math.factorial(n):
        return Symmetric(n)
    if n > 2 and 2 * order == math.factorial(n):
        return Alternating(n)
    shift = (torch.arange(n) + 1) % n
    if order in (n, 2 * n) and bool(group.contains(shift)):
        if order == n:
            return Cyclic(n)
        if n > 2 and bool(group.contains((n - torch.arange(n)) % n)):
            return Dihedral(n)
    return group


def _composes(group: Group) -> bool:
    """Whether elements are index maps that multiply by composition, the right factor first."""
    g, h = group.sample(2, 8, generator=torch.Generator().manual_seed(0))
    here = torch.arange(g.shape[-1])
    if g.is_floating_point() or not bool((g.sort(-1).values == here).all()):
        return False
    return torch.equal(group.multiply(g, h), g.gather(-1, h))


def _matrices(group: Group) -> Group:
    """By the algebra, which names the connected group, and the generators, which add reflections."""
    from erlangen.groups.affine import SE, AffineGroup, E
    from erlangen.groups.matrix import MatrixGroup
    from erlangen.groups.orthogonal import SO, O

    lie, gens = group.algebra, group.generators
    own = type(group).__module__.split(".")[0] != __name__.split(".")[0]
    plain = own or type(group) in (MatrixGroup, AffineGroup)
    # A class of the library knows itself; the public ones for any generators, and classes of others, are looked at.
    if lie is None or not lie.dim or (isinstance(group, MatrixGroup) and not plain):
        return group
    if tuple(lie.basis.shape[1:]) != tuple(group.element_shape) or not (plain or _multiplies(group)):
        return group
    connected = lie.group() if lie.closure_residual() <= SAME else None
    if not isinstance(connected, MatrixGroup) or type(connected) is MatrixGroup or not connected.algebra.same_span(lie, SAME):  # type: ignore[union-attr]
        return group
    if gens is None or bool(connected.contains(gens.to(torch.float64), SAME).all()):
        return connected
    larger = {SO: lambda: O(connected.n), SE: lambda: E(connected.n - 1)}.get(type(connected))
    if larger is None or not (connected.is_rotations or connected.linear_part.is_rotations):
        return group
    with_reflections = larger()
    return with_reflections if bool(with_reflections.contains(gens.to(torch.float64), SAME).all()) else group


def _multiplies(group: Group) -> bool:
    """Whether elements are matrices that multiply as such and the algebra's exponentials are among them."""
    g, h = group.sample(2, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64, scale=0.5)
    if not g.is_floating_point():
        return False
    product, exact = group.multiply(g, h), g @ h
    close = (product - exact).abs().amax() <= SAME * exact.abs().amax()
    return bool(close) and bool(group.contains(matrix_exp(0.1 * group.algebra.basis)).all())  # type: ignore[union-attr]
