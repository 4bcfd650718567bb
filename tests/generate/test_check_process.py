"""`check_process` passes ours, and catches what is wrong in others'."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import erlangen as er
from erlangen.actions import Fractional, Shifts
from erlangen.generate import Categorical, Gaussian, Process, WrappedNormal
from erlangen.groups import SpaceGroup, Torus

G = er.O(3)
CLOUDS = torch.randn(3, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
CENTRED = CLOUDS - CLOUDS.mean(1, keepdim=True)
LABELS = torch.randint(4, (3, 6), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("process", "x0"),
    [
        (Gaussian(G.vector, 20), CLOUDS),
        (Gaussian(G.vector, 20, "noise", centred=True), CENTRED),
        (WrappedNormal(Fractional(SpaceGroup(225)), 20), CLOUDS % 1),
        (WrappedNormal(Shifts(Torus(3)), 20), CLOUDS % 1),
    ],
)
def test_ours_pass(process: Process, x0: torch.Tensor) -> None:
    verdict = er.testing.check_process(process, x0, lambda x, t: x)
    assert "the law commutes with the action" in verdict.reason


def test_classes_pass() -> None:
    for transition in ("uniform", 2, torch.tensor([0.4, 0.3, 0.2, 0.1])):
        process: Any = Categorical(4, transition, 20)
        assert er.testing.check_process(process, LABELS, lambda x, t: torch.zeros(*x.shape, 4))


class Uneven(Gaussian):
    """Louder along the first axis: it does not commute with rotations."""

    def log_law(self, x_t, x_s, t, s, *, rows=None):
        scale = torch.tensor([2.0, 1.0, 1.0], dtype=x_t.dtype)
        return super().log_law(x_t * scale, x_s * scale, t, s, rows=rows)


class NeverClean(Gaussian):
    """Begins with the noise of the first step."""

    def noise(self, x0, t, *, rows=None, generator=None):
        return super().noise(x0, (t + 1).clamp(max=self.steps), rows=rows, generator=generator)


class Dense(Gaussian):
    """Takes a batch for dense whatever its rows."""

    def log_law(self, x_t, x_s, t, s, *, rows=None):
        return super().log_law(x_t, x_s, t[:1].expand(len(x_t)), s[:1].expand(len(x_t)))


@pytest.mark.parametrize(
    ("kind", "law"), [(Uneven, "commutes"), (NeverClean, "step 0 is the datum"), (Dense, "does not depend on the layout")]
)
def test_what_is_wrong_is_named(kind: Any, law: str) -> None:
    with pytest.raises(AssertionError, match=law):
        er.testing.check_process(kind(G.vector, 20), CLOUDS, lambda x, t: x)
