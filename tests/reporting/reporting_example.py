"""A report as a discovery would make it; the numbers are made up, the shape is real."""

from __future__ import annotations

import numpy as np
import torch

from erlangen.reporting import (
    Claim,
    Claims,
    KeyNumber,
    Line,
    Matrix,
    Outcome,
    PlusMinus,
    Section,
    Table,
    bars_with_error,
    heatmap,
    histogram,
    lines_with_band,
    scatter,
)

HOSTILE = "<script>alert(1)</script>"
MOMENTUM = ["E", "px", "py", "pz"]


def lorentz_generators() -> list[torch.Tensor]:
    """Three boosts and three rotations, with the noise of a fit."""
    noise = torch.Generator().manual_seed(0)
    basis = []
    for i in range(4):
        for j in range(i + 1, 4):
            matrix = torch.zeros(4, 4, dtype=torch.float64)
            matrix[i, j], matrix[j, i] = 1.0, 1.0 if i == 0 else -1.0
            basis.append(matrix + 0.01 * torch.randn(4, 4, generator=noise, dtype=torch.float64))
    return basis


def example(hostile: bool = False) -> Outcome:
    """The example; with ``hostile`` the same with a script in every text."""
    evil = f" {HOSTILE}" if hostile else ""
    rng = np.random.default_rng(0)
    steps = np.arange(0, 2001, 50)
    decay = np.exp(-steps / 600)
    plain_runs = 0.22 + 0.45 * decay + 0.012 * rng.standard_normal((3, steps.size))
    symmetric_runs = 0.19 + 0.47 * decay**1.8 + 0.008 * rng.standard_normal((3, steps.size))
    metric = torch.diag(torch.tensor([-0.5031, 0.4987, 0.5012, 0.4969], dtype=torch.float64)) + 0.004
    claims = Claims(
        [
            Claim(
                "The invariant metric of the algebra found is Minkowski's" + evil,
                0.9975,
                0.9994,
                True,
                baseline=0.61,
                scale="3,000 jets, 2 constituents, 3 seeds" + evil,
                note="Absolute cosine between the two forms." + evil,
                source="Yang et al. 2023, arXiv:2302.00236" + evil,
            ),
            Claim(
                "The symmetrized classifier keeps its AUC under random Lorentz transformations, to 1e-3",
                None,
                PlusMinus(0.00004, 0.00002),
                True,
                baseline=PlusMinus(0.2113, 0.0154),
                scale="γ up to 5, 1,000 jets",
                note="Largest change of AUC over 5 draws.",
            ),
            Claim(
                "The symmetrized classifier is within 0.002 of the plain one on untouched jets",
                0.0011,
                0.0087,
                False,
                baseline=0.0,
                scale="1,000 held-out jets, 3 seeds",
                note="Two constituents carry too little for the larger network of the source.",
                source="Yang et al. 2023, table 2",
            ),
            Claim("Equivariance error in float64 is at most 1e-10", None, 3.1e-13, True, baseline=0.41, scale="64 boosts"),
            Claim("A symmetrized step costs at most three plain ones", None, 2.4, True, baseline=1.0, unit="×"),
        ]
    )
    settings = ["held-out", "boosted", "rotated", "both"]
    auc = {"plain": [0.9312, 0.7201, 0.8617, 0.6983], "symmetrized": [0.9225, 0.9225, 0.9224, 0.9225]}
    spread = {"plain": [0.0021, 0.0141, 0.0088, 0.0173], "symmetrized": [0.0019] * 4}
    table = Table(
        "AUC by model and test set" + evil,
        ["model" + evil, *settings, "parameters", "ms per step"],
        [
            ["plain" + evil, *map(PlusMinus, auc["plain"], spread["plain"]), 17_217, 1.94],
            ["symmetrized", *map(PlusMinus, auc["symmetrized"], spread["symmetrized"]), 17_217, 4.66],
            [
                "trained with boosted copies",
                *map(PlusMinus, [0.9187, 0.9024, 0.9141, 0.8998], [0.003] * 4),
                17_217,
                1.98,
            ],
        ],
        "Mean ± one standard deviation over three seeds." + evil,
    )
    algebra = Section(
        "The algebra found" + evil,
        [
            "Six generators survive; after orthonormalisation they close under the bracket to 0.6 % and span so(1,3) "
            "with principal cosines of at least 0.998. The first three mix energy with a momentum: boosts. The "
            "others rotate." + evil
        ],
        matrices=[
            Matrix(f"L{'₁₂₃₄₅₆'[i]}" + evil, generator, MOMENTUM if i == 0 else (), MOMENTUM if i == 0 else (), decimals=2)
            for i, generator in enumerate(lorentz_generators())
        ],
        figures=[
            heatmap(
                metric,
                title="Invariant metric J" + evil,
                row_labels=MOMENTUM,
                column_labels=[name + evil for name in MOMENTUM],
                colour_label="entry" + evil,
                caption="The symmetric form that the generators leave unchanged, of unit norm. Its signature is (1, 3)." + evil,
                alt="Heat map" + evil,
            ),
            histogram(
                {"data" + evil: rng.normal(0, 1, 2000), "transformed": rng.normal(0.05, 1.02, 2000)},
                title="Discriminator score",
                x_label="logit" + evil,
                caption="The discriminator cannot tell the data from their transformed copies.",
            ),
        ],
    )
    training = Section(
        "Plain against symmetrized",
        ["Both networks have the same number of weights, the same data, and the same 2,000 steps."],
        tables=[table],
        figures=[
            bars_with_error(
                settings,
                {name + evil: values for name, values in auc.items()},
                {name + evil: values for name, values in spread.items()},
                title="AUC on held-out and on moved jets",
                x_label="test set" + evil,
                y_label="AUC",
                floor=0.5,
                caption="Bars start at chance level. Error bars: one standard deviation over three seeds.",
            ),
            lines_with_band(
                {
                    "plain" + evil: Line.of_runs(steps, plain_runs),
                    "symmetrized": Line.of_runs(steps, symmetric_runs),
                },
                title="Validation loss",
                x_label="training step",
                y_label="cross entropy (nats)" + evil,
                caption="Mean and one standard deviation over three seeds.",
            ),
            scatter(
                {
                    "top" + evil: (rng.normal(0, 1, 300), rng.normal(0, 1, 300)),
                    "QCD": (rng.normal(1, 1, 300), rng.normal(0, 1, 300)),
                },
                title="Canonical momenta",
                x_label="px (GeV)",
                y_label="py (GeV)",
                equal=True,
            ),
        ],
    )
    return Outcome(
        "liegan-jets",
        "Which symmetry do jets have?" + evil,
        {
            "data": "jets" + evil,
            "seeds": [0, 1, 2],
            "steps": 2000,
            "lr": {"generator": 1e-3, "discriminator": 2e-4},
            "full": False,
        },
        claims,
        metrics={"auc" + evil: auc, "cosine": torch.tensor(0.9994), "diverged": float("nan"), "name": "so(1,3)" + evil},
        sections=[algebra, training],
        seconds=214.3,
        answer="The jets respect the Lorentz group: the algebra found is so(1,3), and a classifier that is made "
        "symmetric under it keeps its accuracy on boosted jets, where the plain one falls from 0.93 to 0.72." + evil,
        key_numbers=[
            KeyNumber("Closest algebra" + evil, "so(1,3)" + evil, note="of 14 named ones"),
            KeyNumber("|cos| with Minkowski", 0.9994, note="source: 0.9975"),
            KeyNumber("AUC, boosted jets", PlusMinus(0.9225, 0.0019), note="plain: 0.72"),
            KeyNumber("Equivariance error", 3.1e-13, note="float64, γ up to 5"),
            KeyNumber("Cost per step", 4.66, "ms" + evil, note="plain: 1.94 ms"),
        ],
    )
