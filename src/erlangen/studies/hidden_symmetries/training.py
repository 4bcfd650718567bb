"""Part two: a small classifier is trained with and without weight decay, its functional dimensions are followed, and it is made smaller."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from erlangen.datasets.cells import cells
from erlangen.parameters.hidden import (
    ReluNetwork,
    batch_functional_dimension,
    diagnose,
    functional_dimension,
    initial_networks,
    simplify,
)
from erlangen.reporting import Claim, Figure, Line, Rival, Section, Table, lines_with_band, progress, repeated
from erlangen.studies.base import Part
from erlangen.studies.hidden_symmetries.study import Config

WIDTHS = (10, 12, 12, 12, 1)
DECAYS = (0.0, 0.1)
#: When dimensions are looked at, as fractions of the training.
LOOKS = (0.0, 0.1, 1 / 3, 2 / 3, 1.0)
BATCH, RATE = 64, 3e-3
SOURCE = "Bona-Pellissier, Malgouyres & Bachoc 2024, arXiv:2402.08269"
OURS = "our own computation by another program"
ABOUT = (
    "A 10-12-12-12-1 ReLU network classifies the cells of scikit-learn's breast-cancer set (569 samples, ten whitened principal "
    "components), trained by AdamW at rate 0.003 on batches of 64 from random parameters of variance 2 / fan-in. The functional dimension "
    "over normal inputs and the batch functional dimension on the data are followed.",
    "Then the trained networks are made smaller: neurons that are never active, that lead nowhere or that are redundant go. Once for "
    "normal inputs of spread 1, 3 and 10, once for the data alone; outputs are compared on 10,000 fresh normal inputs and on the data.",
)


@dataclass(frozen=True)
class Course:
    """One training: dimensions at each look, the accuracy at the end, the network at the end."""

    normal: list[int]
    batch: list[int]
    accuracy: float
    network: ReluNetwork


@dataclass(frozen=True)
class Smaller:
    """A simplified network: neurons removed, and the largest difference of outputs over the largest output."""

    removed: int
    difference: float
    widths: tuple[int, ...]


def run(config: Config, quiet: bool) -> Part:
    """Train, follow, simplify, compare."""
    networks = max(config.networks, 20) if config.full else config.networks
    x, y = cells(WIDTHS[0])
    looks = sorted({round(part * config.epochs) for part in LOOKS})
    with progress(len(DECAYS) * config.epochs, "training", quiet=quiet) as bar:
        courses = {decay: _train(x, y, decay, networks, config.seed, looks, lambda: bar.advance(1)) for decay in DECAYS}
    clock = time.process_time()
    smaller = {decay: [_smaller(course.network, x, config.seed) for course in ones] for decay, ones in courses.items()}
    middle = time.process_time()
    idle = [never_active(course.network, x) for ones in courses.values() for course in ones]
    rival = Rival(
        "removing neurons that are never active on the data", "simplify", "neurons removed, of 36, the same function on the data",
        repeated([float(both["the data"].removed) for ones in smaller.values() for both in ones]), repeated([float(n) for n in idle]),
        "higher", middle - clock, time.process_time() - middle, "one evaluation of the data", f"{len(idle)} networks",
        note="both are exact on the data; seconds for all networks, ours for normal inputs as well",
    )  # fmt: skip
    return _report(courses, smaller, looks, len(x), rival)


def never_active(network: ReluNetwork, x: Tensor) -> int:
    """Hidden neurons that no sample activates: what anyone would prune first."""
    count, z = 0, x
    for w, b in list(zip(network.weights, network.biases))[:-1]:
        z = (z @ w.mT + b).relu()
        count += int((z <= 0).all(0).sum())
    return count


def _train(
    x: Tensor, y: Tensor, decay: float, networks: int, seed: int, looks: list[int], step: Callable[[], None]
) -> list[Course]:
    """All networks at once: their parameters have a leading axis, their losses add up, and each has its own batches."""
    generator = torch.Generator().manual_seed(seed)
    start = initial_networks(WIDTHS, networks, generator)
    weights, biases = ([t.clone().requires_grad_() for t in ts] for ts in (start.weights, start.biases))
    optimizer = torch.optim.AdamW([*weights, *biases], lr=RATE, weight_decay=decay)
    normal: list[list[int]] = [[] for _ in range(networks)]
    batch: list[list[int]] = [[] for _ in range(networks)]
    for epoch in range(looks[-1] + 1):
        now = ReluNetwork(tuple(w.detach().clone() for w in weights), tuple(b.detach().clone() for b in biases))
        if epoch in looks:
            for i in range(networks):
                normal[i].append(functional_dimension(now.member(i), seed=seed).dim)
                batch[i].append(batch_functional_dimension(now.member(i), x, seed=seed).dim)
        if epoch == looks[-1]:
            break
        order = torch.stack([torch.randperm(len(x), generator=generator) for _ in range(networks)])
        for some in order.split(BATCH, 1):
            z = x[some]
            for layer, (w, b) in enumerate(zip(weights, biases)):
                z = torch.baddbmm(b.unsqueeze(1), z.relu() if layer else z, w.mT)
            optimizer.zero_grad()
            # The mean over samples of each network, summed over networks.
            losses = nn.functional.binary_cross_entropy_with_logits(z.squeeze(-1), y[some], reduction="none")
            losses.mean(1).sum().backward()
            optimizer.step()
        step()
    right = ((now(x).squeeze(-1) > 0) == (y > 0.5)).double().mean(-1)
    return [Course(normal[i], batch[i], float(right[i]), now.member(i)) for i in range(networks)]


def _smaller(network: ReluNetwork, x: Tensor, seed: int) -> dict[str, Smaller]:
    fresh = torch.randn(10_000, WIDTHS[0], generator=torch.Generator().manual_seed(seed + 999), dtype=torch.float64)
    found = {}
    for name, points, tests in (("normal inputs", None, fresh), ("the data", x, x)):
        result = simplify(network, points, seed=seed)
        before = network(tests)
        far = float((result.network(tests) - before).abs().max() / before.abs().max())
        found[name] = Smaller(result.removed, far, result.network.widths)
    return found


def _report(
    courses: dict[float, list[Course]],
    smaller: dict[float, list[dict[str, Smaller]]],
    looks: list[int],
    samples: int,
    rival: Rival,
) -> Part:
    count = len(courses[DECAYS[0]])
    scale = f"{samples} samples, {looks[-1]} epochs, {count} networks for each weight decay"
    plain, decayed = (courses[decay] for decay in DECAYS)
    everyone = [course for ones in courses.values() for course in ones]
    claims = [
        Claim(
            "training ends with every sample classified",
            1.0,
            min(course.accuracy for course in everyone),
            all(course.accuracy == 1.0 for course in everyone),
            scale=scale,
            note="the lowest accuracy on the training data",
            source=OURS,
            key="trained",
        )
    ]
    for what, values, reported in (
        ("over normal inputs", [course.normal for course in plain], "417 to 396"),
        ("on the data", [course.batch for course in plain], "393 to 384"),
    ):
        change = torch.tensor([one[-1] - one[0] for one in values], dtype=torch.float64)
        error = float(change.std() / len(change) ** 0.5) if len(change) > 1 else 0.0
        claims.append(
            Claim(
                f"the functional dimension {what} falls in training without weight decay, by more than two standard errors",
                reported,
                repeated([one[-1] for one in values]),
                float(change.mean()) < -2 * error,
                baseline=repeated([one[0] for one in values]),
                scale=scale,
                note=f"baseline: the same networks before training; change {float(change.mean()):.1f} with standard error {error:.1f}, "
                f"a fall in {int((change < 0).sum())} of {len(change)} networks",
                source=f"{SOURCE}; numbers: {OURS} (one network)",
                key="falls",
            )
        )
    gaps = [a.batch[-1] - b.batch[-1] for a, b in zip(plain, decayed)]
    claims.append(
        Claim(
            "weight decay 0.1 lowers the dimension on the data by at least 10 more, on average",
            "349, without 384",
            repeated([course.batch[-1] for course in decayed]),
            sum(gaps) / len(gaps) >= 10,
            baseline=repeated([course.batch[-1] for course in plain]),
            scale=scale,
            note=f"baseline: the same initial networks trained without; by at least 10 in {sum(g >= 10 for g in gaps)} of them",
            source=OURS,
            key="falls",
        )
    )
    results = [one for ones in smaller.values() for both in ones for one in both.values()]
    claims.append(
        Claim(
            "every simplified network has the function of the trained one, to 1e-10 of its largest value",
            "1e-10",
            max(one.difference for one in results),
            max(one.difference for one in results) <= 1e-10,
            scale=f"{len(results)} simplified networks",
            note=f"{sum(one.removed for one in results)} neurons removed in all",
            source=OURS,
            key="simplified",
        )
    )
    removed = {decay: {name: [both[name].removed for both in ones] for name in ones[0]} for decay, ones in smaller.items() if ones}
    tables = [_courses(courses, looks), _removed(removed), _mechanisms(courses)]
    numbers = {
        f"weight decay {decay:g}": {
            "epochs": looks,
            "normal": [course.normal for course in ones],
            "batch": [course.batch for course in ones],
            "accuracy": [course.accuracy for course in ones],
            "removed": removed[decay],
        }
        for decay, ones in courses.items()
    }
    most = functional_dimension(everyone[0].network, points=1).max_dim
    answer = "; ".join(
        f"weight decay {decay:g}: normal {ones[0].normal[0]} to {ones[0].normal[-1]}, data {ones[0].batch[0]} to {ones[0].batch[-1]}"
        for decay, ones in courses.items()
    )
    section = Section("In the course of training", ABOUT, tables, [_figure(courses, looks)])
    return Part(claims, [section], numbers, f"Of at most {most}. First network: {answer}.", rivals=[rival])


def _courses(courses: dict[float, list[Course]], looks: list[int]) -> Table:
    rows = [
        [f"{decay:g}", what, *(repeated([getattr(course, key)[i] for course in ones]) for i in range(len(looks)))]
        for decay, ones in courses.items()
        for what, key in (("normal inputs", "normal"), ("the data", "batch"))
    ]
    return Table("Functional dimension", ["weight decay", "inputs", *(f"epoch {look}" for look in looks)], rows)


def _removed(removed: dict[float, dict[str, list[int]]]) -> Table:
    rows = [[f"{decay:g}", name, repeated(counts)] for decay, ones in removed.items() for name, counts in ones.items()]
    return Table("Neurons removed, of 36", ["weight decay", "equal on", "removed"], rows)


def _mechanisms(courses: dict[float, list[Course]]) -> Table:
    """Counts of mechanisms in the first network of each weight decay."""
    found = {decay: diagnose(ones[0].network) for decay, ones in courses.items()}
    names = sorted({m.name for one in found.values() for m in one.mechanisms})
    rows = [[f"{decay:g}", one.dimension.deficit, *(len(one.of(name)) for name in names)] for decay, one in found.items()]
    caption = "Normal inputs of spread 1, 3 and 10; the first network of each weight decay."
    return Table("Mechanisms after training", ["weight decay", "deficit", *names], rows, caption)


def _figure(courses: dict[float, list[Course]], looks: list[int]) -> Figure:
    lines = {}
    for decay, ones in courses.items():
        for what, key in (("normal inputs", "normal"), ("the data", "batch")):
            runs = [getattr(course, key) for course in ones]
            lines[f"{what}, weight decay {decay:g}"] = Line.of_runs(looks, runs) if len(runs) > 1 else Line(looks, runs[0])
    return lines_with_band(
        lines,
        title="Functional dimension in training",
        x_label="epoch",
        y_label="functional dimension",
        caption="Means over networks; bands are one standard deviation to either side.",
    )
