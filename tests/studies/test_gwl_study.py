"""The parts of the study of expressivity, small: only what is exact is asserted."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch

from erlangen.errors import ArgumentError, MissingExtra
from erlangen.fields.molecules import read_qm9
from erlangen.measure.gwl import counterexample, kchain, separation
from erlangen.measure.gwl.networks import EQUIVARIANT
from erlangen.reporting import RIVAL
from erlangen.studies.gwl import STUDY, Config, qm9, synthetic
from erlangen.studies.gwl.fingerprints import differ, sorted_distances
from erlangen.studies.gwl.trained import _train
from erlangen.testing import check_outcome


def test_exact_parts_of_the_synthetic_study() -> None:
    rows, table = synthetic.exact_chains()
    assert [row["GWL"] for row in rows] == [2, 2, 3, 3, 4, 4, 5]
    assert {row[name] for row in rows for name in ("IGWL(2)", "IGWL(3)", "IGWL")} == {None}
    assert len(table.rows) == 7
    assert synthetic.counterexamples()[0] == synthetic.THEORY
    assert synthetic.degrees_of_stars()[0] == {2: 2, 3: 3, 5: 5, 10: 10}


def test_distances_tell_apart_all_but_a_mirror_image() -> None:
    rival = synthetic.by_distances()
    assert rival.measured == 11
    assert 7 < rival.rival < 11
    one, other = counterexample("4-body-chiral")
    assert not differ(sorted_distances(one.pos), sorted_distances(other.pos), 1e-9)
    turned = one.pos[torch.randperm(len(one.pos))] @ torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64))[0]
    assert not differ(sorted_distances(one.pos), sorted_distances(turned), 1e-9)


def test_what_networks_do_is_checked_against_their_test() -> None:
    found = separation(lambda: EQUIVARIANT["vectors (GVP-like)"](2), kchain(2), n_init=1)
    assert synthetic.consistency({("vectors (GVP-like)", 2, 2): found}, {}).holds
    # The same separation claimed of a network that cannot have it.
    wrong = synthetic.consistency({("angles (DimeNet-like)", 2, 2): found}, {})
    assert not wrong.holds
    assert "angles" in wrong.measured


@pytest.mark.slow
def test_the_synthetic_part(tmp_path: Path) -> None:
    outcome = STUDY.run(Config(inits=1), quiet=True)
    assert check_outcome(STUDY, outcome)
    claims = [c for c in outcome.claims if c.key != RIVAL]
    assert [c.holds for c in claims][:4] == [True] * 4
    assert claims[-1].holds
    outcome.save(tmp_path)


def test_molecules(tmp_path: Path) -> None:
    pytest.importorskip("rdkit")
    outcome = STUDY.run(Config(part="molecules", conformers=4), quiet=True)
    assert check_outcome(STUDY, outcome)
    # The number of conformers that are found is RDKit's; the others are exact.
    claims = [c for c in outcome.claims if c.key != RIVAL]
    assert [c.holds for i, c in enumerate(claims) if i != 3] == [True] * 4
    (rival,) = outcome.rivals
    assert 1 < rival.rival <= 4
    assert rival.winner == "level"
    outcome.save(tmp_path)


@pytest.mark.skipif(importlib.util.find_spec("qm9pack") is None, reason="qm9pack is not installed")
def test_qm9() -> None:
    outcome = STUDY.run(Config(part="qm9", molecules=40), quiet=True)
    assert check_outcome(STUDY, outcome)
    assert next(c for c in outcome.claims if c.key == "ladder").holds
    assert outcome.rivals[0].rival == 40
    methane = next(read_qm9())
    assert methane.smiles == "C"
    assert methane.numbers == [6, 1, 1, 1, 1]
    assert methane.pos.shape == (5, 3)
    assert qm9.bonds(methane).edge_index.shape == (2, 8)


def test_qm9_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="qm9"):
        next(read_qm9())


def test_training_protocol() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert _train(EQUIVARIANT["displacements (E-GNN-like)"](1).double(), 0, epochs=2) == 50.0


def test_unknown_part() -> None:
    with pytest.raises(ArgumentError, match="part"):
        STUDY.run(Config(part="none"), quiet=True)  # type: ignore[arg-type]
