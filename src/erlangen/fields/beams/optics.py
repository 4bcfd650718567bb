"""Linear beam optics: lattice elements as symplectic matrices, beams as covariance matrices, and what no lattice can change.

Phase space is ``(x, y, p_x, p_y)``, positions first, as :class:`erlangen.groups.Sp` has it. Accelerator codes write ``(x, p_x, y, p_y)``;
``matrix[..., [0, 2, 1, 3], :][..., [0, 2, 1, 3]]`` turns either into the other. Lengths are in metres, momenta are canonical and in
units of the reference momentum, so ``p_x`` is the slope ``x'`` wherever there is no solenoid. All functions are batched and in float64.

Sources: H. Wiedemann, "Particle Accelerator Physics", 4th ed. 2015, chapters 5, 7, 8 and 20; eigen-emittances: A. Dragt, F. Neri and
G. Rangarajan, Phys. Rev. A 45 (1992) 2572.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.haar import uniform
from erlangen.groups.symplectic import symplectic_form

#: A number, or a tensor of them with any batch axes.
Numbers = float | Tensor


def drift(length: Numbers) -> Float[Tensor, "*batch 4 4"]:
    """Empty space.

    Args:
        length: in m.

    >>> drift(2.0)[0]
    tensor([1., 0., 2., 0.], dtype=torch.float64)
    """
    return quadrupole(0.0, length)


def quadrupole(strength: Numbers, length: Numbers, angle: Numbers = 0.0) -> Float[Tensor, "*batch 4 4"]:
    """A quadrupole magnet: ``x'' = -k x``, ``y'' = k y`` in the magnet's own planes.

    Args:
        strength: ``k`` in 1/m^2; positive focuses in x.
        length: in m.
        angle: of the magnet about the beam, in radians; at pi/4 it is a skew quadrupole.

    >>> magnet = quadrupole(0.5, 0.4, angle=0.7)
    >>> magnet.shape, bool(symplectic_error(magnet) < 1e-14)
    (torch.Size([4, 4]), True)
    """
    k, length, angle = _numbers(strength, length, angle)
    x, y = _plane(k, length), _plane(-k, length)
    turn = _rotation(angle)
    return turn.mT @ _assemble(*(torch.diag_embed(torch.stack([a, b], -1)) for a, b in zip(x, y))) @ turn


def solenoid(field: Numbers, length: Numbers) -> Float[Tensor, "*batch 4 4"]:
    """A solenoid with both its hard edges: it focuses in both planes and turns the beam about its axis.

    Its motion is ``x'' = B y'``, ``y'' = -B x'``. Canonical momenta, ``p_x = x' - B y / 2`` and ``p_y = y' + B x / 2``, do not jump at
    the edges, where slopes do.

    Args:
        field: ``B`` in 1/m, the field over the beam's rigidity.
        length: in m.

    >>> bool(symplectic_error(solenoid(1.2, 0.5)) < 1e-14)
    True
    """
    b, length = _numbers(field, length)
    focus = [part.unsqueeze(-1).unsqueeze(-1) * torch.eye(2, dtype=torch.float64) for part in _plane(b * b / 4, length)]
    return _rotation(b * length / 2) @ _assemble(*focus)


def compose(*elements: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
    """The matrix of elements in the order in which the beam meets them.

    >>> torch.equal(compose(drift(1.0), quadrupole(1.0, 0.1)), quadrupole(1.0, 0.1) @ drift(1.0))
    True
    """
    return reduce(lambda done, element: element @ done, elements)


def symplectic_error(matrix: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch"]:
    """The largest entry of ``M^T Omega M - Omega``."""
    form = symplectic_form(2).to(matrix)
    return (matrix.mT @ form @ matrix - form).abs().amax((-2, -1))


def coupled_lattices(batch: int, cells: int = 4, *, generator: torch.Generator | None = None) -> Float[Tensor, "batch 4 4"]:
    """Random lattices that couple the planes: in each cell a magnet of random kind, and a drift of 0.1 to 0.6 m.

    The magnet is, each with probability 1/3, a quadrupole (``|k|`` in [0.2, 1], either sign, 0.2 to 0.8 m), the same turned by 0.2 to 1.3
    radians, or a solenoid (``B`` in [0.4, 1.5], as long).

    Args:
        batch: how many.
        cells: of each.

    >>> coupled_lattices(8, generator=torch.Generator().manual_seed(0)).shape
    torch.Size([8, 4, 4])
    """
    for name, value in (("batch", batch), ("cells", cells)):
        if value < 1:
            raise ArgumentError(name, "a positive number", repr(value))
    draw = _uniform(generator, (batch, cells))
    sign = torch.where(draw(0.0, 1.0) < 0.5, -1.0, 1.0)
    k, length, angle, field, gap, kind = (
        sign * draw(0.2, 1.0), draw(0.2, 0.8), draw(0.2, 1.3), draw(0.4, 1.5), draw(0.1, 0.6), draw(0.0, 3.0),
    )  # fmt: skip
    magnet = quadrupole(k, length, torch.where(kind < 1, 0.0, angle))
    magnet = torch.where((kind < 2)[..., None, None], magnet, solenoid(field, length))
    return compose(*compose(magnet, drift(gap)).unbind(1))


def covariance(
    beta: Float[Tensor, "*batch 2"], alpha: Float[Tensor, "*batch 2"], emittance: Float[Tensor, "*batch 2"]
) -> Float[Tensor, "*batch 4 4"]:
    """The covariance matrix of a beam without coupling, from the Twiss parameters of its two planes.

    Each plane has ``emittance * [[beta, -alpha], [-alpha, gamma]]`` with ``gamma = (1 + alpha^2) / beta``.

    Args:
        beta: in m, positive.
        alpha: dimensionless.
        emittance: in m rad, positive.

    >>> one = torch.ones(2, dtype=torch.float64)
    >>> eigen_emittances(covariance(one, 0 * one, torch.tensor([2.0, 3.0]))).round(decimals=6)
    tensor([3., 2.], dtype=torch.float64)
    """
    for name, t in (("beta", beta), ("alpha", alpha), ("emittance", emittance)):
        if t.shape[-1:] != (2,):
            raise ArgumentError(name, "shape [*batch, 2], one for each plane", tuple(t.shape))
        if name != "alpha" and not bool((t > 0).all()):
            raise ArgumentError(name, "positive numbers", float(t.min()))
    beta, alpha, emittance = _numbers(beta, alpha, emittance)
    gamma = (1 + alpha.square()) / beta
    parts = (emittance * t for t in (beta, -alpha, -alpha, gamma))
    return _assemble(*(torch.diag_embed(part) for part in parts))


def random_beams(batch: int, *, generator: torch.Generator | None = None) -> Float[Tensor, "batch 4 4"]:
    """Beams without coupling: ``log beta`` in [-0.7, 0.7], ``alpha`` in [-1, 1], log emittances in [-1, 1], all uniform.

    Emittances are in units of a typical one, for they scale the covariance and nothing else.
    """
    if batch < 1:
        raise ArgumentError("batch", "a positive number", repr(batch))
    draw = _uniform(generator, (batch, 2))
    return covariance(draw(-0.7, 0.7).exp(), draw(-1.0, 1.0), draw(-1.0, 1.0).exp())


def transport(matrix: Float[Tensor, "*batch 4 4"], sigma: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
    """The beam behind a lattice, ``M Sigma M^T``."""
    return matrix @ sigma @ matrix.mT


def eigen_emittances(sigma: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 2"]:
    """The two numbers that no lattice changes, largest first: the moduli of the eigenvalues of ``Omega Sigma``.

    For a beam without coupling they are the emittances of its planes. With ``Sigma = L L^T`` the matrix ``L^T Omega L`` is antisymmetric
    and has the same eigenvalues, which are found as those of a Hermitian matrix.

    Args:
        sigma: symmetric and positive definite.

    Raises:
        ArgumentError: it is not positive definite.
    """
    lower, info = torch.linalg.cholesky_ex(sigma)
    if bool(info.any()):
        raise ArgumentError("sigma", "positive definite covariance matrices", f"{int((info != 0).sum())} that are not")
    turned = lower.mT @ symplectic_form(2).to(sigma) @ lower
    return torch.linalg.eigvalsh(1j * turned)[..., 2:].flip(-1)


def _plane(k: Tensor, length: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The entries of ``exp(length [[0, 1], [-k, 0]])``: cosines for k > 0, hyperbolic ones for k < 0, a drift for k = 0."""
    root = k.abs().sqrt()
    phase = root * length
    safe = torch.where(root > 0, root, 1.0)
    c = torch.where(k > 0, phase.cos(), phase.cosh())
    s = torch.where(k > 0, phase.sin(), phase.sinh())
    s = torch.where(root > 0, s / safe, length)
    return c, s, -k * s, c


def _rotation(angle: Tensor) -> Tensor:
    """Positions and momenta in axes turned by ``angle``."""
    c, s = angle.cos(), angle.sin()
    turn = torch.stack([torch.stack([c, s], -1), torch.stack([-s, c], -1)], -2)
    return _assemble(turn, torch.zeros_like(turn), torch.zeros_like(turn), turn)


def _assemble(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """``[[a, b], [c, d]]`` of 2 x 2 blocks."""
    return torch.cat([torch.cat([a, b], -1), torch.cat([c, d], -1)], -2)


def _numbers(*values: Numbers) -> list[Tensor]:
    return list(torch.broadcast_tensors(*(torch.as_tensor(v, dtype=torch.float64) for v in values)))


def _uniform(generator: torch.Generator | None, shape: tuple[int, ...]) -> Callable[[float, float], Tensor]:
    """Draws from an interval."""
    return lambda low, high: low + (high - low) * uniform(shape, generator, torch.float64, None)
