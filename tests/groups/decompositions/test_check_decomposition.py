"""The check of decompositions passes ours and refuses a wrong density."""

from __future__ import annotations

import pytest
import torch

import erlangen as er
from erlangen.groups.decompositions import PolarDecomposition


@pytest.mark.parametrize(
    ("group", "name"),
    [
        (er.GLplus(2), "polar"),
        (er.SL(2), "cartan"),
        (er.Sp(4), "iwasawa"),
        (er.SL(2), "ldu"),
        (er.SO(1, 3), "polar"),
        (er.SO(3), "polar"),
        (er.SE(2), "semidirect"),
        (er.Affine(2), "semidirect"),
    ],
    ids=str,
)
def test_ours_pass(group, name):
    verdict = er.testing.check_decomposition(group.decomposition(name))
    assert verdict
    assert "from the left" in verdict.reason


class Lebesgue(PolarDecomposition):
    """Plain coordinates without the density."""

    def place(self, c, u):
        elements, log_density = super().place(c, u)
        return elements, torch.zeros_like(log_density)


class Transposed(PolarDecomposition):
    def join(self, *factors):
        return factors[1] @ factors[0]


def test_wrong_ones_are_refused():
    with pytest.raises(AssertionError, match="product of the factors"):
        er.testing.check_decomposition(Transposed(er.SL(2)))
    with pytest.raises(AssertionError, match="from the left"):
        er.testing.check_decomposition(
            Lebesgue(er.SL(2)),
        )
