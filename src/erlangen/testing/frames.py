"""`check_frame`: that a frame moves along with the data, and that averaging over it is symmetric."""

from __future__ import annotations

from typing import Any

import optree
import torch
from torch import nn

from erlangen.actions.base import Action
from erlangen.actions.batches import batch_size
from erlangen.actions.ragged import some_of
from erlangen.actions.records import Record
from erlangen.equivariance.error import equivariance_error
from erlangen.errors import ArgumentError
from erlangen.reps.affine import Point
from erlangen.reps.base import Rep
from erlangen.symmetrize.choose import symmetrize
from erlangen.symmetrize.frames import Frame
from erlangen.testing.laws import Laws
from erlangen.verdict import Verdict


def check_frame(
    frame: Frame, inp: Action, x: Any = None, *, seed: int = 0, trials: int = 8, scale: float = 0.5, atol: float = 1e-9
) -> Verdict:
    """Check a frame on random data.

    Its elements are members of the group; its weights are non-negative and sum to one; the frame of a moved datum is the moved frame,
    as far as a model can see it: the weighted average of a random non-linear model over the canonical inputs does not change when the
    datum is moved (frames that are exact), each datum's frame does not depend on the rest of the batch, and dtypes are kept.

    Args:
        frame: what to check.
        inp: an action that it serves.
        x: a batch of data; by default random ones, ``inp.example(trials, 7)`` (clouds of 7 points, sets of 7 features) or
            ``inp.example(trials)``, whichever the frame takes.

    Raises:
        AssertionError: naming the law and by how much it fails.
        ArgumentError: the frame does not serve the action, or takes no random data and wants some in ``x``.

    >>> from erlangen.groups import Cyclic
    >>> from erlangen.symmetrize import AllElements
    >>> bool(check_frame(AllElements(), Cyclic(4).vector))
    True
    """
    laws = Laws(f"{type(frame).__name__} on {inp!r}", atol)
    if reason := frame.refuse(inp):
        raise ArgumentError("frame", f"a frame that serves {inp!r}", reason)
    rng = torch.Generator().manual_seed(seed)
    if x is None:
        x = _made_up(frame, inp, trials, rng)
    size, group = batch_size(inp, x), inp.group
    found = frame(inp, x)
    batch = group.batch_shape(found.elements)
    laws.true("elements have shape [B, k, ...]", len(batch) == 2 and batch[0] == size, str(batch))
    laws.true("elements are members", group.contains(found.elements).all())
    if found.weights is not None:
        laws.true("weights have shape [B, k]", tuple(found.weights.shape) == batch)
        laws.true("weights are non-negative", (found.weights >= 0).all())
        laws.equal("weights sum to one", found.weights.sum(1), torch.ones_like(found.weights[:, 0]))
    if frame.exact_on(inp):
        model = symmetrize(_Probe(seed), inp, group.scalar, frame=frame, check=False)
        verdict = equivariance_error(model, x, inp, group.scalar, elements=trials, generator=rng, scale=scale, tolerance=atol)
        laws.true("averages are invariant", verdict, str(verdict))
        alone = torch.cat([model(some_of(inp, x, slice(i, i + 1))) for i in range(size)])
        laws.equal("a datum's frame does not depend on the batch", model(x), alone)
    return laws.verdict()


def _made_up(frame: Frame, inp: Action, trials: int, rng: torch.Generator) -> Any:
    """Random data that the frame takes: with an axis of points beside the datum's own, or without one."""
    own_axes = not isinstance(inp, (Rep, Point, Record))  # an action on several axes says itself what a datum is
    refusals = []
    for shape in sorted([(trials, 7), (trials,)], key=len, reverse=not own_axes):
        x = inp.example(*shape, generator=rng, dtype=torch.float64)
        try:
            frame(inp, x)
        except ArgumentError as refusal:
            refusals.append(str(refusal))
        else:
            return x
    raise ArgumentError("x", f"data that {type(frame).__name__} takes, for it does not take random ones", refusals[0])


class _Probe(nn.Module):
    """A fixed non-linear function without any symmetry, of data of any shape: four random features of each datum."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed

    def forward(self, x: Any) -> torch.Tensor:
        leaves = [t for t in optree.tree_leaves(x) if isinstance(t, torch.Tensor) and t.is_floating_point()]
        flat = torch.cat([t.flatten(1) for t in leaves], 1)
        rng = torch.Generator().manual_seed(self.seed)
        weight = torch.randn(flat.shape[1], 4, generator=rng, dtype=flat.dtype) / flat.shape[1] ** 0.5
        return torch.tanh(flat @ weight + torch.linspace(-1, 1, 4, dtype=flat.dtype))
