"""What is checked when a model is wrapped: that the frame moves along with the data, and, on an example, the model as a whole."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import optree
import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.measure.equivariance import equivariance_error
from erlangen.symmetrize.frames import Frame, batch_size
from erlangen.symmetrize.ragged import Edges, Segment, segment_of
from erlangen.verdict import Verdict

if TYPE_CHECKING:
    from erlangen.symmetrize.symmetrized import Symmetrized

#: A frame that misses by more than this is refused. Interpolated images, frames in single precision stay below it; a wrong frame does not.
LARGEST_ERROR = 1e-3


def check_frame_moves(frame: Frame, inp: Action, x: Any, *, seed: int = 0) -> Verdict:
    """Whether moved data have the canonical forms of the data as they were, for an exact frame: ``F(g x)^-1 g x = F(x)^-1 x`` as sets.

    This is what makes every average over the frame symmetric. Where data are symmetric themselves, elements are defined up to that
    symmetry, and the canonical forms still agree. Some data may have no frame (vectors that are all lightlike, equal eigenvalues): the
    answer is that of the median datum, since a frame that is wrong is wrong for almost all.

    Args:
        frame, inp: a frame and an action that it serves.
        x: a batch of data.

    >>> from erlangen.groups import SO
    >>> from erlangen.symmetrize import Principal
    >>> x = torch.randn(4, 7, 3, dtype=torch.float64)
    >>> bool(check_frame_moves(Principal(), SO(3).vector, x))
    True
    """
    from erlangen.symmetrize.symmetrized import Symmetrized

    group, rng = inp.group, torch.Generator().manual_seed(seed)
    size = batch_size(inp, x)
    dtype = next((t.dtype for t in optree.tree_leaves(x) if isinstance(t, Tensor) and t.is_floating_point()), torch.float64)
    g = group.sample(size, generator=rng, dtype=dtype, scale=0.5)
    view = Symmetrized(torch.nn.Identity(), frame, inp, inp)
    moved_x = inp.act(g, x)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # made-up data may be degenerate; the user's own are looked at when they come
        here, moved = (_flat(view.canonical_inputs(data), size) for data in (x, moved_x))
        weights = view.frames(moved_x).weights
    # Each canonical form of the moved datum that counts must be one of the datum's.
    distance = torch.cdist(moved, here).amin(-1)
    if weights is not None:
        distance = distance * (weights > 1e-9)
    errors = distance.amax(-1) / here.norm(dim=-1).amax(-1).clamp_min(1e-300)
    return Verdict(
        float(errors.median()) <= LARGEST_ERROR,
        f"{type(frame).__name__} moves along with {inp!r}",
        how="statistical",
        tried=size,
        numbers={"median": float(errors.median()), "worst": float(errors.max())},
    )


def check_when_wrapped(model: Symmetrized, example: Any = None) -> None:
    """Refuse a frame, or with an example a model, that does not do what it says.

    With an example: equivariance of the whole model on it in evaluation, batch independence (a datum alone gives what it gives in the
    batch), and that nothing depends on single precision (the model's own copy in float64).

    Raises:
        ArgumentError: naming what fails and by how much.
    """
    import copy

    frame, inp = model.frame, model.inp
    was = model.training
    model.eval()
    try:
        if frame.is_exact:
            verdict = None
            if example is None:
                verdict = _made_up(frame, inp)
            elif (
                segment_of(inp, example) is None
            ):  # parts of a ragged batch lead with different axes; the whole model is checked below
                verdict = check_frame_moves(frame, inp, example)
            if verdict is not None and not verdict:
                raise ArgumentError(
                    "frame", f"a frame that moves along with {inp!r}", f"a relative error of {verdict['median']:.3g}"
                )
        if example is None:
            return
        double = optree.tree_map(lambda t: t.double() if isinstance(t, Tensor) and t.is_floating_point() else t, example)
        wide = copy.deepcopy(model).double()
        with torch.no_grad():
            if frame.is_exact:
                verdict = equivariance_error(wide, double, inp, model.out, elements=4, tolerance=LARGEST_ERROR, scale=0.5)
                if not verdict:
                    raise ArgumentError("model", "one that is symmetric when averaged over its frame", str(verdict))
                _check_alone(wide, double, batch_size(inp, example))
    finally:
        model.train(was)


def _check_alone(model: Symmetrized, x: Any, size: int) -> None:
    if size < 2 or segment_of(model.inp, x) is not None:
        return
    together, alone = model(x), model(optree.tree_map(lambda t: t[:1] if isinstance(t, Tensor) else t, x))
    for a, b in zip(optree.tree_leaves(together), optree.tree_leaves(alone)):
        if isinstance(a, Tensor) and a.is_floating_point():
            error = float((a[:1] - b).norm() / b.norm().clamp_min(1e-300))
            if error > LARGEST_ERROR:
                hint = "look for normalisation over the batch"
                raise ArgumentError(
                    "model", "a result that does not depend on the rest of the batch", f"a change of {error:.3g}", hint
                )


def _made_up(frame: Frame, inp: Action) -> Verdict | None:
    """The check on data that the action makes up; ``None`` where it cannot, or where the frame wants others (a certain size, say)."""
    if isinstance(inp, Record) and any(action is None or isinstance(action, (Segment, Edges)) for action in inp.leaves):
        return None
    data = inp.example(4, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    try:
        return check_frame_moves(frame, inp, data)
    except (ValueError, RuntimeError, IndexError):
        return None


def _flat(x: Any, size: int) -> Tensor:
    leaves = [t.double().reshape(size, -1, t[0].numel()) for t in optree.tree_leaves(x) if isinstance(t, Tensor)]
    return torch.cat(leaves, -1)
