"""`erlangen fit` and `erlangen audit` on molecules, pictures and tokens without an order, as a user types them."""

import json

import numpy as np
import pytest
from prompt import call

SMALL = ["--steps", "30", "--seeds", "1", "--quiet"]

COUNTS = """
import torch


class Edges(torch.nn.Module):
    def forward(self, nodes, edges, there):
        return edges.sum((1, 2, 3))


class First(torch.nn.Module):
    def forward(self, nodes, edges, there):
        return edges[:, 0].sum((1, 2))
"""


def test_molecules_of_different_sizes(tmp_path, capsys):
    """G2 as ASE ships it, with what its atoms weigh beside how they are spread as the energy: known to E(3) and to no order."""
    pytest.importorskip("ase")
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.collections import g2
    from ase.io import write

    each = [g2[name] for name in g2.names if 1 < len(g2[name]) < 8]
    for one in each:
        one.calc = SinglePointCalculator(one, energy=-one.get_masses().sum() + one.get_moments_of_inertia().sum() / len(one))
    path = tmp_path / "molecules.extxyz"
    write(path, each)
    code, out, err = call(capsys, "fit", path, "--target", "energy", *SMALL, "--out", tmp_path / "runs")
    assert code == 0, err
    group = f"E(3) x S_{max(map(len, each))}"
    assert f"{group} (by its kind: no orientation, no origin and no order of the atoms is given)" in out
    (directory,) = (tmp_path / "runs" / "molecules").iterdir()
    numbers = json.loads((directory / "metrics.json").read_text())["metrics"]
    assert numbers["tried"]["trials"][0]["group"] == group
    if "symmetrized" in numbers["assessments"]:
        assert numbers["assessments"]["symmetrized"]["equivariance"]["float64"]["numbers"]["worst"] < 1e-10
    spelled = f"SE(3) x S({max(map(len, each))})"
    code, out, err = call(
        capsys, "audit", directory, "--data", path, "--group", spelled, "--report", tmp_path / "a.html", "--elements", "4"
    )
    assert code == 0, err
    assert ("equivariance: holds" in out) == ("symmetrized" in numbers["assessments"])


def test_pictures_and_a_model_of_a_file(tmp_path, capsys):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "x.npz", x=rng.random((64, 8, 8, 1)), y=rng.random(64))
    (tmp_path / "means.py").write_text(
        "import torch\n\n\nclass Mean(torch.nn.Module):\n    def forward(self, x):\n        return x.mean((1, 2, 3))\n\n\n"
        "class Corner(torch.nn.Module):\n    def forward(self, x):\n        return x[:, 0, 0, 0]\n"
    )
    for name, holds in (("Mean", True), ("Corner", False)):
        code, out, err = call(
            capsys,
            "audit",
            f"{tmp_path / 'means.py'}:{name}",
            "--data",
            tmp_path / "x.npz",
            "--group",
            "D4",
            "--report",
            tmp_path / "a.html",
        )
        assert code == 0, err
        assert ("equivariance: holds" in out) == holds
    code, _, err = call(capsys, "discover", tmp_path / "x.npz", "--quiet")
    assert code == 2
    assert "argument DATA: expected tokens" in err
    np.savez(tmp_path / "wide.npz", x=rng.random((64, 8, 6, 1)), y=rng.random(64))
    code, _, err = call(capsys, "fit", tmp_path / "wide.npz", "--as", "graphs", *SMALL, "--out", tmp_path / "runs")
    assert code == 2
    assert "argument 'edges': expected matrices [N, n, n]" in err


def test_one_molecule_is_audited(tmp_path, capsys):
    """Water, by a model of up to five atoms: their masses do not notice a move, where the first of them is does."""
    io, ase = pytest.importorskip("ase.io"), pytest.importorskip("ase")
    io.write(tmp_path / "water.extxyz", ase.Atoms("OHH", positions=[[0.0, 0, 0.1], [0, 0.8, -0.5], [0, -0.8, -0.5]]))
    (tmp_path / "models.py").write_text(
        "import torch\n"
        "class Mass(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        assert x['numbers'].shape == (len(x['numbers']), 5)\n"
        "        return x['numbers'].sum(1, keepdim=True).double()\n"
        "class First(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        return x['pos'][:, 0]\n"
    )
    for model, holds in (("Mass", True), ("First", False)):
        args = ("--data", tmp_path / "water.extxyz", "--group", "E(3) x S(5)", "--json", "--report", tmp_path / "a.html")
        code, out, err = call(capsys, "audit", f"{tmp_path / 'models.py'}:{model}", *args)
        assert code == 0, err
        assert json.loads(out)["equivariance"]["holds"] is holds


def test_keyword_models_are_audited(tmp_path, capsys):
    rng = np.random.default_rng(0)
    a = np.triu(rng.random((64, 5, 5)) < 0.5, 1).astype(float)
    np.savez(tmp_path / "g.npz", edges=a + a.transpose(0, 2, 1), y=rng.random(64))
    (tmp_path / "counts.py").write_text(COUNTS)
    for name, holds in (("Edges", True), ("First", False)):
        code, out, err = call(
            capsys,
            "audit",
            f"{tmp_path / 'counts.py'}:{name}",
            "--data",
            tmp_path / "g.npz",
            "--group",
            "S(5)",
            "--report",
            tmp_path / "a.html",
        )
        assert code == 0, err
        assert ("equivariance: holds" in out) == holds
