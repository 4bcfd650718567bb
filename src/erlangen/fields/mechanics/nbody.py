"""The n-body benchmark as a data set: the state of five charged bodies in, their state 1000 steps later out."""

from __future__ import annotations

import torch
from torch import Tensor

from erlangen.data import DataSet, Split, check_split
from erlangen.errors import ArgumentError
from erlangen.fields.mechanics.charged import n_body

#: The components of a token, a body.
NAMES = ("qx", "qy", "qz", "vx", "vy", "vz", "charge")


def nbody(split: Split = "train", count: int = 3000, seed: int = 0) -> DataSet:
    """``count`` systems of five charged bodies: a token is a body, ``(position, velocity, charge)`` in ``R^7``.

    ``x`` is the state at frame 30 (after 3100 updates of the positions), ``y`` the one at frame 40, both float64 ``[count, 5, 7]``;
    models predict ``y``'s positions, its first three components. A rotation turns positions and velocities alike and leaves charges,
    a translation moves positions only; :func:`bodies` takes the parts apart. Simulated by
    :func:`~erlangen.fields.mechanics.n_body`, training and test systems from separate random numbers. About a millisecond for each.

    Close encounters give the errors of any model a heavy tail: look at the median beside the mean.

    Args:
        split: ``"train"``, ``"test"``, or ``"all"`` for both (``2 count`` systems).
        count: how many systems.
        seed: which ones.

    Raises:
        ArgumentError: ``split`` is unknown, ``count`` is not positive, or ``seed`` is negative.

    Source: Satorras, Hoogeboom & Welling 2021 (arXiv:2102.09844), after Fuchs et al. 2020 (arXiv:2006.10503).

    >>> print(nbody("test", count=2))  # doctest: +ELLIPSIS
    n-body: 2 samples of 5 tokens in R^7 (qx, qy, qz, ...), vector target [5, 7]
    """
    check_split(split)
    if seed < 0:
        raise ArgumentError("seed", "0 or more", repr(seed))
    if split == "all":
        parts = nbody("train", count, seed), nbody("test", count, seed)
        x, y = torch.cat([part.x for part in parts]), torch.cat([part.y for part in parts if part.y is not None])
    else:
        data = n_body(count, seed=2 * seed + (split == "test"))
        charge = data.charge.unsqueeze(-1)
        x = torch.cat([data.position, data.velocity, charge], -1)
        y = torch.cat([data.target, data.target_velocity, charge], -1)
    return DataSet(
        "n-body",
        x,
        y,
        "vector",
        names=NAMES,
        source="integrated by erlangen.fields.mechanics, unit charges, symplectic steps of 1e-3",
        about="five charged bodies in space; their state 1000 steps later",
    )


def bodies(state: Tensor) -> dict[str, Tensor]:
    """The parts of states ``[*, B, 7]``: ``pos`` and ``vel`` ``[*, B, 3]``, ``charge`` ``[*, B, 1]``.

    >>> import erlangen as er
    >>> G = er.E(3)
    >>> act = er.actions.Record({"pos": G.point, "vel": G.vector, "charge": G.scalar})
    >>> parts = bodies(nbody("train", count=2).x)
    >>> act.act(G.sample(2, dtype=torch.float64), parts)["pos"].shape
    torch.Size([2, 5, 3])
    """
    if state.ndim < 2 or state.shape[-1] != len(NAMES):
        raise ArgumentError("state", f"[*, bodies, {len(NAMES)}]: {', '.join(NAMES)}", f"shape {tuple(state.shape)}")
    return {"pos": state[..., :3], "vel": state[..., 3:6], "charge": state[..., 6:]}


def vectors_of_bodies(pos: Tensor, vel: Tensor, charge: Tensor, *, degree: int = 1) -> Tensor:
    """65 vectors for each body that rotations turn along and translations leave alone, ``[*, B, 65, 3]``: made by hand.

    Its velocity, and sums over the others of the difference of positions, the difference of velocities, and the part of the latter
    and of the body's own velocity along the former, by powers 0 to 3 of the inverse distance (softened by 0.3 and by 1), with and
    without the product of the charges. A linear function of them with 65 numbers is an equivariant model.

    Args:
        pos, vel, charge: as :func:`bodies` gives them.
        degree: 2 for all of them times one and times five numbers that no motion changes, 390 in all, the 65 first: the body's speed, and
            sums over the others of the inverse distance, softened as above, with and without the product of the charges.

    Raises:
        ArgumentError: another degree.

    >>> now = bodies(nbody("train", count=2).x)
    >>> vectors_of_bodies(**now).shape, vectors_of_bodies(**now, degree=2).shape
    (torch.Size([2, 5, 65, 3]), torch.Size([2, 5, 390, 3]))
    """
    if degree not in (1, 2):
        raise ArgumentError("degree", "1 or 2", repr(degree))
    apart, relative = (part.unsqueeze(-2) - part.unsqueeze(-3) for part in (pos, vel))
    square = apart.square().sum(-1, keepdim=True)
    other = 1 - torch.eye(pos.shape[-2], dtype=pos.dtype, device=pos.device).unsqueeze(-1)
    products = (charge * charge.mT).unsqueeze(-1)
    found, numbers = [vel], [torch.ones_like(charge), vel.norm(dim=-1, keepdim=True)]
    for soft in (0.3, 1.0):
        distance = (square + soft**2).sqrt()
        numbers += [(weight / distance).sum(-2) for weight in (other, other * products)]
        ways = [
            apart,
            relative,
            *(((v * apart).sum(-1, keepdim=True) / distance**2) * apart for v in (relative, vel.unsqueeze(-2))),
        ]
        for power in range(4):
            for weight in (other * products / distance**power, other / distance**power):
                found += [(weight * way).sum(-2) for way in ways]
    vectors = torch.stack(found, -2)
    if degree == 1:
        return vectors
    return torch.cat([number.unsqueeze(-1) * vectors for number in numbers], -2)
