"""`GSpectralConv`: convolution over shifts and turns of a grid, in Fourier space; `RadialSpectralConv`: kernels that no turn changes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from erlangen.actions.periodic import PeriodicField
from erlangen.errors import ArgumentError
from erlangen.groups.crystallographic import CrystallographicGroup
from erlangen.nn.spectral_symmetry import GridSymmetry
from erlangen.nn.spectral_waves import Waves, wave_numbers


class _Spectral(nn.Module):
    """What both layers share: coefficients in, mixed, coefficients out."""

    symmetry: GridSymmetry
    n_modes: tuple[int, ...]
    #: Channels that come in and go out.
    channels: tuple[int, int]
    #: Size of the axis of turns.
    order: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        n_modes: int | Sequence[int],
        group: str | CrystallographicGroup | GridSymmetry,
        axes: int,
    ) -> None:
        super().__init__()
        self.channels = check_channels(in_channels=in_channels, out_channels=out_channels)
        self.n_modes, self.symmetry = modes_and_symmetry(n_modes, group, axes)

    def mix(self, c: Float[Tensor, "k 2 B n C"]) -> Float[Tensor, "k 2 B n D"]:
        """The layer on coefficients: all modes in one axis, the turns before the channels."""
        raise NotImplementedError

    def forward(self, x: Float[Tensor, "*B C n *grid"]) -> Float[Tensor, "*B D n *grid"]:
        """Apply the layer to features on any grid that is fine enough."""
        d = len(self.n_modes)
        check_features(x, self.channels[0], self.order, d)
        sizes = x.shape[-d:]
        self.symmetry.check_equal("x", sizes, "sides")
        waves = Waves(sizes, self.n_modes, x.dtype, x.device)
        lead = x.shape[: -d - 2]
        c = to_modes(waves, x.reshape(math.prod(lead), *x.shape[-d - 2 :]))
        return from_modes(waves, self.mix(c)).to(x.dtype).view(*lead, self.channels[1], self.order, *sizes)

    @property
    def inp(self) -> PeriodicField:
        """Features on the group, turned about grid point 0, on a grid that is just fine enough."""
        return self.symmetry.acting([2 * m for m in self.n_modes], self.symmetry.group.regular)

    @property
    def out(self) -> PeriodicField:
        """As what comes in."""
        return self.inp

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Random features."""
        sizes = (2 * m for m in self.n_modes)
        return torch.randn(*batch, self.channels[0], self.order, *sizes, generator=generator, dtype=dtype)

    def extra_repr(self) -> str:
        return f"{self.channels[0]}, {self.channels[1]}, n_modes={self.n_modes}, group={self.symmetry.group}"


class GSpectralConv(_Spectral):
    """The convolution ``out(x, s) = sum_t sum_y psi(R_s^-1 (x - y), s^-1 t) f(y, t)`` of features on shifts and turns.

    In Fourier space it is one matrix for each mode, ``out(k, s) = sum_t psi(R_s^T k, s^-1 t) f(k, t)``: only ``psi(., h)`` is stored, and
    its turned copies are read where they stand. The filter is real: one number for ``k = 0`` and two for each pair ``k, -k``, so that
    no imaginary part is ever dropped. Modes beyond ``n_modes`` are zero, also for groups that do not map the box of modes to itself
    (the hexagonal ones), of which the largest part is kept that they do.

    Args:
        in_channels, out_channels: features.
        n_modes: wave numbers 0 to ``n_modes - 1`` in either direction along each axis: a number, or one for each axis.
        group: see :class:`GridSymmetry`.
        axes: of the grid, where ``n_modes`` is one number.

    Shapes: features are ``[*batch, channels, n, *grid]`` with ``n`` the number of turns; any grid of more than ``2 n_modes - 2`` points.

    Raises:
        ArgumentError: a number is not positive, modes differ along axes that the group exchanges; when called, other shapes, too coarse
            a grid or sides that the group exchanges and that differ.

    Source: J. Helwig et al., "Group equivariant Fourier neural operators for partial differential equations", 2023, arXiv:2306.05697.

    >>> layer = GSpectralConv(3, 5, n_modes=4, group="p4m")
    >>> layer(torch.randn(2, 3, 8, 16, 16)).shape
    torch.Size([2, 5, 8, 16, 16])
    >>> import erlangen as er
    >>> bool(er.equivariance_error(layer))
    True
    """

    index: Int[Tensor, "k t 2 s"]
    sign: Float[Tensor, "k t 2 s"]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        n_modes: int | Sequence[int] = 12,
        group: str | CrystallographicGroup | GridSymmetry = "p4",
        axes: int = 2,
    ) -> None:
        super().__init__(in_channels, out_channels, n_modes, group, axes)
        self.order = self.symmetry.order
        count, index, sign = _real_filter(self.n_modes, self.symmetry)
        # Buffers that follow from the arguments: what is saved does not depend on them.
        self.register_buffer("index", index, persistent=False)
        self.register_buffer("sign", sign, persistent=False)
        self.weight = nn.Parameter(torch.empty(count, self.order, *self.channels))
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the weights anew: small, for behind a normalisation what is learnt in a step falls with the square of their size."""
        with torch.no_grad():
            bound = (self.channels[0] * self.order * (len(self.weight) - 1) / 2 + 1) ** -0.5
            self.weight.uniform_(-bound, bound, generator=generator)

    def matrices(self) -> Float[Tensor, "k tC 2sD"]:
        """The filter turned by every element: for each mode a matrix from ``(t, C)`` to real and imaginary parts of ``(s, D)``."""
        k, n = self.index.shape[:2]
        (a, b), rows = self.channels, self.weight.flatten(0, 1).flatten(1)
        taken = rows.index_select(0, self.index.flatten()).view(k, n, 2, n, a, b) * self.sign.to(rows.dtype)[..., None, None]
        return taken.permute(0, 1, 4, 2, 3, 5).reshape(k, n * a, 2 * n * b)

    def mix(self, c: Float[Tensor, "k 2 B n C"]) -> Float[Tensor, "k 2 B n D"]:
        k, _, batch, n, a = c.shape
        with torch.autocast(c.device.type, enabled=False):
            made = torch.bmm(c.reshape(k, 2 * batch, n * a), self.matrices().to(c.dtype)).view(k, 2, batch, 2, n, self.channels[1])
            return torch.stack([made[:, 0, :, 0] - made[:, 1, :, 1], made[:, 0, :, 1] + made[:, 1, :, 0]], 1)

    def filter(self, sizes: Sequence[int]) -> Float[Tensor, "C D n *grid"]:
        """The filter ``psi(x, h)`` itself on a grid, so that the layer is the sum over the grid's points with it."""
        n, (a, b) = self.order, self.channels
        self.symmetry.check_equal("sizes", sizes, "sides")
        # Where s is the identity, psi(k, t) stands as it is.
        whole = self.matrices().view(len(self.index), n, a, 2, n, b)[..., 0, :]
        waves = Waves(sizes, self.n_modes, self.weight.dtype, self.weight.device)
        return waves.synthesise(whole.permute(0, 3, 2, 4, 1).reshape(*waves.shape, 2, a, b, n)) / math.prod(sizes)


class RadialSpectralConv(_Spectral):
    """Convolution of fields with kernels that no turn changes: one real weight for each orbit of modes, features without an axis of turns.

    The simplest symmetric Fourier layer. Arguments, shapes (``n = 1``) and errors are those of :class:`GSpectralConv`. The source's
    "12 modes" are wave numbers up to 12, here ``n_modes=13``.

    Source: the same.

    >>> layer = RadialSpectralConv(3, 5, n_modes=4, group="p4m")
    >>> layer(torch.randn(2, 3, 1, 16, 16)).shape, len(layer.weight)
    (torch.Size([2, 5, 1, 16, 16]), 10)
    """

    orbit: Int[Tensor, " k"]
    kept: Float[Tensor, " k"]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        n_modes: int | Sequence[int] = 13,
        group: str | CrystallographicGroup | GridSymmetry = "p4",
        axes: int = 2,
    ) -> None:
        super().__init__(in_channels, out_channels, n_modes, group, axes)
        self.order = 1
        moved, code, inside = _moved_modes(self.n_modes, self.symmetry)
        least = torch.minimum(code(moved), code(-moved)).amin(1)
        orbits, place = least[inside].unique(return_inverse=True)
        orbit = torch.zeros(len(moved), dtype=torch.int64)
        orbit[inside] = place
        self.register_buffer("orbit", orbit, persistent=False)
        self.register_buffer("kept", inside.to(torch.get_default_dtype()), persistent=False)
        self.weight = nn.Parameter(torch.empty(len(orbits), *self.channels))
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the weights anew, as those of a plain Fourier layer of as many modes."""
        with torch.no_grad():
            bound = (self.channels[0] * len(self.orbit)) ** -0.5
            self.weight.uniform_(-bound, bound, generator=generator)

    def mix(self, c: Float[Tensor, "k 2 B 1 C"]) -> Float[Tensor, "k 2 B 1 D"]:
        k, _, batch, n, a = c.shape
        with torch.autocast(c.device.type, enabled=False):
            each = self.weight.index_select(0, self.orbit) * self.kept.to(self.weight.dtype)[:, None, None]
            return torch.bmm(c.reshape(k, 2 * batch * n, a), each.to(c.dtype)).view(k, 2, batch, n, self.channels[1])

    @property
    def inp(self) -> PeriodicField:
        return self.symmetry.acting([2 * m for m in self.n_modes], "scalar")


def to_modes(waves: Waves, x: Float[Tensor, "B C n *grid"]) -> Float[Tensor, "k 2 B n C"]:
    """Features to coefficients, all modes in one axis."""
    return waves.analyse(x).flatten(0, len(waves.sizes) - 1).transpose(-1, -2)


def from_modes(waves: Waves, c: Float[Tensor, "k 2 B n C"]) -> Float[Tensor, "B C n *grid"]:
    """Coefficients to features."""
    return waves.synthesise(c.transpose(-1, -2).unflatten(0, waves.shape))


def check_channels(**numbers: int) -> Any:
    """The numbers of channels.

    Raises:
        ArgumentError: one is not a positive whole number.
    """
    for name, number in numbers.items():
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise ArgumentError(name, "a positive number of channels", repr(number))
    return tuple(numbers.values())


def check_features(x: Tensor, channels: int, order: int, axes: int) -> None:
    """Raise where features are not ``[*batch, channels, order, *grid]`` of real numbers.

    Raises:
        ArgumentError: they are not.
    """
    if not isinstance(x, Tensor) or not x.is_floating_point():
        raise ArgumentError(
            "x", "real floating-point features", str(x.dtype if isinstance(x, Tensor) else type(x).__name__).removeprefix("torch.")
        )
    if x.ndim < axes + 2 or tuple(x.shape[-axes - 2 : -axes]) != (channels, order):
        raise ArgumentError("x", f"features [*batch, {channels}, {order}, {axes} axes of the grid]", tuple(x.shape))


def modes_and_symmetry(
    n_modes: int | Sequence[int], group: str | CrystallographicGroup | GridSymmetry, axes: int
) -> tuple[tuple[int, ...], GridSymmetry]:
    """The numbers of modes, one for each axis, and the symmetry, which must not exchange axes of different numbers.

    Raises:
        ArgumentError: a number is not positive, or the two do not fit.
    """
    numbers = tuple(n_modes) if isinstance(n_modes, Sequence) else (n_modes,) * axes
    if not numbers or any(not isinstance(m, int) or isinstance(m, bool) or m < 1 for m in numbers):
        raise ArgumentError("n_modes", "a positive number of modes, or one for each axis", repr(n_modes))
    symmetry = group if isinstance(group, GridSymmetry) else GridSymmetry(group, len(numbers))
    if symmetry.axes != len(numbers):
        raise ArgumentError("n_modes", f"one for each of {symmetry.axes} axes", repr(n_modes))
    symmetry.check_equal("n_modes", numbers, "numbers of modes")
    return numbers, symmetry


def _moved_modes(n_modes: Sequence[int], symmetry: GridSymmetry) -> tuple[Tensor, Any, Tensor]:
    """Where each turn reads each mode, ``[k, n, axes]``; a number for each mode; and which modes stay in the box whatever the turn."""
    modes = torch.cartesian_prod(*wave_numbers(n_modes)).view(-1, len(n_modes))
    moved = (modes @ symmetry.matrices).movedim(0, 1)  # k R_s = R_s^T k
    reach = torch.tensor(n_modes) - 1
    inside = (moved.abs() <= reach).flatten(1).all(1)
    strides = (2 * reach + 1).flip(0).cumprod(0).flip(0) // (2 * reach + 1)

    def code(k: Tensor) -> Tensor:
        return ((k + reach) * strides).sum(-1)

    return moved, code, inside


def _real_filter(n_modes: Sequence[int], symmetry: GridSymmetry) -> tuple[int, Tensor, Tensor]:
    """How many real numbers a filter of each pair of turns has, and where each turned copy reads them, with which sign.

    Returns:
        their number, and positions among ``number * n`` rows and signs, ``[k, t, 2, s]``, for real and imaginary parts.
    """
    moved, code, inside = _moved_modes(n_modes, symmetry)
    plus, minus = code(moved), code(-moved)  # [k, s]
    first = torch.maximum(plus, minus)
    pairs, place = first[inside].unique(return_inverse=True)  # the mode 0, its own opposite, has the smallest number
    pair = torch.zeros_like(plus)
    pair[inside] = place
    kept = inside.unsqueeze(1).to(torch.get_default_dtype())
    real = (2 * pair - 1).clamp_min(0)
    row = torch.stack([real, torch.where(pair > 0, real + 1, 0)], 1)  # [k, 2, s]
    sign = torch.stack([kept.expand(plus.shape), torch.sign((plus - minus).to(kept.dtype)) * kept], 1)
    n = symmetry.order
    # s^-1 t for each s and t, beside each row: [k, t, 2, s].
    index = row.unsqueeze(1) * n + symmetry.division.T.view(1, n, 1, n)
    return 2 * len(pairs) - 1, index, sign.unsqueeze(1).expand(index.shape).contiguous()
