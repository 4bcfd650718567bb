"""What is asked of a model: compositions, numbers of crystals, sources of randomness, sizes of steps."""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

import torch

from erlangen.errors import ArgumentError
from erlangen.fields.crystals.composition import NUMBERS, SYMBOLS, composition
from erlangen.fields.crystals.diffcsp.network import ELEMENTS
from erlangen.generate import WrappedNormal
from erlangen.generate.process import Process


def count(name: str, value: Any, what: str = "crystals") -> int:
    """A positive whole number.

    Raises:
        ArgumentError: it is none.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ArgumentError(name, f"a positive number of {what}", repr(value))
    return int(value)


def atoms_of(given: Any, most: int) -> list[list[int]]:
    """The atomic numbers of each of one or several compositions.

    Raises:
        ArgumentError: one that cannot be read, is too large, or has elements that no network knows.
    """
    return [_atoms(one, most) for one in _each(given)]


def _atoms(one: Any, most: int) -> list[int]:
    counts = composition(one)
    total = sum(counts.values())
    if total > most:
        raise ArgumentError("composition", f"at most {most} atoms in a cell (max_atoms)", f"{total}, {one!r}")
    check_elements(counts, "composition")
    return [number for number, amount in counts.items() for _ in range(amount)]


def _each(given: Any) -> list[Any]:
    """The compositions of a list of them; one composition may be a list itself, of atomic numbers."""
    if not isinstance(given, list | tuple):
        return [given]
    if not given:
        raise ArgumentError("composition", "at least one", "none")
    if all(isinstance(one, Integral) for one in given):
        return [given]
    if len(given) > 1 and all(isinstance(one, str) and one in NUMBERS for one in given):
        hint = f"{''.join(given)!r} is one crystal of these atoms, {[[one] for one in given]} are several of one element each"
        raise ArgumentError("composition", "one composition, or a list of them", f"{given!r}, which may be either", hint)
    return list(given)


def check_elements(numbers: Collection[int], argument: str) -> None:
    """Raise ArgumentError for elements beyond those that the network knows."""
    heaviest = max(numbers)
    if heaviest > ELEMENTS:
        raise ArgumentError(argument, f"elements up to {SYMBOLS[ELEMENTS]} ({ELEMENTS})", f"{SYMBOLS[heaviest]} ({heaviest})")


def warn_of_strangers(elements: Iterable[int], sizes: Iterable[int], known: torch.Tensor, known_sizes: torch.Tensor) -> None:
    """Say so where no training crystal had an element, or so many atoms: the network then guesses.

    ``known`` and ``known_sizes`` count what there was in training, by atomic number and by number of atoms.
    """
    if not int(known_sizes.sum()):
        return warnings.warn("the model has not been trained: its crystals are noise", UserWarning, stacklevel=4)
    said = []
    if strange := sorted(one for one in set(elements) if not int(known[one])):
        said.append(f"has {', '.join(SYMBOLS[one] for one in strange)}")
    if strange := sorted(one for one in set(sizes) if one >= len(known_sizes) or not int(known_sizes[one])):
        said.append(f"has {', '.join(map(str, strange))} atoms in its cell")
    if said:
        text = f"no crystal of the training {', and none '.join(said)}: what is predicted is a guess"
        warnings.warn(text, UserWarning, stacklevel=4)
    return None


def corrector_of(process: Process, name: str, gamma: Any) -> Mapping[str, float]:
    """The Langevin step ``gamma (sigma_t / sigma_1)^2`` of one part; none for 0.

    Raises:
        ArgumentError: ``gamma`` is negative or not finite.
    """
    if not isinstance(gamma, int | float) or not 0 <= gamma < math.inf:
        raise ArgumentError("gamma", "a finite size of the corrector's steps, not negative", repr(gamma))
    if not gamma:
        return {}
    return {name: gamma / float(process.sigma[1]) ** 2 if isinstance(process, WrappedNormal) else gamma}


def source_of(seed: Any, generator: torch.Generator | None) -> torch.Generator:
    """The source of randomness that is meant: one's own, a seeded one, or one that nobody knows.

    Raises:
        ArgumentError: both, or a seed that is no whole number of 64 bits.
    """
    if seed is not None and generator is not None:
        raise ArgumentError("seed", "a seed or a generator", "both")
    if generator is not None:
        return generator
    made = torch.Generator()
    if seed is None:
        made.seed()
        return made
    if not isinstance(seed, Integral) or isinstance(seed, bool) or not -(2**63) <= int(seed) < 2**63:
        raise ArgumentError("seed", "a whole number of 64 bits", repr(seed))
    return made.manual_seed(int(seed))


def held_of(name: str, known: Any, shape: Sequence[int], dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """What is known of a part of a crystal: finite numbers of a shape.

    Raises:
        ArgumentError: others.
    """
    try:
        made = torch.as_tensor(known, dtype=dtype)
    except (TypeError, ValueError, RuntimeError):
        raise ArgumentError(name, f"numbers {list(shape)}", repr(known)) from None
    if tuple(made.shape) != tuple(shape):
        raise ArgumentError(name, f"numbers {list(shape)}", f"shape {tuple(made.shape)}")
    if not bool(made.isfinite().all()):
        raise ArgumentError(name, "finite numbers", repr(made.tolist()))
    return made
