"""Neighbour lists against ASE and against brute force over images."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from erlangen.actions.neighbours import neighbours
from erlangen.errors import ArgumentError
from erlangen.groups import O

F64 = torch.float64


def as_set(edges, images):
    return {(*edge, *image) for edge, image in zip(edges.T.tolist(), images.tolist())}


def crystal(seed, n, squeeze=1.0):
    rng = torch.Generator().manual_seed(seed)
    cell = torch.randn(3, 3, generator=rng, dtype=F64) * squeeze + 3 * torch.eye(3, dtype=F64)
    pos = 4 * torch.randn(n, 3, generator=rng, dtype=F64)  # well outside the cell, too
    return pos, cell


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 9), pbc=st.tuples(*[st.booleans()] * 3), cutoff=st.floats(0.5, 5.0))
def test_the_same_edges_as_ase(seed, n, pbc, cutoff):
    neighborlist = pytest.importorskip("ase.neighborlist")
    from ase import Atoms

    pos, cell = crystal(seed, n)
    if abs(float(torch.linalg.det(cell))) < 0.5:
        return
    i, j, images = neighborlist.neighbor_list("ijS", Atoms("H" * n, positions=pos.numpy(), cell=cell.numpy(), pbc=pbc), cutoff)
    theirs = {(int(b), int(a), *map(int, s)) for a, b, s in zip(i, j, images)}
    ours = as_set(*neighbours(pos, cutoff, cell=cell[None], pbc=torch.tensor([pbc])))
    assert ours == theirs


def test_ragged_batches_give_each_structure_its_own_edges():
    parts = [crystal(seed, n) for seed, n in ((0, 3), (1, 7), (2, 1), (5, 12))]
    pbc = torch.tensor([[True] * 3, [True, False, True], [False] * 3, [True] * 3])
    order = torch.randperm(23, generator=torch.Generator().manual_seed(0))
    batch = torch.tensor([i for i, (p, _) in enumerate(parts) for _ in p])
    pos, cell = torch.cat([p for p, _ in parts]), torch.stack([c for _, c in parts])
    edges, images = neighbours(pos, 3.0, batch=batch, cell=cell, pbc=pbc)
    alone, start = set(), 0
    for i, (p, c) in enumerate(parts):
        e, s = neighbours(p, 3.0, cell=c[None], pbc=pbc[i : i + 1])
        alone |= as_set(e + start, s)
        start += len(p)
    assert as_set(edges, images) == alone
    mixed, mixed_images = neighbours(pos[order], 3.0, batch=batch[order], cell=cell, pbc=pbc)
    assert as_set(order[mixed], mixed_images) == alone
    assert bool((edges[1].diff() >= 0).all())


def test_many_atoms_without_a_cell():
    pos = torch.rand(1500, 3, generator=torch.Generator().manual_seed(0), dtype=F64) * 20
    edges, images = neighbours(pos, 1.5)
    close = torch.cdist(pos, pos) < 1.5
    close.fill_diagonal_(False)
    assert as_set(edges, images) == {(j, i, 0, 0, 0) for i, j in close.nonzero().tolist()}


def test_the_nearest_are_kept_and_shells_are_not_cut():
    square = torch.tensor([[0.0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1.5]], dtype=F64)
    edges, _ = neighbours(square, 10.0, max_neighbours=2)
    assert edges[0][edges[1] == 0].tolist() == [1, 2, 3, 4]  # four equally near, none of them is preferred
    pos = torch.randn(40, 3, generator=torch.Generator().manual_seed(1), dtype=F64)
    edges, _ = neighbours(pos, 10.0, max_neighbours=5)
    nearest = torch.cdist(pos, pos).fill_diagonal_(9e9).argsort(1)[:, :5]
    assert {(j, i) for j, i in edges.T.tolist()} == {(int(j), i) for i in range(40) for j in nearest[i]}


FCC = 3.61 * torch.tensor([[0.0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]], dtype=F64)


def turned(pos, cell, seed, dtype, shift=30.0):
    """As it comes out of a program that computes in this dtype: rounded, then turned and shifted."""
    rng = torch.Generator().manual_seed(seed)
    g, step = O(3).sample(generator=rng, dtype=dtype), shift * torch.randn(3, generator=rng, dtype=dtype)
    return pos.to(dtype) @ g.T + step, cell.to(dtype) @ g.T


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize(
    ("pos", "cell", "cutoff", "count"),
    [
        (FCC, 3.61, 3.61, 4 * 12),  # copper: the second shell is at the lattice constant
        (FCC, 3.61, 3.61 / 2**0.5, 0),  # the first shell, which is irrational
        (torch.zeros(1, 3, dtype=F64), 1.0, 1.0, 0),
        (torch.zeros(1, 3, dtype=F64), 1.0, 2**0.5, 6),
        (FCC, 3.61, 2 * 3.61, 4 * (12 + 6 + 24 + 12 + 24 + 8 + 48)),  # the eighth shell lies there
    ],
)
def test_a_shell_at_the_cutoff_is_out_in_every_orientation(dtype, pos, cell, cutoff, count):
    lattice = cell * torch.eye(3, dtype=F64)
    for seed in range(12):
        turned_pos, turned_cell = turned(pos, lattice, seed, dtype)
        edges, _ = neighbours(turned_pos, cutoff, cell=turned_cell[None])
        assert edges.shape[1] == count
    # The count is that of any cutoff in the gap below, and a cutoff in the gap above counts the shell.
    below, _ = neighbours(pos, cutoff * 0.99, cell=lattice[None])
    above, _ = neighbours(pos, cutoff * 1.01, cell=lattice[None])
    assert below.shape[1] == count < above.shape[1]


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_nearest_neighbours_are_whole_shells_far_from_the_origin(dtype):
    for seed in range(12):
        pos, cell = turned(FCC, 3.61 * torch.eye(3, dtype=F64), seed, dtype, shift=300.0)
        assert neighbours(pos, 5.0, cell=cell[None], max_neighbours=13)[0].shape[1] == 4 * 18
        assert neighbours(pos, 5.0, cell=cell[None], max_neighbours=12)[0].shape[1] == 4 * 12


def test_edges_come_in_pairs_at_the_cutoff():
    pos, cell = turned(FCC, 3.61 * torch.eye(3, dtype=F64), 0, torch.float32)
    for cutoff in torch.linspace(3.6098, 3.6102, 41).tolist():
        edges, images = neighbours(pos, cutoff, cell=cell[None])
        assert as_set(edges, images) == as_set(edges.flip(0), -images)


@pytest.mark.parametrize(("dtype", "far"), [(torch.float32, 1e6), (F64, 1e15), (torch.float16, 100.0)])
def test_positions_too_coarse_for_the_cutoff_are_refused(dtype, far):
    with pytest.raises(ArgumentError, match="'pos'.*twentieth of the cutoff"):
        neighbours(torch.tensor([[0.0, 0, 0], [1, 0, 0]], dtype=dtype) + far, 1.5)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_cells_that_are_singular_to_rounding_are_refused(dtype):
    flat = torch.tensor([[1.0, 2, 3], [4, 5, 6], [7, 8, 9.0]], dtype=F64)
    for seed in range(4):
        _, cell = turned(flat, flat, seed, dtype)
        with pytest.raises(ArgumentError, match="'cell'"):
            neighbours(torch.zeros(1, 3, dtype=dtype), 1.0, cell=cell[None])


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_atoms_in_one_place_have_no_edge(dtype):
    edges, _ = neighbours(torch.zeros(2, 3, dtype=dtype), 1.0)
    assert edges.shape == (2, 0)
    # One of them stored in the next cell: the same place up to rounding.
    cell = torch.tensor([[3.1, 0, 0], [0.3, 2.9, 0], [0.1, 0.2, 3.3]], dtype=F64)
    for seed in range(8):
        pos, turned_cell = turned(torch.tensor([[0.1, 0.2, 0.3]], dtype=F64), cell, seed, dtype)
        edges, _ = neighbours(torch.cat([pos, pos + turned_cell[:1]]), 2.0, cell=turned_cell[None])
        assert edges.shape == (2, 0)


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"pos": torch.full((2, 3), torch.nan)}, "pos"),
        ({"pos": torch.zeros(2, 2)}, "pos"),
        ({"cutoff": 0.0}, "cutoff"),
        ({"cell": torch.ones(1, 3, 3)}, "cell"),
        ({"cell": torch.zeros(1, 3, 3), "pbc": torch.ones(1, 3, dtype=torch.bool)}, "cell"),
        ({"cell": torch.eye(3)}, "cell"),
        ({"cell": torch.eye(3)[None], "pbc": torch.ones(2, 3, dtype=torch.bool)}, "pbc"),
        ({"max_neighbours": 0}, "max_neighbours"),
    ],
)
def test_refusals_name_the_argument(change, argument):
    kwargs = {"pos": torch.randn(2, 3), "cutoff": 1.0, **change}
    with pytest.raises(ArgumentError, match=f"'{argument}'"):
        neighbours(kwargs.pop("pos"), kwargs.pop("cutoff"), **kwargs)
