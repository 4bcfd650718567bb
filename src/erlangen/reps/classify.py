"""`classify`: the multiplier group of an activation, by table for the ones torch names, numerically for any other function."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from erlangen.errors import ArgumentError
from erlangen.reps.multipliers import EVEN, NONE, ODD, ActivationClass, Multipliers, affine_class, two_slopes
from erlangen.reps.scaling_laws import numerical_class

Activation = str | Callable[[Tensor], Tensor] | nn.Module


def classify(activation: Activation) -> ActivationClass:
    """What kind of function an activation is.

    Args:
        activation: a torch module (its parameters count: ``LeakyReLU(-1)`` is the absolute value), a function of tensors, or a name
            such as ``"relu"``, ``"tanh"``, ``"abs"``.

    Raises:
        ArgumentError: no such name; or the function is not point-wise, not finite, randomised, or overwrites its argument; or a PReLU
            with different slopes, which is several functions (:func:`slopes_of`).

    >>> print(classify(torch.nn.LeakyReLU(0.1)))
    LeakyReLU: positively homogeneous of degree 1, M = R>0 (by table)
    >>> classify(torch.nn.LeakyReLU(-1.0)).kind, classify("identity").kind, classify("abs").kind
    ('even power 1', 'linear', 'even power 1')
    """
    activation = resolve(activation)
    if isinstance(activation, nn.Module):
        if getattr(activation, "inplace", False):
            raise ArgumentError(
                "activation", "an activation that leaves its argument as it is", repr(activation), "set inplace=False"
            )
        rule = _MODULES.get(type(activation))
        if rule is not None:
            return rule(type(activation).__name__, activation)
        return numerical_class(copy.deepcopy(activation).double(), type(activation).__name__)
    try:
        known = _FUNCTIONS.get(activation)
    except TypeError:  # an unhashable callable is no named one
        known = None
    return known if known is not None else numerical_class(activation, getattr(activation, "__name__", repr(activation)))


def resolve(activation: Activation) -> Callable[[Tensor], Tensor]:
    """The callable that a name stands for; a callable itself.

    >>> resolve("leaky_relu")
    LeakyReLU(negative_slope=0.01)
    """
    if isinstance(activation, str):
        key = activation.lower().replace("_", "").replace("-", "")
        if key in _NAMES:
            named = _NAMES[key]
            return named() if isinstance(named, type) else named
        raise ArgumentError("activation", f"one of {', '.join(sorted(_NAMES))}; or any callable", repr(activation))
    if isinstance(activation, type) and issubclass(activation, nn.Module):
        raise ArgumentError("activation", "a module", f"the class {activation.__name__}", f"write {activation.__name__}()")
    if not callable(activation):
        raise ArgumentError("activation", "a module, a function of tensors, or a name", type(activation).__name__)
    return activation  # type: ignore[return-value]  # a class that is callable is one, too


def slopes_of(activation: Any) -> list[float] | None:
    """The slopes of a PReLU with more than one of them; ``None`` for every other activation."""
    if isinstance(activation, nn.PReLU) and activation.weight.numel() > 1:
        return activation.weight.detach().double().tolist()
    return None


def _prelu(name: str, module: Any) -> ActivationClass:
    slopes = module.weight.detach().double().unique().tolist()
    if len(slopes) > 1:
        raise ArgumentError("activation", "one function", f"PReLU with {len(slopes)} different slopes")
    return two_slopes(name, 1.0, -slopes[0])


def _rrelu(name: str, module: Any) -> ActivationClass:
    if module.training and module.lower != module.upper:
        raise ArgumentError(
            "activation",
            "an activation that is a function",
            "RReLU in training, which is randomised",
            "a randomised activation cannot be decided; put the module in eval mode",
        )
    return two_slopes(name, 1.0, -(module.lower + module.upper) / 2)


def _hardtanh(name: str, module: Any) -> ActivationClass:
    low, high = float(module.min_val), float(module.max_val)
    if (low, high) == (-math.inf, math.inf):
        return affine_class(name, 1.0, 0.0)
    if (low, high) == (0.0, math.inf):
        return two_slopes(name, 1.0, 0.0)
    if (low, high) == (-math.inf, 0.0):
        return two_slopes(name, 0.0, -1.0)
    return ActivationClass(name, ODD if low == -high else NONE)


def _threshold(name: str, module: Any) -> ActivationClass:
    at, value = float(module.threshold), float(module.value)
    if math.isinf(at):
        return affine_class(name, 1.0, 0.0) if at < 0 else affine_class(name, 0.0, value)
    return two_slopes(name, 1.0, 0.0) if at == value == 0.0 else ActivationClass(name, NONE)


def _shrink(name: str, module: Any) -> ActivationClass:
    return affine_class(name, 1.0, 0.0) if module.lambd == 0 else ActivationClass(name, ODD)


def _elu(name: str, module: Any) -> ActivationClass:
    return two_slopes(name, 1.0, 0.0) if module.alpha == 0 else ActivationClass(name, NONE)


def _always(multipliers: Multipliers) -> Callable[[str, Any], ActivationClass]:
    return lambda name, module: ActivationClass(name, multipliers)


_MODULES: dict[type[nn.Module], Callable[[str, Any], ActivationClass]] = {
    nn.Identity: lambda name, module: affine_class(name, 1.0, 0.0),
    nn.ReLU: lambda name, module: two_slopes(name, 1.0, 0.0),
    nn.LeakyReLU: lambda name, module: two_slopes(name, 1.0, -float(module.negative_slope)),
    nn.PReLU: lambda name, module: _prelu(name, module),
    nn.RReLU: _rrelu,
    nn.Hardtanh: _hardtanh,
    nn.Threshold: _threshold,
    nn.Softshrink: _shrink,
    nn.Hardshrink: _shrink,
    nn.ELU: _elu,
    **dict.fromkeys((nn.Tanh, nn.Softsign, nn.Tanhshrink), _always(ODD)),
    **dict.fromkeys(
        (
            nn.ReLU6,
            nn.CELU,
            nn.SELU,
            nn.GELU,
            nn.SiLU,
            nn.Mish,
            nn.Hardswish,
            nn.Hardsigmoid,
            nn.Sigmoid,
            nn.LogSigmoid,
            nn.Softplus,
        ),
        _always(NONE),
    ),
}

_SIGNED_POWERS = {"sign": (0.0, -1.0), "abs": (1.0, 1.0), "square": (2.0, 1.0)}
_FUNCTIONS: dict[Any, ActivationClass] = {
    **{f: two_slopes("relu", 1.0, 0.0) for f in (torch.relu, functional.relu)},
    functional.leaky_relu: two_slopes("leaky_relu", 1.0, -0.01),
    **{getattr(torch, n): ActivationClass(n, Multipliers(p, None, (1.0, c))) for n, (p, c) in _SIGNED_POWERS.items()},
    torch.neg: affine_class("neg", -1.0, 0.0),
    **{
        getattr(module, name): ActivationClass(name, law)
        for module, law, names in (
            (torch, ODD, "tanh sin sinh atan asinh erf"),
            (functional, ODD, "softsign tanhshrink hardtanh softshrink hardshrink"),
            (torch, EVEN, "cos cosh sinc"),
            (torch, NONE, "sigmoid exp expm1 selu"),
            (functional, NONE, "relu6 elu celu selu gelu silu mish hardswish hardsigmoid logsigmoid softplus sigmoid"),
        )
        for name in names.split()
    },
    functional.tanh: ActivationClass("tanh", ODD),
}
#: Name without underscores -> the function itself, or the module's class.
_NAMES: dict[str, Callable[[Tensor], Tensor] | type[nn.Module]] = {
    **{kind.__name__.lower(): kind for kind in _MODULES if kind is not nn.Threshold},
    **{
        f.__name__: f
        for f in (torch.sin, torch.cos, torch.abs, torch.square, torch.sign, torch.atan, torch.asinh, torch.erf, torch.exp)
    },
}


class CoordinateFunctions:
    """A function for each coordinate of a vector ``[..., n]``: one for all of them, or a PReLU with a slope for each.

    Attributes:
        name: for people.
        classes: one :class:`ActivationClass`, or one for each coordinate.
    """

    def __init__(self, activation: Activation, dim: int) -> None:
        function = resolve(activation)
        slopes = slopes_of(function)
        self.name = getattr(function, "__name__", type(function).__name__)
        self.slopes: Tensor | None = None
        if slopes is not None and len(set(slopes)) > 1:
            if len(slopes) != dim:
                raise ArgumentError("activation", f"a PReLU of 1 or {dim} slopes, one for each coordinate", f"{len(slopes)} slopes")
            self.slopes = torch.tensor(slopes, dtype=torch.float64)
            self.classes = tuple(two_slopes(self.name, 1.0, -a) for a in slopes)
        else:
            self.classes = (classify(function),)
            self.function = copy.deepcopy(function).double() if isinstance(function, nn.Module) else function

    def __call__(self, x: Tensor) -> Tensor:
        """The values at ``x``, ``[..., n]`` in float64."""
        if self.slopes is not None:
            return torch.where(x >= 0, x, self.slopes * x)
        with torch.no_grad():
            return self.function(x.clone()).to(torch.float64)

    def part(self, start: int, stop: int) -> CoordinateFunctions:
        """The functions of some of the coordinates."""
        if self.slopes is None:
            return self
        piece = copy.copy(self)
        piece.slopes, piece.classes = self.slopes[start:stop], self.classes[start:stop]
        return piece
