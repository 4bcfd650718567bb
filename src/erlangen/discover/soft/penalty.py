"""`SoftEquivariance`: a penalty that keeps a network near several symmetries at once and finds out how much of each the data support."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.discover.soft.degrees import Degrees
from erlangen.discover.soft.energy import Energy
from erlangen.discover.soft.report import Report, report_on
from erlangen.discover.soft.tuning import numbers, released
from erlangen.discover.soft.weights import weights_of
from erlangen.errors import ArgumentError
from erlangen.maps.subspaces import Candidate, candidates

Tune = Literal["once", "repeat", "off"]

#: How many of the last evaluations the smallest residuals are taken from.
WINDOW = 50


class SoftEquivariance(nn.Module):
    """``sum_k strength_k R_k``, where ``R_k`` is half the squared distance of a model's weights from group k's equivariant subspace.

    Add it to the loss of any training loop. The strengths tune themselves: the first quarter of the training runs with weak penalties of
    all groups; then the group whose residual is smallest gets its full strength and the others are released, the more the larger theirs
    are (:func:`erlangen.discover.soft.tuned_strengths`). For linear maps and networks whose non-linearities are equivariant
    (:class:`erlangen.nn.SoftEquivariantMLP`) a residual of zero is exact equivariance; with point-wise activations between plain linear
    layers the penalty constrains the linear parts only.

    **How the training's progress is known.** Every call of the penalty with gradients on, while the model is in training mode, counts as
    one of ``steps``. A loop that calls it more or less often than once a step says where it is by :meth:`step` instead; from then on calls
    are not counted.

    Args:
        model: a module, or one weight matrix ``[out, in]``.
        groups: candidates on one space ``R^d``: groups, representations on ``R^d``, or algebras; a list, or a dict of names.
        inp, out: what goes in and comes out: a representation of any of the groups, a :class:`Layout`, or a number of vectors. By default
            copies of vectors where the width is a multiple of d, for the output else scalars.
        hidden: the layout between layers, by default :func:`hidden_layout` of each width.
        layers: instead of these, for each named module the pair ``(source, target)``; of convolutions, channels at every tap; of
            ``nn.MultiheadAttention``, queries, keys and values alike; its output projection is counted with it.
        strengths: the full strength of each group (a number for all, a dict or a sequence). 0: the group is only watched.
        tune: ``"once"``, after a quarter of the steps; ``"repeat"``, then again after every eighth, each time half the way (in the
            logarithm) to the new estimate; ``"off"``, the given strengths from the start.
        steps: the length of the training, in whatever :meth:`step` counts.
        warmup: the part of the strengths in the first quarter. Strong penalties would push all residuals to zero and tell nothing.
        power: how sharply a worse residual releases a group.
        bias: whether biases count.

    Attributes:
        names: of the groups.
        strengths: what multiplies the residuals now, ``[K]``; a buffer, saved with the state.

    Raises:
        ArgumentError: no group, groups on different spaces, sizes that do not fit, negative strengths, an unknown schedule.

    Source: H. Kim, H. Lee, H. Yang, J. Lee, ICML 2023, arXiv:2306.00356.

    >>> from erlangen.groups import SO
    >>> model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 3))
    >>> penalty = SoftEquivariance(model, groups=[SO(3), SO(2, axis="z")])
    >>> loss = model(torch.randn(8, 6)).square().mean() + penalty()
    >>> loss.backward()
    >>> list(penalty.degrees())
    ['SO(3)', 'SO(2) about z']
    """

    strengths: Tensor
    full: Tensor
    seen: Tensor
    told: Tensor
    recorded: Tensor
    window: Tensor

    def __init__(
        self,
        model: nn.Module | Tensor,
        groups: Sequence[Candidate] | Mapping[str, Candidate],
        *,
        inp: Any = None,
        out: Any = None,
        hidden: Any = None,
        layers: Mapping[str, tuple[Any, Any]] | None = None,
        strengths: float | Sequence[float] | Mapping[str, float] = 1.0,
        tune: Tune = "once",
        steps: int = 1000,
        warmup: float = 0.01,
        power: float = 2.0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        vectors = candidates(groups)
        if tune not in get_args(Tune):
            raise ArgumentError("tune", ", ".join(map(repr, get_args(Tune))), repr(tune))
        if not isinstance(steps, int) or steps < 1:
            raise ArgumentError("steps", "the number of training steps", repr(steps))
        if not 0 < warmup <= 1:
            raise ArgumentError("warmup", "a part of the strengths, above 0 and at most 1", repr(warmup))
        if power < 0:
            raise ArgumentError("power", "at least 0", repr(power))
        self.names, self.tune, self.steps, self.power = tuple(vectors), tune, steps, float(power)
        d = next(iter(vectors.values())).dim
        dual = not all(v.is_orthogonal for v in vectors.values())
        weights = weights_of(model, d, inp=inp, out=out, hidden=hidden, layers=layers, bias=bias, dual=dual)
        loose = [name for name, v in vectors.items() if not v.is_orthogonal]
        if loose and any(isinstance(w.module, nn.MultiheadAttention) for w in weights):
            warnings.warn(
                f"the scores of an attention are scalar products, which {', '.join(loose)} {'does' if len(loose) == 1 else 'do'} not keep: "
                "a residual of zero is no symmetry of the model there",
                stacklevel=2,
            )
        # The model is looked at, not owned: its parameters are not this module's.
        object.__setattr__(self, "_model", model)
        object.__setattr__(self, "energy", Energy(model, weights, vectors))
        full = torch.tensor(list(numbers(strengths, self.names).values()))
        self.energy.warn_degenerate()
        self.register_buffer("full", full)
        self.register_buffer("strengths", full.clone() if tune == "off" else warmup * full)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.register_buffer("told", torch.zeros((), dtype=torch.bool))
        self.register_buffer("recorded", torch.zeros((), dtype=torch.int64))
        self.register_buffer("window", torch.full((WINDOW, len(full)), torch.inf))

    energy: Energy
    _model: Any

    def forward(self) -> Float[Tensor, ""]:
        """The number to add to the loss."""
        residuals = self.energy()
        self._follow(residuals.device)
        training = self._model.training if isinstance(self._model, nn.Module) else True
        if self.tune != "off" and training and torch.is_grad_enabled():
            self._record(residuals.detach())
        # A copy: later tuning must not change what the backward pass needs.
        return self.strengths.clone().to(residuals.dtype) @ residuals

    def step(self, progress: float) -> None:
        """Say where the training is: a float from 0 to 1 is the part that is done, an integer is so many of ``steps``.

        Raises:
            ArgumentError: a part above 1 or anything negative.
        """
        part = isinstance(progress, float)
        if progress < 0 or (part and progress > 1):
            raise ArgumentError("progress", "a part from 0 to 1 (float) or a number of steps (int)", repr(progress))
        self.told.fill_(True)
        if self.tune != "off":
            self._advance(torch.full_like(self.seen, round(progress * self.steps) if part else int(progress)))

    def residuals(self) -> dict[str, float]:
        """``R_k`` of each group now, computed in float64: half the squared distance of all weights together."""
        return dict(zip(self.names, self.energy.measure().residuals))

    def cosine_residuals(self) -> dict[str, float]:
        """``1 - cos(W, P_k W)`` of each group, which does not depend on the size of the weights."""
        return dict(zip(self.names, self.energy.measure().cosines))

    def degrees(self) -> Degrees:
        """How much of each symmetry the weights have now; after training with this penalty, how much the data support."""
        return Degrees(dict(zip(self.names, self.energy.measure().degrees)))

    def report(self, x: Tensor | None = None, *, elements: int = 32, generator: torch.Generator | None = None) -> Report:
        """Strength, residual, cosine residual, degree of each group; with data also the equivariance error of the model.

        Args:
            x: inputs ``[B, ...]`` as the model takes them, the representation on the last axis.
            elements: how many group elements the error is measured on.
            generator: source of randomness.
        """
        return report_on(self._model, self.energy, self.strengths.tolist(), self.full.tolist(), x, elements, generator)

    # ---- progress ----

    def _record(self, residuals: Tensor) -> None:
        slot = (self.recorded % WINDOW).reshape(1)
        self.window.index_copy_(0, slot, residuals.clamp_min(0).to(self.window.dtype).unsqueeze(0))
        self.recorded.add_(1)
        self._advance(self.seen + (~self.told).to(torch.int64))

    def _advance(self, seen: Tensor) -> None:
        """Tune where a mark was passed. All in tensors, so that a compiled loop need not stop here."""
        after, before = self._marks(seen), self._marks(self.seen)
        self.seen.copy_(seen)
        least = self.window.min(0).values
        due = (after > before) & torch.isfinite(least).all()
        active = (self.full > 0) & ~self.energy.trivial.to(self.full.device)
        wanted = released(self.full, torch.where(torch.isfinite(least), least, 0.0), self.power, active)
        if self.tune == "repeat":
            halfway = (self.strengths * wanted).sqrt()
            wanted = torch.where(before > 0, halfway, wanted)
        self.strengths.copy_(torch.where(due, wanted, self.strengths))

    def _marks(self, seen: Tensor) -> Tensor:
        """How many times strengths are due to be estimated by then."""
        first = max(1, self.steps // 4)
        if self.tune == "once":
            return (seen >= first).to(torch.int64)
        return ((seen - first) // max(1, first // 2) + 1).clamp_min(0)

    def _follow(self, device: torch.device) -> None:
        if self.strengths.device != device:
            self.to(device)

    def extra_repr(self) -> str:
        return f"{', '.join(self.names)}; tune={self.tune!r}, steps={self.steps}"
