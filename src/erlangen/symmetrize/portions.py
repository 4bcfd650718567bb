"""Averages over a frame in portions: chunk by chunk, to bound memory; or of those elements alone that have a weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.ragged import some_of
from erlangen.actions.records import Record
from erlangen.groups.membership import may_look
from erlangen.symmetrize.frames import Weighted
from erlangen.symmetrize.symmetrized import Batch, Reduction, at_least_single, refuse_integers

if TYPE_CHECKING:
    from erlangen.symmetrize.symmetrized import Symmetrized


def over_chunks(model: Symmetrized, batch: Batch, frame: Weighted, rest: dict[str, Any], reduce: Reduction) -> Any:
    """The average over ``model.chunk`` elements at a time; ``None`` where they are all of them."""
    copies, chunk = batch.copies(frame.elements), model.chunk
    size, k = copies.size, copies.k
    if chunk is None or chunk >= k:
        return None
    weights = frame.weights
    if weights is None:
        leaf = batch.leaf
        dtype = leaf.dtype if leaf.is_floating_point() else torch.get_default_dtype()
        weights = torch.full((size, k), 1 / k, dtype=dtype, device=leaf.device)
    chunks = []
    for start in range(0, k, chunk):
        part = slice(start, start + chunk)
        some = batch.copies(model.inp.group.take(frame.elements, (slice(None), part)))
        chunks.append(model.average(some, weights[:, part], rest, reduce))
    if not isinstance(model.out, Record):
        return sum(chunks[1:], chunks[0])
    gathered = zip(model.out.leaves, zip(*map(model.out.flatten, chunks)))
    return model.out.unflatten([_gather(action, parts) for action, parts in gathered])


def over_kept(model: Symmetrized, batch: Batch, frame: Weighted, rest: dict[str, Any], reduce: Reduction) -> Any:
    """The average, where most elements have no weight: a few data near a tie need many, the others one, and each that has a weight is a
    datum of its own to the model; ``None`` where that saves nothing."""
    weights = frame.weights
    if weights is None or batch.index is not None or not may_look(weights):
        return None
    if (weights.requires_grad and not frame.skips) or (isinstance(model.out, Record) and None in model.out.leaves):
        return None
    kept = (weights.detach() != 0).nonzero()
    if 4 * len(kept) > 3 * weights.numel():
        return None
    rows, places = kept[:, 0], kept[:, 1]
    elements = model.inp.group.take(frame.elements, (rows.unsqueeze(1), places.unsqueeze(1)))
    some = Batch(model.inp, some_of(model.inp, batch.x, rows)).copies(elements)
    size, own = len(weights), weights[rows, places]

    def total(_: Action | None, part: Tensor) -> Tensor:
        refuse_integers(part)
        wide = at_least_single(part.dtype)
        weighted = torch.einsum("n,n...->n...", own.to(wide), part.to(wide))
        return part.new_zeros(size, *part.shape[1:], dtype=weighted.dtype).index_add(0, rows, weighted).to(part.dtype)

    found = model.average(some, None, rest, reduce)
    return model.out.map(total, found) if isinstance(model.out, Record) else total(model.out, found)


def _gather(action: Action | None, parts: tuple[Any, ...]) -> Any:
    """A part of the output from its chunks."""
    if action is not None:
        return sum(parts[1:], parts[0])
    return torch.cat(parts, 1) if isinstance(parts[0], Tensor) else parts[-1]
