"""Elements without weight are not evaluated: a few data near a tie need many, and the others keep theirs."""

from __future__ import annotations

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.symmetrize import Frame, Weighted

G = er.SO(3)


class Few(Frame):
    """Five elements, of which most data use the first."""

    def __init__(self, skips: bool = False) -> None:
        super().__init__()
        self.skips = skips
        self.angles = torch.nn.Parameter(torch.linspace(0.1, 0.9, 5, dtype=torch.float64))

    def forward(self, inp, x):
        size = len(x["x"] if isinstance(x, dict) else x)
        generator = torch.Generator().manual_seed(1)
        elements = G.sample(size, 5, generator=generator, dtype=torch.float64)
        weights = torch.zeros(size, 5, dtype=torch.float64)
        weights[:, 0] = 1
        weights[1] = self.angles / self.angles.sum() if self.skips else (self.angles / self.angles.sum()).detach()
        return Weighted(elements, weights, skips=self.skips)


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rows = []
        self.layer = torch.nn.Linear(3, 3).double()

    def forward(self, x):
        self.rows.append(len(x))
        return self.layer(x).sin() * x.norm(dim=-1, keepdim=True)


@pytest.mark.parametrize("skips", [False, True])
def test_the_average_is_the_same_and_the_model_sees_less(skips):
    torch.manual_seed(0)
    net, x = Net(), torch.randn(8, 4, 3, dtype=torch.float64, requires_grad=True)
    few = er.symmetrize(net, G.vector, G.vector, frame=Few(skips), check=False)
    every = er.symmetrize(net, G.vector, G.vector, frame=few.frame, check=False, chunk=4)
    wanted = every(x)
    assert net.rows == [32, 8]
    net.rows.clear()
    found = few(x)
    assert net.rows == [7 + 5]
    assert torch.allclose(found, wanted, atol=1e-13)
    assert torch.allclose(few.summed(x), every.summed(x), atol=1e-13)
    inputs = [x, *net.parameters(), *(few.frame.parameters() if skips else ())]
    for a, b in zip(torch.autograd.grad(found.square().sum(), inputs), torch.autograd.grad(wanted.square().sum(), inputs)):
        assert torch.allclose(a, b, atol=1e-12)


def test_records_keep_what_is_shared_and_what_each_datum_has():
    class Both(torch.nn.Module):
        def forward(self, x, mask, table):
            return {"v": (x.sin() * mask.unsqueeze(-1)).sum(1) * table, "s": (x**3).sum((1, 2)).unsqueeze(1)}

    inp = {"x": G.vector, "mask": er.frames.PerDatum(G), "table": None}
    x = {"x": torch.randn(8, 4, 3).double(), "mask": torch.rand(8, 4).double(), "table": torch.rand(3).double()}
    frame = Few()
    few, every = (er.symmetrize(Both(), inp, {"v": G.vector, "s": G.scalar}, frame=frame, check=False, chunk=c) for c in (None, 4))
    found, wanted = few(**x), every(**x)
    assert all(torch.allclose(found[k], wanted[k], atol=1e-13) for k in "vs")


def test_integers_are_refused_all_the_same():
    model = er.symmetrize(lambda_module(lambda x: x.argmax(-1)), G.vector, G.scalar, frame=Few(), check=False)
    with pytest.raises(ArgumentError, match="have an average"):
        model(torch.randn(8, 4, 3).double())


def test_generic_clouds_with_a_few_near_a_tie_cost_little_more_than_the_network():
    torch.manual_seed(1)
    net = Net().float()
    model = er.symmetrize(net, er.E(3).point, er.E(3).point, frame=er.frames.Vectors(), check=False)
    model(torch.randn(256, 5, 3))
    assert sum(net.rows) < 3 * 256


def lambda_module(function):
    class Called(torch.nn.Module):
        def forward(self, x):
            return function(x)

    return Called()


def test_a_warning_of_the_verb_names_the_line_that_called_it():
    class Unfit(Few):
        def forward(self, inp, x):
            raise ArgumentError("x", "data of another kind", "these")

    with pytest.warns(UserWarning, match="was not checked") as caught:
        er.symmetrize(Net(), G.vector, G.vector, frame=Unfit())
    assert [record.filename for record in caught] == [__file__]


def test_a_frame_that_was_found_before_gives_the_same_output_and_gradient():
    torch.manual_seed(2)
    net, x = Net(), torch.randn(16, 4, 3, dtype=torch.float64)
    mirror = torch.tensor([1, 1, -1])
    x[:3] = torch.cat([x[:3, :2], 1.0001 * mirror * x[:3, :2]], 1)  # pivots tie
    model = er.symmetrize(net, G.vector, G.vector, frame=er.frames.GramSchmidt(), check=False)
    found = model.frames(x)
    assert found.elements.shape[1] > 1
    some = torch.tensor([5, 0, 2, 9, 11, 13])
    weights = None if found.weights is None else found.weights[some]
    known, new = model.over(Weighted(found.elements[some], weights), x[some]), model(x[some])
    assert torch.allclose(known, new, atol=1e-12)
    a, b = (torch.autograd.grad(y.square().sum(), list(net.parameters())) for y in (known, new))
    assert all(torch.allclose(p, q, atol=1e-12) for p, q in zip(a, b))


def test_a_second_basis_is_evaluated_for_the_data_alone_that_need_it():
    net, x = Net(), torch.randn(32, 4, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    # Nearly mirror images: two pivots tie.
    x[0] = torch.tensor([[1, 2, 0], [1.0001, -2.0001, 0], [0.3, 0, 0.2], [0.1, 0, 0.4]], dtype=torch.float64)
    model = er.symmetrize(net, G.vector, G.vector, frame=er.frames.GramSchmidt(), check=False)
    found = model.frames(x)
    assert found.elements.shape[1] > 1
    model(x)
    assert sum(net.rows) == int((found.weights > 0).sum()) < 2 * 32
