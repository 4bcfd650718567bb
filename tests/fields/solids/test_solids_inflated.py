"""Silhouettes that become tetrahedra: the ball's volume, exact mirror symmetry, thin parts, holes."""

import numpy as np
import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.solids import MeshSymmetry, inflate_tets


def disc(radius, size=None):
    size = size or 2 * radius + 8
    rows, columns = np.indices((size, size)) - (size - 1) / 2
    return rows**2 + columns**2 < radius**2


def test_a_disc_becomes_a_ball():
    errors = []
    for edge in (0.1, 0.05, 0.03):
        ball = inflate_tets(disc(60), 0.2, edge=edge)
        errors.append(abs(ball.volume() / (4 / 3 * np.pi * 0.1**3) - 1))
        assert ball.size().tolist() == pytest.approx([0.2, 0.2, 0.2], rel=0.05)
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.03


def test_front_and_back_are_mirror_images_to_the_bit():
    mask = disc(40)
    mask[:, : mask.shape[1] // 2] = False
    mesh = inflate_tets(mask, 0.1, edge=0.05)
    y = mesh.vertices[:, 1]
    front, back = (mesh.vertices[s * y > 0] * torch.tensor([1.0, s, 1.0]).double() for s in (1, -1))
    assert {tuple(p) for p in front.tolist()} == {tuple(p) for p in back.tolist()}
    mirror = MeshSymmetry(mesh, torch.diag(torch.tensor([1.0, -1.0, 1.0]))[None], torch.zeros(3, dtype=torch.float64))
    assert mirror.order == 2


def test_thin_parts_and_holes_stay():
    """A ring with a stem two edges wide: one piece of genus one, closed, no tetrahedron flat or inverted (checked by the mesh)."""
    mask = disc(40, 200) & ~disc(22, 200)
    mask[130:190, 97:104] = True
    mesh = inflate_tets(mask, 0.1, edge=0.03)
    assert int(mesh.components().max()) == 0
    surface = mesh.surface()
    used = surface.unique()
    assert len(used) - 3 * len(surface) // 2 + len(surface) == 0  # Euler's number of a torus
    assert float(mesh.size()[2]) == pytest.approx(0.1, rel=0.03)
    corners = mesh.vertices[mesh.tets]
    longest = (corners[:, :, None] - corners[:, None]).norm(dim=-1).amax((1, 2))
    assert float((mesh.volumes() / longest**3).min()) > 1e-3


@pytest.mark.parametrize(
    ("arguments", "name"), [({"edge": 0.001}, "edge"), ({"thickness": 0.0}, "thickness"), ({"edge": 0.5}, "edge")]
)
def test_wrong_sizes_are_named(arguments, name):
    with pytest.raises(ArgumentError, match=name):
        inflate_tets(disc(30), 0.1, **arguments)
