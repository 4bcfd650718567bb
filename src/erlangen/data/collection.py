"""`Collection`: samples of any kind - images, sets, sequences, graphs, atoms, weights of networks - as tensors of one length."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from erlangen.data.checks import FEWEST, check_enough
from erlangen.data.dataset import Target, read_target, target_in_words
from erlangen.data.distinct import distinct
from erlangen.data.splitting import parted
from erlangen.errors import ArgumentError

Kind = Literal["images", "sets", "sequences", "graphs", "atoms", "weights"]
KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True, eq=False)
class Collection:
    """``N`` samples of one kind. What is smaller than the largest sample is filled up with zeros, and a part says what is there.

    ======================= ==========================================================================================
    kind                    parts of ``x``
    ======================= ==========================================================================================
    ``"images"``            ``image`` ``[N, C, H, W]``
    ``"sequences"``         ``sequence`` ``[N, T, c]``
    ``"sets"``              ``members`` ``[N, n, c]``, ``there`` bool ``[N, n]``
    ``"graphs"``            ``nodes`` ``[N, n, c]``, ``edges`` ``[N, n, n, e]``, ``there`` bool ``[N, n]``
    ``"atoms"``             ``pos`` ``[N, n, 3]`` in angstrom, ``numbers`` int64 ``[N, n]`` (0: no atom), ``cell`` ``[N, 3, 3]``,
                            ``pbc`` bool ``[N, 3]``
    ``"weights"``           the tensors of the networks by their names, ``[N, 1, *shape]``
    ======================= ==========================================================================================

    Args:
        name: what the data are called in reports.
        kind: one of the above.
        x: the parts, by name, of one length.
        y, target, classes: as for :class:`erlangen.data.DataSet`.
        source: where the data come from.
        about: one line for a person.

    Raises:
        ArgumentError: a kind that is not known, parts of different lengths, or a target that does not fit.

    >>> digits = Collection("digits", "images", {"image": torch.rand(64, 1, 8, 8)}, torch.arange(64) % 2, "class")
    >>> print(digits)
    digits: 64 images, image [1, 8, 8], class target (class 0: 32, class 1: 32)
    """

    name: str
    kind: Kind
    x: Mapping[str, Tensor]
    y: Tensor | None = None
    target: Target | None = None
    classes: tuple[str, ...] = ()
    source: str = ""
    about: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ArgumentError("kind", f"one of {', '.join(KINDS)}", repr(self.kind))
        lengths = {name: len(part) for name, part in self.x.items()} | ({} if self.y is None else {"y": len(self.y)})
        if not self.x or len(set(lengths.values())) != 1:
            raise ArgumentError("x", "parts of one length, that of y", lengths or "no parts")
        if (self.y is None) != (self.target is None):
            raise ArgumentError("target", "a kind of target exactly when y is given", repr(self.target))

    @classmethod
    def of(
        cls,
        kind: Kind,
        x: Mapping[str, Tensor],
        y: Any = None,
        *,
        target: Target | None = None,
        name: str = "",
        source: str = "",
        inputs_only: bool = False,
    ) -> Collection:
        """Samples with a raw target, which is read as :meth:`DataSet.of` does; at least 32 of them, unless only the inputs count.

        Vector targets, ``[N, 3]`` or ``[N, T, 3]``, are those of atoms.
        """
        size = len(next(iter(x.values())))
        check_enough("data", size, 1 if inputs_only else FEWEST)
        for part, values in x.items():
            if values.is_floating_point() and not bool(values.isfinite().all()):
                raise ArgumentError(part, "finite numbers", f"{int((~values.isfinite()).sum())} that are not")
        name = name or kind
        if y is None or inputs_only:
            return cls(name, kind, dict(x), source=source)
        how, labels, classes = read_target(y, size, 3, target)
        if how == "vector" and kind != "atoms":
            raise ArgumentError("y", f"a scalar or class target of {kind}", f"shape {list(np.shape(y))}")
        return cls(name, kind, dict(x), labels, how, classes, source)

    def __len__(self) -> int:
        return len(next(iter(self.x.values())))

    def subset(self, index: Tensor | slice) -> Collection:
        """The samples at ``index``, in that order."""
        return dataclasses.replace(
            self, x={name: part[index] for name, part in self.x.items()}, y=None if self.y is None else self.y[index]
        )

    def padded(self, size: int) -> Collection:
        """Sets, graphs and atoms with room for ``size`` members each; other data, and what has as much room, as they are.

        >>> x = {"members": torch.ones(1, 2, 3), "there": torch.ones(1, 2, dtype=torch.bool)}
        >>> Collection("pairs", "sets", x).padded(4).x["there"].tolist()
        [[True, True, False, False]]
        """
        there = {"sets": "there", "graphs": "there", "atoms": "numbers"}.get(self.kind)
        more = 0 if there is None else size - self.x[there].shape[1]
        if more <= 0:
            return self

        def filled(name: str, part: Tensor) -> Tensor:
            if name in ("cell", "pbc"):
                return part
            trailing = part.ndim - 2  # axes after that of the members, the first of which of edges is one of members, too
            last = [0, more] if name == "edges" else [0, 0] * (trailing > 0)
            return torch.nn.functional.pad(part, [*([0, 0] * (trailing - 1)), *last, 0, more])

        return dataclasses.replace(self, x={name: filled(name, part) for name, part in self.x.items()})

    def fingerprints(self) -> Tensor:
        """All numbers of each sample, ``[N, ...]``: equal for copies."""
        return torch.cat([part.flatten(1).double() for part in self.x.values()], 1)

    def split(self, fraction: float, seed: int = 0) -> tuple[Collection, Collection]:
        """Two disjoint random parts, as :meth:`DataSet.split`: copies of a sample stay together, classes keep their proportions."""
        labels = self.y if self.target == "class" else None
        first, rest = parted(distinct(self.fingerprints()), labels, fraction, seed)
        return self.subset(first), self.subset(rest)

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {list(part.shape[1:])}" for name, part in self.x.items())
        noun = {"atoms": "structures of atoms", "weights": "networks"}.get(self.kind, self.kind)
        return f"{self.name}: {len(self)} {noun}, {parts}, {target_in_words(self.y, self.target, self.classes)}"

    def __repr__(self) -> str:
        return f"Collection({self})"
