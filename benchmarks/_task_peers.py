"""Published ways to find the affine symmetries of a task, in compact formulations of our own, each with a budget of CPU seconds.

Every one gets tokens ``[N, T, n]`` of deviation one in each component and standardised targets ``[N, m]``, and gives directions of the
affine algebra ``(A | b)``, the likeliest symmetry first, and how many of them it would call symmetries.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations_with_replacement

import torch
from torch import Tensor, nn
from torch.func import jacrev, vmap

from erlangen.discover import LieGAN
from erlangen.discover.samples import Samples
from erlangen.linalg import matrix_exp

#: A singular value above this part of their root mean square is none of a symmetry, what is below the last part is alike, and the next one
#: must be larger by this factor: as for ours.
CEILING, GAP, FLOOR = 0.3, 2.3, 0.01
BATCH, VALIDATION = 256, 0.15
#: Channels of LieGAN whose singular value is at least this part of the largest one's are generators.
STRONG = 0.25
#: Width, first step and decay of weights of networks; those with the least error on validation data are taken.
NETWORKS = ((64, 3e-3, 0.0), (128, 3e-3, 1e-4), (64, 1e-2, 1e-3))
#: Strengths of Augerino's reward for wide moves, chosen likewise, and the width that it starts from.
STRENGTHS, WIDTH, COPIES = (3e-3, 3e-2, 3e-1), 0.1, 8


@dataclass(frozen=True)
class Directions:
    """Rows ``[k, n, c]``, the likeliest symmetry first, and how many of them were found."""

    rows: Tensor
    found: int


def _before_gap(numbers: Tensor, ceiling: float) -> int:
    """How many ascending numbers, none of them above the ceiling, lie before the largest gap."""
    v = numbers.tolist()
    gaps = [(v[k] / max(v[k - 1], FLOOR), k) for k in range(1, len(v)) if v[k - 1] <= ceiling]
    return max((gap for gap in gaps if gap[0] >= GAP), default=(0.0, 0))[1]


class _Network(nn.Sequential):
    def __init__(self, inputs: int, outputs: int, width: int) -> None:
        super().__init__(
            nn.Linear(inputs, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, outputs),
        )


def _halves(count: int, seed: int) -> tuple[Tensor, Tensor]:
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    cut = int(count * (1 - VALIDATION))
    return order[:cut], order[cut:]


def _descend(
    parameters: list[nn.Parameter], lr: float, decay: float, loss: Callable[[], Tensor], seconds: float, held: Callable[[], float]
) -> float:
    """Adam with a cosine schedule until the seconds are used; the least held-out error, whose weights are kept."""
    optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=decay)
    started, best, step = time.process_time(), math.inf, 0
    kept = [p.detach().clone() for p in parameters]
    while (used := (time.process_time() - started) / seconds) < 1:
        optimizer.param_groups[0]["lr"] = lr * 0.5 * (1 + math.cos(math.pi * used))
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        step += 1
        if step % 50 == 0 and (error := held()) < best:
            best, kept = error, [p.detach().clone() for p in parameters]
    with torch.no_grad():
        for p, value in zip(parameters, kept):
            p.copy_(value)
    return best


def _fitted(x: Tensor, y: Tensor, seconds: float, seed: int) -> tuple[nn.Module, float]:
    """The network that predicts best of those tried, and its held-out error."""
    fit, validate = _halves(len(x), seed)
    rng = torch.Generator().manual_seed(seed)
    flat = x.flatten(1)
    found: list[tuple[float, int, nn.Module]] = []
    for place, (width, lr, decay) in enumerate(NETWORKS):
        torch.manual_seed(seed)
        net = _Network(flat.shape[1], y.shape[1], width)

        def loss(net: nn.Module = net) -> Tensor:
            some = fit[torch.randint(len(fit), (BATCH,), generator=rng)]
            return (net(flat[some]) - y[some]).square().mean()

        @torch.no_grad()
        def held(net: nn.Module = net) -> float:
            return float((net(flat[validate]) - y[validate]).square().mean())

        error = _descend(list(net.parameters()), lr, decay, loss, seconds / len(NETWORKS), held)
        found.append((error, place, net))
    error, _, net = min(found, key=lambda one: one[:2])
    return net, error


def lie_derivative(x: Tensor, y: Tensor, seconds: float, seed: int) -> tuple[Directions, float]:
    """The null space of a network's Lie derivative along all affine fields (Otto et al., arXiv:2311.00212)."""
    return _null_space(x, y, seconds, seed, 1)


def lie_nlsd(x: Tensor, y: Tensor, seconds: float, seed: int) -> tuple[Directions, float]:
    """The null space among a library of vector fields, here polynomial ones of degree two, with derivatives of a surrogate network
    (LieNLSD, ICML 2025). The choice of a sparse basis of it, which does not change the span, is left out."""
    return _null_space(x, y, seconds, seed, 2)


def _null_space(x: Tensor, y: Tensor, seconds: float, seed: int, degree: int) -> tuple[Directions, float]:
    net, error = _fitted(x, y, seconds, seed)
    n = x.shape[2]
    slopes = vmap(jacrev(lambda one: net(one.flatten())))(x).detach()  # [N, m, T, n]
    library = [x.new_ones(x.shape[:2])] if degree else []
    for power in range(1, degree + 1):
        library += [x[..., list(index)].prod(-1) for index in combinations_with_replacement(range(n), power)]
    # The affine part first: (A | b) with the columns of A before b.
    fields = torch.stack([*library[1 : n + 1], library[0], *library[n + 1 :]], -1)
    effect = torch.einsum("nmti,ntj->nmij", slopes, fields).flatten(0, 1).flatten(1).double()
    _, sizes, right = torch.linalg.svd(effect, full_matrices=False)
    numbers = (sizes / sizes.square().mean().sqrt()).flip(0)
    return Directions(right.flip(0).unflatten(1, (n, -1)), _before_gap(numbers, CEILING)), error


def augerino(x: Tensor, y: Tensor, seconds: float, seed: int) -> tuple[Directions, float]:
    """Widths of a uniform law over the affine algebra, learned with the network (Benton et al., arXiv:2010.11882); in its favour the law
    may have any axes: it is the image of a cube under a learned matrix, whose singular values are the widths."""
    fit, validate = _halves(len(x), seed)
    rng = torch.Generator().manual_seed(seed)
    n = x.shape[2]
    d = n * (n + 1)
    ones = x.new_ones(*x.shape[:2], 1)
    points = torch.cat([x, ones], -1)
    found: list[tuple[float, int, Tensor]] = []
    for place, strength in enumerate(STRENGTHS):
        torch.manual_seed(seed)
        net, law = _Network(x[0].numel(), y.shape[1], NETWORKS[0][0]), nn.Parameter(WIDTH * torch.eye(d))

        def moved(some: Tensor, law: Tensor = law) -> Tensor:
            draws = 2 * torch.rand(len(some), d, generator=rng) - 1
            a = nn.functional.pad((draws @ law.mT).view(-1, n, n + 1), (0, 0, 0, 1))
            return (points[some] @ matrix_exp(a).mT)[..., :n].flatten(1)

        def loss(
            net: nn.Module = net, law: Tensor = law, strength: float = strength, moved: Callable[[Tensor], Tensor] = moved
        ) -> Tensor:
            some = fit[torch.randint(len(fit), (BATCH,), generator=rng)]
            widths = torch.linalg.svdvals(law)
            return (net(moved(some)) - y[some]).square().mean() - strength * widths.clamp(max=1).mean()

        @torch.no_grad()
        def held(net: nn.Module = net, moved: Callable[[Tensor], Tensor] = moved) -> float:
            mean = torch.stack([net(moved(validate)) for _ in range(COPIES)]).mean(0)
            return float((mean - y[validate]).square().mean())

        error = _descend([*net.parameters(), law], NETWORKS[0][1], 0.0, loss, seconds / len(STRENGTHS), held)
        found.append((error, place, law.detach()))
    error, _, law = min(found, key=lambda one: one[:2])
    axes, widths, _ = torch.linalg.svd(law.double())
    numbers = (widths[0] / widths.clamp_min(1e-9)).double()
    return Directions(axes.mT.unflatten(1, (n, n + 1)), _before_gap(numbers, math.inf)), error


def liegan(x: Tensor, y: Tensor, seconds: float, seed: int, channels: int) -> tuple[Directions, float]:
    """LieGAN (Yang et al., arXiv:2302.00236), ours, on homogeneous coordinates, with as many channels as the answer has; as many steps as
    the seconds allow, its own default at least."""
    n = x.shape[2]
    points = torch.cat([x, x.new_ones(*x.shape[:2], 1)], -1)
    mask = torch.ones(n + 1, n + 1)
    mask[n] = 0
    samples = Samples(points, points[:, :0], y, None, 0)

    def game(steps: int) -> LieGAN:
        gan = LieGAN(n + 1, channels, mask, "masked", eta=0.1 if channels > 1 else 1.0, steps=steps, seed=seed, quiet=True)
        return gan.fit_samples(samples)

    started = time.process_time()
    game(100)
    gan = game(max(3000, int(100 * seconds / (time.process_time() - started))))
    _, sizes, right = torch.linalg.svd(gan.basis_[:, :n].double().flatten(1), full_matrices=False)
    return Directions(right.unflatten(1, (n, n + 1)), int((sizes >= STRONG * sizes[0]).sum())), math.nan
