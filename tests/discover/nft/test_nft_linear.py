"""The closed forms: exact where the motion is linear, refused or wrong where it is not; and the finding made of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import erlangen as er
from erlangen.datasets.signals import warped_signals
from erlangen.discover.nft import KernelNFT, LinearNFT, OnSpan, blocks_of_pairs, frequencies, gaussian
from erlangen.discover.nft.finding import linear_nft_finding
from erlangen.errors import ArgumentError, UnsupportedError

F64 = torch.float64


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def orbits(count, frames, angles, which=(0, 2, 5), n=8, seed=0):
    """Sequences in ``R^n`` of a hidden sum of frequencies, one angle for all or one for each."""
    rep = frequencies(which)
    embed = torch.randn(rep.dim, n, generator=rng(seed), dtype=F64)
    g = er.SO(2).exp(er.SO(2).algebra.combine(torch.as_tensor(angles, dtype=F64).expand(count)[:, None]))
    x = [torch.randn(count, rep.dim, generator=rng(seed + 1), dtype=F64)]
    for _ in range(frames - 1):
        x.append(rep.act(g, x[-1]))
    return torch.stack(x, 1) @ embed


def test_a_shared_motion_is_exact():
    x = orbits(40, 5, 0.4)
    nft = LinearNFT().fit(x[:20, :3])
    assert nft.basis.shape == (8, 5)
    torch.testing.assert_close(nft.predict(x[20:, 2:3], 2), x[20:, 3:], atol=1e-10, rtol=0)
    torch.testing.assert_close(nft.rates(), torch.tensor([2.0, 0.8], dtype=F64), atol=1e-10, rtol=0)
    assert nft.block_diagonalize().sizes == (1, 2, 2)
    torch.testing.assert_close(nft.decode(nft.encode(x)), x, atol=1e-10, rtol=0)
    moved = x[:, 0] @ torch.linalg.matrix_exp(nft.generator()).mT
    torch.testing.assert_close(moved, x[:, 1], atol=1e-9, rtol=0)
    assert isinstance(nft.predict(x.numpy(), 1), np.ndarray)
    there, here = nft.amplitudes(x[:, 1]), nft.amplitudes(x[:, 0])
    torch.testing.assert_close(there, here, atol=1e-9, rtol=1e-9)


def test_one_motion_for_each_label():
    angles = torch.rand(12, generator=rng(5)) * 3
    x = orbits(12 * 6, 3, angles.repeat_interleave(6))
    labels = torch.arange(12).repeat_interleave(6)
    nft = LinearNFT().fit(x, labels)
    assert nft.transitions.shape == (12, 5, 5)
    assert nft.spectrum(angles, top=8).frequencies == (0, 2, 5)
    assert nft.spectrum().frequencies == (0, 2, 5)
    rep = nft.rep
    g = er.SO(2).exp(er.SO(2).algebra.combine(angles.double()[labels, None]))
    errors = [float((rep.act(h, x[:, 0]) - x[:, 1]).abs().max()) for h in (g, er.SO(2).inverse(g))]
    assert min(errors) < 1e-8  # the sense of rotation is a convention


@pytest.mark.parametrize("frames", [3, 9])
def test_every_sequence_has_its_own_motion(frames):
    """Also from three frames in eight dimensions, where no sequence tells its own matrix."""
    angles = torch.rand(200, generator=rng(1)) * 3
    x = orbits(200, frames, angles)
    nft = LinearNFT(motions="each").fit(x[:150])
    torch.testing.assert_close(nft.predict(x[150:, :-1], 1)[:, 0], x[150:, -1], atol=1e-7, rtol=0)
    assert nft.block_diagonalize().sizes == (1, 2, 2)
    assert nft.spectrum(angles[:150], top=8).frequencies == (0, 2, 5)
    assert nft.spectrum().frequencies == (0, 2, 5)


def test_noise_of_a_percent():
    angles = torch.rand(600, generator=rng(1)) * 3
    x = orbits(600, 3, angles)
    x = x + 0.01 * x.std() * torch.randn(x.shape, generator=rng(2), dtype=F64)
    nft = LinearNFT(rank=5, motions="each").fit(x)
    assert nft.block_diagonalize().sizes == (1, 2, 2)
    assert nft.spectrum(angles, top=8).frequencies == (0, 2, 5)


def test_the_clean_signals_are_linear_and_the_saturated_ones_are_not():
    """What the paper trains networks for is linear algebra: the shift acts linearly on ten dimensions."""
    errors = {}
    for sensor in ("clean", "tanh"):
        train, test = (warped_signals(2000, sensor=sensor, phases=True, seed=s) for s in (0, 1))
        nft = LinearNFT(rank=10, motions="each").fit(train.x)
        told = nft.predict(test.x[:, :2])
        errors[sensor] = float((told[:, 0] - test.x[:, 2]).square().sum() / test.x[:, 2].square().sum())
        if sensor == "clean":
            assert nft.spectrum().frequencies == (2, 5, 9, 12, 14)
    assert errors["clean"] < 1e-10
    assert errors["tanh"] > 0.02


def test_refusals():
    x = orbits(10, 3, 0.4)
    for name, call in {
        "sequences": lambda: LinearNFT().fit(x[:, 0]),
        "labels": lambda: LinearNFT().fit(x, torch.zeros(4)),
        "rank": lambda: LinearNFT(9).fit(x),
        "motions": lambda: LinearNFT(motions="none"),
        "before": lambda: LinearNFT(motions="each").fit(x[:4]),
        "x": lambda: LinearNFT().fit(x).encode(torch.zeros(3)),
    }.items():
        with pytest.raises(ArgumentError) as caught:
            call()
        assert caught.value.argument == name
    with pytest.raises(ArgumentError, match="labels"):
        LinearNFT().fit(orbits(10, 3, 0.4), torch.arange(10))
    with pytest.raises(ArgumentError, match="finite"):
        LinearNFT().fit(x.log())
    with pytest.raises(ArgumentError, match="motions='each'"):
        LinearNFT().fit(x).transition(x)
    with pytest.raises(UnsupportedError):
        LinearNFT().fit(x).rep  # noqa: B018 - of one motion, ratios of frequencies are not known


def test_rotations_of_space_from_pairs():
    rep = er.SO(3).vector + er.SO(3).irrep(2)
    x = torch.randn(300, 8, generator=rng(), dtype=F64)
    found = blocks_of_pairs(x, rep.act(er.SO(3).sample(300, generator=rng(1), dtype=F64), x))
    assert found.sizes == (3, 5)
    assert found.residual < 1e-10


def test_kernel_features_are_equivariant():
    G = er.Symmetric(3)
    nft = KernelNFT(G.vector, gaussian(1.0)).fit(torch.randn(5, 3, generator=rng(), dtype=F64))
    x, g = torch.randn(6, 3, generator=rng(1), dtype=F64), G.elements()
    here, there = nft.encode(x), nft.encode(G.vector.act(g, x))
    assert nft.size == 30
    torch.testing.assert_close(there, (here[:, None] @ nft.matrices(g))[:, 0], atol=1e-7, rtol=0)
    found = nft.block_diagonalize()
    assert set(found.sizes) == {1, 2}
    small = KernelNFT(G.vector, gaussian(1.0), size=4).fit(torch.randn(5, 3, generator=rng(), dtype=F64))
    assert small.size <= 4
    M = small.matrices(g)
    torch.testing.assert_close(M @ M.mT, torch.eye(small.size, dtype=F64).expand(6, -1, -1), atol=1e-7, rtol=0)
    with pytest.raises(ArgumentError, match="elements"):
        KernelNFT(er.SO(2).vector, gaussian(1.0))


def test_findings():
    shared = linear_nft_finding(orbits(60, 5, 0.4))
    assert shared.holds
    assert shared.confidence > 0.99
    assert "1+2+2" in shared.found
    assert shared.group is not None
    x = orbits(60, 5, 0.4)
    g = shared.group.exp(shared.group.tangents(F64))[0]
    torch.testing.assert_close(x[:, 0] @ g.mT, x[:, 1], atol=1e-8, rtol=0)
    own = linear_nft_finding(orbits(400, 4, torch.rand(400, generator=rng(3)) * 3))
    assert own.holds
    assert "frequencies 0, 2, 5" in own.found
    assert own.group is not None
    for shape in ((300, 4, 6), (40, 5, 3), (200, 3, 20)):
        nothing = linear_nft_finding(torch.randn(shape, generator=rng(4)))
        assert not nothing.holds
        assert nothing.found == "nothing"
        assert nothing.confidence < 0.2
    still = torch.randn(100, 1, 5, generator=rng(6)).expand(-1, 4, -1)
    assert not linear_nft_finding(still).holds
    decay = orbits(60, 5, 0.4) * torch.tensor([0.7**t for t in range(5)], dtype=F64)[None, :, None]
    assert not linear_nft_finding(decay).holds
    few = linear_nft_finding(orbits(12, 3, torch.rand(12, generator=rng(3)) * 3))
    assert not few.holds
    assert few.note
    with pytest.raises(ArgumentError, match="sequences"):
        linear_nft_finding(torch.randn(20, 2, 3))


def test_a_representation_on_a_subspace():
    rep = frequencies((1, 2))
    encode = torch.randn(4, 7, generator=rng(), dtype=F64)
    V = OnSpan(rep, encode, torch.linalg.pinv(encode))
    g, h = er.SO(2).sample(2, 5, generator=rng(1), dtype=F64)
    torch.testing.assert_close(V(g @ h), V(g) @ V(h), atol=1e-12, rtol=0)
    x = torch.randn(5, 3, 7, generator=rng(2), dtype=F64)
    torch.testing.assert_close(V.act(g, x), (V(g)[:, None] @ x[..., None])[..., 0], atol=1e-12, rtol=0)
    assert not V.is_orthogonal
    eps = 1e-6 * torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=F64)
    torch.testing.assert_close(V(er.SO(2).exp(eps)), torch.eye(7, dtype=F64) + V.algebra(eps), atol=1e-10, rtol=0)
    assert OnSpan(rep, torch.eye(4, 7, dtype=F64), torch.eye(7, 4, dtype=F64)).is_orthogonal
    with pytest.raises(ArgumentError, match="encode"):
        OnSpan(rep, encode[:3], encode[:3].mT)
    with pytest.raises(ArgumentError, match="decode"):
        OnSpan(rep, encode, encode.mT)


def test_a_finding_goes_into_symmetrize():
    angles = torch.rand(300, generator=rng(1)) * 3
    x = orbits(300, 3, angles, which=(1, 2), n=4)
    rep = LinearNFT(motions="each").fit(x).rep
    net = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1)).double()
    assert not er.equivariance_error(net, x[:, 0], rep, rep.group.scalar)
    model = er.symmetrize(net, rep, rep.group.scalar, frame=er.frames.Phase())
    assert er.equivariance_error(model, x[:, 0], rep, rep.group.scalar)["worst"] < 1e-6
    half = er.SO(2).exp(torch.tensor([[0.0, -math.pi], [math.pi, 0.0]], dtype=F64))
    torch.testing.assert_close(rep.act(half, rep.act(half, x[:, 0])), x[:, 0], atol=1e-8, rtol=0)
