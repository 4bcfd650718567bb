"""Many networks of one architecture as one batch: stacked, put on one scale, and their linear invariants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.maps import LinearMaps, Space
from erlangen.parameters.spec import Params, WeightSpec
from erlangen.parameters.unf import spaces_of


def from_state_dicts(states: Sequence[Mapping[str, Tensor]], spec: WeightSpec | None = None) -> dict[str, Tensor]:
    """The weights of networks of one architecture as ``[networks, 1, *shape]``, ready for a functional.

    Args:
        states: their ``state_dict``s.
        spec: which tensors; by default all floating-point ones of the first.

    Raises:
        ArgumentError: none, or one that lacks a tensor or has another shape; it is named with its network's number.

    >>> from_state_dicts([nn.Linear(3, 2).state_dict() for _ in range(5)])["weight"].shape
    torch.Size([5, 1, 2, 3])
    """
    if not states:
        raise ArgumentError("states", "at least one state_dict", "none")
    names = list(spec.shapes) if spec is not None else [n for n, t in states[0].items() if t.is_floating_point()]
    for i, state in enumerate(states):
        for name in names:
            shape = spec.shapes[name] if spec is not None else tuple(states[0][name].shape)
            if name not in state or tuple(state[name].shape) != shape:
                got = f"shape {tuple(state[name].shape)}" if name in state else "no such tensor"
                raise ArgumentError(name, f"shape {shape}, as the first network's", f"{got} in network {i}")
    return {name: torch.stack([state[name].detach() for state in states]).unsqueeze(1) for name in names}


class Standardize(nn.Module):
    """Shift and scale each tensor's channels by their mean and deviation over a zoo, so that all tensors are of one size.

    One number for a whole tensor, so permutations are respected. Fit it to the training networks alone.

    >>> zoo = {"w": 5 + 3 * torch.randn(100, 1, 6, 4)}
    >>> scaled = Standardize(WeightSpec({"w": (6, 4)}, {"w": (None, None)})).fit(zoo)(zoo)
    >>> bool(scaled["w"].mean().abs() < 1e-5), round(float(scaled["w"].std()), 3)
    (True, 1.0)
    """

    def __init__(self, spec: WeightSpec) -> None:
        super().__init__()
        self.spec = spec
        # By number, not by name: names of buffers may not hold dots.
        for i in range(len(spec.shapes)):
            self.register_buffer(f"mean{i}", torch.zeros(1))
            self.register_buffer(f"scale{i}", torch.ones(1))

    def fit(self, zoo: Params) -> Standardize:
        """Take the numbers from ``[networks, C, *shape]``."""
        for i, (name, x) in enumerate(self.spec.select(zoo).items()):
            if x.ndim != len(self.spec.shapes[name]) + 2:
                raise ArgumentError(name, "[networks, channels, *shape]", tuple(x.shape))
            flat = x.transpose(0, 1).flatten(1)
            setattr(self, f"mean{i}", flat.mean(1))
            setattr(self, f"scale{i}", flat.std(1).clamp_min(torch.finfo(x.dtype).tiny))
        return self

    def forward(self, params: Params) -> dict[str, Tensor]:
        found = {}
        for i, (name, x) in enumerate(self.spec.select(params).items()):
            ones = [1] * len(self.spec.shapes[name])
            found[name] = (x - getattr(self, f"mean{i}").reshape(-1, *ones)) / getattr(self, f"scale{i}").reshape(-1, *ones)
        return found


def canonical_signs(params: Params, layers: Sequence[tuple[str, str, str]]) -> dict[str, Tensor]:
    """Undo the sign symmetry of networks with odd activations (sine, tanh): make every hidden bias positive.

    A unit's weights and bias may change sign together if the weights that read it do, too; the function stays. Functionals know the
    permutations of units but not these signs, so weights that may differ by them are brought to one form first.

    Args:
        params: ``[*batch, C, *shape]``.
        layers: for each hidden layer, from the first on, the names of its weight ``(units, in)``, its bias ``(units,)`` and of the weight
            that reads it ``(out, units)``.

    >>> w = {"0.weight": torch.tensor([[1.0], [2.0]]), "0.bias": torch.tensor([-3.0, 4.0]), "2.weight": torch.tensor([[5.0, 6.0]])}
    >>> canonical_signs(w, [("0.weight", "0.bias", "2.weight")])["2.weight"]
    tensor([[-5.,  6.]])
    """
    found = dict(params)
    for weight, bias, reader in layers:
        sign = torch.where(found[bias] < 0, -1.0, 1.0).to(found[bias].dtype)
        found[weight] = found[weight] * sign.unsqueeze(-1)
        found[bias] = found[bias] * sign
        found[reader] = found[reader] * sign.unsqueeze(-2)
    return found


def invariants(spec: WeightSpec, params: Params) -> dict[str, Tensor]:
    """All linear invariants of each tensor ``[*batch, C, *shape]``, as averages: ``[*batch, features]``.

    Of a recurrent matrix ``(h, h)`` these are the mean of its diagonal and of all; fixed axes and blocks are kept apart.

    >>> spec = WeightSpec({"w": (3, 3)}, {"w": ("h", "h")})
    >>> invariants(spec, {"w": torch.eye(3)[None]})["w"]
    tensor([1.0000, 0.3333])
    """
    found: dict[str, list[Tensor]] = {name: [] for name in spec.shapes}
    for (name, _), space, piece in zip(spec.parts, spaces_of(spec), spec.fold(params)):
        maps = LinearMaps([space], [Space()], "mean")
        count = len(maps.terms[0, 0])
        each = torch.eye(count, dtype=piece.dtype, device=piece.device).unsqueeze(-1)
        channel = piece.ndim - len(space.axes)
        found[name].append(maps.apply({(0, 0): each}, [piece.unsqueeze(channel)])[0].flatten(-2))
    return {name: torch.cat(values, -1) for name, values in found.items()}
