"""Probes beside brute force, and features without training."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.discover.essl import OrbitFeatures, PatchFeatures, features_of, knn_probe, linear_probe, ridge_probe, turns
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups.finite import multiplication_table

F64 = torch.float64


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blobs(n: int, d: int = 5, classes: int = 4, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = seeded(seed)
    centres = torch.randn(classes, d, generator=seeded(99), dtype=F64)
    y = torch.randint(classes, (n,), generator=generator)
    return centres[y] + 0.8 * torch.randn(n, d, generator=generator, dtype=F64), y


def brute_neighbours(train, test, k: int, temperature: float, classes: int) -> list[int]:
    """One test sample at a time, in Python: sorted by cosine, then by place."""
    said = []
    for z in test.tolist():
        cosines = []
        for i, a in enumerate(train[0].tolist()):
            dot = sum(p * q for p, q in zip(z, a))
            cosines.append((-dot / math.sqrt(sum(p * p for p in z) * sum(q * q for q in a)), i))
        votes = [0.0] * classes
        for minus, i in sorted(cosines)[:k]:
            votes[int(train[1][i])] += math.exp(-minus / temperature)
        said.append(max(range(classes), key=lambda c: (votes[c], -c)))
    return said


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.1), (7, 0.1), (60, 1.0)])
def test_neighbours_are_those_of_brute_force(k, temperature):
    train, test = blobs(60), blobs(40, seed=1)
    found = knn_probe(None, train, test, k=k, temperature=temperature, batch_size=7)
    said = brute_neighbours(train, test[0], k, temperature, 4)
    assert found.predictions.tolist() == said
    assert found.score == pytest.approx(sum(a == int(b) for a, b in zip(said, test[1])) / 40)


def test_ties_go_to_earlier_samples_and_smaller_classes():
    x = torch.tensor([[1.0, 0.0]] * 6 + [[0.0, 1.0]] * 2, dtype=F64)
    y = torch.tensor([2, 2, 1, 1, 0, 0, 3, 3])
    test = (torch.tensor([[1.0, 0.0]], dtype=F64), torch.tensor([0]))
    assert knn_probe(None, (x, y), test, k=3).predictions.item() == 2  # the first three: 2, 2, 1
    assert knn_probe(None, (x, y), test, k=4).predictions.item() == 1  # two votes each: the smaller class
    assert knn_probe(None, (x, y), test, k=6).predictions.item() == 0


def test_the_linear_probe_is_the_usual_logistic_regression():
    linear = pytest.importorskip("sklearn.linear_model")
    train, test = blobs(200), blobs(100, seed=1)
    scale, mean = train[0].std(0, correction=0), train[0].mean(0)
    found = linear_probe(None, train, test, penalty=2.0)
    peer = linear.LogisticRegression(C=0.5, tol=1e-10, max_iter=2000).fit(((train[0] - mean) / scale).numpy(), train[1].numpy())
    assert torch.allclose(found.weights * scale, torch.from_numpy(peer.coef_), atol=1e-3)
    assert found.predictions.tolist() == peer.predict(((test[0] - mean) / scale).numpy()).tolist()
    assert 0.7 < found.score < 1


def test_the_ridge_probe_chooses_the_penalty_by_leaving_one_out():
    generator = seeded()
    x = torch.randn(30, 12, generator=generator, dtype=F64)
    y = x[:, :2] @ torch.tensor([[1.0], [-2.0]], dtype=F64) + torch.randn(30, 1, generator=generator, dtype=F64)
    penalties = (0.01, 0.3, 10.0)
    found = ridge_probe(None, (x, y), (x, y), penalties=penalties)
    mean, scale = x.mean(0), x.std(0, correction=0)
    z = (x - mean) / scale
    unit = float(torch.linalg.svdvals(z).square().mean())
    errors = []
    for penalty in penalties:  # every fit without one sample, on the same standardised features, offset free
        residuals = []
        for i in range(30):
            keep = [j for j in range(30) if j != i]
            a = torch.cat([z[keep], torch.ones(29, 1, dtype=F64)], 1)
            free = torch.eye(13, dtype=F64) * penalty * unit
            free[12, 12] = 0
            w = torch.linalg.solve(a.mT @ a + free, a.mT @ y[keep])
            residuals.append(float((torch.cat([z[i], torch.ones(1, dtype=F64)]) @ w - y[i]).square()))
        errors.append(sum(residuals))
    best = penalties[errors.index(min(errors))]
    w = torch.linalg.solve(z.mT @ z + best * unit * torch.eye(12, dtype=F64), z.mT @ (y - y.mean(0)))
    assert torch.allclose(found.weights * scale, w.mT, atol=1e-9)


def test_probes_do_not_touch_the_encoder():
    encoder = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(16), nn.Linear(16, 4))
    before = {name: t.clone() for name, t in encoder.state_dict().items()}
    x = torch.randn(20, 1, 4, 4, generator=seeded())
    encoder.train()
    linear_probe(encoder, (x, torch.arange(20) % 3), (x, torch.arange(20) % 3))
    assert encoder.training
    assert all(torch.equal(before[name], t) for name, t in encoder.state_dict().items())


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda x, y: linear_probe(None, (x, y), (x, y + 3)), "labels from 0 to 3"),
        (lambda x, y: linear_probe(None, (x, y - 1), (x, y), classes=4), "labels from -1"),
        (lambda x, y: linear_probe(None, (x, y.double()), (x, y)), "integer labels"),
        (lambda x, y: linear_probe(None, (x, y[:-1]), (x, y)), "'train'"),
        (lambda x, y: linear_probe(None, (x, y), (x, y), penalty=-1.0), "'penalty'"),
        (lambda x, y: linear_probe(nn.Unflatten(1, (1, 5)), (x, y), (x, y)), "features [n, d]"),
        (lambda x, y: knn_probe(None, (x, y), (x, y), k=21), "from 1 to 20"),
        (lambda x, y: knn_probe(None, (x, y), (x, y), k=3, temperature=0.0), "'temperature'"),
        (lambda x, y: knn_probe(None, (x, y), (x, y + 3), k=3), "labels from 0 to 3"),
        (lambda x, y: ridge_probe(None, (x, y[:3]), (x, y)), "'train'"),
    ],
    ids=range(10),
)
def test_unusable_labels_are_named(call, names):
    x, y = blobs(20)
    y[:4] = torch.arange(4)
    with pytest.raises(ArgumentError) as raised:
        call(x, y)
    assert names in str(raised.value)


def test_patches_in_batches_are_the_same_features():
    x = torch.rand(30, 2, 10, 10, generator=seeded())
    patches = PatchFeatures(x, filters=6, patch=3, grid=2)
    assert torch.allclose(torch.cat([patches(part) for part in x.split(7)]), features_of(patches, x), atol=1e-6)
    assert patches(x).shape == (30, 2 * 6 * 4)


def test_circular_patches_averaged_everywhere_ignore_shifts():
    x = torch.rand(10, 1, 8, 8, generator=seeded(), dtype=F64)
    patches = PatchFeatures(x, filters=5, patch=3, grid=1, circular=True)
    assert torch.allclose(patches(x), patches(x.roll((3, 5), (2, 3))), atol=1e-12)
    open_ended = PatchFeatures(x, filters=5, patch=3, grid=1)
    assert not torch.allclose(open_ended(x), open_ended(x.roll((3, 5), (2, 3))), atol=1e-3)


def test_a_whole_orbit_is_permuted_by_the_regular_representation():
    group = er.Dihedral(4)
    x = torch.rand(4, 1, 8, 8, generator=seeded(), dtype=F64)
    patches = PatchFeatures(x, filters=5, patch=3)
    whole, average = (OrbitFeatures(patches, turns(group), average=average) for average in (False, True))
    every, table = group.elements(), multiplication_table(group)
    before = whole(x).unflatten(1, (8, -1))
    for i in range(8):
        moved = turns(group).act(group.take(every, i), x)
        after = whole(moved).unflatten(1, (8, -1))
        # f(h (g x)) = f((h g) x)
        assert torch.allclose(after, before[:, table[:, i]], atol=1e-12)
        assert torch.allclose(average(moved), average(x), atol=1e-12)
    with pytest.raises(UnsupportedError):
        OrbitFeatures(patches, turns(er.SO(2)))


@pytest.mark.parametrize("probe", [linear_probe, lambda *a: knn_probe(*a, k=3), ridge_probe], ids=["linear", "knn", "ridge"])
def test_normalisation_that_was_frozen_stays_frozen(probe):
    encoder = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(16).eval(), nn.Linear(16, 4))
    x, y = torch.randn(20, 1, 4, 4, generator=seeded()), torch.arange(20) % 3
    y = y.float() if probe is ridge_probe else y
    assert encoder.training
    probe(encoder, (x, y), (x, y))
    assert [m.training for m in encoder] == [True, False, True]
    assert encoder.training


def test_an_encoder_that_fails_gets_its_modes_back():
    encoder = nn.Sequential(nn.BatchNorm1d(3).eval(), nn.Linear(3, 2))
    with pytest.raises(RuntimeError):
        features_of(encoder, torch.randn(5, 4))
    assert [m.training for m in encoder.modules()] == [True, False, True]
