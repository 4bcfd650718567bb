"""How well parameters are measured: the Fisher matrix by automatic differentiation, and whether it can be inverted at all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError, unsupported
from erlangen.fields.binaries.constants import FOUR_YEARS
from erlangen.fields.binaries.detector import noise
from erlangen.fields.binaries.likelihood import USED
from erlangen.fields.binaries.response import NAMES, waveform
from erlangen.verdict import Verdict

#: Below this ratio of the smallest to the largest eigenvalue of the scaled matrix it is called singular: the derivatives carry about
#: twelve digits, the matrix their squares.
SINGULAR = 1e-13
#: An error of an angle above this (a radian) is none.
LARGEST_ANGLE = 1.0


@dataclass(frozen=True)
class Fisher:
    """A Fisher matrix, never inverted where that means nothing.

    Attributes:
        names: of the parameters; amplitudes by their logarithm, frequencies in units of 1/span, its square and cube.
        matrix: ``[n, n]``.
    """

    names: tuple[str, ...]
    matrix: Float[Tensor, "n n"]

    @property
    def scaled(self) -> Tensor:
        """The matrix with ones on its diagonal (zeros where a parameter has no effect)."""
        size = self.matrix.diagonal().clamp_min(0).sqrt()
        scale = torch.where(size > 0, 1 / size.clamp_min(1e-300), torch.zeros_like(size))
        return scale[:, None] * self.matrix * scale

    def regular(self) -> Verdict:
        """Whether the parameters can be told apart: the smallest eigenvalue of the scaled matrix against rounding.

        Where they cannot, the witness is the direction, one number for each parameter in its own standard unit.
        """
        values, vectors = torch.linalg.eigh(self.scaled)
        ratio = float(values[0] / values[-1])
        holds = ratio > SINGULAR
        worst = vectors[:, 0]
        leading = [self.names[i] for i in worst.abs().argsort(descending=True)[:2].tolist()]
        reason = "" if holds else f"{' and '.join(leading)} cannot be told apart"
        return Verdict(
            holds,
            "the Fisher matrix can be inverted",
            "exact",
            numbers={"smallest over largest eigenvalue": ratio},
            witness=None if holds else dict(zip(self.names, worst.tolist())),
            reason=reason,
        )

    def covariance(self) -> Float[Tensor, "n n"]:
        """The inverse.

        Raises:
            UnsupportedError: the matrix is singular; see :meth:`regular`.
        """
        verdict = self.regular()
        if not verdict:
            unsupported(self, f"covariance: its Fisher matrix is singular, {verdict.reason}", "measure the phase otherwise")
        size = self.matrix.diagonal().sqrt()
        return torch.linalg.inv(self.scaled) / size[:, None] / size

    def sigma(self, name: str) -> float:
        """The standard deviation of one parameter.

        Raises:
            ArgumentError: there is no such parameter.
            UnsupportedError: the matrix is singular.
        """
        if name not in self.names:
            raise ArgumentError("name", f"one of {', '.join(self.names)}", repr(name))
        i = self.names.index(name)
        return math.sqrt(float(self.covariance()[i, i]))

    def measures(self, name: str) -> Verdict:
        """Whether an angle is measured: the matrix is regular and its error below one radian."""
        claim = f"{name} is measured"
        regular = self.regular()
        if not regular:
            return Verdict(False, claim, "exact", numbers=regular.numbers, witness=regular.witness, reason=regular.reason)
        sigma = self.sigma(name)
        holds = sigma < LARGEST_ANGLE
        return Verdict(holds, claim, "exact", numbers={"sigma": sigma}, reason="" if holds else "its error is above a radian")

    def with_phase(self, sigma: float, name: str = "phi0") -> Fisher:
        """The same with the phase of the waves known otherwise to ``sigma`` radians: twice the error of the orbital phase.

        Raises:
            ArgumentError: ``sigma`` is not positive, there is no such parameter.
        """
        if not (isinstance(sigma, (int, float)) and 0 < sigma < math.inf):
            raise ArgumentError("sigma", "a positive number of radians", repr(sigma))
        if name not in self.names:
            raise ArgumentError("name", f"one of {', '.join(self.names)}", repr(name))
        more = self.matrix.clone()
        i = self.names.index(name)
        more[i, i] += sigma**-2
        return Fisher(self.names, more)

    def __repr__(self) -> str:
        return f"Fisher({', '.join(self.names)})"


def fisher_matrix(
    parameters: Mapping[str, float],
    free: Sequence[str] = ("amp", "f0", "fdot", "phi0", "iota", "psi"),
    *,
    span: float = FOUR_YEARS,
    N: int = 256,
) -> Fisher:
    """The Fisher matrix of one binary, by forward differentiation of the waveform.

    Args:
        parameters: all nine of :func:`~erlangen.fields.binaries.waveform`, by name.
        free: those that are not known.
        span, N: of the waveform.

    Raises:
        ArgumentError: a parameter is missing, or not known.

    >>> at = dict(amp=1e-22, f0=2.61e-3, fdot=3.3e-17, fddot=0.0, phi0=0.7, iota=1.0, psi=0.4, lam=1.77, beta=0.1)
    >>> F = fisher_matrix(at)
    >>> bool(F.regular()), F.sigma("psi") > F.with_phase(0.01).sigma("psi")
    (True, True)
    >>> face_on = fisher_matrix(at | {"iota": 0.0})
    >>> bool(face_on.measures("psi"))
    False
    """
    missing = [name for name in NAMES if name not in parameters]
    if missing or len(parameters) != len(NAMES):
        raise ArgumentError("parameters", f"numbers for {', '.join(NAMES)}", f"{', '.join(parameters)}")
    wrong = [name for name in free if name not in NAMES]
    if wrong or not free or len(set(free)) != len(free):
        raise ArgumentError("free", f"different ones of {', '.join(NAMES)}", repr(tuple(free)))
    at = {name: torch.tensor(float(parameters[name]), dtype=torch.float64) for name in NAMES}
    units = {"f0": 1 / span, "fdot": 1 / span**2, "fddot": 1 / span**3}

    def channels(step: Tensor) -> Tensor:
        moved = dict(at)
        for name, x in zip(free, step):
            moved[name] = at[name] * x.exp() if name == "amp" else at[name] + units.get(name, 1.0) * x
        made = waveform(**moved, span=span, N=N)
        return torch.view_as_real(made.channels[:USED] / at["amp"])

    made = waveform(**at, span=span, N=N)
    psd = noise(made.frequencies, span)
    slopes = torch.func.jacfwd(channels)(torch.zeros(len(free), dtype=torch.float64))  # [2, N, 2, n]
    weighted = slopes / psd[:, None, None]
    scale = 4 / span * at["amp"] ** 2
    return Fisher(tuple(free), scale * torch.einsum("cfri,cfrj->ij", slopes, weighted))
