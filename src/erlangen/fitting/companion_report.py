"""What a fit says of its companions: whether boosting on invariants is enough, or a network is worth its training."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from erlangen.fitting.assess import Assessment, ensemble
from erlangen.fitting.companions import INVARIANTS, RAW, Companion
from erlangen.fitting.members import Members
from erlangen.fitting.problem import Problem
from erlangen.reporting import Claim, Section, Table

#: A score that is not above chance by this has learned nothing.
LEARNED = 0.05
#: Draws of the test samples with replacement, for standard errors.
DRAWS = 200


def standard_error(problem: Problem, a: Tensor, b: Tensor, seed: int = 0) -> float:
    """The standard error of the difference of the scores of two predictions of the test data: its deviation over draws of the samples.

    Of classes, samples are drawn within each, so that none is missing in any draw.
    """
    y = problem.test.y
    assert y is not None
    rng = torch.Generator().manual_seed(seed)
    strata = [torch.arange(len(y))] if problem.task.kind != "class" else [(y == label).nonzero()[:, 0] for label in y.unique()]
    differences: list[float] = []
    for _ in range(DRAWS):
        drawn = torch.cat([part[torch.randint(len(part), (len(part),), generator=rng)] for part in strata])
        differences.append(problem.task.score(a[drawn], y[drawn]) - problem.task.score(b[drawn], y[drawn]))
    return statistics.stdev(differences)


@dataclass(frozen=True)
class Comparison:
    """The symmetrized networks beside boosting on the invariants of their group.

    Attributes:
        network: the score of the networks' mean prediction on the test data.
        companion: that of the companion.
        error: the standard error of their difference.
    """

    network: float
    companion: float
    error: float

    @property
    def is_enough(self) -> bool:
        """Whether the networks are not better than the companion by more than the error."""
        return self.network - self.companion <= self.error


def compared(
    problem: Problem, members: Sequence[Members], companions: Sequence[Companion], assessments: dict[str, Assessment]
) -> Comparison | None:
    """The comparison; ``None`` where one of the two is missing."""
    network = next((m for m in members if m.kind.name == "symmetrized"), None)
    companion = next((c for c in companions if c.name == INVARIANTS), None)
    if network is None or companion is None:
        return None
    ours = assessments["symmetrized"]
    with torch.no_grad():
        predicted = companion.model(problem.inputs(problem.test))
    error = standard_error(problem, ensemble(network.models, problem.inputs(problem.test), problem.task), predicted)
    return Comparison(ours.scores[0] if ours.ensemble is None else ours.ensemble, assessments[INVARIANTS].scores[0], error)


def companion_claims(problem: Problem, compared: Comparison | None) -> list[Claim]:
    """That the symmetrized networks are not below their companion by more than a standard error; empty without a comparison."""
    if compared is None:
        return []
    return [
        Claim(
            "the symmetrized networks together are not below boosting on invariants by more than a standard error",
            None,
            compared.network,
            compared.network >= compared.companion - compared.error,
            baseline=compared.companion,
            scale=f"{len(problem.test)} test samples",
            note=f"{problem.task.score_name}; standard error of the difference {compared.error:.2g}",
        )
    ]


def companion_answer(problem: Problem, assessments: dict[str, Assessment], compared: Comparison | None) -> str:
    """In a sentence, what boosting reaches and whether it is enough; empty without companions."""
    raw, invariants = assessments.get(RAW), assessments.get(INVARIANTS)
    if raw is None:
        return ""
    said = f"Gradient boosting reaches {problem.task.score_name} {raw.scores[0]:.4f} on the raw numbers"
    if invariants is not None:
        said += f" and {invariants.scores[0]:.4f} on {invariants.about.partition(' on ')[2]}"
    if compared is None:
        return f"{said}."
    if max(compared.network, compared.companion) < problem.task.chance + LEARNED:
        verdict = f"neither is far from what knowing nothing reaches, {problem.task.chance:.4f}, and which is better says nothing"
    else:
        verdict = "boosting on invariants is enough" if compared.is_enough else "the network does better than boosting"
    return f"{said}; the symmetrized networks together reach {compared.network:.4f}: {verdict}."


def companion_sections(companions: Sequence[Companion], assessments: dict[str, Assessment]) -> list[Section]:
    """What was trained, how long it took, and which columns held-out data preferred; empty without companions."""
    if not companions:
        return []
    rows = [[c.name, c.about, len(c.model.columns), assessments[c.name].scores[0], c.seconds] for c in companions]
    tables = [Table("Gradient boosting", ["model", "what it is", "columns", "score on test data", "seconds"], rows)]
    held = [(words, score) for c in companions for words, score in c.held.items()]
    if held:
        caption = (
            "Default boosting, one model each; by token: every invariant by itself; pooled: sums, sorted values and eigenvalues."
        )
        tables.append(
            Table("Columns that were tried, on held-out data", ["columns", "score"], [list(row) for row in held], caption=caption)
        )
    text = [
        "What one would take instead of a network, in the same run: boosting on the raw numbers, and on numbers that the group leaves "
        "unchanged, which makes it exactly invariant. The last of them is kept as 'companion', and load_fitted reads it."
    ]
    return [Section("Without a network", text, tables=tables)]
