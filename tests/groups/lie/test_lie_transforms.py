"""torch.compile and torch.func on Lie groups and their actions."""

from __future__ import annotations

import pytest
import torch
from lie_catalogue import rng

from erlangen.groups.affine import E
from erlangen.groups.orthogonal import SO

ROTATIONS, LORENTZ, EUCLID = SO(3), SO(1, 3), E(3)


@pytest.mark.parametrize("function", [ROTATIONS.exp, ROTATIONS.log, EUCLID.exp], ids=["exp", "log", "affine exp"])
def test_closed_forms_compile_without_graph_breaks(function):
    group = function.__self__
    a = group.exp(group.algebra.combine(0.3 * torch.randn(5, group.dim, generator=rng())))
    a = a if function.__name__ == "log" else group.log(a)
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(a), function(a))


@pytest.mark.parametrize(
    "action", [ROTATIONS.vector, ROTATIONS.vector**2, LORENTZ.vector.dual, EUCLID.vector, EUCLID.point], ids=repr
)
def test_actions_compile_and_vmap(action):
    g = action.group.sample(5, generator=rng())
    x = torch.randn(5, 7, action.dim, generator=rng())
    compiled = torch.compile(action.act, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(g, x), action.act(g, x))
    torch.testing.assert_close(torch.vmap(action.act)(g, x), action.act(g, x))
    jacobian = torch.func.vmap(torch.func.jacrev(action.act, argnums=1))(g, x[:, 0])
    torch.testing.assert_close((jacobian @ x[:, 1:2].mT).mT + action.act(g, 0 * x[:, 1:2]), action.act(g, x[:, 1:2]))
