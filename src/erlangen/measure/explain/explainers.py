"""`Explainer`: whatever explains a prediction, called as ``explain(x, target)``; captum's methods and plain functions become one here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import optree
import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError

Kind = Literal["equivariance", "invariance"]


@dataclass(frozen=True, eq=False)
class Needs:
    """What must hold for an explainer to respect a symmetry of the model, beside the model's own: what :func:`guarantee` looks at.

    Attributes:
        movement: what the group must do to data: ``"permutation"`` of entries, ``"isometry"`` (``"linear"`` where explanations move by
            the dual), or ``"other"``, anything.
        baseline: a number or tensor that must not move.
        masks: masks ``[masks, *datum]`` that must be mapped to masks.
        represent: a map of data that must be invariant.
        chance: what is random about it or else left open, in words: then the symmetry is one of the law, and not of one explanation.
        any_model: the model need not be invariant: explanations are averaged over the group.
    """

    movement: str = "other"
    baseline: float | Tensor = 0.0
    masks: Tensor | None = None
    represent: Callable[[Any], Tensor] | None = None
    chance: str = ""
    any_model: bool = False


class Explainer(ABC):
    """Explains predictions for a batch: ``explain(x, target) -> explanation``, batch axis first.

    A subclass implements :meth:`explain`. ``x`` is a tensor or a record (dict, tuple ...) of tensors; ``target`` says what: the
    classes ``[B]``, one class for all, or ``None`` for the sum of the model's outputs. An attribution of a record is a record of the same
    structure, with ``None`` for parts that hold no real numbers.

    Attributes:
        name: for people and tables.
        kind: what its explanations should do when data move: move along (``"equivariance"``), or stay (``"invariance"``).
        stochastic: a second call gives another explanation.
        batchwise: the explanation of a datum depends on the others of its batch, so that batches must not be joined.

    >>> class Squares(Explainer):
    ...     name = "squares"
    ...     def explain(self, x, target):
    ...         return x.square()
    >>> Squares()(torch.tensor([[1.0, 2.0]]))
    tensor([[1., 4.]])
    """

    name: str = "explainer"
    kind: Kind = "equivariance"
    stochastic: bool = False
    batchwise: bool = False

    @abstractmethod
    def explain(self, x: Any, target: Any) -> Any:
        """The explanation of each datum."""

    def needs(self, x: Any) -> Needs | None:
        """What a guarantee rests on, for data like ``x`` (which may be ``None``); ``None`` when there can be none."""
        return None

    def bound(self, inp: Action) -> Explainer:
        """This explainer for data that a group moves by ``inp``, where it has a use for that: which parts a batch shares."""
        return self

    def with_outputs(self, x: Any, target: Any, generator: torch.Generator | None = None) -> tuple[Any, Any]:
        """The explanation, and the model's output for the same data where explaining takes that anyway, else ``None``."""
        return self(x, target, generator), None

    def again(self) -> Explainer:
        """This explainer for more data of the same kind: what it tells of the model at its first call, it has told."""
        return self

    def __call__(self, x: Any, target: Any = None, generator: torch.Generator | None = None) -> Any:
        """Explain ``x``, which is left as it is, even by explainers and models that work in place.

        Args:
            x, target: as the class says; classes may be a list or an array, too.
            generator: where a stochastic explainer's random numbers come from; by default torch's global generator.

        Raises:
            ArgumentError: the explanation holds NaN.
        """
        target = as_target(target)
        x = optree.tree_map(lambda t: t.detach().clone() if isinstance(t, Tensor) else t, x)
        if self.stochastic and generator is not None:
            with seeded(int(torch.randint(2**31, (), generator=generator))):
                found = self.explain(x, target)
        else:
            found = self.explain(x, target)
        found = optree.tree_map(lambda t: t.detach() if isinstance(t, Tensor) else t, found)
        for part in optree.tree_leaves(found):
            if isinstance(part, Tensor) and part.is_floating_point() and part.isnan().any():
                count = int(part.isnan().sum())
                raise ArgumentError("explainer", f"numbers from {self.name}", f"{count} NaN of {part.numel()}")
        return found

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"


class Function(Explainer):
    """A plain function ``explain(x, target)`` as an explainer.

    >>> Function(lambda x, target: 2 * x, name="twice")(torch.ones(1, 2))
    tensor([[2., 2.]])
    """

    def __init__(self, function: Callable[[Any, Any], Any], name: str = "", kind: Kind = "equivariance") -> None:
        self.function, self.kind = function, kind
        self.name = name or getattr(function, "__name__", type(function).__name__)

    def explain(self, x: Any, target: Any) -> Any:
        return self.function(x, target)


def as_target(target: Any) -> Any:
    """Classes ``[B]`` in a list or an array as a tensor, which copies of the data can take along; anything else as it is.

    >>> as_target([0, 2]), as_target(1), as_target(None)
    (tensor([0, 2]), 1, None)
    """
    if hasattr(target, "__array__") and not isinstance(target, Tensor):
        return torch.as_tensor(target)
    return torch.tensor(target) if isinstance(target, list) and all(isinstance(c, int) for c in target) else target


def as_explainer(explainer: Any) -> Explainer:
    """An explainer from one, from anything with ``.attribute``, or from a function of ``(x, target)``.

    Raises:
        ArgumentError: it is none of these.
    """
    if isinstance(explainer, Explainer):
        return explainer
    if callable(getattr(explainer, "attribute", None)):
        from erlangen.measure.explain.captum_methods import Attribution

        return Attribution(explainer)
    if callable(explainer):
        return Function(explainer)
    got = type(explainer).__name__
    raise ArgumentError("explainer", "an Explainer, a captum method (.attribute) or a function (x, target)", got)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """torch's and NumPy's global random numbers from a seed, and afterwards as if nothing had been drawn."""
    import numpy as np

    state = np.random.get_state()  # noqa: NPY002 - captum draws from the legacy generator
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
