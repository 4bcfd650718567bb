"""The transform itself: exact toy encoders, what training reaches, what is refused."""

from __future__ import annotations

import itertools
import math

import numpy as np
import optree
import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.datasets.signals import warped_signals
from erlangen.discover.nft import NFT, connectedness, degrees, frequencies, orthogonality, steady
from erlangen.discover.nft.objective import ViewObjective, pooled_without
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.training import TrainingConfig

F64 = torch.float64


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=rng(seed), dtype=F64)


def identity(rep, m=4):
    """Data that are latents already."""
    return NFT(nn.Flatten(), nn.Unflatten(1, (m, rep.dim)), rep, multiplicity=m).double()


REPS = {
    "SO2-0123": frequencies(range(4)),
    "SO3-012": degrees(range(3)),
    "torus": er.Torus(3).vector,
    "C5": er.Cyclic(5).regular,
    "S3": er.Symmetric(3).vector,
}


@pytest.mark.parametrize("name", REPS)
def test_elements_are_identified_and_motions_predicted(name):
    rep = REPS[name]
    nft = identity(rep)
    x = randn(6, 4, rep.dim)
    g = rep.group.sample(6, generator=rng(1), dtype=F64)
    moved = rep.act(g, x)
    torch.testing.assert_close(rep(nft.identify(x, moved)), rep(g), atol=1e-10, rtol=0)
    torch.testing.assert_close(nft.transition(x, moved), rep(g).mT.to(F64), atol=1e-10, rtol=0)
    torch.testing.assert_close(nft.move(x, g), moved, atol=1e-12, rtol=0)
    torch.testing.assert_close(nft.predict(torch.stack([x, moved], 1), 2)[:, 1], rep.act(g, rep.act(g, moved)), atol=1e-9, rtol=0)


@pytest.mark.parametrize("name", REPS)
def test_amplitudes_and_inverses(name):
    rep = REPS[name]
    nft = identity(rep)
    x, g = randn(6, 4, rep.dim), rep.group.sample(6, generator=rng(1), dtype=F64)
    there, here = nft.amplitudes(rep.act(g, x)), nft.amplitudes(x)
    assert float((there - here).abs().max() / here.abs().max()) < 1e-12
    product = nft.latent.matrices(g, x) @ nft.latent.matrices(rep.group.inverse(g), x)
    torch.testing.assert_close(product, torch.eye(rep.dim, dtype=F64).expand(6, -1, -1), atol=1e-12, rtol=0)


def test_vectors_of_space_have_zero_loss():
    """The encoder is linear and already equivariant: the loss is zero for pairs, views and views that miss."""
    rep = er.SO(3).vector
    nft = identity(rep, 5)
    x0 = randn(8, 5, 3)
    poses = er.SO(3).sample(8, 4, generator=rng(1), dtype=F64)
    views = rep.act(poses, x0[:, None])
    seen = torch.rand(8, 4, generator=rng(2)) < 0.7
    seen[:, :2] = True

    leaves, tree = optree.tree_flatten(poses)
    objective = ViewObjective(nft, tree, alignment=1.0)
    assert float(objective(views, seen, *leaves)) < 1e-24
    wrong = torch.roll(poses, 1, 0)
    assert float(objective(views, seen, wrong)) > 0.1
    target = er.SO(3).sample(8, generator=rng(3), dtype=F64)
    views[~seen] = 7.0
    torch.testing.assert_close(nft.view(views, poses, target, mask=seen), rep.act(target, x0), atol=1e-12, rtol=0)


def test_one_vector_of_space_does_not_determine_its_rotation():
    rep = er.SO(3).vector
    x0, R = randn(8, 2, 3), er.SO(3).sample(8, generator=rng(1), dtype=F64)
    x1 = rep.act(R, x0)
    torch.testing.assert_close(identity(rep, 2).identify(x0, x1), R, atol=1e-8, rtol=0)
    flat0, flat1 = x0[:, :1].expand(-1, 2, -1), x1[:, :1].expand(-1, 2, -1)
    with pytest.raises(ArgumentError, match="8 that leave it open"):
        identity(rep, 2).identify(flat0, flat1)
    with pytest.warns(UserWarning, match="8 of 8 sequences lie along one line"):
        M = identity(rep, 2).transition(flat0, flat1)
    torch.testing.assert_close(flat0 @ M, flat1, atol=1e-12, rtol=0)
    with pytest.raises(ArgumentError, match="multiplicity"):
        identity(rep, 1).predict(torch.stack([x0[:, :1], x1[:, :1]], 1))


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_planes_without_energy_do_not_determine_an_angle(dtype):
    nft = identity(frequencies(range(3))).to(dtype)
    x = randn(6, 4, 5).to(dtype)
    angle = torch.rand(6, generator=rng(1), dtype=F64).to(dtype)
    turn = torch.stack([torch.stack([angle.cos(), -angle.sin()], -1), torch.stack([angle.sin(), angle.cos()], -1)], -2)
    moved = frequencies(range(3)).act(turn, x)
    torch.testing.assert_close(nft.identify(x, moved), turn, atol=100 * torch.finfo(dtype).eps, rtol=0)
    still = x.clone()
    still[..., 1:] *= torch.finfo(dtype).eps
    for bad in (still, 0 * x):
        with pytest.raises(ArgumentError, match="6 of 6 that leave the angle open") as caught:
            nft.identify(bad, bad)
        assert caught.value.argument == "latents"


def test_pooling_leaves_the_target_out():
    latents = torch.arange(3.0)[None, :, None, None]
    assert pooled_without(latents, torch.tensor([[True, True, True]])).flatten().tolist() == [1.5, 1.0, 0.5]
    assert pooled_without(latents, torch.tensor([[True, False, True]])).flatten().tolist() == [2.0, 1.0, 0.0]


def test_penalties():
    turn = torch.linalg.qr(randn(4, 4)).Q
    assert float(orthogonality(turn)) < 1e-20
    blocks = torch.block_diag(randn(2, 2), randn(2, 2))[None]
    assert float(connectedness(blocks)) < float(connectedness(torch.linalg.inv(turn) @ blocks @ turn))


def mlp(*sizes):
    layers = []
    for a, b in itertools.pairwise(sizes):
        layers += [nn.Linear(a, b), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


@pytest.fixture(scope="module")
def trained():
    """Two frequencies through a saturating sensor: small, and learned in seconds."""
    torch.manual_seed(0)
    data = warped_signals(4000, (1, 3), points=32, sensor="tanh", phases=True, seed=0)
    nft = NFT(mlp(32, 64, 64, 32), mlp(32, 64, 64, 32), multiplicity=8)
    config = TrainingConfig(steps=1200, batch_size=128, lr=4e-3, weight_decay=0.0, warmup=200)
    return nft.fit(data.x, config=config, quiet=True)


def test_a_nonlinear_motion_is_learned(trained):
    test = warped_signals(500, (1, 3), points=32, frames=4, sensor="tanh", phases=True, seed=9)
    with torch.no_grad():
        told = trained.predict(test.x[:, :2], 2)
    error = float((told - test.x[:, 2:]).square().sum() / test.x[:, 2:].square().sum())
    assert error < 0.02
    found = trained.spectrum(test.angles, test.x[:, :2], top=8)
    assert found.frequencies == (1, 3)
    order = torch.randperm(500, generator=rng(1))
    again = trained.spectrum(test.angles[order], test.x[order, :2], top=8)
    torch.testing.assert_close(again.multiplicities, found.multiplicities, atol=1e-6, rtol=0)
    assert trained.block_diagonalize().sizes == (2, 2)
    assert trained.spectrum().frequencies == (1, 3)  # no angles were given


def test_the_group_that_was_found_acts_on_latents(trained):
    rep = trained.rep
    assert (trained.group, rep.dim) == (er.SO(2), 4)
    test = warped_signals(400, (1, 3), points=32, sensor="tanh", phases=True, seed=12)
    here, there = (trained.encode(test.x[:, t]).detach().double() for t in (0, 1))
    g = er.SO(2).exp(er.SO(2).algebra.combine(test.angles.double()[:, None]))
    off = [(rep.act(h, here) - there).norm() / there.norm() for h in (g, er.SO(2).inverse(g))]
    assert float(min(off)) < 0.25


def test_a_trained_transform_forth_and_back(trained):
    test = warped_signals(300, (1, 3), points=32, sensor="tanh", phases=True, seed=11)
    with torch.no_grad():
        there, back = trained.transition(test.x[:, 0], test.x[:, 1]), trained.transition(test.x[:, 1], test.x[:, 0])
    off = (there @ back - torch.eye(4)).norm(dim=(1, 2)).median()
    assert float(off) < 0.3
    one, two = (trained.amplitudes(test.x[:, t]).detach() for t in (0, 1))
    assert one.shape == (300, 8, 2)
    assert float((one - two).norm() / one.norm()) < 0.2


def test_numpy_and_files(trained, tmp_path):
    x = warped_signals(5, (1, 3), points=32, sensor="tanh", seed=3).x
    latents = trained.encode(x[:, 0].numpy())
    assert isinstance(latents, np.ndarray)
    assert latents.shape == (5, 8, 4)
    assert isinstance(trained.predict(x.numpy(), 2), np.ndarray)
    assert isinstance(trained.amplitudes(x[:, 0].numpy()), np.ndarray)
    trained.save(tmp_path / "nft.safetensors")
    other = NFT(mlp(32, 64, 64, 32), mlp(32, 64, 64, 32), multiplicity=8).load(tmp_path / "nft.safetensors")
    np.testing.assert_array_equal(other.transform(x[:, 0].numpy()), latents)
    assert other.block_diagonalize().sizes == (2, 2)
    with pytest.raises(ArgumentError, match="path"):
        NFT(mlp(32, 16), mlp(16, 32), multiplicity=4).load(tmp_path / "nft.safetensors")
    with pytest.raises(ArgumentError, match="path"):
        other.load(tmp_path / "none.safetensors")


def test_training_resumes_to_the_same_bits(tmp_path):
    x = warped_signals(64, (1,), points=16, seed=0).x

    def fit(steps, folder):
        torch.manual_seed(0)
        nft = NFT(mlp(16, 8), mlp(8, 16), multiplicity=4)
        config = TrainingConfig(steps=20, batch_size=16, lr=1e-2, warmup=0, checkpoint_every=steps)
        return nft.fit(x, config=config, checkpoint=folder, quiet=True).encoder[0].weight

    whole = fit(20, tmp_path / "a")
    assert torch.equal(whole, fit(20, tmp_path / "a"))  # finished: read back
    assert torch.equal(whole, fit(7, tmp_path / "b"))


def test_known_motions_by_angle(tmp_path):
    """A linear encoder learns frequency one of points of the plane, by angles."""
    torch.manual_seed(0)
    data = warped_signals(2000, (2,), points=32, frames=2, phases=True, seed=0)
    nft = NFT(nn.Linear(32, 6), nn.Linear(6, 32), frequencies([2]), multiplicity=3)
    config = TrainingConfig(steps=400, batch_size=128, lr=1e-2, weight_decay=0.0)
    nft.fit(data.x, data.angles, config=config, quiet=True)
    told = nft.move(data.x[:, 0], data.angles).detach()
    assert float((told - data.x[:, 1]).square().sum() / data.x[:, 1].square().sum()) < 1e-3
    found = nft.identify(data.x[:200, 0], data.x[:200, 1])
    # Frequency two tells angles up to half a turn.
    off = 2 * (torch.atan2(found[:, 1, 0], found[:, 0, 0]) - data.angles[:200])
    assert float(torch.atan2(off.sin(), off.cos()).detach().abs().median()) < math.radians(2)


def test_steady_motions_come_first():
    matrices = torch.stack([torch.eye(2) * s for s in (0.5, 1.0, 2.0)])
    assert torch.equal(steady(matrices, 1)[0], torch.eye(2))


def test_errors_name_the_argument():
    x = torch.randn(10, 3, 32, generator=rng())
    net = lambda m, a, **k: NFT(nn.Linear(32, m * a), nn.Linear(m * a, 32), multiplicity=m, **k)  # noqa: E731 - short

    def refused(name, call):
        with pytest.raises(ValueError, match=name) as caught:
            call()
        assert caught.value.argument == name

    refused("multiplicity", lambda: net(4, 6).fit(x, quiet=True))  # (T_c - 1) m < a
    refused("sequences", lambda: net(8, 4).fit(x[:, :2], quiet=True))  # T <= T_c
    refused("conditioning", lambda: net(8, 4).fit(x, conditioning=1, quiet=True))
    refused("encoder", lambda: NFT(nn.Linear(32, 33), nn.Linear(33, 32), multiplicity=4).fit(x, quiet=True))
    refused("encoder", lambda: net(8, 4, action=frequencies([1, 2, 3])).fit(x, quiet=True))
    refused("decoder", lambda: NFT(nn.Linear(32, 32), nn.Linear(32, 31), multiplicity=8).fit(x, quiet=True))
    refused("sequences", lambda: net(8, 4).fit(x.log(), quiet=True))  # NaNs
    refused("action", lambda: net(8, 4, action="SO(2) 0..3"))
    refused("k", lambda: frequencies([1, -2]))  # unknown irreps
    refused("degree", lambda: degrees([1.5]))
    planar = net(8, 4, action=frequencies([1, 2]))
    refused("g", lambda: planar.fit(x, torch.zeros(9), quiet=True))
    refused("g", lambda: planar.fit(x, torch.zeros(10, 2), quiet=True))  # one for each step
    refused("g", lambda: net(8, 4).fit(x, torch.zeros(10), quiet=True))
    refused("mask", lambda: planar.fit(x, torch.zeros(10, 3), mask=torch.ones(10, 2, dtype=torch.bool), quiet=True))
    refused("mask", lambda: net(8, 4).fit(x, mask=torch.ones(10, 3, dtype=torch.bool), quiet=True))
    refused("g", lambda: net(8, 4, action=er.SO(1, 3).vector).fit(x, quiet=True))  # no solve is known
    refused("sequences", lambda: net(8, 4).spectrum())
    fitted = net(8, 4).fit(x, config=TrainingConfig(steps=2), quiet=True)
    refused("angles", lambda: fitted.spectrum(torch.zeros(3)))
    refused("x1", lambda: fitted.transition(x[:, 0], x[:5, 0]))
    refused("multiplicity", lambda: net(0, 4))
    with pytest.raises(UnsupportedError):
        fitted.identify(x[:, 0], x[:, 1])
    with pytest.raises(ArgumentError, match="step"):
        planar.fit(x, torch.zeros(10, 2), quiet=True)


def test_looking_at_a_transform_leaves_frozen_normalisation_frozen():
    frozen = nn.BatchNorm1d(6)
    nft = NFT(nn.Sequential(nn.Flatten(), frozen), nn.Unflatten(1, (6,)), frequencies(range(1, 2)), multiplicity=3)
    frozen.eval()
    nft.predict(randn(5, 3, 6).float(), 1)
    assert nft.training
    assert nft.encoder.training
    assert not frozen.training
