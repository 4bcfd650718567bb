"""`ReluNetwork`: affine maps with ReLU between them, in double precision, with everything that is asked of its parameters."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.parameters.spec import WeightSpec

#: Formats whose rounding is coarser than what ranks of Jacobians can bear without a word.
HALF = (torch.float16, torch.bfloat16)


@dataclass(frozen=True, eq=False)
class ReluNetwork:
    """``F(x) = W_d relu(... relu(W_1 x + b_1) ...) + b_d``, or a batch of such networks.

    Args:
        weights: ``[*batch, n_l, n_{l-1}]`` for l = 1 ... d; kept as float64.
        biases: ``[*batch, n_l]``.

    Raises:
        ArgumentError: shapes do not fit each other, a width is zero, or an entry is not finite; the layer is named.

    >>> net = ReluNetwork((torch.eye(3, 2), torch.ones(1, 3)), (torch.zeros(3), torch.zeros(1)))
    >>> net
    ReluNetwork(2-3-1, 13 parameters)
    >>> net(torch.tensor([2.0, -1.0], dtype=torch.float64))
    tensor([2.], dtype=torch.float64)
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]

    def __post_init__(self) -> None:
        if not len(self.weights):
            raise ArgumentError("weights", "at least one layer", "none")
        if len(self.weights) != len(self.biases):
            raise ArgumentError("biases", f"one for each of the {len(self.weights)} layers", len(self.biases))
        object.__setattr__(self, "weights", tuple(_double(f"weights[{i}]", w) for i, w in enumerate(self.weights)))
        object.__setattr__(self, "biases", tuple(_double(f"biases[{i}]", b) for i, b in enumerate(self.biases)))
        before = None
        for i, (w, b) in enumerate(zip(self.weights, self.biases)):
            if w.ndim < 2 or 0 in w.shape[-2:]:
                raise ArgumentError(
                    f"weights[{i}]", "a matrix [*batch, n_out, n_in] with positive widths", f"shape {tuple(w.shape)}"
                )
            if before is not None and w.shape[-1] != before:
                raise ArgumentError(f"weights[{i}]", f"{before} columns, as the layer before has rows", f"shape {tuple(w.shape)}")
            if b.shape != w.shape[:-1] or w.shape[:-2] != self.weights[0].shape[:-2]:
                raise ArgumentError(f"biases[{i}]", f"shape {tuple(w.shape[:-1])}, as the weights have rows", tuple(b.shape))
            before = w.shape[-2]

    # ---- sizes ----

    @property
    def widths(self) -> tuple[int, ...]:
        """``(n_0, ..., n_d)``."""
        return (self.weights[0].shape[-1], *(w.shape[-2] for w in self.weights))

    @property
    def batch(self) -> torch.Size:
        """The batch shape of the parameters."""
        return self.weights[0].shape[:-2]

    @property
    def num_params(self) -> int:
        """D, the number of weights and biases of one network."""
        return sum(n * (m + 1) for m, n in pairwise(self.widths))

    @property
    def num_hidden(self) -> int:
        """H, the number of hidden neurons, which is how many scalings there are."""
        return sum(self.widths[1:-1])

    # ---- parameters ----

    @cached_property
    def spec(self) -> WeightSpec:
        """How permutations of hidden neurons move the parameters; names are those of :meth:`module`."""
        labels: list[str | None] = [None, *(str(2 * i) for i in range(len(self.weights) - 1)), None]
        axes: dict[str, tuple[str | None, ...]] = {}
        shapes: dict[str, tuple[int, ...]] = {}
        for i, (m, n) in enumerate(pairwise(self.widths)):
            axes |= {f"{2 * i}.weight": (labels[i + 1], labels[i]), f"{2 * i}.bias": (labels[i + 1],)}
            shapes |= {f"{2 * i}.weight": (n, m), f"{2 * i}.bias": (n,)}
        return WeightSpec(shapes, axes)

    @property
    def params(self) -> dict[str, Tensor]:
        """The parameters by name, as in the state of :meth:`module`."""
        pairs = enumerate(zip(self.weights, self.biases))
        return {f"{2 * i}.{kind}": t for i, pair in pairs for kind, t in zip(("weight", "bias"), pair)}

    @classmethod
    def from_params(cls, params: dict[str, Tensor]) -> ReluNetwork:
        """The inverse of :attr:`params`."""
        count = len(params) // 2
        return cls(tuple(params[f"{2 * i}.weight"] for i in range(count)), tuple(params[f"{2 * i}.bias"] for i in range(count)))

    @property
    def vector(self) -> Tensor:
        """All parameters ``[*batch, D]``: layer by layer, the weights row by row and then the bias, as torch orders them."""
        return torch.cat([t for w, b in zip(self.weights, self.biases) for t in (w.flatten(-2), b)], -1)

    @classmethod
    def from_vector(cls, vector: Tensor, widths: Sequence[int]) -> ReluNetwork:
        """The network with parameters ``vector`` ``[*batch, D]``.

        Raises:
            ArgumentError: its length is not that of the widths.
        """
        sizes = [k for m, n in pairwise(widths) for k in (n * m, n)]
        if vector.shape[-1] != sum(sizes):
            raise ArgumentError("vector", f"[*batch, {sum(sizes)}] for widths {tuple(widths)}", f"shape {tuple(vector.shape)}")
        parts = vector.split(sizes, -1)
        weights = [part.unflatten(-1, (n, m)) for part, (m, n) in zip(parts[::2], pairwise(widths))]
        return cls(tuple(weights), tuple(parts[1::2]))

    def one(self) -> ReluNetwork:
        """Itself, where a single network is needed.

        Raises:
            ArgumentError: it is a batch.
        """
        if self.batch:
            raise ArgumentError("model", "one network", f"a batch of shape {tuple(self.batch)}", "take its members one by one")
        return self

    def member(self, index: int) -> ReluNetwork:
        """One network of a batch ``[B]``."""
        return ReluNetwork(tuple(w[index] for w in self.weights), tuple(b[index] for b in self.biases))

    def replaced(self, changes: dict[int, tuple[Tensor, Tensor]]) -> ReluNetwork:
        """A network with other weights and biases in some layers (counted from 0)."""
        pairs = [changes.get(i, pair) for i, pair in enumerate(zip(self.weights, self.biases))]
        return ReluNetwork(tuple(w for w, _ in pairs), tuple(b for _, b in pairs))

    def module(self) -> nn.Sequential:
        """A float64 ``nn.Sequential`` of Linear and ReLU with copies of these parameters."""
        self.one()
        layers: list[nn.Module] = []
        for w, b in zip(self.weights, self.biases):
            layer = nn.Linear(w.shape[-1], w.shape[-2], dtype=torch.float64)
            layer.weight.data.copy_(w)
            layer.bias.data.copy_(b)
            layers += [layer, nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    # ---- the function ----

    def preactivations(self, x: Tensor) -> list[Tensor]:
        """``z_1 ... z_d`` at inputs ``x`` ``[*batch, N, n_0]`` (or ``[N, n_0]`` for all networks): ``[*batch, N, n_l]`` each."""
        found: list[Tensor] = []
        for w, b in zip(self.weights, self.biases):
            x = x @ w.mT + b.unsqueeze(-2)
            found.append(x)
            x = x.relu()
        return found

    @property
    def rounding(self) -> float:
        """How far rounding may move a pre-activation (or a derivative), relative to the sum that is formed for it, all layers before
        included; twice the classical bound, for the sum is not taken in one order everywhere."""
        return 2 * torch.finfo(torch.float64).eps * sum(n + 2 for n in self.widths[:-1])

    def formed(self, x: Tensor, patterns: Sequence[Tensor]) -> list[Tensor]:
        """How large the sums are that make ``z_1 ... z_d``, were nothing to cancel: the same recursion on absolute values, which knows
        the scale of every input, ``[*batch, N, n_l]`` each. ``patterns`` say which hidden neurons are active."""
        found: list[Tensor] = []
        size = x.abs()
        for layer, (w, b) in enumerate(zip(self.weights, self.biases)):
            size = size @ w.abs().mT + b.abs().unsqueeze(-2)
            found.append(size)
            if layer < len(patterns):
                size = size * patterns[layer]
        return found

    def __call__(self, x: Any) -> Tensor:
        """``F(x)``: ``[*batch, N, n_d]``, or ``[*batch, n_d]`` of a single input ``[n_0]``."""
        x = self.inputs(x, "x")
        return self.preactivations(x)[-1] if x.ndim > 1 else self.preactivations(x.unsqueeze(0))[-1].squeeze(-2)

    def inputs(self, x: Any, argument: str) -> Tensor:
        """``x`` in double precision, if it fits the first layer.

        Raises:
            ArgumentError: its last axis is not ``n_0`` long, or an entry is not finite.
        """
        x = _double(argument, x)
        if x.ndim < 1 or x.shape[-1] != self.widths[0]:
            raise ArgumentError(argument, f"inputs [N, {self.widths[0]}]", f"shape {tuple(x.shape)}")
        return x

    def __repr__(self) -> str:
        lead = f"{tuple(self.batch)} of " if self.batch else ""
        return f"ReluNetwork({lead}{'-'.join(map(str, self.widths))}, {self.num_params} parameters)"


def _double(argument: str, value: Any) -> Tensor:
    """A finite float64 tensor on the CPU."""
    tensor = torch.as_tensor(value).detach()
    if tensor.dtype in HALF:
        warnings.warn(f"{argument} is {tensor.dtype} and is read as float64: its rounding stays in it", stacklevel=4)
    tensor = tensor.to("cpu", torch.float64)
    if not bool(torch.isfinite(tensor).all()):
        raise ArgumentError(argument, "finite entries", "NaN or infinity")
    return tensor
