"""Layers that know their types are measured without data: in several sizes, shapes and precisions, and what breaks there is seen."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.errors import ArgumentError

V, S = er.SO(3).vector, er.Symmetric(4).vector
D4 = er.Dihedral(4)

LAYERS = {
    "linear": lambda: er.nn.EquivariantLinear(V**2 + V, V),
    "channels": lambda: er.nn.EquivariantLinear(S**2, S, channels=(2, 3)),
    "perceptron": lambda: er.nn.EquivariantMLP(D4.irrep(1), D4.irrep(1) + D4.irrep("turn"), channels=4),
    "gates": lambda: er.nn.Gated(V**2 + 2 * V),
    "product": lambda: er.nn.TensorProduct(V, V + V**2),
    "norm": lambda: er.nn.NormActivation(2 * V, "tanh"),
    "pointwise": lambda: er.nn.PointwiseActivation(D4.irrep(1), torch.abs),
    "symmetrized": lambda: er.symmetrize(nn.Linear(2, 2), D4.irrep(1), D4.irrep(1)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_need_no_data(name: str) -> None:
    layer = LAYERS[name]()
    verdict = er.assert_equivariant(layer, elements=4)
    assert "the worst of 18 random batches" in verdict.reason
    assert verdict["output_scale"] > 0
    assert er.equivariance_error(layer, elements=4).numbers == verdict.numbers  # drawn from a fixed seed


class Typed(nn.Module):
    """A function of vectors that says it is equivariant."""

    inp = out = V

    def __init__(self, function, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.function, self.one = function, nn.Parameter(torch.ones((), dtype=dtype))

    def forward(self, x):
        return self.one * self.function(x)


def test_what_breaks_at_one_size_only_is_seen() -> None:
    with pytest.raises(AssertionError, match="times 10"):
        er.assert_equivariant(Typed(lambda x: x + 1e-3 * (x - x.clamp(-9, 9))))


def test_what_single_precision_hides_is_seen_in_double() -> None:
    layer = Typed(lambda x: x + 1e-6 * x.abs())
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    assert er.equivariance_error(layer, x, V, V)
    verdict = er.equivariance_error(layer)
    assert not verdict
    assert "in float64" in verdict.reason
    assert layer.one.dtype == torch.float32  # a copy was measured


def test_what_mixes_spectators_is_seen() -> None:
    def mixed(x):
        return x if x.ndim == 2 else x.cumsum(-1)

    with pytest.raises(AssertionError, match=r"\[4, 2, 3\]"):
        er.assert_equivariant(Typed(mixed))


def test_half_precision_has_its_own_tolerance() -> None:
    for dtype in (torch.float16, torch.bfloat16):
        assert er.equivariance_error(er.nn.EquivariantLinear(V, V, dtype=dtype), elements=4)


def test_types_can_be_given_without_data() -> None:
    assert er.equivariance_error(lambda x: 2 * x, inp=V, out=V, elements=4)
    assert not er.equivariance_error(torch.relu, inp=V, out=V, elements=4)
    layer = er.nn.EquivariantLinear(V, V)
    assert not er.equivariance_error(layer, out=3 * V.group.scalar, elements=4)  # a type of its own, instead of the layer's
    assert er.equivariance_error(layer, torch.randn(5, 3), elements=4)  # data without types


def test_models_that_take_one_shape_only_say_so() -> None:
    class Flat(nn.Module):
        inp = out = V

        def forward(self, x):
            if x.ndim != 2:
                raise ValueError("two axes")
            return x

    verdict = er.equivariance_error(Flat(), elements=4)
    assert verdict
    assert "the worst of 12 random batches" in verdict.reason
    assert "not taken were [4, 2, 3] (ValueError: two axes)" in verdict.reason


def test_what_is_not_known_is_asked_for() -> None:
    with pytest.raises(ArgumentError, match=r"argument 'inp': expected an action, as relu does not say by \.inp"):
        er.equivariance_error(torch.relu)
    with pytest.raises(ArgumentError, match="argument 'out'"):
        er.equivariance_error(torch.relu, torch.randn(4, 3), V)
    with pytest.raises(ArgumentError, match="does not take random ones"):
        er.equivariance_error(nn.Linear(5, 5), inp=V, out=V)


def test_a_layer_that_is_wrong_for_one_datum_alone_is_found():
    G = er.SO(3)

    class Alone(torch.nn.Module):
        inp = out = G.vector

        def forward(self, x):
            return x.abs() if len(x) == 1 else x

    assert not er.equivariance_error(Alone())
