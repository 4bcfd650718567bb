"""The best orientations of a binary by the likelihood, and samples of its posterior."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.binaries.channels import degeneracy_group
from erlangen.fields.binaries.likelihood import FourWaves, Grid, parts

#: Local maxima of the grid that are climbed, the highest first; steps of each; what two ends may be apart and still be one (radians).
STARTS, STEPS, SAME = 64, 60, 0.02
#: An end with less than this share of the highest one's amplitude says that there is no signal.
SILENT = 1e-3
#: Nearer to face-on than this (sine of the inclination) one circular part is all but zero, and likelihoods change with the fourth power of
#: the inclination: a climb stands still there though it is on no top. From there it goes on from the best of some neighbours, so often.
FLAT, ROUNDS = 0.5, 3
#: Walkers of the ensemble, and the scale of their stretch moves (J. Goodman, J. Weare (2010)).
WALKERS, STRETCH = 64, 2.0


class Modes(NamedTuple):
    """Local maxima of ``ln L``, the highest first, each ``[count]``; ``value`` is ``ln L`` less that of the highest."""

    amp: Tensor
    iota: Tensor
    psi: Tensor
    phi0: Tensor
    value: Tensor


class Posterior(NamedTuple):
    """Samples of ``amp, iota, psi, phi0``, one set copied to each image under the group.

    Attributes:
        values: ``[images, count, 4]``; an image is the first, moved by an element of the group.
        weights: ``[images, count]``, which sum to 1 over the images of one sample.
        accepted: share of moves that were taken.
    """

    values: Tensor
    weights: Tensor
    accepted: float

    @property
    def mode_weights(self) -> Tensor:
        """How likely each image is, ``[images]``."""
        return self.weights.mean(1)


def find_modes(
    waves: FourWaves,
    c: Tensor,
    *,
    timed_phase: tuple[float, float] | None = None,
    below: float = 20.0,
    grid: Grid | None = None,
) -> Modes:
    """All orientations that data take for about as good as the best, found on a grid and climbed to their tops.

    Nothing is used of the group: it is what comes out. A loud binary that is not face-on has four modes; with a timed phase two.

    Args:
        waves: of one binary.
        c: ``waves.correlate(data)``, ``[4]``.
        timed_phase: the waves' phase by timing and its standard deviation, radians.
        below: how far under the highest ``ln L`` a mode is listed.
        grid: by default 61 inclinations, 96 angles, 96 phases.

    Raises:
        ArgumentError: an error of the phase that is not positive, a batch of binaries, products that are zero or not finite.

    >>> b = FourWaves(2.61e-3, 3.3e-17, 0.0, 1.77, 0.1)
    >>> c = b.correlate(b.data(amp=1e-22, iota=1.2, psi=0.4, phi0=0.7))
    >>> find_modes(b, c).psi.sort().values.round(decimals=4).tolist()
    [0.4, 1.9708, 3.5416, 5.1124]
    """
    if c.shape != (4,):
        raise ArgumentError("c", "the four products of one binary", f"shape {tuple(c.shape)}")
    _check_products(c)
    _check_timed(timed_phase)
    grid = Grid.regular() if grid is None else grid
    L = waves.grid(c, grid)
    if timed_phase is not None:
        L = L - _off(grid.phi0, timed_phase[0]) ** 2 / (2 * timed_phase[1] ** 2)
    wide = torch.nn.functional.pad(L[None, None], (1, 1, 1, 1, 0, 0), mode="circular")
    wide = torch.nn.functional.pad(wide, (0, 0, 0, 0, 1, 1), value=-math.inf)
    top = (torch.nn.functional.max_pool3d(wide, 3, 1)[0, 0] <= L).nonzero()
    top = top[L[top.unbind(1)].argsort(descending=True)[:STARTS]]
    iota = grid.iota[top[:, 0]]
    psi, phi0 = grid.psi[top[:, 1]], grid.phi0[top[:, 2]]
    unit = parts(1.0, iota, psi, phi0)
    amp = (unit @ c).clamp_min(1e-3 * float(c.norm())) / torch.einsum("bi,ij,bj->b", unit, waves.gram, unit)
    theta, value = _climb(waves, c, torch.stack([amp.log(), iota, psi, phi0], -1), timed_phase)
    for _ in range(ROUNDS):
        theta, value = _climb(waves, c, _leave_flat(waves, c, theta, value, timed_phase), timed_phase)
    value = value - value.max()
    order = value.argsort(descending=True)
    kept: list[int] = []
    for i in order.tolist():
        if float(value[i]) < -below:
            break
        if float(theta[i, 0]) < float(theta[order[0], 0]) + math.log(SILENT):
            continue  # that there is nothing is no orientation
        if all(_apart(theta[i], theta[j]) > SAME for j in kept):
            kept.append(i)
    found = theta[kept]
    iota = found[:, 1].cos().acos()
    return Modes(found[:, 0].exp(), iota, found[:, 2] % (2 * math.pi), found[:, 3] % (2 * math.pi), value[kept])


def sample_posterior(
    waves: FourWaves,
    c: Tensor,
    count: int,
    *,
    timed_phase: tuple[float, float] | None = None,
    burn: int = 200,
    thin: int = 10,
    generator: torch.Generator | None = None,
) -> Posterior:
    """Samples of the posterior with flat priors of amplitude, ``cos(iota)``, angle and phase.

    One image is sampled, in coordinates that the group does not move apart (the phases of both circular parts), and copied to all
    four: four times as fast, and the images weigh exactly the same, or as a timed phase says. Affine-invariant ensemble.

    Args:
        waves: of one binary.
        c: ``waves.correlate(data)``, ``[4]``.
        count: how many samples of one image.
        timed_phase: the waves' phase by timing and its standard deviation, radians.
        burn, thin: moves of the ensemble that are left out at the start, and between samples.
        generator: of random numbers.

    Raises:
        ArgumentError: no positive number, an error of the phase that is not positive, products of a batch, zero or not finite.
    """
    for name, number in (("count", count), ("thin", thin)):
        if not isinstance(number, int) or number < 1:
            raise ArgumentError(name, "a whole number of at least 1", repr(number))
    if not isinstance(burn, int) or burn < 0:
        raise ArgumentError("burn", "a whole number of at least 0", repr(burn))
    if c.shape != (4,):
        raise ArgumentError("c", "the four products of one binary", f"shape {tuple(c.shape)}")
    _check_products(c)
    _check_timed(timed_phase)
    amp, iota, psi, phi0 = waves.best(c)
    start = torch.stack([amp.log(), iota.cos().clamp(-0.999, 0.999), phi0 + 2 * psi, phi0 - 2 * psi])
    spread = 1e-3 * torch.randn(WALKERS, 4, dtype=torch.float64, generator=generator)
    walkers = start + spread * torch.tensor([1.0, 0.3, 1.0, 1.0])
    shifts = _shifts()

    def timed(z: Tensor) -> Tensor:
        """``ln`` of the timed phase's density for each image, ``[images, *]``."""
        phase = (z[..., 2] + z[..., 3]) / 2
        if timed_phase is None:
            return torch.zeros(len(shifts), *phase.shape, dtype=torch.float64)
        off = torch.stack([_off(phase + p, timed_phase[0]) for _, p in shifts])
        return -(off**2) / (2 * timed_phase[1] ** 2)

    def log_density(z: Tensor) -> Tensor:
        cosine = z[:, 1]
        x = parts(z[:, 0].exp(), cosine.clamp(-1, 1).acos(), (z[:, 2] - z[:, 3]) / 4, (z[:, 2] + z[:, 3]) / 2)
        value = x @ c - torch.einsum("bi,ij,bj->b", x, waves.gram, x) / 2 + z[:, 0] + timed(z).logsumexp(0)
        return torch.where(cosine.abs() <= 1, value, -math.inf)

    half = WALKERS // 2
    density, kept, taken, moves = log_density(walkers), [], 0, 0
    total = burn + thin * math.ceil(count / WALKERS)
    for step in range(total):
        for mine, other in ((slice(0, half), slice(half, None)), (slice(half, None), slice(0, half))):
            draw = torch.rand(3, half, dtype=torch.float64, generator=generator)
            z = ((STRETCH - 1) * draw[0] + 1) ** 2 / STRETCH
            partner = walkers[other][(draw[1] * half).long().clamp_max(half - 1)]
            moved = partner + z[:, None] * (walkers[mine] - partner)
            new = log_density(moved)
            accept = draw[2].log() < 3 * z.log() + new - density[mine]
            walkers[mine] = torch.where(accept[:, None], moved, walkers[mine])
            density[mine] = torch.where(accept, new, density[mine])
            taken, moves = taken + int(accept.sum()), moves + half
        if step >= burn and (step - burn) % thin == thin - 1:
            kept.append(walkers.clone())
    z = torch.cat(kept)[:count]
    psi, phi0 = (z[:, 2] - z[:, 3]) / 4, (z[:, 2] + z[:, 3]) / 2
    one = [z[:, 0].exp(), z[:, 1].acos()]
    turn = 2 * math.pi
    values = torch.stack([torch.stack([*one, (psi + x) % turn, (phi0 + p) % turn], -1) for x, p in shifts])
    logs = timed(z)
    return Posterior(values, (logs - logs.logsumexp(0)).exp(), taken / moves)


def _shifts() -> list[tuple[float, float]]:
    """The group of gravitational waves on position angle and *waves'* phase: one shift for each position angle."""
    found: dict[float, float] = {}
    for dpsi, dphi in degeneracy_group(["gravitational waves"]).shifts():
        found.setdefault(2 * math.pi * float(dpsi), 4 * math.pi * float(dphi) % (2 * math.pi))
    return sorted(found.items())


def _climb(waves: FourWaves, c: Tensor, theta: Tensor, timed: tuple[float, float] | None) -> tuple[Tensor, Tensor]:
    """Levenberg and Marquardt's way up from starts ``[count, 4]`` of ``ln amp, iota, psi, phi0``: ends, and ``ln L`` there."""
    upper = torch.linalg.cholesky(waves.gram).mT
    best = torch.linalg.solve(waves.gram, c)

    def residual(z: Tensor) -> Tensor:
        r = upper @ (parts(z[0].exp(), z[1], z[2], z[3]) - best)
        return r if timed is None else torch.cat([r, _off(z[3], timed[0])[None] / timed[1]])

    slope, value = torch.func.vmap(torch.func.jacfwd(residual)), torch.func.vmap(residual)
    damping = torch.full((len(theta), 1, 1), 1e-3, dtype=torch.float64)
    r = value(theta)
    for _ in range(STEPS):
        J = slope(theta)
        A = J.mT @ J
        g = J.mT @ r[..., None]
        step = torch.linalg.solve(A + damping * (torch.diag_embed(A.diagonal(dim1=-2, dim2=-1)) + 1e-9 * torch.eye(4)), g)
        moved = theta - step.squeeze(-1)
        new = value(moved)
        better = new.square().sum(-1) < r.square().sum(-1)
        theta, r = torch.where(better[:, None], moved, theta), torch.where(better[:, None], new, r)
        damping = torch.where(better[:, None, None], damping / 5, damping * 4).clamp(1e-12, 1e12)
        if bool((step.abs().amax((1, 2)) < 1e-10).all()):
            break
    return theta, (c @ best) / 2 - r.square().sum(-1) / 2


def _leave_flat(waves: FourWaves, c: Tensor, theta: Tensor, value: Tensor, timed: tuple[float, float] | None) -> Tensor:
    """Ends near face-on or face-off, moved to their best neighbours: small inclinations, and all phases of the small circular part."""
    flat = theta[:, 1].sin().abs() < FLAT
    tilt = torch.tensor([0.01, 0.03, 0.1, 0.2, 0.35, 0.5], dtype=torch.float64)
    turn = math.pi / 16 * torch.arange(32, dtype=torch.float64)  # of the angle; the phase of the large part stays
    on = torch.where(theta[:, 1].cos() > 0, 1.0, -1.0).to(torch.float64)[:, None, None]
    iota = torch.where(on > 0, tilt[:, None], math.pi - tilt[:, None]).expand(-1, -1, len(turn))
    psi = (theta[:, 2, None, None] + turn).expand_as(iota)
    phi0 = (theta[:, 3, None, None] - 2 * on * turn).expand_as(iota)
    unit = parts(1.0, iota, psi, phi0)
    norm = torch.einsum("...i,ij,...j->...", unit, waves.gram, unit)
    amp = (unit @ c).clamp_min(1e-30) / norm
    there = amp * (unit @ c) - amp**2 * norm / 2
    if timed is not None:
        there = there - _off(phi0, timed[0]) ** 2 / (2 * timed[1] ** 2)
    best = there.flatten(1).max(1)
    moved = torch.stack([x.flatten(1).gather(1, best.indices[:, None])[:, 0] for x in (amp.log(), iota, psi, phi0)], -1)
    return torch.where((flat & (best.values > value))[:, None], moved, theta)


def _apart(a: Tensor, b: Tensor) -> float:
    """How far two orientations are apart, radians."""
    return max(abs(float(a[1].cos() - b[1].cos())), float(_off(a[2], b[2]).abs()), float(_off(a[3], b[3]).abs()))


def _off(a: Tensor, b: Tensor | float) -> Tensor:
    """The difference of angles in [-pi, pi)."""
    return (a - b + math.pi) % (2 * math.pi) - math.pi


def _check_products(c: Tensor) -> None:
    if not bool(c.isfinite().all()) or not bool(c.any()):
        raise ArgumentError("c", "products with data that hold something: finite, not all zero", repr(c.tolist()))


def _check_timed(timed: tuple[float, float] | None) -> None:
    if timed is not None and not (len(timed) == 2 and all(math.isfinite(x) for x in timed) and timed[1] > 0):
        raise ArgumentError("timed_phase", "a phase and its standard deviation above 0, radians", repr(timed))
