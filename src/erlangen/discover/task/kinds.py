"""Tokens of several kinds, each moved by generators of its own: as tokens of the sum of their spaces, and what predictors see of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.discover.samples import samples_of
from erlangen.discover.task.coordinates import Coordinates
from erlangen.discover.task.polynomials import count
from erlangen.discover.task.views import FEATURES, NUMBERS, Averaged, Mixed, View
from erlangen.errors import ArgumentError
from erlangen.groups.parts_algebra import MOST_PARTS


@dataclass(frozen=True)
class KindTokens:
    """Samples of tokens of several kinds.

    Attributes:
        names: of the kinds.
        parts: of each kind its tokens ``[N, T_k, n_k]``, float64.
    """

    names: tuple[str, ...]
    parts: tuple[Tensor, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """The dimensions of the kinds' spaces."""
        return tuple(part.shape[2] for part in self.parts)

    def subset(self, index: Tensor) -> KindTokens:
        """The samples at ``index``."""
        return KindTokens(self.names, tuple(part[index] for part in self.parts))

    def embedded(self) -> Float[Tensor, "N T n"]:
        """Tokens of the sum of all spaces: each in its own kind's, zero elsewhere."""
        total, start, rows = sum(self.sizes), 0, []
        for part in self.parts:
            rows.append(torch.nn.functional.pad(part, (start, total - start - part.shape[2])))
            start += part.shape[2]
        return torch.cat(rows, 1)

    def numbers(self) -> Tensor:
        """Which of the flattened embedded tokens' numbers there are."""
        return KindTokens(self.names, tuple(torch.ones_like(part[:1]) for part in self.parts)).embedded().flatten().nonzero()[:, 0]


def kind_tokens(x: Any, kinds: Sequence[Hashable] | None) -> KindTokens:
    """Tokens by kind.

    Args:
        x: a mapping from the kinds' names to tokens ``[N, T_k, n_k]`` (or ``[N, n_k]``, one token), or tokens ``[N, T, n]`` with ``kinds``.
        kinds: of each of the ``T`` tokens its kind, a number or a name.

    Raises:
        ArgumentError: kinds that are not as many as the tokens, one kind alone or more than ten, kinds beside a mapping, parts of unequal
            length.

    >>> tokens = kind_tokens(torch.zeros(5, 3, 2), ["place", "place", "speed"])
    >>> tokens.names, [tuple(part.shape) for part in tokens.parts], tuple(tokens.embedded().shape)
    (('place', 'speed'), [(5, 2, 2), (5, 1, 2)], (5, 3, 4))
    """
    if isinstance(x, Mapping):
        if kinds is not None:
            raise ArgumentError("kinds", "nothing beside a mapping, whose keys are the kinds", repr(kinds))
        parts = {str(name): samples_of(part).x.double().cpu() for name, part in x.items()}
        if len({len(part) for part in parts.values()}) > 1:
            raise ArgumentError("x", "as many samples of each kind", {name: len(part) for name, part in parts.items()})
    else:
        tokens = samples_of(x).x.double().cpu()
        kinds = None if kinds is None else list(kinds)
        if kinds is None or len(kinds) != tokens.shape[1]:
            raise ArgumentError("kinds", f"a kind for each of the {tokens.shape[1]} tokens", repr(kinds))
        parts = {}
        for kind in dict.fromkeys(kinds):
            name = kind if isinstance(kind, str) else f"kind {kind}"
            parts[name] = tokens[:, [place for place, other in enumerate(kinds) if other == kind]]
    if not 2 <= len(parts) <= MOST_PARTS:
        raise ArgumentError("x" if kinds is None else "kinds", f"two to {MOST_PARTS} kinds of tokens", list(parts))
    return KindTokens(tuple(parts), tuple(parts.values()))


class JointCoordinates(Coordinates):
    """Coordinates of the sum of several spaces, each with its own.

    Args:
        parts: those of each space.
    """

    def __init__(self, parts: Sequence[Coordinates]) -> None:
        self.parts = parts
        self.affine = True
        self.shift = torch.cat([part.shift for part in parts])
        self.scale = torch.cat([part.scale for part in parts])
        self.stretch = torch.block_diag(*[part.stretch for part in parts])
        self.back = torch.block_diag(*[part.back for part in parts])

    def by_kind(self, tokens: KindTokens) -> KindTokens:
        """Tokens in their kinds' coordinates."""
        return KindTokens(tokens.names, tuple(own.inside(part) for own, part in zip(self.parts, tokens.parts)))


class Chosen:
    """A view of some of the numbers of tokens, as one row each.

    Args:
        index: which of the flattened numbers.
        view: of samples ``[N, D, 1]`` of these.
        kinds: ``[D]``, of which kind each number is; features of one degree in the same kinds share a prior, so that a sum of what kinds do
            by themselves costs no more than its parts.
    """

    def __init__(self, index: Tensor, view: View, kinds: Tensor) -> None:
        self._index, self._view = index, view
        # A feature moves along with the kinds that it is made of.
        moves = view.gradient(torch.randn(2, len(index), 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
        made_of = torch.stack([(moves[:, :, kinds == kind] != 0).flatten(2).any(2).any(0) for kind in kinds.unique()], 1)
        self.degree = view.degree
        self.power = torch.unique(torch.cat([view.power[:, None], made_of.long()], 1), dim=0, return_inverse=True)[1]

    def _seen(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, self._index, None]

    def __call__(self, x: Float[Tensor, "N T n"]) -> Float[Tensor, "N P"]:
        return self._view(self._seen(x))

    def gradient(self, x: Float[Tensor, "N T n"]) -> Float[Tensor, "N P T n"]:
        slope = self._view.gradient(self._seen(x))[..., 0]
        full = slope.new_zeros(*slope.shape[:2], x[0].numel())
        full[..., self._index] = slope
        return full.unflatten(2, x.shape[1:])


class EachKind:
    """Views of each kind's tokens by themselves, side by side: of sums of what kinds do apart.

    Args:
        shapes: ``(T_k, n_k)`` of each kind.
        x: samples ``[N, D, 1]`` of all their numbers, which decide the scales.
        view: of one kind's tokens ``[N, T_k, n_k]``.
    """

    def __init__(self, shapes: Sequence[tuple[int, ...]], x: Float[Tensor, "N D 1"], view: Callable[[Tensor], View]) -> None:
        self._shapes = shapes
        self._views = [view(part) for part in self._apart(x)]
        self.power = torch.cat([own.power for own in self._views])
        self.degree = torch.cat([own.degree for own in self._views])

    def _apart(self, x: Tensor) -> list[Tensor]:
        rows = x[..., 0].split([tokens * n for tokens, n in self._shapes], 1)
        return [row.unflatten(1, shape) for row, shape in zip(rows, self._shapes)]

    def __call__(self, x: Tensor) -> Tensor:
        return torch.cat([view(part) for view, part in zip(self._views, self._apart(x))], 1)

    def gradient(self, x: Tensor) -> Tensor:
        slopes = [view.gradient(part).flatten(2) for view, part in zip(self._views, self._apart(x))]
        found = x.new_zeros(len(x), sum(slope.shape[1] for slope in slopes), x.shape[1], 1)
        row = column = 0
        for slope in slopes:
            found[:, row : row + slope.shape[1], column : column + slope.shape[2], 0] = slope
            row, column = row + slope.shape[1], column + slope.shape[2]
        return found


def kind_views(tokens: KindTokens) -> list[tuple[str, int, View]]:
    """What predictors see: all numbers where they are few, else the first tokens of each kind beside their mean, and means over kinds."""
    index, x = tokens.numbers(), tokens.embedded()
    seen = x.flatten(1)[:, index, None]
    shapes = [tuple(part.shape[1:]) for part in tokens.parts]
    of_kind = torch.repeat_interleave(torch.arange(len(shapes)), torch.tensor([many * n for many, n in shapes]))
    mixing, name = None, "all numbers"
    if count(len(index), 2) > FEATURES:
        mixing, name = _leading(shapes), "the first tokens of each kind and the mean of all"
    numbers = len(index) if mixing is None else len(mixing)
    found: list[tuple[str, int, View]] = [
        (name, degree, Mixed(seen, mixing, degree)) for degree in (1, 2, 3) if degree == 1 or count(numbers, degree) <= FEATURES
    ]
    for degree in (2, 3):
        if sum(count(n, degree) for _, n in shapes) <= FEATURES and mixing is not None:
            found.append(("means over each kind's tokens", degree, EachKind(shapes, seen, partial(Averaged, degree=degree))))
        if sum(count(many * n, degree) for many, n in shapes) <= FEATURES:
            found.append(("each kind by itself", degree, EachKind(shapes, seen, partial(Mixed, mixing=None, degree=degree))))
    return [(name, degree, Chosen(index, view, of_kind)) for name, degree, view in found]


def _leading(shapes: Sequence[tuple[int, ...]]) -> Float[Tensor, "S D"]:
    """The first tokens of each kind, as many as a few numbers hold, and the mean of all of a kind."""
    space = sum(n for _, n in shapes)
    leading = max(1, NUMBERS // space - 1)
    rows = []
    for tokens, n in shapes:
        eye = torch.eye(tokens, dtype=torch.float64)
        some = eye if tokens <= leading + 1 else torch.cat([eye[:leading], eye.mean(0, keepdim=True)])
        rows.append(torch.kron(some, torch.eye(n, dtype=torch.float64)))
    return torch.block_diag(*rows)
