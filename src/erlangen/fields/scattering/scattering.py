"""Electron-muon scattering: four momenta, and a contraction of them, in closed form, that Lorentz transformations keep."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.orthogonal import O

#: Standard deviation of each momentum component.
MOMENTUM = 0.25


def momenta(count: int, seed: int = 0) -> Float[Tensor, "count 4 4"]:
    """Four momenta ``p_1 .. p_4`` for each event, components (E, px, py, pz) drawn from N(0, 1/16): a benchmark, off the mass shell.

    Args:
        count: how many events.
        seed: of the random numbers.

    Raises:
        ArgumentError: ``count`` is not positive.

    Source: Finzi, Welling & Wilson, ICML 2021, arXiv:2104.09459.

    >>> momenta(8).shape
    torch.Size([8, 4, 4])
    """
    if count < 1:
        raise ArgumentError("count", "a positive number of events", repr(count))
    return MOMENTUM * torch.randn(count, 4, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def matrix_element(p: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch"]:
    """The benchmark's contraction of an electron's and a muon's tensor, in products of momenta.

    With ``<,>`` Minkowski's product, ``a = <p1, p3> - <p1, p1>`` and ``b = <p2, p4> - <p2, p2>``:
    ``4 (<p1, p2> <p3, p4> - b <p1, p3> - a <p2, p4> + 4 a b)``. Its mean over :func:`momenta` is 1/4, its standard deviation 0.86,
    with heavy tails.

    Args:
        p: momenta ``p_1 .. p_4``, components (E, px, py, pz).

    >>> rest = torch.zeros(4, 4); rest[:, 0] = 1.0
    >>> float(matrix_element(rest))
    4.0
    """
    _check(p)
    signs = torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=p.dtype, device=p.device)
    gram = (p * signs) @ p.mT
    a, b = gram[..., 0, 2] - gram[..., 0, 0], gram[..., 1, 3] - gram[..., 1, 1]
    return 4 * (gram[..., 0, 1] * gram[..., 2, 3] - b * gram[..., 0, 2] - a * gram[..., 1, 3] + 4 * a * b)


def contraction(p: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch"]:
    """The same by its definition, ``4 L^{mu nu} M_{mu nu}`` with ``L = p1 p3 - (<p1, p3> - <p1, p1>) eta`` of the electron and ``M``
    alike of the muon (p2, p4). The benchmark does not symmetrise the two in their indices, as a spin-averaged matrix element would.

    >>> p = momenta(8)
    >>> torch.allclose(contraction(p), matrix_element(p))
    True
    """
    _check(p)
    eta = torch.diag(torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=p.dtype, device=p.device))

    def tensor(one: Tensor, two: Tensor) -> Tensor:
        outer = one.unsqueeze(-1) * two.unsqueeze(-2)
        mass = ((one @ eta) * (two - one)).sum(-1)
        return outer - mass[..., None, None] * eta

    electron, muon = tensor(p[..., 0, :], p[..., 2, :]), tensor(p[..., 1, :], p[..., 3, :])
    return 4 * torch.einsum("...ij,ik,jl,...kl->...", electron, eta, eta, muon)


def lorentz_elements(count: int, seed: int = 0, factors: int = 4, boost: float = 0.3) -> Float[Tensor, "count 4 4"]:
    """Random elements of O(1, 3), wide enough to leave the training data: products of ``factors`` exponentials.

    Each is ``exp(sum_a c_a A_a)`` with coefficients ``N(0, boost^2)`` of the boosts and ``N(0, 1)`` of the rotations, times a
    random choice of reversal of time and of parity. Entries go up to about ten.

    >>> bool(O(1, 3).contains(lorentz_elements(8)).all())
    True
    """
    if count < 1 or factors < 1:
        raise ArgumentError("count", "a positive number of elements, as factors", (count, factors))
    group, rng = O(1, 3), torch.Generator().manual_seed(seed)
    assert group.algebra is not None
    # A boost mixes time with a direction: its matrix has entries in the first row.
    width = torch.where(group.algebra.basis[:, 0].abs().sum(-1) > 0, boost, 1.0).to(torch.float64)
    g = group.identity(count, dtype=torch.float64)
    for _ in range(factors):
        coefficients = width * torch.randn(count, group.dim, generator=rng, dtype=torch.float64)
        signs = 1.0 - 2.0 * torch.randint(2, (count, 2), generator=rng).double()
        flips = torch.diag_embed(torch.cat([signs[:, :1], signs[:, 1:].expand(count, 3)], -1))
        g = group.exp(group.algebra.combine(coefficients)) @ flips @ g
    return g


def _check(p: Tensor) -> None:
    if p.shape[-2:] != (4, 4):
        raise ArgumentError("p", "four momenta [*batch, 4, 4]", f"shape {tuple(p.shape)}")
