"""Orbits walked a generation at a time: the members, their order and the elements are those of the walk one by one."""

import math

import pytest
import torch

import erlangen.actions.base as base
from erlangen.actions.frontier import Rows
from erlangen.actions.members import Members, Parts, first
from erlangen.groups import Cyclic, DirectProduct, MatrixGroup, Symmetric, TableGroup

F64 = torch.float64
QUARTERS = [[[0.0, -1, 0], [1, 0, 0], [0, 0, 1]], [[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]]
CUBE = MatrixGroup([torch.tensor(turn, dtype=F64) for turn in QUARTERS])
S3_TABLE = TableGroup.generated_by([(1, 0, 2), (1, 2, 0)], lambda a, b: tuple(a[i] for i in b), identity=(0, 1, 2))
PAIR = DirectProduct(Symmetric(3), CUBE)


def numbers(*shape, dtype=F64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


CASES = {
    "vectors": (Symmetric(5).vector, numbers(5, dtype=torch.float32)),
    "with a stabilizer": (Symmetric(5).vector, torch.tensor([1.0, 2.0, 2.0, 3.0, 3.0])),
    "rotations of the cube": (CUBE.vector, numbers(3)),
    "an axis of the cube": (CUBE.vector, 1e-21 * torch.tensor([1.0, 1.0, 1.0], dtype=F64)),
    "a cloud": (CUBE.vector, numbers(4, 3, dtype=torch.float32)),
    "tensors": (CUBE.vector**2, numbers(9, dtype=torch.float32)),
    "whole numbers": (Symmetric(5).vector, torch.tensor([2**62, 2**62 + 1, 2**62, 3, 3])),
    "truth values": (Symmetric(5).vector, torch.tensor([True, False, False, True, False])),
    "complex": (Symmetric(4).vector, numbers(4, dtype=torch.complex64)),
    "no numbers": (Symmetric(5).vector, torch.tensor([math.nan, math.inf, -math.inf, 0.0, -0.0])),
    "a table": (S3_TABLE.regular, numbers(6)),
    "a product": (
        Symmetric(3).vector.restrict(PAIR, lambda g: g[0]) @ CUBE.vector.restrict(PAIR, lambda g: g[1]),
        numbers(9),
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("wide", [1, 4])
def test_a_generation_at_a_time_is_one_by_one(name, wide, monkeypatch):
    rep, x = CASES[name]
    monkeypatch.setattr(base, "WIDE", 10**9)
    singly = list(rep._walk(x))
    monkeypatch.setattr(base, "WIDE", wide)
    together = list(rep._walk(x))
    assert len(singly) == len(together)
    for (y, g), (z, h) in zip(singly, together):
        assert rep.same(y, z)
        assert rep.group.equal(g, h)
        assert rep.same(rep.act(h, x), z)


@pytest.mark.parametrize("name", CASES)
def test_representatives_are_the_same_for_all_of_an_orbit(name):
    rep, x = CASES[name]
    best, _ = rep.representative(x)
    orbit = rep.orbit(x)
    for y in orbit[:: max(1, len(orbit) // 5)]:
        again, g = rep.representative(y)
        assert rep.same(again, best)
        assert torch.equal(rep.act(g, y).nan_to_num(), again.nan_to_num())


def test_members_have_their_own_numbers_and_the_gradients_of_the_datum():
    x = numbers(5).requires_grad_()
    orbit = Symmetric(5).vector.orbit(x)
    assert len(orbit) == 120
    torch.stack(orbit).sum().backward()
    torch.testing.assert_close(x.grad, torch.full((5,), 120.0, dtype=F64))


def test_an_orbit_too_large_is_refused_within_a_generation(monkeypatch):
    monkeypatch.setattr(base, "LARGEST_ORBIT", 100)
    with pytest.raises(TypeError, match="orbit of at most 100 members"):
        Symmetric(6).vector.orbit(torch.arange(6.0))


@pytest.mark.parametrize("dtype", [F64, torch.float32, torch.bfloat16])
def test_many_at_a_time_are_told_apart_as_one_by_one(dtype):
    rng = torch.Generator().manual_seed(1)
    tolerance = {F64: 1e-10, torch.float32: 4e-6, torch.bfloat16: 3e-2}[dtype]
    rows = torch.randn(60, 4, generator=rng, dtype=F64).repeat(4, 1)
    # On both sides of what counts as rounding, chains of neighbours included.
    rows = (rows + tolerance * torch.randn(rows.shape, generator=rng, dtype=F64)).to(dtype)[torch.randperm(240, generator=rng)]
    one, many = Members(), Rows()
    kept = [i for i, row in enumerate(rows) if one.add(Parts(row))]
    found = [*many.add(rows[:100]).tolist(), *(100 + many.add(rows[100:101])).tolist(), *(101 + many.add(rows[101:])).tolist()]
    assert found == kept
    assert 60 <= len(kept) < 240


def test_the_first_of_tensors_is_the_first_of_their_entries():
    for rows in (numbers(50, 3), torch.randint(3, (50, 3), generator=torch.Generator().manual_seed(2)), numbers(50, 3) > 0):
        assert rows[first(list(rows))].tolist() == min(rows.tolist())


def test_the_walk_of_a_cycle_is_not_wide():
    assert len(Cyclic(300).irrep(1).orbit(torch.tensor([100.0, 3.0]))) == 300
