"""`Diagram`: vertices in two rows, joined into blocks; what a linear map between tensor powers looks like."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from erlangen.errors import ArgumentError, UnsupportedError

Block = tuple[int, ...]


@dataclass(frozen=True, order=True)
class Diagram:
    """A partition of ``top + bottom`` vertices: output axes above, input axes below.

    Vertices ``0 .. top-1`` are the output's axes and ``top .. top+bottom-1`` the input's (texts and drawings count from 1). Each block
    ties its axes to one value. The blocks of a *head* carry the sign of the permutation that their values form, in the order in which
    they are listed: the jellyfish of an alternating group, the free vertices of a Brauer-Grood diagram. One head for each group that
    permutes or turns its own axes.

    Args:
        top, bottom: numbers of vertices.
        blocks: a partition of the vertices; each block ascending, blocks by their smallest vertex.
        heads: for each head the places of its blocks in ``blocks``, ascending.

    Raises:
        ArgumentError: the blocks do not cover every vertex once, or a head names a block that is not there.

    Source: E. Pearce-Crump, arXiv:2212.08648 (set partitions), arXiv:2212.08630 (Brauer), arXiv:2301.10152 (jellyfish).

    >>> swap = Diagram.parse("1 4|2 3", top=2)
    >>> swap, swap.transpose() == swap, swap.crossing
    (1 4|2 3, True, 2)
    >>> closed, product = swap.compose(swap)
    >>> closed, product
    (0, 1 3|2 4)
    """

    top: int
    bottom: int
    blocks: tuple[Block, ...]
    heads: tuple[Block, ...] = field(default=())

    def __post_init__(self) -> None:
        for name, count in (("top", self.top), ("bottom", self.bottom)):
            if not isinstance(count, int) or isinstance(count, bool) or count < 0:
                raise ArgumentError(name, "a non-negative number of vertices", count)
        if sorted(v for b in self.blocks for v in b) != list(range(self.top + self.bottom)):
            raise ArgumentError("blocks", f"a partition of the vertices 0 .. {self.top + self.bottom - 1}", repr(self.blocks))
        if any(list(b) != sorted(b) for b in self.blocks) or list(self.blocks) != sorted(self.blocks):
            raise ArgumentError("blocks", "ascending blocks, ordered by their smallest vertex", repr(self.blocks), "use Diagram.of")
        tied = [i for head in self.heads for i in head]
        if len(set(tied)) != len(tied) or any(not 0 <= i < len(self.blocks) for i in tied):
            raise ArgumentError("heads", f"distinct places of blocks, 0 .. {len(self.blocks) - 1}", repr(self.heads))

    @classmethod
    def of(cls, top: int, bottom: int, blocks: Iterable[Iterable[int]], heads: Iterable[Iterable[Iterable[int]]] = ()) -> Diagram:
        """From blocks in any order; heads by their blocks' vertices."""
        ordered = tuple(sorted(tuple(sorted(b)) for b in blocks))
        tied = [[tuple(sorted(b)) for b in head] for head in heads]
        if any(b not in ordered for head in tied for b in head):
            raise ArgumentError("heads", f"some of the blocks {ordered}", tied)
        return cls(top, bottom, ordered, tuple(sorted(tuple(sorted(ordered.index(b) for b in head)) for head in tied)))

    @classmethod
    def parse(cls, text: str, top: int) -> Diagram:
        """From a text such as ``"1 2|3 4"``; ``"J:1|2|3"`` ties all blocks to a head, ``"1 3|2*|4*"`` those with a star.

        >>> Diagram.parse("J:1 3|2", top=1).heads
        ((0, 1),)
        """
        every, body = text.startswith("J:"), text.removeprefix("J:")
        blocks: list[Block] = []
        heads: dict[int, list[Block]] = {}
        try:
            for part in body.split("|") if body else []:
                stars = len(part) - len(part.rstrip("*"))
                block = tuple(sorted(int(v) - 1 for v in part.rstrip("*").split()))
                blocks.append(block)
                if every or stars:
                    heads.setdefault(max(stars, 1), []).append(block)
        except ValueError:
            raise ArgumentError("text", "blocks of vertices such as '1 2|3 4'", repr(text)) from None
        return cls.of(top, sum(map(len, blocks)) - top, blocks, heads.values())

    # ---- what it is made of ----

    @property
    def size(self) -> int:
        """Number of vertices."""
        return self.top + self.bottom

    @property
    def crossing(self) -> int:
        """Number of blocks that join the rows."""
        return sum(b[0] < self.top <= b[-1] for b in self.blocks)

    def __str__(self) -> str:
        stars = {i: "*" * (number + 1) for number, head in enumerate(self.heads) for i in head}
        if self.heads == (tuple(range(len(self.blocks))),) and self.blocks:
            return "J:" + "|".join(" ".join(str(v + 1) for v in b) for b in self.blocks)
        return "|".join(" ".join(str(v + 1) for v in b) + stars.get(i, "") for i, b in enumerate(self.blocks))

    __repr__ = __str__

    def svg(self) -> str:
        """A drawing: output axes above, input axes below."""
        from erlangen.maps.diagrams.drawing import svg

        return svg(self)

    _repr_svg_ = svg

    # ---- the category of diagrams ----

    def transpose(self) -> Diagram:
        """Turned upside down: the diagram of the transposed matrix (up to a sign where there are heads or symplectic pairs)."""
        turn = [self.bottom + v if v < self.top else v - self.top for v in range(self.size)]
        return self._moved(self.bottom, self.top, turn)

    def tensor(self, other: Diagram) -> Diagram:
        """Side by side: the diagram of the Kronecker product (of diagrams without a common head)."""
        top, bottom = self.top + other.top, self.bottom + other.bottom
        left = [v if v < self.top else v + other.top for v in range(self.size)]
        right = [v + self.top if v < other.top else v + self.top + self.bottom for v in range(other.size)]
        moved = [[[left[v] for v in b] for b in self.blocks], [[right[v] for v in b] for b in other.blocks]]
        heads = [[part[i] for i in head] for part, d in zip(moved, (self, other)) for head in d.heads]
        return Diagram.of(top, bottom, moved[0] + moved[1], heads)

    def compose(self, other: Diagram) -> tuple[int, Diagram]:
        """``self`` after ``other``: the number of components that close in the middle row, and the diagram.

        The matrices multiply to ``n ** closed`` times the matrix of the product. Symplectic pairs bring a sign: :func:`symplectic_sign`.

        Raises:
            ArgumentError: the middle rows differ in length.
            UnsupportedError: a diagram has a head; multiply matrices and take ``EquivariantMaps.coefficients`` of the product.
        """
        if self.bottom != other.top:
            raise ArgumentError("other", f"a diagram with {self.bottom} vertices on top", f"{other.top}")
        if self.heads or other.heads:
            raise UnsupportedError(
                "the product of diagrams with heads is a sum of diagrams; take EquivariantMaps.coefficients of the matrices' product"
            )
        middle = self.bottom
        joined = [[*b] for b in self.blocks]
        joined += [[v + self.top for v in b] for b in other.blocks]
        merged = _merge(joined, self.top + middle + other.bottom)
        outside = [[v if v < self.top else v - middle for v in b if not self.top <= v < self.top + middle] for b in merged]
        return sum(not b for b in outside), Diagram.of(self.top, other.bottom, [b for b in outside if b])

    def _moved(self, top: int, bottom: int, places: list[int]) -> Diagram:
        blocks = [[places[v] for v in b] for b in self.blocks]
        return Diagram.of(top, bottom, blocks, [[blocks[i] for i in head] for head in self.heads])


def symplectic_sign(above: Diagram, below: Diagram) -> int:
    """The sign of a product of Brauer diagrams whose same-row pairs carry the symplectic form, smaller vertex first.

    ``matrix(above) @ matrix(below) = sign * n ** closed * matrix(product)``.

    >>> cup_cap, swap = Diagram.parse("1 2|3 4", top=2), Diagram.parse("1 4|2 3", top=2)
    >>> symplectic_sign(cup_cap, cup_cap), symplectic_sign(cup_cap, swap)
    (1, -1)
    """
    middle = range(above.top, above.top + above.bottom)
    # Each edge as (from, to, is it a form); on common vertices: top, middle, bottom.
    edges: dict[int, list[tuple[int, int, int]]] = {}
    for number, d in enumerate((above, below)):
        shift = 0 if number == 0 else above.top
        for a, b in d.blocks:
            form = int((a < d.top) == (b < d.top))
            edges.setdefault(a + shift, []).append((2 * number, b + shift, form))
            edges.setdefault(b + shift, []).append((2 * number + 1, a + shift, -form))
    sign, seen = 1, set()
    ends = [v for v in edges if v not in middle]
    for start in [*sorted(ends), *middle]:
        if start in seen:
            continue
        forms, backward, v, row = 0, 0, start, None
        while True:
            seen.add(v)
            step = next((e for e in edges[v] if e[0] // 2 != row), None)
            if step is None or (row is not None and v == start):
                break
            row, v = step[0] // 2, step[1]
            forms += step[2] != 0
            backward += step[2] < 0
        # Omega squared is -1: a chain of forms is +-1 (an even number) or +-Omega (an odd one).
        sign *= (-1) ** (backward + forms // 2)
    return sign


def _merge(groups: list[list[int]], size: int) -> list[list[int]]:
    """Connected components of ``0 .. size-1`` under overlapping groups."""
    root = list(range(size))

    def find(v: int) -> int:
        while root[v] != v:
            root[v] = root[root[v]]
            v = root[v]
        return v

    for group in groups:
        for v in group[1:]:
            root[find(v)] = find(group[0])
    parts: dict[int, list[int]] = {}
    for v in range(size):
        parts.setdefault(find(v), []).append(v)
    return list(parts.values())
