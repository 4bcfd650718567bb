"""A verdict says what was tested: exact data, rare components, outputs that vanish, labels, mixed precision, and nothing at all."""

from fractions import Fraction

import numpy as np
import pytest
import sympy
import torch
from torch import nn

import erlangen as er
from erlangen.equivariance.error import elements_of
from erlangen.equivariance.exact import Counterexample
from erlangen.errors import ArgumentError

F32, F64 = torch.float32, torch.float64


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


# ---- exact data ----


class Places(er.Action):
    """Tuples, their places permuted: place i goes to g[i]."""

    def act(self, g, x):
        moved = [None] * len(x)
        for i, value in enumerate(x):
            moved[int(g[i])] = value
        return tuple(moved)


class Unmoved(er.Action):
    def act(self, g, x):
        return x


S3 = er.Symmetric(3)


@pytest.mark.parametrize(
    "datum", [(1, 2, 3), (Fraction(1, 3), Fraction(2), Fraction(0)), tuple(sympy.symbols("a b c")), ("x", "y", "z")], ids=str
)
def test_exact_data_have_an_exhaustive_verdict_and_a_counterexample(datum):
    act = Places(S3)
    verdict = er.equivariance_error(lambda p: p, [datum], act, act)
    assert verdict
    assert (verdict.how, verdict.tried, verdict["failures"], verdict.witness) == ("exhaustive", 6, 0, None)
    broken = er.equivariance_error(lambda p: (p[0], p[0], p[2]), [datum, datum], act, act)
    found = broken.witness
    assert not broken
    assert isinstance(found, Counterexample)
    assert broken.how == "exhaustive"
    moved = act.act(found.element, found.datum)
    assert found.got == (moved[0], moved[0], moved[2])
    assert found.wanted == act.act(found.element, (datum[0], datum[0], datum[2])) != found.got
    assert 0 < broken["mean"] == broken["failures"] / 12 < 1


def test_rules_with_several_arguments_and_larger_groups():
    act, big = Places(S3), er.Symmetric(7)
    first_price = er.equivariance_error(
        lambda bids, ask: max(bids) > ask, [((3, 1, 2), 2), ((0, 0, 1), 5)], (act, None), Unmoved(S3)
    )
    assert first_price
    assert first_price.how == "exhaustive"
    some = er.equivariance_error(lambda p: p[0], [tuple(range(7))], Places(big), Unmoved(big), elements=16)
    assert (bool(some), some.how, some.tried) == (False, "statistical", 16)
    every = er.equivariance_error(sorted, [tuple(range(7))], Places(big), Unmoved(big), elements=16)
    assert every
    assert every.interval[1] == pytest.approx(1 - 0.05 ** (1 / 16))
    for wrong in ((1, 2, 3), [], {"a": 1}):
        with pytest.raises(ArgumentError, match="'x'.*list of exact data"):
            er.equivariance_error(lambda p: p, wrong, act, act)


def test_an_audit_of_exact_data(tmp_path):
    act = Places(S3)
    found = er.audit(lambda p: (p[0], p[0], p[2]), [(1, 2, 3)], act, act)
    assert not found.equivariance
    assert "no gradients" in found.left_out["explanations"]
    assert "counterexample" in found.report(tmp_path / "audit.html").read_text()


# ---- what is drawn ----


def cross(pair):
    return torch.linalg.cross(pair[..., 0, :], pair[..., 1, :])


@pytest.mark.parametrize("elements", [1, 2, 4])
def test_a_cross_product_is_no_vector_of_o3_however_few_elements_are_drawn(elements):
    G = er.O(3)
    pairs = torch.randn(8, 2, 3, dtype=F64, generator=seeded())
    for seed in range(25):
        options = {"elements": elements, "generator": seeded(seed)}
        assert not er.equivariance_error(cross, pairs, G.vector, G.vector, **options)
        assert er.equivariance_error(cross, pairs, G.vector, G.pseudovector if hasattr(G, "pseudovector") else axial(G), **options)


def axial(G):
    """Axial vectors as antisymmetric matrices would move: by det(g) g."""

    class Axial(er.Action):
        data_shape = (3,)

        def act(self, g, x):
            return torch.linalg.det(g)[..., None] * G.vector.act(g, x)

    return Axial(G)


@pytest.mark.parametrize(
    ("group", "count"),
    [(er.O(3), 2), (er.E(3), 2), (er.O(1, 3), 4), (er.O(2) * er.O(3), 4), (er.SO(3), 1), (er.Dihedral(5), 2)],
    ids=lambda v: str(v),
)
def test_each_component_comes_in_turn(group, count):
    kinds = group.components()
    assert group.batch_shape(kinds)[0] >= count
    g = elements_of(group, 2 * count, seeded(), F32)
    assert group.batch_shape(g) == (2 * count,)
    if isinstance(g, torch.Tensor) and g.is_floating_point():
        assert g.dtype == F32
        signs = (
            torch.linalg.det(g[..., :3, :3]).sign()
            if str(group) != "O(1,3)"
            else g[:, 0, 0].sign() + 2 * torch.linalg.det(g).sign()
        )
        assert len(set(signs.tolist())) == count
    if isinstance(g, tuple):
        assert {(float(torch.linalg.det(a).sign()), float(torch.linalg.det(b).sign())) for a, b in zip(*g)} == {
            (a, b) for a in (1.0, -1.0) for b in (1.0, -1.0)
        }


def test_measures_leave_torchs_global_state_alone_and_repeat_themselves():
    G, x = er.SO(3), torch.randn(4, 3, generator=seeded())
    state = torch.get_rng_state()
    first = er.equivariance_error(torch.relu, x, G.vector, G.vector)
    audited = er.audit(torch.relu, x, G.vector, G.vector, elements=4)
    er.measure.explanation_equivariance(lambda v: v.relu().sum(-1), x, G.vector, G.scalar)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    again = er.equivariance_error(torch.relu, x, G.vector, G.vector)
    assert first["worst"] == again["worst"]
    assert audited.equivariance["worst"] == er.audit(torch.relu, x, G.vector, G.vector, elements=4).equivariance["worst"]
    other = er.equivariance_error(torch.relu, x, G.vector, G.vector, generator=seeded(1))
    assert first["worst"] != other["worst"]


# ---- precision ----


def test_tolerance_is_that_of_the_least_precise():
    G = er.SO(3)
    x = torch.randn(60, 5, 3, dtype=F64, generator=seeded())

    class Inside(nn.Module):
        """A network in single precision that takes and gives double."""

        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.net = nn.Linear(1, 1)

        def forward(self, v):
            return (v * self.net(v.to(self.net.weight.dtype).norm(dim=-1, keepdim=True)).double()).sum(1)

    verdict = er.equivariance_error(Inside(), x, G.vector, G.vector)
    assert verdict
    assert 1e-10 < verdict["worst"] < verdict["tolerance"] == 1e-4
    assert "float32" in verdict.reason
    single = er.equivariance_error(lambda v: v.float().norm(dim=-1).sum(1), x, G.vector, G.scalar)
    assert (bool(single), single["tolerance"]) == (True, 1e-4)
    assert er.equivariance_error(Inside().double(), x, G.vector, G.vector)["tolerance"] == 1e-10
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = er.equivariance_error(nn.Linear(3, 1), x.float(), G.vector, G.scalar)
    assert (bool(low), low["tolerance"]) == (False, 5e-2)


# ---- outputs that vanish ----

METHANE = torch.tensor([[0.0, 0, 0], [1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=F64) * 0.63


@pytest.mark.parametrize("dtype", [F32, F64])
def test_a_force_that_vanishes_by_symmetry_is_no_error(dtype):
    """The pair force on methane's carbon is zero up to rounding; so is any error of it."""
    G = er.SO(3)

    def carbon(pos):
        apart = pos[:, :1] - pos[:, 1:]
        return (apart / (1 + apart.norm(dim=-1, keepdim=True) ** 3)).sum(1)

    x = METHANE.to(dtype) @ G.sample(5, dtype=dtype, generator=seeded())
    verdict = er.equivariance_error(carbon, x, G.vector, G.vector)
    assert verdict
    assert verdict["output_scale"] < 1e-6
    assert "vanishes by symmetry" in verdict.reason
    # A force that is wrong there, by a thousandth of what distorted data give, is still found.
    wrong = er.equivariance_error(lambda p: carbon(p) + 1e-3 * torch.eye(3, dtype=dtype)[0], x, G.vector, G.vector)
    assert not wrong
    assert wrong["worst"] > 1e-4


def test_an_average_that_vanishes_is_measured_by_what_it_averages():
    G, x = er.O(3), torch.randn(4, 5, 3, dtype=F64, generator=seeded())
    odd = er.symmetrize(lambda v: torch.tanh(v).sum((1, 2))[:, None], G.vector, G.scalar, frame=er.frames.Principal())
    verdict = er.equivariance_error(odd, x, G.vector, G.scalar)
    assert verdict
    assert "for all data, so that there nothing was tested" in verdict.reason
    by_hand = odd.model(odd.canonical_inputs(x)).unflatten(0, (4, 8)).square().mean(1).sqrt()
    assert torch.allclose(odd.summed(x), by_hand)
    chunked = er.symmetrize(odd.model, G.vector, G.scalar, frame=er.frames.Principal(), chunk=3)
    assert torch.allclose(chunked.summed(x), by_hand)


def _total_force(pos):
    """The sum of all pair forces, zero for every cloud by Newton's third law, up to rounding."""
    apart = pos[:, :, None] - pos[:, None]
    return (apart * torch.exp(-apart.norm(dim=-1, keepdim=True))).sum((1, 2))


@pytest.mark.parametrize("dtype", [F32, F64])
def test_a_sum_that_vanishes_for_all_data_is_told_from_small_numbers(dtype):
    G = er.O(3)
    clouds = torch.cat([METHANE[None], torch.randn(3, 5, 3, dtype=F64, generator=seeded())]).to(dtype)
    verdict = er.assert_equivariant(_total_force, clouds, G.vector, G.vector)
    assert "nothing but rounding" in verdict.reason
    assert verdict["worst"] < 64 * torch.finfo(dtype).eps
    # What it is measured by is of the size of the forces that were summed, which are below 1/e for this law.
    assert 0.01 < verdict.witness.floor < 10
    # Numbers as small as that rounding, but no rounding, are still told from each other, in whatever unit.
    tiny = 1e-20 if dtype == F64 else 1e-12
    assert er.equivariance_error(lambda v: tiny * v[:, 0], clouds[1:], G.vector, G.vector)
    wrong = er.equivariance_error(lambda v: tiny * v[:, 0].abs(), clouds[1:], G.vector, G.vector)
    assert not wrong
    assert wrong["worst"] > 0.1


def test_explanations_of_what_vanishes_are_not_measured_rather_than_wrong(tmp_path):
    G = er.O(3)
    pairs = torch.randn(8, 1, 3, dtype=F64, generator=seeded())
    pairs = torch.cat([pairs, -pairs], 1)
    for model, x in ((lambda v: v.sum(1), METHANE[None]), (lambda v: v.sum(1), pairs), (_total_force, METHANE[None])):
        found = er.audit(model, x, G.vector, G.vector)
        assert found.equivariance
        assert found.explanations is None
        assert "explain nothing" in found.left_out["explanations"]
        assert not found.robustness
        page = found.report(tmp_path / "page.html").read_text()
        assert "does not hold" not in page
        assert "explain nothing" in page
    # Beside a datum that is not symmetric, methane's gradients count nowhere, and the others do.
    mixed = torch.cat([METHANE[None], torch.randn(1, 5, 3, dtype=F64, generator=seeded())])
    found = er.audit(lambda v: v.sum(1), mixed, G.vector, G.vector)
    assert found.explanations
    assert found.explanations["degenerate"] == 0.5
    assert found.explanations["mean_cosine"] == pytest.approx(1)
    saliency = found.robustness[0].score
    assert (saliency["mean"], saliency["degenerate"]) == (pytest.approx(1), 0.5)


def test_energies_that_vanish_are_no_infinite_percentage():
    from erlangen.measure import symmetry_report

    G = er.E(3)
    inp = {"pos": G.point, "batch": None}

    def model(x):
        total = _total_force(x["pos"][None])[0]
        return {"energy": total.sum()[None]}

    cloud = {"pos": torch.randn(5, 3, dtype=F64, generator=seeded()), "batch": torch.zeros(5, dtype=torch.long)}
    report = symmetry_report(model, [cloud], G, inp)
    assert report.rotation_energy_percent < 1e-10
    assert report.reflection_energy_percent < 1e-10


def test_zero_says_that_nothing_was_tested():
    G, x = er.O(3), torch.randn(4, 5, 3, dtype=F64, generator=seeded())
    for out in (G.scalar, G.pseudoscalar):
        verdict = er.equivariance_error(lambda v: torch.zeros(len(v), 1, dtype=F64), x, G.vector, out)
        assert verdict
        assert verdict["output_scale"] == 0
        assert "zero for all of them, so that there nothing was tested" in verdict.reason
    parts = {"a": G.scalar, "b": G.pseudoscalar}
    half = er.equivariance_error(lambda v: {"a": v.square().sum((1, 2)), "b": torch.zeros(len(v), 1)}, x, G.vector, parts)
    assert "part 'b' of the output is zero" in half.reason
    somewhere = er.equivariance_error(lambda v: torch.relu(v[:, 0, :1] - 50) * 0 + (v[:, 0, :1] > 2.5), x, G.vector, G.scalar)
    assert not somewhere or somewhere["output_scale"] > 0


# ---- labels ----


@pytest.mark.parametrize("kind", [torch.int64, torch.bool, "numpy"])
def test_labels_are_compared_as_they_are(kind):
    C = er.Cyclic(4)
    x = torch.randn(8, 4, dtype=F64, generator=seeded())

    def label(v):
        found = v.argmax(1, keepdim=True)
        return found.numpy() if kind == "numpy" else found.to(kind)

    verdict = er.equivariance_error(label, x, C.vector, C.scalar)
    assert not verdict
    assert verdict["worst"] == 1.0
    assert 0.4 < verdict["mean"] < 1
    same = er.equivariance_error(lambda v: label(v) * 0 + (7 if kind != torch.bool else False), x, C.vector, C.scalar)
    assert same
    assert same["worst"] == 0
    assert isinstance(np.asarray(verdict["mean"]).item(), float)


def test_complex_outputs_count_with_both_parts():
    G, x = er.SO(2), torch.randn(5, 2, dtype=F64, generator=seeded())
    verdict = er.equivariance_error(lambda v: torch.complex(v.norm(dim=-1), v[:, 0]), x, G.vector, G.scalar)
    assert verdict["worst"] > 0.1


# ---- audits of what is not a network ----


def test_an_audit_of_a_record_with_shared_numbers_and_of_models_without_gradients(tmp_path):
    G = er.SO(3)
    x = {"pos": torch.randn(4, 5, 3, generator=seeded()), "charges": torch.rand(5, generator=seeded(1))}
    inp = {"pos": G.vector, "charges": None}
    found = er.audit(lambda r: (r["pos"].norm(dim=-1) * r["charges"]).sum(1), x, inp, G.scalar, elements=4)
    assert found.equivariance
    assert found.explanations["mean_cosine"] > 0.9999
    assert not found.left_out
    assert [row.name for row in found.robustness][:2] == ["Saliency", "Input x Gradient"]
    assert found.report(tmp_path / "shared.html").exists()

    def forest(v):
        return torch.from_numpy((v.numpy() ** 2).sum((1, 2)) > 10).double()

    audited = er.audit(forest, x["pos"], G.vector, G.scalar, elements=4)
    assert audited.equivariance
    assert audited.explanations is None
    assert {"explanations", "Saliency"} <= set(audited.left_out)
    assert "not measured: Saliency" in str(audited)
    assert "Not measured" in audited.report(tmp_path / "forest.html").read_text()
