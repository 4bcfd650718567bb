"""Has a structure a mate: another one with the same two-point correlations? What is found is proved; what is not is said plainly."""

from __future__ import annotations

import hashlib
import itertools
import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.fields.microstructures.common_factor import common_factors
from erlangen.fields.microstructures.correlation import two_point
from erlangen.fields.microstructures.pair import Pair
from erlangen.fields.microstructures.relations import DEFAULT, canonical, equivalent, related, relation_group
from erlangen.fields.microstructures.search import check_size
from erlangen.fields.microstructures.structure import as_structure, phase_counts
from erlangen.fields.microstructures.words import Words, all_words
from erlangen.groups import GridSymmetries, PermutationGroup
from erlangen.reporting import progress
from erlangen.serialization import read_json, write_json
from erlangen.verdict import Verdict

#: Structures that an enumeration looks at, at most: a minute or so.
LARGEST_ENUMERATION = 200_000_000
#: Automorphisms times sites that are tried.
LARGEST_TRIAL = 20_000_000
#: Phases whose correlations sort out automorphisms.
MOST_PHASES = 8
#: Seconds between two notes of how far an enumeration is.
BETWEEN = 5.0

Candidates = Iterator[tuple[np.ndarray | None, dict[str, Any]]]


def find_mate(
    S: Any,
    relations: str | PermutationGroup = DEFAULT,
    *,
    largest: int = LARGEST_ENUMERATION,
    checkpoint: Path | None = None,
    quiet: bool = True,
) -> Verdict:
    """Look for a structure with the same two-point correlations that no relation takes this one to.

    In this order: exchanges of phases with equal numbers of sites; automorphisms of the grid that keep the correlations; the whole list
    on the coarse structure where this one repeats itself, or is made of blocks or of sites set apart; motifs whose copies make the
    structure; and all structures with these numbers of sites, where they are few enough.

    Args:
        S: a structure ``[*P]``.
        relations: what mates must not be related by; see :func:`relation_group`.
        largest: enumerate up to so many structures; 0: none.
        checkpoint: a file that remembers what was tried; a search that was stopped goes on from there.
        quiet: show no progress.

    Returns:
        a verdict. Where it holds, its witness is the :class:`Pair`, whose ``origin`` says how the mate was found, and both facts were
        checked exactly. Where not, ``how`` is ``"exhaustive"`` when all structures were gone through, so that there is *no* mate,
        else ``"search"``; ``reason`` says what was tried.

    Raises:
        ArgumentError: ``S`` is no structure, ``largest`` is negative, or ``checkpoint`` belongs to another search.

    >>> found = find_mate([1, 1, 2, 2, 1, 2, 1, 2, 2, 2, 2, 2])
    >>> found.witness.b.tolist(), found.witness.origin
    ([1, 1, 2, 1, 2, 2, 2, 1, 2, 2, 2, 2], {'found by': 'automorphisms', 'linear': [[5]]})
    >>> print(find_mate([1, 1, 2, 1, 2, 2, 2, 2]))
    does not hold: it has a mate (exhaustive, 26 tried; tried: exchange of phases 0, automorphisms 3, motifs 2, enumeration 21)
    """
    array = as_structure(S)
    relation_group(array.shape, relations)
    if isinstance(largest, bool) or not isinstance(largest, int | np.integer) or largest < 0:
        raise ArgumentError("largest", "a whole number from 0 up", repr(largest))
    state = _State(array, relations, checkpoint)
    claim = "it has a mate"
    if array.max() == 1:
        return Verdict(False, claim, "exhaustive", tried=1, reason="of one phase there is one structure")
    kept = state.kept.get("mate")
    if kept is not None:
        pair = Pair(array, as_structure(kept["structure"], "checkpoint"), kept["origin"])
        if not _is_mate(array, pair.b, relations):
            raise ArgumentError("checkpoint", "a file whose mate is one", f"'{checkpoint}'")
        return Verdict(True, claim, "exact", tried=state.tried, witness=pair, reason=_by(pair))
    for name, way in _ways(array, largest, state, quiet):
        if name in state.kept["done"]:
            continue
        started = state.kept["tried"].get(name, 0) if name == "enumeration" else 0
        count = started
        for mate, about in way():
            count += about.pop("count", 1)
            state.kept["tried"][name] = count
            if mate is None or not _is_mate(array, mate, relations):
                continue
            pair = Pair(array, _presented(array, mate), {"found by": name} | about)
            state.note(mate={"structure": pair.b.tolist(), "origin": dict(pair.origin)})
            return Verdict(True, claim, "exact", tried=state.tried, witness=pair, reason=_by(pair))
        state.kept["tried"][name] = count
        state.note(done=[*state.kept["done"], name])
    how = "exhaustive" if "enumeration" in state.kept["done"] else "search"
    told = ", ".join(f"{name} {count}" for name, count in state.kept["tried"].items())
    return Verdict(False, claim, how, tried=state.tried, reason=f"tried: {told}")  # type: ignore[arg-type]


def _by(pair: Pair) -> str:
    return f"found by {pair.origin['found by']}"


def _is_mate(array: np.ndarray, mate: np.ndarray, relations: str | PermutationGroup) -> bool:
    return bool(equivalent(array, mate)) and not related(array, mate, relations)


def _presented(array: np.ndarray, mate: np.ndarray) -> np.ndarray:
    """The mate's least translate where that is cheap: a shift is nobody's business."""
    return canonical(mate, "translations") if array.size <= 1 << 16 else mate


class _State:
    """What was tried so far, kept in a file where one is given."""

    def __init__(self, array: np.ndarray, relations: Any, path: Path | None) -> None:
        self.path = path
        group = relations.generators.tolist() if isinstance(relations, PermutationGroup) else relations
        text = repr((array.shape, array.tobytes(), str(relations), group))
        self.kept: dict[str, Any] = {"search": hashlib.sha256(text.encode()).hexdigest(), "done": [], "tried": {}}
        if path is not None and path.is_file():
            kept = read_json(path, "checkpoint")
            if (
                kept.get("search") != self.kept["search"]
                or not isinstance(kept.get("done"), list)
                or not isinstance(kept.get("tried"), dict)
            ):
                raise ArgumentError("checkpoint", "the file of this search: same structure, same relations", f"'{path}'")
            self.kept = kept
        self.note()  # from the first moment on there is something to go on from

    @property
    def tried(self) -> int:
        return sum(self.kept["tried"].values())

    def note(self, **more: Any) -> None:
        self.kept |= more
        if self.path is not None:
            write_json(self.path, self.kept)


def _ways(array: np.ndarray, largest: int, state: _State, quiet: bool) -> Iterator[tuple[str, Callable[[], Candidates]]]:
    """What is tried, in order; the enumeration only where it is small enough."""
    *quick, motifs = _quick_ways(array, "")
    yield from quick
    for name, coarse, expand in _coarser(array):
        for inner, way in [*_quick_ways(coarse, f" of {name}"), *_enumerations(coarse, largest, None, quiet, f" of {name}")]:

            def expanded(
                way: Callable[[], Candidates] = way,
                coarse: np.ndarray = coarse,
                expand: Callable[[np.ndarray], np.ndarray] = expand,
            ) -> Candidates:
                for mate, about in way():
                    yield (None if mate is None or not equivalent(coarse, mate) else expand(mate)), about

            yield inner, expanded
    yield motifs
    yield from _enumerations(array, largest, state, quiet, "")


def _quick_ways(array: np.ndarray, where: str) -> list[tuple[str, Callable[[], Candidates]]]:
    return [
        (f"exchange of phases{where}", lambda: _exchanges(array)),
        (f"automorphisms{where}", lambda: _automorphisms(array)),
        (f"motifs{where}", lambda: _motifs(array)),
    ]


def _exchanges(array: np.ndarray) -> Candidates:
    counts = phase_counts(array)
    if len(counts) > 7:
        return
    for labels in itertools.permutations(range(1, len(counts) + 1)):
        if labels != tuple(range(1, len(counts) + 1)) and all(counts[a] == counts[b - 1] for a, b in enumerate(labels)):
            yield np.array([0, *labels])[array], {"phases become": list(labels)}


def _automorphisms(array: np.ndarray) -> Candidates:
    try:
        linear = GridSymmetries(array.shape, "automorphisms").linear
    except UnsupportedError:
        linear = GridSymmetries(array.shape, "point-group").linear
    if len(linear) * array.size > LARGEST_TRIAL:
        return
    group, still = GridSymmetries(array.shape), torch.zeros(array.ndim, dtype=torch.int64)
    # Of many phases the last are one here: what keeps all correlations keeps these, and is checked with all.
    C = two_point(np.minimum(array, MOST_PHASES)).reshape(-1, array.size)
    seen = {hashlib.sha256(array.tobytes()).digest()}  # what repeats itself many automorphisms move alike
    for matrix in linear[1:]:
        move = group.element(matrix, still).numpy()
        made = np.empty(array.shape, np.int64)
        made.reshape(-1)[move] = array.reshape(-1)
        digest = hashlib.sha256(made.tobytes()).digest()
        fresh = digest not in seen and np.array_equal(C[:, move], C)
        seen.add(digest)
        yield (made if fresh else None), {"linear": matrix.tolist()}


def _motifs(array: np.ndarray) -> Candidates:
    for factors in common_factors(array):
        if factors is None:
            yield None, {}
            continue
        yield factors.inverted(), {"motif": factors.motif.tolist(), "copies": len(factors.copies), "ground": int(factors.ground)}


def _coarser(array: np.ndarray) -> Iterator[tuple[str, np.ndarray, Callable[[np.ndarray], np.ndarray]]]:
    """Coarse structures that this one follows from: its cell where it repeats, blocks of one phase, sites set apart on one ground."""
    axes = tuple(range(array.ndim))
    cell = tuple(
        next(p for p in range(1, size + 1) if size % p == 0 and np.array_equal(np.roll(array, p, axis), array))
        for axis, size in enumerate(array.shape)
    )
    if cell != array.shape:
        times = [size // p for size, p in zip(array.shape, cell)]
        if found := _phases(array[tuple(slice(p) for p in cell)], lambda mate: np.tile(mate, times)):
            yield "the repeated cell", *found
    for axis in axes:  # blocks: boundaries only at one place modulo z
        changes = np.flatnonzero((np.roll(array, 1, axis) != array).any(tuple(a for a in axes if a != axis)))
        step = math.gcd(array.shape[axis], *(changes - changes[:1]).tolist()) if len(changes) else array.shape[axis]
        if step > 1 and len(changes):
            start = int(changes[0]) % step
            rolled = np.roll(array, -start, axis)
            picked = np.take(rolled, range(0, array.shape[axis], step), axis)

            def widen(mate: np.ndarray, axis: int = axis, step: int = step, start: int = start) -> np.ndarray:
                return np.roll(mate.repeat(step, axis), start, axis)

            # Further axes of blocks are found in the coarse structure, in turn.
            deeper = [(name, coarse, expand) for name, coarse, expand in _coarser(picked) if name.startswith("blocks")]
            if deeper:
                name, coarse, expand = deeper[0]
                yield name, coarse, partial(_after, widen, expand)
            elif found := _phases(picked, widen):
                yield f"blocks, {'x'.join(map(str, picked.shape))}", *found
            break
    counts = phase_counts(array)
    ground = int(np.argmax(counts)) + 1
    others = np.argwhere(array != ground)
    if len(others) and len(counts) > 1:
        apart = [math.gcd(size, *(others[:, a] - others[0, a]).tolist()) for a, size in enumerate(array.shape)]
        if max(apart) > 1:
            first = [int(others[0, a]) % z for a, z in enumerate(apart)]
            lattice = tuple(slice(s, None, z) for s, z in zip(first, apart))
            coarse = array[lattice]

            def set_apart(mate: np.ndarray) -> np.ndarray:
                made = np.full(array.shape, ground)
                made[lattice] = mate
                return made

            if found := _phases(coarse, set_apart):
                yield f"sites set apart, {'x'.join(map(str, coarse.shape))}", *found


def _after(outer: Callable[[np.ndarray], np.ndarray], inner: Callable[[np.ndarray], np.ndarray], mate: np.ndarray) -> np.ndarray:
    return outer(inner(mate))


def _phases(
    coarse: np.ndarray, expand: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]] | None:
    """A coarse structure with phases 1 .. m (a ground between sites may be none of its own), and back; None: it has one phase only."""
    present = np.unique(coarse)
    if len(present) < 2:
        return None
    return np.searchsorted(present, coarse) + 1, lambda mate: expand(present[mate - 1])


def _enumerations(
    array: np.ndarray, largest: int, state: _State | None, quiet: bool, where: str
) -> list[tuple[str, Callable[[], Candidates]]]:
    counts = phase_counts(array)
    try:
        words = Words(array.shape, len(counts))
        if not largest:
            return []
        check_size(array.shape, counts, largest)
    except ArgumentError:
        return []
    return [(f"enumeration{where}", lambda: _enumerate(array, words, counts, state, quiet))]


def _enumerate(array: np.ndarray, words: Words, counts: tuple[int, ...], state: _State | None, quiet: bool) -> Candidates:
    """All structures with these numbers of sites whose correlations are those wanted; shifts come out one after another."""
    wanted = words.correlations(words.pack(array[None]))[0]
    total, chunks = all_words(array.shape, counts)
    done = state.kept["tried"].get("enumeration", 0) if state is not None else 0
    skipped, noted = 0, time.monotonic()
    with progress(total, "structures with these numbers of sites", quiet) as bar:
        for chunk in chunks:
            bar.advance(len(chunk))
            seen = min(len(chunk), done - skipped)
            skipped += seen
            if seen == len(chunk):
                continue
            chunk = chunk[seen:]
            found = _matching(words, chunk, wanted)
            yield None, {"count": len(chunk)}
            for mate in words.unpack(np.unique(words.least_translate(found))):
                yield mate, {"count": 0}
            if state is not None and time.monotonic() - noted > BETWEEN:
                state.note()
                noted = time.monotonic()


def _matching(words: Words, chunk: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Words of a chunk with these correlations: those that miss a count are dropped, one count after another."""
    column = 0
    left, masks = chunk, [words.phase(chunk, a) for a in range(1, words.n)]
    for b in range(1, words.n):
        moved = masks[b - 1]
        # Shifts nest: a dropped word is dropped from what is moved along, too, by going through shifts on the survivors anew.
        for r, _ in words.translates(left[:1]):
            for a in range(1, b + 1):
                if a < b or r in words.half:
                    count = np.bitwise_count(masks[a - 1] & _shifted(words, moved, r))
                    keep = count == wanted[column]
                    column += 1
                    if not keep.all():
                        left, moved, masks = left[keep], moved[keep], [mask[keep] for mask in masks]
            if not len(left):
                return left
    return left


def _shifted(words: Words, mask: np.ndarray, r: tuple[int, ...]) -> np.ndarray:
    for axis, steps in enumerate(r):
        if steps:
            mask = words.jump(mask, axis, steps)
    return mask
