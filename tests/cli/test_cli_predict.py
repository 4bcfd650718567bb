"""``erlangen crystals predict``: a model that is trained once and kept, and what is said of its crystals."""

import json

import pytest
import torch

from erlangen.cli import main
from erlangen.fields import crystals
from erlangen.fields.crystals.diffcsp import DiffCSP, trained


@pytest.fixture
def model(tmp_path):
    torch.manual_seed(0)
    return DiffCSP(width=8, layers=1, frequencies=3).save(tmp_path / "model")


def test_crystals_of_a_kept_model(model, tmp_path, capsys):
    main(
        [
            "crystals",
            "predict",
            "CsCl",
            "--n",
            "3",
            "--steps",
            "4",
            "--model",
            str(model),
            "--out",
            str(tmp_path / "out.extxyz"),
            "--quiet",
        ]
    )
    said = capsys.readouterr().out
    assert said.startswith("3 crystals of CsCl")
    assert "written:" in said
    assert [one.formula for one in crystals.read_crystals(tmp_path / "out.extxyz")] == ["CsCl"] * 3
    main(["crystals", "predict", "CsCl", "--n", "2", "--steps", "4", "--model", str(model), "--json"])
    found = json.loads(capsys.readouterr().out)["crystals"]
    assert len(found) == 2
    assert set(found[0]) == {"space_group", "lengths", "angles", "volume_per_atom", "valid"}


def test_what_cannot_be_predicted(model, capsys):
    with pytest.raises(SystemExit):
        main(["crystals", "predict", "XxO", "--model", str(model)])
    assert "formula" in capsys.readouterr().err.lower()


def test_a_model_is_trained_once_and_kept(tmp_path):
    salt = crystals.Crystal(5.64 / 2 * (1 - torch.eye(3)), torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0.5]]), ["Na", "Cl"])
    data = crystals.CrystalDataset.from_structures([salt] * 4)
    first = trained(tmp_path, steps=2, data=data, quiet=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.safetensors"]
    again = trained(tmp_path, steps=2, quiet=True)  # without data: it is read
    for a, b in zip(first.diffusion.state_dict().values(), again.diffusion.state_dict().values()):
        assert torch.equal(a, b)
