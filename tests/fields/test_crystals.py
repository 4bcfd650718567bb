"""Prototypes of crystals, what their atoms see, and bond order."""

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.fields.crystals import bond_order, environments, prototypes

pytest.importorskip("pyriodic_aflow")
NAMES = ("hP2-Mg", "cI2-W", "cF4-Cu", "cF8-C", "cF8-SZn", "cP46-Si", "cF136-Si", "cP2-ClCs")
F64 = torch.float64


@pytest.fixture(scope="module")
def every():
    return prototypes()


def test_prototypes_are_what_their_names_say(every):
    assert len(every) == 579
    groups = {
        "hP2-Mg": 194,
        "cI2-W": 229,
        "cF4-Cu": 225,
        "cF8-C": 227,
        "cF8-SZn": 216,
        "cP46-Si": 223,
        "cF136-Si": 227,
        "cP2-ClCs": 221,
    }
    for name, number in groups.items():
        crystal = every[name]
        assert crystal.space_group == number
        assert len(crystal.positions) == int(name.split("-")[0][2:])
        assert torch.linalg.det(crystal.cell) > 0
    assert int(every["cP2-ClCs"].kinds.max()) == 1


def test_shells_of_ideal_crystals(every):
    seen = environments([every[name] for name in NAMES], 20, (0.0,), nearest=8)
    distances = seen.r.norm(dim=-1)
    shells = {"cI2-W": [1.0] * 8, "cF4-Cu": [1.0] * 8, "cF8-C": [1.0] * 4 + [(8 / 3) ** 0.5] * 4, "cP2-ClCs": [1.0] * 8}
    for name, expected in shells.items():
        here = distances[seen.label == NAMES.index(name)]
        assert torch.allclose(here, torch.tensor(expected, dtype=F64).expand_as(here), atol=1e-5)
    salt = seen[seen.label == NAMES.index("cP2-ClCs")]
    assert bool((salt.around != salt.centre.unsqueeze(1)).all())
    assert seen.features().shape == (160, 8, 4)


def test_noise_is_that_of_differences(every):
    seen = environments([every["cF4-Cu"]], 4000, (0.01,), seed=3)
    shift = seen.r.mean(1)  # minus the shift of the atom, and a twelfth of those of its neighbours
    assert shift.std(0).mean().item() == pytest.approx(0.01 * (1 + 1 / 12) ** 0.5, rel=0.05)
    again = environments([every["cF4-Cu"]], 4000, (0.01,), seed=3)
    assert torch.equal(seen.r, again.r)


@pytest.mark.parametrize(
    ("options", "argument"), [({"count": 0}, "count"), ({"noises": (0.5,)}, "noises"), ({"nearest": 500}, "nearest")]
)
def test_what_cannot_be_drawn_is_refused(every, options, argument):
    with pytest.raises(ArgumentError, match=argument):
        environments([every["cF8-C"]], **{"count": 2, **options})


def test_bond_order_of_known_shells(every):
    seen = environments([every["cF4-Cu"]], 1, (0.0,))
    q4, q6 = bond_order(seen.r, (4, 6))[0].tolist()
    assert (q4, q6) == (pytest.approx(0.19094, abs=1e-5), pytest.approx(0.57452, abs=1e-5))
    r = torch.randn(5, 12, 3, dtype=F64)
    g = er.O(3).sample(5, dtype=F64)
    assert torch.allclose(bond_order(r @ g.mT), bond_order(r), atol=1e-12)
    for bad in ({"degrees": ()}, {"degrees": (-1,)}):
        with pytest.raises(ArgumentError, match="degrees"):
            bond_order(r, **bad)
    with pytest.raises(ArgumentError, match="'r'"):
        bond_order(r[:, :0])
