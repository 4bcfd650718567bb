"""The study of explanation robustness runs, and what is exact in it is exact however little it trains."""

from __future__ import annotations

import importlib.util

import pytest

from erlangen.errors import ArgumentError, MissingExtra
from erlangen.studies.explain import STUDY, Config
from erlangen.studies.explain import setting as settings
from erlangen.studies.explain.part import shift_invariants
from erlangen.testing import check_outcome

TINY = {"steps": 2, "explained": 3, "draws": 2}
needs_aeon = pytest.mark.skipif(importlib.util.find_spec("aeon") is None, reason="aeon is not installed")


@pytest.fixture
def small(monkeypatch):
    """Outlines of 24 points, and images of 6 x 6 on a canvas of 10 x 10."""
    import dataclasses

    import torch

    import erlangen as er
    from erlangen.actions import OnAxes

    real = settings.outlines, settings.images

    def outlines(config):
        found = real[0](config)
        x = [part[0][..., ::5] for part in (found.train, found.test)]
        group = er.Cyclic(24)
        inp = OnAxes({-1: group.vector})
        return dataclasses.replace(
            found,
            train=(x[0], found.train[1]),
            test=(x[1], found.test[1]),
            shape=(24,),
            inp=inp,
            shifted=lambda t, rng: inp.act(group.sample(len(t), generator=rng), t),
            widths=(4, 4, 4),
        )

    def images(config):
        found = real[1](dataclasses.replace(config, samples=300))
        pooled = [torch.nn.functional.avg_pool2d(part[0], 2) for part in (found.train, found.test)]
        line = er.Cyclic(11)
        plane = line * line
        inp = OnAxes({-2: plane.lift(0, line.vector), -1: plane.lift(1, line.vector)})
        shifts = torch.cartesian_prod(*[torch.arange(-1, 2)] * 2)
        elements = tuple(line.element(shifts[:, axis] % 11) for axis in (0, 1))
        return dataclasses.replace(
            found,
            train=(pooled[0], found.train[1]),
            test=(pooled[1], found.test[1]),
            shape=(11, 11),
            inp=inp,
            elements=elements,
            shifted=lambda t, rng: inp.act(tuple(line.element(s) for s in torch.randint(11, (2, len(t)), generator=rng)), t),
            widths=(4, 4, 4),
        )

    monkeypatch.setattr("erlangen.studies.explain.part.outlines", outlines)
    monkeypatch.setattr("erlangen.studies.explain.part.images", images)


@needs_aeon
def test_outlines_have_their_exact_facts(small):
    outcome = STUDY.run(Config(part="outlines", **TINY), quiet=True)
    assert check_outcome(STUDY, outcome)
    exact = [claim for claim in outcome.claims if claim.reported in ("exact", "1")]
    assert len(exact) == 3
    assert all(claim.holds for claim in exact)
    assert len(outcome.claims) == 9
    numbers = outcome.metrics["outlines"]
    scores = numbers["scores"]["All-CNN"]
    guaranteed = [name for name, row in scores.items() if row["guarantee"] == "guaranteed"]
    assert {"Saliency", "Integrated Gradients", "DeepLift", "TracIn", "Influence", "CAV, lin1", "Occlusion, wrapping"} <= set(
        guaranteed
    )
    assert not {"Occlusion", "CAV, conv3", "FeaturePermutation", "GradientShap, no noise"} & set(guaranteed)
    assert all(scores[name]["mean"] >= 0.9999 for name in guaranteed)
    assert not [
        row
        for net in ("Standard-CNN", "Augmented-CNN")
        for row in numbers["scores"][net].values()
        if row["guarantee"] == "guaranteed"
    ]
    assert numbers["averaged over"]["24"] == [1, 1, 1]
    assert len(outcome.sections[0].figures) == 3


def test_images_are_scored_over_a_set_of_shifts(small):
    outcome = STUDY.run(Config(part="images", **TINY), quiet=True)
    assert check_outcome(STUDY, outcome)
    scores = outcome.metrics["images"]["scores"]["All-CNN"]
    assert scores["Integrated Gradients"]["mean"] == pytest.approx(1, abs=1e-4)
    assert scores["Integrated Gradients"]["model_invariance"] == pytest.approx(1, abs=1e-5)
    rival, *others = outcome.claims
    assert rival.baseline > 0.3  # ten classes, three hundred images
    assert others[0].holds
    assert "KernelShap" not in scores


def test_the_rivals_features_are_as_robust_as_the_invariant_network():
    """No shift changes them, so the gradient of whatever reads them moves along with the datum."""
    import torch

    found = settings.images(Config(samples=64))
    shift = found.inp.group.take(found.elements, torch.tensor([7, 20, 33, 50]))
    x = torch.rand(4, 1, 22, 22, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    moved = found.inp.act(shift, x.detach()).requires_grad_()
    here, there = (shift_invariants(t) for t in (x, moved))
    assert torch.allclose(here, there, atol=1e-9)
    weights = torch.randn(here.shape[1], generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    saliency, of_moved = (torch.autograd.grad((f * weights).sum(), t)[0] for f, t in ((here, x), (there, moved)))
    assert torch.allclose(found.inp.act(shift, saliency), of_moved, atol=1e-9)


def test_the_real_settings_are_what_they_say():
    import torch

    found = settings.images(Config(samples=64))
    assert found.shape == (22, 22)
    assert found.count == 81
    # The identity comes first, and no shift wraps what is on the canvas.
    x = found.test[0][:2]
    group = found.inp.group
    assert torch.equal(found.inp.act(group.take(found.elements, 0), x), x)
    for i in range(81):
        moved = found.inp.act(group.take(found.elements, i), x)
        row, column = (int(part[i, 0]) for part in found.elements)
        shift = ((row + 11) % 22 - 11, (column + 11) % 22 - 11)
        assert max(map(abs, shift)) <= 4
        padded = torch.nn.functional.pad(x, (8,) * 4)
        assert torch.equal(torch.nn.functional.pad(moved, (8,) * 4), padded.roll(shift, (2, 3)))


def test_parts_and_what_is_not_installed(monkeypatch):
    assert STUDY.system == 7
    with pytest.raises(ArgumentError, match="'part'"):
        STUDY.run(Config(part="sound"))  # type: ignore[arg-type]

    def missing(config):
        raise MissingExtra("outlines", "aeon")

    monkeypatch.setattr("erlangen.studies.explain.part.outlines", missing)
    with pytest.raises(MissingExtra, match="outlines"):
        STUDY.run(Config(part="outlines"), quiet=True)
    monkeypatch.setattr("erlangen.studies.explain.part.images", missing)
    outcome = STUDY.run(Config(), quiet=True)
    assert set(outcome.metrics["left out"]) == {"outlines", "images"}
