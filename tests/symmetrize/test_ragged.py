"""Ragged batches give what dense ones give, for every frame, with parts and outputs by node and by datum."""

import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.symmetrize import AllElements, Edges, GramSchmidt, Pairs, Phase, Principal, Segment, SignFixed, Stochastic

F64 = torch.float64
SIZES = (4, 7, 5)


def data(seed=0):
    rng = torch.Generator().manual_seed(seed)
    batch = torch.tensor([i for i, n in enumerate(SIZES) for _ in range(n)])
    chain = torch.stack([torch.arange(len(batch) - 1), torch.arange(1, len(batch))])
    edges = chain[:, batch[chain[0]] == batch[chain[1]]]
    return {
        "pos": torch.randn(len(batch), 3, generator=rng, dtype=F64),
        "field": torch.randn(len(SIZES), 3, generator=rng, dtype=F64),
        "charge": torch.rand(len(batch), generator=rng, dtype=F64),
        "batch": batch,
        "edges": edges,
    }


class Message(nn.Module):
    """One round of messages along the edges, without any symmetry; forces by node, an energy by datum."""

    def forward(self, pos, field, charge, batch, edges):
        mix = torch.linspace(-1, 1, 9, dtype=pos.dtype).view(3, 3)
        source, target = edges
        messages = torch.tanh((pos[source] - 0.5 * pos[target]) @ mix) * charge[source, None]
        force = torch.tanh(pos).index_add(0, target, messages) + field[batch] ** 2
        energy = pos.new_zeros(len(field), 1).index_add(0, batch, (force * pos @ mix[:, :1]))
        return {"energy": energy, "force": force}


def records(G):
    inp = {"pos": G.point, "field": G.vector, "charge": G.scalar, "batch": Segment(G), "edges": Edges(G)}
    return inp, {"energy": G.scalar, "force": G.vector}


def one_by_one(model, x):
    energies, forces = [], []
    for i in range(len(SIZES)):
        mine = x["batch"] == i
        start = int(mine.nonzero()[0])
        kept = mine[x["edges"][0]]
        y = model(
            pos=x["pos"][mine],
            field=x["field"][i : i + 1],
            charge=x["charge"][mine],
            batch=torch.zeros(int(mine.sum()), dtype=torch.int64),
            edges=x["edges"][:, kept] - start,
        )
        energies.append(y["energy"])
        forces.append(y["force"])
    return torch.cat(energies), torch.cat(forces)


@pytest.mark.parametrize("frame", [Principal(), SignFixed(), Pairs(), GramSchmidt()], ids=lambda f: type(f).__name__)
@pytest.mark.parametrize("group", [er.SE(3), er.E(3)], ids=str)
def test_ragged_batches_are_exact_and_agree_with_single_data(group, frame):
    inp, out = records(group)
    model, x = er.symmetrize(Message(), inp, out, frame=frame), data()
    for part in out:
        one = er.equivariance_error(lambda record, part=part: model(**record)[part], x, inp, out[part])
        assert one["worst"] < 1e-10
    together = model(**x)
    energies, forces = one_by_one(model, x)
    assert torch.allclose(together["energy"], energies, atol=1e-12)
    assert torch.allclose(together["force"], forces, atol=1e-12)
    by_chunks = er.symmetrize(Message(), inp, out, frame=frame, chunk=3)(**x)
    assert torch.allclose(by_chunks["force"], forces, atol=1e-12)


def test_ragged_is_dense():
    G = er.E(3)

    class Cube(nn.Module):
        def forward(self, pos, **_):
            return pos**3

    x = torch.randn(4, 6, 3, dtype=F64, generator=torch.Generator().manual_seed(0))
    dense = er.symmetrize(Cube(), G.point, G.point)(x)
    shuffle = torch.randperm(24, generator=torch.Generator().manual_seed(1))
    batch = torch.arange(4).repeat_interleave(6)[shuffle]
    ragged = er.symmetrize(Cube(), {"pos": G.point, "batch": Segment(G)}, G.point)
    assert torch.allclose(ragged(pos=x.flatten(0, 1)[shuffle], batch=batch), dense.flatten(0, 1)[shuffle], atol=1e-12)


def test_finite_groups_and_draws_take_ragged_batches_too():
    square = er.MatrixGroup(generators=[torch.tensor([[0.0, -1], [1, 0]])])

    class Net(nn.Module):
        def forward(self, x, batch):
            return x.new_zeros(int(batch.max()) + 1, 1).index_add(0, batch, torch.tanh(0.3 + x @ x.new_tensor([[1.0], [-2.0]])))

    x, batch = torch.randn(9, 2, dtype=F64, generator=torch.Generator().manual_seed(0)), torch.arange(9) // 4
    inp = {"x": square.vector, "batch": Segment(square)}
    model = er.symmetrize(Net(), inp, square.scalar)
    assert isinstance(model.frame, AllElements)
    assert er.equivariance_error(lambda record: model(**record), {"x": x, "batch": batch}, inp, square.scalar)["worst"] < 1e-12
    G = er.SO(2)
    inp = {"x": G.vector, "batch": Segment(G)}
    drawn = er.symmetrize(Net(), inp, G.scalar, frame=Stochastic(Principal(), generator=torch.Generator().manual_seed(0)))
    assert drawn.train().frames(x=x, batch=batch).elements.shape[:2] == (3, 1)
    assert "ragged" in Phase().refuse(er.Record(inp))


def test_errors_name_what_is_wrong():
    G = er.SE(3)
    inp, out = records(G)
    model, x = er.symmetrize(Message(), inp, out), data()
    with pytest.raises(ArgumentError, match="none in datum 1"):
        model(**x | {"batch": torch.where(x["batch"] == 1, 2, x["batch"])})
    with pytest.raises(ArgumentError, match="'segment'.*int64"):
        model(**x | {"batch": x["batch"].double()})
    with pytest.raises(ArgumentError, match="from 0 up"):
        model(**x | {"batch": x["batch"] - 1})
    with pytest.raises(ArgumentError, match="16 nodes.*15 numbers"):
        model(**x | {"batch": x["batch"][1:]})
    with pytest.raises(ArgumentError, match="16 nodes or the 3 data"):
        model(**x | {"field": x["field"][:2]})
    with pytest.raises(ArgumentError, match="'field'"):
        model(**x | {"field": x["field"][:, :2]})

    class Wrong(nn.Module):
        def forward(self, pos, **_):
            return pos[1:]

    with pytest.raises(ArgumentError, match="nodes x frame"):
        er.symmetrize(Wrong(), inp, G.vector)(**x)
