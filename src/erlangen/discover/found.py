"""`Discovered`: the one answer of all discoverers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from erlangen.discover.evidence import share_told
from erlangen.discover.finding import FINDING_COLUMNS, Finding
from erlangen.discover.soft.belief import Belief
from erlangen.discover.task import TaskSymmetries
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.algebra_forms import Metric
from erlangen.groups.base import Group
from erlangen.groups.matrix import MatrixGroup
from erlangen.groups.named_algebras import nearest_named
from erlangen.serialization import read_tensors, weights_bytes, write_bytes
from erlangen.verdict import Verdict

Source = Literal["distribution", "task", "belief"]

#: A metric this close to a standard one (cosine) counts as it.
SAME = 0.98


@dataclass(frozen=True)
class Candidate:
    """What one discoverer found.

    Attributes:
        method: e.g. ``"LieGAN, 7 channels"``.
        name: of the algebra found, e.g. ``"so(1,3)"``; empty when nothing was.
        algebra: the exact (snapped) algebra.
        learned: the matrices before snapping.
        overlap: how well the two agree, from 0 to 1.
        verdict: the held-out evidence for ``algebra``.
        seconds: what the search took; judging its finding comes on top.
        note: one line.
    """

    method: str
    name: str = ""
    algebra: LieAlgebra | None = None
    learned: Tensor | None = None
    overlap: float = 0.0
    verdict: Verdict | None = None
    seconds: float = 0.0
    note: str = ""

    def row(self) -> list[Any]:
        """For a table, in the order of :data:`COLUMNS`."""
        v = self.verdict
        held = None if v is None else ("yes" if v else "no")
        return [
            self.method,
            self.name or "nothing",
            None if self.algebra is None else self.algebra.dim,
            self.overlap if self.algebra is not None else None,
            None if v is None else v["auc"],
            None if v is None else v["auc_random"],
            held,
            self.seconds,
            self.note,
        ]

    def finding(self) -> Finding:
        """The same in the terms that all discoverers share; the confidence compares the judge's excess over chance."""
        v = self.verdict
        confidence, note = None, self.note
        if v is not None:
            # What does not hold has the confidence that the data leave no doubt about, and the reason beside it.
            auc = v["auc"] if v or v.interval is None else v.interval[1]
            confidence = 1 - min(1.0, share_told(auc, v["auc_random"]))
            note = note if v else "; ".join(filter(None, (v.reason, note)))
        group = None if self.algebra is None else group_of(self.algebra)
        return Finding(self.method, self.name or "nothing", confidence, bool(v), self.seconds, note, group)


#: The columns of a table of candidates.
COLUMNS = ("method", "found", "dim", "overlap", "AUC", "AUC, random moves", "holds", "seconds", "note")


@dataclass(frozen=True)
class Discovered:
    """Which symmetry the data have. Falsy when none was found.

    Attributes:
        algebra: the Lie algebra found, exact; ``None`` when there is none.
        verdict: the held-out evidence for it (or against the best candidate).
        candidates: what every discoverer found.
        metric: the symmetric form that the learned generators keep best; ``None`` where no generator was learned.
        cosine: of that metric with the standard form of the same signature (Minkowski, Euclidean); 0 without a metric.
        ambiguity: what the data leave open.
        note: one line more.
        names: of the token's components.
        others: findings of discoverers that do not look for an algebra of the tokens' distribution.
        belief: how well each candidate group fits the task; ``None`` without a target, and in answers read from a file.
        task: the symmetries of the task by derivatives; ``None`` without a target.
        source: what the answer rests on: ``"distribution"`` of the inputs (with what belongs to them), ``"task"`` or ``"belief"``.
    """

    algebra: LieAlgebra | None
    verdict: Verdict
    candidates: Sequence[Candidate] = ()
    metric: Metric | None = None
    cosine: float = 0.0
    ambiguity: str = ""
    note: str = ""
    names: Sequence[str] = field(default=())
    others: Sequence[Finding] = ()
    belief: Belief | None = None
    task: TaskSymmetries | None = None
    source: Source = "distribution"

    def __bool__(self) -> bool:
        return self.algebra is not None

    @property
    def group(self) -> Group:
        """The connected group of the algebra, a named one where it has a name; of an exact belief, the group that was believed in.

        Its action on tokens is ``group.point``.

        Raises:
            ValueError: no symmetry was found.
        """
        if self.algebra is None:
            raise ValueError("no symmetry was found, so there is no group")
        if self.source == "task" and self.task is not None and self.task.group is not None:
            return self.task.group
        if self.source == "belief" and self.belief is not None and (believed := self.belief.finding().group) is not None:
            return believed
        return group_of(self.algebra)

    @property
    def findings(self) -> list[Finding]:
        """What every discoverer found, comparable: those of an algebra first, then the others."""
        return [*(c.finding() for c in self.candidates), *self.others]

    @property
    def learned(self) -> Tensor | None:
        """The matrices ``[K, n, n]`` of the learned discoverer that found the algebra, before snapping; ``None`` without one."""
        agree = (c for c in self.candidates if c.verdict and c.method.startswith("LieGAN") and c.algebra == self.algebra)
        return next((c.learned for c in agree), None)

    @property
    def summary(self) -> str:
        """The finding in a few words."""
        if self.algebra is None:
            return "no symmetry found"
        if self.source == "task" and self.task is not None:
            return str(self.task).removeprefix("at least ").removeprefix(f"{self.algebra.name}: ")
        parts = []
        if self.metric is not None and self.cosine:
            parts.append(f"|cos| of the metric {self.cosine:.4f}, signature {self.metric.signature}")
        interval = self.verdict.interval
        if interval is not None:
            parts.append(f"held-out AUC {self.verdict['auc']:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]")
        return "; ".join(parts)

    def __str__(self) -> str:
        if self.algebra is None:
            lines = [f"no symmetry found: {self.verdict.reason}"]
        else:
            lines = [f"{self.algebra.name}: {self.summary}".removesuffix(": "), self.verdict.reason]
            agree = [c for c in self.candidates if c.verdict and c.learned is not None and c.algebra == self.algebra]
            if agree:
                # A closed form agrees with its own algebra by construction; what was learned is the independent witness.
                witness = min(agree, key=lambda c: c.overlap)
                assert witness.learned is not None
                cosines = LieAlgebra(witness.learned).principal_cosines(self.algebra)
                close = int((cosines >= 0.98).sum())
                lines.append(
                    f"{witness.method}: {close} of {len(cosines)} principal cosines with {self.algebra.name} at least 0.98 "
                    f"({_numbers(cosines)})"
                )
        lines += [f"ambiguity: {self.ambiguity}"] if self.ambiguity else []
        lines += [self.note] if self.note else []
        lines += [f"{f.method}: {f.found}{'' if f.holds else ' (does not stand)'}; {f.note}" for f in self.others]
        tried = [f"{c.method} ({_time(c.seconds)}{f', {c.name}' if c.name else ''})" for c in self.candidates]
        lines.append(f"tried: {', '.join(tried) or 'nothing'}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Every number, ready for JSON."""
        return {
            "found": bool(self),
            "name": None if self.algebra is None else self.algebra.name,
            "group": None if self.algebra is None else str(self.group),
            "algebra": None if self.algebra is None else self.algebra.basis.tolist(),
            "verdict": self.verdict.as_dict(),
            "metric": None
            if self.metric is None
            else {
                "form": self.metric.form.tolist(),
                "signature": list(self.metric.signature),
                "residual": self.metric.residual,
                "cosine": self.cosine,
            },
            "ambiguity": self.ambiguity,
            "note": self.note,
            "source": self.source,
            "task": None if self.task is None else self.task.as_dict(),
            "candidates": [dict(zip(COLUMNS, c.row())) for c in self.candidates],
            "findings": [dict(zip(FINDING_COLUMNS, f.row())) for f in self.findings],
        }

    # ---- on disk ----

    def save(self, path: str | Path) -> Path:
        """Write everything to one safetensors file, in one step."""
        tensors, items = {}, []
        for i, c in enumerate(self.candidates):
            item = {k: getattr(c, k) for k in ("method", "name", "overlap", "seconds", "note")}
            item["verdict"] = None if c.verdict is None else c.verdict.as_dict()
            item["algebra"] = None if c.algebra is None else c.algebra.name
            if c.algebra is not None:
                tensors[f"algebra.{i}"] = c.algebra.basis
            if c.learned is not None:
                tensors[f"learned.{i}"] = c.learned
            items.append(item)
        others = []
        for i, f in enumerate(self.others):
            others.append({k: getattr(f, k) for k in ("method", "found", "confidence", "holds", "seconds", "note")})
            if f.group is not None and f.group.algebra is not None:
                tensors[f"other.{i}"], others[-1]["group"] = f.group.algebra.basis, f.group.algebra.name
        if self.algebra is not None:
            tensors["algebra"] = self.algebra.basis
        metric = None
        if self.metric is not None:
            tensors["metric"] = self.metric.form
            metric = {k: v for k, v in vars(self.metric).items() if k != "form"}
        meta = {
            "name": None if self.algebra is None else self.algebra.name,
            "verdict": self.verdict.as_dict(),
            "candidates": items,
            "others": others,
            "metric": metric,
            **{k: getattr(self, k) for k in ("cosine", "ambiguity", "note", "source")},
            "task": None if self.task is None else self.task.as_dict(),
            "names": list(self.names),
        }
        return write_bytes(path, weights_bytes(tensors or {"nothing": torch.zeros(1)}, {"discovered": json.dumps(meta)}))

    @classmethod
    def load(cls, path: str | Path) -> Discovered:
        """The inverse of :meth:`save`."""
        tensors, meta = read_tensors(path, "discovered", "path")
        candidates = [
            Candidate(
                **{k: item[k] for k in ("method", "name", "overlap", "seconds", "note")},
                verdict=_verdict(item["verdict"]),
                algebra=None if item["algebra"] is None else LieAlgebra(tensors[f"algebra.{i}"], item["algebra"]),
                learned=tensors.get(f"learned.{i}"),
            )
            for i, item in enumerate(meta["candidates"])
        ]
        others = [
            Finding(
                **{k: v for k, v in item.items() if k != "group"}, group=group_of(LieAlgebra(tensors[f"other.{i}"], item["group"]))
            )
            if "group" in item
            else Finding(**item)
            for i, item in enumerate(meta["others"])
        ]
        metric = meta["metric"]
        verdict = _verdict(meta["verdict"])
        assert verdict is not None
        return cls(
            None if meta["name"] is None else LieAlgebra(tensors["algebra"], meta["name"]),
            verdict,
            candidates,
            None if metric is None else Metric(form=tensors["metric"], **{**metric, "signature": tuple(metric["signature"])}),
            meta["cosine"],
            meta["ambiguity"],
            meta["note"],
            meta["names"],
            others,
            task=None if meta["task"] is None else TaskSymmetries.from_dict(meta["task"]),
            source=meta["source"],
        )


def group_of(algebra: LieAlgebra) -> Group:
    """The connected group of an algebra: a named one where it has a name."""
    named = nearest_named(algebra)
    return named.group if named.overlap > 1 - 1e-9 else MatrixGroup(algebra=algebra, name=f"exp {algebra.name}")


def standard_cosine(metric: Metric) -> float:
    """``|cos|`` of a metric with the standard form of its signature, on the coordinate axes in either order of signs."""
    p, q = metric.signature
    n = metric.form.shape[0]
    if p + q != n:
        return 0.0
    diagonal = metric.form.diagonal()
    orders = ([1.0] * p + [-1.0] * q, [-1.0] * q + [1.0] * p)
    return max(abs(float(diagonal @ diagonal.new_tensor(signs))) for signs in orders) / n**0.5 / float(metric.form.norm())


def _verdict(data: dict[str, Any] | None) -> Verdict | None:
    if data is None:
        return None
    interval = data["interval"]
    return Verdict(**{**data, "interval": None if interval is None else tuple(interval)})


def _numbers(values: Tensor) -> str:
    return ", ".join(f"{float(v):.3f}" for v in values)


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 0.1 else f"{1e3 * seconds:.0f} ms"
