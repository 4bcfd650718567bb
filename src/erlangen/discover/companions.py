"""The closed-form discoverers that look at more than the tokens' distribution: at what they predict, and at how they move."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from erlangen.data.distinct import distinct
from erlangen.discover.finding import Finding
from erlangen.discover.nft.finding import linear_nft_finding
from erlangen.discover.samples import MOST_COMPONENTS, Samples
from erlangen.discover.soft.belief import Belief, default_candidates, graded_belief
from erlangen.groups.base import Group

#: Fewer samples tell nothing of a task's symmetries.
FEWEST = 64
#: Of more samples, so many are drawn: hundreds of features of each are held at once.
MOST = 20_000
#: Sequences of this many frames tell a motion from chance.
FRAMES = 3


def task_belief(data: Samples, found: Sequence[Group] = (), seed: int = 0) -> Belief | None:
    """How well each of the usual groups of the tokens' space, and those found, fit the task; ``None`` without a target, with few
    data, or with tokens of more than 32 components. Of more than 20,000 samples a draw is looked at.

    >>> import torch
    >>> x = torch.randn(100, 2, 3)
    >>> from erlangen.discover.samples import samples_of
    >>> belief = task_belief(samples_of(x, (x[:, 0] * x[:, 1]).sum(-1)))
    >>> belief.advice, belief.named("exact")[0]
    ('impose', 'O(3)')
    """
    if data.x.shape[-1] > MOST_COMPONENTS or int(distinct(data.x).max()) + 1 < FEWEST:
        return None
    if len(data) > MOST:
        data = data.subset(torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))[:MOST].to(data.x.device))
    groups = {str(group): group for group in found} | default_candidates(data.x.shape[-1])
    if data.y.shape[1] and bool((data.y != data.y[:1]).any()):
        return graded_belief(data.x, data.y, groups, target="vector", seed=seed)
    if data.classes > 1 and data.labels is not None:
        return graded_belief(data.x, data.labels, groups, target="class", seed=seed)
    if data.scalars.shape[1] and bool((data.scalars != data.scalars[:1]).any()):
        return graded_belief(data.x, data.scalars, groups, target="scalar", seed=seed)
    return None


def motion_finding(data: Samples, seed: int = 0) -> Finding | None:
    """How the tokens of each sample, taken as the frames of a sequence, move; ``None`` where they are too few."""
    frames = data.tokens
    return (
        linear_nft_finding(frames, seed=seed) if frames.shape[1] >= FRAMES and int(distinct(frames).max()) + 1 >= FEWEST else None
    )
