"""Weights of networks: perceptrons of one architecture, whose hidden units have no order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.fitting.kinds.base import Candidate, DataKind, Scaled
from erlangen.groups.base import Group
from erlangen.nn.perceptron import perceptron
from erlangen.parameters import InvariantUNF, WeightSpec
from erlangen.parameters.predict import direction_and_size
from erlangen.parameters.zoo import Standardize


@dataclass(frozen=True)
class Weights(DataKind):
    """Inputs: the tensors of perceptrons by their names, ``[B, 1, *shape]``. The plain network is a perceptron on all weights, the
    permutations of hidden units are served by a universal neural functional (Zhou et al., arXiv:2402.05232).

    Attributes:
        tensors: name and shape of each tensor, from the first layer to the last: ``(("0.weight", (16, 64)), ("0.bias", (16,)), ...)``.

    >>> kind = Weights((1,), False, (("0.weight", (4, 3)), ("0.bias", (4,)), ("2.weight", (1, 4)), ("2.bias", (1,))))
    >>> kind.spec.axes["2.weight"], str(kind.candidates()[0].group)
    ((None, 'h0'), 'S_4')
    """

    name: ClassVar[str] = "weights"

    tensors: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def spec(self) -> WeightSpec:
        """Which axes are hidden units, and of which layer: those of a layer's outputs are the inputs of the next.

        Raises:
            ArgumentError: the tensors are not those of a perceptron.
        """
        matrices = [name for name, shape in self.tensors if len(shape) == 2]
        shapes = dict(self.tensors)
        axes: dict[str, tuple[str | None, ...]] = {}
        for i, name in enumerate(matrices):
            out, inside = (f"h{i}" if i + 1 < len(matrices) else None), (f"h{i - 1}" if i else None)
            if i and shapes[name][1] != shapes[matrices[i - 1]][0]:
                got = f"{name} {shapes[name]} after {matrices[i - 1]} {shapes[matrices[i - 1]]}"
                raise ArgumentError(
                    "tensors", "layers of a perceptron, each with as many inputs as the one before has outputs", got
                )
            axes[name] = (out, inside)
            bias = f"{name.removesuffix('weight')}bias"
            if bias in shapes:
                axes[bias] = (out,)
        if set(axes) != set(shapes):
            raise ArgumentError("tensors", "the weights and biases of a perceptron", ", ".join(set(shapes) - set(axes)))
        return WeightSpec(shapes, {name: axes[name] for name in shapes})

    def candidates(self) -> tuple[Candidate, ...]:
        return (Candidate(self.spec.group, "by its kind: hidden units have no order"),)

    def input_action(self, group: Group) -> Action | None:
        return self.spec.action if group == self.spec.group else None

    def network(self, width: int, depth: int, dropout: float, group: Group | None = None) -> WeightNetwork:
        return WeightNetwork(self.spec, self.shape, group is not None, width, depth, dropout)

    def standardise(self, network: WeightNetwork, model: nn.Module, x: dict[str, Tensor], y: Tensor, out_scale: float) -> None:
        network.scale.fit(direction_and_size(network.spec, {name: part.float() for name, part in x.items()}))
        network.scale_outputs(y, self.vector)

    def __str__(self) -> str:
        return f"weights of networks ({', '.join(f'{name} {list(shape)}' for name, shape in self.tensors)})"


class WeightNetwork(Scaled):
    """Direction and size of each tensor into a perceptron on all numbers, or into an invariant functional.

    Args:
        spec: of the weights.
        shape: of one output.
        invariant: which of the two.
        width, depth, dropout: of the perceptron; a quarter of the width is that of the functional.
    """

    def __init__(
        self, spec: WeightSpec, shape: tuple[int, ...], invariant: bool, width: int = 128, depth: int = 2, dropout: float = 0.2
    ) -> None:
        super().__init__(shape, width=width, depth=depth, dropout=dropout)
        self.spec, self.scale = spec, Standardize(spec)
        for i in range(len(spec.shapes)):  # of direction and size, before a training or a file fills them
            self.scale.register_buffer(f"mean{i}", torch.zeros(2))
            self.scale.register_buffer(f"scale{i}", torch.ones(2))
        outputs = math.prod(shape)
        self.functional = InvariantUNF(spec, 2, outputs, width=max(width // 4, 4), layers=depth) if invariant else None
        self.layers = None if invariant else perceptron(2 * spec.numel, *[width] * depth, outputs, dropout=dropout)

    def forward(self, x: dict[str, Tensor]) -> Tensor:
        dtype = self.out_scale.dtype
        seen: dict[str, Any] = self.scale(direction_and_size(self.spec, {name: part.to(dtype) for name, part in x.items()}))
        if self.functional is not None:
            return self.scaled(self.functional(seen))
        assert self.layers is not None
        return self.scaled(self.layers(torch.cat([part.flatten(1) for part in seen.values()], 1)))
