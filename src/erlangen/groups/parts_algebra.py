"""Algebras of affine maps of several spaces at once: which generators move which space, and which move several together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.affine import AffineSubgroup
from erlangen.groups.affine_algebra import AffineAlgebra, affine_algebra
from erlangen.groups.base import Group
from erlangen.groups.products import DirectProduct

if TYPE_CHECKING:
    from erlangen.actions.base import Action

#: More spaces are not told apart: all subsets of them are looked at.
MOST_PARTS = 10
#: What is smaller than this part of its kind is zero, and matrices that differ by no more than this part are alike.
ZERO, ALIKE = 1e-7, 1e-6


@dataclass(frozen=True)
class Piece:
    """A span of generators that move some of the spaces, and cannot be split into spans that move fewer.

    Attributes:
        generators: ``[k, n, n + 1]`` on all spaces.
        parts: numbers of the spaces that move.
        name: of what they do there, e.g. ``"so(3)"``; ``"se(3)"`` in one space.
        alike: whether they are the same matrices in each.
        rates: of one generator in several spaces, how fast it is in each, the slowest at 1, and below zero where it shrinks what it
            stretches in the first; empty otherwise.
    """

    generators: Tensor
    parts: tuple[int, ...]
    name: str
    alike: bool
    rates: tuple[float, ...] = ()


@dataclass(frozen=True)
class PartsAlgebra(AffineAlgebra):
    """A closed span of generators that move several spaces ``R^n_1, R^n_2, ...``, each by its own ``x -> A_k x + b_k``.

    As an algebra of their sum, ``A`` is block diagonal; what the sum has in common (``linear``, ``form``, ...) is that of
    :class:`~erlangen.groups.affine_algebra.AffineAlgebra`.

    Attributes:
        names: of the spaces.
        sizes: their dimensions.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]

    @property
    def words(self) -> str:
        """Which spaces how many generators move, for a person."""
        said = []
        for piece in self.factors:
            where = _listed([self.names[k] for k in piece.parts])
            count = len(piece.generators)
            said.append(f"{count} move{'s' if count == 1 else ''} {where}{' at once' if len(piece.parts) > 1 else ''}")
        return ", ".join(said)

    def block(self, generators: Float[Tensor, "k n c"], part: int) -> Float[Tensor, "k m d"]:
        """``(A_k | b_k)`` of one space."""
        return _block(generators, self.sizes, part)

    def as_parts(self) -> dict[str, Any]:
        """What :func:`parts_algebra` needs beside the generators, ready for JSON."""
        return {"names": list(self.names), "sizes": list(self.sizes), "units": self.units.tolist()}

    @cached_property
    def factors(self) -> tuple[Piece, ...]:
        """The finest direct sum of algebras that move different spaces."""
        return tuple(_pieces(self.generators, self.sizes, self.units, whole=True))

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """The linear moves and the translations, each split as far as different spaces allow; whole groups of one space together."""
        return tuple(piece for factor in self.factors for piece in _named(factor, self.sizes, self.units))

    @property
    def group(self) -> Group:
        """The connected group: of one factor its own, else the direct product; :meth:`motions` says how it moves each space."""
        groups = [group for group, _ in self._motions]
        return groups[0] if len(groups) == 1 else DirectProduct(*groups)

    def motions(self) -> dict[str, Action | None]:
        """How :attr:`group` moves each space, by name: an :class:`~erlangen.Action`, or ``None`` where it moves nothing.

        >>> turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
        >>> both = torch.zeros(1, 4, 5)
        >>> both[0, :2, :2] = both[0, 2:, 2:4] = turn
        >>> found = parts_algebra(both, (2, 2), ("position", "velocity"))
        >>> found.name, found.group, found.motions()["velocity"]
        ('so(2) on position and velocity alike', SO(2), V of SO(2))
        """
        from erlangen.actions.parts import of_factor

        product = self.group
        motions: dict[str, Action | None] = dict.fromkeys(self.names)
        for place, (_, own) in enumerate(self._motions):
            for part, action in own.items():
                motions[self.names[part]] = of_factor(product, place, action) if isinstance(product, DirectProduct) else action
        return motions

    @cached_property
    def _motions(self) -> list[tuple[Group, dict[int, Action]]]:
        """For each factor its group, and how that moves the spaces."""
        return [_motion(factor, self.sizes, self.units) for factor in self.factors]

    def factor_motions(self) -> list[tuple[Group, dict[str, Action]]]:
        """For each factor by itself its group, and how that moves the spaces that it moves, by name."""
        return [(group, {self.names[part]: action for part, action in own.items()}) for group, own in self._motions]


def parts_algebra(
    generators: Float[Tensor, "k n c"], sizes: Sequence[int], names: Sequence[str], units: Float[Tensor, " n"] | None = None
) -> PartsAlgebra:
    """Take a closed span of generators on several spaces apart and name it.

    Args:
        generators: ``[k, n, n + 1]`` on the sum of the spaces, ``A`` block diagonal.
        sizes: of the spaces.
        names: of the spaces.
        units: a size for each component, by which parts of generators are compared; by default 1.

    Raises:
        ArgumentError: not of that shape, more than ten spaces, or generators that mix spaces.

    >>> shift, turn = torch.zeros(2, 4, 5), torch.zeros(1, 4, 5)
    >>> shift[[0, 1], [0, 1], 4] = 1.0
    >>> turn[0, [1, 3], [0, 2]], turn[0, [0, 2], [1, 3]] = 1.0, -1.0
    >>> print(parts_algebra(torch.cat([turn, shift]), (2, 2), ("position", "velocity")).name)
    so(2) on position and velocity alike + translations(2) on position
    """
    generators = torch.as_tensor(generators).detach().to(torch.float64).cpu()
    sizes, names = tuple(sizes), tuple(names)
    n = sum(sizes)
    if generators.ndim != 3 or tuple(generators.shape[1:]) != (n, n + 1):
        raise ArgumentError(
            "generators", f"generators [k, {n}, {n + 1}] of spaces of {list(sizes)} dimensions", tuple(generators.shape)
        )
    if len(names) != len(sizes) or len(sizes) > MOST_PARTS:
        raise ArgumentError("names", f"a name for each of at most {MOST_PARTS} spaces", list(names))
    if bool(generators[:, ~allowed_entries(sizes)].any()):
        raise ArgumentError("generators", "generators that move each space by itself", "some that mix them")
    units = torch.ones(n, dtype=torch.float64) if units is None else units.double()
    whole = affine_algebra(generators)
    fields = {key: getattr(whole, key) for key in AffineAlgebra.__dataclass_fields__} | {"units": units}
    found = PartsAlgebra(**fields, names=names, sizes=sizes)
    return PartsAlgebra(**{**fields, "name": _name(found)}, names=names, sizes=sizes)


def allowed_entries(sizes: Sequence[int]) -> Tensor:
    """``[n, n + 1]``: where generators that move each space by itself may be other than zero.

    >>> allowed_entries((1, 2)).int().tolist()
    [[1, 0, 0, 1], [0, 1, 1, 1], [0, 1, 1, 1]]
    """
    blocks = torch.block_diag(*[torch.ones(size, size) for size in sizes])
    return torch.cat([blocks, torch.ones(len(blocks), 1)], 1) > 0


def split_by_parts(rows: Float[Tensor, "k n c"], sizes: Sequence[int]) -> list[tuple[tuple[int, ...], Float[Tensor, "m n c"]]]:
    """The finest splitting of a span into spans that move different spaces: their numbers, and an orthonormal basis of each span.

    Cutting all generators off outside of some spaces leaves them in the span just where it splits there; such sets of spaces are closed
    under intersection, so that the smallest ones are the answer.
    """
    k, n, c = rows.shape
    if not k:
        return []
    basis = torch.linalg.qr(rows.flatten(1).mT).Q.mT
    starts = [sum(sizes[:part]) for part in range(len(sizes))]
    inside = torch.zeros(len(sizes), n, dtype=torch.bool)
    for part, (start, size) in enumerate(zip(starts, sizes)):
        inside[part, start : start + size] = True
    moving = [p for p in range(len(sizes)) if float((rows * inside[p][:, None]).abs().max()) > ZERO * float(rows.abs().max())]

    def cut(some: Sequence[int]) -> Tensor:
        return (basis.unflatten(1, (n, c)) * inside[list(some)].any(0)[:, None]).flatten(1)

    sets = []
    for bits in range(1, 2 ** max(len(moving) - 1, 0)):
        some = [p for place, p in enumerate(moving[1:]) if bits >> place & 1]
        kept = cut(some)
        if float((kept - (kept @ basis.mT) @ basis).norm()) <= ZERO * k**0.5:
            sets.append(frozenset(some))
    together: dict[tuple[bool, ...], list[int]] = {}
    for p in moving:
        together.setdefault(tuple(p in some for some in sets), []).append(p)
    found = []
    for parts in together.values():
        _, sizes_, right = torch.linalg.svd(cut(parts), full_matrices=False)
        found.append((tuple(parts), right[sizes_ > 0.5].unflatten(1, (n, c))))
    return found


def _block(generators: Tensor, sizes: Sequence[int], part: int) -> Tensor:
    start, n = sum(sizes[:part]), generators.shape[1]
    rows = generators[:, start : start + sizes[part]]
    return torch.cat([rows[..., start : start + sizes[part]], rows[..., n:]], 2)


def _pieces(generators: Tensor, sizes: Sequence[int], units: Tensor, whole: bool) -> Iterator[Piece]:
    n = generators.shape[1]
    scaled = torch.cat([generators[..., :n] * units / units[:, None], generators[..., n:] / units[:, None]], 2)
    for parts, rows in split_by_parts(scaled, sizes):
        back = torch.cat([rows[..., :n] * units[:, None] / units, rows[..., n:] * units[:, None]], 2)
        if whole:
            yield Piece(back, parts, "", False)
        else:
            yield _described(back, sizes, parts)


def _described(rows: Tensor, sizes: Sequence[int], parts: tuple[int, ...]) -> Piece:
    """A piece of linear moves or of translations, with its name."""
    blocks = [_block(rows, sizes, part) for part in parts]
    first = blocks[0]
    alike = all(b.shape == first.shape and float((b - first).norm()) <= ALIKE * float(first.norm()) for b in blocks)
    linear = bool(rows[..., :-1].any())
    if not linear:
        return Piece(rows, parts, f"translations({len(rows)})", alike)
    # The largest image says most of the algebra's name.
    best = max(blocks, key=lambda b: int(torch.linalg.matrix_rank(b[..., :-1].flatten(1), rtol=ZERO)))
    _, s, right = torch.linalg.svd(best[..., :-1].flatten(1), full_matrices=False)
    size = best.shape[1]
    name = affine_algebra(right[s > ZERO * s[0]].unflatten(1, (size, size))).linear_name
    rates: tuple[float, ...] = ()
    if len(rows) == 1 and len(parts) > 1 and not alike:
        speeds = [_speed(b[0, :, :-1]) for b in blocks]
        slowest = min(speeds, key=abs)
        if abs(slowest) > ZERO * max(map(abs, speeds)):
            rates = tuple(speed / math.copysign(slowest, speeds[0]) for speed in speeds)
    return Piece(rows, parts, name, alike, rates)


def _speed(a: Float[Tensor, "m m"]) -> float:
    """The eigenvalue farthest from zero, or its size where it is not real."""
    values = torch.linalg.eigvals(a)
    most = values[values.abs().argmax()]
    return float(most.real) if abs(float(most.imag)) <= ZERO * float(most.abs()) else float(most.abs())


def _named(factor: Piece, sizes: Sequence[int], units: Tensor) -> list[Piece]:
    """The linear moves and the translations of a factor, by the spaces that they move."""
    if len(factor.parts) == 1:
        own = _block(factor.generators, sizes, factor.parts[0])
        return [Piece(factor.generators, factor.parts, affine_algebra(own).name, True)]
    linear, shifts = _apart(factor.generators, units)
    turns = torch.cat([linear, linear.new_zeros(*linear.shape[:2], 1)], 2)
    moves = torch.cat([shifts.new_zeros(len(shifts), linear.shape[1], linear.shape[1]), shifts[..., None]], 2)
    return [*_pieces(turns, sizes, units, whole=False), *_pieces(moves, sizes, units, whole=False)]


def _apart(generators: Tensor, units: Tensor) -> tuple[Float[Tensor, "l n n"], Float[Tensor, "t n"]]:
    """The linear parts of a span, and the translations in it."""
    n = generators.shape[1]
    A = (generators[..., :n] * units / units[:, None]).flatten(1)
    left, s, right = torch.linalg.svd(A, full_matrices=len(A) > A.shape[1])
    rank = int((s > ZERO * s[0]).sum()) if float(s[0]) > 0 else 0
    linear = right[:rank].unflatten(1, (n, n)) * units[:, None] / units
    return linear, (left.mT @ generators[..., n])[rank:]


def _motion(factor: Piece, sizes: Sequence[int], units: Tensor) -> tuple[Group, dict[int, Action]]:
    """A group of the library and how it moves each space, where one does; else the group of the sum's matrices."""
    from erlangen.actions.parts import PartOf

    generators, parts = factor.generators, factor.parts
    if len(parts) == 1:
        group = affine_algebra(_block(generators, sizes, parts[0])).group
        return group, {parts[0]: group.point}
    linear, shifts = _apart(generators, units)
    total = len(units)
    turns = torch.cat([linear, linear.new_zeros(*linear.shape[:2], 1)], 2)
    moved = [p for p in parts if bool(_block(turns, sizes, p).abs().max() > ZERO)] if len(linear) else []
    # All of one space is translated, or none; the others turn along about the origin.
    padded = torch.cat([linear.new_zeros(len(shifts), total, total), shifts[..., None]], 2)
    shifted = [p for p in parts if len(shifts) and bool(_block(padded, sizes, p).abs().max() > ZERO * shifts.abs().max())]
    turned = [_block(generators, sizes, p)[..., -1] for p in parts if p not in shifted]
    blocks = [_block(turns, sizes, p) for p in moved]
    alike = bool(blocks) and all(b.shape == blocks[0].shape and float((b - blocks[0]).norm()) <= ALIKE for b in blocks)
    about_origin = all(float(shift.abs().max()) <= ZERO * float(generators.abs().max()) for shift in turned)
    full = not shifted or (len(shifted) == 1 and shifted[0] in moved and len(shifts) == sizes[shifted[0]])
    if alike and about_origin and full:
        n = sizes[moved[0]]
        moves = torch.zeros(n if shifted else 0, n, n + 1, dtype=generators.dtype)
        moves[range(len(moves)), range(len(moves)), n] = 1.0
        group = affine_algebra(torch.cat([blocks[0], moves])).group
        return group, {p: group.point if p in shifted else group.vector for p in moved}
    joint = AffineSubgroup(generators, name=f"a group of dimension {len(generators)}")
    return joint, {p: PartOf(joint, sum(sizes[:p]), sizes[p]) for p in parts}


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _name(found: PartsAlgebra) -> str:
    said = []
    for piece in found.pieces:
        how = ""
        if len(piece.parts) > 1:
            how = " alike" if piece.alike else " together"
            how = f" at rates {' : '.join(f'{rate:.3g}' for rate in piece.rates)}" if piece.rates else how
        said.append(f"{piece.name} on {_listed([found.names[k] for k in piece.parts])}{how}")
    return " + ".join(said) or "nothing"
