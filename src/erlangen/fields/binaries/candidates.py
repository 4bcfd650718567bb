"""The directions that the angular momentum of a binary may have, and how likely each is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.binaries.channels import Channel, DegeneracyGroup, degeneracy_group
from erlangen.fields.binaries.geometry import Numbers, angular_momentum, checked, tensor
from erlangen.fields.binaries.timing import phase_log_weights

#: What is seen of a binary by gravitational waves alone.
GW = ("gravitational waves",)
#: Nearer to face-on or face-off than this (radians) the position angle is continuous.
FACE_ON = 1e-9


@dataclass(frozen=True)
class Candidates:
    """Directions of the angular momentum.

    Attributes:
        group: what the channels cannot tell.
        iota: inclination, radians, ``[*batch]``.
        psi: position angles ``[*batch, n]``, radians in [0, 2 pi), from the north of ``sky``'s frame through east.
        phase: orbital phases that go with them, ``[*batch, n]``, modulo half a turn; ``None`` where none was given.
        vectors: unit vectors ``[*batch, n, 3]`` in ``sky``'s frame.
        weights: ``[*batch, n]``, summing to 1.
        continuous: whether any position angle is as good, ``[*batch]``: face-on, or channels that do not see it. The directions are then
            all on one small circle; those listed are as many as usual.
        sky: where the binaries are, a ``SkyCoord``.
    """

    group: DegeneracyGroup
    iota: Tensor
    psi: Tensor
    phase: Tensor | None
    vectors: Tensor
    weights: Tensor
    continuous: Tensor
    sky: Any

    @property
    def icrs(self) -> Any:
        """The directions as a ``SkyCoord`` in ICRS, ``[*batch, n]``."""
        return directions(self.vectors, self.sky).icrs

    @property
    def galactic(self) -> Any:
        """The directions as a ``SkyCoord`` in Galactic coordinates, ``[*batch, n]``."""
        return directions(self.vectors, self.sky).galactic

    def likely(self, least: float = 1e-3) -> Tensor:
        """Which candidates have at least this weight, ``[*batch, n]`` bool."""
        return self.weights >= least

    def __len__(self) -> int:
        return self.psi.shape[-1]


def candidate_vectors(
    lon: Numbers, lat: Numbers, iota: Numbers, psi: Numbers, channels: Iterable[Channel] = GW
) -> Float[Tensor, "*batch n 3"]:
    """The directions that a measured orientation may stand for, as unit vectors in the frame of longitude and latitude.

    Differentiable; radians. They are turned about the line of sight, so that inclination and ``cos(iota)`` are the same for all.

    Raises:
        ArgumentError: an inclination outside of 0 to pi, channels that leave the angle continuous.

    >>> L = candidate_vectors(0.3, -0.2, 1.0, 0.5)
    >>> L.shape, candidate_vectors(0.3, -0.2, 1.0, 0.5, ["gravitational waves", "eclipses"]).shape
    (torch.Size([4, 3]), torch.Size([2, 3]))
    """
    shifts = degeneracy_group(channels).psi_shifts()
    if not shifts:
        raise ArgumentError("channels", "channels that leave finitely many position angles", "a continuous turn")
    turned = tensor(psi)[..., None] + torch.tensor(shifts, dtype=torch.float64)
    return angular_momentum(tensor(iota)[..., None], turned, tensor(lon)[..., None], tensor(lat)[..., None])


def candidates(
    sky: Any,
    iota: Any,
    psi: Any,
    channels: Iterable[Channel] = GW,
    *,
    phase: Any = None,
    sigma_phase: Any = 0.0,
    timed_phase: Any = None,
    sigma_timed: Any = None,
) -> Candidates:
    """All directions of the angular momentum that agree with what was measured, in ICRS and Galactic coordinates.

    Args:
        sky: ``SkyCoord`` of one binary or many, in any frame that is a rotation of ICRS.
        iota: inclination, a ``Quantity`` or radians; 0 to pi, below a right angle counter-clockwise as seen on the sky.
        psi: position angle of the projected angular momentum, from the north of ``sky``'s frame through east.
        channels: what was seen; see :func:`~erlangen.fields.binaries.degeneracy_group`.
        phase: orbital phase by gravitational waves at some time (half of the waves' phase), which goes with ``psi``.
        sigma_phase: error of the *waves'* phase, radians.
        timed_phase: orbital phase at the same time by electromagnetic timing.
        sigma_timed: error of twice that phase, radians; see ``Ephemeris.sigma_phase``.

    Returns:
        The candidates; equally likely, or weighted where a timed phase is given.

    Raises:
        ArgumentError: an inclination outside of 0 to pi, places that are missing, a timed phase without its error or without
            ``phase``, a phase with channels that leave it open for one position angle.

    >>> from astropy.coordinates import SkyCoord
    >>> there = SkyCoord(102.89, 28.74, unit="deg")
    >>> four = candidates(there, 1.05, 0.4)
    >>> two = candidates(there, 1.05, 0.4, phase=0.3, sigma_phase=0.05, timed_phase=0.3, sigma_timed=0.1)
    >>> len(four), four.weights.tolist(), two.likely().tolist()
    (4, [0.25, 0.25, 0.25, 0.25], [True, False, True, False])
    """
    coordinates = engine("binaries", "astropy.coordinates")
    if not isinstance(sky, coordinates.SkyCoord):
        raise ArgumentError("sky", "an astropy.coordinates.SkyCoord", repr(sky))
    inclination = checked("iota", radians(iota, "iota"), 0.0, math.pi)
    angle = radians(psi, "psi")
    lon, lat = (torch.as_tensor(np.asarray(x.rad, float)) for x in (sky.spherical.lon, sky.spherical.lat))
    if not bool((lon.isfinite() & lat.isfinite()).all()) or bool(np.any(getattr(sky, "mask", False))):
        raise ArgumentError("sky", "places without gaps", repr(sky))
    group = degeneracy_group(channels)
    free = group.psi_values == math.inf
    shifts = (degeneracy_group(GW) if free else group).psi_shifts()
    shape = torch.broadcast_shapes(inclination.shape, angle.shape, lon.shape)
    inclination, angle, lon, lat = (x.expand(shape) for x in (inclination, angle, lon, lat))
    turns = (angle[..., None] + torch.tensor(shifts, dtype=torch.float64)) % (2 * math.pi)
    vectors = angular_momentum(inclination[..., None], turns, lon[..., None], lat[..., None])
    continuous = (inclination.sin().abs() < FACE_ON) | free
    weights = torch.full_like(turns, 1 / len(shifts))
    at = None
    if phase is not None:
        at = (radians(phase, "phase").expand(shape)[..., None] + _phase_shifts(group, shifts)) % math.pi
    if timed_phase is not None:
        if at is None:
            raise ArgumentError("phase", "the orbital phase by gravitational waves, to compare with the timed one", "None")
        if sigma_timed is None:
            raise ArgumentError("sigma_timed", "the error of the timed phase, where weights are asked for", "None")
        errors = {"sigma_phase": radians(sigma_phase, "sigma_phase"), "sigma_timed": radians(sigma_timed, "sigma_timed")}
        for name, error in errors.items():
            errors[name] = checked(name, error, 0.0).expand(shape)[..., None]
        if not bool((errors["sigma_phase"] + errors["sigma_timed"] > 0).all()):
            raise ArgumentError("sigma_timed", "an error above 0, of either phase", "both are 0")
        off = 2 * (at - radians(timed_phase, "timed_phase").expand(shape)[..., None])
        logs = torch.as_tensor(phase_log_weights(off.numpy(), *(e.numpy() for e in errors.values())))
        weights = (logs - logs.logsumexp(-1, keepdim=True)).exp()
    return Candidates(group, inclination, turns, at, vectors, weights, continuous, sky)


def _phase_shifts(group: DegeneracyGroup, shifts: list[float]) -> Tensor:
    """The shift of the orbital phase, modulo half a turn, that goes with each shift of the position angle.

    Raises:
        ArgumentError: one position angle goes with several such phases.
    """
    if group.dim or any(dpsi == 0 and 2 * dphi % 1 for dpsi, dphi in group.shifts()):
        raise ArgumentError(
            "channels",
            "channels for which a position angle goes with one phase, modulo half a turn",
            f"the group {group}",
            "leave phase out",
        )
    of = {shift[0]: shift[1] for shift in group.shifts()}
    turns = [Fraction(j, len(shifts)) for j in range(len(shifts))]
    return torch.tensor([2 * math.pi * float(of[turn]) % math.pi for turn in turns], dtype=torch.float64)


def directions(vectors: Tensor, sky: Any) -> Any:
    """Unit vectors in the frame of ``sky`` as a ``SkyCoord``.

    Raises:
        ArgumentError: the frame is no rotation of ICRS (it has a place and a time of its own).
    """
    coordinates = engine("binaries", "astropy.coordinates")
    frame = sky.frame.replicate_without_data(copy=True)
    axes = coordinates.SkyCoord(coordinates.UnitSphericalRepresentation.from_cartesian(_cartesian(np.eye(3))), frame=frame)
    try:
        turned = axes.icrs.cartesian.xyz.value
    except (
        ValueError,
        TypeError,
        AttributeError,
        coordinates.ConvertError,
        engine("binaries", "astropy.units").UnitsError,
    ):  # it needs a time, a place, or distances
        turned = np.zeros((3, 3))
    if not np.allclose(turned @ turned.T, np.eye(3), atol=1e-9) or np.linalg.det(turned) < 0:
        raise ArgumentError(
            "sky", "coordinates in a frame that is a rotation of ICRS", f"{frame.name!r}", "use sky.icrs or sky.galactic"
        )
    unit = coordinates.UnitSphericalRepresentation.from_cartesian(_cartesian(np.moveaxis(vectors.detach().cpu().numpy(), -1, 0)))
    return coordinates.SkyCoord(unit, frame=frame)


def _cartesian(xyz: np.ndarray) -> Any:
    return engine("binaries", "astropy.coordinates").CartesianRepresentation(*xyz)


def radians(x: Any, argument: str) -> Tensor:
    """Angles as a float64 tensor: of a ``Quantity`` converted, of numbers as they are.

    Raises:
        ArgumentError: another unit, no numbers, or numbers that are not finite.
    """
    units = engine("binaries", "astropy.units")
    if isinstance(x, units.Quantity):
        try:
            x = x.to_value(units.rad)
        except units.UnitConversionError:
            raise ArgumentError(argument, "an angle", f"unit {x.unit}") from None
    if isinstance(x, Tensor):
        values = x.to(torch.float64)
    else:
        try:
            values = torch.as_tensor(np.asarray(x, float))
        except (TypeError, ValueError):
            raise ArgumentError(argument, "an angle, a Quantity or radians", repr(x)) from None
    if not bool(values.isfinite().all()):
        raise ArgumentError(argument, "finite angles", f"{float(values[~values.isfinite()].flatten()[0])!r}")
    return values
