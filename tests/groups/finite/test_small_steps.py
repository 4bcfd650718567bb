"""A generator near to the identity is a small step of an infinite group, unless it is the identity to rounding; units do not decide."""

import math

import pytest
import torch

from erlangen.groups import MatrixGroup

F64 = torch.float64


def turn(angle, dtype=F64):
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s], [s, c]], dtype=dtype)


def shift(step):
    return torch.tensor([[1.0, 0.0, step], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], dtype=F64)


@pytest.mark.parametrize(
    "generator",
    [
        turn(1e-5),
        turn(1e-7),
        (1 + 1e-5) * torch.eye(2, dtype=F64),
        (1 + 1e-8) * torch.eye(2, dtype=F64),
        shift(5e-10),
        shift(5e-10).mT,
        shift(1e9),
    ],
    ids=["turn 1e-5", "turn 1e-7", "scale 1e-5", "scale 1e-8", "lattice in metres", "transposed", "long step"],
)
def test_small_steps_make_infinite_groups(generator):
    group = MatrixGroup([generator])
    assert group.order == math.inf
    assert not group.is_finite


def test_a_lattice_in_metres_is_infinite_beside_a_rotation():
    quarter = torch.block_diag(turn(math.pi / 2), torch.ones(1, 1, dtype=F64))
    assert MatrixGroup([quarter, shift(5e-10)]).order == math.inf


@pytest.mark.parametrize("centre", [1e-10, 1.0, 1e8])
def test_turns_about_a_point_are_finite_wherever_it_is(centre):
    about = torch.block_diag(turn(math.pi / 2), torch.ones(1, 1, dtype=F64))
    about[:2, 2] = centre * (torch.eye(2, dtype=F64) - turn(math.pi / 2)) @ torch.tensor([1.0, 0.5], dtype=F64)
    assert MatrixGroup([about]).order == 4


def test_what_is_the_identity_to_rounding_adds_nothing():
    third = turn(2 * math.pi / 3)
    assert MatrixGroup([third, torch.eye(2, dtype=F64) + 1e-13 * torch.ones(2, 2, dtype=F64)]).order == 3
    assert MatrixGroup([third.float(), torch.eye(2) + 2e-7 * torch.ones(2, 2)]).order == 3
    assert MatrixGroup([turn(2 * math.pi / 3 + 1e-7)]).order == 3
