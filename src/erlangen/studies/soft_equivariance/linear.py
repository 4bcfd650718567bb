"""The moment of inertia as a linear function of masses, positions and m r (x) r, with an axis that breaks O(3) to O(2)."""

from __future__ import annotations

import math
import statistics
import time

import torch

from erlangen.discover.soft import SoftEquivariantRidge, dimension
from erlangen.fields.mechanics.inertia import CANDIDATES, FEATURES, TARGET, broken_inertia, features
from erlangen.reporting import Claim, Crossover, Rival, Section, Table, repeated
from erlangen.studies.base import Part
from erlangen.studies.rivals import lassos, simplest
from erlangen.studies.soft_equivariance.study import SOURCE, Config, plain

_DECAYS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_TEST = 1000


def run(config: Config, quiet: bool) -> Part:
    """Fit with ever more samples."""
    numbers: dict[int, dict[str, list[float]]] = {}
    for size in config.sizes:
        for seed in range(config.seed, config.seed + config.seeds):
            for name, value in _one(size, seed, config).items():
                numbers.setdefault(size, {}).setdefault(name, []).append(value)
    middle = plain(numbers)
    scale = f"{min(config.sizes)} to {max(config.sizes)} samples with noise {config.noise:g}, {_TEST} test samples, {config.seeds} seeds"
    mean = {size: {name: statistics.fmean(values) for name, values in found.items()} for size, found in numbers.items()}
    best = [min(m["ridge"], m["O(3)"]) / m["soft"] for m in mean.values()]
    ordered = [m["true axis"] > max(m["other axes"], m["all"]) for m in middle.values()]
    few = min(config.sizes)
    small = mean[few]
    dims = [dimension(group.vector, TARGET, FEATURES) for group in CANDIDATES.values()]
    claims = [
        Claim(
            "at every size the error is below those of ridge regression (best weight decay) and of O(3) imposed",
            None, f"{min(best):.1f} to {max(best):.1f} times lower", min(best) > 1, scale=scale,
            note="means over seeds, against the better of the two",
            key="tuned",
        ),
        Claim(
            f"of {few} samples it is within twice the error of the model that knows the axis, on average",
            None, repeated(numbers[few]["soft"]), small["soft"] <= 2 * small["O(2)z"], repeated(numbers[few]["O(2)z"]), scale,
            note="test mean square error",
            key="tuned",
        ),
        Claim(
            "O(2)z keeps the largest strength at every size",
            None, f"{sum(ordered)} of {len(ordered)}", all(ordered), scale=scale, key="axis",
        ),
        Claim(
            "20 equivariant weights under O(3), 80 under O(2) about an axis",
            None, ", ".join(map(str, dims)), dims == [20, 80, 80, 80], key="dimensions",
        ),
    ]  # fmt: skip
    rivals = [
        Rival(
            "the lasso", "soft equivariance", f"test mean square error of {size} samples", repeated(numbers[size]["soft"]),
            repeated(numbers[size]["lasso"]), "lower", middle[str(size)]["soft seconds"], middle[str(size)]["lasso seconds"],
            "on the same features, alpha chosen on a held-out quarter of the training data", scale,
            note="the law has few weights that are not zero, which the lasso is made for",
        )
        for size in sorted(numbers)
    ]  # fmt: skip
    names = {
        "lasso": "lasso",
        "ridge": "ridge, best decay",
        "O(3)": "O(3) imposed",
        "O(2)z": "O(2)z imposed",
        "soft": "soft, tuned by itself",
    }
    rows = [[str(n), *(middle[str(n)][k] for k in (*names, "all", "other axes", "true axis"))] for n in config.sizes]
    table = Table(
        "Test mean square error and strengths",
        ["samples", *names.values(), "strength of O(3)", "of O(2)x and y", "of O(2)z"],
        rows,
        "Noise-free test targets with a variance of about 30.",
    )
    crossover = Crossover(
        "training samples",
        config.sizes,
        "test mean square error",
        "lower",
        "soft equivariance",
        {
            {"soft": "soft equivariance", "ridge": "ridge, best of five decays", "O(2)z": "O(2)z imposed"}.get(name, name): [
                numbers[size][name] for size in config.sizes
            ]
            for name in ("soft", "lasso", "ridge", "O(2)z")
        },
        log_y=True,
        note=f"{scale}. O(2)z imposed is for who knows the axis; ridge's weight decay is the best of five on the test data.",
    ) if len(config.sizes) > 1 else None  # fmt: skip
    text = (
        f"Five bodies; the target is I + {config.broken:g} (I e_z) e_z^T, linear in the features. Candidates: O(3), O(2) about each axis. "
        f"The task: {SOURCE}."
    )
    answer = f"From {min(config.sizes)} samples soft equivariance has an error of {small['soft']:.2g}, ridge {small['ridge']:.2g}."
    sections = [Section("Moment of inertia, linear", [text], [table]), *([crossover.section()] if crossover else [])]
    found = {"samples": middle, **({"crossover": crossover.as_dict()} if crossover else {})}
    return Part(claims, sections, found, answer, rivals=rivals)


def _one(size: int, seed: int, config: Config) -> dict[str, float]:
    draw = torch.Generator().manual_seed(seed)
    data, test = broken_inertia(size, config.broken, draw), broken_inertia(_TEST, config.broken, draw)
    y = data.y + config.noise * torch.randn(data.y.shape, generator=draw, dtype=data.y.dtype)
    x, test_x = features(data.x), features(test.x)

    def error(model: SoftEquivariantRidge) -> float:
        return float((model.fit(x, y).predict(test_x) - test.y).square().mean())

    lasso = simplest(lassos(), x, y, seed=seed)
    soft = SoftEquivariantRidge(CANDIDATES, FEATURES, TARGET, strengths=1.0, warmup=0.1, weight_decay=1e-3)

    def imposed(name: str) -> float:
        return error(SoftEquivariantRidge({name: CANDIDATES[name]}, FEATURES, TARGET, strengths=math.inf, weight_decay=1e-3))

    found = {
        "ridge": min(
            error(SoftEquivariantRidge(CANDIDATES, FEATURES, TARGET, strengths=0.0, weight_decay=decay)) for decay in _DECAYS
        ),
        "O(3)": imposed("O3"),
        "O(2)z": imposed("O2z"),
        "lasso": float((lasso.predict(test_x) - test.y).square().mean()),
        "lasso seconds": lasso.seconds,
    }
    clock = time.process_time()
    found |= {"soft": error(soft), "soft seconds": time.process_time() - clock}
    s = soft.strengths_
    return found | {"all": s["O3"], "other axes": (s["O2x"] + s["O2y"]) / 2, "true axis": s["O2z"]}
