"""Which of the library's groups a group is, whichever class wrote it: so that an own SO(3) gets the frames and maps of ``SO(3)``."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from erlangen.groups.base import Group
from erlangen.linalg import matrix_exp

#: How nearly the elements of two groups must agree, relative to their size, to be the same ones (in float64).
SAME = 1e-9
#: From this degree on a group of permutations is known by the cycles of random elements, where it can be; below, by its order.
BY_CYCLES = 8
#: How many random elements are looked at for a cycle of long prime length; in S_n and A_n about one in log2(n) has one.
LOOKED_AT = 200


def recognised(group: Group) -> Group:
    """The library's own group with the same elements: ``SO(3)`` for anybody's class of all rotation matrices; else the group itself.

    The answer has the same elements, as the same tensors, so that it can stand in for the group: it knows closed forms, Haar
    measures, parts of an element. Recognised are groups of matrices by their Lie algebra and generators (rotations with and without
    reflections, about an axis, of a form, symplectic, linear, affine, tori), and groups of permutations by order and members (all, the
    even ones, cyclic shifts with and without reversal). Two groups compare equal when what they are recognised as does; each class of
    the library is recognised as itself, so ``Torus(1)`` and ``SO(2)``, which have the same elements, do not.

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
    if len(shape) == 1 and shape[0] > 0:
        return _permutations(group, shape[0])
    if len(shape) == 2 and shape[0] == shape[1] and group.dim:
        return _matrices(group)
    return group


# ---- permutations ----


def _permutations(group: Group, n: int) -> Group:
    from erlangen.groups.cyclic import Cyclic, Dihedral
    from erlangen.groups.permutation import Alternating, PermutationGroup, Symmetric, is_even

    if type(group) in (Cyclic, Dihedral, Alternating, Symmetric):
        return group
    if isinstance(group, PermutationGroup) and n >= BY_CYCLES:
        if _has_all_even(group.generators):
            return Alternating(n) if bool(is_even(group.generators).all()) else Symmetric(n)
        return _polygon(group, n, _count_up_to(group.generators, 2 * n))
    if not group.is_finite or not (isinstance(group, PermutationGroup) or _composes(group)):
        return group
    order = int(group.order)
    if order == math.factorial(n):
        return Symmetric(n)
    if n > 2 and 2 * order == math.factorial(n):  # the even permutations are the only subgroup of index two
        return Alternating(n)
    return _polygon(group, n, order)


def _polygon(group: Group, n: int, order: int) -> Group:
    """``Cyclic(n)`` or ``Dihedral(n)`` where a group of this order consists of their elements, else the group."""
    from erlangen.groups.cyclic import Cyclic, Dihedral

    points = torch.arange(n)
    if order not in (n, 2 * n) or not bool(group.contains((points + 1) % n)):
        return group
    if order == n:
        return Cyclic(n)
    return Dihedral(n) if n > 2 and bool(group.contains(-points % n)) else group


def _composes(group: Group) -> bool:
    """Whether elements are index maps that multiply by composition, the right factor first."""
    g, h = group.sample(2, 32, generator=torch.Generator().manual_seed(0))
    here = torch.arange(g.shape[-1])
    if g.is_floating_point() or not bool((g.sort(-1).values == here).all()):
        return False
    return torch.equal(group.multiply(g, h), g.gather(-1, h)) and torch.equal(group.identity(), here)


def _has_all_even(gens: Tensor) -> bool:
    """Whether permutations of at least eight points generate all even ones, as far as random products show it; True is certain.

    A transitive group with an element that has a cycle of prime length above n/2 and below n - 2 contains all even permutations
    (C. Jordan, 1873; H. Wielandt, "Finite Permutation Groups" (1964), theorem 13.9).
    """
    n = gens.shape[-1]
    orbit = torch.zeros(n, dtype=torch.bool)
    orbit[0] = True
    while not bool(orbit.all()):
        size = int(orbit.sum())
        orbit[gens[:, orbit].flatten()] = True
        if int(orbit.sum()) == size:
            return False
    wanted = {p for p in range(n // 2 + 1, n - 2) if all(p % d for d in range(2, math.isqrt(p) + 1))}
    # Random products by replacement: words that double in length mix fast where words of single letters would not.
    rng = torch.Generator().manual_seed(0)
    slots = gens.repeat(-(-10 // len(gens)), 1)
    for i, j in torch.randint(len(slots), (2, LOOKED_AT), generator=rng).T.tolist():
        slots[i] = slots[i][slots[j]] if i != j else slots[i]
        if wanted.intersection(_cycle_lengths(slots[i].tolist())):
            return True
    return False


def _cycle_lengths(images: list[int]) -> list[int]:
    seen, lengths = [False] * len(images), []
    for start in range(len(images)):
        length, here = 0, start
        while not seen[here]:
            seen[here], here, length = True, images[here], length + 1
        lengths.append(length)
    return lengths


def _count_up_to(gens: Tensor, largest: int) -> int:
    """How many permutations are generated, or 0 for more than ``largest``."""
    from erlangen.groups.closure import close_objects

    steps = [tuple(g) for g in gens.tolist()]
    closed = close_objects(tuple(range(gens.shape[-1])), steps, lambda g, h: tuple(g[i] for i in h), lambda g: g, largest)
    return 0 if closed is None else len(closed[0])


# ---- matrices ----


def _matrices(group: Group) -> Group:
    """By the algebra, which names the connected group, and the generators, which add reflections."""
    from erlangen.groups.affine import SE, AffineGroup, E
    from erlangen.groups.matrix import MatrixGroup
    from erlangen.groups.orthogonal import SO, O

    lie, gens = group.algebra, group.generators
    plain = type(group) in (MatrixGroup, AffineGroup)
    # A class of the library knows itself; the public ones for any generators, and classes of others, are looked at.
    if lie is None or not lie.dim or (type(group).__module__.startswith("erlangen.groups.") and not plain):
        return group
    if tuple(lie.basis.shape[1:]) != tuple(group.element_shape):
        return group
    connected = lie.group() if lie.closure_residual() <= SAME else None
    if not isinstance(connected, MatrixGroup) or type(connected) is MatrixGroup or not connected.algebra.same_span(lie, SAME):  # type: ignore[union-attr]
        return group
    found: Group = connected
    if gens is not None and not bool(connected.contains(gens.to(torch.float64), SAME).all()):
        larger = {SO: lambda: O(connected.n), SE: lambda: E(connected.n - 1)}.get(type(connected))
        if larger is None or not connected.linear_part.is_rotations:
            return group
        found = larger()
        if not bool(found.contains(gens.to(torch.float64), SAME).all()):
            return group
    return found if plain or _is_made_of(group, found) else group


def _is_made_of(group: Group, known: Group) -> bool:
    """Whether elements are members of a known group of matrices, multiply as matrices, and are exponentials of matrices."""
    from erlangen.groups.matrix import MatrixGroup

    rng = torch.Generator().manual_seed(0)
    if type(group).sample is MatrixGroup.sample:  # which asks what the group is recognised as: exponentials, without asking
        coefficients = torch.randn(2, 16, group.dim, generator=rng, dtype=torch.float64) / group.dim
        g, h = group.exp(group.algebra.combine(coefficients))  # type: ignore[union-attr]
    else:
        g, h = group.sample(2, 16, generator=rng, dtype=torch.float64, scale=0.5)
    if not g.is_floating_point() or not bool(known.contains(torch.cat([g, h]), SAME).all()):
        return False
    small = 0.1 * group.algebra.basis  # type: ignore[union-attr]
    # A class that states an algebra of matrices and no exponential of its own means that of matrices.
    exponentials = matrix_exp(small) if type(group).exp is Group.exp else group.exp(small)
    pairs = [(group.multiply(g, h), g @ h), (exponentials, matrix_exp(small))]
    if not all(bool((a - b).abs().amax() <= SAME * b.abs().amax()) for a, b in pairs):
        return False
    own_test = type(group).contains is not Group.contains  # the one by default asks what the group is recognised as
    return not own_test or bool(group.contains(torch.cat([g, exponentials])).all())
