"""`Stack`: networks of one architecture run as one, whose weights have a member axis."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils import parametrize

from erlangen.errors import ArgumentError
from erlangen.parameters.asymmetric import FixedEntries, FixedGate
from erlangen.parameters.layers import ACTIVATIONS

#: Layers without weights that treat members as they treat samples.
POINTWISE = (*ACTIVATIONS, nn.Identity, nn.Dropout)


class Stack:
    """Members as one network: ``[M, B, *shape] -> [M, B, *out]``, the first axis the members'.

    A sequence of Linear layers, activations, LayerNorm and dropout (fixed entries and gates, too) is one ``baddbmm`` for each layer;
    any other module is mapped by ``torch.func.vmap``. Modules that this cannot map (recurrent ones, running statistics of batch norm,
    branches that depend on numbers) are run one after the other.

    Args:
        members: modules of one architecture; they are copied, the first one with its modes (``base``).

    Raises:
        ArgumentError: members whose tensors differ in name, shape or precision.

    >>> stack = Stack([nn.Sequential(nn.Linear(2, 8), nn.GELU(), nn.Linear(8, 1)) for _ in range(3)])
    >>> stack(torch.zeros(3, 5, 2)).shape
    torch.Size([3, 5, 1])
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        first = _tensors(members[0])
        for i, member in enumerate(members):
            found = _tensors(member)
            for name in [*first, *found]:
                if first.get(name) != found.get(name):
                    got = f"'{name}' {found.get(name, 'missing')} in member {i}, {first.get(name, 'missing')} in member 0"
                    raise ArgumentError("build", "members of one architecture", got)
        self.size = len(members)
        self.base = copy.deepcopy(members[0])
        parameters, buffers = [dict(m.named_parameters()) for m in members], [dict(m.named_buffers()) for m in members]
        self.parameters = {
            name: torch.stack([own[name].detach() for own in parameters]).requires_grad_(p.requires_grad)
            for name, p in parameters[0].items()
        }
        self.buffers = {name: torch.stack([own[name] for own in buffers]) for name in buffers[0]}
        self.layers = _sequence(self.base)
        #: Whether members are run one after the other.
        self.looped = any(getattr(part, "track_running_stats", False) for part in self.base.modules())

    def __call__(self, x: Tensor) -> Tensor:
        if self.layers is None or x.ndim != 3:
            out, buffers = self._each(x)
            self.buffers = {name: t.detach() for name, t in buffers.items()}
            return out
        for name, layer in self.layers:
            x = self._layer(name, layer, x)
        return x

    def _each(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Outputs and buffers of all members, mapped if that can be done."""
        if not self.looped:
            try:
                return torch.func.vmap(self._member, randomness="different")(self.parameters, self.buffers, x)  # type: ignore[no-any-return]
            except RuntimeError:  # of many kinds: what vmap cannot do, and what the module itself cannot, which is raised below
                pass
        rows = [{name: t[i] for name, t in of.items()} for of in (self.parameters, self.buffers) for i in range(self.size)]
        found = [self._member(rows[i], rows[self.size + i], x[i]) for i in range(self.size)]
        self.looped = True
        return torch.stack([out for out, _ in found]), {name: torch.stack([own[name] for _, own in found]) for name in self.buffers}

    def _member(self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """What one member gives, and its buffers after that: ``functional_call`` writes new ones into the dict that it is given."""
        own = {**parameters, **buffers}
        out = functional_call(self.base, own, (x,))
        return out, {name: own[name] for name in buffers}

    def _layer(self, name: str, layer: nn.Module, x: Tensor) -> Tensor:
        if isinstance(layer, nn.Linear):
            weight, bias = self._weight(name), self.parameters.get(name + "bias")
            return torch.bmm(x, weight.mT) if bias is None else torch.baddbmm(bias.unsqueeze(1), x, weight.mT)
        if isinstance(layer, nn.LayerNorm):
            x = nn.functional.layer_norm(x, layer.normalized_shape, eps=layer.eps)
            weight_of_norm, bias = self.parameters.get(name + "weight"), self.parameters.get(name + "bias")
            x = x if weight_of_norm is None else x * weight_of_norm.unsqueeze(1)
            return x if bias is None else x + bias.unsqueeze(1)
        if isinstance(layer, FixedGate):
            return torch.sigmoid(torch.bmm(x, self.buffers[name + "fixed_matrix"].mT)) * x
        return layer(x)

    def _weight(self, name: str) -> Tensor:
        if name + "weight" in self.parameters:
            return self.parameters[name + "weight"]
        place = name + "parametrizations.weight."
        weight = self.parameters[place + "original"]
        return torch.where(self.buffers[place + "0.mask"], weight, self.buffers[place + "0.values"].to(weight.dtype))

    @property
    def state(self) -> dict[str, Tensor]:
        """All tensors with a member axis, without gradients."""
        return {name: t.detach() for name, t in {**self.parameters, **self.buffers}.items()}

    def keep(self, rows: Tensor, optimizer: torch.optim.Optimizer) -> None:
        """Go on with some members only; the optimiser's state follows."""
        before, self.size = self.size, len(rows)
        for t in self.parameters.values():
            state = optimizer.state.get(t, {})
            t.data, t.grad = t.data[rows], None
            for key, value in state.items():
                if isinstance(value, Tensor) and value.ndim and len(value) == before:
                    state[key] = value[rows]
        self.buffers = {name: t[rows] for name, t in self.buffers.items()}

    def take(self, state: dict[str, Tensor], members: Sequence[int]) -> None:
        """Go on with the weights that a :attr:`state` of all members has for those who are still here."""
        rows = list(members)
        for name, t in {**self.parameters, **self.buffers}.items():
            t.data.copy_(state[name][rows])


def _tensors(module: nn.Module) -> dict[str, str]:
    return {name: f"{str(t.dtype).removeprefix('torch.')} {tuple(t.shape)}" for name, t in module.state_dict().items()}


def _sequence(module: nn.Module) -> list[tuple[str, nn.Module]] | None:
    """The layers of a sequence that one product each computes, with the prefixes of their names; None for any other module."""
    if len(list(module.named_parameters(remove_duplicate=False))) != len(list(module.parameters())):
        return None
    found: list[tuple[str, nn.Module]] = []
    return found if _collect(module, "", found) and len({id(layer) for _, layer in found}) == len(found) else None


def _collect(module: nn.Module, prefix: str, found: list[tuple[str, nn.Module]]) -> bool:
    if module._forward_hooks or module._forward_pre_hooks:
        return False
    kind = parametrize.type_before_parametrizations(module)
    if kind is nn.Sequential:
        return all(_collect(part, f"{prefix}{name}.", found) for name, part in module._modules.items() if part is not None)
    found.append((prefix, module))
    if kind is nn.Linear:
        made: dict[str, list[nn.Module]] = {name: list(p) for name, p in getattr(module, "parametrizations", {}).items()}
        return not made or (list(made) == ["weight"] and [type(p) for p in made["weight"]] == [FixedEntries])
    if kind is nn.LayerNorm:
        return len(module.normalized_shape) == 1  # type: ignore[arg-type]
    if kind is FixedGate:
        return bool(module.axis == -1)
    return kind in POINTWISE
