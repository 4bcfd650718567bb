"""`DataSet`: samples made of tokens, with or without a target."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from erlangen.data.checks import FEWEST, check_enough, check_finite, check_size, numeric
from erlangen.data.distinct import distinct
from erlangen.data.splitting import parted
from erlangen.errors import ArgumentError

Target = Literal["scalar", "vector", "class"]
Split = Literal["train", "test", "all"]
SPLITS: tuple[str, ...] = get_args(Split)
MANY_CLASSES = 20  # integer targets with more distinct values than this are numbers, not class labels


@dataclass(frozen=True, eq=False)
class DataSet:
    """``N`` samples of ``T`` tokens in ``R^d``; one matrix of a group acts on every token alike.

    Args:
        name: what the data are called in reports.
        x: floating-point ``[N, T, d]``.
        y: the target, or None: ``[N]`` or ``[N, k]`` floating (scalar), ``[N, T_y, d]`` floating (vector), ``[N]``
            int64 from 0 (class).
        target: how a group acts on ``y``: ``"vector"`` (as on ``x``), ``"scalar"`` or ``"class"`` (not at all).
        names: the names of the ``d`` components of a token; from a table of several tokens, ``q1/p1``.
        units: the unit of ``x``, if all components share one.
        source: where the data come from.
        about: one line for a person.
        classes: the labels that class 0, 1, ... had in the user's file.

    Raises:
        ArgumentError: a shape or type does not fit the others.

    >>> data = DataSet("plane", torch.randn(64, 1, 2), torch.arange(64) % 2, "class", names=("a", "b"), units="m")
    >>> len(data), data.tokens, data.dim
    (64, 1, 2)
    >>> print(data)
    plane: 64 samples of 1 token in R^2 (a, b; m), class target (class 0: 32, class 1: 32)
    """

    name: str
    x: Tensor
    y: Tensor | None = None
    target: Target | None = None
    names: tuple[str, ...] = ()
    units: str = ""
    source: str = ""
    about: str = ""
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.x.ndim != 3 or not self.x.is_floating_point():
            raise ArgumentError("x", "a floating-point tensor [N, T, d]", f"{self.x.dtype} {list(self.x.shape)}")
        if self.names and len(self.names) != self.dim:
            raise ArgumentError("names", f"{self.dim} names, one for each component of a token", list(self.names))
        if (self.y is None) != (self.target is None):
            raise ArgumentError("target", "a kind of target exactly when y is given", repr(self.target))
        if self.y is not None:
            self._check_target(self.y)

    def _check_target(self, y: Tensor) -> None:
        fits = {
            "class": ("[N] int64", y.ndim == 1 and y.dtype == torch.int64),
            "scalar": ("[N] or [N, k] floating-point", y.ndim in (1, 2) and y.is_floating_point()),
            "vector": (
                f"[N, T_y, {self.dim}] floating-point",
                y.ndim == 3 and y.is_floating_point() and y.shape[-1] == self.dim,
            ),
        }
        if self.target not in fits:
            raise ArgumentError("target", f"one of {', '.join(fits)}", repr(self.target))
        layout, fit = fits[self.target]
        if not fit:
            raise ArgumentError("y", f"a {self.target} target {layout}", f"{y.dtype} {list(y.shape)}")
        if len(y) != len(self.x):
            raise ArgumentError("y", f"one entry for each of the {len(self.x)} samples of x", f"{len(y)} entries")

    @classmethod
    def of(
        cls,
        x: Any,
        y: Any = None,
        *,
        kind: Target | None = None,
        name: str = "data",
        names: tuple[str, ...] = (),
        source: str = "",
        inputs_only: bool = False,
    ) -> DataSet:
        """Check raw arrays (NumPy or torch) and make them a data set in float64.

        ``x`` is ``[N, T, d]``, or ``[N, d]`` for one token. ``y`` becomes a class target when it is integer or bool
        with at most 20 distinct values, a vector target when it is ``[N, T_y, d]``, a scalar target otherwise; ``kind``
        decides where that guess is wrong. ``inputs_only``: nothing is learnt from them, so that any number of samples will do, and
        ``y`` is not looked at.

        Raises:
            ArgumentError: an array is not numeric, empty, of a wrong shape, holds NaN or infinities, has fewer than
                32 samples, all of them the same, or only numbers that single precision has not; or a target has one value only.

        >>> DataSet.of(np.random.randn(40, 3), np.arange(40) % 3).target
        'class'
        """
        values = numeric("x", x)
        if values.ndim not in (2, 3):
            raise ArgumentError("x", "an array [N, T, d], or [N, d] for one token", f"shape {list(values.shape)}")
        if values.size == 0:
            raise ArgumentError("x", "at least one number", f"an empty array of shape {list(values.shape)}")
        check_finite("x", values)
        check_enough("x", len(values), 1 if inputs_only else FEWEST)
        check_size("x", values)
        if not inputs_only and np.ptp(values, axis=0).max() == 0:
            raise ArgumentError("x", "samples that differ", f"the same in all {len(values)}")
        tokens = torch.from_numpy(values[:, None, :] if values.ndim == 2 else values)
        if y is None or inputs_only:
            if kind is not None and not inputs_only:
                raise ArgumentError("kind", "nothing, as there is no target", repr(kind))
            return cls(name, tokens, names=names, source=source)
        target, labels, classes = read_target(y, len(values), tokens.shape[-1], kind)
        return cls(name, tokens, labels, target, names=names, source=source, classes=classes)

    def __len__(self) -> int:
        return len(self.x)

    @property
    def tokens(self) -> int:
        """``T``, the number of tokens in a sample."""
        return self.x.shape[1]

    @property
    def dim(self) -> int:
        """``d``, the dimension of a token."""
        return self.x.shape[2]

    def subset(self, index: Tensor | np.ndarray | slice | list[int]) -> DataSet:
        """The samples at ``index`` (int or bool ``[M]``, or a slice), in that order."""
        return dataclasses.replace(self, x=self.x[index], y=None if self.y is None else self.y[index])

    def split(self, fraction: float, seed: int = 0) -> tuple[DataSet, DataSet]:
        """Two disjoint random parts, the first with about ``fraction`` of the samples; classes keep their proportions.

        Samples of the same ``x`` fall into the same part, so that none is in both; where there are any, the parts are as near to
        ``fraction`` as that allows.

        Raises:
            ArgumentError: ``fraction`` is not between 0 and 1, one part would be empty, or all samples are the same.
        """
        first, rest = parted(distinct(self.x), self.y if self.target == "class" else None, fraction, seed)
        return self.subset(first), self.subset(rest)

    def to(self, dtype: torch.dtype) -> DataSet:
        """The same data in another floating-point type; class labels stay int64."""
        y = self.y if self.y is None or self.target == "class" else self.y.to(dtype)
        return dataclasses.replace(self, x=self.x.to(dtype), y=y)

    def __str__(self) -> str:
        component = "; ".join(part for part in (", ".join(self.names), self.units) if part)
        text = f"{self.name}: {len(self)} samples of {self.tokens} token{'s' * (self.tokens > 1)} in R^{self.dim}"
        return f"{text}{f' ({component})' if component else ''}, {target_in_words(self.y, self.target, self.classes)}"

    def __repr__(self) -> str:
        return f"DataSet({self})"


def target_in_words(y: Tensor | None, target: Target | None, classes: tuple[str, ...]) -> str:
    """What is predicted, for a person."""
    if y is None:
        return "no target"
    if target == "class":
        labels, counts = y.unique(return_counts=True)
        named = [classes[i] if classes else str(i) for i in labels.tolist()]
        shown = [f"class {label}: {count}" for label, count in zip(named, counts.tolist())]
        return f"class target ({', '.join(shown)})"
    return f"{target} target {list(y.shape[1:]) or ''}".rstrip()


def check_split(split: str) -> None:
    """Raise unless ``split`` is ``"train"``, ``"test"`` or ``"all"``."""
    if split not in SPLITS:
        raise ArgumentError("split", f"one of {', '.join(SPLITS)}", repr(split))


def read_target(y: Any, samples: int, dim: int, kind: Target | None) -> tuple[Target, Tensor, tuple[str, ...]]:
    """Decide the kind of a raw target, check it, and bring it to the kind's layout."""
    if kind is not None and kind not in get_args(Target):
        raise ArgumentError("kind", f"one of {', '.join(get_args(Target))}", repr(kind))
    raw = np.asarray(y.detach().cpu() if isinstance(y, Tensor) else y)
    if raw.dtype.kind in "US" and kind != "class":
        raise ArgumentError("y", "an array of real numbers", "text", "Text is read as class labels with kind='class'")
    values = raw if raw.dtype.kind in "US" else numeric("y", raw)
    if values.size == 0:
        raise ArgumentError("y", "at least one number", f"an empty array of shape {list(values.shape)}")
    if len(np.atleast_1d(values)) != samples or values.ndim == 0:
        raise ArgumentError("y", f"one entry for each of the {samples} samples of x", f"shape {list(values.shape)}")
    if values.dtype.kind == "f":
        check_finite("y", values)
    if values.ndim == 2 and values.shape[1] == 1 and kind != "vector":
        raw, values = raw[:, 0], values[:, 0]
    if kind is None:
        kind = _guess(raw, values)
    if kind == "class":
        return kind, *_classes(raw, values)
    if kind == "vector":
        values = values[:, None, :] if values.ndim == 2 else values
        if values.ndim != 3 or values.shape[-1] != dim:
            wanted = f"a vector target [N, T_y, {dim}], its tokens of the same dimension as those of x"
            raise ArgumentError("y", wanted, f"shape {list(raw.shape)}")
    elif values.ndim not in (1, 2):
        raise ArgumentError("y", "a scalar target [N] or [N, k]", f"shape {list(values.shape)}")
    if np.ptp(values, axis=0).max() == 0:
        raise ArgumentError("y", "a target that varies", f"the same value in all {samples} samples")
    check_size("y", values)
    return kind, torch.from_numpy(values), ()


def _guess(raw: np.ndarray, values: np.ndarray) -> Target:
    if values.ndim == 3:
        return "vector"
    whole = raw.dtype.kind in "biu" and raw.ndim == 1
    return "class" if whole and len(np.unique(raw)) <= MANY_CLASSES else "scalar"


def _classes(raw: np.ndarray, values: np.ndarray) -> tuple[Tensor, tuple[str, ...]]:
    """Labels as int64 from 0, and the text of the labels they stand for."""
    if raw.ndim != 1:
        raise ArgumentError("y", "a class target [N]", f"shape {list(raw.shape)}")
    if raw.dtype.kind == "f":
        broken = np.flatnonzero(values != np.round(values))
        if len(broken):
            got = f"{values[broken[0]]:g} at y[{broken[0]}]"
            raise ArgumentError("y", "whole numbers or text as class labels", got)
        raw = values
    labels, codes = np.unique(raw, return_inverse=True)
    if len(labels) < 2:
        raise ArgumentError("y", "at least two classes", f"one class only, {labels[0]}, in all {len(raw)} samples")
    # Whole floats are written as the integers that they are, beyond 64 bits, too.
    names = (str(int(label)) if raw.dtype.kind == "f" else str(label) for label in labels)
    return torch.from_numpy(codes.astype(np.int64)), tuple(names)
