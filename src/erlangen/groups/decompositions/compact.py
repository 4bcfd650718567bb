"""Compact subgroups as factors: uniform elements from uniform numbers, the logarithm and coordinates."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import UnsupportedError
from erlangen.groups.haar import planar_rotation, quaternion_to_rotation
from erlangen.groups.orthogonal import so_basis
from erlangen.groups.rotation_log import rotation_log, unitary_log
from erlangen.groups.rotations import exp_rotation, log_rotation
from erlangen.linalg import matrix_exp


class Compact(ABC):
    """A compact group of orthogonal matrices ``[n, n]``.

    Coordinates are those of the logarithm, in a basis of the algebra in which a turn of one plane by an angle has this angle as its length.

    Attributes:
        basis: of the algebra, ``[dim, n, n]``, orthogonal, each of squared norm 2.
        uniforms: how many uniform numbers make one uniform element.
        is_connected: whether each element has a logarithm.
    """

    basis: Tensor
    uniforms: int
    is_connected: bool = True

    @property
    def dim(self) -> int:
        return len(self.basis)

    @abstractmethod
    def place(self, u: Float[Tensor, "*batch u"]) -> Float[Tensor, "*batch n n"]:
        """Elements of uniform numbers; of independent ones, Haar distributed."""

    @abstractmethod
    def log(self, k: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch n n"]:
        """A skew matrix whose exponential is ``k``."""

    def coordinates(self, k: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch dim"]:
        """Of the logarithm.

        Raises:
            UnsupportedError: the group has several components.
        """
        self._check_connected()
        return 0.5 * torch.einsum("dij,...ij->...d", self.basis.to(k), self.log(k))

    def element(self, c: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch n n"]:
        """The exponential."""
        self._check_connected()
        a = torch.einsum("...d,dij->...ij", c, self.basis.to(c))
        return exp_rotation(a) if a.shape[-1] in (2, 3) else matrix_exp(a)

    def _check_connected(self) -> None:
        if not self.is_connected:
            raise UnsupportedError(
                "a group with several components has no coordinates of all its elements; take the component of the identity, "
                "e.g. SO(1, 3, connected=True)"
            )


class Rotations(Compact):
    """SO(n)."""

    def __init__(self, n: int) -> None:
        self.n, self.basis = n, so_basis(n)
        self.uniforms = {2: 1, 3: 3}.get(n, n * n if n > 1 else 0)

    @property
    def log_volume(self) -> float:
        """The logarithm of the volume in the inner product ``tr X^T Y``."""
        spheres = [math.log(2) + 0.5 * k * math.log(math.pi) - math.lgamma(0.5 * k) for k in range(2, self.n + 1)]
        return sum(spheres) + 0.5 * self.dim * math.log(2)

    def place(self, u: Tensor) -> Tensor:
        if self.n < 2:
            return torch.ones(*u.shape[:-1], self.n, self.n, dtype=u.dtype, device=u.device)
        if self.n == 2:
            return planar_rotation(2 * math.pi * u[..., 0])
        if self.n == 3:  # K. Shoemake, "Uniform random rotations", Graphics Gems III (1992)
            share, (alpha, beta) = u[..., 0], (2 * math.pi * u[..., 1:]).unbind(-1)
            small, large = share.sqrt(), (1 - share).sqrt()
            q = torch.stack([large * alpha.cos(), large * alpha.sin(), small * beta.cos(), small * beta.sin()], -1)
            return quaternion_to_rotation(q)
        q, r = torch.linalg.qr(torch.special.ndtri(u).unflatten(-1, (self.n, self.n)))
        q = q * torch.where(r.diagonal(dim1=-2, dim2=-1) < 0, -1, 1).unsqueeze(-2)
        return torch.cat([q[..., :1] * torch.linalg.det(q)[..., None, None].sign(), q[..., 1:]], -1)

    def log(self, k: Tensor) -> Tensor:
        if self.n < 2:
            return torch.zeros_like(k)
        return log_rotation(k) if self.n in (2, 3) else rotation_log(k)


class Unitary(Compact):
    """U(m) as real matrices that commute with the form of a symplectic group.

    Args:
        order: which of the block coordinates ``(q_1 .. q_m, p_1 .. p_m)`` stands at each place, ``[2m]``.
        basis: of the algebra, as its attribute.
    """

    def __init__(self, order: Tensor, basis: Tensor) -> None:
        self.m, self.order, self.basis = len(order) // 2, order, basis
        self.uniforms = 1 if self.m == 1 else 2 * self.m**2

    def place(self, u: Tensor) -> Tensor:
        if self.m == 1:
            return self.real(torch.polar(torch.ones_like(u), 2 * math.pi * u).unsqueeze(-1))
        parts = torch.special.ndtri(u).unflatten(-1, (2, self.m, self.m))
        q, r = torch.linalg.qr(torch.complex(parts[..., 0, :, :], parts[..., 1, :, :]))
        return self.real(q * torch.sgn(r.diagonal(dim1=-2, dim2=-1)).unsqueeze(-2))

    def real(self, u: Tensor) -> Tensor:
        """The real matrix ``[*batch, 2m, 2m]`` of complex ones ``[*batch, m, m]``."""
        blocks = torch.cat([torch.cat([u.real, -u.imag], -1), torch.cat([u.imag, u.real], -1)], -2)
        order = self.order.to(u.device)
        return blocks[..., order[:, None], order]

    def complex(self, k: Tensor) -> Tensor:
        """The complex matrix of a real one."""
        back = torch.argsort(self.order).to(k.device)
        blocks = k[..., back[:, None], back]
        return torch.complex(blocks[..., : self.m, : self.m], blocks[..., self.m :, : self.m])

    def log(self, k: Tensor) -> Tensor:
        return log_rotation(k) if self.m == 1 else unitary_log(k, self.complex, self.real)


class Blocks(Compact):
    """SO(p) x SO(q) as diagonal blocks, or with reflections: of both blocks at once ("det"), or of each ("all"); q may be 0."""

    def __init__(self, p: int, q: int, components: str) -> None:
        self.first, self.second, self.components = Rotations(p), Rotations(q), components
        self.is_connected = components == "identity"
        basis = torch.zeros(self.first.dim + self.second.dim, p + q, p + q, dtype=torch.float64)
        basis[: self.first.dim, :p, :p], basis[self.first.dim :, p:, p:] = self.first.basis, self.second.basis
        self.basis, self.p = basis, p
        self.coins = {"identity": 0, "det": 1, "all": 2 if q else 1}[components]
        self.uniforms = self.first.uniforms + self.second.uniforms + self.coins

    def place(self, u: Tensor) -> Tensor:
        coins, a, b = u.split([self.coins, self.first.uniforms, self.second.uniforms], -1)
        k = self._joined(self.first.place(a), self.second.place(b))
        if not self.coins:
            return k
        flips = torch.where(coins < 0.5, 1.0, -1.0).to(u)
        signs = torch.ones_like(k[..., 0])
        signs[..., 0] = flips[..., 0]
        if self.second.n:
            signs[..., self.p] = flips[..., -1]
        return k * signs.unsqueeze(-2)

    def log(self, k: Tensor) -> Tensor:
        p = self.p
        return self._joined(self.first.log(k[..., :p, :p]), self.second.log(k[..., p:, p:]))

    def _joined(self, a: Tensor, b: Tensor) -> Tensor:
        pad = torch.nn.functional.pad
        return pad(a, (0, b.shape[-1], 0, b.shape[-1])) + pad(b, (a.shape[-1], 0, a.shape[-1], 0))
