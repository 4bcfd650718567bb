"""Scaling laws of activations: the table against the numbers, and unnamed functions against their analytic class."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from scipy.interpolate import CubicSpline
from torch import nn
from torch.nn import functional

from erlangen.errors import ArgumentError
from erlangen.reps import Multipliers, classify
from erlangen.reps.classify import _FUNCTIONS, _MODULES, resolve
from erlangen.reps.multipliers import EVEN, LINEAR, NONE, ODD
from erlangen.reps.scaling_laws import numerical_class


def log2(x):
    return torch.log2(x.abs().clamp_min(1e-300))


def spline(odd: bool):
    """A cubic spline through random points, straight outside of [-3, 3]."""
    rng = np.random.default_rng(7)
    knots = np.linspace(0.0 if odd else -3.0, 3.0, 9)
    values = rng.normal(size=9)
    values[0] = 0.0 if odd else values[0]
    curve = CubicSpline(knots, values)

    def f(x):
        t = x.numpy()
        if odd:
            return torch.as_tensor(np.sign(t) * curve(np.minimum(np.abs(t), 3.0)))
        return torch.as_tensor(curve(np.clip(t, -3.0, 3.0)))

    return f


def minus_two(x):
    """f(-2 x) = 3 f(x), with no smaller multiplier."""
    wave = torch.where(x > 0, 2 + torch.cos(math.pi * log2(x)), 2 + torch.cos(math.pi * (log2(x) - 1)))
    return torch.where(x == 0, torch.zeros_like(x), x.abs() ** math.log2(3) * wave)


UNNAMED = {
    "cube": (lambda x: x**3, Multipliers(3.0, None, (1.0, -1.0))),
    "cube root": (lambda x: x.sign() * x.abs() ** (1 / 3), Multipliers(1 / 3, None, (1.0, -1.0))),
    "fourth power": (lambda x: x**4, Multipliers(4.0, None, (1.0, 1.0))),
    "root of the size": (lambda x: x.abs().sqrt(), Multipliers(0.5, None, (1.0, 1.0))),
    "squared rectifier": (lambda x: x.clamp(min=0) ** 2, Multipliers(2.0)),
    "two slopes": (lambda x: torch.where(x > 0, 3 * x, 0.2 * x), Multipliers(1.0)),
    "step": (lambda x: (x > 0).to(x.dtype), Multipliers(0.0)),
    "sign": (lambda x: torch.sign(x), Multipliers(0.0, None, (1.0, -1.0))),
    "shifted sigmoid": (lambda x: torch.sigmoid(x) - 0.5, ODD),
    "x^3 + x": (lambda x: x**3 + x, ODD),
    "odd far out": (lambda x: torch.where(x.abs() < 1e6, x, x.sign() * 1e6), ODD),
    "odd near zero": (lambda x: torch.where(x.abs() < 1e-5, 0 * x, x), ODD),
    "bell": (lambda x: torch.exp(-x * x), EVEN),
    "log cosh": (lambda x: functional.softplus(2 * x) - x, EVEN),
    "nearly abs": (lambda x: x * torch.tanh(50 * x), EVEN),
    "x^2 + x": (lambda x: x * x + x, NONE),
    "swish of another slope": (lambda x: x * torch.sigmoid(1.7 * x), NONE),
    "random spline": (spline(odd=False), NONE),
    "odd spline": (spline(odd=True), ODD),
    "log-periodic on one side": (
        lambda x: x.clamp(min=0) * (2 + torch.sin(2 * math.pi * log2(x))),
        Multipliers(None, (2.0, 2.0)),
    ),
    "odd log-periodic": (lambda x: x * (2 + torch.sin(2 * math.pi * log2(x))), Multipliers(None, (2.0, 2.0), (1.0, -1.0))),
    "log-periodic, changing sign": (lambda x: x.abs() * torch.sin(math.pi * log2(x)), Multipliers(None, (2.0, -2.0), (1.0, 1.0))),
    "turned at each doubling": (minus_two, Multipliers(None, (4.0, 9.0), (2.0, 3.0))),
    "linear": (lambda x: -0.3 * x, LINEAR),
}


@pytest.mark.parametrize("name", UNNAMED)
def test_unnamed_functions_have_their_analytic_class(name):
    f, law = UNNAMED[name]
    found = classify(f)
    assert found.how == "numerical"
    assert found.multipliers.symbol == law.symbol
    probes = torch.tensor([-1.0, -2.0, 2.0, 4.0, 0.3, -3.0, 8.0], dtype=torch.float64)
    assert torch.allclose(found.multipliers.values(probes), law.values(probes), rtol=1e-9, equal_nan=True)
    assert found.is_affine == (name == "linear")


MODULES = [
    *(nn.Identity(), nn.ReLU(), nn.LeakyReLU(0.1), nn.LeakyReLU(1.0), nn.LeakyReLU(-1.0), nn.LeakyReLU(2.0), nn.PReLU(), nn.PReLU(3, -1.0)),
    *(nn.RReLU().eval(), nn.Hardtanh(), nn.Hardtanh(-1, 2), nn.Hardtanh(0, math.inf), nn.Hardtanh(-math.inf, 0), nn.Tanh(), nn.Softsign()),
    *(nn.Threshold(0, 0), nn.Threshold(1.0, 2.0), nn.Threshold(0, 1.0), nn.Softshrink(), nn.Softshrink(0.0), nn.Hardshrink()),
    *(nn.ELU(), nn.ELU(0.0), nn.CELU(), nn.SELU(), nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.Mish(), nn.Hardswish(), nn.Hardsigmoid()),
    *(nn.Sigmoid(), nn.LogSigmoid(), nn.Softplus(), nn.Softplus(3.0), nn.Hardshrink(0), nn.ReLU6(), nn.Tanhshrink()),
]  # fmt: skip


@pytest.mark.parametrize("module", MODULES, ids=repr)
def test_the_table_agrees_with_the_numbers(module):
    by_table = classify(module)
    # Slopes for each channel are one function here, for they are equal.
    number = copy.deepcopy(nn.PReLU(1, module.weight[0].item()) if isinstance(module, nn.PReLU) else module).double()
    found = numerical_class(number, "it")
    assert by_table.how == "table"
    assert type(module) in _MODULES
    assert by_table.kind == found.kind
    assert by_table.multipliers.symbol == found.multipliers.symbol


@pytest.mark.parametrize("f", list(_FUNCTIONS), ids=lambda f: f.__name__)
def test_the_functions_table_agrees_with_the_numbers(f):
    assert numerical_class(f, "it").kind == _FUNCTIONS[f].kind


def test_parameters_count():
    assert classify(nn.LeakyReLU(1.0)).is_linear
    assert classify(nn.LeakyReLU(-1.0)).is_even
    assert classify(nn.Hardtanh(-2, 2)).is_odd
    assert not classify(nn.Hardtanh(-2, 1)).is_odd
    assert classify("leaky_relu").power == 1.0
    assert classify(lambda x: 2 * x + 1).affine == (2.0, 1.0)
    assert classify(lambda x: 0 * x + 3).is_constant
    assert classify(nn.Sequential(nn.Tanh(), nn.Tanh())).is_odd


def test_values_of_the_character():
    law = Multipliers(None, (2.0, 3.0), (1.0, -1.0))
    entries = torch.tensor([1.0, -1.0, 8.0, -0.5, 3.0], dtype=torch.float64)
    expected = torch.tensor([1.0, -1.0, 27.0, -1 / 3, math.nan], dtype=torch.float64)
    assert torch.allclose(law.values(entries), expected, equal_nan=True)
    assert not law.keeps_entries
    assert Multipliers(None, (2.0, 2.0)).keeps_entries


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (torch.log, "-inf at 0"),
        (lambda x: 1 / x, "inf at 0"),
        (torch.sqrt, "nan at"),
        (lambda x: x[:-1], "keeps the shape"),
        (lambda x: x + 1j, "real tensor"),
        (lambda x: torch.softmax(x, 0), "each entry alone"),
        (nn.Softmax(-1), "each entry alone"),
        (nn.LayerNorm(357), "any shape"),
        (nn.Dropout(), "randomised"),
        (nn.RReLU(), "randomised"),
        (nn.ReLU(inplace=True), "inplace"),
        (lambda x: x.relu_(), "overwrites"),
        (nn.ReLU, r"write ReLU\(\)"),
        ("rleu", "one of abs"),
        (7, "a module, a function"),
    ],
)
def test_what_is_no_activation(bad, said):
    with pytest.raises(ArgumentError, match=said) as caught:
        classify(bad)
    assert caught.value.argument == "activation"


def test_names():
    assert resolve("SiLU")(torch.ones(1)) == functional.silu(torch.ones(1))
    assert resolve("leaky_relu").negative_slope == 0.01
