"""Models of clouds and images export with a free batch, by default and strictly, and compile whole."""

import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.actions.images import Images
from erlangen.symmetrize import AllElements, GramSchmidt, ImageVectors, Principal


def cnn():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 1))


def model_of(name):
    if name == "cloud":
        G = er.E(3)
        net = nn.Sequential(nn.Flatten(), nn.Linear(15, 15), nn.Unflatten(1, (5, 3)))
        return er.symmetrize(net, G.point, G.vector, frame=Principal()), (5, 3)
    if name == "vectors":
        G = er.SO(2)
        return er.symmetrize(cnn(), Images(G.vector), G.scalar, frame=ImageVectors(1)), (1, 6, 6)
    if name == "momenta":
        G = er.SO(1, 3, connected=True)
        return er.symmetrize(nn.Sequential(nn.Flatten(), nn.Linear(20, 1)), G.vector, G.scalar, frame=GramSchmidt("ignore")), (5, 4)
    G = er.Cyclic(int(name))
    return er.symmetrize(cnn(), Images(G.irrep(1)), G.scalar, frame=AllElements()), (1, 6, 6)


@pytest.mark.parametrize(
    ("name", "strict"),
    [
        ("cloud", False),
        ("4", False),
        pytest.param("8", False, marks=pytest.mark.slow),  # by default like quarter turns, and strictly
        ("8", True),
        ("vectors", False),
        ("momenta", False),
    ],
)
def test_a_free_batch(name, strict):
    model, shape = model_of(name)
    batch = torch.export.Dim("batch", min=2, max=64)
    program = torch.export.export(model.eval(), (torch.randn(4, *shape),), dynamic_shapes=(({0: batch},),), strict=strict)
    for count in (3, 17):
        x = torch.randn(count, *shape, generator=torch.Generator().manual_seed(count))
        assert torch.allclose(program.module()(x), model(x), atol=1e-5)


def test_vectors_of_images_compile_whole():
    model, shape = model_of("vectors")
    torch.compiler.reset()
    x = torch.randn(3, *shape)
    assert torch.allclose(torch.compile(model, backend="aot_eager", fullgraph=True)(x), model(x), atol=1e-5)
