"""Group elements as users give them: angles, one motion for a sequence, or a pose for each view."""

from __future__ import annotations

from typing import Any

import numpy as np
import optree
import torch
from torch import Tensor

from erlangen.discover.nft.latent import LatentAction
from erlangen.errors import ArgumentError
from erlangen.groups import SO
from erlangen.groups.base import Element


def as_elements(latent: LatentAction, g: Any, name: str) -> Element:
    """Elements; of SO(2), numbers are angles in radians.

    Raises:
        ArgumentError: the shape is not that of the group's elements.
    """
    group = latent.named.group
    g = optree.tree_map(lambda leaf: torch.as_tensor(leaf) if isinstance(leaf, np.ndarray) else leaf, g)
    if group == SO(2) and isinstance(g, Tensor) and tuple(g.shape[-2:]) != (2, 2):
        algebra = group.algebra
        assert algebra is not None
        return group.exp(algebra.combine(g.unsqueeze(-1)))
    try:
        group.batch_shape(g)
    except ArgumentError as error:
        raise ArgumentError(name, error.expected, error.got) from None
    return g


def poses_of(latent: LatentAction, g: Any, shape: tuple[int, int], x: Tensor, name: str = "g") -> Element:
    """The pose of each view ``[B, V]``, from these or from one motion for each sequence ``[B]`` (then they are its powers).

    Raises:
        ArgumentError: the elements are of neither number, or as many as there are steps.
    """
    if latent.rep is None:
        raise ArgumentError(name, "None for a free action", "elements", "state a representation as action= to use known motions")
    elements = as_elements(latent, g, name)
    group, (count, views) = latent.rep.group, shape
    batch = tuple(group.batch_shape(elements))
    # Poses are data: they go in the precision of the data unless they are integers.
    elements = optree.tree_map(lambda leaf: leaf.to(x.dtype) if leaf.is_floating_point() else leaf, elements)
    if batch == (count, views):
        return elements
    if batch != (count,):
        hint = "a motion for each step? Give the pose of each view, their products" if batch == (count, views - 1) else ""
        raise ArgumentError(name, f"elements for {count} sequences, or for {count} x {views} views", f"a batch {batch}", hint)
    powers = [group.identity_like(elements)]
    for _ in range(views - 1):
        powers.append(group.multiply(elements, powers[-1]))
    return optree.tree_map(lambda *leaves: torch.stack(leaves, 1), *powers)
