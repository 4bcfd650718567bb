"""Discrete symmetries of a task: planted finite groups of tokens and of components, tasks without, and what is honest to say."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from erlangen.discover.task import discrete_symmetries, task_symmetries
from erlangen.discover.task.discrete_moves import component_moves, permute_tokens, signed_matrix, token_moves, turn_components
from erlangen.errors import ArgumentError
from erlangen.groups import Cyclic, MatrixGroup, O, Symmetric


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _noisy(y: Tensor, part: float) -> Tensor:
    return y + part * y.std() * _random(*y.shape, seed=99)


def _s3(x: Tensor) -> Tensor:
    w = torch.tensor([1.3, -0.7], dtype=x.dtype)
    return (x @ w).tanh().sum(1) + x.sum(1)[:, 0].square() + x.sum(1)[:, 1]


def _c4(x: Tensor) -> Tensor:
    x = x[..., 0]
    return (x * x.roll(-1, 1).square()).sum(1)


def _signs(x: Tensor) -> Tensor:
    return (x[:, 0].square() @ torch.tensor([1.0, 2.0, 3.5], dtype=x.dtype)).sqrt()


def _d4(x: Tensor) -> Tensor:
    return x[:, 0].pow(4).sum(-1) - 2 * x[:, 0].prod(-1).square()


def _odd(x: Tensor) -> Tensor:
    a, b, c = x[:, 0].unbind(-1)
    return a**3 + 2 * b + 0.5 * c


def _linear(x: Tensor) -> Tensor:
    return torch.einsum("nti,ti->n", x, _random(*x.shape[1:], seed=3).to(x))


def _network(x: Tensor) -> Tensor:
    flat = x.flatten(1)
    return (flat @ _random(flat.shape[1], 6, seed=3).to(x)).tanh() @ _random(6, seed=4).to(x)


PLANTED: dict[str, tuple[Callable[[Tensor], Tensor], tuple[int, int], tuple[int, int]]] = {
    "S_3 of tokens": (_s3, (3, 2), (6, 1)),
    "C_4 of tokens": (_c4, (4, 1), (4, 1)),
    "Z_2^3 of components": (_signs, (1, 3), (1, 8)),
    "D_4 of components": (_d4, (1, 2), (1, 8)),
}
NONE = {"odd": (_odd, (1, 3)), "linear": (_linear, (4, 2)), "twenty tokens": (_linear, (20, 1)), "network": (_network, (4, 2))}


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("name", PLANTED)
def test_planted_groups_are_found_and_no_larger_ones(name, noise):
    task, shape, orders = PLANTED[name]
    x = _random(600, *shape)
    found = discrete_symmetries(x, _noisy(task(x), noise))
    assert found
    assert found.name == name
    assert found.orders == orders
    assert math.prod(orders) == found.group.order
    # Its elements leave the task alone, by its formula.
    index, matrix = torch.arange(shape[0]), torch.eye(shape[1], dtype=torch.float64)
    every = [(g, matrix) for g in found.permutations.elements()] if found.permutations else []
    every += [(index, g) for g in found.components.elements()] if found.components else []
    for index, matrix in every:
        assert torch.allclose(task(permute_tokens(index, x) @ matrix.mT), task(x), atol=1e-9)


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("name", NONE)
def test_tasks_without_have_none(name, noise):
    task, shape = NONE[name]
    x = _random(600, *shape)
    found = discrete_symmetries(x, _noisy(task(x), noise))
    assert not found
    assert found.group is None
    assert found.finding().found == "nothing"
    assert "none holds" in str(found)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_does_not_matter(dtype):
    x = _random(500, 3, 2).to(dtype)
    found = discrete_symmetries(x, _s3(x))
    assert found.permutations == Symmetric(3)


def test_cyclic_shifts_are_known_as_such():
    x = _random(600, 4, 1)
    found = discrete_symmetries(x, _c4(x))
    assert found.permutations == Cyclic(4)
    assert found.words == "cyclic shift of the tokens by 1"


def test_some_tokens_may_be_alike_and_others_not():
    x = _random(500, 6, 1)
    y = x[:, :3, 0].prod(1) + x[:, 3, 0] - 2 * x[:, 4, 0] + 0.6 * x[:, 5, 0] * x[:, 3, 0]
    assert discrete_symmetries(x, y).name == "S_3 on {0, 1, 2} of tokens"


def test_many_tokens_are_told_apart_though_the_predictor_sees_their_mean():
    x = _random(800, 20, 2)
    sums = x.square().sum(-1)
    alike = discrete_symmetries(x, sums.sum(1))
    assert alike.permutations == Symmetric(20)
    weighted = discrete_symmetries(x, sums @ torch.linspace(0.5, 2, 20, dtype=torch.float64))
    assert weighted.permutations is None


def test_vector_targets_move_along():
    x = _random(600, 3, 2)
    found = discrete_symmetries(x, x.sum(1) * x.square().sum((1, 2))[:, None], target="vector")
    assert found.permutations == Symmetric(3)
    assert found.orders == (6, 8)
    each = discrete_symmetries(x, x * x.sum(1, keepdim=True))
    assert each.permutations == Symmetric(3)
    # The square of each component does not change its sign.
    assert each.name == "S_3 of tokens x S_2 of components"


def test_what_the_continuous_part_has_is_no_news():
    x = _random(500, 2, 3)
    y = (x[:, 0] * x[:, 1]).sum(-1)
    continuous = task_symmetries(x, y)
    found = discrete_symmetries(x, y, continuous=continuous)
    assert found.components == O(3)
    assert found.orders == (2, 2)
    x = _random(500, 3, 3)
    triple = torch.linalg.det(x)
    found = discrete_symmetries(x, triple, continuous=task_symmetries(x, triple))
    assert found.components is None


def test_a_component_that_does_not_matter_is_said_to_be_idle():
    x = _random(500, 1, 3)
    found = discrete_symmetries(x, x[:, 0, 0].square() + x[:, 0, 1])
    assert found.idle == ((), (2,))
    assert found.name == "Z_2 of components"
    assert "components 2 not seen to matter" in found.reason


def test_too_few_samples_a_constant_target_and_noise_give_reasons():
    x = _random(200, 3, 2)
    assert "not enough data: 40 different samples" in discrete_symmetries(x[:40], _s3(x[:40])).reason
    assert discrete_symmetries(x, torch.ones(200)).reason == "the target is constant"
    assert "no predictor explains the target" in discrete_symmetries(x, _random(200, seed=5)).reason
    with pytest.raises(ArgumentError, match="argument 'y'"):
        discrete_symmetries(x)


def test_the_same_question_has_the_same_answer():
    x = _random(300, 1, 3)
    one, two = (discrete_symmetries(x, _signs(x)).as_dict() for _ in range(2))
    assert {key: value for key, value in one.items() if key != "seconds"} == {
        key: value for key, value in two.items() if key != "seconds"
    }


def test_index_maps_and_matrices_agree():
    x = _random(5, 4, 3)
    for move in token_moves(4):
        assert torch.equal(permute_tokens(move.index, x)[:, move.index], x)
    matrices = torch.stack([signed_matrix(move.index) for move in component_moves(3)])
    assert torch.equal(matrices @ matrices.mT, torch.eye(3, dtype=torch.float64).expand_as(matrices))
    assert MatrixGroup(matrices).order == 48
    first = component_moves(3)[0]
    assert torch.equal(turn_components(first.index, x), x * torch.tensor([-1.0, 1.0, 1.0]))
