"""`Decomposition`: each element as a product of easy factors, global coordinates, and the invariant measure as a product of theirs."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.groups.decompositions.window import Window, as_window, uniforms
from erlangen.groups.lasting import Lasting
from erlangen.groups.membership import LOOSE, looks_cheap


class Points(NamedTuple):
    """Points of a group for integrals: ``int F ~ mean(exp(log_weights) F(elements))``, over what the window lets through.

    Attributes:
        elements: ``[count, *element_shape]``.
        log_weights: the invariant density over that of the points, in logarithms, ``[count]``.
        window: what was sampled.
    """

    elements: Tensor
    log_weights: Tensor
    window: Window


class Decomposition(metaclass=Lasting):
    """A way to write each element of a group as a product of factors.

    The invariant (left Haar) measure of the group is the product of the factors' measures times ``exp(log_density)``: a uniform probability
    on compact factors, plain coordinates on others. It is the same measure for all decompositions of one group.

    A subclass implements :meth:`split`, :meth:`coordinates`, :meth:`element`, :meth:`log_density` and :meth:`place`, and states the
    attributes.

    Attributes:
        group: the group.
        name: of the decomposition.
        dim: the number of coordinates.
        window_dim: the number of those that are not compact, which points take from a window.
        compact_uniforms: how many uniform numbers place the compact factors of a point.
    """

    group: Group
    name: str
    dim: int
    window_dim: int
    compact_uniforms: int

    @abstractmethod
    def split(self, g: Float[Tensor, "*batch n n"]) -> Any:
        """The factors of elements, a named tuple; batched and differentiable."""

    def join(self, *factors: Tensor) -> Float[Tensor, "*batch n n"]:
        """The element of given factors: their product."""
        result = factors[0]
        for factor in factors[1:]:
            result = result @ factor
        return result

    @abstractmethod
    def coordinates(self, g: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch dim"]:
        """Real coordinates of elements."""

    @abstractmethod
    def element(self, c: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch n n"]:
        """The element of coordinates; all real numbers are allowed."""

    @abstractmethod
    def log_density(self, g: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch"]:
        """The logarithm of the left Haar density with respect to the product of the factors' measures."""

    @abstractmethod
    def place(
        self, c: Float[Tensor, "count window_dim"], u: Float[Tensor, "count uniforms"]
    ) -> tuple[Float[Tensor, "count n n"], Float[Tensor, " count"]]:
        """Elements, and the logarithms of their density, of coordinates that are not compact and of uniform numbers for compact factors."""

    def points(
        self,
        count: int,
        window: float | Window = 1.0,
        kind: str = "sobol",
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
    ) -> Points:
        """Points of the group with the weights that make sums over them integrals.

        Compact factors are covered whole; the coordinates of the others lie in the window, outside of which nothing is seen.

        Args:
            count: how many.
            window: the radius of a ball of coordinates, or a :class:`Ball`, :class:`Box` or :class:`Normal` law of them.
            kind: ``"sobol"``, a scrambled sequence on all factors at once, or ``"random"``, independent points.
            generator: of the random numbers.

        Raises:
            ArgumentError: ``count`` or ``window`` is not positive, or another ``kind``.
        """
        law = as_window(window)
        u = uniforms(count, self.window_dim + self.compact_uniforms, kind, generator)
        inner, compact = u.split([self.window_dim, self.compact_uniforms], -1)
        return self._weighted(law, inner, compact, dtype, device)

    def _weighted(
        self, law: Window, inner: Tensor, compact: Tensor, dtype: torch.dtype | None, device: torch.device | None
    ) -> Points:
        c, log_measure = law.place(inner) if self.window_dim else (inner, inner.new_zeros(inner.shape[:-1]))
        elements, log_density = self.place(c, compact)
        dtype = dtype or torch.get_default_dtype()
        return Points(elements.to(dtype).to(device), (log_density + log_measure).to(dtype).to(device), law)

    def integrate(self, function: Any, window: float | Window, count: int, kind: str, generator: torch.Generator | None) -> Any:
        """See :meth:`erlangen.groups.Group.integrate`."""
        if isinstance(count, bool) or not isinstance(count, int) or count < 2:
            raise ArgumentError("count", "at least 2 points", repr(count))
        if kind not in ("sobol", "random"):
            raise ArgumentError("kind", "'sobol' or 'random', whose error can be told", repr(kind))
        parts = min(REPEATS, count // 2) if kind == "sobol" else 1
        means, sizes = [], []
        for part in range(parts):
            size = (part + 1) * count // parts - part * count // parts
            points = self.points(size, window, kind, generator=generator, dtype=torch.float64)
            weights = points.log_weights.exp()
            if not bool(weights.isfinite().all() & points.elements.isfinite().all()):
                raise ArgumentError("window", "one so narrow that elements and their weights are finite numbers", repr(window))
            values = checked_values(function(points.elements), size)
            terms = weights.to(values.device).view(-1, *[1] * (values.ndim - 1)) * values
            if parts == 1:
                return terms.mean(0), terms.std(0) / math.sqrt(size)
            means.append(terms.mean(0))
            sizes.append(size)
        mean = torch.stack(means)
        share = torch.tensor(sizes, device=mean.device).view(-1, *[1] * (mean.ndim - 1)) / count
        value = (share * mean).sum(0)
        return value, ((mean - value).abs().square().sum(0) / (parts * (parts - 1))).sqrt()

    def __repr__(self) -> str:
        return f"{self.name} decomposition of {self.group}"


#: Into how many independently scrambled parts Sobol points go for an estimate of their error.
REPEATS = 16


def checked(group: Group, g: Tensor, argument: str = "g") -> Tensor:
    """Elements in float32 or better.

    Values are looked at on the CPU, outside of compiled and transformed functions.

    Raises:
        ArgumentError: not real square matrices of the group's size, not finite, or (the first of them is named) not in the group.
    """
    if not isinstance(g, Tensor) or not g.is_floating_point():
        raise ArgumentError(argument, f"real floating-point matrices of {group}", str(getattr(g, "dtype", type(g).__name__)))
    n = group.element_shape[-1]
    if g.ndim < 2 or tuple(g.shape[-2:]) != (n, n):
        raise ArgumentError(argument, f"matrices [*batch, {n}, {n}] of {group}", f"shape {tuple(g.shape)}")
    g = g.to(torch.promote_types(g.dtype, torch.float32))
    if looks_cheap(g):
        with torch.autocast(g.device.type, enabled=False):
            _check_values(group, g.detach(), argument)
    return g


def _check_values(group: Group, g: Tensor, argument: str) -> None:
    from erlangen.groups.linear import SL, GLplus, sign_of_determinant

    if not bool(torch.isfinite(g.sum())):  # at a fraction of the price of looking at each
        refuse(~torch.isfinite(g).flatten(-2).all(-1), argument, "finite numbers", "NaN or infinity")
    if isinstance(group, (GLplus, SL)):
        n, eps, tiny = g.shape[-1], torch.finfo(g.dtype).eps, torch.finfo(g.dtype).tiny
        det = g[..., 0, 0] * g[..., 1, 1] - g[..., 0, 1] * g[..., 1, 0] if n == 2 else torch.linalg.det(g)
        size = g.norm(dim=-1).prod(-1)  # the product of the rows' lengths, by which determinants round
        bad = det <= (n * n * eps * size).clamp_min(tiny)
        if bool(bad.any()):  # a determinant may be too small for a number where the matrix is not
            sign, singular = sign_of_determinant(g)
            refuse(bad & (sign <= 0), argument, "matrices of positive determinant", "determinant {}", det)
            expected = "matrices of positive determinant, beyond what rounding leaves of zero"
            refuse(bad & singular, argument, expected, "determinant {}", det)
        if isinstance(group, SL):
            rounding = 1e2 * eps * size
            allowed = 1e-6 if g.dtype == torch.float64 else LOOSE[g.dtype]
            refuse((det - 1).abs() > allowed + rounding, argument, "matrices of determinant 1", "determinant {}", det)
    else:
        refuse(~group.contains(g), argument, f"elements of {group}", "a matrix that is not in it")


def checked_values(values: Any, count: int) -> Tensor:
    """What a function made of ``count`` elements.

    Raises:
        ArgumentError: not one value for each of them.
    """
    if not isinstance(values, Tensor) or values.shape[:1] != (count,):
        got = f"shape {tuple(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
        raise ArgumentError("function", f"values [{count}, ...] of {count} elements", got)
    return values


def check_coordinates(how: Decomposition, c: Tensor) -> Tensor:
    """Coordinates in float32 or better.

    Raises:
        ArgumentError: another number of them, or not real.
    """
    if not isinstance(c, Tensor):
        raise ArgumentError("c", f"coordinates [*batch, {how.dim}]", type(c).__name__)
    if c.ndim < 1 or c.shape[-1] != how.dim or not c.is_floating_point():
        raise ArgumentError("c", f"coordinates [*batch, {how.dim}]", f"shape {tuple(c.shape)}, {c.dtype}")
    return c.to(torch.promote_types(c.dtype, torch.float32))


def refuse(bad: Tensor, argument: str, expected: str, got: str, values: Tensor | None = None) -> None:
    """Raise ArgumentError with the first that is bad and its place in the batch."""
    if not bool(bad.any()):
        return
    at = bad.nonzero()[0].tolist()
    text = got if values is None else got.format(f"{float(values[tuple(at)]):.6g}")
    where = f" at {at}" if at else ""
    raise ArgumentError(argument, expected, f"{text}{where}; {int(bad.sum())} of {bad.numel()} are not")
