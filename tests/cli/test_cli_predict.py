"""``erlangen crystals predict``: a model that is trained once and kept, and what is said of its crystals."""

import importlib
import json

import pytest
import torch

from erlangen.cli import main
from erlangen.errors import ArgumentError
from erlangen.fields import crystals
from erlangen.fields.crystals.diffcsp import DiffCSP, HeldOut, held_out, predicted, predicted_outcome, trained
from erlangen.training import TrainingConfig

pytestmark = pytest.mark.filterwarnings("ignore:the model has not been trained", "ignore:no crystal of the training")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """One that knows the size of rock salt, if little else."""
    torch.manual_seed(0)
    salts = [salt(a, b) for a, b in (("Na", "Cl"), ("K", "Cl"), ("Cs", "Cl"))]
    model = DiffCSP(width=16, layers=1, frequencies=3)
    model.fit(salts * 8, TrainingConfig(steps=500, lr=1e-2, batch_size=24), quiet=True)
    return model.save(tmp_path_factory.mktemp("predict") / "model")


def salt(a="Na", b="Cl", edge=5.64):
    return crystals.Crystal(edge / 2 * (1 - torch.eye(3)), torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0.5]]), [a, b])


def ask(*words, model, tmp_path):
    main(["crystals", "predict", *map(str, words), "--steps", "40", "--model", str(model), "--runs", str(tmp_path / "runs")])


def test_crystals_of_a_kept_model(model, tmp_path, capsys):
    out = tmp_path / "out.extxyz"
    ask("NaCl", "--n", 4, "--rank", "none", "--out", out, "--quiet", model=model, tmp_path=tmp_path)
    said = capsys.readouterr().out
    (report,) = (tmp_path / "runs").glob("*/*/report.html")
    facts = json.loads((report.parent / "metrics.json").read_text())["metrics"]
    assert facts["kept"] + sum(facts["rejected"].values()) == facts["asked"] == 4
    assert said.startswith(f"{facts['kept']} different structures of NaCl from 4 predictions")
    if facts["kept"]:
        assert [one.formula for one in crystals.read_crystals(out)] == ["NaCl"] * facts["kept"]
    # The look-up knows rock salt itself.
    assert facts["look_up"][0]["space_group"] == "Fm-3m (225)"
    assert crystals.read_crystals(out.with_stem("out-look-up"))[0].formula == "NaCl"
    assert "is itself among the known crystals" in report.read_text()


def test_numbers_for_machines_and_a_space_group(model, tmp_path, capsys):
    ask("NaCl", "--n", 3, "--space-group", 225, "--rank", "none", "--json", model=model, tmp_path=tmp_path)
    facts = json.loads(capsys.readouterr().out)
    assert (
        {one["space_group"] for one in facts["crystals"]}
        == {one["space_group_moyopy"] for one in facts["crystals"]}
        == {"Fm-3m (225)"}
    )
    assert facts["held_out"] is None
    with pytest.raises(SystemExit):
        ask("NaCl2", "--space-group", 221, model=model, tmp_path=tmp_path)
    assert "spacegroup" in capsys.readouterr().err


def test_what_cannot_be_looked_up_is_said(model):
    model = DiffCSP.load(model)
    for formula in ("EsCl", "NaCl2"):
        found = predicted(model, formula, 2, known=[salt()], rank="none", seed=0, steps=20, quiet=True)
        assert not found.looked_up
        assert not found.itself
        outcome = predicted_outcome(found, {}, None)
        said = " ".join(outcome.sections[0].paragraphs)
        assert "there is no look-up" in said
        assert ("covalent radius of Es" in said) == (formula == "EsCl")
        assert all((one.closest is None) == (formula == "EsCl") for one in found.made)
        assert "Nothing was measured" in outcome.answer


def test_energies_rank(model):
    pytest.importorskip("chgnet")
    salts = [salt(), salt(edge=5.0)]
    model = DiffCSP.load(model)
    found = predicted(model, "NaCl", 4, known=salts, rank="energy", seed=0, steps=5, quiet=True)
    energies = [one.energy for one in found.made if one.energy is not None]
    assert energies == sorted(energies)
    assert found.ranked == "chgnet"
    assert found.looked_up[0].energy < -3
    assert len(found.looked_up) == 1  # both are the same but for their size
    assert found.itself
    with pytest.raises(ArgumentError, match="rank"):
        predicted(model, "NaCl", rank="best")


def test_what_cannot_be_predicted(model, capsys):
    with pytest.raises(SystemExit):
        main(["crystals", "predict", "XxO", "--model", str(model)])
    assert "formula" in capsys.readouterr().err.lower()


def test_a_model_is_trained_once_and_kept(tmp_path):
    data = crystals.CrystalDataset.from_structures([salt()] * 4)
    first = trained(2, tmp_path, steps=2, data=data, quiet=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.safetensors"]
    again = trained(2, tmp_path, steps=2, quiet=True)  # without data: it is read
    for a, b in zip(first.diffusion.state_dict().values(), again.diffusion.state_dict().values()):
        assert torch.equal(a, b)
    assert held_out(tmp_path) is None  # too few for that


def test_what_a_model_is_worth_is_measured_on_formulas_it_was_not_shown(tmp_path, monkeypatch):
    module = importlib.import_module("erlangen.fields.crystals.diffcsp.trained")
    monkeypatch.setattr(module, "FEWEST", 2)
    monkeypatch.setattr(module, "HELD", 0.5)

    data = crystals.CrystalDataset.from_structures([salt(a, b) for a in ("Na", "K", "Rb") for b in ("Cl", "Br")])
    trained(2, tmp_path, steps=150, data=data, quiet=True)
    worth = held_out(tmp_path)
    assert worth is not None
    assert worth.crystals == 3
    assert worth.look_up == 1.0
    assert 0 <= worth.model <= 1
    assert HeldOut(100, 0.5, 1.0).error(0.5) == 0.05
    (tmp_path / "held_out.json").write_text("{}")
    with pytest.raises(ArgumentError, match="damaged"):
        held_out(tmp_path)
