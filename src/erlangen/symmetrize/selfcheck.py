"""What is checked when a model is wrapped: that the frame moves along with the data, and, on an example, the model as a whole."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any

import optree
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.batches import batch_size
from erlangen.actions.ragged import first_of_ragged, is_by_node, some_of, to_dense
from erlangen.equivariance.error import call_model, equivariance_error
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element
from erlangen.symmetrize.frames import Frame
from erlangen.symmetrize.made_up import made_up, special
from erlangen.symmetrize.ragged_copies import RaggedCopies
from erlangen.symmetrize.stochastic import Stochastic
from erlangen.symmetrize.symmetrized import Batch
from erlangen.verdict import Verdict

if TYPE_CHECKING:
    from erlangen.symmetrize.symmetrized import Symmetrized

#: A frame that misses by more than this is refused. Interpolated images, frames in single precision stay below it; a wrong frame does not.
LARGEST_ERROR = 1e-3
#: The same in single precision where the group is not compact: boosts blow rounding up.
LARGEST_ERROR_BOOSTED = 5e-2


def check_frame_moves(frame: Frame, inp: Action, x: Any, *, seed: int = 0) -> Verdict:
    """Whether moved data have the canonical forms of the data as they were, for an exact frame: ``F(g x)^-1 g x = F(x)^-1 x`` as sets.

    This is what makes every average over the frame symmetric. Where data are symmetric themselves, elements are defined up to that
    symmetry, and the canonical forms still agree. Some data may have no frame (vectors that are all lightlike, equal eigenvalues): the
    answer is that of the median datum, since a frame that is wrong is wrong for almost all. Errors are relative to the size of each part's
    canonical forms, and not below a hundredth of the part's own size, which is what they were rounded at.

    Args:
        frame, inp: a frame and an action that it serves.
        x: a batch of data, ragged or not.

    >>> from erlangen.groups import SO
    >>> from erlangen.symmetrize import Principal
    >>> x = torch.randn(4, 7, 3, dtype=torch.float64)
    >>> bool(check_frame_moves(Principal(), SO(3).vector, x))
    True
    """
    group, rng = inp.group, torch.Generator().manual_seed(seed)
    size = batch_size(inp, x)
    dtype = next((t.dtype for t in optree.tree_leaves(x) if isinstance(t, Tensor) and t.is_floating_point()), torch.float64)
    g = group.sample(size, generator=rng, dtype=dtype, scale=0.5)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # made-up data may be degenerate; the user's own are looked at when they come
        data = Batch(inp, x)
        moved = Batch(inp, data.copies(group.inverse(group.reshape(g, size, 1))).canonical())
        found = frame.of_batch(data), frame.of_batch(moved)
        here, there = (_forms(batch, made.elements) for batch, made in zip((data, moved), found))
        scale = _scales(data, here)
        # Each canonical form of the moved datum that counts must be one of the datum's.
        a, b = (torch.cat([t / s for t, s in zip(forms, scale)], -1) for forms in (here, there))
        distance = torch.cdist(b, a, compute_mode="donot_use_mm_for_euclid_dist").amin(-1)
        if (weights := found[1].weights) is not None:
            distance = distance * (weights > 1e-9)
        errors = distance.amax(-1) / b.shape[-1] ** 0.5
    boosted = dtype != torch.float64 and not getattr(group, "linear_group", group).is_compact
    return Verdict(
        float(errors.median()) <= (LARGEST_ERROR_BOOSTED if boosted else LARGEST_ERROR),
        f"{type(frame).__name__} moves along with {inp!r}",
        how="statistical",
        tried=size,
        numbers={"median": float(errors.median()), "worst": float(errors.max())},
    )


def check_when_wrapped(model: Symmetrized, example: Any = None) -> None:
    """Check the frame on made-up data (or on the example), and the model on the example.

    Made-up data are generic ones in double and in single precision, there far from the origin; and, for clouds, planar, collinear,
    single and double points. A frame that misses generic data is refused. One that misses special data without a word of its own is
    warned about; so is a frame that cannot be checked, because it refuses what was made up.

    Raises:
        ArgumentError: a check fails, with the size of the error.

    Warns:
        UserWarning: the frame could not be checked, or misses special data.
    """
    frame, inp = model.frame, model.inp
    always = False
    while isinstance(frame, Stochastic):  # in evaluation, the frame that it draws from
        frame, always = frame.frame, always or frame.always  # type: ignore[assignment]
    if not frame.exact_on(inp):
        return
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        if example is None:
            _check_made_up(frame, inp)
            return
        _refuse(check_frame_moves(frame, inp, example), inp)
        double = optree.tree_map(lambda t: t.double() if isinstance(t, Tensor) and t.is_floating_point() else t, example)
        wide = copy.deepcopy(model).double()
        if always or not frame.exact_on(model.out):
            return
        with torch.no_grad():
            verdict = equivariance_error(wide, double, inp, model.out, elements=4, tolerance=LARGEST_ERROR, scale=0.5)
            if not verdict:
                raise ArgumentError("model", "one that is symmetric when averaged over its frame", str(verdict))
            _check_alone(wide, double, batch_size(inp, example))
    finally:
        for module, mode in modes:
            module.training = mode


def _check_made_up(frame: Frame, inp: Action) -> None:
    try:
        wide = made_up(frame, inp, torch.float64)
        verdicts = [check_frame_moves(frame, inp, wide)]
        verdicts.append(check_frame_moves(frame, inp, made_up(frame, inp, torch.float32)))
    except (ValueError, RuntimeError, IndexError) as error:
        if isinstance(error, ArgumentError) and error.argument == "frame":
            raise
        warnings.warn(
            f"{type(frame).__name__} was not checked, for it cannot take made-up data ({str(error).splitlines()[0]}); example= a batch "
            "of yours checks it, check=False says that it need not be",
            stacklevel=4,
        )
        return
    for verdict in verdicts:
        _refuse(verdict, inp)
    missed = []
    for what, data in special(frame, inp):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                with torch.no_grad():
                    frame(inp, data)
                verdict = check_frame_moves(frame, inp, data)
            except (ValueError, RuntimeError, IndexError):
                continue  # refused, or of another size: that is a word, too
        if not verdict and not said:
            missed.append(f"{what} (a relative error of {verdict['median']:.2g})")
    if missed:
        warnings.warn(
            f"{type(frame).__name__} does not move along with {', '.join(missed)} in single precision, and does not say so: what the "
            "model makes of such data is not symmetric",
            stacklevel=4,
        )


def _refuse(verdict: Verdict, inp: Action) -> None:
    if not verdict:
        raise ArgumentError("frame", f"a frame that moves along with {inp!r}", f"a relative error of {verdict['median']:.3g}")


def _check_alone(model: Symmetrized, x: Any, size: int) -> None:
    index = Batch(model.inp, x).index
    first = some_of(model.inp, x, slice(1)) if index is None else first_of_ragged(model.inp, x, index)  # type: ignore[arg-type]
    if size < 2 or first is None:
        return
    together, alone = (Batch(model.out, call_model(model, model.inp, data)) for data in (x, first))
    for action, a, b in zip(together.outline.leaves, together.parts, alone.parts):
        if isinstance(a, Tensor) and a.is_floating_point():
            typical = a.norm() / len(a) ** 0.5  # a datum whose own output vanishes is rounded at that of the others
            own = a[index == 0] if index is not None and is_by_node(action, a, index) else a[:1]
            if action is None and own.shape != b.shape:
                continue  # no average, and of whatever shape
            error = float((own - b).norm() / torch.maximum(b.norm(), typical).clamp_min(1e-300))
            if error > LARGEST_ERROR:
                hint = "look for normalisation over the batch"
                raise ArgumentError(
                    "model", "a result that does not depend on the rest of the batch", f"a change of {error:.3g}", hint
                )


def _forms(batch: Batch, elements: Element) -> list[Float[Tensor, "B k f"]]:
    """The canonical forms of each datum, part by part, as flat vectors; nodes of a ragged batch padded with zeros."""
    copies, outline = batch.copies(elements), batch.outline
    seen = Batch(batch.inp, copies.canonical())
    forms = []
    for still, (name, action, part) in zip(outline.still, seen.named):
        if still:
            continue
        rows = copies.split(part)
        if isinstance(copies, RaggedCopies) and copies.rows(action, len(rows), name or "x") is not None:
            rows = to_dense(rows, copies.index)[0].transpose(1, 2)
        rows = torch.view_as_real(rows) if rows.is_complex() else rows
        forms.append(rows.double().flatten(2) if rows.ndim > 2 else rows.double().unsqueeze(-1))
    return forms


def _scales(batch: Batch, forms: list[Float[Tensor, "B k f"]]) -> list[Tensor]:
    """The size of each part's canonical forms, not below a hundredth of the part's own."""
    parts = [part for still, part in zip(batch.outline.still, batch.parts) if not still]
    own = [0.01 * part.detach().abs().double().square().mean().sqrt() for part in parts]
    return [torch.maximum(f.square().mean().sqrt(), size).clamp_min(1e-300) for f, size in zip(forms, own)]
