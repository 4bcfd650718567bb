"""Pair potentials fitted to forces by least squares: the simplest model that knows chemistry, beside which networks stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.molecules.trajectories import Trajectory


def fit_pair_potentials(
    learn: Trajectory, powers: Sequence[int] = (1, 2, 4, 6, 8), products: bool = False, penalty: float = 1e-10
) -> Callable[[Trajectory], Float[Tensor, "F n 3"]]:
    """Forces as the gradient of ``sum over pairs of atoms and powers k of w / r^k``, each pair of atoms with weights of its own.

    Args:
        learn: frames, to whose forces all weights are fitted at once, by least squares.
        powers: of ``1 / r``.
        products: add a weight for ``1 / (r s)`` of each two pairs of atoms. They know angles and torsions, and their errors are a third
            of those of pairs by themselves; a molecule of nine atoms has 666 of them, a few seconds for a thousand frames.
        penalty: with products, of the squared weights, relative to the columns. The default is what rounding asks for: with hundreds of
            frames 1e-12 to 1e-8 are all the same; tens of frames want 1e-5 or more.

    Returns:
        A function of frames of the same molecule: forces ``[F, n, 3]``, eV per angstrom.

    Raises:
        ArgumentError: no powers, or one that is not positive; when it is called, frames of another molecule.

    >>> from erlangen.fields.molecules import trajectory
    >>> ethanol = trajectory("ethanol")
    >>> fitted = fit_pair_potentials(ethanol[:1000])
    >>> off = (fitted(ethanol[1000:]) - ethanol[1000:].forces).abs().mean()
    >>> bool(off < 0.25 * ethanol.forces.abs().mean())
    True
    """
    if not powers or min(powers) < 1:
        raise ArgumentError("powers", "positive whole numbers", list(powers))
    atoms = len(learn.numbers)
    i, j = torch.triu_indices(atoms, atoms, 1)
    pair = torch.arange(len(i))
    one, other = torch.triu_indices(len(i), len(i))

    def features(frames: Trajectory) -> Float[Tensor, "F n3 w"]:
        if not torch.equal(frames.numbers, learn.numbers):
            raise ArgumentError("frames", f"atoms {learn.numbers.tolist()}", frames.numbers.tolist())
        d = frames.positions[:, j] - frames.positions[:, i]
        r = d.norm(dim=-1)
        slopes = torch.stack([-k * r ** (-k - 2) for k in powers], -1)  # d(r^-k)/dr / r
        push = d.unsqueeze(-1) * slopes.unsqueeze(2)  # [F, pairs, 3, k], minus the force on j
        out = push.new_zeros(len(frames), atoms, 3, len(i), push.shape[-1])
        out[:, i, :, pair] = push.transpose(0, 1)
        out[:, j, :, pair] = -push.transpose(0, 1)
        if not products:
            return out.flatten(3).flatten(1, 2)
        slope = push.new_zeros(len(frames), atoms, 3, len(i))  # minus the gradient of 1 / r
        slope[:, i, :, pair] = -(d / r.unsqueeze(-1) ** 3).transpose(0, 1)
        slope[:, j, :, pair] = (d / r.unsqueeze(-1) ** 3).transpose(0, 1)
        inverse = (1 / r)[:, None, None]
        mixed = inverse[..., one] * slope[..., other] + inverse[..., other] * slope[..., one]
        return torch.cat([out.flatten(3), mixed], -1).flatten(1, 2)

    if products:
        weights = _ridge(((features(part).flatten(0, 1), part.forces.flatten()) for part in _chunks(learn)), penalty)
        return lambda frames: torch.cat([features(part) @ weights for part in _chunks(frames)]).unflatten(1, (-1, 3))
    a, b = features(learn).flatten(0, 1), learn.forces.flatten()
    size = a.square().mean(0).sqrt()
    weights = torch.linalg.lstsq(a / size, b.unsqueeze(1), driver="gelsd").solution.squeeze(1) / size
    return lambda frames: (features(frames) @ weights).unflatten(1, (-1, 3))


def _chunks(frames: Trajectory) -> list[Trajectory]:
    return [frames[slice(first, first + 100)] for first in range(0, len(frames), 100)]


def _ridge(parts: Iterable[tuple[Tensor, Tensor]], penalty: float) -> Tensor:
    """Weights by normal equations."""
    gram = right = torch.zeros((), dtype=torch.float64)
    for a, b in parts:
        gram, right = gram + a.mT @ a, right + a.mT @ b
    size = gram.diagonal().sqrt()
    penalised = gram / size / size.unsqueeze(1) + penalty * torch.eye(len(size), dtype=gram.dtype)
    return torch.linalg.solve(penalised, right / size) / size
