"""`Trees`: boosted trees as arrays, so that they are saved without pickle and evaluated without the library that grew them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

#: Numbers held at once: samples times trees.
AT_ONCE = 2**21


class Trees(nn.Module):
    """Sums of trees ``[B, outputs]`` over columns ``[B, k]``; each tree adds to one output.

    Its state is what it is: feature and threshold of each node, where it sends samples (leaves send them to themselves), and values;
    deep trees first.

    Args:
        trees, nodes: how many there are, and of how many nodes at most.
        outputs: numbers that come out.
    """

    def __init__(self, trees: int, nodes: int, outputs: int) -> None:
        super().__init__()
        self.settings = {"trees": trees, "nodes": nodes, "outputs": outputs}
        for name, dtype in (("feature", torch.int64), ("below", torch.int64), ("above", torch.int64)):
            self.register_buffer(name, torch.zeros(trees, nodes, dtype=dtype))
        self.register_buffer("threshold", torch.zeros(trees, nodes, dtype=torch.float64))
        self.register_buffer("value", torch.zeros(trees, nodes, dtype=torch.float64))
        self.register_buffer("output", torch.zeros(trees, dtype=torch.int64))
        self.register_buffer("start", torch.zeros(outputs, dtype=torch.float64))
        self.register_buffer("depth", torch.zeros(trees, dtype=torch.int64))

    feature: Tensor
    below: Tensor
    above: Tensor
    threshold: Tensor
    value: Tensor
    output: Tensor
    start: Tensor
    depth: Tensor

    @classmethod
    def of(cls, forests: Sequence[Sequence[Any]]) -> Trees:
        """The mean of several fits: of each a list of scikit-learn's histogram boosting models, whose outputs stand side by side.

        >>> from sklearn.ensemble import HistGradientBoostingRegressor
        >>> x = np.random.default_rng(0).normal(size=(300, 3))
        >>> model = HistGradientBoostingRegressor(max_iter=20).fit(x, x[:, 0] * x[:, 1])
        >>> bool(np.allclose(Trees.of([[model]])(torch.from_numpy(x))[:, 0], model.predict(x)))
        True
        """
        grown: list[tuple[int, np.ndarray]] = []
        start: list[float] = []
        for forest in forests:
            first = 0
            for model in forest:
                for stage in model._predictors:
                    grown += [(first + k, tree.nodes) for k, tree in enumerate(stage)]
                here = np.asarray(model._baseline_prediction, dtype=float).reshape(-1)
                if len(start) < first + len(here):
                    start += [0.0] * len(here)
                for k, value in enumerate(here):
                    start[first + k] += value / len(forests)
                first += len(here)
        grown.sort(key=lambda tree: -int(tree[1]["depth"].max()))
        trees = cls(len(grown), max(len(nodes) for _, nodes in grown), len(start))
        for t, (output, nodes) in enumerate(grown):
            m, leaf = len(nodes), nodes["is_leaf"].astype(bool)
            own = np.arange(m)
            trees.feature[t, :m] = torch.from_numpy(np.where(leaf, 0, nodes["feature_idx"]).astype(np.int64))
            trees.threshold[t, :m] = torch.from_numpy(nodes["num_threshold"].astype(float))
            trees.below[t, :m] = torch.from_numpy(np.where(leaf, own, nodes["left"]).astype(np.int64))
            trees.above[t, :m] = torch.from_numpy(np.where(leaf, own, nodes["right"]).astype(np.int64))
            trees.value[t, :m] = torch.from_numpy(nodes["value"] / len(forests))
            trees.output[t] = output
            trees.depth[t] = int(nodes["depth"].max())
        trees.start.copy_(torch.tensor(start))
        return trees

    def forward(self, columns: Float[Tensor, "B k"]) -> Float[Tensor, "B o"]:
        """The sums, in float64."""
        columns = columns.to(torch.float64)
        step = max(1, AT_ONCE // max(1, len(self.feature)))
        return torch.cat([self._sums(part) for part in columns.split(step)])

    def _sums(self, columns: Tensor) -> Tensor:
        count, nodes = self.feature.shape
        first = torch.arange(count, device=columns.device).unsqueeze(1) * nodes
        feature, threshold = self.feature.flatten(), self.threshold.flatten().to(columns)
        # Both children of a node side by side, so that one look finds the next.
        children = torch.stack([self.below + first, self.above + first], -1).flatten()
        numbers, rows = columns.flatten(), torch.arange(len(columns), device=columns.device) * columns.shape[1]
        here = first.repeat(1, len(columns))
        for left in (self.depth.unsqueeze(1) > torch.arange(int(self.depth[0]), device=columns.device)).sum(0).tolist():
            some = here[:left].flatten()  # of the trees that go on
            places = rows.expand(left, -1).flatten() + feature.index_select(0, some)
            beyond = numbers.index_select(0, places) > threshold.index_select(0, some)
            here[:left] = children.index_select(0, 2 * some + beyond).unflatten(0, (left, -1))
        values = self.value.flatten().to(columns).index_select(0, here.flatten()).unflatten(0, here.shape)
        return self.start.to(columns).unsqueeze(1).repeat(1, len(columns)).index_add(0, self.output, values).mT
