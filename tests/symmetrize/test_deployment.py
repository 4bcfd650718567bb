"""A symmetrized model is an ordinary module: saved, loaded, exported, compiled, in low precision, without gradients."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_model, save_model
from torch import nn

import erlangen as er
from erlangen.actions.graphs import adjacency, nodes
from erlangen.symmetrize import FAGNN, AllElements, GramSchmidt, Local, Pairs, Principal, SignFixed, Sorted, Spectral, Stochastic

E = er.E(3)


class Net(nn.Module):
    """Any network on five points."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(15, 16), nn.Tanh(), nn.Linear(16, 15), nn.Unflatten(1, (5, 3)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def cloud(count: int = 4, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(count, 5, 3, generator=torch.Generator().manual_seed(seed), dtype=dtype)


FRAMES = [Principal(), Principal(grad=True), SignFixed(), GramSchmidt(), Pairs(), Stochastic(Principal())]
#: The slower ones to trace; their compilation is tested elsewhere, too.
SOME = [pytest.param(frame, marks=pytest.mark.slow) if isinstance(frame, (GramSchmidt, Pairs)) else frame for frame in FRAMES]
by_name = pytest.mark.parametrize("frame", FRAMES, ids=lambda f: type(f).__name__ + "+grad" * getattr(f, "grad", False))


def test_saves_and_loads(tmp_path: Path) -> None:
    model = er.symmetrize(Net(), E.point, E.point)
    save_model(model, str(tmp_path / "model.safetensors"))
    other = er.symmetrize(Net(), E.point, E.point)
    for p in other.parameters():
        p.data.zero_()
    load_model(other, str(tmp_path / "model.safetensors"))
    assert torch.equal(model(cloud()), other(cloud()))
    # The bare network's own weights fit under the prefix, too, and nothing else is asked for.
    other.load_state_dict({f"model.{name}": p for name, p in Net().state_dict().items()}, strict=True)
    assert torch.equal(model(cloud()), other(cloud()))
    assert torch.equal(copy.deepcopy(model)(cloud()), model(cloud()))


@pytest.mark.parametrize("frame", SOME[2:], ids=lambda f: type(f).__name__)
def test_exports(frame: er.Frame) -> None:
    """With a batch whose size is free; an exported model does not look for degenerate clouds."""
    model = er.symmetrize(Net(), E.point, E.vector, frame=frame).eval()
    batch = torch.export.Dim("batch", min=2, max=64)
    program = torch.export.export(model, (cloud(4),), dynamic_shapes=(({0: batch},),), strict=True)
    for count in (3, 17):
        x = cloud(count, 1)
        if isinstance(frame, GramSchmidt):  # exported, it takes one basis also near ties, where it averages else
            weights = model.frames(x).weights
            x = x if weights is None else x[weights.amax(1) == 1]
        assert len(x) > 1
        assert torch.allclose(program.module()(x), model(x), atol=1e-5)


def test_exports_records_and_survives_a_file(tmp_path: Path) -> None:
    class Step(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = Net()

        def forward(self, pos: torch.Tensor, vel: torch.Tensor) -> torch.Tensor:
            return pos + self.net(vel)

    model = er.symmetrize(Step(), {"pos": E.point, "vel": E.vector}, E.point).eval()
    program = torch.export.export(model, (), {"pos": cloud(), "vel": cloud(seed=1)}, strict=True)
    torch.export.save(program, str(tmp_path / "model.pt2"))
    back = torch.export.load(str(tmp_path / "model.pt2")).module()
    assert torch.allclose(back(pos=cloud(seed=2), vel=cloud(seed=3)), model(pos=cloud(seed=2), vel=cloud(seed=3)), atol=1e-5)


@pytest.mark.parametrize("frame", SOME[:1], ids=lambda f: type(f).__name__)
def test_compiles_whole(frame: er.Frame) -> None:
    """A record, too (every frame alone: tests/symmetrize/test_policies.py)."""
    model = er.symmetrize(Net(), {"x": E.point}, E.point, frame=frame).eval()
    torch.compiler.reset()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    assert torch.allclose(compiled(x=cloud()), model(x=cloud()), atol=1e-5)


@by_name
def test_without_gradients_and_in_low_precision(frame: er.Frame) -> None:
    model = er.symmetrize(Net(), E.point, E.point, frame=frame).eval()
    with torch.no_grad():
        y = model(cloud())
    assert not y.requires_grad
    with torch.inference_mode():
        assert torch.allclose(model(cloud()), y, atol=1e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = model(cloud())
        found = model.frames(cloud())
    assert torch.allclose(low.float(), y, atol=0.1)
    assert found.elements.dtype in (torch.float32, torch.float64)  # whatever the network computes in
    half = copy.deepcopy(model).bfloat16()
    assert half(cloud().bfloat16()).isfinite().all()


def test_networks_with_frames_inside_and_frames_of_points_are_modules_too() -> None:
    net = FAGNN(width=12, layers=1, frame=lambda: Principal(degenerate="ignore"))
    data = (torch.randn(2, 5, 2, 3), torch.ones(2, 5, 5, 1))
    assert torch.allclose(torch.export.export(net, data, strict=True).module()(*data), net(*data), atol=1e-5)
    G = er.O(3)
    patch = nn.Sequential(nn.Flatten(), nn.Linear(12, 3), nn.Unflatten(1, (1, 3))).double()
    local = Local(er.symmetrize(patch, G.vector, G.vector, frame=Principal(degenerate="ignore")), k=4)
    x = torch.randn(2, 9, 3, dtype=torch.float64)  # no neighbours nearly as near
    assert torch.allclose(torch.export.export(local, (x,), strict=True).module()(x), local(x), atol=1e-5)


def test_local_frames_turn_with_the_cloud() -> None:
    G = er.E(3)
    patch = nn.Sequential(nn.Flatten(), nn.Linear(12, 6), nn.Tanh(), nn.Unflatten(1, (2, 3))).double()
    local = Local(er.symmetrize(patch, er.O(3).vector, er.O(3).vector), k=4)
    x = torch.randn(3, 9, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert er.equivariance_error(local, x, G.point, G.vector, scale=10.0)["worst"] < 1e-10
    with pytest.raises(er.errors.ArgumentError, match="argument 'k'"):
        local(x[:, :3])


@pytest.mark.parametrize("frame", [AllElements(), Sorted()], ids=["all", "sorted"])
def test_frames_of_sets_export_and_compile(frame: er.Frame) -> None:
    S = er.Symmetric(4)
    net = nn.Sequential(nn.Flatten(), nn.Linear(8, 1))
    model = er.symmetrize(net, nodes(S), S.scalar, frame=frame)
    x = torch.randn(3, 4, 2)
    assert torch.allclose(torch.export.export(model, (x,), strict=True).module()(x), model(x), atol=1e-5)
    torch.compiler.reset()
    assert torch.allclose(torch.compile(model, backend="aot_eager", fullgraph=True)(x), model(x), atol=1e-5)


def test_frames_whose_size_depends_on_the_graph_run_around_a_compiled_network() -> None:
    S = er.Symmetric(4)
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 1))
    torch.compiler.reset()
    model = er.symmetrize(torch.compile(net, backend="aot_eager", dynamic=True), adjacency(S), S.scalar, frame=Spectral())
    a = torch.tensor([[0.0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]])[None]
    plain = er.symmetrize(net, adjacency(S), S.scalar, frame=Spectral())
    assert torch.allclose(model(a), plain(a), atol=1e-6)
