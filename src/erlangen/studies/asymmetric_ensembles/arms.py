"""One arm of the study: an ensemble of one family on one table, its errors row by row, and what becomes of averaged weights."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from erlangen.datasets.tables import TableName, TableSplit, table
from erlangen.extras import engine
from erlangen.parameters import DeepEnsemble, average, barrier, match_activations, match_weights, weight_spec
from erlangen.studies.asymmetric_ensembles.study import Config

Family = Literal["MLP", "W-MLP, shared mask", "W-MLP, own masks"]
FAMILIES: tuple[Family, ...] = ("MLP", "W-MLP, shared mask", "W-MLP, own masks")
EPOCHS_OF_DIAMONDS = 40


@dataclass(frozen=True)
class Arm:
    """A training to do: a family (None: boosted trees) on a table at a width."""

    table: TableName
    family: Family | None
    width: int
    config: Config


def load(name: TableName, config: Config) -> TableSplit:
    """A table; its numbers to be predicted have mean zero and variance one by the training rows, ``scale`` undoes the latter."""
    return table(name, config.seed, config.rows if name == "diamonds" and not config.full else None)


def network(inp: int, width: int, out: int) -> nn.Module:
    """Three hidden layers, GELU."""
    layers: list[nn.Module] = []
    for i, o in ((inp, width), (width, width), (width, width)):
        layers += [nn.Linear(i, o), nn.GELU()]
    return nn.Sequential(*layers, nn.Linear(width, out))


def fixed(width: int) -> list[int]:
    """Fixed entries in a row of each layer, as the source has them."""
    others = 3 if width < 256 else 4
    return [2, others, others, others]


def epochs(name: TableName, config: Config) -> int:
    """How many at most."""
    return 1000 if config.full else min(config.epochs, EPOCHS_OF_DIAMONDS) if name == "diamonds" else config.epochs


def learn(arm: Arm) -> dict[str, Any]:
    """Train an arm; see :func:`_ensemble` and :func:`_boosted`."""
    data = load(arm.table, arm.config)
    clock = time.process_time()
    found = _boosted(data) if arm.family is None else _ensemble(arm, data, arm.family)
    return {"seconds": time.process_time() - clock} | found


def row_errors(outputs: Tensor, y: Tensor, data: TableSplit) -> np.ndarray:
    """For each row whether the class is wrong, or the squared error: ``[..., N, C]`` to ``[..., N]``."""
    if data.task == "classification":
        return (outputs.argmax(-1) != y).double().numpy()
    mean, scale = centre(data)
    return cast(np.ndarray, (outputs.squeeze(-1).double() * scale + mean - y).square().numpy())


def centre(data: TableSplit) -> tuple[float, float]:
    """Mean and standard deviation of a numeric target in the training rows."""
    return float(data.train[1].mean()), float(data.train[1].std())


def score(errors: np.ndarray, task: str) -> float:
    """Accuracy, or the root mean squared error."""
    return float(1 - errors.mean()) if task == "classification" else float(np.sqrt(errors.mean()))


def _ensemble(arm: Arm, data: TableSplit, family: Family) -> dict[str, Any]:
    """Errors of all members and of their ensemble on the test rows, with last and with best weights; the curve; averaged weights."""
    config = arm.config
    mean, scale = centre(data) if data.task == "regression" else (0.0, 1.0)

    def target(y: Tensor) -> Tensor:
        return (y - mean) / scale if data.task == "regression" else y

    clock = time.process_time()
    ensemble = DeepEnsemble(
        partial(network, data.train[0].shape[1], arm.width, data.outputs),
        64 if config.full else config.members,
        "per_member" if family == "W-MLP, own masks" else "shared",
        kind=None if family == "MLP" else "w",
        n_fix=fixed(arm.width),
        task=data.task,
        epochs=epochs(arm.table, config),
        seed=config.seed,
    ).fit(data.train[0], target(data.train[1]), validation=(data.validation[0], target(data.validation[1])))
    x, y = data.test
    sizes = sorted({*(2**k for k in range(ensemble.size.bit_length())), ensemble.size})
    found: dict[str, Any] = {
        "table": arm.table, "family": family, "width": arm.width, "task": data.task, "sizes": sizes,
        "seconds": time.process_time() - clock,
        "epochs": float(np.mean([len(h.losses) for h in ensemble.histories])) / max(1, len(data.train[1]) // 256),
    }  # fmt: skip
    for kept in ("best", "last"):
        ensemble.restore(kept == "best")
        outputs = ensemble.outputs(x)
        points = [asdict(p) for p in ensemble.curve(sizes, x, target(y))]
        for point in points if data.task == "regression" else ():
            point.update({key: point[key] * scale for key in ("score", "error", "disagreement")})
        found[kept] = {
            "members": row_errors(outputs, y, data),
            "ensemble": row_errors(outputs.mean(0), y, data),
            "curve": points,
        }
    found["averages"] = _averages(ensemble, family, data, target, config)
    return found


def _averages(
    ensemble: DeepEnsemble, family: Family, data: TableSplit, target: Callable[[Tensor], Tensor], config: Config
) -> dict[str, dict[str, list[float]]]:
    """Scores and barriers between two members, for each way to bring the second to the first, and the score of all members' mean."""
    members = [_plain(m) for m in ensemble.members]
    ways: dict[str, Callable[[nn.Module, nn.Module], nn.Module]] = {"as they are": lambda a, b: b}
    if family == "MLP":
        spec = weight_spec(members[0])
        ways["weights matched"] = lambda a, b: match_weights(a, b, spec, seed=config.seed).moved
        ways["activations matched"] = lambda a, b: match_activations(a, b, data.train[0], spec).moved
    x, y = data.test

    def loss(model: nn.Module) -> Tensor:
        out = model(x)
        if data.task == "classification":
            return nn.functional.cross_entropy(out, y)
        return (out.squeeze(-1) - target(y)).square().mean()

    def scored(model: nn.Module) -> float:
        with torch.no_grad():
            return score(row_errors(model(x), y, data), data.task)

    found: dict[str, dict[str, list[float]]] = {}
    for name, bring in ways.items():
        rows: dict[str, list[float]] = {"two": [], "barrier": []}
        for a, b in [(members[i], members[i + 1]) for i in range(0, min(2 * config.pairs, len(members) - 1), 2)]:
            b = bring(a, b)
            rows["two"].append(scored(average([a, b])))
            rows["barrier"].append(float(barrier(a, b, loss, ts=11)))
        rows["all"] = [scored(average([members[0], *(bring(members[0], m) for m in members[1:])]))]
        found[name] = rows
    return found


def _plain(member: nn.Module) -> nn.Module:
    """A copy whose weights are what the member computes with, fixed entries among them."""
    plain = copy.deepcopy(member).eval()
    for layer in plain.modules():
        if parametrize.is_parametrized(layer, "weight"):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
    return plain


def _boosted(data: TableSplit) -> dict[str, Any]:
    """Boosted trees, as many as are best on the validation rows: the errors on the test rows."""
    models = engine("zoo", "sklearn.ensemble")
    x, y = (t.numpy() for t in data.train)
    kind = models.HistGradientBoostingClassifier if data.task == "classification" else models.HistGradientBoostingRegressor
    model = kind(max_iter=300, early_stopping=False, random_state=0).fit(x, y)

    def errors(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
        if data.task == "classification":
            return (predicted != truth).astype(np.float64)
        return cast(np.ndarray, (predicted - truth) ** 2)

    held = [errors(p, data.validation[1].numpy()).mean() for p in model.staged_predict(data.validation[0].numpy())]
    best = int(np.argmin(held))
    staged = list(model.staged_predict(data.test[0].numpy()))
    return {"table": data.name, "family": None, "trees": best + 1, "errors": errors(staged[best], data.test[1].numpy())}
