"""The HTML report of an :class:`~erlangen.measure.audit.Audit`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from erlangen.equivariance.error import EquivarianceErrors
from erlangen.reporting import Claims, KeyNumber, Outcome, Section, Table, claim_from, histogram

if TYPE_CHECKING:
    from erlangen.measure.audit import Audit


def audit_outcome(audit: Audit) -> Outcome:
    """The audit as an outcome: claims with verdicts, a histogram of errors, key numbers."""
    figures = []
    if isinstance(audit.equivariance.witness, EquivarianceErrors):  # exact data are right or wrong
        shown = audit.equivariance.witness.relative.flatten().clamp_min(1e-18).log10()
        about = f"{audit.equivariance.tried} elements of {audit.group} on {audit.data}"
        figures.append(
            histogram(
                {"relative error": shown},
                title="Equivariance error of every datum under every group element",
                x_label="log10 of the relative error",
                y_label="density of pairs",
                caption=f"{about}; tolerance {audit.equivariance['tolerance']:.0e}.",
            )
        )
    claims = [claim_from(audit.equivariance, measured=audit.equivariance["worst"], note="the worst relative error")]
    words = [str(audit.equivariance)]
    if not audit.equivariance and not figures:
        words.append(f"A counterexample: {audit.equivariance.witness}")
    sections = [Section("Equivariance", words, figures=figures)]
    numbers = [
        KeyNumber("worst relative error", audit.equivariance["worst"]),
        KeyNumber("mean relative error", audit.equivariance["mean"]),
    ]
    if audit.explanations is not None:
        cosine = audit.explanations["mean_cosine"]
        claims.append(claim_from(audit.explanations, measured=cosine, note="mean cosine of gradients, 1 is perfect"))
        sections.append(
            Section(
                "Explanations",
                [
                    "The gradient at a moved datum, pulled back, against the gradient at the datum itself: an equivariant model explains "
                    "two views of the same thing alike.",
                    str(audit.explanations),
                ],
                figures=[
                    histogram(
                        {"cosine": audit.explanations.witness.flatten()},
                        title="Agreement of explanations",
                        x_label="cosine of gradients",
                        y_label="density of pairs",
                        caption=f"{audit.explanations.tried} elements of {audit.group}; 1 is perfect agreement.",
                    )
                ],
            )
        )
        numbers.append(KeyNumber("mean cosine of explanations", cosine))
    if audit.robustness:
        sections.append(_robustness(audit))
    if audit.left_out:
        sections.append(Section("Not measured", [f"{name}: {reason}" for name, reason in audit.left_out.items()]))
    claims += [
        claim_from(verdict, measured=verdict["error"], note=f"layer {name}, inexact on purpose")
        for name, verdict in audit.inexact.items()
    ]
    numbers.append(KeyNumber("throughput", audit.cost.samples_per_second, unit="samples/s"))
    answer = f"{audit.subject} {'is' if audit.equivariance else 'is not'} {audit.group}-equivariant"
    worst = audit.equivariance["worst"]
    return Outcome(
        name="audit",
        title=f"Audit of {audit.subject} under {audit.group}",
        config={"group": audit.group, "data": audit.data, "elements": audit.equivariance.tried},
        claims=Claims(claims),
        metrics=audit.as_dict(),
        sections=sections,
        answer=f"{answer}: the worst relative error is {worst:.2g}." if math.isfinite(worst) else f"{answer}.",
        key_numbers=numbers,
    )


def _robustness(audit: Audit) -> Section:
    """The table of explainers."""
    rows = []
    for row in audit.robustness:
        numbers = row.score.numbers
        kind = row.score.claim.rsplit("-", 1)[-1]
        rows.append(
            [row.name, kind, numbers["mean"], numbers["worst"], numbers["model_invariance"], row.guarantee, 1e6 * row.seconds]
        )
    heads = ["explainer", "should be", "score", "worst datum", "model's invariance", "beforehand", "microseconds / datum"]
    text = (
        "How alike explanations of moved data and (moved) explanations of the data are, 1 is exact, beside what theory says before "
        "anything is scored: a guarantee holds for invariant models only. An attribution may respect the symmetry and yet be wrong."
    )
    first = audit.robustness[0].score
    return Section(
        "Robustness of explanations",
        [text],
        tables=[Table("Explainers", heads, rows, caption=f"{first.tried} elements of {audit.group}; {first.reason}")],
    )


def write_report(audit: Audit, path: Path) -> Path:
    """Write the page."""
    return audit_outcome(audit).report(path)
