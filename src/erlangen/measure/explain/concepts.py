"""Explanations by concepts: is a concept present in what a layer makes of a datum? Linear (CAV) and kernel (CAR) probes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.measure.explain.explainers import Explainer, Needs
from erlangen.measure.explain.layers import representation


class Concepts(Explainer):
    """A probe for each concept, fitted on a layer's representations of data with and without it; explanations are bool ``[B, concepts]``.

    Args:
        model: a module.
        layer: a layer of it, or its name.
        concepts: for each name, the data that show it and data that do not (a hundred of each in the paper).
        seed: of the fit.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """

    kind = "invariance"

    def __init__(
        self, model: nn.Module, layer: str | nn.Module, concepts: Mapping[str, tuple[Tensor, Tensor]], seed: int = 0
    ) -> None:
        if not concepts:
            raise ArgumentError("concepts", "at least one concept", "none")
        self.model, self.represent = model, representation(model, layer)
        self.name = f"{type(self).__name__}, {layer if isinstance(layer, str) else type(layer).__name__}"
        self.concepts, self._probes = tuple(concepts), []
        for shown, absent in concepts.values():
            features = torch.cat([self.represent(shown), self.represent(absent)]).double().numpy()
            probe = self._probe(seed)
            probe.fit(features, [1] * len(shown) + [0] * len(absent))
            self._probes.append(probe)

    def _probe(self, seed: int) -> Any:
        raise NotImplementedError

    def needs(self, x: Any) -> Needs:
        return Needs(represent=self.represent)

    def explain(self, x: Any, target: Any) -> Bool[Tensor, "B concepts"]:
        features = self.represent(x).double().numpy()
        return torch.stack([torch.from_numpy(probe.predict(features)) for probe in self._probes], 1).bool()


class CAV(Concepts):
    """Concept activation vectors: a linear classifier, hinge loss, by stochastic gradient descent.

    Source: Kim et al., ICML 2018, arXiv:1711.11279; settings of Crabbé & van der Schaar 2023, arXiv:2304.06715.

    >>> net = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
    >>> cav = CAV(net, "1", {"large": (3 + torch.rand(50, 3), torch.rand(50, 3))})
    >>> cav(torch.tensor([[4.0, 4, 4], [0, 0, 0]])).shape
    torch.Size([2, 1])
    """

    def _probe(self, seed: int) -> Any:
        return engine("explain", "sklearn.linear_model").SGDClassifier(alpha=0.01, max_iter=1000, tol=1e-3, random_state=seed)


class CAR(Concepts):
    """Concept activation regions: ten principal components and a support vector machine with a Gaussian kernel.

    Source: Crabbé & van der Schaar, NeurIPS 2022, arXiv:2209.11222.
    """

    def _probe(self, seed: int) -> Any:
        pca = engine("explain", "sklearn.decomposition").PCA(n_components=10, svd_solver="full")
        return engine("explain", "sklearn.pipeline").make_pipeline(
            pca, engine("explain", "sklearn.svm").SVC(kernel="rbf", random_state=seed)
        )
