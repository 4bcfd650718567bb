"""Pair potentials fitted to forces by least squares: the simplest model that knows chemistry, beside which networks stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.molecules.trajectories import Trajectory


def fit_pair_potentials(
    learn: Trajectory, powers: Sequence[int] = (1, 2, 4, 6, 8)
) -> Callable[[Trajectory], Float[Tensor, "F n 3"]]:
    """Forces as the gradient of ``sum over pairs of atoms and powers k of w / r^k``, each pair of atoms with weights of its own.

    Args:
        learn: frames, to whose forces all weights are fitted at once, by least squares.
        powers: of ``1 / r``.

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
        return out.flatten(3).flatten(1, 2)

    a, b = features(learn).flatten(0, 1), learn.forces.flatten()
    size = a.square().mean(0).sqrt()
    weights = torch.linalg.lstsq(a / size, b.unsqueeze(1), driver="gelsd").solution.squeeze(1) / size
    return lambda frames: (features(frames) @ weights).unflatten(1, (-1, 3))
