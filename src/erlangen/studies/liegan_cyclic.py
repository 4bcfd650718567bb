"""LieGAN with integer coefficients: the generator of a cyclic group, from data that only a seventh of a turn leaves alone."""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from erlangen.discover import LieGAN
from erlangen.discover.samples import samples_of
from erlangen.linalg import matrix_exp
from erlangen.parallel import one_thread
from erlangen.reporting import RIVAL, RIVAL_CLAIM, Claim, Claims, KeyNumber, Matrix, Outcome, Rival, Section, repeated, scatter
from erlangen.studies.base import Study

SOURCE = "Yang, Walters, Dehmamy, Yu 2023, arXiv:2302.00236"


@dataclass(frozen=True)
class Config:
    """Points in space with a label that is invariant under seventh turns about z."""

    fold: int = 7
    """Order of the cyclic group."""
    samples: int = 20_000
    """Number of points."""
    seeds: int = 3
    """Runs; the one whose discriminator was fooled most is taken."""
    steps: int = 6000
    """Steps of LieGAN."""
    width: int = 256
    """Width of its discriminator, which must see seven jumps."""
    seed: int = 0
    """First seed."""


def make_data(config: Config) -> tuple[Tensor, Tensor]:
    """``x ~ N(0, I_3)`` and ``y = z / (1 + (atan2(y, x) mod 2 pi / n))``."""
    x = torch.randn(config.samples, 1, 3, generator=torch.Generator().manual_seed(config.seed + 1000), dtype=torch.float64)
    angle = torch.atan2(x[:, 0, 1], x[:, 0, 0]) % (2 * math.pi / config.fold)
    return x, x[:, 0, 2] / (1 + angle)


def searched(x: Tensor, y: Tensor, seed: int, largest: int = 12) -> tuple[int, np.ndarray]:
    """The order and the axis of the turn that changes labels least, by brute force: what needs no training.

    Turns by ``2 pi / n``, ``n`` from 2 to ``largest``, about a hundred axes; a point's label is compared with that of the point nearest
    to where it is turned. The best axis is made exact by Nelder and Mead.
    """
    from scipy.optimize import minimize
    from scipy.spatial import KDTree
    from scipy.spatial.transform import Rotation

    points, labels = x[:, 0].numpy(), y.numpy()
    tree, few = KDTree(points), np.random.default_rng(seed).permutation(len(points))[:1000]

    def missed(n: int, axis: np.ndarray, some: np.ndarray) -> float:
        turn = Rotation.from_rotvec(2 * np.pi / n * axis / np.linalg.norm(axis)).as_matrix()
        return float(np.abs(labels[tree.query(points[some] @ turn.T)[1]] - labels[some]).mean())

    k = np.arange(100) + 0.5
    height, around = 1 - k / 100, np.pi * (1 + np.sqrt(5)) * k  # evenly over a half-sphere
    axes = np.stack([np.cos(around) * np.sqrt(1 - height**2), np.sin(around) * np.sqrt(1 - height**2), height], -1)
    n, axis = min(
        ((n, axis) for n in range(2, largest + 1) for axis in axes), key=lambda found: missed(found[0], found[1], few[:300])
    )
    start = axis + np.concatenate([np.zeros((1, 3)), 0.1 * np.eye(3)])
    options = {"maxfev": 200, "initial_simplex": start}
    axis = minimize(lambda a: missed(n, a, few), axis, method="Nelder-Mead", options=options).x
    return n, axis / np.linalg.norm(axis)


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Discover and check that the generator's exponential closes after ``fold`` steps."""
    started = time.perf_counter()
    x, y = make_data(config)
    eye = torch.eye(3, dtype=torch.float64)
    closures, axes, turns, bases, fooled = [], [], [], [], []
    tried: list[tuple[float, float, int]] = []
    clock, spent = time.process_time(), 0.0
    with one_thread():
        for seed in range(config.seed, config.seed + config.seeds):
            gan = LieGAN(
                3,
                1,
                coefficients="int_grid",
                scale=10.0,
                init="random",
                lam=0.1,  # the penalty prefers other angles than sevenths; it only has to keep the trivial turn away
                steps=config.steps,
                batch_size=256,
                width=config.width,
                lr_discriminator=1e-3,
                seed=seed,
                quiet=quiet,
            )
            gan.fit_samples(samples_of(x, y))
            L = gan.basis_[0].double()
            g = matrix_exp(L)
            closures.append(float((matrix_exp(config.fold * L) - eye).norm()))
            axes.append(float((g @ eye[:, 2] - eye[:, 2]).norm()))
            turns.append(math.atan2(float(g[1, 0] - g[0, 1]), float(g[0, 0] + g[1, 1])) * config.fold / (2 * math.pi))
            bases.append(L)
            late = gan.history_["discriminator"][-50:]
            fooled.append(sum(late) / len(late))
        spent, clock = time.process_time() - clock, time.process_time()
        for seed in range(config.seed, config.seed + config.seeds):
            n, axis = searched(x, y, seed)
            R = matrix_exp(2 * math.pi / n * torch.tensor([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]]))
            closed = float((torch.linalg.matrix_power(R, config.fold) - eye).norm())
            tried.append((closed, float((R @ eye[:, 2] - eye[:, 2]).norm()), n))
        search_spent = time.process_time() - clock
    rival = Rival(
        "a search through all turns by 2 pi / n with nearest neighbours", "LieGAN", f"|exp({config.fold} L) - 1|",
        repeated(closures), repeated([t[0] for t in tried]), "lower", spent / config.seeds, search_spent / config.seeds,
        "n from 2 to 12, a hundred axes, the best refined", f"{config.samples} points, {config.seeds} seeds",
        note=f"n found: {', '.join(str(t[2]) for t in tried)}; |exp(L) z - z|: {statistics.fmean(t[1] for t in tried):.3f} beside "
        f"{statistics.fmean(axes):.3f}",
    )  # fmt: skip
    # A user does not know the group: runs are told apart by their discriminators, at most log 2 where nothing is left to be seen.
    best = fooled.index(max(fooled))
    taken = f"{config.seeds} seeds, {config.steps} steps, the run whose discriminator was fooled most"
    every = "all seeds: " + ", ".join(f"{c:.3f}" for c in closures)
    nontrivial = round(turns[best]) % config.fold != 0
    claims = [
        Claim(
            f"the generator closes after {config.fold} steps: |exp({config.fold} L) - 1| at most 0.2",
            None,
            closures[best],
            closures[best] <= 0.2,
            scale=taken,
            note=f"{every}; last losses of the discriminators: {', '.join(f'{f:.4f}' for f in fooled)}",
            source=SOURCE,
            key="closes",
        ),
        Claim(
            "it leaves the z axis: |exp(L) z - z| at most 0.05",
            None,
            axes[best],
            axes[best] <= 0.05,
            scale="the same",
            note="all seeds: " + ", ".join(f"{a:.3f}" for a in axes),
            key="axis",
        ),
        Claim(
            f"it turns by a multiple of 1/{config.fold}, not by none",
            f"a multiple of 2 pi / {config.fold}",
            turns[best],
            nontrivial and abs(turns[best] - round(turns[best])) <= 0.1,
            scale="the same",
            note=f"in units of 2 pi / {config.fold}; all seeds: " + ", ".join(f"{t:.3f}" for t in turns),
            key="seventh",
        ),
    ]
    orbit = [matrix_exp(k * bases[best]) @ torch.tensor([1.0, 0.2, 0.5], dtype=torch.float64) for k in range(3 * config.fold)]
    figure = scatter(
        {"exp(k L) v": ([float(v[0]) for v in orbit], [float(v[1]) for v in orbit])},
        title=f"Where the learned generator takes a point in {3 * config.fold} steps",
        x_label="x",
        y_label="y",
        equal=True,
        caption=f"A generator of C_{config.fold} visits {config.fold} places, over and over.",
    )
    return Outcome(
        name="liegan-cyclic",
        title=f"LieGAN finds the cyclic group C_{config.fold}",
        config=config,
        claims=Claims(claims),
        metrics={"closures": closures, "axis": axes, "turns": turns, "fooled": fooled, "search": [list(t) for t in tried]},
        sections=[Section("The generator", matrices=[Matrix("L", bases[best])], figures=[figure])],
        seconds=time.perf_counter() - started,
        answer=f"The generator whose discriminator was fooled most turns by {turns[best]:.3f} of 2 pi / {config.fold} and misses closing "
        f"by {closures[best]:.3f}; {sum(c <= 0.2 for c in closures)} of {config.seeds} runs close to 0.2.",
        key_numbers=[
            KeyNumber(f"|exp({config.fold} L) - 1|", repeated(closures)),
            KeyNumber("turn, in steps of the group", turns[best]),
        ],
        rivals=[rival],
    )


STUDY = Study(
    name="liegan-cyclic",
    system=21,
    title="LieGAN with integer coefficients finds the generator of a cyclic group",
    source=SOURCE,
    config=Config,
    run=run,
    claims={
        RIVAL: RIVAL_CLAIM,
        "closes": "exp(7 L) = 1 to 0.2",
        "axis": "the z axis is fixed to 0.05",
        "seventh": "the turn is a non-trivial multiple of a seventh",
    },
)
