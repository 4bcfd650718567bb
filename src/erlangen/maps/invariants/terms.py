"""Columns made by putting tokens into invariant tensors: which tokens, what they are called, and their values."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.maps.invariants.tensors import Family, symmetrised

#: Numbers held at once while a term is evaluated.
AT_ONCE = 2**23


@dataclass(frozen=True)
class Term:
    """Tensors with the tokens that go into their slots: ``m * s`` columns.

    Attributes:
        kinds: of the slots.
        tensors: ``[s, n_1, .. n_d]``.
        tokens: ``[m, d]``, a vector's number for each slot.
        labels: of the ``s`` tensors.
        pairs: whether the two slots receive ``x_i - x_j`` both; ``tokens`` are then ``i`` and ``j``.
        weight: as that of the family.
    """

    kinds: tuple[int, ...]
    tensors: Tensor
    tokens: Int[Tensor, "m d"]
    labels: tuple[str, ...]
    pairs: bool = False
    weight: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.tokens) * len(self.tensors)

    def names(self, differences: int | None) -> list[str]:
        """What the columns are called; ``differences`` is the kind of vector that is a difference from the first token."""
        found = []
        for row in self.tokens.tolist():
            if self.pairs:
                inside = f"x{row[0] + 1} - x{row[1] + 1}"
            else:
                inside = ", ".join(f"x{t + 2} - x1" if k == differences else f"x{t + 1}" for k, t in zip(self.kinds, row))
            found += [f"{label}({inside})" for label in self.labels]
        return [f"{name} / size" for name in found] if any(abs(w) > 1e-6 for w in self.weight) else found


def terms_of(families: Sequence[Family], counts: Sequence[int], pair_kind: int | None, most: int) -> list[Term]:
    """The columns of families of tensors, each polynomial once.

    Args:
        families: the tensors.
        counts: how many vectors there are of each kind.
        pair_kind: the kind of vector that is a difference from the first token: symmetric forms are taken of all differences.
        most: so many token tuples at most for each family; those of the first tokens come first.
    """
    found = []
    numbers: dict[str, list[Tensor]] = {}
    for family in families:
        for pattern, tokens in _patterns(family.kinds, counts, most):
            tensors = symmetrised(family.tensors, pattern)
            paired = len(family.kinds) == 2 and set(family.kinds) == {pair_kind} and family.tensors.ndim == 3
            if paired and len(pattern) == 2:  # what is symmetric is in the differences of all pairs
                tensors = symmetrised(tensors - tensors.mT, [[0], [1]])
            if paired and len(pattern) == 1:
                tokens = torch.combinations(torch.arange(counts[family.kinds[0]] + 1))[:most]
            if not len(tensors) or not len(tokens):
                continue
            degree = len(family.kinds)
            labels = tuple(_label(t, degree, numbers) for t in tensors)
            found.append(Term(family.kinds, tensors, tokens, labels, paired and len(pattern) == 1, family.weight))
    return found


def _patterns(kinds: tuple[int, ...], counts: Sequence[int], most: int) -> Iterator[tuple[list[list[int]], Tensor]]:
    """Which slots receive the same vector, and the vectors for each slot, in all ways, those of the first tokens first."""
    by_kind = [[i for i, kind in enumerate(kinds) if kind == k] for k in sorted(set(kinds))]
    for runs in itertools.product(*(list(_compositions(places)) for places in by_kind)):
        choices = [_first_subsets(counts[kinds[places[0]]], len(run), most) for places, run in zip(by_kind, runs)]
        rows = []
        for chosen in itertools.islice(itertools.product(*choices), most):
            row = [0] * len(kinds)
            for run, vectors in zip(runs, chosen):
                for group, vector in zip(run, vectors):
                    for place in group:
                        row[place] = vector
            rows.append(row)
        yield [group for run in runs for group in run], torch.tensor(rows, dtype=torch.int64).reshape(-1, len(kinds))


def _first_subsets(count: int, size: int, most: int) -> list[tuple[int, ...]]:
    """Increasing tuples of numbers below ``count``, in the order of their largest member, at most so many."""
    found: list[tuple[int, ...]] = []
    for last in range(size - 1, count):
        found += [(*rest, last) for rest in itertools.combinations(range(last), size - 1)]
        if len(found) >= most:
            break
    return sorted(found[:most])


def _compositions(places: list[int]) -> Iterator[list[list[int]]]:
    """All ways to cut a list into runs."""
    for cuts in itertools.product((False, True), repeat=len(places) - 1):
        runs = [[places[0]]]
        for place, cut in zip(places[1:], cuts):
            if cut:
                runs.append([place])
            else:
                runs[-1].append(place)
        yield runs


def _label(tensor: Tensor, degree: int, numbers: dict[str, list[Tensor]]) -> str:
    """A name for a tensor: of a coordinate, a form, a volume, or its degree; with a number from the second of the same name on."""
    flat = tensor.flatten()
    vector = tensor.ndim > degree
    if degree == 1 and not vector and int((flat != 0).sum()) == 1:
        return f"[{int(flat.abs().argmax())}]"
    odd = (
        degree > 1
        and not vector
        and len(set(tensor.shape)) == 1
        and all(bool((tensor + tensor.transpose(i, i + 1)).abs().max() < 1e-9) for i in range(degree - 1))
    )
    name = {1: "linear", 2: "area" if odd else "product"}.get(degree, "volume" if odd else f"degree {degree}")
    name = "vector" if vector else name
    known = numbers.setdefault(name, [])
    number = next((i for i, t in enumerate(known) if t.shape == flat.shape and bool((t - flat).abs().max() < 1e-9)), len(known))
    if number == len(known):
        known.append(flat)
    return name if not number else f"{name} {number + 1}"


def values_of(terms: Sequence[Term], vectors: Sequence[Float[Tensor, "B T n"]], x: Float[Tensor, "B T n"]) -> Float[Tensor, "B k"]:
    """The columns of terms, in the type of ``x``."""
    return torch.cat([_values(term, vectors, x) for term in terms], -1) if terms else x.new_zeros(len(x), 0)


def _values(term: Term, vectors: Sequence[Tensor], x: Tensor) -> Tensor:
    tensors, tokens = term.tensors.to(x), term.tokens.to(x.device)
    if term.pairs:
        difference = x[:, tokens[:, 0]] - x[:, tokens[:, 1]]
        return torch.einsum("bmi,sij,bmj->bms", difference, tensors, difference).flatten(1)
    per_sample = len(tokens) * tensors.numel()
    step = max(1, AT_ONCE // max(per_sample, 1))
    slots = [vectors[kind][:, tokens[:, i]] for i, kind in enumerate(term.kinds)]
    parts = [contracted(tensors, [slot[start : start + step] for slot in slots]) for start in range(0, len(x), step)]
    return (torch.cat(parts) if len(parts) != 1 else parts[0]).flatten(1)


def contracted(tensors: Tensor, slots: Sequence[Float[Tensor, "B m n"]]) -> Tensor:
    """Tensors ``[s, .. n_1, .. n_d]`` with vectors put into their last ``d`` slots, from the last one on: ``[B, m, s, ..]``."""
    found = torch.tensordot(slots[-1], tensors, ([-1], [tensors.ndim - 1]))
    for slot in reversed(slots[:-1]):
        found = (found * slot.reshape(*slot.shape[:2], *(1,) * (found.ndim - 3), slot.shape[-1])).sum(-1)
    return found
