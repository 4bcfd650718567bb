"""What the discoverers work on: checked samples of tokens, with what is attached to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from erlangen.data import Collection, DataSet
from erlangen.errors import ArgumentError

#: Samples of a data set that are fetched at once.
BATCH = 1024
#: Numbers further from one, up or down, are refused: their squares are no numbers.
FARTHEST = 1e100

#: Tokens of more components are not searched: an algebra on n of them has up to n^2 dimensions, and questions about it cost O(n^6).
MOST_COMPONENTS = 32
#: Discoverers see at most so many samples,
MOST_SAMPLES = 100_000
#: and only as many as a matrix for each has this many entries in all.
MOST_ENTRIES = 2**27

Target = Literal["vector", "scalar", "class"]
TARGETS: tuple[str, ...] = get_args(Target)


@dataclass(frozen=True)
class Samples:
    """``N`` samples: tokens that the group moves, and numbers and a label that it does not.

    Attributes:
        x: ``[N, T_x, n]``, moved.
        y: ``[N, T_y, n]``, moved alike; ``T_y = 0`` unless the target is a vector.
        scalars: ``[N, k]``, not moved; ``k = 0`` unless the target is scalar.
        labels: ``[N]`` int64 from 0, or None.
        classes: how many labels; 0 without.
    """

    x: Tensor
    y: Tensor
    scalars: Tensor
    labels: Tensor | None
    classes: int

    def __len__(self) -> int:
        return len(self.x)

    @property
    def tokens(self) -> Tensor:
        """All that is moved, ``[N, T_x + T_y, n]``."""
        return torch.cat([self.x, self.y], 1) if self.y.shape[1] else self.x

    @property
    def features(self) -> int:
        """Length of a flattened sample."""
        return (self.x.shape[1] + self.y.shape[1]) * self.x.shape[2] + self.scalars.shape[1]

    def subset(self, index: Tensor) -> Samples:
        """The samples at ``index``."""
        labels = None if self.labels is None else self.labels[index]
        return Samples(self.x[index], self.y[index], self.scalars[index], labels, self.classes)

    def in_common_classes(self, fewest: int) -> Tensor:
        """``[N]``: which samples are of classes of at least ``fewest``; all, where fewer than two classes are so common."""
        if self.labels is None:
            return torch.ones(len(self), dtype=torch.bool)
        labels = self.labels.cpu()
        common = torch.bincount(labels, minlength=self.classes) >= fewest
        return common[labels] if int(common.sum()) > 1 else torch.ones_like(labels, dtype=torch.bool)

    def of_common_classes(self, fewest: int) -> Samples:
        """Without the samples of classes of fewer than ``fewest``, where two others remain; labels count the classes that are left.

        >>> data = samples_of(torch.randn(7, 2), torch.tensor([0, 0, 1, 2, 2, 2, 0]))
        >>> data.of_common_classes(2).labels.tolist()
        [0, 0, 1, 1, 1, 0]
        """
        common = self.in_common_classes(fewest)
        if bool(common.all()):
            return self
        kept = self.subset(common.nonzero()[:, 0].to(self.x.device))
        assert kept.labels is not None
        there, labels = torch.unique(kept.labels, return_inverse=True)
        return replace(kept, labels=labels, classes=len(there))

    def thinned(self) -> Samples:
        """As many of them as the discoverers look at, drawn with a fixed seed; all, in their order, where they are few."""
        most = min(MOST_SAMPLES, max(1, MOST_ENTRIES // self.x.shape[2] ** 2))
        if len(self) <= most:
            return self
        drawn = torch.randperm(len(self), generator=torch.Generator().manual_seed(0))[:most]
        return self.subset(drawn.to(self.x.device))

    def scaled(self) -> tuple[Samples, float]:
        """In float32, vector tokens at root mean square 1, scalars standardised; and the scale taken out."""
        tokens = self.tokens.double()
        scale = float(tokens.square().mean().sqrt())
        if scale == 0:
            raise ArgumentError("x", "data that are not all zero", "zeros")
        scalars = self.scalars.double()
        if scalars.shape[1]:
            spread = scalars.std(0)
            scalars = (scalars - scalars.mean(0)) / torch.where(spread > 0, spread, torch.ones_like(spread))
        x, y = ((part.double() / scale).float() for part in (self.x, self.y))
        return Samples(x, y, scalars.float(), self.labels, self.classes), scale


def samples_of(x: Any, y: Any = None, target: Target | None = None, n: int | None = None) -> Samples:
    """Check raw data: NumPy arrays or tensors; or as ``x`` a :class:`erlangen.data.DataSet`, or torch's data set or loader of ``x`` or
    ``(x, y)``.

    Args:
        x: ``[N, T, n]``, or ``[N, n]`` for one token.
        y: None, ``[N, T_y, n]`` (vector), ``[N]`` or ``[N, k]`` floating (scalar), ``[N]`` whole numbers (class).
        target: what ``y`` is; by default as its shape and type say.
        n: the size of a token that is expected.

    Raises:
        ArgumentError: naming ``x``, ``y`` or ``target``: not finite, not real, beyond 1e100 or below 1e-100, empty, or of a shape or type
            that does not fit.

    >>> samples_of(torch.randn(8, 3), torch.arange(8) % 2).classes
    2
    """
    if isinstance(x, Collection):
        raise ArgumentError("x", "tokens [N, T, n]; for other data er.fit tries the groups of their kind", str(x))
    if isinstance(x, DataSet | Dataset) or (isinstance(x, Iterable) and not isinstance(x, Tensor | np.ndarray | list | tuple)):
        if y is not None:
            raise ArgumentError("y", "nothing beside a loader or a data set, which hold it", type(y).__name__)
        if isinstance(x, DataSet):
            x, y, target = x.x, x.y, target or x.target
        else:
            x, y = _collect(DataLoader(x, batch_size=BATCH) if isinstance(x, Dataset) else x)
    x = _tensor("x", x)
    if x.ndim == 2:
        x = x.unsqueeze(1)
    if x.ndim != 3 or 0 in x.shape:
        raise ArgumentError("x", "at least one sample of one token, [N, T, n] or [N, n]", f"shape {tuple(x.shape)}")
    x = _floating(x)
    if n is not None and x.shape[-1] != n:
        raise ArgumentError("x", f"tokens of n = {n} components", f"{x.shape[-1]} components")
    _check_finite("x", x)
    moved, scalars = x[:, :0], x[:, 0, :0]
    if y is None:
        if target is not None:
            raise ArgumentError("y", f"a {target} target", "None")
        return Samples(x, moved, scalars, None, 0)
    y = _tensor("y", y).to(x.device)
    if len(y) != len(x) if y.ndim else True:
        raise ArgumentError("y", f"one entry for each of the {len(x)} samples of x", f"shape {tuple(y.shape)}")
    _check_finite("y", y)
    if target is None:
        target = "vector" if y.ndim == 3 else "scalar" if y.is_floating_point() else "class"
    if target == "class":
        labels = _labels(y)
        return Samples(x, moved, scalars, labels, int(labels.max()) + 1)
    if target == "scalar":
        if y.ndim > 2:
            raise ArgumentError("y", "a scalar target [N] or [N, k]", f"shape {tuple(y.shape)}")
        return Samples(x, moved, _floating(y).reshape(len(x), -1), None, 0)
    if target != "vector":
        raise ArgumentError("target", f"one of {', '.join(TARGETS)}", repr(target))
    y = y.unsqueeze(1) if y.ndim == 2 else y
    if y.ndim != 3 or y.shape[-1] != x.shape[-1]:
        raise ArgumentError("y", f"a vector target [N, T_y, {x.shape[-1]}]", f"shape {tuple(y.shape)}")
    y = _floating(y)
    dtype = torch.promote_types(x.dtype, y.dtype)
    return Samples(x.to(dtype), y.to(dtype), scalars, None, 0)


def _collect(loader: Iterable[Any]) -> tuple[Tensor, Tensor | None]:
    xs, ys = [], []
    for batch in loader:
        parts = list(batch) if isinstance(batch, list | tuple) else [batch]
        if not 1 <= len(parts) <= 2 or not all(isinstance(part, Tensor | np.ndarray) for part in parts):
            got = f"batches of {', '.join(type(part).__name__ for part in parts) or 'nothing'}"
            raise ArgumentError("x", "samples x, or pairs (x, y), of numbers", got, "take the wanted fields out first")
        xs.append(_tensor("x", parts[0]))
        if len(parts) > 1:
            ys.append(_tensor("y", parts[1]))
    if not xs:
        raise ArgumentError("x", "a loader or a data set with at least one sample", "none")
    return torch.cat(xs), torch.cat(ys) if ys else None


def _tensor(name: str, values: Any) -> Tensor:
    if isinstance(values, Tensor):
        if values.is_complex():
            raise ArgumentError(name, "real numbers", f"a tensor of {values.dtype}", "give real and imaginary parts as components")
        return values.detach()
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise ArgumentError(name, "numbers", f"an array of {array.dtype}")
    if array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    return torch.from_numpy(np.ascontiguousarray(array, array.dtype.newbyteorder("=")))


def _floating(values: Tensor) -> Tensor:
    """As floating-point numbers that tell apart all that was told apart."""
    if values.is_floating_point():
        return values
    return values.double() if values.element_size() > 2 else values.float()


def _check_finite(name: str, values: Tensor) -> None:
    if values.is_floating_point() and not bool(torch.isfinite(values).all()):
        raise ArgumentError(name, "finite numbers", "NaN or infinity")
    size = values.detach().abs().amax(0) if values.is_floating_point() else values.new_zeros(1)
    if bool((size > FARTHEST).any()) or bool(((size > 0) & (size < 1 / FARTHEST)).any()):
        raise ArgumentError(name, "numbers between 1e-100 and 1e100", f"sizes up to {float(size.max()):.1e}", "take other units")


def _labels(y: Tensor) -> Tensor:
    """Whole numbers from 0, in the order of the labels' values."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1 or (y.is_floating_point() and bool((y != y.round()).any())):
        raise ArgumentError("y", "a class target [N] of whole numbers", f"{y.dtype} of shape {tuple(y.shape)}")
    return torch.unique(y, return_inverse=True)[1]
