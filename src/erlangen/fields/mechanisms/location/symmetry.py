"""Symmetries of a mechanism: of the agents' names and of space, measured by the library's one error measure."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions import Action, OnAxes, Unordered
from erlangen.equivariance import equivariance_error
from erlangen.fields.mechanisms.location.mechanism import Mechanism
from erlangen.fields.mechanisms.location.rule import outcomes_of
from erlangen.fields.mechanisms.location.witness import Different
from erlangen.groups import SO, MatrixGroup, Scalings, Symmetric, Translations
from erlangen.verdict import Verdict

#: All orders of so many agents are tried; of more, a random one and its products with every generator, and so on.
ALL_ORDERS = 6


def reflections(d: int) -> MatrixGroup:
    """The group of sign changes of axes."""
    return MatrixGroup(torch.diag_embed(1 - 2 * torch.eye(d, dtype=torch.float64)), name=f"reflections of {d} axes")


def space_action(axiom: str, d: int) -> Action:
    """How the group of an axiom of space moves the points of ``R^d``."""
    makers: dict[str, Callable[[], Action]] = {
        "TRANS": lambda: Translations(d).point,
        "SCALE": lambda: Scalings(d).vector,
        "REFL": lambda: reflections(d).vector,
        "SWAP": lambda: Symmetric(d).vector,
        "ROT": lambda: SO(d).vector,
    }
    return makers[axiom]()


def symmetric(
    mechanism: Mechanism, axiom: str, x: Float[Tensor, "count n d"], generator: torch.Generator, tolerance: float = 1e-8
) -> Verdict:
    """Whether a mechanism is anonymous (``ANON``), or equivariant under the moves of space that ``axiom`` names, on some profiles.

    Places are compared in any order, and so are the outcomes of a lottery. A rotation, a permutation of agents, a mirror: each is an
    element of a group of the core, and the verdict is that of :func:`erlangen.equivariance_error`, with an instance for its witness.
    """
    n, d = x.shape[-2:]
    moves = space_action(axiom, d) if axiom != "ANON" else None
    outcome = Unordered(Unordered(moves or Translations(d).point))

    def ordered(profiles: Tensor) -> Tensor:
        return outcome.ordered(outcomes_of(mechanism, profiles))

    inp: Action
    out: Action
    if moves is None:
        agents = Symmetric(n)
        inp, out, count = OnAxes({-2: agents.vector}), agents.scalar, 720 if n <= ALL_ORDERS else 48
        verdict = equivariance_error(ordered, x, inp, out, elements=count, generator=generator, tolerance=tolerance)
    else:
        inp, out = moves, outcome
        verdict = equivariance_error(ordered, x, inp, out, elements=32, generator=generator, tolerance=tolerance)
    if verdict:
        return verdict
    errors = verdict.witness
    g, profile = errors.worst_element, x[errors.worst_index]
    moved = inp.act(g, profile)
    got, wanted = ordered(moved[None])[0], out.act(g, ordered(profile[None])[0])
    witness = Different(
        *(t.squeeze(0).numpy() if t.ndim == 3 and len(t) == 1 else t.numpy() for t in (profile, moved, got, wanted))
    )
    numbers = dict(verdict.numbers)
    return Verdict(False, verdict.claim, verdict.how, verdict.tried, numbers, witness=witness, reason=witness.in_words())
