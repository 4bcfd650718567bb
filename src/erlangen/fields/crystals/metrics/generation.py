"""Generated crystals beside real ones: validity, uniqueness, novelty, coverage, and laws of properties."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.crystals.crystal import Crystal, as_crystal
from erlangen.fields.crystals.metrics.fingerprints import element_fingerprint, neighbour_fingerprint
from erlangen.fields.crystals.metrics.matching import Matcher
from erlangen.fields.crystals.validity import smact14_valid, structure_valid

#: Grams per cubic centimetre in one atomic mass unit per cubic angstrom.
DENSITY = 1.66053906660


@dataclass(frozen=True)
class Generated:
    """Samples beside a reference.

    Attributes:
        structure, composition, valid: shares of samples whose atoms do not overlap, whose charges can be balanced, and both.
        unique: the share of valid samples that match none before them.
        novel: the share of valid samples that match no reference (with the tolerances of pymatgen's matcher).
        recall, precision: coverage; the share of references with a valid sample near, of *all* samples that are valid and near a reference.
            Near is what 90 % of the training crystals are to the reference: so real crystals have a precision of about 0.9.
        density, elements, energy: 1-Wasserstein distances of the density (g/cm^3), of the number of distinct elements, and of the energy
            per atom where a function of it was given, else NaN; of valid samples.
        stopped: pairs whose matching took too long.
    """

    structure: float
    composition: float
    valid: float
    unique: float
    novel: float
    recall: float
    precision: float
    density: float
    elements: float
    energy: float
    stopped: int


def generation(
    samples: Sequence[Any],
    reference: Sequence[Any],
    train: Sequence[Any] | None = None,
    *,
    energy: Callable[[Crystal], float] | None = None,
    seconds: float = 10.0,
) -> Generated:
    """Samples of a generator beside crystals that it has not seen.

    Coverage is *not* that of the literature: its fingerprints (CrystalNN and Magpie, of matminer) are replaced by our own,
    :func:`neighbour_fingerprint` and :func:`element_fingerprint`, standardised by the training crystals, and its thresholds by a
    quantile of theirs. Numbers compare within one run only.

    Args:
        samples: generated crystals.
        reference: real ones.
        train: real ones, for the scale of coverage; by default the reference itself, whose crystals then are near when they are equal.
        energy: eV per atom of a crystal.
        seconds: for a pair that is matched.

    Raises:
        ArgumentError: no samples or no references.

    Source: Xie et al., ICLR 2022, arXiv:2110.06197, for what is measured.
    """
    made = [as_crystal(one, f"samples[{i}]") for i, one in enumerate(samples)]
    real = [as_crystal(one, f"reference[{i}]") for i, one in enumerate(reference)]
    if not made or not real:
        raise ArgumentError("samples" if not made else "reference", "at least one crystal", "none")
    known = real if train is None else [as_crystal(one, f"train[{i}]") for i, one in enumerate(train)]
    sound = np.array([structure_valid(one) for one in made])
    charged = np.array([smact14_valid(one.counts) for one in made])
    valid = [one for one, good in zip(made, sound & charged) if good]
    matcher = Matcher(0.3, 0.2, 5.0, seconds)
    novel = _unmatched(valid, real, matcher)
    unique = sum(not _among(one, valid[:i], matcher) for i, one in enumerate(valid))
    recall, precision = coverage(valid, real, known) if valid else (0.0, 0.0)
    energies = math.nan
    if energy is not None and valid:
        energies = wasserstein([energy(one) for one in valid], [energy(one) for one in real])
    return Generated(
        structure=float(sound.mean()),
        composition=float(charged.mean()),
        valid=len(valid) / len(made),
        unique=unique / len(valid) if valid else math.nan,
        novel=novel / len(valid) if valid else math.nan,
        recall=recall,
        precision=precision * len(valid) / len(made),
        density=wasserstein(densities(valid), densities(real)) if valid else math.nan,
        elements=wasserstein([len(one.counts) for one in valid], [len(one.counts) for one in real]) if valid else math.nan,
        energy=energies,
        stopped=matcher.stopped,
    )


def coverage(
    samples: Sequence[Crystal], reference: Sequence[Crystal], train: Sequence[Crystal], share: float = 0.9
) -> tuple[float, float]:
    """Recall and precision: the share of references with a sample near, and of samples with a reference near.

    Two crystals are near where both fingerprints are, each within the distance that so large a ``share`` of the training crystals has to
    its nearest reference.

    >>> salt = Crystal(5.64 * torch.eye(3) / 2 @ (1 - torch.eye(3)), torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0.5]]), ["Na", "Cl"])
    >>> coverage([salt], [salt], [salt])
    (1.0, 1.0)
    """
    near = torch.ones(len(samples), len(reference), dtype=torch.bool)
    for fingerprint in (neighbour_fingerprint, element_fingerprint):
        known, real, made = (fingerprint(group) for group in (train, reference, samples))
        scale = known.std(0, correction=0).clamp(min=1e-6)
        away = torch.cdist(known / scale, real / scale).amin(1)
        near &= torch.cdist(made / scale, real / scale) <= float(away.quantile(share)) + 1e-6
    return float(near.any(0).double().mean()), float(near.any(1).double().mean())


def densities(crystals: Sequence[Crystal]) -> Float[Tensor, " N"]:
    """In g/cm^3."""
    masses = engine("crystals", "ase.data").atomic_masses
    return torch.tensor([DENSITY * float(masses[one.numbers.numpy()].sum()) / one.volume for one in crystals], dtype=torch.float64)


def wasserstein(a: Any, b: Any) -> float:
    """The 1-Wasserstein distance of two sets of numbers.

    >>> wasserstein([0.0, 1.0], [1.0, 0.0]), wasserstein([0.0], [2.0, 4.0])
    (0.0, 3.0)
    """
    from scipy.stats import wasserstein_distance

    return float(wasserstein_distance(np.asarray(a, dtype=float), np.asarray(b, dtype=float)))


def _among(one: Crystal, others: Sequence[Crystal], matcher: Matcher) -> bool:
    return any(matcher.same(one, other) for other in others if other.formula == one.formula)


def _unmatched(crystals: Sequence[Crystal], others: Sequence[Crystal], matcher: Matcher) -> int:
    """How many match none of the others; only those of one formula are looked at."""
    of: dict[str, list[Crystal]] = {}
    for other in others:
        of.setdefault(other.formula, []).append(other)
    return sum(not _among(one, of.get(one.formula, []), matcher) for one in crystals)
