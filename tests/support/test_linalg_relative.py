"""Relative errors of what vanishes: rounding is no error, and everything else is."""

import math

import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.linalg import relative_error
from erlangen.measure.explain.guarantees import _invariant
from erlangen.parameters.check import check_weight_spec
from erlangen.parameters.trace import weight_spec
from erlangen.reps.admissible import approximate_error

F32, F64 = torch.float32, torch.float64


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize(
    ("off", "size", "summed", "dtype", "wanted"),
    [
        (2e-3, 1.0, 1.0, F64, 2e-3),
        (3e-16, 1.0, 1.0, F64, 3e-16),  # nothing vanishes: the number itself
        (3e-16, 2e-16, 1.0, F64, 0.0),  # rounding beside rounding
        (1e-8, 1e-8, 1.0, F64, 1.0),  # small, but no rounding in double precision
        (1e-7, 1e-7, 1.0, F32, 0.0),
        (0.0, 0.0, 0.0, F64, 0.0),
        (1e-3, 0.0, 1.0, F64, math.inf),
    ],
)
def test_rounding_of_what_was_summed_is_no_error(off, size, summed, dtype, wanted, unit):
    got = relative_error(*(torch.tensor(unit * t, dtype=F64) for t in (off, size, summed)), dtype)
    assert got == pytest.approx(wanted, rel=1e-12)


def test_numbers_that_are_none_are_no_zero():
    assert relative_error(torch.tensor(math.nan), torch.tensor(1.0), torch.tensor(1.0)).isnan()


class Cancels(nn.Module):
    """Its second output is nothing but rounding."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 2)

    def forward(self, x):
        h = self.first(x).tanh()
        return self.last(h), (h - h.mean(-1, keepdim=True)).sum(-1)


def test_outputs_that_cancel_do_not_spoil_a_specification():
    net, x = Cancels(), torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    assert 0 < net.double()(x.double())[1].abs().max() < 1e-14
    verdict = check_weight_spec(weight_spec(net, example=x, check=False), net, x)
    assert verdict
    assert verdict["worst"] < 1e-12


@pytest.mark.parametrize("dtype", [F32, F64])
def test_what_vanishes_is_invariant(dtype):
    """The mean of points seen from their mean, as a baseline."""
    G = er.SO(3)
    x = torch.randn(4, 7, 3, dtype=dtype, generator=torch.Generator().manual_seed(0))
    centred = lambda t: (t - t.mean(1, keepdim=True)).mean(1)  # noqa: E731
    assert centred(x).abs().max() > 0
    assert _invariant(centred, G.vector, x, [], None, "the baseline") == ""
    assert "not invariant" in _invariant(lambda t: t.mean(1), G.vector, x, [], None, "the baseline")


def test_an_activation_that_is_zero_is_exact():
    error = approximate_error(er.SO(3).vector, lambda x: 0 * x)
    assert (error.worst, error.mean) == (0.0, 0.0)
