"""Learned optimizers: momentum, plus a functional of weights and gradients that is trained itself.

    m^g <- g m^g + gradient,      W <- W - lr (m^g0 + strength f(W, gradient, m^g1, m^g2, ..., t))

An equivariant ``f`` makes the trajectory of permuted weights the permuted trajectory, as plain gradient descent does.

Source: A. Zhou, C. Finn, J. Harrison, "Universal neural functionals", NeurIPS 2024, arXiv:2402.05232, after L. Metz et al. Dividing the
inputs of ``f`` by their size is ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.parameters.spec import Params, WeightSpec

DECAYS = (0.1, 0.5, 0.9, 0.99, 0.999, 0.9999)


@dataclass(frozen=True)
class Inputs:
    """What the functional of a learned optimizer reads of each weight.

    Attributes:
        decays: of the momenta that it reads, beside the weight and the gradient.
        clock: how many numbers tell the time: sines and cosines of geometrically spaced periods; ``1``: the fraction of ``horizon``.
        horizon: steps of a run, for ``clock=1``.
        normalized: divide each input by its root mean square over its tensor, so that only directions are read.

    >>> Inputs().channels
    19
    """

    decays: tuple[float, ...] = DECAYS
    clock: int = 11
    horizon: int = 1000
    normalized: bool = False

    @property
    def channels(self) -> int:
        """Numbers for each weight."""
        return 2 + len(self.decays) + self.clock

    def time(self, step: Tensor) -> Tensor:
        """The code of a step ``[*batch]``, ``[*batch, clock]``."""
        step = step.unsqueeze(-1)
        if self.clock == 1:
            return step / self.horizon
        i = torch.arange(self.clock, device=step.device)
        periods = 10.0 ** (4 * (i // 2) / max((self.clock - 1) // 2, 1))
        return torch.where(i % 2 == 0, torch.sin(step / periods), torch.cos(step / periods))

    def __call__(self, weight: Tensor, gradient: Tensor, momenta: Tensor, step: Tensor, ndim: int) -> Tensor:
        """``[*batch, channels, *shape]`` of a tensor with ``ndim`` axes; ``momenta`` ``[*batch, decays, *shape]``."""
        channel = weight.ndim - ndim
        x = torch.cat([weight.unsqueeze(channel), gradient.unsqueeze(channel), momenta], channel)
        if self.normalized:
            dims = tuple(range(channel + 1, x.ndim))
            square = x.square().mean(dims, keepdim=True) if dims else x.square()
            x = x * (square + torch.finfo(x.dtype).tiny ** 0.5).rsqrt()
        time = self.time(step).to(x.dtype).reshape(*step.shape, self.clock, *[1] * ndim)
        return torch.cat([x, time.expand(*x.shape[:channel], self.clock, *x.shape[channel + 1 :])], channel)


@dataclass(frozen=True)
class OptimizerState:
    """What a learned optimizer carries from step to step.

    Attributes:
        momenta: of each tensor ``[*batch, 1 + decays, *shape]``: first the one that moves the weights.
        step: how many steps were made, a float tensor ``[*batch]``.
    """

    momenta: dict[str, Tensor]
    step: Tensor


class LearnedUpdate(nn.Module):
    """One step of a learned optimizer, as a function of weights, gradients and state.

    Args:
        spec: of the weights.
        network: ``f``: a dict of ``[*batch, inputs.channels, *shape]`` to one of ``[*batch, 1, *shape]``.
        inputs: what ``f`` reads.
        lr, momentum, strength: where the three numbers start; they are learned as ``log``, ``logit`` and ``log``. ``strength=0`` switches
            ``f`` off, for good.

    >>> from erlangen.parameters import UNF
    >>> spec = WeightSpec({"w": (3, 2), "b": (3,)}, {"w": ("h", None), "b": ("h",)})
    >>> update = LearnedUpdate(spec, UNF(spec, 19, 1, width=4))
    >>> params = {"w": torch.randn(3, 2), "b": torch.randn(3)}
    >>> state = update.start(params)
    >>> params, state = update(params, {"w": torch.ones(3, 2), "b": torch.ones(3)}, state)
    >>> params["w"].shape, float(state.step)
    (torch.Size([3, 2]), 1.0)
    """

    def __init__(
        self,
        spec: WeightSpec,
        network: nn.Module,
        inputs: Inputs | None = None,
        lr: float = 0.1,
        momentum: float = 0.9,
        strength: float = 1e-3,
    ) -> None:
        super().__init__()
        for argument, value, holds in (
            ("lr", lr, lr > 0), ("momentum", momentum, 0 < momentum < 1), ("strength", strength, strength >= 0)
        ):  # fmt: skip
            if not holds:
                raise ArgumentError(argument, "lr > 0, 0 < momentum < 1 and strength >= 0", repr(value))
        self.spec, self.network, self.inputs = spec, network, inputs or Inputs()
        self.log_lr = nn.Parameter(torch.tensor(math.log(lr)))
        self.logit_momentum = nn.Parameter(torch.tensor(math.log(momentum / (1 - momentum))))
        self.log_strength = nn.Parameter(torch.tensor(math.log(strength) if strength else -math.inf))

    def start(self, params: Params) -> OptimizerState:
        """The state before the first step of weights ``[*batch, *shape]``."""
        momenta = {}
        batch: tuple[int, ...] = ()
        for name, w in self.spec.select(params).items():
            ndim = len(self.spec.shapes[name])
            batch = tuple(w.shape[: w.ndim - ndim])
            momenta[name] = w.new_zeros(*batch, 1 + len(self.inputs.decays), *self.spec.shapes[name])
        return OptimizerState(momenta, torch.zeros(batch, device=w.device))

    def forward(self, params: Params, gradients: Params, state: OptimizerState) -> tuple[dict[str, Tensor], OptimizerState]:
        """The weights after a step, and the new state. Tensors that are not in the spec are left out."""
        lr, momentum, strength = self.log_lr.exp(), self.logit_momentum.sigmoid(), self.log_strength.exp()
        momenta, features = {}, {}
        for name, w in self.spec.select(params).items():
            ndim = len(self.spec.shapes[name])
            channel = w.ndim - ndim
            decays = torch.cat([momentum.reshape(1), momentum.new_tensor(self.inputs.decays)]).to(w.dtype)
            gradient = gradients[name]
            momenta[name] = decays.reshape(-1, *[1] * ndim) * state.momenta[name] + gradient.unsqueeze(channel)
            others = momenta[name].narrow(channel, 1, len(self.inputs.decays))
            features[name] = self.inputs(w, gradient, others, state.step, ndim)
        moves = self.network(features)
        moved = {}
        for name, w in self.spec.select(params).items():
            channel = w.ndim - len(self.spec.shapes[name])
            moved[name] = w - lr * (momenta[name].select(channel, 0) + strength * moves[name].select(channel, 0))
        return moved, OptimizerState(momenta, state.step + 1)


class LearnedOptimizer(torch.optim.Optimizer):
    """A learned update as an optimizer of ``torch``: ``step()`` after ``backward()``.

    Args:
        params: a model's ``named_parameters()``; all that the update's spec names.
        update: the (meta-trained) :class:`LearnedUpdate`; it is used without gradients.

    Raises:
        ArgumentError: parameters without names, or not those of the spec.

    >>> from erlangen.parameters import UNF, weight_spec
    >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    >>> spec = weight_spec(net)
    >>> optimizer = LearnedOptimizer(net.named_parameters(), LearnedUpdate(spec, UNF(spec, 19, 1, width=4)))
    >>> net(torch.randn(5, 4)).square().mean().backward()
    >>> optimizer.step()
    """

    def __init__(self, params: Iterable[tuple[str, nn.Parameter]], update: LearnedUpdate) -> None:
        named = list(params)
        if not all(isinstance(entry, tuple) for entry in named):
            raise ArgumentError("params", "the pairs of a model's named_parameters()", "parameters without names")
        missing = sorted(set(update.spec.shapes) ^ {name for name, _ in named})
        if missing:
            raise ArgumentError(
                "params", f"the parameters of the update's spec, {list(update.spec.shapes)}", f"a difference in {missing}"
            )
        super().__init__([p for _, p in named], {})
        self.update = update
        self._names = [name for name, _ in named]
        update.spec.select(dict(named))

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; a parameter without gradient has the gradient zero."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        own = dict(zip(self._names, self.param_groups[0]["params"]))
        gradients = {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in own.items()}
        fresh = self.update.start(own)
        momenta = {name: self.state[p].get("momenta", fresh.momenta[name]) for name, p in own.items()}
        step = next((self.state[p]["step"] for p in own.values() if "step" in self.state[p]), fresh.step)
        moved, after = self.update(own, gradients, OptimizerState(momenta, step))
        for name, p in own.items():
            p.copy_(moved[name])
            self.state[p] = {"momenta": after.momenta[name], "step": after.step}
        return loss
