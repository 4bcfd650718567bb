"""What is left of harmonics by averages over candidates, and the quadrupole of populations."""

import math

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields import binaries as bi
from erlangen.groups import SO

Z = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)


@pytest.mark.parametrize(("degree", "n", "kept"), [(2, 4, 1), (2, 2, 3), (2, 1, 5), (1, 4, 1), (1, 2, 1), (1, 1, 3)])
def test_orders_that_are_kept(degree, n, kept):
    rng = torch.Generator().manual_seed(0)
    k = torch.nn.functional.normalize(torch.randn(20, 3, dtype=torch.float64, generator=rng), dim=-1)
    P = bi.reynolds_projector(k, n, degree)
    assert (P @ P - P).abs().max() < 1e-12
    assert (P - P.mT).abs().max() < 1e-12
    assert (P.diagonal(dim1=-2, dim2=-1).sum(-1) - kept).abs().max() < 1e-12
    # what is kept are the orders that n divides: eigenvalues exp(i m a) of a turn by a about the line of sight
    from erlangen.fields.binaries.population import turns_about

    turn = SO(3).irrep(degree)(turns_about(k, 7))[1]
    assert (turn @ P - P @ turn).abs().max() < 1e-12
    trace = torch.einsum("bij,bji->b", turn, P)
    orders = [m for m in range(-degree, degree + 1) if m % n == 0]
    assert (trace - sum(math.cos(2 * math.pi * m / 7) for m in orders)).abs().max() < 1e-12


def test_averages_over_candidates_are_the_projector():
    rng = torch.Generator().manual_seed(1)
    L = bi.draw_directions(30, 0.0, Z, rng)
    k = torch.nn.functional.normalize(torch.randn(30, 3, dtype=torch.float64, generator=rng), dim=-1)
    from erlangen.fields.binaries.population import turns_about

    for n in (1, 2, 4):
        every = torch.einsum("nbij,bj->bni", turns_about(k, n), L)
        mean = torch.einsum("bni,bnj->bij", every, every) / n
        one = torch.einsum("bi,bj->bij", L, L)
        both = SO(3).vector ** 2
        rotated = both(turns_about(k, n)).mean(0) @ one.flatten(1).unsqueeze(-1)
        assert (rotated.squeeze(-1) - mean.flatten(1)).abs().max() < 1e-12


def candidates(L, n, k):
    lon, lat = torch.atan2(k[:, 1], k[:, 0]), torch.asin(k[:, 2])
    iota, psi = bi.orientation(L, lon, lat)
    channels = {4: ["gravitational waves"], 2: ["gravitational waves", "eclipses"], 1: None}[n]
    return L[:, None] if channels is None else bi.candidate_vectors(lon, lat, iota, psi, channels)


def test_a_quadrupole_is_found_and_with_fewer_candidates_better():
    rng = torch.Generator().manual_seed(2)
    k = torch.nn.functional.normalize(
        torch.randn(2000, 3, dtype=torch.float64, generator=rng) * torch.tensor([1.0, 1.0, 0.3]), dim=-1
    )
    L = bi.draw_directions(2000, 0.2, Z, rng)
    truth = 0.2 * 2 / 3
    errors = []
    for n in (1, 2, 4):
        found = bi.quadrupole(candidates(L, n, k))
        value, error = found.along(Z)
        errors.append(error)
        assert abs(value - truth) < 4 * error
        assert not found.isotropic
        assert abs(float(found.Q.trace())) < 1e-12
        assert found.significance > 3
    assert errors[0] < errors[1] < errors[2]
    even = bi.draw_directions(2000, 0.0, Z, rng)
    for n in (1, 2, 4):
        assert bi.quadrupole(candidates(even, n, k)).isotropic


def test_significance_beyond_the_smallest_numbers():
    rng = torch.Generator().manual_seed(0)
    strong = bi.quadrupole(bi.draw_directions(10_000, 0.3, Z, rng)[:, None])
    assert strong.isotropic["p"] == 0
    assert abs(strong.significance - math.sqrt(strong.isotropic["chi2"])) < 1


def test_covariance_is_right():
    """Over many populations the estimates spread as their covariance says, and the test of isotropy keeps its level."""
    rng = torch.Generator().manual_seed(5)
    pulls, refused = [], 0
    for _ in range(120):
        k = torch.nn.functional.normalize(torch.randn(300, 3, dtype=torch.float64, generator=rng), dim=-1)
        found = bi.quadrupole(candidates(bi.draw_directions(300, 0.0, Z, rng), 2, k))
        pulls.append(found.along(Z)[0] / found.along(Z)[1])
        refused += found.isotropic["p"] < 0.05
    assert 0.8 < float(torch.tensor(pulls).std()) < 1.25
    assert refused < 16


@pytest.mark.parametrize(("n", "seen"), [(1, 5), (2, 3), (4, 1)])
def test_one_line_of_sight_tells_a_part_only(n, seen):
    """Then components about it that the candidates average away are not guessed: by hand, in the frame of the line of sight."""
    rng = torch.Generator().manual_seed(7)
    L = bi.draw_directions(3000, 0.2, Z, rng)
    k = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64).expand(3000, 3)
    found = bi.quadrupole(candidates(L, n, k))
    assert (5 - found.unseen.shape[1], found.isotropic["degrees of freedom"]) == (seen, seen)
    assert float(found.Q.abs().max()) < 0.2
    assert float(found.covariance.abs().max()) < 1e-3
    value, error = found.along(Z)
    if n == 4:  # <(L.x)^2> alone is seen, of which the pole is not made
        assert error == math.inf
        # by the moment: a quarter of the squares of spherical harmonics, <P2> = 3 Q_xx / 2 at first order
        along, sigma = found.along(k[0])
        assert abs(along + 0.2 / 3) < 4 * sigma < 0.05
    else:
        assert abs(value - 0.2 * 2 / 3) < 4 * error < 0.06
    assert found.along(torch.tensor([1, 1, 1]))[1] == (math.inf if n > 1 else pytest.approx(0.006, abs=0.004))


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: bi.draw_directions(10, 0.1, 0 * Z), "axis"),
        (lambda: bi.draw_directions(2.5, 0.1, Z), "count"),
        (lambda: bi.quadrupole(bi.draw_directions(30, 0.1, Z)[:, None]).along(0 * Z), "axis"),
        (lambda: bi.quadrupole(torch.zeros(5, 1, 3)), "vectors"),
        (lambda: bi.quadrupole(2 * Z.repeat(30, 1, 1)), "vectors"),
        (lambda: bi.quadrupole(Z.repeat(30, 2, 1), torch.ones(30, 2)), "weights"),
        (lambda: bi.draw_directions(10, 0.9, Z), "strength"),
        (lambda: bi.reynolds_projector(Z, 0), "n"),
    ],
)
def test_populations_that_are_none(call, name):
    with pytest.raises(ArgumentError, match=f"'{name}'"):
        call()
