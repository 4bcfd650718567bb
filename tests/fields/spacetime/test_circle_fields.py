"""Functions on the circle: derivatives, values at any points, shifts, refusals."""

import math

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields import spacetime as st
from erlangen.fields.spacetime import series


def direct(values, x):
    """The trigonometric polynomial, term by term."""
    c, n = series.waves(values), values.shape[-1]
    k = torch.arange(n // 2 + 1)
    twice = torch.full((n // 2 + 1,), 2.0, dtype=torch.float64)
    twice[0] = twice[-1] = 1.0
    return (c.unsqueeze(-2) * twice * torch.exp(1j * k * x.unsqueeze(-1))).real.sum(-1)


@pytest.mark.parametrize("n", [8, 10, 64, 256])
def test_any_points_are_read_off_to_1e_12(n):
    rng = torch.Generator().manual_seed(n)
    field = st.CircleField(torch.randn(3, n, generator=rng, dtype=torch.float64))  # all modes alike: the worst case
    x = 14 * torch.rand(3, 50, generator=rng, dtype=torch.float64) - 7
    assert (field.at(x) - direct(field.values, x)).abs().max() < 1e-12
    assert (field.at(st.circle(n)) - field.values).abs().max() < 1e-12


def test_many_are_read_in_parts_as_one_by_one():
    rng = torch.Generator().manual_seed(0)
    values, x = torch.randn(200, 64, generator=rng, dtype=torch.float64), torch.rand(200, 64, generator=rng, dtype=torch.float64)
    (many,) = series.Series(values)(x)
    (one,) = series.Series(values[150])(x[150])
    assert torch.equal(many[150], one) or (many[150] - one).abs().max() < 1e-14


def test_derivatives_of_both_parities_and_the_highest_mode():
    phi = st.circle(16)
    field = st.CircleField(torch.cos(8 * phi) + torch.sin(3 * phi))
    assert (field.derivative().values - 3 * torch.cos(3 * phi)).abs().max() < 1e-13  # the highest is dropped
    assert (field.derivative(2).values + 64 * torch.cos(8 * phi) + 9 * torch.sin(3 * phi)).abs().max() < 1e-12


def test_fourier_and_values_are_the_same_field():
    field = st.CircleField.random(32, 2, generator=torch.Generator().manual_seed(1))
    again = st.CircleField(fourier=field.fourier)
    assert (again.values - field.values).abs().max() < 1e-15
    assert (field.integral - 2 * math.pi * field.fourier[..., 0].real).abs().max() < 1e-14


def test_shifts_resampling_and_products():
    field = st.CircleField.random(32, generator=torch.Generator().manual_seed(2))
    assert torch.equal(field.shift(math.pi).shift(math.pi).values, field.values)
    assert (field.shift(0.3).values - field.at(st.circle(32) + 0.3)).abs().max() < 1e-13
    assert (field.resample(64).resample(32).values - field.values).abs().max() < 1e-14
    assert ((field * field - field * 2 + 1).at(st.circle(32)) - (field.values - 1) ** 2).abs().max() < 1e-13
    assert st.CircleField(torch.cos(15 * st.circle(32))).tail == pytest.approx(1)


def test_gradients_in_field_and_points():
    values = st.CircleField.random(16, generator=torch.Generator().manual_seed(3)).values.requires_grad_()
    x = torch.tensor([0.3, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v, p: st.CircleField(v).at(p), (values, x), atol=1e-8)


@pytest.mark.parametrize(
    ("given", "argument"),
    [
        ({"values": torch.ones(15)}, "values"),
        ({"values": torch.ones(6)}, "values"),
        ({"values": torch.ones(16, dtype=torch.complex128)}, "values"),
        ({"values": torch.full((16,), math.nan)}, "values"),
        ({"values": "abc"}, "values"),
        ({}, "values"),
        ({"fourier": [1j, 0, 0, 0, 0]}, "fourier"),
        ({"fourier": [1, 0]}, "fourier"),
    ],
)
def test_what_is_no_field_is_refused_by_name(given, argument):
    with pytest.raises(ValueError, match=argument) as caught:
        st.CircleField(**given)
    assert isinstance(caught.value, ArgumentError)
