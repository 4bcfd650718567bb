"""Point-wise activations: the decision against brute force, for 40 activations on more than 40 representations."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from erlangen.groups import (
    SO,
    Alternating,
    Cyclic,
    Dihedral,
    DirectProduct,
    Group,
    LieAlgebra,
    MatrixGroup,
    O,
    Scalings,
    Symmetric,
    generated,
    subgroup_classes,
)
from erlangen.linalg import relative_error
from erlangen.parallel import one_thread
from erlangen.reporting import RIVAL, RIVAL_CLAIM, Claim, Claims, KeyNumber, Outcome, Rival, Section, Table, heatmap
from erlangen.reps import InBasis, Induced, Rep, admissible
from erlangen.reps.classify import CoordinateFunctions
from erlangen.studies.base import Study

SOURCE = "Pacini, Dong, Lepri, Santin 2024, arXiv:2401.09235"

#: Classes of subgroups: for symmetric groups OEIS A000638, the others from the books.
COUNTS = {"S_3": 4, "S_4": 11, "S_5": 19, "S_6": 56, "A_4": 5, "A_5": 9, "D_4": 8, "D_6": 10, "Q_8": 6, "C_12": 6}


@dataclass(frozen=True)
class Config:
    """All cells of the table."""

    full: bool = False
    """Also the subgroups of S_7."""
    seed: int = 0
    """Seed of the group elements and inputs."""


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Decide and measure every cell, count subgroups."""
    started = time.perf_counter()
    with one_thread():
        took = {"decided": 0.0, "fitted": 0.0}
        cells = truth_table(config.seed, took)
        counts = count_classes(config.full)
    return _outcome(config, cells, took, counts, time.perf_counter() - started)


# ---- the truth table ----


class Cell(NamedTuple):
    """One activation on one representation.

    Attributes:
        activation, representation: their names.
        holds: what :func:`erlangen.reps.admissible` decides.
        fit: by brute force, the relative misfit of the best output matrices for random elements, over random inputs.
        error: of a yes, the relative error with the stated output representation; of a no, that of the witness.
    """

    activation: str
    representation: str
    holds: bool
    fit: float
    error: float


def truth_table(seed: int = 0, took: dict[str, float] | None = None) -> list[Cell]:
    """Decide and measure each activation on each representation; the CPU seconds of both are added to ``took``."""
    took = {} if took is None else took
    cells = []
    for rep_name, rep in representations().items():
        source = torch.Generator().manual_seed(seed)
        if rep.group.dim:
            elements = rep.group.sample(6, generator=source, dtype=torch.float64)
        else:
            elements = rep.group.random_word(12, length=5, generator=source)
        matrices = rep.matrix(elements).to(torch.float64)
        # Inputs of all sizes, so that features far out (ReLU6) and near zero (shrinkage) are met.
        size = torch.tensor([0.3, 1.0, 3.0, 8.0], dtype=torch.float64).repeat(100)[:, None]
        x = size * torch.randn(400, rep.dim, generator=source, dtype=torch.float64)
        moved = torch.einsum("gij,bj->gbi", matrices, x)
        for name, activation in activations().items():
            began = time.process_time()
            verdict = admissible(rep, activation)
            decided = time.process_time()
            f = CoordinateFunctions(activation, rep.dim)
            here, there = f(x), f(moved)
            fitted = here @ torch.linalg.lstsq(here.expand(len(there), *here.shape), there, driver="gelsd").solution
            fit = float(relative_error((there - fitted).norm(dim=(1, 2)), there.norm(dim=(1, 2)), here.norm()).max())
            took["decided"] = took.get("decided", 0.0) + decided - began
            took["fitted"] = took.get("fitted", 0.0) + time.process_time() - decided
            if verdict.output_rep is None:
                error = verdict.witness.error
            else:
                wanted = torch.einsum("gij,bj->gbi", verdict.output_rep.matrix(elements).to(torch.float64), here)
                error = float(relative_error((there - wanted).abs().max(), wanted.abs().max(), there.abs().max()))
            cells.append(Cell(name, rep_name, verdict.holds, fit, error))
    return cells


def activations() -> dict[str, Any]:
    """Forty functions, by name."""
    modules = [
        *(nn.Identity(), nn.ReLU(), nn.LeakyReLU(0.1), nn.PReLU(), nn.RReLU().eval(), nn.ReLU6(), nn.ELU(), nn.CELU(), nn.SELU()),
        *(
            nn.GELU(),
            nn.SiLU(),
            nn.Mish(),
            nn.Hardswish(),
            nn.Hardsigmoid(),
            nn.Sigmoid(),
            nn.LogSigmoid(),
            nn.Softplus(),
            nn.Tanh(),
        ),
        *(nn.Softsign(), nn.Tanhshrink(), nn.Softshrink(), nn.Hardshrink(), nn.Hardtanh()),
    ]
    found: dict[str, Any] = {type(m).__name__: m for m in modules}
    found |= {
        "LeakyReLU(-1)": nn.LeakyReLU(-1.0),
        "Hardtanh(-1, 2)": nn.Hardtanh(-1.0, 2.0),
        "Threshold(0.5, 0)": nn.Threshold(0.5, 0.0),
    }
    found |= {
        f.__name__: f for f in (torch.sin, torch.cos, torch.abs, torch.square, torch.sign, torch.atan, torch.asinh, torch.erf)
    }
    return found | {
        "x^3": lambda x: x**3,
        "ReLU^2": lambda x: x.clamp(min=0) ** 2,
        "exp(-x^2)": lambda x: torch.exp(-x * x),
        "x + x^2": lambda x: x + x * x,
        "2x + 1": lambda x: 2 * x + 1,
        "log-periodic": lambda x: x * (2 + torch.sin(2 * math.pi * x.abs().clamp_min(1e-300).log2())),
    }


def representations() -> dict[str, Rep]:
    """Representations in a basis, by name."""
    S3, S4, S5, C4, C6, D4, D5, D6 = (
        Symmetric(3),
        Symmetric(4),
        Symmetric(5),
        Cyclic(4),
        Cyclic(6),
        Dihedral(4),
        Dihedral(5),
        Dihedral(6),
    )
    adapted = torch.linalg.qr(torch.cat([torch.ones(4, 1), torch.eye(4)[:, :3]], 1).double())[0]
    signed = [[[-1.0, 0, 0], [0, 1, 0], [0, 0, 1]], [[0.0, 1, 0], [1, 0, 0], [0, 0, 1]], [[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]]
    B3 = _matrices(*signed)
    boost = MatrixGroup(algebra=LieAlgebra(torch.tensor([[[0.0, 1.0], [1.0, 0.0]]], dtype=torch.float64)))
    product = DirectProduct(S3, SO(3))
    flips = generated(D4, D4.generators[-1:])
    return {
        "S4 vector": S4.vector, "S4 pairs": S4.vector**2, "S4 sign": S4.pseudoscalar, "S4 adapted": InBasis(S4.vector, adapted),
        "S5 vector": S5.vector, "S5 sign ⊗ vector": S5.pseudoscalar @ S5.vector, "S4 / Klein": _by_klein(S4),
        "C3 ρ1": Cyclic(3).irrep(1), "C4 regular": C4.regular, "C4 ρ1": C4.irrep(1), "C4 ρ2": C4.irrep(2), "C5 ρ2": Cyclic(5).irrep(2),
        "C6 ρ1": C6.irrep(1), "C6 ρ2": C6.irrep(2), "C6 ρ3": C6.irrep(3),
        "D4 regular": D4.regular, "D4 / flips": Induced(flips), "D4 flip": D4.irrep("flip"), "D4 ρ1": D4.irrep(1),
        "D4 ρ1 turned 30": InBasis(D4.irrep(1), _turn(30)), "D4 ρ1 turned 45": InBasis(D4.irrep(1), _turn(45)),
        "D3 ρ1": Dihedral(3).irrep(1), "D5 ρ1": D5.irrep(1), "D5 scalar + ρ2": D5.scalar + D5.irrep(2), "D6 turn": D6.irrep("turn"),
        "B3 vector": B3.vector, "B3 vector ⊗ vector": B3.vector**2, "B3 det": B3.pseudoscalar,
        "SO(2) scalars": 3 * SO(2).scalar, "SO(2) ρ1": SO(2).irrep(1), "SO(2) ρ3": SO(2).irrep(3), "O(2) ρ2": O(2).irrep(2),
        "SO(3) l=1": SO(3).irrep(1), "SO(3) l=2": SO(3).irrep(2), "O(3) det": O(3).pseudoscalar, "O(3) axial": O(3).irrep(1, 1),
        "SO(1,1) vector": boost.vector, "SO(1,1) light cone": InBasis(boost.vector, torch.tensor([[1.0, 1.0], [1.0, -1.0]])),
        "dilations": Scalings(3).vector, "diag(2, 1/2)": _matrices([[2.0, 0.0], [0.0, 0.5]]).vector,
        "monomial ±": _matrices([[0.0, -2.0], [3.0, 0.0]]).vector, "S3 × SO(3), points": product.lift(0, S3.vector),
    }  # fmt: skip


def _matrices(*matrices: Any) -> MatrixGroup:
    return MatrixGroup([torch.tensor(m, dtype=torch.float64) for m in matrices])


def _by_klein(group: Group) -> Rep:
    """S_4 on the cosets of its normal subgroup of order four: no space of tensor indices."""
    return Induced(generated(group, torch.tensor([[1, 0, 3, 2], [2, 3, 0, 1]])))


def _turn(degrees: float) -> Tensor:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return torch.tensor([[c, -s], [s, c]], dtype=torch.float64)


# ---- subgroups ----


def count_classes(full: bool = False) -> dict[str, tuple[int, int]]:
    """For each group the number of classes of subgroups found, and the published one."""
    i = [[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]]
    j = [[0.0, 0, -1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, -1, 0, 0]]
    groups: dict[str, Group] = {f"S_{n}": Symmetric(n) for n in (3, 4, 5, 6)}
    groups |= {
        "A_4": Alternating(4),
        "A_5": Alternating(5),
        "D_4": Dihedral(4),
        "D_6": Dihedral(6),
        "Q_8": _matrices(i, j),
        "C_12": Cyclic(12),
    }
    known = dict(COUNTS)
    if full:
        groups["S_7"], known["S_7"] = Symmetric(7), 96
    return {name: (len(subgroup_classes(group)), known[name]) for name, group in groups.items()}


# ---- the report ----


def _outcome(
    config: Config, cells: list[Cell], took: dict[str, float], counts: dict[str, tuple[int, int]], seconds: float
) -> Outcome:
    yes, no = [c for c in cells if c.holds], [c for c in cells if not c.holds]
    agreeing = sum(c.holds == (c.fit <= 1e-9) for c in cells)
    connected = [
        c for c in cells if c.representation.startswith(("SO(2) ρ", "SO(3)")) and c.activation not in ("Identity", "2x + 1")
    ]
    scale = f"{len(activations())} activations on {len(representations())} representations"
    claims = [
        Claim(
            "the decision agrees with brute force in every cell",
            len(cells), agreeing, agreeing == len(cells), scale=scale,
            note="brute force: the best output matrix for each of 6 to 12 random elements, fitted to 400 inputs", source=SOURCE,
            key="brute-force",
        ),
        Claim(
            "where it says yes, the stated output representation holds to 1e-12",
            None, max(c.error for c in yes), max(c.error for c in yes) <= 1e-12, scale=f"{len(yes)} cells", note="largest relative error",
            key="yes-and-no",
        ),
        Claim(
            "where it says no, its counterexample is off by more than 1e-3",
            None, min(c.error for c in no), min(c.error for c in no) > 1e-3, scale=f"{len(no)} cells", note="smallest relative error",
            key="yes-and-no",
        ),
        Claim(
            "non-trivial representations of connected compact groups admit no activation that is not affine",
            0, sum(c.holds for c in connected), not any(c.holds for c in connected), scale=f"{len(connected)} cells", source=SOURCE,
            key="connected",
        ),
        Claim(
            "subgroups up to conjugacy are as many as published",
            sum(k for _, k in counts.values()), sum(n for n, _ in counts.values()), all(n == k for n, k in counts.values()),
            scale=", ".join(counts), note="sum over the groups", source="OEIS A000638 for symmetric groups",
            key="subgroups",
        ),
    ]  # fmt: skip
    names, reps = list(activations()), list(representations())
    holds = {(c.activation, c.representation): c.holds for c in cells}
    figure = heatmap(
        [[float(holds[a, r]) for r in reps] for a in names],
        title="Which activation is exactly equivariant on which representation",
        row_labels=names,
        column_labels=reps,
        colour_label="1: admissible",
        caption="Decided from generators; every cell agrees with a brute-force fit."
        if agreeing == len(cells)
        else "Decided from generators.",
    )
    sections = [
        Section(
            "The table",
            [
                "An activation that is not affine commutes with a matrix only if every row has one non-zero entry, and every such entry "
                "rescales the activation's argument in a way that rescales its value. Columns that differ in the basis alone differ here."
            ],
            figures=[figure],
        ),
        Section(
            "Feature spaces of invariant graph networks",
            ["Every subgroup up to conjugacy is one space S_n/H on which all activations are admissible; tensors use few of them."],
            tables=[Table("Classes of subgroups", ["group", "found", "published"], [[g, n, k] for g, (n, k) in counts.items()])],
        ),
    ]
    return Outcome(
        name="pointwise",
        title="Which point-wise activations are exactly equivariant",
        config=config,
        claims=Claims(claims),
        metrics={
            "cells": [c._asdict() for c in cells],
            "counts": {name: list(pair) for name, pair in counts.items()},
        },
        sections=sections,
        rivals=[
            Rival(
                "a brute-force fit of output matrices",
                "the decision by generators",
                f"CPU seconds for {len(cells)} cells, all alike" if agreeing == len(cells) else "CPU seconds for all cells",
                took["decided"],
                took["fitted"],
                "lower",
                settings="400 inputs, 6 to 12 random elements, the matrices already made",
                scale=scale,
                unit="s",
                note="the decision proves its yes, names the output representation and gives a counterexample for a no; a fit does not",
            )
        ],
        seconds=seconds,
        answer=f"Of {len(cells)} pairs {len(yes)} are exactly equivariant and {len(no)} are not; the decision agrees with brute force in "
        f"{agreeing}.",
        key_numbers=[
            KeyNumber("pairs decided", len(cells), note=f"{len(yes)} admissible"),
            KeyNumber("agreement with brute force", agreeing / len(cells)),
        ],
    )


STUDY = Study(
    name="pointwise",
    system=14,
    title="Which point-wise activations are exactly equivariant: the decision against brute force",
    source=SOURCE,
    config=Config,
    run=run,
    claims={
        RIVAL: RIVAL_CLAIM,
        "brute-force": "the decision agrees with brute force for 40 activations on more than 40 representations",
        "yes-and-no": "a yes holds to 1e-12, a no comes with a counterexample above 1e-3",
        "connected": "connected compact groups admit nothing on non-trivial representations",
        "subgroups": "classes of subgroups are as many as published",
    },
)
