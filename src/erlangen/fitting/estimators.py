"""`SymmetricRegressor` and `SymmetricClassifier`: a symmetry found or given, and a model that has it, in scikit-learn's words."""

from __future__ import annotations

import dataclasses
from numbers import Integral
from typing import Any, Literal

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from erlangen.data import DataSet
from erlangen.discover.task import TaskSymmetries, task_symmetries
from erlangen.errors import ArgumentError
from erlangen.fitting.companions import boosted
from erlangen.fitting.config import FitConfig
from erlangen.fitting.members import Kind, Members, predict
from erlangen.fitting.problem import Problem
from erlangen.fitting.ways import has_enough_invariants, symmetrized_members, ways
from erlangen.fitting.worth import Worth, worth_of_invariants
from erlangen.groups.base import Group
from erlangen.groups.names import parse_group

Learner = Literal["boosting", "network"]


class _Symmetric(BaseEstimator):
    """What both estimators share."""

    _target: Literal["scalar", "class"]
    found_: TaskSymmetries | None

    def __init__(
        self,
        group: Group | str | None = "auto",
        *,
        tokens: int | None = None,
        dim: int | None = None,
        learner: Learner = "boosting",
        config: FitConfig | None = None,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.group = group
        self.tokens = tokens
        self.dim = dim
        self.learner = learner
        self.config = config
        self.random_state = random_state

    def _fit(self, X: np.ndarray, y: Tensor) -> None:
        if self.learner not in ("boosting", "network"):
            raise ArgumentError("learner", "'boosting' or 'network'", repr(self.learner))
        x = self._in_tokens(X)
        state = self.random_state
        self._seed = int(state) if isinstance(state, Integral) else int(check_random_state(state).randint(2**31 - 1))
        data = DataSet("data", x, y, self._target)
        self.symmetry_ = self._symmetry(data)
        config = dataclasses.replace(self.config or FitConfig(), seed=self._seed)
        alone = Problem.undivided(data)
        if self.symmetry_ is not None and alone.kind.input_action(self.symmetry_) is None:
            raise ArgumentError("group", f"a group that acts on {alone.kind}", repr(self.symmetry_))
        self.worth_: Worth | None = None
        if self.learner == "boosting":
            if self.found_ is not None and self.symmetry_ is not None:
                self.worth_ = worth_of_invariants(data, alone, self.symmetry_, config)
                self.symmetry_ = None if self.worth_ is not None and not self.worth_ else self.symmetry_
            # Without a choice to make, nothing need be held out.
            problem = alone if self.symmetry_ is None else Problem.of(data, data, config)
            self.models_: list[nn.Module] = [boosted(problem, self.symmetry_, config)]
        else:
            problem = Problem.of(data, data, config)
            members = _networks(problem, self.symmetry_, config)
            if self.found_ is not None and self.symmetry_ is not None:
                free = _networks(problem, None, config)
                ours, other = (max(history.best for history in kind.histories) for kind in (members, free))
                self.worth_ = Worth(str(self.symmetry_), ours, other, problem.task.score_name, 1)
                members, self.symmetry_ = (members, self.symmetry_) if self.worth_ else (free, None)
            self.models_ = members.models
        for model in self.models_:
            model.eval()

    def _in_tokens(self, X: np.ndarray) -> Tensor:
        """Rows of columns as tokens ``[N, tokens, dim]``."""
        columns = X.shape[1]
        tokens, dim = self.tokens, self.dim
        for name, count in (("tokens", tokens), ("dim", dim)):
            if count is not None and (isinstance(count, bool) or not isinstance(count, Integral) or count < 1):
                raise ArgumentError(name, "a positive number, or None", repr(count))
        if tokens is None:
            tokens = 1 if dim is None else columns // dim
        if dim is None:
            dim = columns // tokens
        if tokens * dim != columns:
            raise ArgumentError("tokens", f"tokens x dim = {columns}, the number of columns", f"{self.tokens} x {self.dim}")
        return torch.from_numpy(np.ascontiguousarray(X, dtype=np.float64)).reshape(-1, tokens, dim)

    def _symmetry(self, data: DataSet) -> Group | None:
        self.found_ = None
        if self.group is None or isinstance(self.group, Group):
            return self.group
        if self.group != "auto":
            return parse_group(self.group)
        # Targets are numbers or classes that stay as they are.
        self.found_ = task_symmetries(data.x, data.y, target=self._target, law=False, seed=self._seed)
        group = self.found_.group if self.found_ and self.found_.exact else None
        return group if group is not None and has_enough_invariants(data.dim, group) else None

    def _outputs(self, X: Any) -> Tensor:
        check_is_fitted(self)
        x = self._in_tokens(validate_data(self, X, reset=False, dtype=np.float64))
        return torch.stack([predict(model, x).double() for model in self.models_]).mean(0)


def _networks(problem: Problem, group: Group | None, config: FitConfig) -> Members:
    from erlangen.fitting.members import train_members

    if group is None:
        return train_members(Kind("plain", "a perceptron on the raw numbers"), problem, config, None, True)
    kind = Kind("symmetrized", f"a perceptron behind a frame of {group}", "symmetrized", group)
    return symmetrized_members(ways(problem, kind), problem, config, None, True)[0]


class SymmetricRegressor(RegressorMixin, _Symmetric):
    """Numbers from rows of columns, by a model that has the symmetry of the task.

    Args:
        group: that the target does not notice: a group, or its name, e.g. ``"SE(3)"``; ``"auto"`` looks for one among the
            affine moves of the tokens, in any basis (seconds; of at least 64 samples), and imposes it where held-out data are predicted
            no worse with it; ``None``: none.
        tokens, dim: how columns are grouped: into so many tokens of so many components, token by token. One of them is enough; by
            default all columns are one token.
        learner: ``"boosting"``, on the invariants of the group, or ``"network"``, behind a frame or on invariants, as held-out
            data say.
        config: how networks are trained; its group is not looked at.
        random_state: of everything random; a number for the same each time, or a generator or ``None`` for another one each time.

    Attributes:
        symmetry_: the group that is imposed; ``None`` where none was found that the data show to be exact, or where imposing it costs.
        worth_: scores on held-out data with what was found imposed and without (:class:`erlangen.fitting.worth.Worth`); ``None``
            where nothing was found or a group was given, which is imposed as it is.
        found_: what was found, and why no more (:class:`erlangen.discover.task.TaskSymmetries`); ``None`` where a group was given.
        models_: what predicts, as the mean: torch modules from tokens ``[N, tokens, dim]``, which can be audited.

    Raises:
        ArgumentError: columns that are no such tokens, an unknown group or one that does not act on them.

    >>> x = torch.randn(300, 3, 3, generator=torch.Generator().manual_seed(0))
    >>> y = (x[:, 0] - x[:, 1]).norm(dim=-1)
    >>> model = SymmetricRegressor("SE(3)", dim=3).fit(x.flatten(1).numpy(), y.numpy())
    >>> model.symmetry_, model.score(x.flatten(1).numpy(), y.numpy()) > 0.9
    (SE(3), True)
    """

    _target = "scalar"

    def fit(self, X: Any, y: Any) -> SymmetricRegressor:
        """Find the symmetry, unless one is given, and learn: from ``[N, columns]``, ``[N]`` or ``[N, k]``."""
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True, ensure_min_samples=2)
        self._one = y.ndim == 1
        self._fit(X, torch.from_numpy(np.asarray(y, dtype=np.float64)).reshape(len(y), -1))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Numbers ``[N]`` or ``[N, k]``, as the targets were."""
        outputs = self._outputs(X).numpy()
        return outputs[:, 0] if self._one else outputs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class SymmetricClassifier(ClassifierMixin, _Symmetric):
    """Classes from rows of columns, by a model that has the symmetry of the task; arguments and attributes as of
    :class:`SymmetricRegressor`.

    Attributes:
        classes_: the labels.

    >>> x = torch.randn(300, 2, 2, generator=torch.Generator().manual_seed(0))
    >>> y = (x[:, 0] * x[:, 1]).sum(-1) > 0
    >>> model = SymmetricClassifier("SO(2)", dim=2).fit(x.flatten(1).numpy(), y.numpy())
    >>> model.predict_proba(x[:4].flatten(1).numpy()).shape
    (4, 2)
    """

    _target = "class"

    def fit(self, X: Any, y: Any) -> SymmetricClassifier:
        """Find the symmetry, unless one is given, and learn: from ``[N, columns]`` and labels ``[N]``."""
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ArgumentError("y", "at least two classes", "one class")
        self._fit(X, torch.from_numpy(numbers))
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities ``[N, classes]``."""
        return self._outputs(X).softmax(-1).numpy()

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest labels ``[N]``."""
        likeliest = self._outputs(X).argmax(-1).numpy()
        return self.classes_[likeliest]
