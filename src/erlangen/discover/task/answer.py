"""`TaskSymmetries`: what was found of a task's affine symmetries, how clearly, and whether it is claimed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from erlangen.discover.finding import Finding
from erlangen.discover.task.imposed import Imposed
from erlangen.groups.affine_algebra import AffineAlgebra, affine_algebra
from erlangen.groups.base import Group
from erlangen.groups.parts_algebra import PartsAlgebra, parts_algebra

#: A violation above this is none of a symmetry; and the next one must be larger by this factor.
CEILING, GAP = 0.3, 2.3
#: Violations below this are alike.
FLOOR = 0.01
#: A violation is one of the predictor's making up to this multiple of how far its members are apart, and below the second number.
SURE, NEGLIGIBLE = 4.0, 0.03
#: A predictor that leaves more of the target's variance is too rough for a symmetry to be called exact.
ROUGH = 0.5
#: One that leaves more than this is too rough to rule a symmetry out.
FINE = 0.01
#: Standard errors by which imposing an approximate algebra must lower the held-out error for it to be claimed.
ERRORS = 2.0


@dataclass(frozen=True)
class TaskSymmetries:
    """The affine symmetries of a task. Falsy where none was found that holds.

    An approximate one is described, and claimed only where imposing it lowers the held-out error; it is not called exact.

    Attributes:
        algebra: the Lie algebra with its name, parts and form, approximate where not ``exact``; ``None`` without one.
        law: of numbers, ``[k, m, m + 1]``, rows ``(C | c)``: how they move under each generator; ``None`` where they stay, and of vectors.
        raw: the span before it was made exact, ``[k, n, n + 1]``.
        violations: of all directions, ascending: the part of an unrelated move's effect.
        noise: of each, how far the members of the predictor are apart.
        error: held-out squared error of the predictor, as a part of the target's variance.
        imposed: the same with the algebra imposed, and with unrelated moves of the same size imposed; ``None`` without an algebra.
        bounds: ``[2, 2]``: between which numbers the two sides of the gap lie in nine of ten draws of samples and of the predictor's
            members; ``None`` without an algebra.
        exact: whether no violation was seen beyond what the predictor leaves open.
        idle: directions ``[r, n]`` of the tokens on which the task does not depend.
        reason: one line: why this many, or why none.
        predictor: what the predictor is.
        seconds: what it took.
        gain: by how much imposing an approximate algebra lowers the held-out error, as a part of the target's variance, and the standard
            error of that over splits; ``None`` where that was not asked.
    """

    algebra: AffineAlgebra | None
    law: Tensor | None
    raw: Tensor | None
    violations: Tensor
    noise: Tensor
    error: float
    imposed: Imposed | None
    bounds: Tensor | None
    exact: bool
    idle: Tensor
    reason: str
    predictor: str
    seconds: float
    gain: tuple[float, float] | None = None

    def __bool__(self) -> bool:
        return self.algebra is not None and (self.exact or self.helps)

    @property
    def helps(self) -> bool:
        """Whether imposing an approximate algebra lowers the held-out error by more than chance."""
        return self.gain is not None and self.gain[0] > ERRORS * self.gain[1]

    @property
    def generators(self) -> Tensor:
        """``[k, n, n + 1]``; ``k = 0`` where no symmetry holds (``algebra`` has those of an approximate one)."""
        if self and self.algebra is not None:
            return self.algebra.generators
        n = self.idle.shape[1]
        return torch.zeros(0, n, n + 1, dtype=torch.float64)

    @property
    def group(self) -> Group | None:
        """The connected group, which acts on tokens by ``group.point``; ``None`` where no symmetry holds."""
        return self.algebra.group if self and self.algebra is not None else None

    @property
    def doubt(self) -> str:
        """Why what was found is not called exact."""
        if self.error > ROUGH:
            return f"not sure, for the predictor is rough (held-out R² {1 - self.error:.2f})"
        seen = f"approximate: a violation of {self.gap[0]:.0%} is seen"
        if not self.helps or self.gain is None:
            return seen
        return f"{seen}, but imposing it lowers the held-out error by {self.gain[0]:.2g} ± {self.gain[1]:.1g}"

    @property
    def gap(self) -> tuple[float, float]:
        """The largest violation inside and the smallest outside of what was found."""
        k = 0 if self.algebra is None else self.algebra.dim
        inside = float(self.violations[k - 1]) if k else 0.0
        return inside, float(self.violations[k]) if k < len(self.violations) else math.inf

    @property
    def gap_words(self) -> str:
        """The two sides of the gap with their intervals."""
        sides = [f"{side:.2g}" for side in self.gap]
        if self.bounds is not None:
            sides = [f"{side} [{low:.2g}, {high:.2g}]" for side, (low, high) in zip(sides, self.bounds.tolist())]
        return " | ".join(sides)

    @property
    def undecided(self) -> int:
        """How many further directions lie before another gap: they are neither found nor excluded."""
        k = 0 if self.algebra is None else self.algebra.dim
        return max((j - k for j, _ in gaps(self.violations) if j > k), default=0) if k else 0

    def excludes(self, dim: int) -> bool:
        """Whether the task, seen through a predictor that explains nearly all, keeps no algebra of so many dimensions exactly.

        Of any ``dim`` directions one is violated at least as much as the ``dim``-th in order.
        """
        if self.error > FINE or len(self.idle) or not 1 <= dim <= len(self.violations):
            return False
        return float(self.violations[dim - 1]) > left_open(float(self.noise[dim - 1]))

    @property
    def decided(self) -> bool:
        """Whether a symmetry was found, or is ruled out by a predictor that explains nearly all: nothing is left to look for."""
        alike = self.error <= FINE and len(self.violations) > 0
        return bool(self) or (alike and float(self.violations[0]) > left_open(float(self.noise[0])))

    def __str__(self) -> str:
        if self.algebra is None:
            return f"no symmetry of the task: {self.reason}"
        inside, outside = self.gap
        a = self.algebra
        law = "" if self.law is None else "; the target moves along by a law of its own"
        exact = "" if self.exact else f"; {self.doubt}" + ("" if self else ", so it is not claimed")
        held = "" if self.imposed is None else f"; held out: {self.imposed}"
        more = self.undecided
        least = "at least " if more else ""
        beyond = f"; {more} more direction{'s are' if more > 1 else ' is'} not excluded" if more else ""
        count = f"{a.dim} generator{'s' if a.dim > 1 else ''}"
        return f"{least}{a.name}: {count}, gap {inside:.2g} | {outside:.2g}, {a.words}{law}{exact}{beyond}{held}"

    def finding(self) -> Finding:
        """In the terms that all discoverers share."""
        if self.algebra is None:
            return Finding("task, by derivatives", "nothing", None, False, self.seconds, self.reason)
        inside = self.gap[0]
        note = f"gap {self.gap_words}; {self.algebra.words}; predictor's held-out R² {1 - self.error:.3f}"
        note += "" if self.exact else f"; {self.doubt}"
        note += f"; at least: {self.undecided} more not excluded" if self.undecided else ""
        return Finding(
            "task, by derivatives", self.algebra.name, max(0.0, 1 - inside), bool(self), self.seconds, note, self.algebra.group
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TaskSymmetries:
        """The inverse of :meth:`as_dict`."""

        def tensor(values: Any, *shape: int) -> Tensor:
            return torch.tensor(values, dtype=torch.float64).reshape(*shape)

        generators = data["algebra"]
        n = data["dim"]
        return cls(
            _algebra(tensor(generators, -1, n, n + 1), data) if generators else None,
            None if data["law"] is None else torch.tensor(data["law"], dtype=torch.float64),
            None if data["raw"] is None else torch.tensor(data["raw"], dtype=torch.float64),
            tensor(data["violations"], -1),
            tensor(data["noise"], -1),
            data["error"],
            None if data["imposed"] is None else Imposed(**data["imposed"]),
            None if data["bounds"] is None else tensor(data["bounds"], 2, 2),
            data["exact"],
            tensor(data["idle"], -1, n),
            data["reason"],
            data["predictor"],
            data["seconds"],
            None if data["gain"] is None else (data["gain"][0], data["gain"][1]),
        )

    def as_dict(self) -> dict[str, Any]:
        """Every number, ready for JSON."""
        return {
            "dim": self.idle.shape[1],
            "raw": None if self.raw is None else self.raw.tolist(),
            "name": None if self.algebra is None else self.algebra.name,
            "algebra": [] if self.algebra is None else self.algebra.generators.tolist(),
            "parts": self.algebra.as_parts() if isinstance(self.algebra, PartsAlgebra) else None,
            "units": None if self.algebra is None else self.algebra.units.tolist(),
            "origin": None if self.algebra is None else self.algebra.origin.tolist(),
            "generators": self.generators.tolist(),
            "law": None if self.law is None else self.law.tolist(),
            "violations": self.violations.tolist(),
            "noise": self.noise.tolist(),
            "error": self.error,
            "imposed": None if self.imposed is None else self.imposed.as_dict(),
            "bounds": None if self.bounds is None else self.bounds.tolist(),
            "exact": self.exact,
            "idle": self.idle.tolist(),
            "reason": self.reason,
            "predictor": self.predictor,
            "seconds": self.seconds,
            "gain": self.gain,
        }


def _algebra(generators: Tensor, data: dict[str, Any]) -> AffineAlgebra:
    """The algebra of generators, or of several spaces, from what was written of it."""
    units, origin = (torch.tensor(data[key], dtype=torch.float64) for key in ("units", "origin"))
    if (parts := data["parts"]) is None:
        return affine_algebra(generators, units, origin)
    return parts_algebra(generators, parts["sizes"], parts["names"], units)


def gaps(violations: Tensor) -> list[tuple[int, float]]:
    """Gaps after small violations: after how many, and by which factor."""
    v = violations.tolist()
    every = ((k, v[k] / max(v[k - 1], FLOOR)) for k in range(1, len(v)) if v[k - 1] <= CEILING)
    return [(k, ratio) for k, ratio in every if ratio >= GAP]


def left_open(noise: float) -> float:
    """Up to which violation members that are so far apart tell nothing."""
    return max(SURE * noise, NEGLIGIBLE)
