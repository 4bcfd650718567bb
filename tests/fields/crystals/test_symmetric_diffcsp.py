"""Crystals of a given space group: free numbers, symmetry to rounding, what a network and the noise do."""

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.crystals import Crystal, Protostructure, conventional
from erlangen.fields.crystals.diffcsp import SymmetricDiffCSP
from erlangen.fields.crystals.diffcsp.orbits import assignments, free_numbers, layout
from erlangen.fields.crystals.lattice import FREE, family, from_log_polar, log_polar
from erlangen.groups import SpaceGroup
from erlangen.training import TrainingConfig

F64 = torch.float64
pytestmark = pytest.mark.filterwarnings("ignore:the model has not been trained")
#: Groups of all crystal systems and centrings, with positions of all kinds.
CASES = (
    (1, (("a", "Na"), ("a", "Cl"))),
    (5, (("c", "Ti"), ("c", "O", 2))),
    (42, (("a", "N"), ("b", "N"), ("e", "O", 2))),
    (38, (("a", "Na"), ("c", "O"))),
    (88, (("f", "C"),)),
    (167, (("c", "Al"), ("e", "O"))),
    (152, (("a", "Si"), ("c", "O"))),
    (227, (("a", "Mg"), ("d", "Cu"))),
    (206, (("a", "In"), ("d", "In"), ("e", "O"))),
)


def made(case):
    return Protostructure.from_wyckoffs(*case)


def small(**settings):
    torch.manual_seed(0)
    return SymmetricDiffCSP(**{"width": 16, "layers": 1, "frequencies": 4, "steps": 50, **settings})


def asymmetry(crystal, proto):
    """How far the group's generators move the atoms, or the lattice's inner products, of a crystal in the primitive cell."""
    facts = layout(proto)
    basis = facts["basis"]
    points = crystal.fractional @ basis
    conventional_cell = torch.linalg.inv(basis) @ crystal.cell
    metric = conventional_cell @ conventional_cell.mT
    worst = 0.0
    for g in proto.group.generators:
        turn, shift = g[:, :-1].to(F64), g[:, -1].to(F64) / proto.group.denominator
        worst = max(worst, float((turn.mT @ metric @ turn - metric).abs().max() / metric.abs().max()))
        moved = (points @ turn.mT + shift) @ torch.linalg.inv(basis)
        apart = moved.unsqueeze(1) - crystal.fractional
        apart = (apart - apart.round()).abs().amax(-1)
        apart[crystal.numbers.unsqueeze(1) != crystal.numbers] = 1.0
        worst = max(worst, float(apart.amin(1).max()))
    return worst


@pytest.mark.parametrize("case", CASES)
def test_what_is_made_has_its_group_to_rounding(case):
    proto, model = made(case), small()
    one = model.predict(proto, steps=4, seed=1)[0]
    assert one.composition == proto.composition
    assert asymmetry(one, proto) < 1e-8


@pytest.mark.parametrize("case", CASES)
def test_layout_puts_atoms_where_the_protostructure_does(case):
    proto = made(case)
    facts = layout(proto)
    rng = torch.Generator().manual_seed(0)
    free, fixed = facts["lattice_free"], facts["lattice_fixed"]
    cell = from_log_polar(
        torch.where(free, 0.1 * torch.randn(6, generator=rng, dtype=F64) + torch.tensor([0, 0, 0, 0, 0, 2.0]), fixed)
    )
    u = torch.rand(facts["free"].shape, generator=rng, dtype=F64) * facts["free"]
    placed = proto.place(cell, u[facts["free"]])
    ours = Crystal(
        facts["basis"] @ cell, (u[facts["orbit"]].unsqueeze(1) @ facts["linear"]).squeeze(1) + facts["shift"], facts["numbers"]
    )
    assert len(placed) == len(ours)
    apart = ours.fractional.unsqueeze(1) - placed.fractional
    assert (apart - apart.round()).abs().amax(-1).amin(1).max() < 1e-10
    # Back: of displacements that the free numbers make, these.
    step = torch.randn(u.shape, generator=rng, dtype=F64) * facts["free"]
    moved = (step[facts["orbit"]].unsqueeze(1) @ facts["linear"] @ facts["back"]).squeeze(1)
    assert (moved - step[facts["orbit"]]).abs().max() < 1e-10


@pytest.mark.parametrize("number", [1, 15, 62, 139, 166, 194, 225])
def test_families_are_what_the_group_keeps(number):
    group = SpaceGroup(number)
    free, fixed = family(group.crystal_system)
    rng = torch.Generator().manual_seed(0)
    turns = group.point_group.elements().to(F64)

    def off(k):
        metric = from_log_polar(k) @ from_log_polar(k).mT
        return float((turns.mT @ metric @ turns - metric).abs().max())

    assert off(torch.where(free, 0.2 * torch.randn(6, generator=rng, dtype=F64), fixed)) < 1e-12
    for i in range(6):
        if not free[i]:
            k = fixed.clone()
            k[i] += 0.1
            assert off(k) > 1e-2
    assert set(FREE) >= {group.crystal_system}


def test_log_polar_knows_no_orientation():
    rng = torch.Generator().manual_seed(0)
    cell = 3 * torch.randn(3, 3, generator=rng, dtype=F64)
    q = torch.linalg.qr(torch.randn(3, 3, generator=rng, dtype=F64))[0]
    assert (log_polar(cell) - log_polar(cell @ q)).abs().max() < 1e-10
    assert abs(float(log_polar(cell)[5]) - float(torch.linalg.det(cell).abs().log()) / 3) < 1e-10
    with pytest.raises(ArgumentError, match="crystal_system"):
        family("quasi")


def test_free_numbers_of_a_crystal_make_it_again():
    pytest.importorskip("spglib")
    proto = made((167, (("c", "Al"), ("e", "O"))))
    free, fixed = family("trigonal")
    cell = from_log_polar(torch.where(free, torch.tensor([0, 0, 0, 0, -0.3, 1.9], dtype=F64), fixed))
    one = proto.place(cell, torch.tensor([0.352, 0.306], dtype=F64))
    found = conventional(one)
    k, u = free_numbers(found)
    again = found.protostructure.place(from_log_polar(k), u[layout(found.protostructure)["free"]])
    assert conventional(again).protostructure == found.protostructure
    assert abs(again.volume - one.volume) < 1e-6 * one.volume
    lengths = [torch.cdist(x.cartesian, x.cartesian).flatten().sort().values for x in (again, found.primitive)]
    assert len(lengths[0]) == len(lengths[1])


def test_assignments():
    ways = assignments({56: 1, 22: 1, 8: 3}, 221)
    assert Protostructure.from_label("AB3C_cP5_221_a_c_b:Ba-O-Ti") in ways
    assert all(one.composition == {"Ba": 1, "Ti": 1, "O": 3} for one in ways)
    assert len(set(ways)) == len(ways) == 4  # Ba, Ti on a and b in two ways, O on c or d
    with pytest.raises(ArgumentError, match="spacegroup"):
        assignments({56: 1}, 227)  # no position of one point


def test_one_protostructure_is_learned():
    matcher = pytest.importorskip("pymatgen.analysis.structure_matcher").StructureMatcher()
    rutile = Protostructure.from_wyckoffs(136, [("a", "Ti"), ("f", "O")])
    cell = torch.diag(torch.tensor([4.594, 4.594, 2.959], dtype=F64))
    one = rutile.place(cell, torch.tensor([0.305], dtype=F64))
    model = small(width=32, layers=2, frequencies=8, steps=200)
    model.fit([one] * 32, TrainingConfig(steps=250, batch_size=32, lr=5e-3, weight_decay=0.0), quiet=True)
    got = model.predict(rutile, 4, steps=50, seed=0)
    assert sum(matcher.fit(x.to_pymatgen(), one.to_pymatgen()) for x in got) >= 3
    assert max(asymmetry(x, rutile) for x in got) < 1e-8


def test_compositions_files_and_refusals(tmp_path):
    model = small()
    model.fit(
        [Protostructure.from_label("AB_cF8_225_a_b:Cl-Na").place(5.6 * torch.eye(3, dtype=F64), torch.zeros(0))] * 4,
        TrainingConfig(steps=2),
        quiet=True,
    )
    one = model.predict("BaTiO3", 3, spacegroup=221, steps=3, seed=0)
    assert all(x.composition == {"Ba": 1, "Ti": 1, "O": 3} for x in one)
    again = SymmetricDiffCSP.load(model.save(tmp_path / "m")).predict("BaTiO3", 3, spacegroup=221, steps=3, seed=0)
    assert all(torch.equal(a.cell, b.cell) for a, b in zip(one, again))
    rutile = made((136, (("a", "Ti"), ("f", "O"))))
    several = model.predict([rutile, "AB_cF8_225_a_b:Cl-Na"], 2, steps=3, seed=0)
    assert [x.composition for x in several] == [{"Ti": 2, "O": 4}] * 2 + [{"Na": 1, "Cl": 1}] * 2
    with pytest.raises(ArgumentError, match="spacegroup"):
        model.predict([rutile, "AB_cF8_225_a_b:Cl-Na"], spacegroup=136)
    with pytest.raises(ArgumentError, match="spacegroup"):
        model.predict("BaTiO3")
    with pytest.raises(ArgumentError, match="settings"):
        SymmetricDiffCSP(chirality=True)
    with pytest.raises(ArgumentError, match="folder"):
        SymmetricDiffCSP.load(tmp_path)
