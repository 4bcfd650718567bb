"""``erlangen crystals predict --space-group``: a model that is trained for space groups, kept, resumed, and what is said of it."""

import importlib
import json

import pytest
import torch

from erlangen.cli import main
from erlangen.errors import ArgumentError
from erlangen.fields import crystals
from erlangen.fields.crystals.diffcsp import DiffCSP, SymmetricDiffCSP, held_out, trained_symmetric
from erlangen.training import TrainingConfig

pytestmark = pytest.mark.filterwarnings("ignore:no crystal of the training")


def pair(a, b, caesium=False, edge=5.6):
    cell = edge / 1.4 * torch.eye(3) if caesium else edge / 2 * (1 - torch.eye(3))
    return crystals.Crystal(cell, torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0.5]]), [a, b])


@pytest.fixture
def few(monkeypatch):
    """Halides in place of the ICSD, of which half are held out."""
    module = importlib.import_module("erlangen.fields.crystals.diffcsp.trained")
    halides = [pair(a, b, a == "Cs", edge) for a, edge in (("Na", 5.6), ("K", 6.3), ("Rb", 6.6), ("Cs", 5.9)) for b in ("Cl", "Br")]
    data = crystals.CrystalDataset.from_structures(halides)
    monkeypatch.setattr(module, "icsd_clean", lambda *_, **__: data)
    monkeypatch.setattr(crystals, "icsd_clean", lambda *_, **__: data)
    monkeypatch.setattr(module, "FEWEST", 2)
    monkeypatch.setattr(module, "HELD", 0.5)
    return data


def ask(*words, tmp_path):
    runs = ("--runs", str(tmp_path / "runs"), "--rank", "none", "--steps", "20", "--n", "3")
    main(["crystals", "predict", "KCl", *map(str, words), *runs])


def test_a_group_has_a_model_of_its_own(few, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(crystals.diffcsp, "model_folder", lambda *key: tmp_path / "-".join(map(str, key)))
    ask("--space-group", 225, "--train-steps", 150, tmp_path=tmp_path)
    assert "There is no model for space groups in" in capsys.readouterr().out
    folder = tmp_path / "2-150-True"
    assert sorted(path.name for path in folder.iterdir()) == ["held_out.json", "model.json", "model.safetensors"]
    assert isinstance(SymmetricDiffCSP.load(folder), SymmetricDiffCSP)
    worth = held_out(folder)
    assert worth is not None
    assert worth.grouped
    assert worth.crystals == 4
    before = (folder / "model.safetensors").read_bytes()
    ask("--space-group", 225, "--train-steps", 150, "--json", tmp_path=tmp_path)
    facts = json.loads(capsys.readouterr().out)
    assert (folder / "model.safetensors").read_bytes() == before
    assert {one["space_group"] for one in facts["crystals"]} == {"Fm-3m (225)"}
    assert facts["held_out"]["grouped"] is True
    assert facts["projected"] is False
    report = next((tmp_path / "runs").rglob("report.html")).read_text()
    assert "given the true space group" in report
    assert "by construction" in report
    # The kind of model that the folder holds is said, not guessed.
    with pytest.raises(SystemExit):
        ask("--model", folder, tmp_path=tmp_path)
    assert "another kind of model" in capsys.readouterr().err


def test_a_group_may_be_forced_on_a_model_of_ones_own(few, tmp_path, capsys):
    torch.manual_seed(0)
    plain = DiffCSP(width=8, layers=1, frequencies=2).fit(few, TrainingConfig(steps=100, lr=1e-2), quiet=True)
    plain.save(tmp_path / "mine")
    ask("--space-group", 225, "--model", tmp_path / "mine", "--json", tmp_path=tmp_path)
    assert json.loads(capsys.readouterr().out)["projected"] is True
    assert "group 225 was forced on it" in next((tmp_path / "runs").rglob("report.html")).read_text()


def test_a_stopped_training_goes_on(few, tmp_path, monkeypatch):
    whole = trained_symmetric(2, tmp_path / "whole", steps=12, data=few, quiet=True)
    calls = 0
    step = torch.optim.Optimizer.zero_grad

    def stop(self, set_to_none=True):
        nonlocal calls
        calls += 1
        if calls == 7:
            raise KeyboardInterrupt
        return step(self, set_to_none)

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.Optimizer, "zero_grad", stop)
        with pytest.raises(KeyboardInterrupt):
            trained_symmetric(2, tmp_path / "stopped", steps=12, data=few, quiet=True)
    assert [path.name for path in (tmp_path / "stopped").iterdir()] == ["checkpoint-symmetric"]
    again = trained_symmetric(2, tmp_path / "stopped", steps=12, data=few, quiet=True)
    for a, b in zip(whole.diffusion.state_dict().values(), again.diffusion.state_dict().values()):
        assert torch.equal(a, b)


def test_crystals_without_symmetry_are_left_out(tmp_path):
    good = [pair("Na", "Cl"), pair("K", "Cl")]
    on_each_other = crystals.Crystal(4 * torch.eye(3), torch.zeros(2, 3), ["Na", "Na"])
    model = trained_symmetric(
        2, tmp_path / "a", steps=1, data=crystals.CrystalDataset.from_structures([*good, on_each_other]), quiet=True
    )
    assert int(model.elements.sum()) == 4
    with pytest.raises(ArgumentError, match="symmetry that is found"):
        trained_symmetric(2, tmp_path / "b", steps=1, data=crystals.CrystalDataset.from_structures([on_each_other]), quiet=True)
