"""`OnSpan`: a small representation acting on a subspace of the data, and doing nothing across it."""

from __future__ import annotations

from collections.abc import Hashable

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.base import Element
from erlangen.reps import Rep


class OnSpan(Rep):
    """``x -> x + D (rho(g) - 1) E x``: coordinates ``E x`` of the part in a subspace move by ``rho``, the rest stays.

    The cost per datum is that of two thin products, never that of an ``n x n`` matrix for each element.

    Args:
        rep: ``rho``, of dimension ``r``.
        encode: ``E``, ``[r, n]``.
        decode: ``D``, ``[n, r]``, with ``E D = 1``.

    Raises:
        ArgumentError: the shapes do not fit, or ``E D`` is not the identity.

    >>> from erlangen.groups import SO
    >>> eye = torch.eye(5, dtype=torch.float64)
    >>> V = OnSpan(SO(2).vector, eye[:2], eye[:, :2])
    >>> V.dim, V.is_orthogonal
    (5, True)
    """

    def __init__(self, rep: Rep, encode: Float[Tensor, "r n"], decode: Float[Tensor, "n r"]) -> None:
        super().__init__(rep.group)
        if encode.ndim != 2 or encode.shape[0] != rep.dim or decode.shape != encode.mT.shape:
            raise ArgumentError(
                "encode", f"[{rep.dim}, n] and decode [n, {rep.dim}]", f"{tuple(encode.shape)}, {tuple(decode.shape)}"
            )
        self.encode, self.decode = (t.detach().to("cpu", torch.float64) for t in (encode, decode))
        eye = torch.eye(rep.dim, dtype=torch.float64)
        if float((self.encode @ self.decode - eye).abs().max()) > 1e-8:
            raise ArgumentError("decode", "a right inverse of encode", "another matrix")
        self.rep, self.dim, self.symbol = rep, int(encode.shape[1]), f"{rep.symbol} on a subspace"
        # Orthogonal when coordinates are isometric, up to a common scale.
        lengths = self.encode @ self.encode.mT
        projects = self.decode @ self.encode
        self.is_orthogonal = (
            rep.is_orthogonal
            and float((projects - projects.mT).abs().max()) < 1e-10
            and float((lengths / lengths[0, 0] - eye).abs().max()) < 1e-10
        )

    def equality_key(self) -> Hashable:
        return (self.rep, tuple(self.encode.flatten().tolist()), tuple(self.decode.flatten().tolist()))

    def matrix(self, g: Element) -> Tensor:
        rho = self.rep.matrix(g)
        eye = torch.eye(self.rep.dim, dtype=rho.dtype, device=rho.device)
        return torch.eye(self.dim, dtype=rho.dtype, device=rho.device) + self.decode.to(rho) @ (rho - eye) @ self.encode.to(rho)

    def apply(self, g: Element, x: Tensor) -> Tensor:
        inside = x @ self.encode.to(x).mT
        return x + (self.rep.apply(g, inside) - inside) @ self.decode.to(x).mT

    def algebra(self, a: Element) -> Tensor:
        derivative = self.rep.algebra(a)
        return self.decode.to(derivative) @ derivative @ self.encode.to(derivative)
