"""Roots by exhaustion against independent counts, roots by factorisation, and what recipes make of them."""

import itertools
import math

import numpy as np
import pytest
import torch

from erlangen.actions import GridArrays
from erlangen.errors import ArgumentError
from erlangen.fields import microstructures as micro
from erlangen.fields.microstructures.operations import convolve
from erlangen.fields.microstructures.words import Words, all_words
from erlangen.groups import GridSymmetries, PermutationGroup

#: Orbits, correlations, shared by several orbits, of these not explained by an exchange of phases; members of the largest class.
TABLE = [
    ((12,), (4,), "inversion", (29, 28, 1, 1), 2),
    ((12,), (5,), "inversion", (38, 35, 3, 3), 2),
    ((12,), (6,), "inversion", (50, 35, 15, 0), 2),
    ((8,), (4,), "inversion", (8, 7, 1, 0), 2),
    ((16,), (8,), "inversion", (440, 254, 180, 3), 4),
    ((4, 3), (4,), "axis-reflections", (21, 21, 0, 0), 1),
    ((4, 3), (5,), "axis-reflections", (25, 24, 1, 1), 2),
]
#: Where classes are counted by one structure of each orbit alone, some are missed: a mate may be equivalent to a mirror image only.
BEYOND = [
    ((4, 3), (6,), (34, 26, 8, 0), 29),
    ((4, 4), (6,), (186, 156, 23, 23), 162),
    ((2, 3, 4), (5,), (527, 507, 18, 18), 512),
]


@pytest.mark.parametrize(("sizes", "counts", "relations", "row", "largest"), TABLE)
def test_the_published_numbers_of_classes(sizes, counts, relations, row, largest):
    found = micro.search_roots(sizes, counts, relations, phase_swap=True)
    assert found.row == row
    assert max([len(root.members) for root in found], default=1) == largest
    assert len(micro.search_roots(sizes, counts, relations)) == row[3]


@pytest.mark.parametrize(("sizes", "counts", "row", "of_representatives"), BEYOND)
def test_classes_under_reflections_against_brute_force(sizes, counts, row, of_representatives):
    """All structures, their orbits by the action, their correlations by counting; nothing is shared with the search."""
    found = micro.search_roots(sizes, counts, phase_swap=True)
    assert found.row == row
    C = micro.two_point(found.representatives, dims=len(sizes))
    assert len(np.unique(C.reshape(len(C), -1), axis=0)) == of_representatives
    N, k = math.prod(sizes), counts[0]
    G = GridSymmetries(sizes, "axis-reflections")
    moves = G.elements().numpy()
    orbit_of, keys = {}, {}
    for chosen in itertools.combinations(range(N), k):
        if chosen in orbit_of:
            continue
        images = {tuple(sorted(move[list(chosen)])) for move in moves}
        for image in images:
            orbit_of[image] = chosen
    every = np.array(list(orbit_of))
    S = np.full((len(every), N), 2)
    np.put_along_axis(S, every, 1, 1)
    C = micro.two_point(S.reshape(-1, *sizes), dims=len(sizes)).reshape(len(every), -1)
    for row_, image in zip(C, orbit_of):
        keys.setdefault(row_.tobytes(), set()).add(orbit_of[image])
    sets = {frozenset(orbits) for orbits in keys.values()}
    assert (len(set(orbit_of.values())), len(sets), sum(len(s) > 1 for s in sets)) == found.row[:3]


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 8, 9, 12, 16])
def test_words_of_many_phases_count_as_arrays_do(n):
    rng = np.random.default_rng(n)
    sizes = (16,) if n > 8 else (3, 6)
    words = Words(sizes, n)
    N = math.prod(sizes)
    S = np.stack([rng.permutation(np.concatenate([np.arange(1, n + 1), rng.integers(1, n + 1, N - n)])) for _ in range(20)])
    S = S.reshape(-1, *sizes)
    packed = words.pack(S)
    assert np.array_equal(words.unpack(packed), S)
    for a in range(1, n + 1):
        mask = np.where(
            words.phase(packed, a)[:, None] >> np.array([words._place(i) for i in range(N)], np.uint64) & np.uint64(1), 1, 0
        )
        assert np.array_equal(mask.reshape(S.shape), a == S)
    labels = rng.permutation(n) + 1
    assert np.array_equal(words.unpack(words.relabel(packed, labels.tolist())), labels[S - 1])


@pytest.mark.parametrize(
    ("sizes", "counts", "relations"),
    [((7,), (2, 1, 1, 1, 2), "inversion"), ((2, 4), (2, 2, 2, 1, 1), "axis-reflections"), ((6,), (1,) * 6, "translations")],
)
def test_classes_of_many_phases_against_brute_force(sizes, counts, relations):
    found = micro.search_roots(sizes, counts, relations, phase_swap=True)
    every = sorted(set(itertools.permutations(np.repeat(np.arange(1, len(counts) + 1), counts).tolist())))
    moves = [move.numpy() for move in micro.relation_group(sizes, relations).elements()]
    sets: dict[bytes, set[tuple[int, ...]]] = {}
    for S in every:
        orbit = min(tuple(np.array(S)[move].tolist()) for move in moves)
        sets.setdefault(micro.direct_two_point(np.reshape(S, sizes)).tobytes(), set()).add(orbit)
    orbits = set().union(*sets.values())
    classes = {frozenset(one) for one in sets.values()}
    assert found.row[:3] == (len(orbits), len(classes), sum(len(one) > 1 for one in classes))


def test_mates_of_five_phases_are_mates():
    found = micro.search_roots(12, (4, 2, 2, 2, 2), max_results=20)
    assert found.row == (52170, 52056, 114, 78)
    for root in found:
        assert micro.equivalent(*root.members[:2])
        assert not micro.related(*root.members[:2])
    assert micro.find_mate(found.roots[0].members[0])


def test_burnside_counts_the_orbits():
    for sizes, counts, relations in (
        ((5, 3), (4,), "point-group"),
        ((3, 3), (2, 3), "automorphisms"),
        ((2, 2, 3), (5,), "inversion"),
    ):
        G = micro.relation_group(sizes, relations)
        total = 0
        full = micro.search_roots(sizes, counts, relations).counts
        for g in G.elements().tolist():
            left, cycles = set(range(len(g))), []
            while left:
                start = i = left.pop()
                length = 1
                while (i := g[i]) != start:
                    left.discard(i)
                    length += 1
                cycles.append(length)
            ways = {(0,) * len(full): 1}
            for length in cycles:
                new: dict = {}
                for filled, count in ways.items():
                    for a in range(len(full)):
                        more = tuple(f + length * (b == a) for b, f in enumerate(filled))
                        if more[a] <= full[a]:
                            new[more] = new.get(more, 0) + count
                ways = new
            total += ways.get(full, 0)
        assert micro.search_roots(sizes, counts, relations).orbits == total // G.order


def test_no_pairs_up_to_eleven_but_by_exchange():
    for N in range(2, 12):
        for k in range(1, N // 2 + 1):
            found = micro.search_roots(N, (k,), "inversion")
            assert found.unexplained == 0
            assert found.shared == 0 or 2 * k == N


def test_the_chinese_remainder_map_takes_classes_to_classes():
    for k in (4, 5, 6):
        ring = micro.search_roots(12, (k,), "inversion", phase_swap=True)
        grid = micro.search_roots((4, 3), (k,), "inversion", phase_swap=True)
        assert ring.row == grid.row
        moved = set()
        for root in ring:
            S = np.empty((len(root.members), 4, 3), np.int64)
            for x in range(12):
                S[:, x % 4, x % 3] = root.members[:, x]
            moved.add(frozenset(micro.canonical(s, "inversion").tobytes() for s in S))
        assert moved == {frozenset(micro.canonical(s, "inversion").tobytes() for s in root.members) for root in grid}


def test_members_are_equivalent_and_unrelated():
    for sizes, counts in (((4, 3), (3, 2)), ((4, 4), (6,)), ((2, 3, 4), (5,)), (16, (8,))):
        found = micro.search_roots(sizes, counts)
        assert len(found) > 0
        for root in found:
            for a, b in itertools.combinations(root.members, 2):
                assert micro.equivalent(a, b)
                assert not micro.related(a, b)
        few = micro.search_roots(sizes, counts, max_results=1, seed=3)
        assert len(few) == 1
        assert few.row == found.row


def test_any_permutation_group_may_be_the_relation():
    generators = list(GridSymmetries((4, 3), "axis-reflections").generators)
    named, given = (micro.search_roots((4, 3), (5,), r) for r in ("axis-reflections", PermutationGroup(generators)))
    assert named.row == given.row
    assert micro.search_roots(12, (4,), "automorphisms").row[0] < 29  # multiplication by 5 and 7, too
    assert micro.search_roots(12, (4,), "automorphisms").shared == 0


def test_the_smallest_searches():
    assert micro.search_roots(12, (12,)).row == (1, 1, 0, 0)
    assert micro.search_roots(1, (1,)).row == (1, 1, 0, 0)
    assert micro.search_roots((2, 1), (1,)).row == (1, 1, 0, 0)
    assert micro.search_roots(5, (1, 1, 1, 1, 1), "translations").orbits == 24
    assert not micro.find_mate([1, 1, 1])


def test_words_hold_structures():
    rng = np.random.default_rng(0)
    for sizes, n in (((3, 4), 2), ((2, 3, 2), 3), ((5,), 5), ((1, 6), 4), ((7, 9), 2)):
        words = Words(sizes, n)
        S = rng.integers(1, n + 1, (20, *sizes))
        S[:, *(0,) * len(sizes)] = n
        W = words.pack(S)
        assert np.array_equal(words.unpack(W), S)
        assert np.array_equal(np.argsort(W, kind="stable"), sorted(range(20), key=lambda i: S[i].reshape(-1).tolist()))
        for r, moved in words.translates(W):
            assert np.array_equal(words.unpack(moved), np.roll(S, [-x for x in r], tuple(range(1, S.ndim))))
        permutation = rng.permutation(math.prod(sizes))
        there = np.empty_like(S.reshape(20, -1))
        there[:, permutation] = S.reshape(20, -1)
        assert np.array_equal(words.unpack(words.permute(W, words.tables(permutation))).reshape(20, -1), there)
    total, chunks = all_words((3, 3), (2, 3, 4))
    every = np.concatenate(list(chunks))
    assert total == len(every) == len(np.unique(every)) == math.factorial(9) // (2 * 6 * 24) * 2 // 9
    assert {tuple(np.bincount(s.reshape(-1))[1:]) for s in Words((3, 3), 3).unpack(every)} == {(2, 3, 4)}


PUBLISHED = [
    ([1, 1, 1, 2, 1, 2, 2, 1, 2, 2, 2, 2], [1, 1, 2, 1, 2, 1, 1, 2, 2, 2, 2, 2]),
    ([[1, 1, 3], [2, 3, 3], [3, 3, 1], [2, 3, 3]], [[1, 1, 3], [3, 3, 2], [3, 3, 1], [3, 3, 2]]),
]


def test_the_published_roots():
    for a, b in PUBLISHED:
        assert micro.equivalent(a, b)
        assert not micro.related(a, b)
    assert len(micro.search_roots((4, 3), (5,))) == 1
    assert len(micro.search_roots((2, 3, 4), (5,))) > 0


@pytest.mark.parametrize("part", range(5))
def test_factor_roots_on_a_large_grid(part):
    for seed in range(10 * part, 10 * part + 10):
        a, b = micro.factor_roots((64, 64), n_phases=3, seed=seed)
        assert a.max() == b.max() == 3
        assert micro.equivalent(a, b)
        verdict = micro.distinguished(a, b)
        assert verdict["bispectra"] > 1e-6
        assert verdict["power spectra"] < 1e-12
        if seed % 10 == 0:
            assert not np.array_equal(micro.canonical(a), micro.canonical(b))


def test_factor_roots_elsewhere():
    for P, n in ((40, 2), ((9, 7), 2), ((8, 8, 8), 4), ((32, 4), 2)):
        pair = micro.factor_roots(P, n, seed=1)
        assert micro.equivalent(*pair)
        assert not micro.related(*pair, "point-group")


# ---- recipes ----


def random_recipe(S, rng, depth):
    steps = []
    for _ in range(depth):
        kinds = ["kernel-extend", "coalesce", "tile", "extend", "transform", "product"]
        kind = kinds[rng.integers(len(kinds))]
        if S.size > 20_000 and kind not in ("coalesce", "transform"):
            continue
        if kind in ("extend", "tile"):
            value = rng.integers(1, 3, S.ndim + (kind == "extend" and S.ndim < 3 and int(rng.integers(2)))).tolist()
        elif kind == "kernel-extend":
            shape = tuple(rng.integers(1, 4, S.ndim))
            value = [rng.integers(0, 2, shape) for _ in range(rng.integers(1, S.max() + 1))]
            for kernel in value:
                kernel.reshape(-1)[rng.integers(kernel.size)] = 1
            if math.prod(shape) == 1:
                continue
        elif kind == "coalesce":
            if S.max() < 3:
                continue
            value = [(rng.permutation(S.max())[:2] + 1).tolist()]
        elif kind == "transform":
            value = np.diag([int(rng.choice([m for m in range(p) if math.gcd(m, p) == 1])) for p in S.shape])
        else:
            if S.ndim > 2 or S.max() > 3:
                continue
            value = [1, 2, 2]
        steps.append((kind, value))
        S = micro.Recipe(steps[-1:])(S)
    return micro.Recipe(steps)


def test_random_recipes_keep_equivalence():
    rng = np.random.default_rng(0)
    roots = [
        micro.search_roots((4, 3), (5,)).roots[0].members[:2],
        np.array(PUBLISHED[1]),
        micro.search_roots(12, (4,)).roots[0].members,
    ]
    unequal = [(S, rng.permutation(S.reshape(-1)).reshape(S.shape)) for S in (root[0] for root in roots)]
    assert not any(micro.equivalent(a, b) for a, b in unequal)
    kept = 0
    for i in range(60):
        root = roots[i % 3]
        recipe = random_recipe(root[0], rng, 4)
        pair = micro.Pair(*root[:2]).child(recipe)
        assert micro.equivalent(*pair)
        assert micro.Recipe.from_json(recipe.to_json()) == recipe
        assert np.array_equal(micro.Recipe.from_json(recipe.to_json())(root[1]), pair.b)
        if {name for name, _ in recipe.steps} <= {
            "extend",
            "tile",
            "transform",
            "product",
        }:  # merging and blurring may hide a difference
            a, b = unequal[i % 3]
            assert not micro.equivalent(recipe(a), recipe(b))
            kept += 1
    assert kept > 5


def test_steps_do_to_correlations_what_they_should():
    rng = np.random.default_rng(5)
    S = rng.permutation(np.repeat([1, 2, 3], 4)).reshape(4, 3)
    C = micro.direct_two_point(S)
    far = micro.direct_two_point(micro.extend(S, (2, 3)))
    assert np.array_equal(far[:3, :3, ::2, ::3], C)
    assert far[:3, :3].sum() == C.sum()
    hats = np.fft.fft2(micro.extend(S, (2, 3)) == 1)
    assert np.allclose(hats, np.tile(np.fft.fft2(S == 1), (2, 3)))
    merged = micro.direct_two_point(micro.coalesce(S, [(1, 3)]))
    assert np.array_equal(merged[0, 0], C[0, 0] + C[0, 2] + C[2, 0] + C[2, 2])
    assert np.array_equal(micro.kernel_extend(S, [np.ones((2, 2), int)]), np.kron(S, np.ones((2, 2), int)))
    T = np.array([1, 2, 2, 1, 1])
    both = micro.direct_two_point(micro.product(S, T))
    assert np.array_equal(both[2, 1], np.multiply.outer(C[1, 0], micro.direct_two_point(T)[0, 1]))
    turned = micro.transform(S, [[3, 0], [0, 2]])
    assert np.array_equal(turned[3, 2], S[1, 1])
    a, b = micro.search_roots(12, (4,)).roots[0].members
    four = [micro.product(x, y) for x in (a, b) for y in (a, b)]
    assert all(micro.equivalent(x, y) and not micro.related(x, y, "inversion") for x, y in itertools.combinations(four, 2))


def test_kernels_that_wrap_and_those_that_overlap():
    apart = micro.extend([[1, 2], [2, 1]], (3, 3))
    wide = np.zeros((6, 6), int)
    wide[0, 0] = wide[5, 5] = wide[0, 5] = 1  # reaches across the boundary
    made = micro.apply_kernels(apart, [wide], block=(1, 1))
    hats = np.fft.fft2(apart == 1) * np.fft.fft2(wide)
    assert np.array_equal(made == 1, np.rint(np.fft.ifft2(hats).real).astype(bool))
    assert (made == 1).sum() == 6
    longer = np.zeros((7, 1), int)
    longer[6] = 1
    assert np.array_equal(micro.apply_kernels(apart, [longer], block=(1, 1)), micro.apply_kernels(apart, [[[1]]]))
    with pytest.raises(ArgumentError, match=r"'kernels'.*overlap.*phases 1 and 2 both at site"):
        micro.apply_kernels(apart, [np.ones((4, 1), int), [[1]]])
    with pytest.raises(ArgumentError, match=r"phases 1 and 1"):
        micro.apply_kernels(micro.extend([1, 1, 2], (2,)), [[1, 0, 1], [1]])
    for kernels, said in (
        ([[[2]]], "0 and 1"),
        ([[[0]]], "at least one 1"),
        ([[1]], "2 axes"),
        ([], "at least one kernel"),
        ([[[0.5]]], "0 and 1"),
    ):
        with pytest.raises(ArgumentError, match=rf"'kernels'.*{said}"):
            micro.apply_kernels(apart, kernels)
    with pytest.raises(ArgumentError, match="'groups'"):
        micro.coalesce(apart, [(1, 5)])
    with pytest.raises(ArgumentError, match="'z'"):
        micro.extend(apart, (2,))
    with pytest.raises(ArgumentError, match="'steps'"):
        micro.Recipe([("stretch", [2])])
    with pytest.raises(ArgumentError, match="'text'"):
        micro.Recipe.from_json("{")
    x, kernel = np.arange(12).reshape(4, 3) % 2, np.ones((2, 2), int)
    plain = sum(np.roll(x, r, (0, 1)) for r in itertools.product((0, 1), repeat=2))
    assert np.array_equal(convolve(x, kernel), plain)


def test_pairs_are_kept_with_their_provenance(tmp_path):
    pair = micro.factor_roots((16, 12), seed=2).child(micro.Recipe([("tile", [1, 2])]))
    for ending in ("npz", "h5"):
        again = micro.load_pair(pair.save(tmp_path / f"pair.{ending}"))
        assert all(np.array_equal(x, y) for x, y in zip(pair, again))
        assert again.recipe == pair.recipe
        assert again.origin["seed"] == 2
    fresh = micro.factor_roots((16, 12), seed=again.origin["seed"])
    assert np.array_equal(again.recipe(fresh.a), again.a)
    text = pair.save(tmp_path / "pair.vtk").read_text()
    assert "DIMENSIONS 17 25 2" in text
    values = np.array(text.split("SCALARS a int 1\nLOOKUP_TABLE default\n")[1].split("\n")[0].split(), int)
    assert np.array_equal(values.reshape(24, 16).T, pair.a)
    with pytest.raises(ArgumentError, match="'path'"):
        pair.save(tmp_path / "pair.txt")
    (tmp_path / "bad.npz").write_bytes(b"not a file")
    with pytest.raises(ArgumentError, match="'path'"):
        micro.load_pair(tmp_path / "bad.npz")


def test_the_action_and_the_words_have_one_canonical_form():
    act = GridArrays(GridSymmetries((4, 3), "axis-reflections"))
    found = micro.search_roots((4, 3), (3, 2))
    for S in found.representatives[::20]:
        assert np.array_equal(act.representative(torch.from_numpy(S))[0].numpy(), S)


def test_negative_numbers_of_results_are_refused():
    for name in ("max_results", "seed"):
        for value in (-1, 1.5, True):
            with pytest.raises(ArgumentError, match=name):
                micro.search_roots(12, (5,), **{name: value})


def test_factors_beyond_the_axes_add_axes_behind():
    S = np.array([[1, 2, 2], [2, 1, 2]])
    assert np.array_equal(micro.tile(S, (2, 1, 2)), np.stack([np.tile(S, (2, 1))] * 2, axis=-1))
    assert micro.tile(S, (2, 1, 2)).shape == micro.extend(S, (2, 1, 2)).shape == (4, 3, 2)
    with pytest.raises(ArgumentError, match="'times'"):
        micro.tile(S, (2,))
