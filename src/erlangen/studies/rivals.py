"""What a user would pick instead: scikit-learn's models on columns, their settings chosen on a part of the training data."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.mechanics import n_body, vectors_of_bodies
from erlangen.fields.molecules import Trajectory, fit_force_kernel
from erlangen.reporting import Rival, repeated

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
        shape: of a target; scikit-learn's predictions of one column ``[N, 1]`` come as ``[N]``, which would broadcast.
    """

    model: Any
    settings: str
    seconds: float
    held: dict[str, float]
    shape: tuple[int, ...] = ()

    def predict(self, x: Any) -> torch.Tensor:
        """Predictions as a tensor of the targets' shape: float64, or classes."""
        found = np.asarray(self.model.predict(columns(x)))
        return torch.from_numpy(found.reshape(len(found), *self.shape))


def simplest(
    candidates: Mapping[str, Callable[[], Any]],
    x: Any,
    y: Any,
    *,
    seed: int = 0,
    score: Callable[[Any, Any], float] | None = None,
    of: Any = None,
    draws: int = 1,
) -> Simple:
    """The best of some models by a held-out quarter of the training data, fitted again on all of these; of one class, that class.

    Args:
        candidates: what makes each, by a name that says its settings.
        x: ``[N, ...]``, made columns.
        y: ``[N]`` classes (integers) or numbers, or ``[N, m]`` numbers.
        seed: of the draw of what is held out; classes keep their shares.
        score: of predictions and targets, more is better; by default accuracy of integers, minus the mean squared error of numbers.
        of: ``[N]``, what each row is made of, e.g. the number of the image that was turned: rows of one thing are never on both sides.
        draws: how many quarters are held out, one after the other, and scores averaged: of few data one says little.

    Raises:
        ArgumentError: there is no candidate or no draw;
            ``x`` and ``y`` are empty or of different lengths; a target is neither a finite number
            nor a class; no class has two data, of which one could be held out; or ``of`` has another length, or one thing only.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(200, 3))
    >>> found = simplest(ridges(degrees=(1, 2)), x, x[:, 0] * x[:, 1])
    >>> float((found.predict(x) - torch.from_numpy(x[:, 0] * x[:, 1])).abs().max()) < 1e-3
    True
    """
    from sklearn.dummy import DummyClassifier

    if not candidates:
        raise ArgumentError("candidates", "at least one model", "none")
    if not isinstance(draws, int) or draws < 1:
        raise ArgumentError("draws", "a positive whole number", repr(draws))
    x, y = columns(x), np.asarray(y.detach().cpu() if isinstance(y, torch.Tensor) else y)
    classes = y.dtype.kind in "iub"
    if not len(x) or y.shape[:1] != x.shape[:1]:
        raise ArgumentError("y", "as many targets as data, at least one", f"{y.shape} for x of {x.shape}")
    if not classes and (y.dtype.kind != "f" or not np.isfinite(y).all()):
        raise ArgumentError("y", "integers, or finite numbers", repr(y))
    y = y if classes else y.astype(np.float64)
    judge = score or ((lambda a, b: float((a == b).mean())) if classes else (lambda a, b: -float(np.square(a - b).mean())))
    started = time.process_time()
    held: dict[str, float] = {}
    if classes and len(np.unique(y)) == 1:  # some classifiers refuse it
        candidates = {f"always the class {y.flat[0]}, the only one": DummyClassifier}
    if len(candidates) > 1:
        held = dict.fromkeys(candidates, 0.0)
        for draw in range(seed, seed + draws):
            learn, hold = _split(y, classes, draw) if of is None else _split_things(np.asarray(of), len(y), draw)
            for name, make in candidates.items():
                found = judge(np.reshape(make().fit(x[learn], y[learn]).predict(x[hold]), y[hold].shape), y[hold])
                held[name] += -math.inf if math.isnan(found) else found / draws
    best = max(held, key=held.__getitem__) if held else next(iter(candidates))
    model = candidates[best]().fit(x, y)
    quarter = "a held-out quarter" if draws == 1 else f"{draws} held-out quarters"
    chosen = f"{best}, chosen of {len(candidates)} on {quarter} of the training data" if held else best
    return Simple(model, chosen, time.process_time() - started, held, y.shape[1:])


def _split(y: np.ndarray, classes: bool, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from and rows held out; of classes with equal shares where that is possible, and single data are learned from."""
    from sklearn.model_selection import train_test_split

    rows = np.arange(len(y))
    if not classes or y.ndim > 1:
        learn, hold = train_test_split(rows, test_size=HELD, random_state=seed)
        return learn, hold
    _, which, counts = np.unique(y, return_inverse=True, return_counts=True)
    several = rows[counts[which] > 1]
    if not len(several):
        raise ArgumentError("y", "at least two data of a class, so that one can be held out", f"{len(counts)} classes of one each")
    shares = len(several) * HELD >= (counts > 1).sum()
    learn, hold = train_test_split(several, test_size=HELD, random_state=seed, stratify=y[several] if shares else None)
    return np.concatenate([learn, rows[counts[which] == 1]]), hold


def _split_things(of: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The same by what rows are made of."""
    from sklearn.model_selection import GroupShuffleSplit

    if of.shape != (count,) or len(np.unique(of)) < 2:
        raise ArgumentError("of", f"{count} numbers of at least two things", f"{len(np.unique(of))} in shape {of.shape}")
    learn, hold = next(GroupShuffleSplit(1, test_size=HELD, random_state=seed).split(of, groups=of))
    return learn, hold


def columns(x: Any) -> np.ndarray:
    """``[N, ...]`` as float64 ``[N, k]``.

    Raises:
        ArgumentError: a single number.
    """
    array = np.asarray(x.detach().cpu() if isinstance(x, torch.Tensor) else x, dtype=np.float64)
    if not array.ndim:
        raise ArgumentError("x", "data [N, ...]", repr(x))
    return array.reshape(len(array), math.prod(array.shape[1:]))


def ridges(degrees: tuple[int, ...] = (1,), alphas: tuple[float, ...] = (1e-6, 1e-3, 1e-1, 10.0)) -> dict[str, Callable[[], Any]]:
    """Ridge regression on polynomials of standardised columns."""
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    def make(degree: int, alpha: float) -> Any:
        powers = [PolynomialFeatures(degree, include_bias=False), StandardScaler()] if degree > 1 else []
        return make_pipeline(StandardScaler(), *powers, Ridge(alpha))

    return {f"ridge of degree {d}, alpha {a:g}": lambda d=d, a=a: make(d, a) for d in degrees for a in alphas}  # type: ignore[misc]


def lassos(alphas: tuple[float, ...] = (3e-3, 1e-2, 3e-2, 1e-1, 3e-1)) -> dict[str, Callable[[], Any]]:
    """The lasso on standardised columns: few weights that are not zero."""
    from sklearn.linear_model import Lasso
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return {f"lasso, alpha {a:g}": lambda a=a: make_pipeline(StandardScaler(), Lasso(a, max_iter=3000)) for a in alphas}  # type: ignore[misc]


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


class VectorRidge:
    """Ridge regression of vectors by vectors, one number for each, the same for all components and points: it turns along exactly.

    Args:
        alpha: of the ridge, for columns of mean square one.
        count: vectors for each point; rows are ``[points, count, dimension]``, flat, and ``[points, dimension]``.
        dimension: of the space.
        first: how many of the vectors are used; by default all.
    """

    def __init__(self, alpha: float, count: int, dimension: int = 3, first: int | None = None) -> None:
        self.alpha, self.count, self.dimension, self.first = alpha, count, dimension, first

    def fit(self, x: np.ndarray, y: np.ndarray) -> VectorRidge:
        from sklearn.linear_model import Ridge

        rows = self._rows(x)
        self.scale = np.sqrt(np.square(rows).mean(0)).clip(1e-300)
        self.ridge = Ridge(self.alpha, fit_intercept=False).fit(rows / self.scale, y.reshape(-1))
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.ridge.predict(self._rows(x) / self.scale).reshape(len(x), -1)

    def _rows(self, x: np.ndarray) -> np.ndarray:
        some = x.reshape(len(x), -1, self.count, self.dimension)[:, :, : self.first]
        return np.moveaxis(some, 2, 3).reshape(-1, some.shape[2])


@dataclass(frozen=True)
class Charges:
    """What needs no network to say where five charged bodies will be, on one test set: the mean squared error of each system.

    Attributes:
        law: of the law, integrated from the states at hand.
        ridge: of ridge regression on vectors made by hand.
        law_seconds, ridge_seconds: CPU seconds.
        settings: of the ridge.
        vectors: how many the ridge could use.
    """

    law: Tensor
    ridge: Tensor
    law_seconds: float
    ridge_seconds: float
    settings: str
    vectors: int = 65

    def beside(self, method: str, measured: Any, seconds: float, scale: str) -> list[Rival]:
        """The rows of both beside a method and its mean squared error; the law first."""
        return beside([self], method, measured, seconds, scale)


def beside(runs: Sequence[Charges], method: str, measured: Any, seconds: float, scale: str) -> list[Rival]:
    """The rows of both, over the seeds of ``runs``, beside a method and its mean squared error; the law first."""
    law, ridge = (repeated([float(errors.mean()) for errors in kind]) for kind in zip(*((r.law, r.ridge) for r in runs)))
    took = [sum(times) / len(runs) for times in zip(*((r.law_seconds, r.ridge_seconds) for r in runs))]
    quantity, first = "mean squared error of positions", runs[0].settings
    ridge_name = f"ridge regression on {runs[0].vectors} equivariant vectors"
    return [
        Rival("the law itself, integrated", method, quantity, measured, law, "lower", seconds, took[0], "steps of 1e-3", scale,
              note="a user who knows the law needs no data"),
        Rival(ridge_name, method, quantity, measured, ridge, "lower", seconds, took[1], first,
              scale, note="for a user who does not know the law"),
    ]  # fmt: skip


def charges(
    now: Mapping[str, Tensor], later: Tensor, test_now: Mapping[str, Tensor], test_later: Tensor, *, seed: int = 0, degree: int = 1
) -> Charges:
    """Rivals on the benchmark of :func:`erlangen.fields.mechanics.nbody`.

    Args:
        now, later: parts by name of the training systems, as :func:`erlangen.fields.mechanics.bodies` gives them, and positions later.
        test_now, test_later: of the test systems.
        seed: of what is held out for the ridge.
        degree: of the ridge's vectors, the highest one to choose from (:func:`erlangen.fields.mechanics.vectors_of_bodies`).

    >>> from erlangen.fields.mechanics import bodies, nbody
    >>> train, test = nbody("train", 60), nbody("test", 20)
    >>> found = charges(bodies(train.x), bodies(train.y)["pos"], bodies(test.x), bodies(test.y)["pos"])
    >>> bool(found.law.max() < 1e-15), bool(found.ridge.mean() < 0.1)
    (True, True)
    """
    (now, test_now), (later, test_later) = (
        tuple({n: p.double() for n, p in x.items()} for x in (now, test_now)),
        (later.double(), test_later.double()),
    )
    started = time.process_time()
    state = (test_now["pos"], test_now["vel"], test_now["charge"].squeeze(-1))
    law = n_body(initial=state, input_frame=0, target_frame=9).target
    spent = time.process_time() - started

    def vectors(of: Mapping[str, Tensor], degree: int = degree) -> Tensor:
        return vectors_of_bodies(of["pos"], of["vel"], of["charge"], degree=degree)

    x = vectors(now)
    count, plain = x.shape[2], vectors({name: part[:1] for name, part in now.items()}, 1).shape[2]
    candidates = {
        f"{first} vectors, alpha {a:g}": lambda a=a, first=first: VectorRidge(a, count, first=first)
        for first in sorted({plain, count})
        for a in (1e-4, 1e-2, 1.0, 10.0, 100.0, *((1e3, 1e4) if degree > 1 else ()))
    }
    found = simplest(
        candidates, x, (later - now["pos"]).flatten(1), seed=seed, draws=4 if degree > 1 and len(x) < 500 else 1  # type: ignore[arg-type]
    )  # fmt: skip
    ridge = test_now["pos"] + found.predict(vectors(test_now)).unflatten(1, test_now["pos"].shape[1:])
    return Charges(
        (law - test_later).square().mean((1, 2)),
        (ridge - test_later).square().mean((1, 2)),
        spent,
        time.process_time() - started - spent,
        found.settings,
        count,
    )


#: Lengths and noises that a kernel of forces is tried with, on so many frames.
KERNELS, TRIED = ((2.0, 1e-6), (4.0, 1e-6), (8.0, 1e-6), (4.0, 1e-5)), 100


def force_kernel(learn: Trajectory, hold: Trajectory, most: int = 300) -> tuple[Callable[[Trajectory], Tensor], str]:
    """A kernel model of one molecule's forces, its length and noise chosen on frames held out; and what was chosen, for a table.

    Args:
        learn: frames, of which the first ``most`` are learned from.
        hold: frames to choose by.
        most: the solve grows with its third power: 3 seconds at 300 frames of nine atoms, 12 at 500, more than a minute at 1000.

    >>> from erlangen.fields.molecules import trajectory
    >>> ethanol = trajectory("ethanol")
    >>> field, settings = force_kernel(ethanol[:30], ethanol[800:850])
    >>> field(ethanol[1000:1002]).shape, settings.split(",")[0]
    (torch.Size([2, 9, 3]), 'one linear solve for 30 frames')
    """
    few, used = learn[:TRIED], learn[:most]
    off = {k: float((fit_force_kernel(few, *k)(hold) - hold.forces).abs().mean()) for k in KERNELS}
    length, noise = min(off, key=off.__getitem__)
    settings = f"one linear solve for {len(used)} frames, length {length:g} / angstrom and noise {noise:g} chosen of {len(off)} on "
    return fit_force_kernel(used, length, noise), settings + f"{len(hold)} frames held out"


def polar_moduli(images: torch.Tensor, *, rings: int = 14, frequencies: int = 10, angles: int = 64) -> np.ndarray:
    """What no rotation about the image's centre changes: roots of moduli of Fourier coefficients along circles.

    Args:
        images: ``[N, h, h]`` or ``[N, 1, h, h]``.
        rings: circles, of evenly spaced radii up to half the side.
        frequencies: the highest one; the zeroth is the mean of a circle.
        angles: points on each circle, interpolated bilinearly.

    Returns:
        ``[N, rings (frequencies + 1)]``.

    >>> x = torch.rand(2, 28, 28)
    >>> bool(np.abs(polar_moduli(x) - polar_moduli(x.rot90(1, (1, 2)))).max() < 1e-3)
    True
    """
    return columns(_circles(images, rings, frequencies, angles).abs().sqrt())


def polar_bispectrum(images: torch.Tensor, *, rings: int = 8, frequencies: int = 8, angles: int = 64) -> np.ndarray:
    """:func:`polar_moduli` and the phases that a rotation leaves: those between neighbouring circles, and between frequencies of one.

    Of circles ``r`` and ``r + 1`` or ``r + 2`` the products ``c_k(r) conj c_k(r + d)``, of one circle ``c_k^2 conj c_2k`` and
    ``c_1 c_k conj c_{k+1}``, each with the size of one coefficient's root.

    Args:
        images, rings, frequencies, angles: as for :func:`polar_moduli`; at least three circles and two frequencies.

    >>> x = torch.rand(2, 28, 28)
    >>> bool(np.abs(polar_bispectrum(x) - polar_bispectrum(x.rot90(1, (1, 2)))).max() < 1e-2)
    True
    """
    c = _circles(images, rings, frequencies, angles)
    half = frequencies // 2
    products = [
        (c[:, 1:, 1:] * c[:, :-1, 1:].conj(), 2),
        (c[:, 2:, 1:] * c[:, :-2, 1:].conj(), 2),
        (c[..., 1 : half + 1].square() * c[..., 2 : 2 * half + 1 : 2].conj(), 3),
        (c[..., 1:2] * c[..., 1:-1] * c[..., 2:].conj(), 3),
    ]
    found = [c.abs().sqrt().flatten(1)]
    for product, factors in products:
        # A product of m coefficients has the size of a root of one.
        level = product * product.abs().clamp_min(1e-12) ** (0.5 / factors - 1)
        found += [level.real.flatten(1), level.imag.flatten(1)]
    return columns(torch.cat(found, 1))


def _circles(images: torch.Tensor, rings: int, frequencies: int, angles: int) -> torch.Tensor:
    """Fourier coefficients along circles, ``[N, rings, frequencies + 1]``."""
    x = images.detach().reshape(len(images), 1, *images.shape[-2:])
    radii = ((torch.arange(rings) + 0.5) / rings).to(x)
    phi = (2 * torch.pi * torch.arange(angles) / angles).to(x)
    grid = torch.stack([radii[:, None] * phi.cos(), radii[:, None] * phi.sin()], -1)
    sampled = [torch.nn.functional.grid_sample(p, grid.expand(len(p), -1, -1, -1), align_corners=False) for p in x.split(4096)]
    return torch.fft.rfft(torch.cat(sampled)[:, 0])[..., : frequencies + 1] / angles
