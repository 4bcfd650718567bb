"""How one axis of a weight tensor is moved: kinds of axes, their sizes, and the permutation each makes of its axis.

An axis is cut into *segments* (``Blocks`` has several, everything else one), and a segment into *factors* (``Grouped`` has several):
a factor is a label with its size, or a fixed piece. All else - folding, permuting - is written on segments and factors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Union

import torch
from torch import Tensor

from erlangen.errors import ArgumentError

#: A label (moved by that label's permutation), ``None`` (fixed), an int (fixed, of that length), ``Grouped`` or ``Blocks``.
Kind = Union[str, int, None, "Grouped", "Blocks"]
#: One piece of a segment: its label (None: fixed) and its size.
Factor = tuple[str | None, int]
Segment = tuple[Factor, ...]


@dataclass(frozen=True, init=False)
class Grouped:
    """An axis that was flattened from several, the first of them slowest.

    >>> Grouped("head", "v")                     # heads of attention, and the features inside a head
    Grouped('head', 'v')
    >>> Grouped("c", None)                       # channels of a convolution, flattened with their fixed positions
    Grouped('c', None)
    """

    kinds: tuple[str | int | None, ...]

    def __init__(self, *kinds: Kind) -> None:
        flat: list[str | int | None] = []
        for kind in kinds:
            if isinstance(kind, Blocks):
                raise ArgumentError(
                    "Grouped", "labels, fixed lengths and other groups", repr(kind), "blocks stand outside of groups"
                )
            flat += kind.kinds if isinstance(kind, Grouped) else [checked("Grouped", kind)]  # type: ignore[list-item]
        if not flat:
            raise ArgumentError("Grouped", "at least one factor", "none")
        object.__setattr__(self, "kinds", tuple(flat))

    def __repr__(self) -> str:
        return f"Grouped({', '.join(map(repr, self.kinds))})"


@dataclass(frozen=True, init=False)
class Blocks:
    """An axis of blocks that are stacked one after the other: ``Blocks(k, kind)`` for ``k`` alike, or one kind for each.

    A number before one other kind counts blocks; a fixed block of that length is written ``Grouped(k)``.

    >>> Blocks(3, "h")                           # the gates of a GRU
    Blocks(3, 'h')
    >>> Blocks(Grouped("head", "qk"), Grouped("head", "qk"), Grouped("head", "v")).kinds[2]
    Grouped('head', 'v')
    >>> Blocks(Grouped(3), "h").kinds            # three inputs beside hidden units
    (3, 'h')
    """

    kinds: tuple[str | int | Grouped | None, ...]

    def __init__(self, *kinds: Kind) -> None:
        if len(kinds) == 2 and isinstance(kinds[0], int):
            if kinds[0] < 1:
                raise ArgumentError("Blocks", "a positive number of blocks", kinds[0])
            kinds = (kinds[1],) * kinds[0]
        flat: list[str | int | Grouped | None] = []
        for kind in kinds:
            if isinstance(kind, Grouped) and len(kind.kinds) == 1:
                kind = kind.kinds[0]
            flat += kind.kinds if isinstance(kind, Blocks) else [checked("Blocks", kind)]  # type: ignore[list-item]
        if not flat:
            raise ArgumentError("Blocks", "at least one block", "none")
        object.__setattr__(self, "kinds", tuple(flat))

    def __repr__(self) -> str:
        if len(set(self.kinds)) == 1 and len(self.kinds) > 1:
            return f"Blocks({len(self.kinds)}, {self.kinds[0]!r})"
        return f"Blocks({', '.join(map(repr, _each(self.kinds)))})"


def row(kinds: Sequence[Kind]) -> Blocks:
    """One block for each kind, numbers being lengths of fixed ones.

    >>> row([3, "h"])
    Blocks(Grouped(3), 'h')
    """
    return Blocks(*_each(kinds))


def _each(kinds: Sequence[Kind]) -> Sequence[Kind]:
    """The same kinds, a number before one other written as a length and not as a count."""
    return (Grouped(kinds[0]), kinds[1]) if len(kinds) == 2 and isinstance(kinds[0], int) else kinds


def labels_of(kind: Kind) -> Iterator[str]:
    """The labels of an axis, in order, with repetitions."""
    if isinstance(kind, str):
        yield kind
    elif isinstance(kind, (Grouped, Blocks)):
        for part in kind.kinds:
            yield from labels_of(part)


def rename(kind: Kind, names: Mapping[str, str]) -> Kind:
    """The same kind with other labels."""
    if isinstance(kind, str):
        return names.get(kind, kind)
    if isinstance(kind, Grouped):
        return Grouped(*(rename(part, names) for part in kind.kinds))
    return row([rename(part, names) for part in kind.kinds]) if isinstance(kind, Blocks) else kind


def learn_sizes(leaf: str, kind: Kind, length: int, sizes: dict[str, int]) -> None:
    """Add to ``sizes`` what the length of one axis tells about its labels.

    Raises:
        ArgumentError: it contradicts what is known; the leaf is named.
    """
    if isinstance(kind, str):
        if sizes.setdefault(kind, length) != length:
            raise ArgumentError(leaf, f"label '{kind}' of size {sizes[kind]}, as elsewhere", f"an axis of length {length}")
    elif isinstance(kind, Grouped):
        known = [size_of(part, sizes) for part in kind.kinds]
        product = math.prod(n for n in known if n is not None)
        if length % product or (None not in known and product != length):
            raise ArgumentError(leaf, f"an axis {kind!r} of a length made of {product}", f"length {length}")
        unknown = [part for part, n in zip(kind.kinds, known) if n is None]
        if len(unknown) == 1 and isinstance(unknown[0], str):
            sizes[unknown[0]] = length // product
    elif isinstance(kind, Blocks):
        lengths = [size_of(part, sizes) for part in kind.kinds]
        unknown_parts = [part for part, n in zip(kind.kinds, lengths) if n is None]
        rest = length - sum(n for n in lengths if n is not None)
        if rest < len(unknown_parts) or (rest and not unknown_parts):
            raise ArgumentError(leaf, f"an axis {kind!r} whose blocks fill it", f"length {length}, {rest} left over")
        if unknown_parts and len(set(unknown_parts)) == 1:
            if rest % len(unknown_parts):
                raise ArgumentError(leaf, f"{len(unknown_parts)} equal blocks", f"{rest} entries for them")
            learn_sizes(leaf, unknown_parts[0], rest // len(unknown_parts), sizes)
    elif isinstance(kind, int) and kind != length:
        raise ArgumentError(leaf, f"a fixed axis of length {kind}", f"length {length}")


def size_of(kind: Kind, sizes: Mapping[str, int]) -> int | None:
    """The length of an axis of this kind, where it follows from the labels' sizes."""
    if isinstance(kind, str):
        return sizes.get(kind)
    if isinstance(kind, (Grouped, Blocks)):
        parts = [size_of(part, sizes) for part in kind.kinds]
        known = [n for n in parts if n is not None]
        if len(known) < len(parts):
            return None
        return math.prod(known) if isinstance(kind, Grouped) else sum(known)
    return kind


def segments(leaf: str, kind: Kind, length: int, sizes: Mapping[str, int]) -> tuple[Segment, ...]:
    """An axis as segments of factors, every size known.

    Raises:
        ArgumentError: the sizes do not determine them, or do not fill the axis.
    """
    if isinstance(kind, Blocks):
        lengths = [size_of(part, sizes) for part in kind.kinds]
        unknown = [part for part, n in zip(kind.kinds, lengths) if n is None]
        rest = length - sum(n for n in lengths if n is not None)
        if unknown and (len(set(unknown)) > 1 or rest % len(unknown)):
            raise ArgumentError(
                leaf, f"blocks {kind!r} whose lengths follow from the labels' sizes", f"{len(unknown)} unknown ones"
            )
        found = [segments(leaf, part, n or rest // len(unknown), sizes)[0] for part, n in zip(kind.kinds, lengths)]
    elif isinstance(kind, Grouped):
        factors = [size_of(part, sizes) for part in kind.kinds]
        product = math.prod(n for n in factors if n is not None)
        if factors.count(None) > 1 or length % product:
            hint = "give fixed factors as ints and labels in sizes="
            raise ArgumentError(leaf, f"an axis {kind!r} with at most one unknown factor, of length {length}", factors, hint)
        found = [tuple((p if isinstance(p, str) else None, n or length // product) for p, n in zip(kind.kinds, factors))]
    else:
        found = [((kind, sizes[kind]) if isinstance(kind, str) else (None, length),)]
    total = sum(math.prod(n for _, n in segment) for segment in found)
    if total != length:
        raise ArgumentError(leaf, f"an axis {kind!r} of length {total}", f"length {length}")
    return tuple(found)


def index_map(cut: tuple[Segment, ...], sigma: Mapping[str, Tensor], batch: tuple[int, ...]) -> Tensor:
    """Where each entry of an axis goes, ``[*batch, length]``, given the index maps ``[*batch, n]`` of the labels."""
    device = next((s.device for s in sigma.values()), None)
    pieces, start = [], 0
    for segment in cut:
        index = torch.zeros(*batch, 1, dtype=torch.int64, device=device)
        for label, size in segment:
            step = torch.arange(size, device=device).expand(*batch, size) if label is None else sigma[label]
            index = (index.unsqueeze(-1) * size + step.unsqueeze(-2)).flatten(-2)
        pieces.append(index + start)
        start += index.shape[-1]
    return torch.cat(pieces, -1)


def checked(leaf: str, kind: Kind) -> Kind:
    """The kind, if it is one.

    Raises:
        ArgumentError: it is not; the leaf is named.
    """
    if kind is None or isinstance(kind, (str, Grouped, Blocks)) or (isinstance(kind, int) and kind > 0):
        return kind
    raise ArgumentError(leaf, "labels, None, fixed lengths, Grouped or Blocks as kinds of axes", repr(kind))
