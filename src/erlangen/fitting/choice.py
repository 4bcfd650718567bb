"""Frame or penalty: what a fit does with the symmetries that its data have, exactly or nearly, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from erlangen.discover.found import Discovered
from erlangen.discover.soft.belief import HALF, Belief
from erlangen.groups.base import Group
from erlangen.reps import Rep

if TYPE_CHECKING:
    from erlangen.fitting.candidates import Tried


@dataclass(frozen=True)
class Choice:
    """How the symmetric network of a fit is made.

    Attributes:
        group: what a frame imposes exactly; ``None``: nothing.
        penalised: how the candidate groups of a soft penalty move tokens, by name; empty: no penalty.
        reason: one sentence for the report.
    """

    group: Group | None
    penalised: Mapping[str, Rep] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class Symmetry:
    """What a fit knows of its data's symmetry.

    Attributes:
        group: found or given; ``None`` without one.
        found: the discoverers' answer; ``None`` when the group was given.
        belief: how well the candidate groups fit the task; ``None`` without one.
        choice: frame or penalty.
        tried: candidates on held-out data; ``None`` where discoverers looked, or the group was given.
    """

    group: Group | None
    found: Discovered | None
    belief: Belief | None
    choice: Choice
    tried: Tried | None = None

    @property
    def how(self) -> str:
        """How the group was come by, as the verb of a sentence."""
        if self.found is not None:
            return "was found"
        return "was given" if self.tried is None else "holds on held-out data"


def choose(group: Group | None, belief: Belief | None, soft: bool) -> Choice:
    """Decide between a frame and a penalty.

    Without ``soft`` the group is imposed. With it, a group that looks exact for the task is imposed all the same, for that costs nothing;
    where the group is only approximate, broken or unclear, a penalty takes its place, on all candidates that the data support at least
    half.

    Args:
        group: found or given; ``None`` without one.
        belief: of the candidate groups, ``group`` among them.
        soft: whether a penalty was allowed.
    """
    if not soft:
        return Choice(group)
    if group is not None and group.translates:
        return Choice(group, reason=f"{group} moves points, which a penalty on tensors does not know: a frame imposes it.")
    if belief is None:
        return Choice(group, reason="Too few samples for a belief about the task, so that a penalty has nothing to go by.")
    if group is None:
        said = "No group was found"
        exact = belief.named("exact")
        if belief.advice == "impose":
            return Choice(belief.acting[exact[0]].group, reason=f"{exact[0]} looks exact for the task, so a frame imposes it.")
    else:
        judged = belief[str(group)]
        said = f"{group} is {judged.status} for the task (degree {judged.degree:.2f})"
        if judged.status == "exact":
            return Choice(group, reason=f"{group} looks exact for the task ({judged.tested}), so a frame imposes it.")
    supported = {name: belief.acting[name] for name, b in belief.groups.items() if b.degree >= HALF}
    if not supported:
        return Choice(None, reason=f"{said}, and the data support no other candidate: neither a frame nor a penalty.")
    names = ", ".join(f"{name} ({belief[name].status}, {belief[name].degree:.2f})" for name in supported)
    exact = [name for name in belief.named("exact") if name in supported]
    hint = f" {exact[0]} looks exact and could be imposed." if exact else ""
    return Choice(None, supported, f"{said}: a penalty on {names} takes the frame's place.{hint}")
