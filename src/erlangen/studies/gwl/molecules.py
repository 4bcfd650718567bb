"""Part two: conformers and enantiomers on their bonds."""

from __future__ import annotations

import time
from typing import Any

import torch

from erlangen.extras import engine
from erlangen.measure.gwl import GWL, GeometricGraph, as_graph, expressivity_report
from erlangen.reporting import Claim, Rival, Section, Table
from erlangen.studies.base import Part
from erlangen.studies.gwl.study import SOURCE, Config
from erlangen.studies.gwl.words import in_words

BOND, ANGLE = 1.53, 112.0  # carbon to carbon in angstrom, and between two such bonds in degrees
ALIKE = 0.01  # angstrom: embedding leaves conformers of one kind nearly equal
CHIRAL = {"bromochlorofluoromethane": "[C@H](F)(Cl)Br", "L-alanine": "C[C@H](N)C(=O)O"}


def run(config: Config, quiet: bool) -> Part:
    """Skeletons of butane and hexane with ideal bonds and angles; two chiral molecules as they are."""
    chem = engine("molecules", "rdkit.Chem")
    butane = {turn: idealised(conformers(chem, "CCCC", 1, config.seed)[0], [turn]) for turn in (180.0, 65.0, -65.0)}
    anti, plus, minus = (as_graph(m) for m in butane.values())
    bent = [GWL(group).compare(anti, plus).iteration for group in ("O(3)", "SO(3)")]
    never = [
        GWL(group, invariant=True).compare(a, b).iteration for group in ("O(3)", "SO(3)") for a, b in ((anti, plus), (plus, minus))
    ]
    signs = {group: GWL(group).compare(plus, minus).iteration for group in ("O(3)", "SO(3)")}

    chains = [idealised(m, None) for m in conformers(chem, "CCCCCC", config.conformers, config.seed)]
    graphs = [as_graph(m) for m in chains]
    tests = {
        "IGWL": GWL("SO(3)", invariant=True, tol=ALIKE),
        "GWL, one layer": GWL("SO(3)", max_iter=1, tol=ALIKE),
        "GWL, two layers": GWL("SO(3)", max_iter=2, tol=ALIKE),
        "GWL": GWL("SO(3)", tol=ALIKE),
        "GWL, O(3)": GWL("O(3)", tol=ALIKE),
    }
    began = time.process_time()
    count = {name: int(test.classes(graphs).max()) + 1 for name, test in tests.items()}
    took = (time.process_time() - began) / len(tests)
    began = time.process_time()
    aligned = by_alignment(chains)
    rival = Rival(
        "aligning all pairs with RDKit", "GWL under SO(3)", f"conformers of hexane told apart, of {len(graphs)}", count["GWL"], aligned,
        "higher", seconds=took, rival_seconds=time.process_time() - began, settings=f"GetBestRMS below {ALIKE} angstrom is one conformer",
        level=1.0,
        note="one more or less is what a tolerance means by itself; alignment gives a distance, the test the layer that sees it",
    )  # fmt: skip

    rows, seen = [], {}
    for name, smiles in CHIRAL.items():
        graph = as_graph(conformers(chem, smiles, 1, config.seed, hydrogens=True)[0])
        report = expressivity_report(graph, mirrored(graph), body_orders=(2, 3, 4, 5))
        seen[name] = (report.result("GWL", "O(3)").iteration, report.result("GWL", "SO(3)").iteration)
        rows += [[name, level[0].level, *(r.iteration if r else "never" for r in level)] for level in report.rows]
    claims = [
        Claim(
            "torsions of butane are seen by GWL after two layers",
            2,
            in_words(bent),
            bent == [2, 2],
            scale="180 and 65 degrees",
            source=SOURCE,
            key="conformers",
        ),
        Claim(
            "and never by IGWL, nor is their sign", "never", in_words(never), never == [None] * 4, source=SOURCE, key="conformers"
        ),
        Claim(
            "+65 and -65 degrees differ under SO(3) only",
            "never; 2",
            in_words(signs),
            signs == {"O(3)": None, "SO(3)": 2},
            source=SOURCE,
            key="enantiomers",
        ),
        Claim(
            "hexane's conformers with ideal bonds and angles are one molecule for IGWL and many for GWL",
            "1; more",
            in_words(count),
            count["IGWL"] == count["GWL, one layer"] == 1 < count["GWL, O(3)"] <= count["GWL"] == count["GWL, two layers"],
            scale=f"{len(graphs)} conformers",
            note=f"under SO(3) unless said; geometries within {ALIKE} angstrom count as one",
            key="conformers",
        ),
        Claim(
            "enantiomers differ under SO(3) only",
            "never; 1",
            in_words(seen),
            all(o is None and so is not None for o, so in seen.values()),
            scale=", ".join(CHIRAL),
            key="enantiomers",
        ),
    ]
    table = Table("A molecule and its mirror image: first iteration", ["molecule", "test", "O(3)", "SO(3)"], rows)
    numbers: dict[str, Any] = {"hexane": count, "enantiomers": {name: list(pair) for name, pair in seen.items()}}
    return Part(claims, [Section("Enantiomers", tables=[table])], numbers, "Conformers need a network that hands on orientation.",
                rivals=[rival])  # fmt: skip


def by_alignment(chains: list[Any]) -> int:
    """How many conformers there are when those that align within the tolerance count as one."""
    align = engine("molecules", "rdkit.Chem.rdMolAlign")
    chem = engine("molecules", "rdkit.Chem")
    different: list[Any] = []
    for one in chains:
        if all(align.GetBestRMS(chem.Mol(one), other) > ALIKE for other in different):
            different.append(one)
    return len(different)


def conformers(chem: Any, smiles: str, number: int, seed: int, hydrogens: bool = False) -> list[Any]:
    """Molecules with one ETKDG conformer each, by default without their hydrogens."""
    embed = engine("molecules", "rdkit.Chem.rdDistGeom")
    mol = chem.AddHs(chem.MolFromSmiles(smiles))
    ids = list(embed.EmbedMultipleConfs(mol, numConfs=number, randomSeed=seed + 1))
    mol = mol if hydrogens else chem.RemoveHs(mol)
    return [chem.Mol(mol, confId=i) for i in ids]


def idealised(mol: Any, torsions: list[float] | None) -> Any:
    """A chain of carbons with all bonds and angles alike, and torsions as given or as they are."""
    change = engine("molecules", "rdkit.Chem.rdMolTransforms")
    conformer, n = mol.GetConformer(), mol.GetNumAtoms()
    for i in range(n - 1):
        change.SetBondLength(conformer, i, i + 1, BOND)
    for i in range(n - 2):
        change.SetAngleDeg(conformer, i, i + 1, i + 2, ANGLE)
    for i in range(n - 3):
        if torsions is not None:
            change.SetDihedralDeg(conformer, i, i + 1, i + 2, i + 3, torsions[i])
    return mol


def mirrored(graph: GeometricGraph) -> GeometricGraph:
    """Its mirror image."""
    return graph.moved(torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)))
