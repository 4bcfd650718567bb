"""Scattering: the closed form against the definition, its invariance, and its moments."""

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.scattering import contraction, lorentz_elements, matrix_element, momenta
from erlangen.groups import O


def test_closed_form_is_the_double_contraction():
    p = momenta(1000, seed=1)
    assert torch.allclose(matrix_element(p), contraction(p), rtol=1e-12, atol=1e-12)
    # Independently, index by index, of one event.
    eta = [1.0, -1.0, -1.0, -1.0]
    p1, p2, p3, p4 = p[0].tolist()

    def dot(a, b):
        return sum(s * u * v for s, u, v in zip(eta, a, b))

    total = 0.0
    for mu in range(4):
        for nu in range(4):
            metric = eta[mu] if mu == nu else 0.0
            electron = p1[mu] * p3[nu] - metric * (dot(p1, p3) - dot(p1, p1))
            muon = p2[mu] * p4[nu] - metric * (dot(p2, p4) - dot(p2, p2))
            total += 4 * electron * muon * eta[mu] * eta[nu]
    assert float(matrix_element(p[0])) == pytest.approx(total, abs=1e-13)


def test_lorentz_elements_change_nothing():
    g, p = lorentz_elements(1000), momenta(1000)
    assert bool(O(1, 3).contains(g).all())
    here, moved = matrix_element(p), matrix_element(p @ g.mT)
    # Relative to the terms that make it up, which cancel in some events.
    size = (p @ g.mT).flatten(1).norm(dim=1) ** 4
    assert bool(((moved - here).abs() <= 1e-9 * size.clamp_min(1e-3)).all())


def test_elements_reach_all_four_components_and_leave_the_training_data():
    g = lorentz_elements(1000)
    kinds = {(bool(a > 0), bool(b > 0)) for a, b in zip(g[:, 0, 0], torch.linalg.det(g))}
    assert len(kinds) == 4
    assert 3 < float(g.abs().max()) < 100
    assert torch.equal(lorentz_elements(5, seed=3), lorentz_elements(5, seed=3))


def test_moments():
    y = matrix_element(momenta(400_000))
    assert float(y.mean()) == pytest.approx(0.25, abs=0.01)
    assert float(y.std()) == pytest.approx(0.86, abs=0.03)


def test_refusals():
    with pytest.raises(ArgumentError, match="count"):
        momenta(0)
    with pytest.raises(ArgumentError, match="four momenta"):
        matrix_element(torch.zeros(3, 4))
    with pytest.raises(ArgumentError, match="factors"):
        lorentz_elements(3, factors=0)
