"""One call of a symmetrized model: its data are taken apart once, and what the actions say is known before."""

import sys

import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.symmetrize import Principal


def entered(call):
    """The files of the library whose code a call enters."""
    files, package = set(), er.__path__[0]

    def see(frame, event, arg):
        name = frame.f_code.co_filename
        if name.startswith(package):
            files.add(name.removeprefix(package).lstrip("/"))

    before = sys.gettrace()
    sys.settrace(see)
    try:
        call()
    finally:
        sys.settrace(before)
    return files


@pytest.mark.parametrize("G", [er.SE(3), er.E(3)], ids=str)
def test_a_datum_is_taken_apart_once(G):
    """What is known of the actions is known before the call; in it, six files are walked through: the group's and its test of values, the
    action's, the cloud's, the frame's and the formula's."""
    model, x = er.symmetrize(nn.Identity(), G.point, G.point), torch.randn(4, 5, 3)
    model(x)
    files = entered(lambda: model(x))
    assert "symmetrize/symmetrized.py" in files
    assert len(files) <= 6, sorted(files)


@pytest.mark.parametrize("G", [er.SE(3), er.E(2)], ids=str)
def test_no_data_are_a_batch_too(G):
    model = er.symmetrize(nn.Identity(), G.point, G.point)
    assert model(torch.zeros(0, 5, G.space_dim)).shape == (0, 5, G.space_dim)


def test_what_one_call_keeps_serves_the_next():
    """Constants made in inference mode serve a training after it."""
    net, x, G = nn.Linear(3, 3), torch.randn(4, 5, 3), er.E(3)
    model = er.symmetrize(net, G.point, G.point, frame=Principal(grad=True))
    with torch.inference_mode():
        seen = model(x)
    there = x.clone().requires_grad_()
    found = model(there)
    found.square().sum().backward()
    assert torch.equal(seen, found)
    assert bool(there.grad.isfinite().all())


def test_the_parts_of_a_record_are_asked_for_once(monkeypatch):
    G = er.SE(3)
    inp = er.Record({"pos": G.point, "batch": er.frames.Segment(G), "charge": er.frames.PerNode(G)})

    class Sums(nn.Module):
        def forward(self, pos, batch, charge):
            return pos.new_zeros(int(batch.max()) + 1, 1).index_add(0, batch, charge * pos.sin().sum(1, keepdim=True))

    model = er.symmetrize(Sums(), inp, G.scalar, check=False)
    x = {"pos": torch.randn(9, 3), "batch": torch.tensor([0] * 5 + [1] * 4), "charge": torch.randn(9, 1)}
    model(x)
    asked = []
    flatten = er.Record.flatten
    monkeypatch.setattr(er.Record, "flatten", lambda self, x: asked.append(self) or flatten(self, x))
    model(x)
    assert len(asked) <= 2  # for the parts and, of a ragged batch, for its segment


def test_a_frame_that_changes_forward_is_asked_by_it():
    """A subclass of a frame of clouds that says `forward` anew means it, whoever asks."""

    class Turned(Principal):
        def forward(self, inp, x):
            found = super().forward(inp, x)
            return found._replace(elements=found.elements.flip(1), info={"mine": torch.ones(len(x))})

    model = er.symmetrize(nn.Identity(), er.SO(3).vector, er.SO(3).vector, frame=Turned())
    assert "mine" in model.frames(torch.randn(4, 5, 3)).info
