"""`spacegroup=` of a DiffCSP: what it makes has the group to rounding, whatever the network says; what it says is asked rightly."""

import pytest
import torch
from test_diffcsp import Exact, perovskite
from test_symmetric_diffcsp import CASES, asymmetry, made

from erlangen.errors import ArgumentError
from erlangen.fields.crystals import Crystal, spglib_symmetry
from erlangen.fields.crystals.diffcsp import DiffCSP
from erlangen.fields.crystals.diffcsp.along import symmetric_lattice
from erlangen.fields.crystals.lattice import family
from erlangen.fields.crystals.metrics import Matcher
from erlangen.fields.crystals.protostructure import PRIMITIVE, Protostructure, check_lattice
from erlangen.generate import Diffusion
from erlangen.groups import SpaceGroup

F64 = torch.float64
pytestmark = pytest.mark.filterwarnings("ignore:the model has not been trained")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return DiffCSP(width=16, layers=1, frequencies=4, steps=50)


@pytest.mark.parametrize("case", CASES)
def test_what_is_made_has_its_group_to_rounding(model, case):
    proto = made(case)
    for one in model.predict(proto, 2, steps=4, seed=1):
        assert one.composition == proto.composition
        assert asymmetry(one, proto) < 1e-8
    assert model.predict(proto.label(), steps=4, seed=1)[0].composition == proto.composition


@pytest.mark.parametrize("number", [1, 10, 47, 99, 123, 160, 191, 221])
def test_compositions_in_a_group(model, number):
    made = model.predict(["BaTiO3", "NaCl"] if number in (1, 47, 99, 123, 221) else "BaTiO3", 2, spacegroup=number, steps=3, seed=0)
    assert {one.formula for one in made} <= {"BaTiO3", "NaCl"}
    for one in made:
        turns = SpaceGroup(number).point_group.elements()
        found = spglib_symmetry(one, 1e-6)
        assert found.space_group.point_group.order % 1 == 0
        assert found.space_group.point_group.order >= len(turns)


def test_a_group_that_cannot_hold_the_atoms_and_what_contradicts(model):
    for way, named in (
        ({"spacegroup": 227}, "spacegroup"),
        ({"spacegroup": 221, "lattice": 4 * torch.eye(3)}, "spacegroup"),
        ({"spacegroup": True}, "spacegroup"),
    ):
        with pytest.raises(ArgumentError, match=named):
            model.predict("BaTiO3", **way)
    with pytest.raises(ArgumentError, match="221"):
        model.predict("AB3C_cP5_221_a_c_b:Ba-O-Ti", spacegroup=99)


def test_orders_guides_and_tables(model):
    for way in ({"order": "predictor-first"}, {"tabulated": True}, {"gamma": 0}, {"guide": _small_cells}):
        (one,) = model.predict("BaTiO3", spacegroup=99, steps=3, seed=0, **way)
        assert one.formula == "BaTiO3"


def _small_cells(record, t):
    assert set(record) == {"lattice", "frac", "mask", "numbers"}
    return -0.01 * record["lattice"].square().sum((1, 2)) - 0 * record["frac"].sum((1, 2))


def test_the_exact_denoiser_gives_its_crystal_in_its_group(model):
    target = perovskite()
    process = model.diffusion.process
    # The atoms in the order of the orbits, where the exact denoiser wants them.
    proto = Protostructure.from_label("AB3C_cP5_221_a_c_b:Ba-O-Ti")
    placed = proto.place(4 * torch.eye(3), torch.zeros(0))
    own = DiffCSP(width=8, layers=1, frequencies=2, steps=50)
    own.diffusion = Diffusion(process, Exact(process, placed), average=0.0)
    for one in own.predict(proto, 3, gamma=0.0, steps=50, seed=0):
        assert Matcher().distance(one, target) < 1e-6
        assert (one.cell.norm(dim=1) - 4).abs().max() < 1e-2


@pytest.mark.parametrize("number", [2, 12, 43, 141, 148, 194, 225])
def test_lattices_of_the_family_are_left_as_they_are_and_others_brought_there(number):
    group = SpaceGroup(number)
    basis = PRIMITIVE[group.name[0]].to(F64)
    free, fixed = family(group.crystal_system)
    rng = torch.Generator().manual_seed(number)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=rng, dtype=F64))[0]
    cell = (5 * torch.eye(3) + torch.randn(3, 3, generator=rng)).double() @ turn
    asked = (basis[None], free[None], fixed[None])
    once = symmetric_lattice(cell[None], *asked)
    check_lattice(group, torch.linalg.solve(basis, once[0]), tolerance=1e-12)
    assert (symmetric_lattice(once, *asked) - once).abs().max() < 1e-10
    assert (symmetric_lattice(cell[None] @ turn, *asked) - once @ turn).abs().max() < 1e-10
    flat = torch.zeros(1, 3, 3, dtype=F64)
    assert bool(symmetric_lattice(flat, *asked).isfinite().all())


def test_one_atom_and_cells_of_several_sizes(model):
    made = model.predict(["Po", "BaTiO3"], 2, spacegroup=221, batch_size=1, steps=3, seed=0)
    assert [one.formula for one in made] == ["Po"] * 2 + ["BaTiO3"] * 2
    assert isinstance(made[0], Crystal)
