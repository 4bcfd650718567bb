"""Where a layer keeps the matrices that an adapter moves, and how a stored weight is read as one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from erlangen.errors import ArgumentError
from erlangen.parameters.adapters.config import AdapterConfig, lookup


@dataclass(frozen=True)
class Slot:
    """One weight of a layer, read as matrices ``[out, in]``, or ``[parts, out, in]`` of a fused layer.

    Attributes:
        name: of the weight in the layer: ``"weight"``, ``"out_proj.weight"``.
        shape: of the weight as it is stored.
        turned: whether it is stored as ``[in, out]``, as that of an embedding (a linear map of one-hot vectors) is.
        lookup: whether a single column at a time is used.
        parts: matrices on top of each other.
        group: neighbouring columns that share a magnitude.

    >>> from torch import randn
    >>> slot = Slot("weight", (8, 3, 2, 2), group=4)
    >>> w = randn(8, 3, 2, 2)
    >>> slot.matrix(w).shape, bool((slot.stored(slot.matrix(w)) == w).all())
    (torch.Size([8, 12]), True)
    """

    name: str
    shape: tuple[int, ...]
    turned: bool = False
    parts: int = 1
    group: int = 1
    lookup: bool = False

    def matrix(self, weight: Tensor) -> Tensor:
        """The stored weight as ``[out, in]`` or ``[parts, out, in]``."""
        matrix = weight.mT if self.turned else weight.flatten(1)
        return matrix.unflatten(0, (self.parts, -1)) if self.parts > 1 else matrix

    def stored(self, matrix: Tensor) -> Tensor:
        """The inverse of :meth:`matrix`."""
        matrix = matrix.flatten(0, 1) if self.parts > 1 else matrix
        return (matrix.mT if self.turned else matrix).reshape(self.shape)

    @property
    def lead(self) -> tuple[int, ...]:
        return (self.parts,) if self.parts > 1 else ()

    @property
    def sizes(self) -> tuple[int, int]:
        """``(out, in)`` of one matrix."""
        out, inp = (self.shape[1], self.shape[0]) if self.turned else (self.shape[0], _product(self.shape[1:]))
        return out // self.parts, inp


def is_conv1d(layer: nn.Module) -> bool:
    """Whether a layer is ``Conv1D`` of transformers, which stores its weight as ``[in, out]``; it is known by name."""
    return any(c.__name__ == "Conv1D" and c.__module__.startswith("transformers.") for c in type(layer).__mro__)


def _linear(layer: nn.Linear) -> list[Slot]:
    return [Slot("weight", tuple(layer.weight.shape))]


def _turned(layer: nn.Module) -> list[Slot]:
    return [Slot("weight", tuple(layer.weight.shape), turned=True)]  # type: ignore[union-attr, arg-type]


def _embedding(layer: nn.Embedding) -> list[Slot]:
    return [Slot("weight", tuple(layer.weight.shape), turned=True, lookup=True)]


def _attention(layer: nn.MultiheadAttention) -> list[Slot]:
    fused = layer.in_proj_weight is not None
    names = ["in_proj_weight"] if fused else ["q_proj_weight", "k_proj_weight", "v_proj_weight"]
    return [Slot(name, tuple(getattr(layer, name).shape)) for name in names] + [
        Slot("out_proj.weight", tuple(layer.out_proj.weight.shape))
    ]


#: How layers keep their matrices, by class.
READERS: dict[type[nn.Module], Callable[..., list[Slot]]] = {
    nn.MultiheadAttention: _attention,
    nn.Embedding: _embedding,
    **dict.fromkeys((nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d), _linear),
}


def adaptable(layer: nn.Module) -> bool:
    """Whether adapters know what a layer computes with its weight.

    >>> adaptable(nn.Linear(2, 2)), adaptable(nn.LayerNorm(2)), adaptable(nn.Bilinear(2, 2, 2))
    (True, False, False)
    """
    return is_conv1d(layer) or isinstance(layer, tuple(READERS))


def slots(layer: nn.Module, name: str, config: AdapterConfig) -> list[Slot]:
    """The slots of a layer that is called ``name`` in its model.

    Raises:
        ArgumentError: ``split`` does not divide its outputs, or its weights are no plain floating-point parameters.
    """
    held = dict(layer.named_parameters())
    if any(is_lazy(p) for p in held.values()):
        raise ArgumentError(
            "target_modules", "layers whose shapes are known", f"'{name}', a lazy layer", "Call the model once first"
        )
    read = _turned if is_conv1d(layer) else next(r for kind, r in READERS.items() if isinstance(layer, kind))
    found = []
    for slot in read(layer):
        weight = held.get(slot.name)
        if weight is None:  # what computes it would not see the adapter, nor the adapter it
            came = f"'{name}', whose {slot.name} is computed"
            hint = "Leave it out by exclude_modules, or remove its parametrization (weight norm) first"
            raise ArgumentError("target_modules", "layers whose weights are parameters of their own", came, hint)
        if not weight.is_floating_point():
            hint = "Dequantise the layer first"
            raise ArgumentError("target_modules", "layers with floating-point weights", f"{weight.dtype} in '{name}'", hint)
        fused = not isinstance(layer, nn.MultiheadAttention) or slot.name == "in_proj_weight"
        whole_layer = lookup(config.split, name, 1) if fused else 1
        parts = int(lookup(config.split, f"{name}.{slot.name}", whole_layer))
        group = _product(slot.shape[2:]) if config.column == "in_channel" else 1
        whole = slot.sizes[0]
        if whole % parts:
            raise ArgumentError("split", f"a divisor of the {whole} outputs of '{name}'", repr(parts))
        found.append(replace(slot, parts=parts, group=group))
    return found


def _product(sizes: tuple[int, ...]) -> int:
    total = 1
    for n in sizes:
        total *= n
    return total
