"""What is made under inference mode serves training: no tensor that a group, a representation or its maps keep is an inference tensor."""

import warnings

import pytest
import torch

import erlangen as er
from erlangen.groups import Isometries, SpaceGroup, Torus, generated
from erlangen.maps import EquivariantMaps
from erlangen.maps.base import SymmetricOnly

F64 = torch.float64
MAKE = {
    "rotations": lambda: er.SO(3),
    "about an axis": lambda: er.SO(2, axis="z"),
    "Lorentz": lambda: er.O(1, 3),
    "a metric": lambda: Isometries(torch.diag(torch.tensor([2.0, -1.0]))),
    "motions": lambda: er.E(3),
    "symplectic": lambda: er.Sp(4),
    "torus": lambda: Torus(2),
    "matrices": lambda: er.MatrixGroup(generators=[torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=F64)]),
    "an algebra": lambda: er.MatrixGroup(algebra=er.SO(3).algebra.basis.clone()),
    "permutations": lambda: er.Symmetric(4),
    "a cycle": lambda: er.Cyclic(6),
    "residues": lambda: er.FiniteAbelian(2, 3),
    "whole numbers": lambda: er.IntegerMatrixGroup([torch.tensor([[0, -1], [1, 0]])]),
    "a table": lambda: er.TableGroup.generated_by([3], lambda a, b: a * b % 10, identity=1),
    "a subgroup": lambda: generated(er.Symmetric(4), torch.tensor([[1, 2, 0, 3]])).group(),
    "space group": lambda: SpaceGroup(14),
    "a product": lambda: er.SO(3) * er.Symmetric(3),
}


def kept(value, seen):
    """All tensors that an object of the library holds, however deep."""
    if id(value) in seen:
        return
    seen[id(value)] = value
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for part in list(value.values()):
            yield from kept(part, seen)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from kept(part, seen)
    elif hasattr(value, "__self__"):
        yield from kept(value.__self__, seen)
    elif type(value).__module__.startswith("erlangen"):
        yield from kept(getattr(value, "__dict__", {}), seen)


@pytest.mark.parametrize("name", MAKE)
def test_nothing_that_is_kept_is_of_inference(name):
    with torch.inference_mode():
        group = MAKE[name]()
        reps = [group.vector] if name not in ("residues", "a table", "a subgroup", "a product") else []
        reps += [group.regular] if group.is_finite else []
        reps += [group.irrep(2)] if name in ("rotations", "motions", "a cycle", "an algebra") else []
        maps = [EquivariantMaps(reps[0], reps[0])] if reps else []
        g = group.sample(2, dtype=F64)
        for rep in reps:
            rep.act(g, torch.ones(2, rep.dim, dtype=F64))
        for one in maps:
            one(torch.ones(one.dim), torch.ones(2, reps[0].dim))
        group.inverse(g), group.contains(g), hash(group)
    found = list(kept([group, reps, maps], {}))
    assert len(found) > 1
    assert not any(t.is_inference() for t in found)


def test_a_representation_made_in_inference_mode_trains():
    with torch.inference_mode():
        V, T = er.SO(3).irrep(2), er.TableGroup(torch.tensor([[0, 1], [1, 0]])).regular
    x, y = torch.randn(5, requires_grad=True), torch.randn(2, requires_grad=True)
    V.act(er.SO(3).sample(), x).square().sum().backward()
    T.act(torch.tensor(1), y)[0].backward()
    assert x.grad is not None
    assert y.grad.tolist() == [0.0, 1.0]


def test_a_table_is_ones_own():
    table = torch.tensor([[0, 1], [1, 0]])
    group = er.TableGroup(table)
    table[1, 1] = 1
    assert int(group.multiply(torch.tensor(1), torch.tensor(1))) == 0


def test_warnings_point_to_who_made_the_maps():
    V = er.Alternating(4).vector
    for mode in (False, True):
        with warnings.catch_warnings(record=True) as seen, torch.inference_mode(mode):
            warnings.simplefilter("always")
            EquivariantMaps(V, V)
        assert [(w.category, w.filename) for w in seen] == [(SymmetricOnly, __file__)]
