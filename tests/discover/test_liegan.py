"""LieGAN on small data: what it finds, that it repeats, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from erlangen.discover import LieGAN
from erlangen.discover.samples import samples_of
from erlangen.errors import ArgumentError
from erlangen.groups import SO

PLANE = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)


def cloud(n: int = 2000, d: int = 2, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, 1, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    return abs(float((a * b).sum() / a.norm() / b.norm()))


@pytest.fixture(scope="module")
def plane() -> LieGAN:
    return LieGAN(2, steps=2500, width=32, seed=1).fit(cloud())


def test_rotation_of_a_round_cloud(plane: LieGAN) -> None:
    assert cosine(plane.algebra_.basis[0], PLANE) > 0.99
    assert float(plane.algebra_.basis[0].norm()) == pytest.approx(2**0.5)
    assert plane.confidence_
    assert plane.confidence_["auc"] < 0.6
    assert "so(2)" in str(plane)
    assert plane.history_["step"][-1] == 2499


def test_all_rotations_of_a_round_ball() -> None:
    found = LieGAN(3, channels=3, eta=0.1, steps=1500, width=64).fit_samples(samples_of(cloud(d=3)))
    assert float(found.algebra_.principal_cosines(SO(3).algebra).min()) > 0.97
    metric = found.algebra_.metric()
    assert metric.signature == (3, 0)


def test_units_and_precision_do_not_matter() -> None:
    """Step for step: after a few the basis is the same, to the rounding of single precision."""
    plain, larger, single = (
        LieGAN(2, steps=100, width=32, seed=1).fit_samples(samples_of(x)).basis_ for x in (cloud(), cloud() * 100, cloud().float())
    )
    assert torch.allclose(larger, plain, atol=1e-5)
    assert torch.allclose(single, plain, atol=1e-5)
    assert not torch.allclose(plain, LieGAN(2, steps=1, width=32, seed=1).fit_samples(samples_of(cloud())).basis_, atol=1e-2)


def test_one_seed_one_result() -> None:
    a, b = (LieGAN(2, steps=20, width=16, seed=3).fit(cloud(64)) for _ in range(2))
    other = LieGAN(2, steps=20, width=16, seed=4).fit(cloud(64))
    assert torch.equal(a.basis_, b.basis_)
    assert not torch.equal(a.basis_, other.basis_)


def test_skewed_marginals_have_no_symmetry() -> None:
    rng = np.random.default_rng(0)
    x = np.stack([rng.exponential(size=4000), rng.gamma(3, size=4000), rng.lognormal(size=4000)], -1)[:, None]
    found = LieGAN(3, steps=500, width=64, seed=0).fit(x)
    assert not found.confidence_
    assert found.confidence_["auc_unit"] > 0.6
    assert str(found).startswith("no symmetry found")


def test_loader_mask_and_conditions() -> None:
    x, y = cloud(200, 4), torch.arange(200) % 2
    loader = DataLoader(TensorDataset(x, y), batch_size=32)
    mask = torch.kron(torch.eye(2), torch.ones(2, 2))
    found = LieGAN(4, mask=mask, steps=5, width=8).fit(loader)
    assert not bool((found.basis_ * (1 - mask)).any())
    whole = LieGAN(4, mask=mask, steps=5, width=8).fit(x, y)
    assert torch.equal(found.basis_, whole.basis_)
    for target in (x[..., 0, 0], 2 * x):
        assert LieGAN(4, steps=5, width=8).fit_samples(samples_of(x, target)).basis_.isfinite().all()


def test_channels_one_at_a_time() -> None:
    first = LieGAN(3, channels=2, incremental=True, steps=2, width=8, init="small").fit_samples(samples_of(cloud(100, 3)))
    assert first.basis_.shape == (2, 3, 3)


def test_decorrelation_sees_only_what_the_mask_shows() -> None:
    from erlangen.discover.regularizers import correlation

    a = torch.eye(3).unsqueeze(0).repeat(2, 1, 1)
    a[1, :2, :2] = PLANE
    a[1, 2, 2] = 0
    assert float(correlation("frobenius", a)) == pytest.approx(0.0, abs=1e-6)
    a[:, 0, 2] = 5.0
    assert float(correlation("frobenius", a)) > 1
    mask = torch.ones(3, 3)
    mask[0, 2] = 0
    assert float(correlation("frobenius", a * mask)) == pytest.approx(0.0, abs=1e-6)


def test_known_group_learned_distribution() -> None:
    # Of rotations and stretches of the plane, a round cloud has the rotations only.
    basis = torch.stack([PLANE.float(), torch.diag(torch.tensor([1.0, -1.0]))])
    found = LieGAN(2, 2, init=basis, fit_distribution=True, lam=0.1, eta=0, steps=1500, width=64).fit_samples(samples_of(cloud()))
    spread = found.coefficients_.sigma.detach().norm(dim=0)
    assert spread[1] < 0.3 * spread[0]
    assert torch.equal(found.basis_, basis)


def test_gradients_of_the_step_are_those_of_the_two_losses() -> None:
    data = samples_of(torch.randn(100, 2, 4, generator=torch.Generator().manual_seed(0)), torch.arange(100) % 2)
    gan = LieGAN(4, 3, batch_size=50, width=16, lam=0, eta=0, lr_generator=0, lr_discriminator=0)
    rng = torch.Generator().manual_seed(0)
    players = gan.players(data, rng)
    state = rng.get_state()
    gan.step(data, players, rng)
    rng.set_state(state)
    batch = data.subset(torch.randint(100, (50,), generator=rng))
    w = players.law.sample(50, rng)
    moved = batch.x @ torch.linalg.matrix_exp(torch.einsum("bk,kij->bij", w, players.basis)).mT
    fake, real = (players.judge(t.flatten(1), batch.labels) for t in (moved, batch.x))
    (wanted,) = torch.autograd.grad(F.softplus(-fake).mean(), players.basis, retain_graph=True)
    assert torch.allclose(players.basis.grad, wanted, rtol=1e-4, atol=1e-7)
    weights = list(players.judge.parameters())
    telling = (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2
    for p, wanted in zip(weights, torch.autograd.grad(telling, weights)):
        assert torch.allclose(p.grad, wanted, rtol=1e-4, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_orbits_of_two_bodies(seed: int) -> None:
    from erlangen.fields.mechanics import two_body

    data = two_body("train")
    planes = torch.kron(torch.eye(4), torch.ones(2, 2))
    found = LieGAN(8, mask=planes, init="masked", batch_size=64, steps=5000, seed=seed).fit(data.x, data.y)
    assert cosine(found.algebra_.basis[0], torch.kron(torch.eye(4, dtype=torch.float64), PLANE)) >= 0.99
    assert found.confidence_["auc_fitted"] < 0.7


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_jets_give_minkowskis_metric(seed: int) -> None:
    from erlangen.fields.jets import jets

    data = jets("train")
    found = LieGAN(4, channels=7, eta=0.1, seed=seed).fit(data.x[:, :2] / 100, data.y)
    metric = found.metric()
    assert metric
    minkowski = torch.diag(torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64))
    assert cosine(metric.form, minkowski) >= 0.98
    assert metric.signature == (1, 3)


X = torch.zeros(40, 1, 3)


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("x", lambda: LieGAN(3).fit(torch.full((40, 1, 3), torch.nan))),
        ("x", lambda: LieGAN(3).fit(torch.zeros(40, 0, 3))),
        ("x", lambda: LieGAN(4).fit(X)),
        ("x", lambda: LieGAN(3).fit(X)),
        ("x", lambda: LieGAN(3).fit(torch.randn(8, 1, 3))),
        ("y", lambda: LieGAN(3).fit(X, torch.zeros(39))),
        ("y", lambda: LieGAN(3).fit(X, torch.zeros(40, 1, 2))),
        ("y", lambda: LieGAN(3, target="class").fit(X, torch.full((40,), 0.5))),
        ("mask", lambda: LieGAN(3, mask=torch.ones(2, 2))),
        ("mask", lambda: LieGAN(3, mask=torch.full((3, 3), 0.5))),
        ("channels", lambda: LieGAN(3, channels=0)),
        ("coefficients", lambda: LieGAN(3, coefficients="cauchy")),  # type: ignore[arg-type]
        ("scale", lambda: LieGAN(3, coefficients="int_grid", scale=1.5)),
        ("target", lambda: LieGAN(3, target="scalar-class")),  # type: ignore[arg-type]
        ("init", lambda: LieGAN(3, init=torch.zeros(2, 3, 3))),
        ("regularizer", lambda: LieGAN(3, regularizer="none")),  # type: ignore[arg-type]
        ("homogeneous", lambda: LieGAN(3, homogeneous=3)),
        ("fit_distribution", lambda: LieGAN(3, coefficients="uniform", fit_distribution=True)),
    ],
)
def test_refusals_name_the_argument(argument: str, call) -> None:
    with pytest.raises(ValueError, match=f"'{argument}'") as caught:
        call()
    assert isinstance(caught.value, ArgumentError)
