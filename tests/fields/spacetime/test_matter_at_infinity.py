"""Fluxes at infinity and the charges they carry."""

import math

import pytest
import torch

from erlangen.fields import spacetime as st


def energy(w, phi):
    return math.exp(-w * w) * (1 + torch.cos(phi) + 0.3 * torch.sin(2 * phi))


def momentum(w, phi):
    return w * math.exp(-w * w) * torch.sin(phi)


TIMES = torch.linspace(-6, 6, 25, dtype=torch.float64)


@pytest.mark.parametrize("end", ["future", "past"])
def test_charges_change_by_the_flux(end):
    data = st.BoundaryData(lambda phi: 0.5 + 0.1 * torch.cos(phi), lambda phi: 0.2 * torch.sin(phi), end, n=32, G=0.7)
    history = st.evolve(data, energy, momentum, times=TIMES)
    sign = -1 if end == "future" else 1
    draw = torch.Generator().manual_seed(0)
    T, Y = (st.CircleField.random(32, generator=draw) for _ in range(2))
    for t, y in ((1, 0), (T, 0), (0, 1), (0, Y), (T, Y)):
        change = history.charge(t, y) - history.charge(t, y)[0]
        assert (change - sign * history.carried(t, y)).abs().max() < 1e-8
    whole = 2 * math.pi * math.sqrt(math.pi)  # by hand: the cosine and the sine drop out
    assert float(history.charge(1)[-1] - history.charge(1)[0]) == pytest.approx(sign * whole, abs=1e-10)
    # The rate at one time is the flux at that time.
    close = st.evolve(data, energy, momentum, times=torch.tensor([0.3, 0.3 + 1e-5], dtype=torch.float64))
    rate = float(close.charge(T)[1] - close.charge(T)[0]) / 1e-5
    flux = 2 * math.pi * float((T.values * energy(0.3 + 5e-6, st.circle(32))).mean())
    assert rate == pytest.approx(sign * flux, abs=1e-8)


def test_short_pulses_and_jumps():
    vacuum, width = st.BoundaryData.vacuum(16), 0.01
    pulse = st.evolve(vacuum, lambda u, phi: math.exp(-((u / width) ** 2)), times=[-1.0, 1.0])
    exact = 2 * math.pi * math.sqrt(math.pi) * width
    assert float(pulse.charge(1)[-1] - pulse.charge(1)[0]) == pytest.approx(-exact, abs=1e-13)
    assert float(pulse.carried(1)[-1]) == pytest.approx(exact, abs=1e-13)
    late = st.evolve(vacuum, lambda u, phi: 20 * math.exp(-(((u - 0.4) / width) ** 2)) * torch.cos(phi), times=[-1.0, 1.0])
    exact = -16 * math.pi * 20 * math.sqrt(math.pi) * width * 0.5 * 0.6 * -torch.sin(st.circle(16))
    assert (late.momentum[-1] - exact).abs().max() < 1e-11  # what came at 0.4 has had 0.6 to act
    with pytest.warns(UserWarning, match="end a time where they jump"):
        st.evolve(vacuum, lambda u, phi: float(u > 0.1234), times=[-1.0, 1.0])


def test_without_matter_nothing_changes():
    data = st.BoundaryData(lambda phi: torch.cos(phi), lambda phi: torch.sin(3 * phi), n=32)
    history = st.evolve(data, lambda u, phi: 0.0, times=TIMES)
    assert (history.theta - data.theta).abs().max() == 0
    assert (history.xi - data.xi).abs().max() < 1e-13
    assert (history.momentum[-1] - history.momentum[0]).abs().max() > 1  # N itself grows with Theta'


def test_the_link_joins_late_past_and_early_future():
    data = st.BoundaryData(-0.8, 0.1, "past", n=32)
    coming = st.evolve(data, energy, momentum, times=TIMES)
    late = coming.data[-1]
    leaving = st.evolve(st.link(late), lambda u, phi: energy(u, phi + math.pi), times=TIMES)
    assert float(leaving.data[0].energy - late.energy) == pytest.approx(0, abs=1e-14)
    assert float(leaving.data[-1].energy) == pytest.approx(float(data.energy), abs=1e-10)


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"times": [1.0, 0.0]}, "'times'"),
        ({"times": [1.0]}, "'times'"),
        ({"times": [0.0, math.inf]}, "'times'"),
        ({"energy_flux": 3.0}, "'energy_flux'"),
        ({"energy_flux": lambda w, phi: torch.ones(16)}, "'energy_flux'"),
        ({"momentum_flux": lambda w, phi: math.nan}, "'momentum_flux'"),
        ({"data": st.BoundaryData(torch.ones(2, 32), 0.0)}, "'data'"),
    ],
)
def test_refusals_of_matter(change, argument):
    given = {"data": st.BoundaryData(-1, 0, n=32), "energy_flux": energy, "momentum_flux": momentum, "times": TIMES, **change}
    with pytest.raises(ValueError, match=argument):
        st.evolve(given.pop("data"), given.pop("energy_flux"), given.pop("momentum_flux"), **given)
