"""Point-wise and norm activations as layers."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn

from erlangen.equivariance import equivariance_error
from erlangen.errors import ArgumentError, NotEquivariantError
from erlangen.groups import SO, Dihedral, Scalings, Symmetric
from erlangen.nn.norm_activation import NormActivation
from erlangen.nn.pointwise import PointwiseActivation
from erlangen.reps import admissible, admissible_forms

D4, S5 = Dihedral(4), Symmetric(5)


@pytest.mark.parametrize(
    ("rep", "f"),
    [
        (S5.vector, nn.GELU()),
        (S5.vector**2, "relu"),
        (D4.irrep(1), torch.tanh),
        (D4.irrep(1), "abs"),
        (S5.pseudoscalar + 2 * S5.vector, ["tanh", nn.SiLU(), "relu"]),
    ],
    ids=["gelu", "relu on pairs", "tanh", "abs", "one for each block"],
)
def test_layers_are_equivariant_with_the_output_they_state(rep, f):
    layer = PointwiseActivation(rep, f).double()
    x = torch.randn(8, rep.dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert equivariance_error(layer, x, rep, layer.output_rep, tolerance=1e-12)
    channels = x.reshape(2, 4, rep.dim)
    assert torch.equal(layer(channels).reshape(8, rep.dim), layer(x))
    assert layer.verdict.holds


def test_the_output_types_the_next_layer():
    first = PointwiseActivation(D4.irrep(1), "abs")
    second = PointwiseActivation(first.output_rep, "relu")
    assert second.output_rep == first.output_rep
    with pytest.raises(NotEquivariantError):
        PointwiseActivation(D4.irrep(1), "relu")


def test_the_refusal_says_why_and_what_else():
    with pytest.raises(NotEquivariantError) as caught:
        PointwiseActivation(SO(3).vector, nn.ReLU())
    text, verdict = str(caught.value), caught.value.verdict
    assert "Lie generator 0 is not diagonal" in text
    assert "counterexample: x = (" in text
    assert "NormActivation" in text
    g, _, error = verdict.witness
    assert g.shape == (3, 3)
    assert error > 0.1
    assert isinstance(caught.value, ValueError)
    with pytest.raises(NotEquivariantError, match="admissible_forms"):
        PointwiseActivation(Dihedral(3).irrep(1), "tanh")


def test_inexact_on_purpose():
    layer = PointwiseActivation(SO(3).vector, "relu", allow_inexact=True)
    assert not layer.verdict
    assert layer.output_rep == SO(3).vector
    assert "inexact" in repr(layer)
    assert torch.equal(layer(torch.tensor([1.0, -1.0, 0.0])), torch.tensor([1.0, 0.0, 0.0]))


def test_slopes_that_are_trained_must_stay_admissible():
    PointwiseActivation(S5.vector, nn.PReLU())
    with pytest.raises(NotEquivariantError, match="slopes differ"):
        PointwiseActivation(S5.vector, nn.PReLU(5))  # equal at first, not after a step
    with pytest.raises(NotEquivariantError):
        PointwiseActivation(S5.pseudoscalar, nn.PReLU(1, -1.0))
    fixed = nn.PReLU(1, -1.0).requires_grad_(False)
    assert PointwiseActivation(S5.pseudoscalar, fixed).output_rep.matrix(S5.generators).abs().unique().tolist() == [1.0]
    layer = PointwiseActivation(S5.vector + S5.scalar, nn.PReLU(6, 0.5).requires_grad_(False))
    x = torch.randn(2, 6, 6)
    assert torch.equal(layer(x), torch.where(x > 0, x, 0.5 * x))  # on coordinates, not on torch's axis 1
    assert list(PointwiseActivation(S5.vector, nn.PReLU()).state_dict()) == ["functions.0.weight"]


def test_wrong_shapes():
    with pytest.raises(ArgumentError, match=r"\[..., 5\]"):
        PointwiseActivation(S5.vector, "relu")(torch.zeros(4))
    with pytest.raises(ArgumentError, match=r"\[..., 5\]"):
        NormActivation(S5.vector, "relu")(torch.zeros(4))


def test_copies_and_pickles():
    layer = PointwiseActivation(D4.irrep(1), "abs")
    x = torch.randn(3, 2)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(other(x), layer(x))
        assert other.output_rep == layer.output_rep
        assert other.verdict == layer.verdict


def test_gradients_and_compilation():
    layer = PointwiseActivation(S5.vector, "tanh").double()
    whole = torch.compile(layer, fullgraph=True, backend="eager")
    assert torch.equal(whole(torch.ones(2, 5).double()), layer(torch.ones(2, 5).double()))
    x = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, x)
    moved = torch.func.vmap(layer)(x)
    assert torch.equal(moved, layer(x))


@pytest.mark.parametrize("f", ["tanh", nn.SiLU(), "sigmoid"], ids=str)
def test_norm_activations(f):
    rep = 2 * SO(3).vector + SO(3).irrep(2) + SO(3).scalar
    layer = NormActivation(rep, f).double()
    x = torch.randn(8, 4, rep.dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert equivariance_error(layer, x, rep, layer.output_rep, tolerance=1e-12)
    length = x[..., :3].norm(dim=-1, keepdim=True)
    expected = x[..., :3] * admissible_value(f, length) / length
    assert torch.allclose(layer(x)[..., :3], expected, atol=1e-9)


def admissible_value(f, t):
    from erlangen.reps.classify import resolve

    return resolve(f)(t)


def test_norm_activations_are_smooth_at_zero():
    layer = NormActivation(SO(3).vector + SO(3).scalar, "tanh").double()
    x = torch.zeros(2, 4, dtype=torch.float64, requires_grad=True)
    layer(x).sum().backward()
    assert torch.isfinite(x.grad).all()
    assert torch.allclose(x.grad, torch.ones_like(x), atol=1e-9)  # tanh'(0)
    assert torch.autograd.gradcheck(
        NormActivation(SO(3).vector, "tanh", softening=1e-2).double(), torch.randn(2, 3).double().requires_grad_()
    )


def test_norm_activations_need_orthogonal_matrices():
    with pytest.raises(ArgumentError, match="orthogonal"):
        NormActivation(Scalings(3).vector, "tanh")
    with pytest.raises(ArgumentError, match="softening"):
        NormActivation(SO(3).vector, "tanh", softening=0.0)


def test_a_form_makes_a_layer():
    rep = D4.irrep(1) + D4.scalar
    form = admissible_forms(rep, "tanh")[0]
    layer = PointwiseActivation(form.rep, "tanh").double()
    assert admissible(form.rep, "tanh")

    def in_the_old_basis(x):
        return layer(x @ torch.linalg.inv(form.basis).mT) @ form.basis.mT

    x = torch.randn(6, 3, dtype=torch.float64)
    assert equivariance_error(in_the_old_basis, x, rep, rep, tolerance=1e-10)


def test_what_is_inexact_on_purpose_is_in_the_audit(tmp_path):
    import erlangen as er

    V = er.SO(3).vector
    model = nn.Sequential(nn.Linear(3, 3, bias=False), PointwiseActivation(V, "relu", allow_inexact=True))
    audit = er.audit(model, torch.randn(8, 3, generator=torch.Generator().manual_seed(0)), V, V)
    assert list(audit.inexact) == ["1"]
    assert "inexact on purpose: 1: does not hold" in str(audit)
    assert audit.as_dict()["inexact"]["1"]["holds"] is False
    assert "inexact on purpose" in audit.report(tmp_path / "audit.html").read_text()
    assert er.audit(nn.Linear(3, 3), torch.randn(8, 3), V, V).inexact == {}
