"""What a user would pick instead: scikit-learn's models on columns, their settings chosen on a part of the training data."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from erlangen.errors import ArgumentError

#: The part of the training data on which settings are chosen.
HELD = 0.25


@dataclass(frozen=True)
class Simple:
    """A simple model, trained.

    Attributes:
        model: scikit-learn's; fitted on all training data with the settings chosen.
        settings: these, and how they were chosen, for a table.
        seconds: CPU seconds of all fits.
        held: the score of each candidate on the held-out part.
    """

    model: Any
    settings: str
    seconds: float
    held: dict[str, float]

    def predict(self, x: Any) -> torch.Tensor:
        """Predictions as a tensor: float64, or classes."""
        return torch.from_numpy(np.asarray(self.model.predict(columns(x))))


def simplest(
    candidates: Mapping[str, Callable[[], Any]], x: Any, y: Any, *, seed: int = 0, score: Callable[[Any, Any], float] | None = None
) -> Simple:
    """The best of some models by a held-out quarter of the training data, fitted again on all of these.

    Args:
        candidates: what makes each, by a name that says its settings.
        x: ``[N, ...]``, made columns.
        y: ``[N]`` classes (integers) or numbers, or ``[N, m]`` numbers.
        seed: of the draw of what is held out; classes keep their shares.
        score: of predictions and targets, more is better; by default accuracy of integers, minus the mean squared error of numbers.

    Raises:
        ArgumentError: there is no candidate.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(200, 3))
    >>> found = simplest(ridges(degrees=(1, 2)), x, x[:, 0] * x[:, 1])
    >>> float((found.predict(x) - torch.from_numpy(x[:, 0] * x[:, 1])).abs().max()) < 1e-3
    True
    """
    from sklearn.model_selection import train_test_split

    if not candidates:
        raise ArgumentError("candidates", "at least one model", "none")
    x, y = columns(x), np.asarray(y.cpu() if isinstance(y, torch.Tensor) else y)
    classes = y.dtype.kind in "iub"
    judge = score or ((lambda a, b: float((a == b).mean())) if classes else (lambda a, b: -float(np.square(a - b).mean())))
    started = time.process_time()
    held: dict[str, float] = {}
    if len(candidates) > 1:
        parts = train_test_split(x, y, test_size=HELD, random_state=seed, stratify=y if classes else None)
        for name, make in candidates.items():
            held[name] = judge(make().fit(parts[0], parts[2]).predict(parts[1]), parts[3])
    best = max(held, key=held.__getitem__) if held else next(iter(candidates))
    model = candidates[best]().fit(x, y)
    chosen = f"{best}, chosen of {len(candidates)} on a held-out quarter of the training data" if held else best
    return Simple(model, chosen, time.process_time() - started, held)


def columns(x: Any) -> np.ndarray:
    """``[N, ...]`` as float64 ``[N, k]``."""
    array = np.asarray(x.detach().cpu() if isinstance(x, torch.Tensor) else x, dtype=np.float64)
    return array.reshape(len(array), -1)


def ridges(degrees: tuple[int, ...] = (1,), alphas: tuple[float, ...] = (1e-6, 1e-3, 1e-1, 10.0)) -> dict[str, Callable[[], Any]]:
    """Ridge regression on polynomials of standardised columns."""
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    def make(degree: int, alpha: float) -> Any:
        powers = [PolynomialFeatures(degree, include_bias=False), StandardScaler()] if degree > 1 else []
        return make_pipeline(StandardScaler(), *powers, Ridge(alpha))

    return {f"ridge of degree {d}, alpha {a:g}": lambda d=d, a=a: make(d, a) for d in degrees for a in alphas}  # type: ignore[misc]


def logistics(strengths: tuple[float, ...] = (1e-2, 1e-1, 1.0, 10.0)) -> dict[str, Callable[[], Any]]:
    """Logistic regression on standardised columns."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return {
        f"logistic regression, C {c:g}": lambda c=c: make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=2000))  # type: ignore[misc]
        for c in strengths
    }


def boosters(
    classes: bool, rates: tuple[float, ...] = (0.05, 0.1), leaves: tuple[int, ...] = (15, 31)
) -> dict[str, Callable[[], Any]]:
    """Histogram gradient boosting with early stopping."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor

    def make(rate: float, leaf: int) -> Any:
        return kind(learning_rate=rate, max_leaf_nodes=leaf, max_iter=500, early_stopping=True, random_state=0)

    return {
        f"boosting, rate {rate:g}, {leaf} leaves": lambda rate=rate, leaf=leaf: make(rate, leaf)  # type: ignore[misc]
        for rate in rates
        for leaf in leaves
    }


def machines(classes: bool, strengths: tuple[float, ...] = (1.0, 10.0, 100.0)) -> dict[str, Callable[[], Any]]:
    """Support vector machines with Gaussian kernels on standardised columns."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC, SVR

    kind = SVC if classes else SVR
    return {f"Gaussian SVM, C {c:g}": lambda c=c: make_pipeline(StandardScaler(), kind(C=c)) for c in strengths}  # type: ignore[misc]
