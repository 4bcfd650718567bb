"""`Choice`: one of finitely many elements, the one with the largest activation; how it is trained, and what to do about ties."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.batches import a_tensor, batch_size
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element
from erlangen.groups.membership import may_look
from erlangen.symmetrize.frames import Frame, Weighted
from erlangen.symmetrize.noise import smooth

Trick = Literal["straight-through", "gumbel"]
#: How many roundings an activation may be off by.
ROUNDINGS = 16


class Choice(Frame):
    """The part that all learned canonicalizations by a finite set of candidates share. A subclass computes :meth:`activations`.

    In evaluation the frame is the candidate with the largest activation, exactly. In training the model sees the mixture of all moved
    inputs with weights that have the value of that choice and the gradient of ``softmax(a / temperature)`` (straight-through), or of
    a random choice with those probabilities (Gumbel); while no activation needs a gradient, it is as in evaluation.

    Args:
        trick: ``"straight-through"``, ``"gumbel"``, or ``None``: choose in training as in evaluation, so that the model's loss teaches
            the network nothing and only ``prior`` does.
        temperature: of the softmax; a small one saturates and its gradients vanish.
        top_k: average over the best ``k`` candidates instead (and those that tie with the last of them), weighted by their softmax:
            smooth but for what enters and leaves the best ``k``. In evaluation only.
        draws: instead of the best, so many candidates drawn with the probabilities of the softmax, in evaluation: symmetric in
            distribution.
        prior: weight of the loss ``"prior"``, the cross entropy towards the identity, which keeps data in the poses that a pretrained
            model knows. 100 is usual for one, 0 when both are trained together.
        degenerate: what to do where the largest activation is not unique (a symmetric datum, a network that is blind to the pose):
            ``"weighted"`` (all tied ones with equal weights, which is exact, and less of those that are nearly tied, to the root of
            precision, so that rounding decides nothing; compiled models take the first), ``"warn"``, or
            ``"ignore"`` (the first one: where the datum is symmetric, invariant outputs stay exact, and others up to that symmetry,
            which the choice breaks; where the network is blind, nothing is exact). In evaluation only.
        tolerance: activations count as tied when they differ by less than this, relative to the largest difference between them; in any
            case when rounding can make the difference (16 times the precision of their dtype, at the size of the largest).
        generator: source of randomness; torch's global one by default.

    What comes with the frame in ``info``: ``activations`` ``[B, n]``, ``margin`` ``[B]`` (how far the best is ahead of the second) and
    ``identity_metric`` ``[B]`` (1 where the identity was chosen).

    Source: Kaba et al., "Equivariance with Learned Canonicalization Functions", ICML 2023, arXiv:2211.06489; the prior: Mondal et al.,
    NeurIPS 2023, arXiv:2310.01647.
    """

    def __init__(
        self,
        *,
        trick: Trick | None = "straight-through",
        temperature: float = 1.0,
        top_k: int = 1,
        draws: int = 0,
        prior: float = 0.0,
        degenerate: Literal["ignore", "warn", "weighted"] = "weighted",
        tolerance: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if trick not in ("straight-through", "gumbel", None):
            raise ArgumentError("trick", "'straight-through', 'gumbel' or None", repr(trick))
        if not temperature > 0:
            raise ArgumentError("temperature", "a positive number", repr(temperature))
        if top_k < 1:
            raise ArgumentError("top_k", "at least 1", repr(top_k))
        if draws < 0 or (draws and top_k > 1):
            raise ArgumentError("draws", "a number of draws, and then top_k=1", f"draws={draws}, top_k={top_k}")
        if prior < 0:
            raise ArgumentError("prior", "a weight of at least 0", repr(prior))
        if tolerance < 0:
            raise ArgumentError("tolerance", "at least 0", repr(tolerance))
        if degenerate not in ("ignore", "warn", "weighted"):
            raise ArgumentError("degenerate", "one of ignore, warn, weighted", repr(degenerate))
        self.trick, self.temperature, self.top_k, self.draws, self.prior = trick, temperature, top_k, draws, prior
        self.degenerate, self.tolerance, self.generator = degenerate, tolerance, generator
        self.is_exact = not draws
        self.differentiable = not draws and top_k == 1  # weights of several are held

    @abstractmethod
    def activations(self, inp: Action, x: Any) -> tuple[Float[Tensor, "B n"], dict[str, Tensor]]:
        """How well each candidate suits, ``a_k(g x) = a_(g^-1 k)(x)``, and losses of the network's own."""

    def candidates(self, inp: Action, x: Any) -> Element:
        """What there is to choose from, ``[B, n]``, the one that ``prior`` prefers first: by default all elements."""
        return every_element(inp, x)

    def forward(self, inp: Action, x: Any) -> Weighted:
        group, elements = inp.group, self.candidates(inp, x)
        a, losses = self.activations(inp, x)
        if a.shape != group.batch_shape(elements):
            raise ArgumentError("network", f"activations {group.batch_shape(elements)}", tuple(a.shape))
        if self.prior:
            losses = losses | {"prior": self.prior * -torch.log_softmax(a, -1)[:, 0].mean()}
        best = a.detach().topk(min(2, a.shape[1]), -1).values
        info = {
            "activations": a,
            "margin": best[:, 0] - best[:, -1],
            "identity_metric": (a.detach().argmax(-1) == 0).to(a.dtype),
        }
        if self.training and self.trick is not None and a.requires_grad:
            return Weighted(elements, self._relaxed(a), losses, info, mixed=True)
        chosen, weights = self._chosen(a.detach())
        rows = torch.arange(a.shape[0], device=a.device).unsqueeze(1)
        return Weighted(group.take(elements, (rows, chosen)), weights, losses, info)

    def _relaxed(self, a: Float[Tensor, "B n"]) -> Float[Tensor, "B n"]:
        """0 and 1 in value, soft in gradient."""
        logits = a / self.temperature
        if self.trick == "gumbel":
            uniform = torch.rand(a.shape, generator=self.generator, dtype=a.dtype, device=a.device)
            tiny = torch.finfo(a.dtype).tiny
            logits = logits - torch.log((-torch.log(uniform.clamp_min(tiny))).clamp_min(tiny))
        soft = torch.softmax(logits, -1)
        hard = torch.nn.functional.one_hot(logits.argmax(-1), a.shape[1]).to(a.dtype)
        return hard + (soft - soft.detach())

    def _chosen(self, a: Float[Tensor, "B n"]) -> tuple[Tensor, Tensor | None]:
        """Positions ``[B, k]`` of the chosen candidates, and their weights."""
        if self.draws:
            return torch.multinomial(
                torch.softmax(a / self.temperature, -1), self.draws, replacement=True, generator=self.generator
            ), None
        k = min(self.top_k, a.shape[1])
        values, best = a.topk(k, -1)
        soft = torch.softmax(values / self.temperature, -1) if k > 1 else None
        if self.degenerate == "ignore" or not may_look(a):
            return best, soft
        doubt, size = self._doubt(a)
        below = values[:, -1:] - a - doubt
        if self.degenerate == "warn" and k == 1:
            tied = (below <= 0).sum(1) > 1
            if bool(tied.any()):
                warnings.warn(
                    f"{int(tied.sum())} of {len(a)} data have several best elements: one is taken, which breaks a symmetry of theirs; "
                    "degenerate='weighted' averages over all",
                    stacklevel=3,
                )
            return best, None
        shares = smooth(1 - below / (torch.finfo(a.dtype).eps ** 0.5 * size).clamp_min(torch.finfo(a.dtype).tiny))
        most = int((shares > 0).sum(1).max()) if len(a) else k
        if k == most == 1:
            return best, None
        values, places = ((a / self.temperature if k > 1 else 0.0) + shares.log()).topk(most, -1)
        return places, torch.softmax(values, -1)

    def _doubt(self, a: Float[Tensor, "B n"]) -> tuple[Float[Tensor, "B 1"], Float[Tensor, "B 1"]]:
        """By how much activations may differ that are equal, and the size of the largest."""
        finite = a.masked_fill(a.isinf(), 0.0)
        size = finite.abs().amax(1, keepdim=True)
        rounded = ROUNDINGS * torch.finfo(a.dtype).eps * size
        return torch.maximum(rounded, self.tolerance * (finite.amax(1, keepdim=True) - finite.amin(1, keepdim=True))), size

    def refuse(self, inp: Action) -> str:
        return "" if inp.group.is_finite else f"{inp.group} is infinite"


def every_element(inp: Action, x: Any) -> Element:
    """All elements of a finite group for each datum, ``[B, order]``, on the data's device."""
    group, size, device = inp.group, batch_size(inp, x), a_tensor(x).device
    return group.map(lambda e, shape: e.to(device).expand(size, *e.shape), group.elements())
