"""Homogeneous spaces: dimensions against the table, completeness of attributes, and pairs that incomplete ones confuse."""

from __future__ import annotations

import math

import pytest
import torch

import erlangen as er
from erlangen.actions.spaces import (
    HomogeneousSpace,
    check_complete,
    framed_attributes,
    framed_points,
    oriented_points,
    pair_invariants,
    points,
    ponita_attributes,
)
from erlangen.errors import ArgumentError, UnsupportedError


@pytest.mark.parametrize("group", [er.SE(2), er.E(2), er.SE(3), er.E(3), er.SE(4)])
def test_dimensions(group) -> None:
    n = group.linear_part.n
    turns = n * (n - 1) // 2
    assert (points(group).dim, points(group).stabilizer_dim, points(group).pair_dim) == (n, turns, 1)
    oriented = oriented_points(group)
    assert oriented.dim == 2 * n - 1
    # |d|, o.d, o'.d, o.o' generate all invariants; in the plane one of the four follows from the others up to sign.
    assert oriented.pair_dim == (3 if n == 2 else 4)
    assert (framed_points(group).dim, framed_points(group).pair_dim) == (n + turns, n + turns)


def test_spheres_and_hyperboloids_have_one_invariant_of_pairs() -> None:
    sphere = HomogeneousSpace(er.SO(4).vector, torch.eye(4)[0])
    assert (sphere.dim, sphere.pair_dim) == (3, 1)
    masses = HomogeneousSpace(er.SO(1, 3, connected=True).vector, torch.eye(4)[0])
    assert (masses.dim, masses.pair_dim) == (3, 1)
    form = torch.diag(torch.tensor([1.0, -1, -1, -1], dtype=torch.float64))
    assert check_complete(masses, lambda x, y: ((x @ form) * y).sum(-1, keepdim=True))


@pytest.mark.parametrize("group", [er.SE(3), er.E(3)])
def test_paper_attributes_miss_one_of_four(group) -> None:
    X = oriented_points(group)
    assert check_complete(X, ponita_attributes)
    paper = check_complete(X, lambda x, y: ponita_attributes(x, y)[..., :3])
    assert not paper
    assert (paper["rank"], paper["wanted"]) == (3, 4)
    assert "tell 3 apart" in paper.reason


def test_two_pairs_that_the_three_confuse() -> None:
    e3, d = torch.tensor([0.0, 0, 1], dtype=torch.float64), torch.tensor([1.0, 0, 1], dtype=torch.float64)
    b = 0.7
    one = torch.tensor([math.sin(b), 0, math.cos(b)], dtype=torch.float64)
    other = torch.tensor([0, math.sin(b), math.cos(b)], dtype=torch.float64)
    x = {"position": torch.zeros(3, dtype=torch.float64), "orientation": e3}
    first, second = (ponita_attributes(x, {"position": d, "orientation": o}) for o in (one, other))
    torch.testing.assert_close(first[:3], second[:3])
    assert (first[3] - second[3]).abs() > 0.5


def test_in_the_plane_three_are_enough_for_the_rank_but_a_sign_is_not_seen() -> None:
    X = oriented_points(er.SE(2))

    def signed(x: dict[str, torch.Tensor], y: dict[str, torch.Tensor]) -> torch.Tensor:
        o, p = x["orientation"], y["orientation"]
        d = y["position"] - x["position"]
        normal = torch.stack([-o[..., 1], o[..., 0]], -1)
        return torch.stack([(o * d).sum(-1), (normal * d).sum(-1), (o * p).sum(-1), (normal * p).sum(-1)], -1)

    assert check_complete(X, signed)
    assert check_complete(X, lambda x, y: ponita_attributes(x, y)[..., :3])
    assert not check_complete(oriented_points(er.E(2)), signed)  # a reflection changes the signs
    assert "not invariant" in check_complete(oriented_points(er.E(2)), signed).reason


@pytest.mark.parametrize("n", [2, 3])
def test_frames(n: int) -> None:
    assert check_complete(framed_points(er.SE(n)), framed_attributes)
    incomplete = check_complete(framed_points(er.SE(n)), lambda x, y: framed_attributes(x, y)[..., :n])
    assert not incomplete
    assert incomplete["rank"] == n


def test_attributes_that_are_no_invariants() -> None:
    X = points(er.SE(3))
    assert check_complete(X, lambda x, y: (x - y).norm(dim=-1, keepdim=True))
    verdict = check_complete(X, lambda x, y: x - y)
    assert not verdict
    assert verdict["change"] > 0.1
    with pytest.raises(ArgumentError, match=r"attributes.*\[8, k\]"):
        check_complete(X, lambda x, y: (x - y).norm())
    with pytest.raises(ArgumentError, match=r"group.*SE\(n\) or E\(n\)"):
        points(er.SO(3))
    with pytest.raises(UnsupportedError, match="Lie algebra"):
        HomogeneousSpace(er.Cyclic(4).vector, torch.zeros(4))


MASSES = HomogeneousSpace(er.SO(1, 3, connected=True).vector, torch.eye(4)[0])


@pytest.mark.parametrize(
    ("space", "numbers"),
    [
        (points(er.SE(3)), 1),
        (points(er.E(2)), 1),
        (oriented_points(er.E(3)), 4),
        (oriented_points(er.SE(3)), 5),  # and a determinant
        (oriented_points(er.E(2)), 4),
        (oriented_points(er.SE(2)), 7),  # and three areas
        (framed_points(er.SE(3)), 1 + 6 + 9 + 33),  # of 35 determinants of three of seven vectors, two are those of a frame
        (framed_points(er.E(2)), 1 + 4 + 4),
        (HomogeneousSpace(er.SO(4).vector, torch.eye(4)[0]), 1),
        (MASSES, 1),
        (HomogeneousSpace(er.groups.Sp(4).vector, torch.eye(4)[0]), 1),
    ],
    ids=str,
)
def test_invariants_of_pairs_are_complete(space, numbers) -> None:
    attributes = pair_invariants(space)
    verdict = check_complete(space, attributes)
    assert verdict, verdict
    assert verdict["rank"] == space.pair_dim
    assert attributes(space.sample(3), space.sample(3, seed=5)).shape == (3, numbers)


def test_determinants_tell_mirror_images_apart() -> None:
    """Which the rank of a derivative cannot see: the attributes of a pair and of its mirror image differ exactly in their odd ones."""
    mirror = torch.diag(torch.tensor([-1.0, 1, 1], dtype=torch.float64))
    for group, alike in ((er.E(3), True), (er.SE(3), False)):
        X = oriented_points(group)
        x, y = X.sample(4), X.sample(4, seed=9)
        seen = [{name: part @ mirror for name, part in point.items()} for point in (x, y)]
        here, there = pair_invariants(X)(x, y), pair_invariants(X)(*seen)
        assert torch.allclose(here, there) is alike
        assert torch.allclose(here.abs(), there.abs())


def test_spaces_of_other_parts_have_none() -> None:
    tensors = HomogeneousSpace(er.SO(3).vector ** 2, torch.diag(torch.tensor([1.0, 2.0, 3.0])).flatten())
    with pytest.raises(UnsupportedError, match="pair_invariants"):
        pair_invariants(tensors)


@pytest.mark.parametrize("group", [er.E(3), er.SE(3), er.SE(2)], ids=str)
def test_invariants_of_no_pairs(group) -> None:
    space = oriented_points(group)
    invariants = pair_invariants(space)
    assert invariants(space.sample(0), space.sample(0)).shape == (0, invariants(space.sample(2), space.sample(2)).shape[1])
