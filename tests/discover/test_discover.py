"""`discover` end to end on data with and without a symmetry."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import erlangen as er
from erlangen.discover import Discovered, discover
from erlangen.errors import ArgumentError
from erlangen.groups import SO


def light(n: int = 3000) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    p = torch.randn(n, 2, 3, generator=rng, dtype=torch.float64)
    return torch.cat([p.norm(dim=-1, keepdim=True), p], -1), torch.randint(2, (n,), generator=rng)


@pytest.fixture(scope="module")
def skewed() -> Discovered:
    rng = np.random.default_rng(0)
    x = np.stack([rng.exponential(size=2000), rng.gamma(3, size=2000), rng.lognormal(size=2000)], -1)[:, None]
    return discover(x, steps=600, quiet=True)


@pytest.fixture(scope="module")
def round_ball() -> Discovered:
    x = torch.randn(3000, 1, 3, generator=torch.Generator().manual_seed(0))
    return discover(x, steps=1200, quiet=True)


def test_nothing_is_found_where_there_is_nothing(skewed: Discovered) -> None:
    assert not skewed
    assert skewed.algebra is None
    assert not skewed.verdict
    assert str(skewed).startswith("no symmetry found")
    assert skewed.as_dict()["found"] is False
    with pytest.raises(ValueError, match="no symmetry"):
        _ = skewed.group


def test_a_ball_is_round(round_ball: Discovered) -> None:
    assert round_ball
    assert round_ball.verdict
    assert round_ball.algebra is not None
    assert round_ball.algebra.same_span(SO(3).algebra)
    assert round_ball.group == SO(3)
    assert round_ball.metric is not None
    assert round_ball.cosine > 0.98
    assert "so(3)" in str(round_ball)


def test_answers_are_kept(round_ball: Discovered, skewed: Discovered, tmp_path) -> None:
    for found in (round_ball, skewed):
        path = found.save(tmp_path / "found.safetensors")
        again = Discovered.load(path)
        assert str(again) == str(found)
        assert again.algebra == found.algebra
        assert json.dumps(again.as_dict()) == json.dumps(found.as_dict())


def test_findings_are_comparable(round_ball: Discovered, skewed: Discovered) -> None:
    best = next(f for f in round_ball.findings if f.holds)
    assert (best.found, best.group) == ("so(3)", SO(3))
    assert best.confidence is not None
    assert best.confidence > 0.8
    verdict = round_ball.verdict
    assert best.confidence == pytest.approx(1 - max(0.0, verdict["auc"] - 0.5) / (verdict["auc_random"] - 0.5))
    assert not any(f.holds for f in skewed.findings)


def test_too_few_samples_tell_nothing() -> None:
    x = torch.randn(40, 1, 3, generator=torch.Generator().manual_seed(0))
    assert not discover(x, steps=50, quiet=True)


def test_planes_by_name_and_the_subspace() -> None:
    from erlangen.fields.mechanics import two_body

    data = two_body("train")
    found = discover(data.x, data.y, names=data.names, steps=500, quiet=True)
    assert found
    wanted = torch.kron(torch.eye(4), torch.tensor([[0.0, -1.0], [1.0, 0.0]])).double()
    basis = found.algebra.basis[0]  # type: ignore[union-attr]
    assert abs(float((basis * wanted).sum())) / float(basis.norm() * wanted.norm()) == pytest.approx(1.0)
    assert "4 of 8" in found.ambiguity


@pytest.mark.slow
def test_jets() -> None:
    from erlangen.fields.jets import jets

    data = jets("train")
    found = er.discover(data.x, data.y, quiet=True)
    assert found.group == SO(1, 3, connected=True)
    assert found.metric is not None
    assert found.metric.signature == (1, 3)
    assert found.cosine >= 0.98
    assert "cone" in found.ambiguity


def test_refusals() -> None:
    x, _ = light(50)
    with pytest.raises(ArgumentError, match="'names'"):
        discover(x, names=("a",))
    with pytest.raises(ArgumentError, match="'y'"):
        discover(x, torch.zeros(3))


def test_a_quadric_that_stands_leaves_nothing_to_learn() -> None:
    x, y = light()
    found = discover(x, y, quiet=True)
    assert found.algebra is not None
    assert found.algebra.same_span(SO(1, 3).algebra)
    assert [c.method for c in found.candidates] == ["quadric fit"]
    assert found.metric is not None
    torch.testing.assert_close(found.metric.form, torch.diag(torch.tensor([1.0, -1, -1, -1], dtype=torch.float64)) / 2)
    asked = discover(x, y, steps=2, quiet=True)
    assert any(c.method.startswith("LieGAN") for c in asked.candidates)


def test_other_kinds_of_data_are_named_and_sent_to_fit():
    pictures = er.data.Collection("digits", "images", {"image": torch.rand(40, 1, 8, 8)})
    with pytest.raises(
        ArgumentError, match=r"'x': expected tokens .* er.fit tries the groups of their kind; got digits: 40 images"
    ):
        discover(pictures, quiet=True)
