"""What a user would pick instead: the same ensemble of walkers on the whole posterior, without the group."""

from __future__ import annotations

import math
import time

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


def rival(seed: int) -> Rival:
    """The largest error of a mode's weight, which is a quarter by symmetry, for ES Cet."""
    b = bi.verification_binaries()[2]
    lam, beta = b.ecliptic()
    waves = bi.FourWaves(b.f, b.fdot, 0.0, lam, beta)
    generator = torch.Generator().manual_seed(seed + 2)
    c = waves.correlate(waves.data(amp=b.amp, iota=b.iota, psi=0.7, phi0=2.0) + waves.noise(generator))
    best = float(waves.best(c)[2])
    started = time.process_time()
    ours = bi.sample_posterior(waves, c, COUNT // 4, generator=generator)
    middle = time.process_time()
    plain = whole_posterior(waves, c, COUNT, generator)
    ended = time.process_time()
    weights = [weights_of(ours.values[..., 2].flatten(), best), weights_of(plain[:, 2] % (2 * math.pi), best)]
    errors = [float((w - 0.25).abs().max()) for w in weights]
    return Rival(
        "the same ensemble on the whole posterior",
        "one image, copied by the group",
        "largest error of a mode's weight",
        errors[0],
        errors[1],
        "lower",
        middle - started,
        ended - middle,
        f"{WALKERS} walkers from the best of {DRAWS} prior draws, {BURN} moves left out (ours 200)",
        f"ES Cet, {COUNT} samples each",
        level=1e-9,
        note="each weight is a quarter, by symmetry",
    )
