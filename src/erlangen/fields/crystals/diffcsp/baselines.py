"""What a learned generator has to beat: a known crystal of the same stoichiometry with its elements exchanged, and chance."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.crystals.composition import NOBLE, composition, group_of
from erlangen.fields.crystals.crystal import Crystal
from erlangen.fields.crystals.dataset import CrystalDataset
from erlangen.fields.crystals.diffcsp.asked import count as count_of
from erlangen.fields.crystals.radii import LAST, check_radii, covalent_radii


@dataclass(frozen=True, eq=False)
class LookedUp:
    """A known crystal with other elements in its places.

    Attributes:
        crystal: it, scaled to its elements.
        known: the number of the known crystal, and ``formula``, its own.
        apart: how unlike the elements are that were exchanged, the mean over atoms; 0 for the known crystal itself.
    """

    crystal: Crystal
    known: int
    formula: str
    apart: float


class Retrieval:
    """Structure prediction by look-up: the known crystals whose elements are most like those asked for, with these put in their places.

    A known crystal serves where its cell has as many atoms of as many elements each. Elements are alike where their period, group and
    covalent radius are (each in units of its spread over the elements); the mean over atoms decides, with the best exchange of elements
    that occur equally often. The cell is scaled to the sum of the cubes of the covalent radii.

    Args:
        known: crystals to look among.

    Raises:
        ArgumentError: there are none.

    Source: the idea is as old as crystal chemistry; as a baseline of generators: Kusaba et al., "Crystal structure prediction with machine
    learning-based element substitution", Comput. Mater. Sci. 211 (2022) 111496.

    >>> salt = Crystal(5.64 * torch.eye(3) / 2 @ (1 - torch.eye(3)), torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0.5]]), ["Na", "Cl"])
    >>> Retrieval([salt]).predict("KBr")[0].formula, Retrieval([salt]).predict("K2Br")
    ('KBr', [])
    """

    def __init__(self, known: CrystalDataset | Sequence[Any]) -> None:
        self.known = CrystalDataset.from_structures(known)
        self.table, self.radii = _elements()
        # Of all pairs of elements, once: there are as many small assignments as known crystals.
        self.apart = torch.cdist(self.table, self.table, compute_mode="donot_use_mm_for_euclid_dist").numpy()
        self.of: dict[tuple[int, ...], list[tuple[int, dict[int, int]]]] = defaultdict(list)
        flat, offsets = self.known.numbers.tolist(), self.known.offsets.tolist()
        for i, (start, stop) in enumerate(itertools.pairwise(offsets)):
            counts = Counter(flat[start:stop])
            self.of[tuple(sorted(counts.values()))].append((i, counts))

    def predict(self, formula: Any, n_samples: int = 1) -> list[Crystal]:
        """The nearest known crystals with these elements, the nearest first; fewer, or none, where there are no more.

        Raises:
            ArgumentError: as for :meth:`nearest`.
        """
        return [one.crystal for one in self.nearest(formula, n_samples)]

    def nearest(self, formula: Any, n: int = 1) -> list[LookedUp]:
        """The same, with what they were made of.

        Raises:
            ArgumentError: a composition that cannot be read, ``n`` below 1, or an element without a known covalent radius.
        """
        wanted = composition(formula)
        n = count_of("n", n)
        check_radii(wanted, "formula")
        found = []
        for i, counts in self.of.get(tuple(sorted(wanted.values())), []):
            if max(counts) > LAST:
                continue
            cost, exchange = self._exchange(counts, wanted)
            found.append((cost, i, exchange))
        found.sort(key=lambda one: one[:2])
        return [self._made(cost, i, exchange) for cost, i, exchange in found[:n]]

    def _exchange(self, counts: dict[int, int], wanted: dict[int, int]) -> tuple[float, dict[int, int]]:
        """The cheapest exchange of elements among those that occur equally often, and its cost for each atom."""
        from scipy.optimize import linear_sum_assignment

        total = 0.0
        exchange: dict[int, int] = {}
        for count in set(wanted.values()):
            old = [one for one, n in counts.items() if n == count]
            new = [one for one, n in wanted.items() if n == count]
            away = self.apart[np.ix_(old, new)]
            rows, columns = linear_sum_assignment(away) if len(old) > 1 else ([0], [0])
            total += count * float(away[rows, columns].sum())
            exchange |= {old[row]: new[column] for row, column in zip(rows, columns)}
        return total / sum(wanted.values()), exchange

    def _made(self, cost: float, i: int, exchange: dict[int, int]) -> LookedUp:
        crystal = self.known[i]
        numbers = torch.tensor([exchange[one] for one in crystal.numbers.tolist()])
        before, after = (float(self.radii[one].pow(3).sum()) for one in (crystal.numbers, numbers))
        made = Crystal(crystal.cell * (after / before) ** (1 / 3), crystal.fractional, numbers)
        return LookedUp(made, i, crystal.formula, cost)


def random_crystals(
    formula: Any, known: CrystalDataset | Sequence[Any], n_samples: int, generator: torch.Generator
) -> list[Crystal]:
    """Atoms anywhere in the cells of known crystals of as many atoms, drawn at random.

    Raises:
        ArgumentError: there is no such cell.
    """
    data = CrystalDataset.from_structures(known)
    n_samples = count_of("n_samples", n_samples)
    numbers = [number for number, count in composition(formula).items() for _ in range(count)]
    fitting = (data.sizes == len(numbers)).nonzero().flatten()
    if not len(fitting):
        raise ArgumentError("known", f"a crystal of {len(numbers)} atoms", "none")
    chosen = fitting[torch.randint(len(fitting), (n_samples,), generator=generator)]
    places = torch.rand(n_samples, len(numbers), 3, generator=generator, dtype=torch.float64)
    return [Crystal(data.cells[i], frac, torch.tensor(numbers)) for i, frac in zip(chosen, places)]


def _elements() -> tuple[Tensor, Tensor]:
    """Period, group and covalent radius of the elements in units of their spread, and the radii in angstrom; row 0 is none."""
    radii = covalent_radii()
    places = [[1.0 + sum(z > noble for noble in NOBLE), float(group_of(z))] for z in range(1, len(radii))]
    table = torch.cat([torch.tensor(places, dtype=torch.float64), radii[1:].unsqueeze(1)], 1)
    table = table / table[:LAST].std(0)  # the others' have no radius
    return torch.cat([table.new_zeros(1, 3), table]), radii
