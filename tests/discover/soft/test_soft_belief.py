"""The graded belief: exact, approximate and broken symmetries, and no symmetry called exact that is not."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

import erlangen as er
from erlangen.discover.soft import default_candidates, graded_belief
from erlangen.errors import ArgumentError

F64 = torch.float64
GROUPS = [er.SO(3), er.SO(2, axis="x"), er.SO(2, axis="z"), er.Scalings(3)]


def pairs(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Generator]:
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 2, 3, generator=draw, dtype=F64)
    return x, 0.1 * torch.randn(count, generator=draw, dtype=F64), draw


def test_exact_and_broken() -> None:
    x, noise, _ = pairs(300)
    belief = graded_belief(x, (x[:, 0] * x[:, 1]).sum(-1) + noise)
    assert {belief[n].status for n in ("SO(3)", "O(3)", "SO(2) about x")} == {"exact"}
    assert belief["Scalings(3)"].status == "broken"
    finding = belief.finding()
    assert finding.holds
    assert finding.group in (er.O(3), er.SO(3))
    assert finding.confidence is not None
    assert finding.confidence > 0.95
    assert belief.advice == "impose"


def test_vectors_and_parity() -> None:
    x, _, draw = pairs(300)
    y = torch.linalg.cross(x[:, 0], x[:, 1])[:, None]
    belief = graded_belief(x, y + 0.1 * torch.randn(y.shape, generator=draw, dtype=F64))
    assert belief["SO(3)"].status == "exact"
    assert belief["O(3)"].status == "broken"  # an axial vector, taken for a vector
    assert belief.finding().group == er.SO(3)


def test_approximate_symmetry_is_graded_and_asks_for_a_penalty() -> None:
    degrees = []
    for part in (0.15, 0.3, 0.6):
        x, noise, _ = pairs(400)
        belief = graded_belief(x, (x[:, 0] * x[:, 1]).sum(-1) + part * x[:, 0, 2] * x[:, 1, 2] + noise, GROUPS)
        assert belief["SO(2) about z"].status == "exact"
        assert belief["SO(3)"].status == "approximate"
        assert belief.advice == "penalty"
        assert belief.finding().group == er.SO(2, axis="z")
        degrees.append(belief["SO(3)"].degree)
    assert degrees == sorted(degrees, reverse=True)
    assert belief.soft < belief.ridge


def test_scalings() -> None:
    x, noise, _ = pairs(400)
    a, b = x.unbind(1)
    angle = (a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1))
    assert graded_belief(x, angle)["Scalings(3)"].degree > 0.85
    assert graded_belief(x, (x[:, 0] + 2 * x[:, 1])[:, None])["Scalings(3)"].status == "exact"
    assert graded_belief(x, a[:, 0] + noise)["Scalings(3)"].status == "broken"
    # Where all samples have one size nothing can be said of scalings.
    one = x / x.square().sum((1, 2)).sqrt()[:, None, None]
    assert graded_belief(one, one[:, 0, 0] + 0.1 * noise)["Scalings(3)"].status == "unclear"


@pytest.mark.parametrize("count", [60, 200])
def test_no_false_positives(count: int) -> None:
    """Targets without any of the symmetries: at most one exact verdict of all, and none on pure noise."""
    said: Counter[str] = Counter()
    for seed in range(4):
        x, noise, draw = pairs(count, seed)
        flat = x.flatten(1)
        a, b = torch.randn(2, 6, generator=draw, dtype=F64)
        for y in (flat @ a + noise, (flat @ a) * (flat @ b) + noise, (flat @ a).clamp_min(0) + noise):
            said.update(g.status for g in graded_belief(x, y, GROUPS).groups.values())
        assert not graded_belief(x, 10 * noise, GROUPS).named("exact")
    assert said["exact"] <= 1
    assert said["broken"] > (0.5 if count > 100 else 0.3) * said.total()  # of few data little can be said


def test_weakly_broken_symmetry_is_not_called_exact() -> None:
    for seed in range(6):
        x, noise, _ = pairs(100, seed)
        y = (x[:, 0] * x[:, 1]).sum(-1) + 0.3 * x[:, 0, 2] * x[:, 1, 2] + noise
        assert graded_belief(x, y, GROUPS)["SO(3)"].status in ("approximate", "unclear")


def test_lorentz_against_rotations_of_space_time() -> None:
    x = torch.randn(300, 2, 4, generator=torch.Generator().manual_seed(0), dtype=F64)
    y = (x[:, 0] * torch.tensor([1.0, -1, -1, -1], dtype=F64) * x[:, 1]).sum(-1)
    belief = graded_belief(x, y, {"Lorentz": er.SO(1, 3), "SO4": er.SO(4)})
    assert belief.named("exact") == ["Lorentz"]
    assert belief["SO4"].status == "broken"


def test_many_vectors_and_classes() -> None:
    x = torch.randn(600, 12, 3, generator=torch.Generator().manual_seed(0), dtype=F64)
    belief = graded_belief(x, x.square().sum((1, 2)), GROUPS[:2])
    assert belief["SO(3)"].degree > 0.95
    inside = (x[:, :2].prod(1).sum(-1) > 0).long()
    labels = graded_belief(x[:, :2], inside, GROUPS[:2])
    assert labels["SO(3)"].degree > 0.95
    assert labels["SO(3)"].status in ("exact", "unclear")


def test_default_candidates_act_on_their_space() -> None:
    for n in range(1, 7):
        assert all(g.vector.dim == n for g in default_candidates(n).values())


def test_it_is_repeatable() -> None:
    x, noise, _ = pairs(80)
    first, second = (graded_belief(x, x[:, 0, 2] + noise, GROUPS, seed=3) for _ in range(2))
    assert first.degrees == second.degrees


def test_bad_input_is_named() -> None:
    x, noise, _ = pairs(40)
    with pytest.raises(ArgumentError, match="'y'"):
        graded_belief(x[:10], noise[:10])
    with pytest.raises(ArgumentError, match="'y'"):
        graded_belief(x, torch.ones(40))
    with pytest.raises(ArgumentError, match="'groups'"):
        graded_belief(x, noise, [er.SO(2)])
    with pytest.raises(ArgumentError, match="'target'"):
        graded_belief(x, noise, target="number")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="'x'"):
        graded_belief(x * torch.inf, noise)
