"""What is looked at when a model is wrapped, what a frame says of its derivative, and models under torch.func."""

import warnings

import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.nn import GradientForces
from erlangen.symmetrize import (
    AllElements,
    Edges,
    GramSchmidt,
    Haar,
    Pairs,
    PerDatum,
    PerNode,
    Phase,
    Principal,
    Segment,
    SignFixed,
    Sorted,
    Stochastic,
    Weighted,
)
from erlangen.symmetrize.selfcheck import check_frame_moves

F32, F64 = torch.float32, torch.float64
G = er.SO(3)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


class Biased(er.Frame):
    """A canonicalizer that looks at coordinates: it does not move along with the data."""

    def forward(self, inp, x):
        pos = x["pos"] if isinstance(x, dict) else x
        size = int(x["batch"].max()) + 1 if isinstance(x, dict) and "batch" in x else len(pos)
        angle = pos.reshape(len(pos), -1)[:size, 0]
        c, s, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
        rows = [torch.stack(row, -1) for row in ([c, -s, zero], [s, c, zero], [zero, zero, one])]
        return Weighted(torch.stack(rows, -2).unsqueeze(1))


class Sum(nn.Module):
    def forward(self, x):
        return x["pos"].sin().flatten(1).sum(1, keepdim=True)


RECORDS = {
    "alone": G.vector,
    "shared": {"pos": G.vector, "table": None},
    "per datum": {"pos": G.vector, "label": PerDatum(G)},
    "ragged": {"pos": G.vector, "batch": Segment(G), "z": PerNode(G), "edges": Edges(G)},
}


@pytest.mark.parametrize("wrap", [lambda f: f, Stochastic, lambda f: Stochastic(f, 2)], ids=["itself", "drawn", "drawn twice"])
@pytest.mark.parametrize("record", list(RECORDS))
def test_a_biased_canonicalizer_is_refused_whatever_stands_beside_it(record, wrap):
    with pytest.raises(ArgumentError, match=r"'frame'.*moves along.*relative error"):
        er.symmetrize(Sum(), RECORDS[record], G.scalar, frame=wrap(Biased()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        er.symmetrize(Sum(), RECORDS[record], G.scalar, frame=wrap(Principal(degenerate="weighted")))


def test_a_ragged_example_is_looked_at():
    batch = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1, 1])
    x = {"pos": torch.randn(9, 3, dtype=F64, generator=seeded()), "batch": batch}
    inp = {"pos": G.vector, "batch": Segment(G)}

    class Net(nn.Module):
        def forward(self, x):
            return x["pos"].new_zeros(int(x["batch"].max()) + 1, 1).index_add(0, x["batch"], x["pos"].sin().sum(1, keepdim=True))

    with pytest.raises(ArgumentError, match="moves along"):
        er.symmetrize(Net(), inp, G.scalar, frame=Biased(), example=x)
    assert er.symmetrize(Net(), inp, G.scalar, frame=Principal(), example=x).is_exact


class Low(er.Frame):
    """Right in double precision; in single precision its axes are rounded to a tenth."""

    def forward(self, inp, x):
        found = Principal(degenerate="ignore")(inp, x)
        return found if x.dtype == F64 else found._replace(elements=(found.elements * 10).round() / 10)


def test_single_precision_is_looked_at():
    x = torch.randn(4, 7, 3, dtype=F64, generator=seeded())
    assert check_frame_moves(Low(), G.vector, x)
    assert not check_frame_moves(Low(), G.vector, x.float())
    with pytest.raises(ArgumentError, match="moves along"):
        er.symmetrize(nn.Identity(), G.vector, G.vector, frame=Low())


class FirstTwo(er.Frame):
    """The Gram-Schmidt basis of the first two vectors, by coordinate axes where they do not span a plane: wrong there, and silent."""

    def forward(self, inp, x):
        padded = torch.cat([x, torch.eye(3, dtype=x.dtype).expand(len(x), 3, 3)], 1)
        a = padded[:, 0] / padded[:, 0].norm(dim=-1, keepdim=True)
        b = padded[:, 1] - (padded[:, 1] * a).sum(-1, keepdim=True) * a
        degenerate = b.norm(dim=-1, keepdim=True) < 1e-4
        b = torch.where(degenerate, torch.tensor([0.3, 0.4, 0.5], dtype=x.dtype), b)
        b = b / b.norm(dim=-1, keepdim=True)
        return Weighted(torch.stack([a, b, torch.linalg.cross(a, b)], -1).unsqueeze(1))


def test_special_data_that_fail_without_a_word_are_warned_about():
    with pytest.warns(UserWarning, match=r"FirstTwo does not move along with .*collinear points \(a relative error of"):
        er.symmetrize(nn.Identity(), G.vector, G.vector, frame=FirstTwo())


def test_a_frame_that_cannot_be_checked_says_so():
    class Twelve(Principal):
        def forward(self, inp, x):
            if x.shape[1] != 12:
                raise ArgumentError("x", "12 points", x.shape[1])
            return super().forward(inp, x)

    with pytest.warns(UserWarning, match=r"Twelve was not checked.*12 points.*example="):
        er.symmetrize(nn.Identity(), G.vector, G.vector, frame=Twelve(degenerate="ignore"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        er.symmetrize(nn.Identity(), G.vector, G.vector, frame=Twelve(degenerate="ignore"), example=torch.randn(2, 12, 3))
        er.symmetrize(nn.Identity(), G.vector, G.vector, frame=Twelve(degenerate="ignore"), check=False)


def test_frozen_normalisation_stays_frozen():
    net = nn.Sequential(nn.Flatten(), nn.Linear(15, 4), nn.BatchNorm1d(4)).train()
    net[2].eval()
    model = er.symmetrize(net, G.vector, 4 * G.scalar, example=torch.randn(3, 5, 3))
    assert [module.training for module in (model, model.model, model.model[1], model.model[2])] == [True, True, True, False]


# ---- derivatives ----


class Energy(nn.Module):
    def forward(self, x):
        pos = x["pos"]
        return {
            "energy": (torch.sin(1.3 * pos[..., 0] + 0.4) + (pos[..., 1] + 0.3) ** 2 * (pos[..., 2] - 0.2) ** 2).sum(
                1, keepdim=True
            )
        }


OCTAHEDRAL = er.MatrixGroup(
    generators=[torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]), torch.tensor([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])]
)
GOOD = [
    (Principal(grad=True), er.SE(3)),
    (Pairs(grad=True), er.SE(3)),
    (Pairs(grad=True), er.O(3)),
    (Stochastic(Principal(grad=True)), er.SE(3)),
    (AllElements(), OCTAHEDRAL),
]


@pytest.mark.parametrize(("frame", "group"), GOOD, ids=lambda v: type(v).__name__ if isinstance(v, er.Frame) else str(v)[:8])
def test_gradients_through_differentiable_frames_are_central_differences(frame, group):
    assert frame.differentiable
    point = group.point if group.translates else group.vector
    model = GradientForces(er.symmetrize(Energy(), {"pos": point}, {"energy": group.scalar}, frame=frame)).eval()
    pos = torch.randn(1, 4, 3, dtype=F64, generator=seeded(3))
    forces = model({"pos": pos})["forces"]
    h, wanted = 1e-5, torch.zeros_like(pos)
    for i in range(12):
        step = torch.zeros(12, dtype=F64)
        step[i] = h
        step = step.view(1, 4, 3)
        with torch.no_grad():
            there, here = (model.model({"pos": pos + s})["energy"] for s in (step, -step))
        wanted.view(-1)[i] = -float(there - here) / (2 * h)
    assert (forces - wanted).abs().max() < 1e-6 * wanted.abs().max()


@pytest.mark.parametrize(
    "frame", [Principal(), Pairs(), SignFixed(), GramSchmidt(), Stochastic(Pairs())], ids=lambda f: type(f).__name__
)
def test_frames_whose_elements_are_constants_have_no_forces(frame):
    assert not frame.differentiable
    model = er.symmetrize(Energy(), {"pos": er.SE(3).point}, {"energy": er.SE(3).scalar}, frame=frame)
    with pytest.raises(ArgumentError, match=rf"'model'.*differentiated.*{type(frame).__name__}"):
        GradientForces(nn.Sequential(model))
    assert isinstance(GradientForces(Energy()).model, Energy)


def test_frames_without_a_derivative_of_their_own_say_so():
    assert Sorted().differentiable
    assert Haar().differentiable
    assert Phase().differentiable
    assert not Biased().differentiable  # a frame of one's own must say it


# ---- torch.func ----


@pytest.mark.parametrize(
    "frame",
    [Principal(), Pairs(), GramSchmidt(), SignFixed(), Principal(degenerate="weighted")],
    ids=["principal", "pairs", "gs", "sign", "weighted"],
)
def test_models_can_be_mapped_and_differentiated(frame):
    group = er.SE(3)
    mix = torch.linspace(-1, 1, 9, dtype=F64).view(3, 3)
    model = er.symmetrize(lambda v: torch.tanh(v @ mix).sum((1, 2))[:, None], group.point, group.scalar, frame=frame)
    x = torch.randn(3, 5, 3, dtype=F64, generator=seeded())
    mapped = torch.func.vmap(lambda one: model(one.unsqueeze(0))[0])(x)
    assert torch.allclose(mapped, model(x), atol=1e-12)
    jacobian = torch.func.jacrev(lambda one: model(one.unsqueeze(0))[0, 0])(x[0])
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf).sum(), leaf)
    assert torch.allclose(jacobian, gradient[0], atol=1e-12)
    each = torch.func.vmap(torch.func.grad(lambda one: model(one.unsqueeze(0)).sum()))(x)
    assert torch.allclose(each, gradient, atol=1e-12)
    with pytest.raises(ArgumentError, match="finite"):  # where values can be looked at, they are
        model(torch.full_like(x, torch.nan))


# ---- an example of a ragged batch ----


class Molecules(nn.Module):
    """Energies and forces of graphs, by keywords; divided by how many graphs there are, where ``spoiled`` says so."""

    def __init__(self, spoiled=""):
        super().__init__()
        self.spoiled = spoiled

    def forward(self, pos, batch, edges, strength):
        count = int(batch.max()) + 1
        away = pos[edges[0]] - pos[edges[1]]
        pull = strength[:, None] * away.tanh()
        made = {
            "energy": pos.new_zeros(count, 1).index_add(0, batch[edges[0]], pull.square().sum(1, keepdim=True)),
            "force": torch.zeros_like(pos).index_add(0, edges[0], pull),
        }
        return {name: y / count if name == self.spoiled else y for name, y in made.items()}


@pytest.mark.parametrize("spoiled", ["", "energy", "force"])
@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5, 6, 7, 8], [8, 3, 0, 5, 1, 7, 2, 6, 4]])
def test_results_of_ragged_batches_do_not_depend_on_the_rest(spoiled, order):
    E = er.SE(3)
    inp = {"pos": E.point, "batch": Segment(E), "edges": Edges(E), "strength": er.frames.PerEdge(E)}
    batch, new = torch.tensor([0] * 4 + [1] * 5), torch.tensor(order).argsort()
    edges = new[torch.tensor([[0, 4, 1, 5, 3], [1, 5, 2, 6, 0]])]
    pos, strength = torch.randn(9, 3, dtype=F64, generator=seeded()), torch.linspace(1, 2, 5, dtype=F64)
    x = {"pos": pos, "batch": batch[order], "edges": edges, "strength": strength}
    wrap = lambda: er.symmetrize(Molecules(spoiled), inp, {"energy": E.scalar, "force": E.vector}, frame=Pairs(), example=x)  # noqa: E731
    if not spoiled:
        model = wrap()
        assert torch.equal(model(x)["force"], model(**x)["force"])  # a dict serves where the model takes keywords
        return
    with pytest.raises(ArgumentError, match="rest of the batch") as caught:
        wrap()
    assert caught.value.argument == "model"
