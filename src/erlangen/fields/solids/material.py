"""Elastic materials: energy, stress and tangent of a deformation gradient, in closed form, with parameters a body or an element."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError

#: Levi-Civita's symbol.
EPSILON = torch.zeros(3, 3, 3, dtype=torch.float64)
for _i, _j, _k, _s in ((0, 1, 2, 1), (1, 2, 0, 1), (2, 0, 1, 1), (0, 2, 1, -1), (2, 1, 0, -1), (1, 0, 2, -1)):
    EPSILON[_i, _j, _k] = _s


@dataclass(frozen=True, eq=False)
class Material:
    """What a body is made of: the base of the materials below. A subclass needs :meth:`energy`; stress and tangent then come by autograd.

    Attributes:
        E: Young's modulus in pascals, a number or one an element ``[m]``.
        nu: Poisson's ratio, between -1 and 0.5, likewise.
        rho: density in kg/m^3, likewise.

    Raises:
        ArgumentError: parameters outside of their range; the message names the element.

    >>> NeoHookean(E=1e6, nu=0.25).lame()
    (tensor(400000., dtype=torch.float64), tensor(400000., dtype=torch.float64))
    """

    E: Any = 5e5
    nu: Any = 0.45
    rho: Any = 1000.0

    def __post_init__(self) -> None:
        for name, expected, fits in (
            ("E", "Young's modulus in pascals, positive", lambda x: x > 0),
            ("nu", "Poisson's ratio between -1 and 0.5", lambda x: (x > -1) & (x < 0.5)),
            ("rho", "a density in kg/m^3, not negative", lambda x: x >= 0),
        ):
            given = getattr(self, name)
            try:
                value = torch.as_tensor(given, dtype=torch.float64, device="cpu")
            except (TypeError, ValueError, RuntimeError) as bad:
                raise ArgumentError(name, expected, repr(given)) from bad
            good = fits(value.detach()) & value.detach().isfinite()
            if value.ndim > 1:
                raise ArgumentError(name, f"{expected}: a number, or one an element [m]", f"shape {tuple(value.shape)}")
            if not bool(good.all()):
                at = int((~good).nonzero()[0, 0]) if value.ndim else 0
                shown = float(value.detach().flatten()[at])
                raise ArgumentError(name, expected, f"{shown!r} at element {at}" if value.ndim else repr(shown))
            object.__setattr__(self, name, value)

    def fits(self, elements: int) -> None:
        """Refuse parameters of another number of elements."""
        for name in ("E", "nu", "rho"):
            value = getattr(self, name)
            if value.ndim and len(value) != elements:
                raise ArgumentError(name, f"a number, or one for each of {elements} elements", f"{len(value)}")

    def lame(self) -> tuple[Tensor, Tensor]:
        """Lame's parameters (mu, lambda) in pascals."""
        return self.E / (2 * (1 + self.nu)), self.E * self.nu / ((1 + self.nu) * (1 - 2 * self.nu))

    def replace(self, **parts: Any) -> Any:
        """The same material with other parameters."""
        return replace(self, **parts)

    def energy(self, F: Float[Tensor, "m 3 3"]) -> Float[Tensor, " m"]:
        """Energy density of deformation gradients, J/m^3."""
        raise NotImplementedError

    def stress(self, F: Float[Tensor, "m 3 3"]) -> Float[Tensor, "m 3 3"]:
        """The first Piola-Kirchhoff stress, the energy's derivative, Pa."""
        followed = torch.is_grad_enabled() and any(x.requires_grad for x in (F, *self.lame()))
        with torch.enable_grad():
            own = F if F.requires_grad else F.detach().requires_grad_()
            return torch.autograd.grad(self._followed(own), own, create_graph=followed)[0]

    def tangent(self, F: Float[Tensor, "m 3 3"]) -> Float[Tensor, "m 9 9"]:
        """The derivative of the stress, rows and columns in the order of ``F.flatten()``, Pa."""
        with torch.enable_grad():
            own = F.detach().requires_grad_()
            P = torch.autograd.grad(self._followed(own), own, create_graph=True)[0].flatten(1)
            if not P.requires_grad:  # an energy that is linear in F
                return F.new_zeros(len(F), 9, 9)
            rows = [
                torch.autograd.grad(P[:, i].sum(), own, retain_graph=True, materialize_grads=True)[0].flatten(1) for i in range(9)
            ]
        return torch.stack(rows, 1)

    def _followed(self, F: Float[Tensor, "m 3 3"]) -> Float[Tensor, ""]:
        """The energies' sum, which autograd must be able to follow."""
        total = self.energy(F).sum()
        if not total.requires_grad:
            raise ArgumentError("density", "an energy that autograd can follow back to F", "one that does not depend on F for it")
        return total


@dataclass(frozen=True, eq=False)
class NeoHookean(Material):
    """Stable neo-Hookean without a logarithm: finite for inverted elements, with exactly linear elasticity at small strains.

    ``mu/2 (|F|^2 - 3) + k/2 (J - 1 - mu/k)^2 - mu^2/(2k)``, ``k = mu + lambda``, ``J = det F``.

    Source: B. Smith, F. de Goes, T. Kim, "Stable neo-Hookean flesh simulation", ACM TOG 37 (2018).

    >>> rest = torch.eye(3, dtype=torch.float64)[None]
    >>> NeoHookean().energy(rest).item(), float(NeoHookean().stress(rest).abs().max()) < 1e-9
    (0.0, True)
    """

    def energy(self, F: Float[Tensor, "m 3 3"]) -> Float[Tensor, " m"]:
        mu, k = self._parameters()
        r = mu / k
        J1 = F.det() - 1
        # (J - 1 - r)^2 - r^2, without the cancellation
        return mu / 2 * (F.square().sum((1, 2)) - 3) + k / 2 * J1 * (J1 - 2 * r)

    def stress(self, F: Float[Tensor, "m 3 3"]) -> Float[Tensor, "m 3 3"]:
        mu, k = self._parameters()
        return _each(mu) * F + _each(k * (F.det() - 1) - mu) * cofactor(F)

    def tangent(self, F: Float[Tensor, "m 3 3"]) -> Float[Tensor, "m 9 9"]:
        mu, k = self._parameters()
        cof = cofactor(F).flatten(1)
        turning = torch.einsum("ikp,jlq,mpq->mijkl", EPSILON, EPSILON, F).flatten(3, 4).flatten(1, 2)
        A = _each(k * (F.det() - 1) - mu) * turning
        A = A + (_each(k) if k.ndim else k) * cof.unsqueeze(2) * cof.unsqueeze(1)
        return A + _each(mu) * torch.eye(9, dtype=F.dtype)

    def _parameters(self) -> tuple[Tensor, Tensor]:
        mu, lam = self.lame()
        return mu, mu + lam


@dataclass(frozen=True, eq=False)
class StVenantKirchhoff(Material):
    """``mu |e|^2 + lambda/2 tr(e)^2`` of Green's strain ``e = (F^T F - 1)/2``. Under strong compression it softens and collapses."""

    def energy(self, F: Float[Tensor, "m 3 3"]) -> Float[Tensor, " m"]:
        mu, lam = self.lame()
        e = self._strain(F)
        return mu * e.square().sum((1, 2)) + lam / 2 * _trace(e).square()

    def stress(self, F: Float[Tensor, "m 3 3"]) -> Float[Tensor, "m 3 3"]:
        return F @ self._second(F)

    def tangent(self, F: Float[Tensor, "m 3 3"]) -> Float[Tensor, "m 9 9"]:
        mu, lam = self.lame()
        eye = torch.eye(3, dtype=F.dtype)
        A = torch.einsum("ik,mjl->mijkl", eye, self._second(F))
        shear = torch.einsum("mil,mkj->mijkl", F, F) + torch.einsum("jl,mik->mijkl", eye, F @ F.mT)
        pairs = torch.einsum("mij,mkl->mijkl", F, F)
        wide = (-1, 1, 1, 1, 1)
        return (A + mu.view(wide) * shear + lam.view(wide) * pairs).flatten(3, 4).flatten(1, 2)

    def _strain(self, F: Tensor) -> Tensor:
        return (F.mT @ F - torch.eye(3, dtype=F.dtype)) / 2

    def _second(self, F: Tensor) -> Tensor:
        mu, lam = self.lame()
        e = self._strain(F)
        return 2 * _each(mu) * e + _each(lam * _trace(e)) * torch.eye(3, dtype=F.dtype)


@dataclass(frozen=True, eq=False)
class CorotatedLinear(Material):
    """Linear elasticity in the frame of the polar rotation ``R`` of ``F``: ``mu |F - R|^2 + lambda/2 tr(R^T F - 1)^2``."""

    def energy(self, F: Float[Tensor, "m 3 3"]) -> Float[Tensor, " m"]:
        mu, lam = self.lame()
        R = polar_rotation(F)
        return mu * (F - R).square().sum((1, 2)) + lam / 2 * (_trace(R.mT @ F) - 3).square()

    def stress(self, F: Float[Tensor, "m 3 3"]) -> Float[Tensor, "m 3 3"]:
        # The rotation's own derivative drops out: R^T dR is skew, and R^T F symmetric.
        mu, lam = self.lame()
        R = polar_rotation(F)
        return 2 * _each(mu) * (F - R) + _each(lam * (_trace(R.mT @ F) - 3)) * R

    def tangent(self, F: Float[Tensor, "m 3 3"]) -> Float[Tensor, "m 9 9"]:
        mu, lam = self.lame()
        R = polar_rotation(F)
        S = R.mT @ F
        # R^T dR = [w], and [w] S + S [w] = R^T dF - dF^T R: its axis is (tr S - S) w.
        axis = -torch.einsum("pab,mka->mpkb", EPSILON, R).flatten(2)
        w = torch.linalg.solve(_each(_trace(S)) * torch.eye(3, dtype=F.dtype) - S, axis)
        turn = torch.einsum("mia,abp,mpn->mibn", R, -EPSILON, w).flatten(1, 2)
        flat = R.flatten(1)
        A = 2 * _each(mu) * (torch.eye(9, dtype=F.dtype) - turn) + _each(lam * (_trace(S) - 3)) * turn
        return A + _each(lam) * flat.unsqueeze(2) * flat.unsqueeze(1)


@dataclass(frozen=True, eq=False)
class CustomMaterial(Material):
    """Your own energy density: a differentiable function of ``(F [m, 3, 3], mu, lambda)``, summed over nothing, ``[m]``.

    Derivatives are taken backward twice. ``F.det()`` is safe here; in derivatives of your own, ``torch.func`` is wrong for it without an
    error (torch 2.13: ``vmap(jacfwd)`` anywhere, second derivatives at the identity; ``findings/torch_det_forward_derivatives.sh``).

    >>> def linear(F, mu, lam):
    ...     e = (F + F.mT) / 2 - torch.eye(3, dtype=F.dtype)
    ...     return mu * (e * e).sum((1, 2)) + lam / 2 * e.diagonal(dim1=1, dim2=2).sum(1) ** 2
    >>> CustomMaterial(E=1e6, density=linear).tangent(torch.eye(3, dtype=torch.float64)[None]).shape
    torch.Size([1, 9, 9])
    """

    density: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not callable(self.density):
            raise ArgumentError("density", "a function of (F, mu, lambda)", repr(self.density))

    def energy(self, F: Float[Tensor, "m 3 3"]) -> Float[Tensor, " m"]:
        assert self.density is not None
        value = self.density(F, *self.lame())
        if not isinstance(value, Tensor):
            raise ArgumentError("density", f"a function with one energy an element, [{len(F)}]", type(value).__name__)
        if value.shape != F.shape[:1]:
            raise ArgumentError("density", f"a function with one energy an element, [{len(F)}]", f"shape {tuple(value.shape)}")
        return value


def cofactor(F: Float[Tensor, "m 3 3"]) -> Float[Tensor, "m 3 3"]:
    """The derivative of the determinant: rows are cross products of the other two; also of singular matrices."""
    a, b, c = F.unbind(1)
    return torch.stack([torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)], 1)


def polar_rotation(F: Float[Tensor, "m 3 3"]) -> Float[Tensor, "m 3 3"]:
    """The proper rotation nearest to ``F``."""
    U, _, Vh = torch.linalg.svd(F)
    proper = torch.ones(len(F), 3, dtype=F.dtype)
    proper[:, 2] = (U.det() * Vh.det()).detach().sign()
    return (U * proper.unsqueeze(1)) @ Vh


def _each(x: Tensor) -> Tensor:
    return x.view(-1, 1, 1)


def _trace(x: Tensor) -> Tensor:
    return x.diagonal(dim1=1, dim2=2).sum(1)
