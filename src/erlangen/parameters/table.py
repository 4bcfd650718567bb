"""The parameters and buffers of a model with what is known about their axes, and weights that are computed from them."""

from __future__ import annotations

import warnings

from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from erlangen.parameters.streams import Stream, fixed, grouped, unify


class Parameters:
    """The axes of all parameters and floating-point buffers; shared ones once.

    Weights under ``torch.nn.utils.parametrize`` are computed: of weight and spectral normalisation, whose permutations are known, they
    have axes like any other; what another parametrization is made of is fixed, with a warning. To be made and used inside
    ``parametrize.cached()``, where a computed weight is one tensor.
    """

    def __init__(self, model: nn.Module) -> None:
        buffers = [(n, b) for n, b in model.named_buffers() if b.is_floating_point() and n in model.state_dict()]
        self.tensors: dict[str, Tensor] = dict([*model.named_parameters(), *buffers])
        self.streams = {
            name: [Stream(n, stored=isinstance(tensor, nn.Parameter)) for n in tensor.shape]
            for name, tensor in self.tensors.items()
        }
        self._name = {id(tensor): name for name, tensor in self.tensors.items()}
        self._used: set[str] = set()
        self._computed: dict[int, tuple[Tensor, list[Stream]]] = {}
        for layer in model.modules():
            if parametrize.is_parametrized(layer):
                for name, chain in layer.parametrizations.items():  # type: ignore[operator, union-attr]
                    weight = getattr(layer, name)
                    self._computed[id(weight)] = (weight, self._through(layer, name, chain, weight))

    def axes(self, tensor: Tensor) -> list[Stream]:
        if id(tensor) in self._computed:
            return self._computed[id(tensor)][1]
        name = self._name[id(tensor)]
        self._used.add(name)
        return self.streams[name]

    def knows(self, tensor: object) -> bool:
        return id(tensor) in self._name or id(tensor) in self._computed

    def fix_unused(self) -> None:
        """Fix what the model did not use, with a warning: in training it may (an auxiliary output), and meet axes that move."""
        idle = [name for name in self.streams if name not in self._used]
        for name in idle:
            for stream in self.streams[name]:
                stream.fix()
        parameters = [name for name in idle if isinstance(self.tensors[name], nn.Parameter) and self.tensors[name].numel() > 1]
        if parameters:
            warnings.warn(
                f"{', '.join(parameters)}: not used in evaluation mode and taken to be fixed; if training uses them, the specification "
                "does not hold there",
                stacklevel=4,
            )

    def _through(self, layer: nn.Module, name: str, chain: nn.Module, weight: Tensor) -> list[Stream]:
        """The axes of a computed weight, made one with those of what it is computed from."""
        steps = list(chain)  # type: ignore[call-overload]
        own = [t for t in [*chain.parameters(), *chain.buffers()] if id(t) in self._name]
        step = type(steps[0]).__name__ if len(steps) == 1 and type(steps[0]).__module__ == parametrizations.__name__ else ""
        if step == "_WeightNorm":
            length, direction = self.axes(chain.original0), self.axes(chain.original1)  # type: ignore[arg-type]
            for a, b in zip(length, direction):
                if a.size == b.size:
                    unify(a, b)
            return direction
        if step == "_SpectralNorm":
            axes = self.axes(chain.original)  # type: ignore[arg-type]
            if weight.ndim > 1:
                dim = steps[0].dim
                unify(self.axes(steps[0]._u)[0], axes[dim])
                unify(self.axes(steps[0]._v)[0], grouped([s for i, s in enumerate(axes) if i != dim]))
            return axes
        warnings.warn(
            f"'{name}' of {parametrize.type_before_parametrizations(layer).__name__} is computed by "
            f"{', '.join(type(s).__name__ for s in steps)}, which is not known to weight_spec: its axes are taken to be fixed",
            stacklevel=4,
        )
        for tensor in own:
            for stream in self.axes(tensor):
                stream.fix()
        return [fixed(n) for n in weight.shape]
