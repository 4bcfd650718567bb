"""Warped signals, what a Fourier transform keeps of them, and bodies seen from all sides."""

from __future__ import annotations

import math

import pytest
import torch

from erlangen.datasets.signals import SENSORS, dft_spectrum, lowpass, lowpass_error, sines, warped_signals
from erlangen.datasets.views import chains, render, views
from erlangen.errors import ArgumentError
from erlangen.groups import SO

COMPRESSION = (3, 5, 11, 4, 7)


@pytest.mark.parametrize(("modes", "expected"), [(8, 18.8053), (16, 5.9622), (32, 0.31035)])
def test_low_modes_of_the_compression_set(modes, expected):
    assert lowpass_error(COMPRESSION, modes) == pytest.approx(expected, abs=2e-4)
    x = warped_signals(5000, COMPRESSION, frames=1, seed=1).x[:, 0]
    sample = float((x - lowpass(x, modes)).square().sum(1).mean())
    assert sample == pytest.approx(expected, abs=0.25)
    assert float(x.square().sum(1).mean()) == pytest.approx(51.74, abs=0.5)


def test_a_shift_is_a_rotation_of_every_wave():
    data = warped_signals(50, (2, 5), frames=3, phases=True, seed=2)
    waves = sines((2, 5)).flatten(0, 1)
    parts = torch.linalg.lstsq(waves.mT.double(), data.x.double().flatten(0, 1).mT).solution.mT.reshape(50, 3, 2, 2)
    sin, cos = parts[:, :, 0], parts[:, :, 1]
    phase = torch.atan2(cos, sin)
    turned = phase[:, 1] - phase[:, 0] + data.angles[:, None].double() * torch.tensor([2.0, 5.0])
    assert float(torch.sin(turned).abs().max()) < 1e-3
    torch.testing.assert_close(
        sin.square() + cos.square(), (sin.square() + cos.square())[:, :1].expand(-1, 3, -1), atol=1e-4, rtol=1e-4
    )


def test_the_first_frame_holds_sines_alone():
    x = warped_signals(20, (2, 5), seed=0).x[:, 0]
    waves = sines((2, 5))[0]
    rest = x - torch.linalg.lstsq(waves.mT, x.mT).solution.mT @ waves
    assert float(rest.abs().max()) < 1e-4


def test_unwarped_signals_show_their_frequencies_and_warped_ones_do_not():
    plain = dft_spectrum(warped_signals(200, (3, 9), power=1.0).x.flatten(0, 1))
    assert sorted(plain.topk(2).indices.tolist()) == [3, 9]
    assert float(plain[[3, 9]].sum()) > 0.999
    warped = dft_spectrum(warped_signals(500).x.flatten(0, 1))
    assert sorted(warped.topk(5).indices.tolist()) != [2, 5, 9, 12, 14]


def test_sensors_seeds_and_noise():
    clean, saturated = (warped_signals(5, sensor=s, seed=4) for s in ("clean", "tanh"))
    torch.testing.assert_close(saturated.x, torch.tanh(1.5 * clean.x))
    assert torch.equal(warped_signals(5, seed=4).x, clean.x)
    assert not torch.equal(warped_signals(5, seed=5).x, clean.x)
    noisy = warped_signals(2000, seed=4, noise=0.1).x - warped_signals(2000, seed=4).x
    assert float(noisy.std()) == pytest.approx(0.1, rel=0.02)
    assert set(SENSORS) == {"clean", "tanh", "quadratic"}
    assert 0 <= float(clean.angles.min()) <= float(clean.angles.max()) <= math.pi


@pytest.mark.parametrize(
    ("name", "settings"),
    [("sensor", {"sensor": "ear"}), ("frequencies", {"frequencies": (30,)}), ("angles", {"angles": torch.zeros(2)})],
)
def test_bad_settings_are_named(name, settings):
    with pytest.raises(ArgumentError) as caught:
        warped_signals(3, **settings)
    assert caught.value.argument == name


def test_bodies_and_their_images():
    bodies = chains(6, 5, seed=1)
    torch.testing.assert_close(bodies.centres.mean(1), torch.zeros(6, 3), atol=1e-6, rtol=0)
    links = bodies.centres.diff(dim=1).norm(dim=-1)
    torch.testing.assert_close(links, links[:, :1].expand(-1, 4))
    eye = SO(3).identity(6)
    quarter = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    front, turned = render(bodies, eye), render(bodies, quarter.expand(6, 3, 3))
    # Rows are y: a quarter turn about z takes x to y.
    torch.testing.assert_close(turned, front.mT.flip(-1), atol=1e-5, rtol=0)
    flipped = render(bodies, torch.diag(torch.tensor([-1.0, 1.0, -1.0])).expand(6, 3, 3))
    torch.testing.assert_close(flipped, front.flip(-1), atol=1e-5, rtol=0)  # a shadow from behind is its mirror image
    assert views(3, 4, side=8).poses.shape == (3, 4, 3, 3)
    for name, call in (("balls", lambda: chains(1, 1)), ("poses", lambda: render(bodies, eye[:2]))):
        with pytest.raises(ArgumentError, match=name):
            call()
