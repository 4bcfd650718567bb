"""What one would take instead of fine-tuning: logistic regression (of numbers ridge regression) on TF-IDF, and on the frozen vectors."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from erlangen.fitting.adapting.goal import Goal
from erlangen.fitting.adapting.tune import Workshop

#: Inverse strengths of the penalty; validation data choose one.
STRENGTHS = (0.1, 1.0, 10.0, 100.0)
ON_WORDS, ON_VECTORS = "TF-IDF and a linear model", "frozen vectors and a linear model"


class Baseline(NamedTuple):
    """A linear model.

    Attributes:
        name: of it.
        strength: the inverse strength of its penalty.
        score: on validation data.
        outputs: on test data ``[N, out]``, as those of a text model.
    """

    name: str
    strength: float
    score: float
    outputs: Tensor


def baselines(shop: Workshop) -> list[Baseline]:
    """Both, on the same training texts, the strength of the penalty chosen on the same validation data."""
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=1 if len(shop.texts[0]) < 50 else 2)
    found = []
    try:
        fitted = words.fit_transform(shop.texts[0].texts)
    except ValueError:  # texts without a word
        fitted = None
    if fitted is not None:
        found.append(_best(ON_WORDS, shop, fitted, *(words.transform(part.texts) for part in shop.texts[1:])))
    scaled = StandardScaler()
    x, held, test = (e.double().numpy() for e in shop.embeddings())
    found.append(_best(ON_VECTORS, shop, scaled.fit_transform(x), scaled.transform(held), scaled.transform(test)))
    return found


def _best(name: str, shop: Workshop, x: Any, held: Any, test: Any) -> Baseline:
    train_y, held_y = shop.texts[0].target, shop.texts[1].target
    tried = []
    for strength in STRENGTHS:
        model = _fitted(shop.goal, strength, x, train_y)
        tried.append(
            Baseline(name, strength, shop.goal.score(_outputs(shop.goal, model, held), held_y), _outputs(shop.goal, model, test))
        )
    return max(tried, key=lambda one: one.score)


def _fitted(goal: Goal, strength: float, x: Any, y: Tensor) -> Any:
    if not goal.classes:
        return Ridge(alpha=1 / strength).fit(x, (y.numpy() - goal.mean) / goal.spread)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=strength, max_iter=300).fit(x, y.numpy())


def _outputs(goal: Goal, model: Any, x: Any) -> Tensor:
    if not goal.classes:
        return torch.from_numpy(np.asarray(model.predict(x))).unsqueeze(-1)
    made = torch.zeros(x.shape[0], goal.outputs, dtype=torch.float64)
    made[:, model.classes_] = torch.from_numpy(model.predict_proba(x))  # a class that no training text has keeps 0
    return made
