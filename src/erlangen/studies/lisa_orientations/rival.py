"""What a user would pick instead: a grid of the posterior; or the same ensemble of walkers on all of it, without the group.

A user who knows that angles of these waves repeat folds them by hand, which is what copying by the group does: no row is needed for it.
"""

from __future__ import annotations

import math
import time
from itertools import pairwise

import torch
from torch import Tensor

from erlangen.fields import binaries as bi
from erlangen.reporting import Rival

WALKERS, DRAWS, BURN, THIN = 64, 100_000, 800, 10
COUNT = 800


def whole_posterior(waves: bi.FourWaves, c: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Samples ``[count, 4]`` of ``ln amp, cos(iota), psi, phi0`` by affine-invariant moves, from the best of many prior draws."""

    def log_density(z: Tensor) -> Tensor:
        x = bi.parts(z[:, 0].exp(), z[:, 1].clamp(-1, 1).acos(), z[:, 2], z[:, 3])
        value = x @ c - torch.einsum("bi,ij,bj->b", x, waves.gram, x) / 2 + z[:, 0]
        return torch.where(z[:, 1].abs() <= 1, value, -math.inf)

    amp = float(waves.best(c)[0])
    draw = torch.rand(DRAWS, 4, dtype=torch.float64, generator=generator)
    first = torch.stack(
        [math.log(amp) + draw[:, 0] - 0.5, 2 * draw[:, 1] - 1, 2 * math.pi * draw[:, 2], 2 * math.pi * draw[:, 3]], -1
    )
    walkers = first[log_density(first).topk(WALKERS).indices]
    walkers = walkers[torch.randperm(WALKERS, generator=generator)]
    density, kept, half = log_density(walkers), [], WALKERS // 2
    for step in range(BURN + THIN * math.ceil(count / WALKERS)):
        for mine, other in ((slice(0, half), slice(half, None)), (slice(half, None), slice(0, half))):
            u = torch.rand(3, half, dtype=torch.float64, generator=generator)
            z = (u[0] + 1) ** 2 / 2
            partner = walkers[other][(u[1] * half).long().clamp_max(half - 1)]
            moved = partner + z[:, None] * (walkers[mine] - partner)
            new = log_density(moved)
            accept = u[2].log() < 3 * z.log() + new - density[mine]
            walkers[mine] = torch.where(accept[:, None], moved, walkers[mine])
            density[mine] = torch.where(accept, new, density[mine])
        if step >= BURN and (step - BURN) % THIN == THIN - 1:
            kept.append(walkers.clone())
    return torch.cat(kept)[:count]


def weights_of(psi: Tensor, best: float) -> Tensor:
    """The shares of samples that are nearest to each of four position angles."""
    near = ((psi - best + math.pi / 4) % (2 * math.pi) / (math.pi / 2)).long().clamp_max(3)
    return torch.bincount(near, minlength=4).double() / len(psi)


def grid_weights(waves: bi.FourWaves, c: Tensor, best: float) -> Tensor:
    """The weights of four position angles on the grid of the fits, with flat priors of amplitude, ``cos(iota)``, angle and phase."""
    grid = bi.Grid.regular()
    norm = bi.parts(torch.ones(1), grid.iota[:, None, None], grid.psi[:, None], grid.phi0)
    norm = torch.einsum("...i,ij,...j->...", norm, waves.gram, norm)
    logs = waves.grid(c, grid) - norm.log() / 2 + grid.iota.sin().clamp_min(1e-300).log()[:, None, None]
    marginal = (logs - logs.max()).exp().sum((0, 2))
    near = ((grid.psi - best + math.pi / 4) % (2 * math.pi) / (math.pi / 2)).long().clamp_max(3)
    return torch.zeros(4, dtype=torch.float64).index_add_(0, near, marginal) / marginal.sum()


def rivals(seed: int) -> list[Rival]:
    """The largest error of a mode's weight, which is a quarter by symmetry, for ES Cet."""
    b = bi.verification_binaries()[2]
    lam, beta = b.ecliptic()
    waves = bi.FourWaves(b.f, b.fdot, 0.0, lam, beta)
    generator = torch.Generator().manual_seed(seed + 2)
    c = waves.correlate(waves.data(amp=b.amp, iota=b.iota, psi=0.7, phi0=2.0) + waves.noise(generator))
    best = float(waves.best(c)[2])
    times = [time.process_time()]
    ours = bi.sample_posterior(waves, c, COUNT // 4, generator=generator)
    times.append(time.process_time())
    on_grid = grid_weights(waves, c, best)
    times.append(time.process_time())
    plain = whole_posterior(waves, c, COUNT, generator)
    times.append(time.process_time())
    weights = [weights_of(ours.values[..., 2].flatten(), best), on_grid, weights_of(plain[:, 2] % (2 * math.pi), best)]
    errors = [float((w - 0.25).abs().max()) for w in weights]
    seconds = [after - before for before, after in pairwise(times)]
    made = [
        (
            "a grid of the posterior",
            "61 x 96 x 96 points, which the turns by quarters take to themselves",
            "ES Cet",
            "each weight is a quarter, by symmetry; both know it, ours by the group, the grid by where its points lie; folding samples "
            "by hand does, too",
        ),
        (
            "the same ensemble on the whole posterior, not folded",
            f"{WALKERS} walkers from the best of {DRAWS} prior draws, {BURN} moves left out (ours 200)",
            f"ES Cet, {COUNT} samples each",
            "each weight is a quarter, by symmetry, which this rival is not told; told it, it is ours",
        ),
    ]
    return [
        Rival(
            name,
            "one image, copied by the group",
            "largest error of a mode's weight",
            errors[0],
            errors[i],
            "lower",
            seconds[0],
            seconds[i],
            settings,
            scale,
            level=1e-9,
            note=note,
        )
        for i, (name, settings, scale, note) in enumerate(made, start=1)
    ]
