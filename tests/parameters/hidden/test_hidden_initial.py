"""The functional dimension at random initialisations against independent numbers."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import binom

from erlangen.parameters.hidden import functional_dimension, functional_dimension_at_init, init_table, initial_networks

#: Architecture, inputs over the maximum, initialisations here, maximum, mean / max, P(full), initialisations there.
FAST = [
    ("5-5-1", 100, 20, 31, 1.000, 1.00, 400),
    ("5-5-5-1", 100, 60, 56, 0.983, 0.75, 400),
    ("5-5-5-5-1", 100, 60, 81, 0.941, 0.20, 400),
    ("1-8-8-8-1", 50, 40, 145, 0.33, 0.0, 100),
    ("2-8-8-8-1", 50, 25, 153, 0.84, 0.01, 100),
]
SLOW = [
    ("5-5-5-5-5-1", 100, 400, 106, 0.880, 0.04, 400),
    ("5-5-5-5-5-5-1", 100, 400, 131, 0.818, 0.003, 400),
    ("10-10-10-10-1", 20, 40, 311, 0.981, 0.25, 40),
    ("10-10-10-10-10-1", 20, 40, 411, 0.952, 0.05, 40),
    ("10-10-10-10-10-10-1", 20, 40, 511, 0.920, 0.00, 40),
    ("15-15-15-15-1", 10, 8, 691, 0.993, 0.25, 8),
    ("3-8-8-8-1", 50, 100, 161, 0.93, 0.03, 100),
    ("5-8-8-8-1", 50, 100, 177, 0.97, 0.25, 100),
    ("8-8-8-8-1", 50, 100, 201, 0.98, 0.33, 100),
]


def check(widths, multiple, inits, maximum, mean, full, theirs):
    found = functional_dimension_at_init(widths, inits, multiple=multiple, quiet=True)
    assert found.max_dim == maximum
    # Two samples: their mean is rounded and has its own error, like ours.
    assert abs(found.mean_ratio - mean) <= 0.02 + 2 * found.mean_error
    # Both shares come from one probability: neither is in the tails of the other's, smoothed.
    hits, smooth = round(found.full * inits), (theirs * full + 1) / (theirs + 2)
    low, high = binom.interval(0.9995, inits, smooth)
    assert low <= hits <= high
    assert found.gap > 100
    return found


@pytest.mark.parametrize("case", FAST, ids=lambda c: c[0])
def test_table_of_small_networks(case):
    found = check(*case)
    assert math.isinf(found.multiple) == case[0].startswith("1-")


@pytest.mark.slow
@pytest.mark.parametrize("case", SLOW, ids=lambda c: c[0])
def test_table_of_larger_networks(case):
    check(*case)


def test_results_repeat_read_and_tell_the_interval():
    first, again = (functional_dimension_at_init((5, 5, 5, 1), 8, multiple=20, seed=4, quiet=True) for _ in range(2))
    assert torch.equal(first.dims, again.dims)
    low, high = first.full_interval()
    assert low <= first.full <= high
    assert "P(full)" in repr(first)
    assert init_table([first]).rows[0][0] == "5-5-5-1"
    # A dimension here is what the network on its own has, on other inputs of the same kind.
    net = initial_networks((5, 5, 5, 1), 8, torch.Generator().manual_seed(4)).member(2)
    assert abs(functional_dimension(net, multiple=20).dim - int(first.dims[2])) <= 3


def test_laws_of_the_parameters():
    g = torch.Generator().manual_seed(0)
    for init, gain in (("he", 2.0), ("lecun", 1.0)):
        nets = initial_networks((8, 50, 1), 200, g, init, 0.3)
        assert float(nets.weights[0].var()) == pytest.approx(gain / 8, rel=0.03)
        assert float(nets.biases[0].std()) == pytest.approx(0.3, rel=0.03)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"widths": "5-x-1"}, "widths"),
        ({"widths": (5,)}, "widths"),
        ({"widths": (5, 5, 0)}, "widths"),
        ({"widths": (5, 1), "n_init": 0}, "n_init"),
        ({"widths": (5, 1), "init": "zero"}, "init"),
        ({"widths": (5, 1), "bias_std": -1.0}, "bias_std"),
    ],
    ids=lambda a: str(a),
)
def test_bad_input(arguments, name):
    with pytest.raises(ValueError, match=f"argument '{name}'"):
        functional_dimension_at_init(**arguments, quiet=True)
