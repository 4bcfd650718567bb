"""What a part is, is said: `None` is shared by the batch whatever its length, `PerDatum` and `PerNode` belong to each datum or node."""

import copy

import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.actions.images import Images
from erlangen.actions.ragged import some_of
from erlangen.errors import ArgumentError
from erlangen.symmetrize import (
    AllElements,
    Edges,
    Energy,
    InSequence,
    PerDatum,
    PerEdge,
    PerNode,
    Principal,
    Segment,
    Sorted,
    Together,
)

F64 = torch.float64


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


class Messages(nn.Module):
    """Along edges that all data share, int64 [2, E]; without any symmetry."""

    def forward(self, pos, edges):
        source, target = edges
        mix = torch.linspace(-1, 1, 9, dtype=pos.dtype).view(3, 3)
        return torch.tanh((pos[:, source] - 0.5 * pos[:, target]) @ mix).sum((1, 2))[:, None]


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("named", [True, False], ids=["in the record", "a keyword beside it"])
def test_what_is_shared_arrives_as_it_is_at_every_batch_size(named, dtype):
    G, edges = er.SE(3), torch.tensor([[0, 1, 2, 3, 4], [1, 2, 3, 4, 0]])
    x = torch.randn(3, 5, 3, dtype=dtype, generator=seeded())
    model = er.symmetrize(Messages(), {"pos": G.point, "edges": None} if named else {"pos": G.point}, G.scalar)
    three = model(pos=x, edges=edges)
    for size in (1, 2, 3):  # at 2 the edges lead with the batch's size
        assert torch.allclose(model(pos=x[:size], edges=edges), three[:size], atol=1e-5 if dtype == torch.float32 else 1e-12)


def test_shared_tables_and_masks_need_no_batch_axis_in_measures_either():
    G = er.SE(3)

    class Attention(nn.Module):
        def forward(self, x):
            pos, causal = x["pos"], x["causal"]
            weight = torch.softmax((pos @ pos.mT).masked_fill(~causal, -torch.inf), -1)
            return torch.tanh(weight @ pos).sum((1, 2))[:, None]

    inp = {"pos": G.point, "causal": None}
    for size in (3, 6):  # 6: as long as the mask
        x = {"pos": torch.randn(size, 6, 3, dtype=F64, generator=seeded()), "causal": torch.ones(6, 6).tril().bool()}
        model = er.symmetrize(Attention(), inp, G.scalar, example=x)
        assert er.equivariance_error(model, x, inp, G.scalar)["worst"] < 1e-10
        audited = er.audit(model, x, inp, G.scalar, elements=4)
        assert audited.equivariance


def test_an_audit_leaves_shared_tables_whole():
    C, seen = er.Cyclic(4), set()

    def model(x):
        seen.add(len(x["table"]))
        return x["x"].square().sum(-1, keepdim=True) * x["table"][19]

    x = {"x": torch.randn(20, 4, generator=seeded()), "table": torch.arange(1.0, 21.0)}
    assert er.audit(model, x, {"x": C.vector, "table": None}, C.scalar).equivariance
    assert seen == {20}
    few = some_of(er.Record({"x": C.vector, "table": None}), x, slice(16))
    assert (few["x"].shape, few["table"].shape) == ((16, 4), (20,))


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float32, F64])
def test_what_each_datum_has_comes_with_its_copies(dtype):
    G = er.O(2)

    class Scaled(nn.Module):
        def forward(self, x, own):
            return torch.tanh(x).sum((1, 2))[:, None] * own.to(x.dtype).sum(1, keepdim=True)

    x = torch.randn(4, 5, 2, dtype=F64, generator=seeded())
    own = (torch.arange(12).view(4, 3) % 5 > 1).to(dtype) if dtype == torch.bool else torch.arange(12).view(4, 3).to(dtype)
    model = er.symmetrize(Scaled(), (G.vector, PerDatum(G)), G.scalar)
    wanted = er.symmetrize(lambda x: torch.tanh(x).sum((1, 2))[:, None], G.vector, G.scalar)(x) * own.double().sum(1, keepdim=True)
    assert torch.allclose(model(x, own), wanted, atol=1e-12)
    with pytest.raises(ArgumentError, match="leads with the 4 data.*None in the record shares"):
        model(x, own[:3])
    assert PerDatum(G) == PerDatum(G) != PerNode(G)
    assert er.testing.check_action(PerDatum(G))


def test_a_models_error_names_the_part_that_was_shared():
    G = er.O(2)

    class Masked(nn.Module):
        def forward(self, x, mask):
            return (x * mask.unsqueeze(-1)).sum((1, 2))[:, None]

    x, mask = torch.randn(3, 5, 2), torch.ones(3, 5)
    with pytest.raises(RuntimeError) as caught:
        er.symmetrize(Masked(), (G.vector, None), G.scalar)(x, mask)
    assert "PerDatum" in "".join(caught.value.__notes__)
    assert er.symmetrize(Masked(), (G.vector, PerDatum(G)), G.scalar)(x, mask).shape == (3, 1)


def test_in_sequence_gives_each_copy_its_rows():
    act = {"pos": Together(er.E(3).point, er.actions.nodes(er.Symmetric(4)))}
    group = act["pos"].group
    act["own"] = PerDatum(group)

    class Scaled(nn.Module):
        def forward(self, pos, own):
            weights = torch.linspace(0, 1, 12, dtype=pos.dtype).view(4, 3)
            return (torch.tanh(pos) * weights).sum((1, 2))[:, None] * own

    out = Together(er.E(3).scalar, er.Symmetric(4).scalar)
    model = er.symmetrize(Scaled(), act, out, frame=InSequence(Principal(), Sorted()))
    x = torch.randn(3, 4, 3, dtype=F64, generator=seeded())
    own = torch.tensor([[1.0], [2.0], [-3.0]], dtype=F64)
    assert torch.allclose(model(pos=x, own=own), own * model(pos=x, own=torch.ones_like(own)), atol=1e-12)


# ---- ragged ----


class Ragged(nn.Module):
    """Everything a ragged batch may have: numbers by node, a field by datum, edges with lengths."""

    def forward(self, pos, batch, z, field, edges, weight):
        source, target = edges
        h = torch.tanh(pos * z[:, None]).index_add(0, target, weight[:, None] * torch.sin(pos[source]))
        h = h * field[batch]
        return {"energy": pos.new_zeros(len(field), 1).index_add(0, batch, h.sum(1, keepdim=True)), "force": h}


def ragged(batch, seed=0):
    rng, n, size = seeded(seed), len(batch), int(max(batch)) + 1
    return {
        "pos": torch.randn(n, 3, dtype=F64, generator=rng),
        "batch": torch.tensor(batch),
        "z": torch.rand(n, dtype=F64, generator=rng),
        "field": torch.randn(size, 3, dtype=F64, generator=rng),
        "edges": torch.stack([torch.arange(n), torch.arange(n)]),
        "weight": torch.rand(n, dtype=F64, generator=rng),
    }


def of_each(model, x, there):
    """The model's results datum by datum."""
    found = []
    for i in there:
        mine = x["batch"] == i
        few = {name: x[name][mine] for name in ("pos", "z", "weight")}
        count = int(mine.sum())
        few |= {"batch": torch.zeros(count, dtype=torch.int64), "field": x["field"][i : i + 1]}
        few["edges"] = torch.arange(count).expand(2, -1)
        found.append(model(**few)["energy"])
    return torch.cat(found)


@pytest.mark.parametrize("batch", [[0, 0, 1, 1, 1, 2], [1, 0, 2], [2, 2, 0], [0, 1, 2]], ids=str)
def test_rows_are_those_of_nodes_or_data_even_where_there_are_as_many(batch):
    G = er.MatrixGroup(generators=[torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])])
    inp = {
        "pos": PerNode(G.vector), "batch": Segment(G), "z": PerNode(G), "field": PerDatum(G.vector),
        "edges": Edges(G), "weight": PerEdge(G),
    }  # fmt: skip
    out = {"energy": PerDatum(G.scalar), "force": PerNode(G.vector)}
    model, x = er.symmetrize(Ragged(), inp, out, frame=AllElements()), ragged(batch)
    there = sorted(set(batch))  # of [2, 2, 0], datum 1 has no node
    assert torch.allclose(model(**x)["energy"][there], of_each(model, x, there), atol=1e-12)
    plain = copy.copy(inp) | {"pos": G.vector, "field": G.vector}
    guessed = er.symmetrize(Ragged(), plain, {"energy": G.scalar, "force": G.vector}, frame=AllElements())
    if batch in ([1, 0, 2], [2, 2, 0]):
        with pytest.raises(ArgumentError, match="PerNode.*as many nodes as data"):
            guessed(**x)
    else:
        assert torch.allclose(guessed(**x)["energy"], model(**x)["energy"], atol=1e-12)


def test_ragged_mistakes_are_said():
    G = er.SE(3)
    inp = {"pos": G.point, "batch": Segment(G), "z": PerNode(G), "field": PerDatum(G), "edges": None, "weight": PerEdge(G)}
    x = ragged([0, 0, 0, 1, 1, 1, 1])
    with pytest.warns(UserWarning, match="'edges'.*only the first copy"), pytest.raises(RuntimeError) as caught:
        er.symmetrize(Ragged(), inp, {"energy": G.scalar, "force": G.vector})(**x)
    assert "Edges" in "".join(caught.value.__notes__)
    with pytest.raises(ArgumentError, match="'z'.*leads with the 2 data"):
        er.symmetrize(Ragged(), inp | {"edges": Edges(G), "z": PerDatum(G)}, {"energy": G.scalar, "force": G.vector})(**x)
    with pytest.raises(ArgumentError, match="a Segment.*PerNode without one"):
        er.symmetrize(Messages(), {"pos": G.point, "edges": PerNode(G)}, G.scalar)(pos=torch.randn(2, 5, 3), edges=x["edges"])


# ---- outputs without an average ----


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool])
def test_labels_are_not_averaged(dtype):
    C, x = er.Cyclic(4), torch.randn(3, 4, generator=seeded())

    class Label(nn.Module):
        def forward(self, x):
            return (x[:, :1] > 0).to(dtype)

    with pytest.raises(ArgumentError, match=r"'model'.*floating-point outputs.*return scores"):
        er.symmetrize(Label(), C.vector, C.scalar)(x)
    # One element needs no average: labels come back as they are.
    chosen = er.symmetrize(Label(), C.vector, C.scalar, frame=Energy(nn.Linear(4, 1)), check=False).eval()
    assert chosen(x).dtype == dtype
    assert torch.equal(chosen(x), Label()(chosen.canonical_inputs(x)))


def test_low_precision_outputs_are_summed_in_single_precision():
    S, x = er.Symmetric(3), torch.full((2, 3), 1.0)

    class Constant(nn.Module):
        def forward(self, x):
            return x.new_full((len(x), 1), 97.5).bfloat16()

    y = er.symmetrize(Constant(), S.vector, S.scalar)(x)
    assert y.dtype == torch.bfloat16
    assert y.tolist() == [[97.5], [97.5]]


# ---- autocast ----


@pytest.mark.parametrize("group", [er.E(3), er.SE(3), er.Translations(3)], ids=str)
def test_coordinates_keep_their_precision_under_autocast(group):
    x = 50 + torch.randn(4, 6, 3, generator=seeded())
    model = er.symmetrize(nn.Identity(), group.point, group.point, frame=Principal())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = model(x)
    assert y.dtype == torch.float32
    assert (y - x).abs().max() < 1e-4

    class Linear(nn.Module):
        def __init__(self):
            super().__init__()
            self.mix = nn.Linear(3, 3)

        def forward(self, x):
            return self.mix(x)

    model = er.symmetrize(Linear(), group.point, group.point, frame=Principal())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (model(x) - model.float()(x)).abs().max() < 0.3  # the network's own rounding
        assert model(x).dtype == torch.float32


def test_images_keep_their_precision_under_autocast():
    act = Images(er.Cyclic(8).irrep(1))
    x = torch.rand(2, 1, 9, 9, generator=seeded())
    model = er.symmetrize(nn.Identity(), act, act)
    wanted = model(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (model(x) - wanted).abs().max() < 1e-6


def test_frames_are_compared_with_what_all_data_share():
    from erlangen.training import TrainingConfig

    G = er.O(2)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.mix = nn.Linear(2, 1)

        def forward(self, x, table):
            assert table.shape == (24,)
            return self.mix(torch.tanh(x) * table[:4, None]).sum(1)

    x, table = torch.randn(24, 4, 2, generator=seeded()), torch.linspace(0, 1, 24)
    y = x.norm(dim=-1).sum(1, keepdim=True)
    few = TrainingConfig(steps=2, batch_size=8)
    found = er.compare_frames(
        Net(),
        ((x, table), y),
        (G.vector, None),
        G.scalar,
        test=((x, table), y),
        frames={"all": Principal()},
        config=few,
        quiet=True,
    )
    assert found["all"].equivariance < 1e-4 < found["plain"].equivariance
