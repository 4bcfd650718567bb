"""DiffCSP asked awkwardly: compositions of all kinds, what was not in the training, precision, sizes of batches, what is held."""

import math
import warnings

import numpy as np
import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.crystals import Crystal, CrystalDataset, composition, niggli
from erlangen.fields.crystals.diffcsp import CSPNet, DiffCSP, Retrieval, SymmetricDiffCSP
from erlangen.fields.crystals.diffcsp.batches import BySize, cut
from erlangen.fields.crystals.metrics import Matcher, csp
from erlangen.training import TrainingConfig

F64 = torch.float64


def salt(scale=1.0):
    return Crystal(scale * 5.64 / 2 * (1 - torch.eye(3)), torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0.5]]), ["Na", "Cl"])


def perovskite():
    places = torch.tensor([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    return Crystal(4.0 * torch.eye(3), places, ["Ba", "Ti", "O", "O", "O"])


def small(kind=DiffCSP, **settings):
    torch.manual_seed(0)
    return kind(**{"width": 16, "layers": 1, "frequencies": 4, "steps": 50, **settings})


@pytest.fixture(scope="module")
def model():
    return small().fit([salt()] * 4 + [perovskite()] * 4, TrainingConfig(steps=3), quiet=True)


# ---- compositions ----


@pytest.mark.parametrize(
    ("given", "atoms"),
    [
        ("(NH4)2SO4", [7] * 2 + [1] * 8 + [16] + [8] * 4),
        ("(TiO2)2", [22] * 2 + [8] * 4),
        (np.array([11, 17]), [11, 17]),
        ([np.int64(11), np.int64(17)], [11, 17]),
        (torch.tensor([11, 17]), [11, 17]),
    ],
)
@pytest.mark.filterwarnings("ignore:no crystal of the training")
def test_compositions_are_read(model, given, atoms):
    (one,) = model.predict(given, steps=2, seed=0)
    assert one.numbers.tolist() == atoms


@pytest.mark.parametrize("given", [["Ba", "Ti", "O", "O", "O"], ("Na", "Cl"), b"Na", bytearray(b"Na"), "2TiO2", "Md", [11.0, 17.0]])
def test_compositions_that_may_be_either_or_none_are_refused(model, given):
    with pytest.raises(ArgumentError, match="composition"):
        model.predict(given)


def test_formula_units_in_front_are_told_what_to_write():
    with pytest.raises(ArgumentError, match="Ti2O4"):
        composition("2TiO2")


def test_what_was_not_in_the_training_is_said(model):
    for asked, said in (("KCl", "has K"), ("Na2Cl", "has 3 atoms"), ("Xe2O", "has Xe, and none has 3 atoms")):
        with pytest.warns(UserWarning, match=said):
            model.predict(asked, steps=2, seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(["NaCl", "BaTiO3"], steps=2, seed=0)
    with pytest.warns(UserWarning, match="not been trained"):
        small().predict("NaCl", steps=2, seed=0)
    symmetric = small(SymmetricDiffCSP).fit([salt()] * 2, TrainingConfig(steps=2), quiet=True)
    with pytest.warns(UserWarning, match="has K"):
        symmetric.predict("KCl", spacegroup=225, steps=2, seed=0)


# ---- numbers ----


@pytest.mark.parametrize(
    "way",
    [
        {"n_samples": True},
        {"n_samples": 2.0},
        {"batch_size": 0},
        {"batch_size": 1.5},
        {"gamma": -1.0},
        {"gamma": math.nan},
        {"seed": 1.5},
        {"seed": 2**70},
        {"spacegroup": 0},
        {"spacegroup": "Pm-3m"},
        {"lattice": torch.zeros(3, 3)},
        {"lattice": torch.full((3, 3), math.nan)},
        {"lattice": "cubic"},
        {"fractional": [[0.0, 0, 0], [math.inf, 0, 0]]},
        {"fractional": [[0.0, 0, 0]]},
    ],
)
def test_arguments_are_named(model, way):
    (name,) = way
    with pytest.raises(ArgumentError, match=f"'{name}'"):
        model.predict("NaCl", **{"steps": 2, "seed": 0, **way})
    if name in ("batch_size", "gamma", "seed", "n_samples", "spacegroup"):
        symmetric = small(SymmetricDiffCSP)
        with pytest.raises(ArgumentError, match=f"'{name}'"):
            symmetric.predict("NaCl", **{"steps": 2, "seed": 0, "spacegroup": 225, **way})


def test_sizes_that_are_no_numbers_of_crystals(model):
    assert len(model.predict("NaCl", np.int64(2), steps=2, seed=np.int64(3))) == 2
    with pytest.raises(ArgumentError, match="repeats"):
        model.losses([salt()], repeats=0)
    for t0 in (0, 51, 1.5, True):
        with pytest.raises(ArgumentError, match="t0"):
            model.refine([salt()], t0)
    for settings in ({"fourier": 2}, {"wrapped": "no"}, {"inner_product": None}, {"max_atoms": True}):
        with pytest.raises(ArgumentError, match=next(iter(settings))):
            small(**settings)
    with pytest.raises(ArgumentError, match="tabulated"):
        small(fourier=False).predict("NaCl", steps=2, tabulated=True)


@pytest.mark.parametrize("one", [salt(), salt().to_ase(), salt().to_pymatgen()])
def test_one_crystal_is_no_list_of_them(model, one):
    for asked in (lambda: small().fit(one), lambda: model.refine(one, 3), lambda: model.losses(one)):
        with pytest.raises(ArgumentError, match=r"\[crystal\]"):
            asked()


# ---- what is held, precision, batches ----


def test_what_is_held_keeps_double_precision(model):
    cell = torch.tensor([[4.0, 0, 0], [0.1, 4 + 1e-9, 0], [1 / 3, 0, 5]], dtype=F64)
    assert torch.equal(model.predict("NaCl", steps=3, lattice=cell, seed=0)[0].cell, cell)
    assert torch.equal(model.predict("NaCl", steps=3, lattice=cell.tolist(), seed=0)[0].cell, cell)
    places = torch.tensor([[0.0, 1.0, 1 / 3], [-0.25, 2.5, 1 - 1e-12]], dtype=F64)
    made = model.predict("NaCl", steps=3, fractional=places, seed=0)[0].fractional
    off = made - places
    assert (off - off.round()).abs().max() < 1e-15
    assert bool(((made >= 0) & (made < 1)).all())


@pytest.mark.parametrize("kind", [DiffCSP, SymmetricDiffCSP])
def test_models_keep_their_precision(kind, tmp_path):
    model = small(kind)
    model.diffusion.double()
    model.fit([salt()] * 4, TrainingConfig(steps=3), quiet=True)
    again = kind.load(model.save(tmp_path))
    assert again.diffusion.network.embed.join.weight.dtype == F64
    one, other = (m.predict("NaCl", spacegroup=225, steps=4, seed=0)[0] for m in (model, again))
    assert torch.equal(one.cell, other.cell)
    assert torch.equal(again.elements, model.elements)
    foreign = SymmetricDiffCSP if kind is DiffCSP else DiffCSP
    with pytest.raises(ArgumentError, match="another kind of model"):
        foreign.load(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ArgumentError, match="safetensors"):
        kind.load(tmp_path)


def test_batches_by_size_hold_every_crystal_once():
    sizes = torch.tensor([5, 1, 3, 3, 3, 2, 4, 5, 1, 2])
    record = {"lattice": torch.arange(10.0)[:, None, None].expand(10, 3, 3), "mask": torch.arange(5) < sizes.unsqueeze(1)}
    record["frac"] = torch.zeros(10, 5, 3)
    data = BySize(record, 3)
    assert len(data) == 3
    torch.manual_seed(0)
    seen = []
    for i in range(len(data)):
        torch.manual_seed(1)
        (part,) = data.__getitems__([i])
        seen += part["lattice"][:, 0, 0].tolist()
        assert part["mask"].shape == part["frac"].shape[:2] == (len(part["mask"]), int(part["mask"].sum(1).max()))
    assert sorted(seen) == list(range(10))
    (whole,) = BySize(record, 3, shuffled=False).__getitems__([0, 1, 2])
    assert torch.equal(whole["mask"].sum(1), sizes.sort().values)
    assert cut({"mask": record["mask"][1:2], "lattice": record["lattice"][1:2]})["lattice"].shape == (1, 3, 3)


def test_crystals_of_all_sizes_are_learned_in_batches_of_one_and_resumed(tmp_path):
    data = [salt(), perovskite()] * 6 + [Crystal(3 * torch.eye(3), torch.zeros(1, 3), ["Po"])] * 4
    config = {"batch_size": 4, "checkpoint_every": 2, "schedule": "constant"}
    whole, parts = small(), small()
    whole.fit(data, TrainingConfig(steps=6, **config), validation=0.25, quiet=True)
    assert whole.history.best_step
    whole = small().fit(data, TrainingConfig(steps=6, **config), checkpoint=tmp_path / "whole", quiet=True)
    taken, steps = type(parts.diffusion).loss, []

    def stopping(self, *args, **kwargs):
        steps.append(torch.is_grad_enabled())
        if sum(steps) == 5:
            raise KeyboardInterrupt
        return taken(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(parts.diffusion), "loss", stopping)
        with pytest.raises(KeyboardInterrupt):
            parts.fit(data, TrainingConfig(steps=6, **config), checkpoint=tmp_path / "parts", quiet=True)
    resumed = small().fit(data, TrainingConfig(steps=6, **config), checkpoint=tmp_path / "parts", quiet=True)
    for a, b in zip(whole.diffusion.state_dict().values(), resumed.diffusion.state_dict().values()):
        assert torch.equal(a, b)


def test_losses_do_not_depend_on_how_many_are_looked_at_at_once(model, monkeypatch):
    data = [salt(), perovskite(), salt()] * 3
    once = model.losses(data, seed=1)
    monkeypatch.setattr("erlangen.fields.crystals.diffcsp.batches.PAIRS", 30)
    apart = model.losses(data, seed=1)
    assert all(abs(once[name] - apart[name]) < 1e-5 for name in once)


def test_many_are_refined_in_parts(model):
    made = model.refine([salt(), perovskite()] * 3, 2, batch_size=2, seed=0)
    assert [one.formula for one in made] == ["NaCl", "BaTiO3"] * 3


# ---- cells ----


def test_reduced_cells_of_one_crystal_agree_however_skewed_or_left_handed():
    rng = torch.Generator().manual_seed(0)
    base = Crystal(
        torch.tensor([[5, 0.3, 0.1], [0.4, 6, 0.2], [1, 0.7, 7]]), torch.rand(4, 3, generator=rng, dtype=F64), [8, 9, 11, 14]
    )
    first = niggli([base])[0]
    for skew in ([[1, 0, 0], [3, 1, 0], [-2, 5, -1]], [[1, 0, 0], [70, 1, 0], [1300, -90, 1]]):
        basis = torch.tensor(skew, dtype=F64)
        other = niggli([Crystal(basis @ base.cell, base.fractional @ torch.linalg.inv(basis), base.numbers)])[0]
        assert (other.cell - first.cell).abs().max() < 1e-8
        off = other.fractional - first.fractional
        assert (off - off.round()).abs().max() < 1e-8


def test_numbers_and_padding_of_the_network():
    torch.manual_seed(0)
    net = CSPNet(16, 2, 4).double()
    x = {"lattice": torch.randn(2, 3, 3, dtype=F64), "frac": torch.rand(2, 4, 3, dtype=F64), "t": torch.tensor([0, 1000])}
    for wrong in (0, -3, 101):
        with pytest.raises(ArgumentError, match="numbers"):
            net(**x, numbers=torch.full((2, 4), wrong))
    with pytest.raises(ArgumentError, match="frac"):
        net(x["lattice"], x["frac"][:, :0], x["t"], numbers=torch.zeros(2, 0, dtype=torch.int64))
    mask = torch.tensor([[True, True, False, False], [True] * 4])
    numbers = torch.tensor([[8, 22, 0, 0], [8, 8, 22, 56]])
    clean = net(**x, numbers=numbers, mask=mask)
    x["frac"][0, 2:] = math.nan
    said = net(**x, numbers=numbers, mask=mask)
    assert torch.equal(said["lattice"], clean["lattice"])
    assert torch.equal(said["frac"][mask], clean["frac"][mask])


# ---- flat batches ----


def test_flat_batches_are_the_padded_ones():
    torch.manual_seed(0)
    net = CSPNet(16, 2, 4).double()
    batch, numbers = torch.tensor([0, 0, 1, 2, 2, 2]), torch.tensor([8, 22, 56, 8, 8, 22])
    lattice, frac, t = 4 * torch.randn(3, 3, 3, dtype=F64), torch.rand(6, 3, dtype=F64), torch.tensor([3, 500, 1000])
    said = net.flat(lattice, frac, t, batch, numbers)
    for i in range(3):
        own = batch == i
        alone = net(lattice[i : i + 1], frac[own].unsqueeze(0), t[i : i + 1], numbers=numbers[own].unsqueeze(0))
        assert (said["frac"][own] - alone["frac"][0]).abs().max() < 1e-12
        assert (said["lattice"][i] - alone["lattice"][0]).abs().max() < 1e-12
    for wrong in (torch.tensor([0, 1, 0, 2, 2, 2]), torch.tensor([0, 0, 1, 3, 3, 3]), torch.tensor([0, 0, 0, 2, 2, 2])):
        with pytest.raises(ArgumentError, match="batch"):
            net.flat(lattice, frac, t, wrong, numbers)


def test_data_sets_from_flat_arrays_and_back():
    data = CrystalDataset.from_structures([salt(), perovskite(), salt()])
    flat = data.flat()
    for name in ("num_atoms", "batch"):
        parts = (flat["cells"], flat["fractional"] + 3, flat["numbers"])
        again = CrystalDataset.from_flat(*parts, **{name: flat[name]}, energy=[1, 2, 3])
        assert torch.equal(again.numbers, data.numbers)
        assert (again.fractional - data.fractional).abs().max() < 1e-12
        assert torch.equal(again.offsets, data.offsets)
        assert again.columns["energy"].tolist() == [1, 2, 3]
    for wrong in ({}, {"num_atoms": [2, 5, 2], "batch": flat["batch"]}, {"num_atoms": [2, 5, 3]}, {"num_atoms": [2, 0, 7]}):
        with pytest.raises(ArgumentError, match="num_atoms"):
            CrystalDataset.from_flat(*parts, **wrong)
    for wrong in (flat["batch"].flip(0), flat["batch"] + 1, flat["batch"][1:], flat["batch"].double()):
        with pytest.raises(ArgumentError, match="batch"):
            CrystalDataset.from_flat(*parts, batch=wrong)


# ---- look-up and matching ----


def test_elements_without_a_radius_are_not_looked_up():
    einsteinium = Crystal(salt().cell, salt().fractional, ["Es", "Cl"])
    known = Retrieval([salt(), einsteinium])
    with pytest.raises(ArgumentError, match="Es"):
        known.predict("EsF")
    assert [one.formula for one in known.nearest("KBr", 5)] == ["NaCl"]
    assert known.nearest("NaCl")[0].apart == 0.0
    with pytest.raises(ArgumentError, match="'n'"):
        known.predict("KBr", 0)


def test_so_many_predictions_there_must_be():
    scores = csp([[salt(), salt()]], [salt()])
    for k in (0, -1, 3, True, 1.5):
        with pytest.raises(ArgumentError, match="'k'"):
            scores.match_rate(k)
    assert scores.match_rate(2) == scores.match_rate() == 1.0


def test_cells_of_any_size_are_matched():
    matcher = Matcher()
    for scale in (1e-3, 0.05, 1e4):
        assert matcher.distance(salt(scale), salt(scale)) < 1e-6
        assert matcher.distance(salt(scale), salt()) < 1e-6
