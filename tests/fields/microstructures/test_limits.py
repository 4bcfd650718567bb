"""Where numbers get extreme: contrasts, phases, sites, tolerances, one phase, grids seen in two ways."""

import itertools
import json

import numpy as np
import pytest

from erlangen.actions import GridArrays
from erlangen.errors import ArgumentError, ErlangenError
from erlangen.fields import microstructures as micro
from erlangen.fields.microstructures.words import _of_weight
from erlangen.groups import GridSymmetries, PermutationGroup


@pytest.mark.parametrize("method", ["direct", "fft"])
@pytest.mark.parametrize("k", [(1.0, 1e6), (1e6, 1.0), (1.0, 1e10), (1e12, 1.0), (1e-12, 1e-3)])
def test_laminates_of_high_contrast_are_exact(k, method):
    S = np.repeat([[1], [1], [2], [1]], 3, 1)
    v = np.array([0.75, 0.25])
    K = micro.effective_conductivity(S, k, 2, method)
    assert K[0, 0] == pytest.approx(1 / (v @ (1 / np.array(k))), rel=1e-10)
    assert K[1, 1] == pytest.approx(v @ np.array(k), rel=1e-12)


@pytest.mark.parametrize("method", ["direct", "fft"])
@pytest.mark.parametrize("k", [(1e-12, 1e12), (1.0, 1e16)])
def test_a_contrast_beyond_double_precision_is_refused(k, method):
    with pytest.raises(ErlangenError, match="contrast"):
        micro.effective_conductivity([[1, 1], [2, 2], [1, 1]], k, 2, method)


def test_conductivities_scale_and_both_solvers_agree_at_a_contrast_of_a_million():
    S = np.random.default_rng(0).integers(1, 3, (6, 6))
    one = micro.effective_conductivity(S, (1.0, 1e6), 2, "direct")
    assert np.allclose(micro.effective_conductivity(S, (1.0, 1e6), 2, "fft"), one, rtol=1e-9, atol=0)
    for scale in (1e-12, 1e12):
        assert np.allclose(micro.effective_conductivity(S, (scale, 1e6 * scale), 2) / scale, one, rtol=1e-9, atol=0)


def test_the_longest_waves_of_a_long_ring_are_seen():
    S = np.repeat([1, 2], 1_100_000)  # the symbol of its longest wave is less than 1e-12 of the largest
    assert micro.effective_conductivity(S, (1.0, 3.0))[0, 0] == pytest.approx(1.5, rel=1e-9)


@pytest.mark.parametrize("P", [(1,), (3, 3), (1, 1), (2, 3, 4)])
def test_of_one_phase_there_is_no_mate_and_one_conductivity(P):
    S = np.ones(P, np.uint8)
    verdict = micro.find_mate(S)
    assert not verdict
    assert verdict.how == "exhaustive"
    for method in ("direct", "fft"):
        assert np.allclose(micro.effective_conductivity(S, (0.1,), 2, method), 0.1 * np.eye(len(P)), atol=1e-15)
    assert micro.bounds_conductivity(S, (0.1,)) == pytest.approx((0.1,) * 4, abs=1e-15)


def test_a_tolerance_holds_for_all_pairs_of_phases():
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(300):
        n = int(rng.integers(2, 5))
        a = np.append(np.arange(1, n + 1), rng.integers(1, n + 1, 8 - n))
        b = rng.permutation(a)
        gap = np.abs(micro.two_point(a, "all") - micro.two_point(b, "all")).max()
        independent = np.abs(micro.two_point(a) - micro.two_point(b)).max()
        for tol in range(4):
            verdict = micro.equivalent(a, b, tol=tol)
            assert bool(verdict) == (gap <= tol)
            if not verdict:
                (p, q), r = verdict.witness.phases, verdict.witness.shift
                counts = [micro.two_point(x, "all").reshape(n, n, 8)[p - 1, q - 1][r] for x in (a, b)]
                assert counts == [verdict.witness.first, verdict.witness.second]
                assert abs(counts[0] - counts[1]) > tol
        seen.add(bool(independent < gap))
    assert seen == {False, True}  # in some, pairs that follow from the independent ones differ more
    # A phase that only one of them has, where so few sites are let pass.
    assert micro.equivalent([1, 2, 1, 1], [1, 1, 1, 1], tol=2)
    assert not micro.equivalent([1, 2, 1, 1], [1, 1, 1, 1], tol=1)
    for tol in (-1, 0.5, True):
        with pytest.raises(ArgumentError) as raised:
            micro.equivalent([1, 2], [1, 2], tol=tol)
        assert raised.value.argument == "tol"


def test_differences_of_a_single_count_are_seen_on_large_grids():
    a, b = micro.factor_roots((128, 128), 3, seed=4)
    assert micro.equivalent(a, b)
    rng = np.random.default_rng(1)
    for _ in range(5):  # two sites exchanged
        c, sites = b.copy(), [tuple(rng.choice(np.argwhere(b == phase))) for phase in (1, 3)]
        c[sites[0]], c[sites[1]] = 3, 1
        verdict = micro.equivalent(a, c)
        assert not verdict
        assert verdict["largest difference"] >= 1
        (p, q), r = verdict.witness.phases, verdict.witness.shift
        assert verdict.witness.first == ((a == p) & (np.roll(a, [-s for s in r], (0, 1)) == q)).sum()
        assert verdict.witness.second == ((c == p) & (np.roll(c, [-s for s in r], (0, 1)) == q)).sum()


def test_many_phases_are_compared_and_searched():
    rng = np.random.default_rng(2)
    S = rng.permutation(np.arange(1024) % 100 + 1).reshape(32, 32)
    assert micro.equivalent(S, np.roll(S, (3, 5), (0, 1)))
    assert not micro.equivalent(S, S[:, ::-1])
    assert micro.find_mate(S, largest=0).how == "search"


def test_grids_of_64_sites_are_gone_through():
    assert np.array_equal(_of_weight(20, 5), np.sort([sum(1 << i for i in c) for c in itertools.combinations(range(20), 5)]))
    found = micro.search_roots((8, 8), (2,), "translations")
    assert found.structures == 64 * 63 // 2
    assert found.orbits == (63 + 3) // 2
    assert found.correlations == found.orbits
    S = np.full(64, 2)
    S[[0, 1, 5]] = 1
    verdict = micro.find_mate(S, "inversion")
    assert not verdict
    assert verdict.how == "exhaustive"


def test_symmetries_of_another_grid_are_permutations():
    for P, group in [
        ((4,), GridSymmetries((2, 2), "automorphisms")),
        ((1, 3), GridSymmetries((3,))),
        ((6,), GridSymmetries((3, 2))),
    ]:
        plain = micro.relation_group(P, PermutationGroup([*GridSymmetries(P).generators, *group.generators]))
        elements = plain.elements().numpy()
        for labels in itertools.product((1, 2), repeat=group.n):
            if len(set(labels)) < 2:
                continue
            a = np.array(labels)
            images = a[elements]  # of inverses: all of them
            least = min(map(tuple, images.tolist()))
            assert tuple(micro.canonical(a.reshape(P), group).reshape(-1)) == least
            b = np.roll(a, 1) if a[0] == a[-1] else a[::-1]
            related = tuple(b) in set(map(tuple, images.tolist()))
            assert bool(micro.related(a.reshape(P), b.reshape(P), group)) == related
    import torch

    act = GridArrays(GridSymmetries((6,)), (3, 2))
    x = torch.tensor([[2, 1], [3, 1], [1, 2]])
    least, g = act.representative(x)
    assert least.reshape(-1).tolist() == min(torch.roll(x.reshape(-1), s).tolist() for s in range(6))
    assert torch.equal(act.act(g, x), least)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: micro.transform([1, 2, 3, 3, 3], [[2.9]]), "linear"),
        (lambda: micro.coalesce([1, 2, 3], [(1.5, 2)]), "groups"),
        (lambda: micro.coalesce([1, 2, 3], "ab"), "groups"),
        (lambda: micro.factor_roots(30, seed=-1), "seed"),
        (lambda: micro.factor_roots(30, motif=3.5), "motif"),
        (lambda: micro.factor_roots(30, copies=2.5), "copies"),
        (lambda: micro.bounds_conductivity([1, 2], "ab"), "k"),
        (lambda: micro.effective_conductivity([1, 2], "ab"), "k"),
        (lambda: micro.two_point([[1, 2], [1, 2]], dims=1.0), "dims"),
    ],
)
def test_what_would_be_cut_off_is_refused(call, name):
    with pytest.raises(ArgumentError) as raised:
        call()
    assert raised.value.argument == name


def test_files_that_are_no_pairs_are_refused(tmp_path):
    pair = micro.factor_roots(np.int64(40), np.int64(2), copies=np.int64(3), seed=1)
    kept = micro.load_pair(micro.Pair(*pair, {"n": np.int64(3)}).save(tmp_path / "pair.npz"))
    assert kept.origin == {"n": 3}
    assert np.array_equal(kept.b, pair.b)
    whole = (tmp_path / "pair.npz").read_bytes()
    for name, content in (("cut.npz", whole[: len(whole) // 2]), ("empty.npz", b""), ("text.h5", b"text"), ("none.npz", None)):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(ArgumentError):
            micro.load_pair(tmp_path / name)


def test_a_checkpoint_belongs_to_one_group_and_its_mate_is_checked(tmp_path):
    S, path = [1, 1, 2, 2, 1, 2, 1, 2, 2, 2, 2, 2], tmp_path / "search.json"
    groups = [PermutationGroup([[m * i % 12 for i in range(12)]], name="G") for m in (5, 7)]
    micro.find_mate(S, groups[0], largest=0, checkpoint=path)
    with pytest.raises(ArgumentError, match="same relations"):
        micro.find_mate(S, groups[1], largest=0, checkpoint=path)
    path.unlink()
    assert micro.find_mate(S, checkpoint=path)
    state = json.loads(path.read_text())
    state["mate"]["structure"] = S
    path.write_text(json.dumps(state))
    with pytest.raises(ArgumentError, match="whose mate is one"):
        micro.find_mate(S, checkpoint=path)


def test_factors_fill_small_grids_and_repeat_with_their_seed():
    a, b = micro.factor_roots((9, 5), copies=5, seed=7)
    again = micro.factor_roots((9, 5), copies=5, seed=7)
    assert np.array_equal(a, again.a)
    assert np.array_equal(b, again.b)
    for seed in range(10):
        for P, n in (((40,), 2), ((12, 12), 3), ((6, 7, 8), 4), ((1, 64), 2)):
            pair = micro.factor_roots(P, n, seed=seed)
            assert micro.equivalent(*pair)
            assert not micro.related(*pair)
