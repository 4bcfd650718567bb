"""What a fit says of graded symmetry: the belief over groups, why a penalty took the frame's place, and how that went."""

from __future__ import annotations

import statistics
from dataclasses import asdict
from typing import Any

from erlangen.discover.soft.belief import Belief
from erlangen.fitting.assess import Assessment
from erlangen.fitting.choice import Choice
from erlangen.fitting.task import Task
from erlangen.reporting import Claim, Section, Table, bars_with_error, repeated

#: Where the best model leaves more of the target's variance than this, nothing was learned.
UNLEARNED = 0.95
#: How far below the plain model a symmetric one may lie on the test data as they are.
NEAR = 0.01


def belief_section(belief: Belief, choice: Choice) -> Section:
    """Each candidate group with its degree, and what imposing it would cost on held-out data."""
    ordered = sorted(belief.groups.values(), key=lambda b: -b.degree)
    rows = [[b.name, b.status, b.degree, b.lowest, b.error, b.free] for b in ordered]
    table = Table(
        "How well each group fits the task",
        ["group", "for the task", "degree", "at least", "held-out error, imposed", "parameters"],
        rows,
        caption=(
            f"Models linear in {belief.features} products of up to {belief.degree} vectors; errors as parts of the target's variance. "
            f"Without symmetry {belief.ridge:.3g}, with a soft penalty on all groups {belief.soft:.3g}."
        ),
    )
    names = [b.name for b in ordered]
    figure = bars_with_error(
        names,
        {"degree": [b.degree for b in ordered]},
        title="Degree of each symmetry",
        y_label="degree",
        caption="1: imposing the group loses nothing on held-out data; 0: as much as imposing an unrelated group of its size.",
    )
    text = [
        "The distribution of the inputs is one question, what is predicted from them another. Here is the second: polynomials of low "
        "degree in closed form, free, exactly equivariant under each group, and under groups that have nothing to do with the data."
    ]
    text += [choice.reason] if choice.reason else []
    return Section("Graded belief", text, tables=[table], figures=[figure] if any(b.degree for b in ordered) else [])


def belief_numbers(belief: Belief) -> dict[str, Any]:
    """Every number of a belief, ready for JSON."""
    return {
        "groups": {name: asdict(b) for name, b in belief.groups.items()},
        "ridge": belief.ridge,
        "soft": belief.soft,
        "soft_degrees": dict(belief.soft_degrees),
        "features": belief.features,
        "samples": belief.samples,
        "seconds": belief.seconds,
        "advice": belief.advice,
    }


def soft_claims(assessments: dict[str, Assessment], task: Task, size: int) -> list[Claim]:
    """Whether the penalty was worth it; empty where none was used."""
    soft, plain, framed = (assessments.get(name) for name in ("soft", "plain", "symmetrized"))
    if soft is None or plain is None:
        return []
    mean = statistics.mean(soft.scores)
    scale = f"{size} test samples, {len(soft.scores)} seeds"
    claims = [
        Claim(
            f"with the penalty the network is within {NEAR} of the plain one or better",
            None,
            repeated(soft.scores),
            mean - statistics.mean(plain.scores) >= -NEAR,
            baseline=repeated(plain.scores),
            scale=scale,
            note=f"{task.score_name}, mean over seeds",
        )
    ]
    if framed is not None:
        claims.append(
            Claim(
                "the penalty is better than imposing the group",
                None,
                repeated(soft.scores),
                mean > statistics.mean(framed.scores),
                baseline=repeated(framed.scores),
                scale=scale,
                note=f"{task.score_name}; baseline: the frame",
            )
        )
    return claims


def soft_answer(assessments: dict[str, Assessment], choice: Choice, task: Task) -> str:
    """What was chosen and how it went, in two sentences; empty without a choice."""
    soft = assessments.get("soft")
    if soft is None:
        return choice.reason
    return f"{choice.reason} With it the network reaches {task.score_name} {statistics.mean(soft.scores):.4f}."


def closed_form_answer(assessments: dict[str, Assessment], belief: Belief | None, task: Task) -> str:
    """Whether the closed form behind the belief would have been enough; empty for classes, which it does not predict."""
    if belief is None or task.error is None:
        return ""
    left = min(belief.soft, belief.ridge)
    name, best = min(((a.name, 1 - statistics.mean(a.scores)) for a in assessments.values()), key=lambda pair: pair[1])
    if min(left, best) > UNLEARNED:
        verdict = "neither has learned the target, and which is better says nothing"
    elif left <= best:
        verdict = "the closed form is enough"
    else:
        verdict = f"{name} is worth its training"
    return (
        f"Ridge regression on products of vectors leaves {left:.2g} of the target's variance on held-out data, the best trained model "
        f"({name}) {best:.2g} on the test data: {verdict}."
    )
