"""Gains of ensembles with their standard errors: test rows drawn anew, the same for all that are compared."""

from __future__ import annotations

import numpy as np

DRAWS = 400


def scores(errors: np.ndarray, task: str, weights: np.ndarray) -> np.ndarray:
    """Scores ``[draws, ...]`` of row errors ``[..., N]`` for rows that count ``weights`` ``[draws, N]`` times."""
    means = np.moveaxis(errors @ weights.T / weights.sum(1), -1, 0)
    return 1 - means if task == "classification" else np.sqrt(means)


def draws(rows: int, seed: int = 0) -> np.ndarray:
    """How often each row is drawn, ``[1 + draws, N]``; the first is the rows as they are."""
    drawn = np.random.default_rng(seed).multinomial(rows, np.full(rows, 1 / rows), size=DRAWS)
    return np.concatenate([np.ones((1, rows)), drawn])


def improvement(members: np.ndarray, ensemble: np.ndarray, task: str, weights: np.ndarray) -> np.ndarray:
    """Percent ``[draws]`` by which an ensemble is better than its members ``[M, N]`` are on average; positive is better.

    >>> members = np.array([[1.0, 0, 0, 0], [0, 1.0, 0, 0]])     # each wrong once, accuracy 3/4
    >>> improvement(members, np.zeros(4), "classification", np.ones((1, 4))).round(2)
    array([33.33])
    """
    single, whole = scores(members, task, weights).mean(1), scores(ensemble, task, weights)
    return 100 * (whole - single if task == "classification" else single - whole) / single


def with_error(values: np.ndarray) -> tuple[float, float]:
    """The value, and the standard deviation of those of the draws."""
    return float(values[0]), float(values[1:].std())
