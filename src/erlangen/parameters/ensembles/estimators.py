"""`EnsembleClassifier` and `EnsembleRegressor`: deep ensembles of asymmetric perceptrons, in scikit-learn's words."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from functools import partial
from numbers import Integral
from typing import Any, Literal

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.parameters.asymmetric import MaskKind
from erlangen.parameters.ensembles.curve import Combine, Task
from erlangen.parameters.ensembles.ensemble import DeepEnsemble, Masks


class _Ensemble(BaseEstimator):
    """What both estimators share."""

    _task: Task
    ensemble_: DeepEnsemble
    _mean: np.ndarray
    _scale: np.ndarray

    def __init__(
        self,
        size: int = 16,
        *,
        hidden: Sequence[int] = (64, 64, 64),
        kind: Literal["w", "sigma"] | None = "w",
        masks: Masks = "shared",
        n_fix: int = 2,
        kappa: float = 1.0,
        mask: MaskKind = "random_subsets",
        combine: Combine = "logits",
        epochs: int = 100,
        batch_size: int = 64,
        lr: float = 1e-3,
        weight_decay: float = 0.03,
        patience: int = 16,
        validation_fraction: float = 0.1,
        restore_best: bool = True,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.size = size
        self.hidden = hidden
        self.kind = kind
        self.masks = masks
        self.n_fix = n_fix
        self.kappa = kappa
        self.mask = mask
        self.combine = combine
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.weight_decay = weight_decay
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.restore_best = restore_best
        self.random_state = random_state

    def _fit(self, X: np.ndarray, y: Tensor, out: int) -> None:
        hidden = tuple(self.hidden) if isinstance(self.hidden, Iterable) else (self.hidden,)
        if not isinstance(self.hidden, Iterable) or any(
            isinstance(n, bool) or not isinstance(n, Integral) or n < 1 for n in hidden
        ):
            raise ArgumentError("hidden", "widths of hidden layers, at least 1", repr(self.hidden))
        if isinstance(self.n_fix, bool) or not isinstance(self.n_fix, Integral) or self.n_fix < 0:
            raise ArgumentError("n_fix", "a whole number, at least 0", repr(self.n_fix))
        widths = [X.shape[1], *hidden, out]
        state = self.random_state
        seed = int(state) if isinstance(state, Integral) else int(check_random_state(state).randint(2**31 - 1))
        self._mean, self._scale = _moments(X)

        ensemble = DeepEnsemble(
            partial(_perceptron, widths),
            self.size,
            self.masks,
            kind=self.kind if hidden or self.kind != "sigma" else None,
            n_fix=[min(int(self.n_fix), inp - 1) for inp in widths[:-1]],
            kappa=self.kappa,
            mask=self.mask,
            combine=self.combine,
            task=self._task,
            epochs=self.epochs,
            batch_size=self.batch_size,
            lr=self.lr,
            weight_decay=self.weight_decay,
            patience=self.patience,
            validation_fraction=self.validation_fraction,
            restore_best=self.restore_best,
            seed=seed,
        )
        self.ensemble_ = ensemble.fit(self._standard(X), y)
        for member in self.ensemble_.members:
            member.double()  # so that predictions do not depend on which rows are predicted together

    def _standard(self, X: np.ndarray) -> Tensor:
        return torch.from_numpy((X - self._mean) / self._scale)

    def _inputs(self, X: Any) -> Tensor:
        check_is_fitted(self)
        return self._standard(validate_data(self, X, reset=False, dtype=np.float64))


def _moments(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and standard deviations, of numbers whose squares are none, too; infinite for columns that do not vary.

    Divided by that, such a column is 0 whatever comes later: nothing was learned about it.
    """
    low, span = columns.min(0), np.ptp(columns, axis=0)
    varies = span > 0
    unit = (columns - low) / np.where(varies, span, 1.0)
    return low + span * unit.mean(0), np.where(varies, span * unit.std(0), np.inf)


def _perceptron(widths: Sequence[int]) -> nn.Module:
    layers = [part for i, o in itertools.pairwise(widths) for part in (nn.Linear(i, o), nn.GELU())]
    return nn.Sequential(*layers[:-1])


class EnsembleRegressor(RegressorMixin, _Ensemble):
    """Numbers from rows of columns, as the mean of perceptrons; columns and targets are standardised, columns that never vary not used.

    Args:
        size: how many members.
        hidden: widths of hidden layers, with GELU.
        kind: ``"w"``: members with fixed entries, ``"sigma"``: with fixed gates, ``None``: plain ones.
        n_fix: fixed entries of each row, at most all but one.
        masks, kappa, mask, combine, epochs, batch_size, lr, weight_decay, patience, validation_fraction, restore_best: as of
            :class:`DeepEnsemble`.
        random_state: of everything random; a number for the same each time, or a generator or ``None`` for another one each time.

    Attributes:
        ensemble_: the :class:`DeepEnsemble`, of standardised columns.

    Raises:
        ArgumentError: an argument that is none of these.

    >>> x = torch.randn(200, 3, generator=torch.Generator().manual_seed(0)).numpy()
    >>> EnsembleRegressor(4, epochs=60, batch_size=16).fit(x, x[:, 0] * x[:, 1]).score(x, x[:, 0] * x[:, 1]) > 0.7
    True
    """

    _task = "regression"

    def fit(self, X: Any, y: Any) -> EnsembleRegressor:
        """Learn from ``[N, columns]`` and ``[N]`` or ``[N, k]``."""
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True, ensure_min_samples=2)
        y = np.asarray(y, dtype=np.float64)
        self._flat = y.ndim == 1
        y = y.reshape(len(y), -1)
        self._target_mean, scale = _moments(y)
        self._target_scale = np.where(np.isfinite(scale), scale, 0.0)  # targets that do not vary are known
        self._fit(X, torch.from_numpy((y - self._target_mean) / scale), y.shape[1])
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Numbers ``[N]`` or ``[N, k]``, as the targets were."""
        x = self._inputs(X)
        found = self.ensemble_.predict(x).double().numpy() * self._target_scale + self._target_mean
        return found[:, 0] if self._flat else found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class EnsembleClassifier(ClassifierMixin, _Ensemble):
    """Classes from rows of columns, by the mean of perceptrons; arguments and attributes as of :class:`EnsembleRegressor`.

    Attributes:
        classes_: the labels.

    >>> x = torch.randn(200, 3, generator=torch.Generator().manual_seed(0)).numpy()
    >>> model = EnsembleClassifier(4, epochs=30, batch_size=16).fit(x, np.where(x[:, 0] * x[:, 1] > 0, "same", "other"))
    >>> model.predict_proba(x).shape, model.classes_.tolist()
    ((200, 2), ['other', 'same'])
    """

    _task = "classification"

    def fit(self, X: Any, y: Any) -> EnsembleClassifier:
        """Learn from ``[N, columns]`` and labels ``[N]``."""
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ArgumentError("y", "at least two classes", "one class")
        self._fit(X, torch.from_numpy(numbers), len(self.classes_))
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities ``[N, classes]``."""
        x = self._inputs(X)
        return self.ensemble_.predict_proba(x).double().numpy()

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest labels ``[N]``."""
        likeliest = self.predict_proba(X).argmax(-1)
        return self.classes_[likeliest]
