"""One answer: the inputs' distribution, the task's derivatives and the graded belief, and which of them decides."""

from __future__ import annotations

from dataclasses import replace

from erlangen.data.distinct import distinct
from erlangen.discover.finding import Finding
from erlangen.discover.found import Discovered
from erlangen.discover.samples import MOST_COMPONENTS, Samples
from erlangen.discover.task import TaskSymmetries, task_symmetries_of
from erlangen.discover.task.answer import ROUGH
from erlangen.discover.task.discrete import discrete_symmetries
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.base import Group
from erlangen.verdict import Verdict

#: A task whose predictor explains this part of the variance goes before what the inputs look like.
SURE = 0.8


def task_answer(data: Samples, seed: int) -> TaskSymmetries | None:
    """The task's symmetries by derivatives; ``None`` without a target that varies, or with several tokens of more than 32
    components."""
    if data.x.shape[2] > MOST_COMPONENTS and data.x.shape[1] > 1:
        return None
    target = data.y if data.y.shape[1] else data.scalars if data.labels is None else data.labels
    if not target.numel() or bool((target == target[:1]).all()):
        return None
    return task_symmetries_of(data, seed=seed)


def discrete_answer(data: Samples, task: TaskSymmetries | None, seed: int) -> Finding | None:
    """Permutations of tokens and signed permutations of components that the task keeps; ``None`` where a predictor is too rough."""
    if task is None or task.error > ROUGH:
        return None
    if data.y.shape[1]:
        return discrete_symmetries(data.x, data.y, target="vector", continuous=task, seed=seed).finding()
    if data.labels is not None:
        return discrete_symmetries(data.x, data.labels, target="class", continuous=task, seed=seed).finding()
    return discrete_symmetries(data.x, data.scalars, target="scalar", continuous=task, seed=seed).finding()


def united(found: Discovered, data: Samples) -> Discovered:
    """Choose, and say why.

    What the task keeps goes before what the inputs look like: their distribution may have more symmetries than the task, or fewer. An
    algebra of the distribution was judged with what belongs to the inputs; where it is larger than what derivatives see, it stays, and the
    note says so, unless the task is known so well that it rules such an algebra out. Where neither has found anything, an exact belief is
    the answer.
    """
    task, own = found.task, found.algebra
    if task is not None and task and task.algebra is not None:
        algebra = _algebra(task.group)
        if algebra is not None:
            if own is None:
                asked = any(c.method.startswith("LieGAN") for c in found.candidates)
                alone = f"of the inputs' distribution alone: {found.verdict.reason}" if asked else "the inputs alone were not asked"
                return _by_task(found, task, algebra, f"the task decides; {alone}")
            if own.n == algebra.n and own.same_span(algebra, 1e-6):
                return replace(found, note=_also(found.note, "the task's derivatives say the same"))
            if 1 - task.error >= SURE and (task.algebra.dim > own.dim or data.labels is None):
                why = f"the inputs are distributed as {own.name} would have it, but the task keeps {task.algebra.name}"
                return _by_task(found, task, algebra, why)
            why = f"the task's derivatives say {task.algebra.name}, by a predictor with a held-out R² of {1 - task.error:.2f}"
            return replace(found, note=_also(found.note, why))
    if own is not None and task is not None and data.labels is None and task.excludes(own.dim):
        seen = f"the inputs are distributed as {own.name} would have it, but the task does not keep it exactly"
        seen += f" (held-out R² {1 - task.error:.3f}, a violation of {float(task.violations[own.dim - 1]):.0%} at the least)"
        hint = "--soft learns how far, --group imposes it all the same"
        verdict = Verdict(False, "the task keeps the algebra of its inputs", "statistical", tried=len(task.violations), reason=seen)
        found = replace(found, algebra=None, verdict=verdict, metric=None, cosine=0.0, note=_also(found.note, f"{seen}; {hint}"))
    elif own is not None:
        said = ""
        if task is not None:
            said = (
                f"the task's derivatives do not tell: {task.reason}" if task.algebra is None else f"the task's derivatives: {task}"
            )
        return replace(found, note=_also(found.note, said))
    if found.belief is not None:
        finding = found.belief.finding()
        algebra = _algebra(finding.group)
        excluded = algebra is not None and task is not None and data.labels is None and task.excludes(algebra.dim)
        if finding.holds and finding.group is not None and algebra is not None and not excluded:
            verdict = Verdict(
                True,
                "a model that has the symmetry predicts held-out data as well as one that has not",
                "statistical",
                tried=len(distinct(data.x)),
                numbers={"degree": found.belief[finding.group.name].degree} if finding.group.name in found.belief.groups else {},
                reason=finding.note,
            )
            note = "an exact belief decides" + ("" if task is None else f"; the task's derivatives: {_said(task)}")
            return replace(found, algebra=algebra, verdict=verdict, source="belief", note=_also(found.note, note))
    return replace(found, note=_also(found.note, "" if task is None else f"of the task: {_said(task)}"))


def _said(task: TaskSymmetries) -> str:
    return task.reason if task.algebra is None else str(task)


def _by_task(found: Discovered, task: TaskSymmetries, algebra: LieAlgebra, note: str) -> Discovered:
    inside, outside = task.gap
    numbers = {"violation": inside, "next": outside, "predictor's error": task.error}
    if task.imposed is not None:
        numbers |= {"error with it imposed": task.imposed.error, "error with unrelated moves imposed": task.imposed.unrelated}
    verdict = Verdict(
        True,
        "the task does not notice the algebra's moves, or follows them by a law",
        "statistical",
        tried=len(task.violations),
        numbers=numbers,
        reason=f"violations inside of the algebra end at {inside:.2g}, those outside begin at {outside:.2g}"
        + ("" if task.exact else f"; {task.doubt}"),
    )
    assert task.algebra is not None
    algebra = LieAlgebra(algebra.basis, task.algebra.name)
    return replace(found, algebra=algebra, verdict=verdict, source="task", note=_also(found.note, note), metric=None, cosine=0.0)


def _algebra(group: Group | None) -> LieAlgebra | None:
    return None if group is None else group.algebra


def _also(note: str, more: str) -> str:
    return "; ".join(part for part in (note, more) if part)
