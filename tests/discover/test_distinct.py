"""Copies of samples are no evidence; columns that say nothing are named; NaN is not dropped."""

from __future__ import annotations

import sys
import warnings

import pytest
import torch

import erlangen as er
from erlangen.data.distinct import arranged, boundary, distinct
from erlangen.discover import LieGAN, fit_quadric
from erlangen.discover.confidence import judge
from erlangen.discover.nft.finding import linear_nft_finding
from erlangen.discover.samples import samples_of
from erlangen.discover.soft import graded_belief
from erlangen.discover.soft.belief import _unrelated
from erlangen.discover.soft.held_out import folds
from erlangen.errors import ArgumentError

F64 = torch.float64
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, F64])


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


@DTYPES
@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e6])
def test_samples_are_told_apart_by_their_own_scale(scale, dtype):
    x = (scale * randn(6, 2, 3)).to(dtype)
    x = torch.cat([x, x[[4, 0]], x[2:3] * (1 + torch.finfo(dtype).eps)])
    x[1, 0, 0], x[3, 0, 0] = 0.0, -0.0
    x = torch.cat([x, x[1:2]])
    x[-1, 0, 0] = -0.0
    assert distinct(x).tolist() == [0, 1, 2, 3, 4, 5, 4, 0, 2, 1]


@DTYPES
def test_every_column_has_its_own_scale_and_offset(dtype):
    """Energies of 1e9 beside charges of 1, times about a million: what float32 tells apart is apart."""
    x = torch.tensor([[1e9, 1.0], [1e9, 2.0], [3e9, 1.0], [1e9, 1.0]], dtype=dtype)
    assert distinct(x).tolist() == [0, 1, 2, 0]
    late = torch.tensor([1e6, 1e6 + 0.5, 1e6 + 1, 1e6], dtype=dtype)[:, None]
    assert distinct(late).tolist() == [0, 1, 2, 0]
    broken = torch.tensor([[torch.nan, 1.0], [torch.nan, 2.0], [torch.inf, 1.0], [torch.nan, 1.0]], dtype=dtype)
    assert distinct(broken).tolist() == [0, 1, 2, 0]
    assert distinct(torch.complex(x, x.flip(1))).tolist() == [0, 1, 2, 0]


def test_copies_stand_together_and_are_not_cut_apart():
    kinds = torch.arange(20) % 7
    order = arranged(kinds, torch.Generator().manual_seed(3))
    assert sorted(order.tolist()) == list(range(20))
    assert (kinds[order].diff() != 0).sum() == 6
    for count in range(1, 20):
        place = boundary(kinds, order, count)
        assert not set(kinds[order[:place]].tolist()) & set(kinds[order[place:]].tolist())
    alone = torch.arange(9)
    assert torch.equal(
        arranged(alone, torch.Generator().manual_seed(1)), torch.randperm(9, generator=torch.Generator().manual_seed(1))
    )
    fold = folds(kinds, 3, 0)
    assert all(len(fold[kinds == k].unique()) == 1 for k in range(7))


@pytest.mark.parametrize(("dtype", "contradicting"), [(torch.float32, True), (F64, False)])
def test_repeated_samples_are_no_evidence_for_a_group(dtype, contradicting):
    few, targets = randn(8, 2, 3).to(dtype), randn(8, seed=1).to(dtype)
    with pytest.raises(ArgumentError, match="20 different samples; got 8") as caught:
        graded_belief(few.repeat(10, 1, 1), targets.repeat(10))
    assert caught.value.argument == "x"
    x, y = randn(30, 2, 3).to(dtype), randn(30, seed=1).to(dtype)
    values = randn(240, seed=2).to(dtype) if contradicting else y.repeat(8)
    belief = graded_belief(x.repeat(8, 1, 1), values, [er.SO(3), er.O(3), er.SO(2, axis="z"), er.Scalings(3)])
    assert not belief.named("exact")
    assert belief.advice == "none"
    assert belief.samples == 30


def test_copies_change_nothing_about_a_belief():
    x, groups = randn(80, 2, 3), [er.O(3), er.SO(2, axis="z"), er.Scalings(3)]
    y = (x[:, 0] * x[:, 1]).sum(-1)
    once, often = graded_belief(x, y, groups), graded_belief(x.repeat(3, 1, 1), y.repeat(3), groups)
    assert [b.status for b in once.groups.values()] == [b.status for b in often.groups.values()]
    assert once["O(3)"].status == "exact"
    for name in once.groups:
        assert often[name].lowest == pytest.approx(once[name].lowest, abs=0.1)


def test_no_random_control_is_too_ill_conditioned_for_vector_targets():
    """Bases of a group in which the maps of tensor powers had no clear dimension were drawn once in thirty times."""
    for seed in range(300):
        control = _unrelated(er.SO(3).vector, torch.Generator().manual_seed(seed))
        assert torch.linalg.cond(control.basis) <= torch.e**2 * (1 + 1e-12)
    x = randn(60, 2, 3, seed=22)
    belief = graded_belief(x, x[:, :1] * x[:, 1:].norm(dim=-1, keepdim=True), [er.SO(3)], seed=22)
    assert belief["SO(3)"].status in ("exact", "unclear")


def test_sequences_that_were_seen_are_not_predicted():
    few = randn(6, 4, 30)
    assert not linear_nft_finding(few.repeat(10, 1, 1)).holds
    with pytest.raises(ArgumentError, match="4 different ones"):
        linear_nft_finding(few[:3].repeat(10, 1, 1))


def test_a_judge_counts_different_samples():
    x = randn(200, 1, 2)
    basis = torch.tensor([[[0.0, -1.0], [1.0, 0.0]]])
    once, often = (judge(basis, samples_of(data), steps=12).verdict for data in (x, x.repeat(4, 1, 1)))
    assert once.tried == 200
    assert often.tried == pytest.approx(200, abs=4)
    with pytest.raises(ArgumentError, match="different samples"):
        judge(basis, samples_of(x[:1].repeat(50, 1, 1)), steps=12)


# ---- columns ----


def test_liegan_warns_of_columns_that_identify_nothing(monkeypatch):
    # What it finds is not asked here.
    monkeypatch.setattr(sys.modules["erlangen.discover.liegan"], "at_fitted_scale", lambda *args, **named: None)
    x = randn(64, 1, 2)
    gan = LieGAN(3, steps=2, width=8)
    with pytest.warns(UserWarning, match="component 2: constant"):
        gan.fit(torch.cat([x, torch.ones(64, 1, 1)], 2))
    with pytest.warns(UserWarning, match="components 0 and 2 are the same: the data span 2 of 3"):
        gan.fit(torch.cat([x, x[..., :1]], 2))
    with pytest.warns(UserWarning, match="combinations of others"):
        gan.fit(torch.cat([x, x.sum(-1, keepdim=True)], 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gan.fit(randn(64, 1, 3))
        # The last component of homogeneous coordinates is constant by design.
        LieGAN(3, steps=2, width=8, init="affine", homogeneous=2).fit(torch.cat([x, torch.ones(64, 1, 1)], 2))
    with pytest.raises(ArgumentError, match="40 different samples; got 8"):
        gan.fit(randn(8, 1, 3).repeat(10, 1, 1))


@DTYPES
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_quadric_is_not_fitted_to_what_is_left_of_broken_data(bad, dtype):
    v = randn(200, 3)
    light = torch.cat([v.norm(dim=1, keepdim=True), v], 1).to(dtype)
    assert fit_quadric(light)
    light[[3, 7], 1] = bad
    with pytest.raises(ArgumentError, match="2 of 200 tokens with NaN or infinity") as caught:
        fit_quadric(light)
    assert caught.value.argument == "x"


def test_discover_keeps_copies_on_one_side():
    with pytest.raises(ArgumentError, match="different samples"), pytest.warns(UserWarning, match="constant"):
        er.discover(randn(1, 1, 2).repeat(50, 1, 1), steps=2, quiet=True)
