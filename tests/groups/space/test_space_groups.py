"""Space groups against the International Tables' numbers, spglib and moyopy; their action on points; other settings."""

from __future__ import annotations

import itertools
from collections import Counter
from fractions import Fraction

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.groups import CrystallographicGroup, PlaneGroup, SpaceGroup, WyckoffPosition, crystallographic
from erlangen.groups.rational_maps import format_map, left_kernel, parse_map
from erlangen.groups.settings import settings_table


@pytest.fixture(scope="module")
def every() -> list[SpaceGroup]:
    return [SpaceGroup(n) for n in range(1, 231)]


def keys(maps: torch.Tensor, denominator: int) -> set[tuple[object, ...]]:
    linear, shifts = maps[..., :-1].flatten(1).tolist(), maps[..., -1].tolist()
    return {(*row, *(Fraction(v, denominator) % 1 for v in shift)) for row, shift in zip(linear, shifts)}


def test_the_tables_hold_what_the_international_tables_count(every: list[SpaceGroup]) -> None:
    positions = [p for G in every for p in G.wyckoff_positions]
    assert Counter(p.dof for p in positions) == {0: 616, 1: 718, 2: 167, 3: 230}
    assert sum(all(p.dof for p in G.wyckoff_positions) for G in every) == 85
    assert max(p.multiplicity for p in positions) == 192
    assert [len(SpaceGroup(47).wyckoff_positions), SpaceGroup(47).wyckoff_positions[-1].letter] == [27, "A"]
    assert sum(G.is_symmorphic for G in every) == 73
    assert sum(G.keeps_hand for G in every) == 65
    assert sum(G.is_centrosymmetric for G in every) == 92
    assert len({G.point_group.order for G in every}) == 10
    assert len({G.setting.schoenflies for G in every}) == 230
    systems = Counter(G.crystal_system for G in every)
    assert systems == {
        "triclinic": 2,
        "monoclinic": 13,
        "orthorhombic": 59,
        "tetragonal": 68,
        "trigonal": 25,
        "hexagonal": 27,
        "cubic": 36,
    }


def test_orbits_are_as_large_as_the_table_says_and_stabilizers_as_small(every: list[SpaceGroup]) -> None:
    rng = torch.Generator().manual_seed(0)
    for G in every:
        order = G.order
        for p in G.wyckoff_positions:
            assert len(p.representatives) == p.multiplicity, p
            assert len(p.stabilizer) * p.multiplicity == order, p
            points = p.coordinates(torch.rand(p.dof, generator=rng, dtype=torch.float64))
            assert ((points >= 0) & (points < 1)).all()
            apart = (points[:, None] - points[None] + 0.5) % 1 - 0.5
            assert int((apart.abs().amax(-1) < 1e-9).sum()) == p.multiplicity, p  # every point differs from every other
        assert G.wyckoff_positions[-1].multiplicity == order
        # A point of each position is found there again, moved by whole cells, too.
        generic = [p.coordinates(torch.rand(p.dof, generator=rng, dtype=torch.float64))[-1] for p in G.wyckoff_positions]
        index = G.position_index(torch.stack(generic) + torch.tensor([2.0, -1.0, 0.0]), 1e-7)
        assert index.tolist() == list(range(len(generic))), G


def test_operations_are_those_of_moyopy(every: list[SpaceGroup]) -> None:
    moyopy = pytest.importorskip("moyopy")
    for G in every:
        known = moyopy.operations_from_number(G.number, setting=moyopy.Setting.standard())
        shifts = np.rint(np.array(known.translations) * 24).astype(int)
        wanted = torch.tensor(np.concatenate([np.array(known.rotations), shifts[..., None]], -1))
        assert keys(G.elements(), 24) == keys(wanted, 24), G


def test_every_setting_of_spglib_is_there_and_its_transformation_leads_to_the_standard_one(every: list[SpaceGroup]) -> None:
    spglib = pytest.importorskip("spglib")
    seen = 0
    for standard in every:
        for choice in standard.settings:
            G = SpaceGroup(standard.number, choice)
            kind, known = spglib.get_spacegroup_type(G.setting.hall), spglib.get_symmetry_from_database(G.setting.hall)
            assert (kind.number, kind.choice, kind.international_short) == (G.number, choice, G.name)
            shifts = np.rint(known["translations"] * 24).astype(int)
            wanted = torch.tensor(np.concatenate([known["rotations"].astype(int), shifts[..., None]], -1))
            assert keys(G.elements(), G.denominator) == keys(wanted, 24), (G, choice)
            seen += 1
    assert seen == 530


def test_wyckoff_letters_and_site_symmetries_are_those_of_spglib(every: list[SpaceGroup]) -> None:
    spglib = pytest.importorskip("spglib")
    rng = torch.Generator().manual_seed(1)

    compared = 0
    for G in every[::4]:  # a quarter of the groups here; all of them in `make test-all`
        compared += _compare(spglib, G, lambda p: _random_orbit(p, rng))
    assert compared > 400


SETTINGS = [(227, "1"), (48, "1"), (15, "c2"), (62, "cab"), (166, "R"), (5, "b3"), (13, "b2"), (3, "a"), (86, "1"), (203, "1")]


@pytest.mark.parametrize(("number", "choice"), SETTINGS)
def test_letters_of_other_settings_are_those_of_spglib(number: int, choice: str) -> None:
    """Two origins may serve the operations alike and exchange letters: only one is right."""
    spglib = pytest.importorskip("spglib")
    rng = torch.Generator().manual_seed(3)
    assert _compare(spglib, SpaceGroup(number, choice), lambda p: _random_orbit(p, rng)) > 1


def test_settings_with_the_same_operations_keep_their_own_letters() -> None:
    one, other = SpaceGroup(68, "1"), SpaceGroup(68, "1ba-c")
    assert one == other
    assert one.wyckoff_positions[2].text != other.wyckoff_positions[2].text
    assert one.wyckoff_positions[2] != other.wyckoff_positions[2]
    spglib = pytest.importorskip("spglib")
    for G in (one, other, one):
        _compare(spglib, G, lambda p: _random_orbit(p, torch.Generator().manual_seed(5)))


@pytest.mark.slow
def test_letters_of_all_settings_are_those_of_spglib(every: list[SpaceGroup]) -> None:
    spglib = pytest.importorskip("spglib")
    rng = torch.Generator().manual_seed(4)
    for standard in every:
        for choice in standard.settings:
            _compare(spglib, SpaceGroup(standard.number, choice), lambda p: _random_orbit(p, rng))


@pytest.mark.slow
def test_all_wyckoff_letters_and_site_symmetries_are_those_of_spglib(every: list[SpaceGroup]) -> None:
    spglib = pytest.importorskip("spglib")
    rng = torch.Generator().manual_seed(2)
    assert sum(_compare(spglib, G, lambda p: _random_orbit(p, rng)) for G in every) == 1731


def _random_orbit(position: WyckoffPosition, rng: torch.Generator) -> np.ndarray:
    return position.coordinates(torch.rand(position.dof, generator=rng, dtype=torch.float64)).numpy()


def _compare(spglib, G: SpaceGroup, random_orbit) -> int:
    """Two general orbits of their own kinds pin the group; the position's orbit is a third kind of atom."""
    general = G.wyckoff_positions[-1]
    base = [random_orbit(general), random_orbit(general)]
    for p in G.wyckoff_positions:
        atoms = [*base, random_orbit(p)]
        kinds = [i for i, points in enumerate(atoms) for _ in points]
        cell = (_cell(G), np.concatenate(atoms), kinds)
        found = spglib.get_symmetry_dataset(cell, symprec=1e-5, hall_number=G.setting.hall)
        assert (found.number, found.hall_number, found.wyckoffs[-1]) == (G.number, G.setting.hall, p.letter), p
        assert not G.is_standard or found.site_symmetry_symbols[-1] == p.site_symmetry, p
    return len(G.wyckoff_positions)


def _cell(G: SpaceGroup) -> np.ndarray:
    """Lattice vectors as rows, no more symmetric than the group: a general metric, averaged over the group."""
    general = torch.tensor([[26.0, 1.3, 2.1], [1.3, 38.0, 3.4], [2.1, 3.4, 53.0]], dtype=torch.float64)
    turns = G.elements()[..., :-1].double()
    return torch.linalg.cholesky((turns.mT @ general @ turns).mean(0)).numpy()


@pytest.mark.parametrize("number", range(1, 18))
def test_plane_groups(number: int) -> None:
    G = PlaneGroup(number)
    er.testing.check_group(G)
    points = [p.coordinates(torch.linspace(0.13, 0.41, 2, dtype=torch.float64)[: p.dof])[0] for p in G.wyckoff_positions]
    for p in G.wyckoff_positions:
        assert (len(p.representatives), len(p.stabilizer) * p.multiplicity) == (p.multiplicity, G.order), p
    assert G.position_index(torch.stack(points), 1e-7).tolist() == list(range(len(points)))
    # No point of a fine grid is more special than the table knows: stabilizers found by trying all elements and translations.
    grid = torch.cartesian_prod(*[torch.arange(24)] * 2)
    moved = torch.einsum("gij,pj->gpi", G.elements()[..., :-1], grid) + G.elements()[..., None, :, -1]
    count = ((moved - grid) % 24 == 0).all(-1).sum(0)
    index = G.position_index(grid.double() / 24, 1e-7)
    sizes = torch.tensor([len(p.stabilizer) for p in G.wyckoff_positions])
    assert torch.equal(sizes[index], count)


def test_numbers_of_plane_groups() -> None:
    every = [PlaneGroup(n) for n in range(1, 18)]
    assert sum(len(G.wyckoff_positions) for G in every) == 72
    assert [G.order for G in every] == [1, 2, 2, 2, 4, 4, 4, 4, 8, 4, 8, 8, 3, 6, 6, 6, 12]
    assert sum(G.is_symmorphic for G in every) == 13
    assert PlaneGroup("p31m") == PlaneGroup(15)
    assert PlaneGroup("p31m") != PlaneGroup(14)


@pytest.mark.parametrize("number", [1, 2, 14, 62, 136, 152, 166, 194, 225, 227, 230])
def test_groups_obey_their_laws(number: int) -> None:
    G = SpaceGroup(number)
    er.testing.check_group(G)
    er.testing.check_rep(G.vector)
    assert G.point_group.order * len(G.centring) == G.order


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 230), st.integers(0, 2**31))
def test_elements_move_points_by_what_they_say(number: int, seed: int) -> None:
    G = SpaceGroup(number)
    rng = torch.Generator().manual_seed(seed)
    g, h = G.sample(2, generator=rng)
    x = torch.rand(3, generator=rng, dtype=torch.float64)

    def move(k: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return k[:, :-1].double() @ y + k[:, -1].double() / G.denominator

    apart = move(g, move(h, x)) - move(G.multiply(g, h), x)
    assert (apart - apart.round()).abs().max() < 1e-12
    assert torch.equal(G.multiply(g, G.inverse(g)), G.identity())


def test_cells_of_other_sizes() -> None:
    G = SpaceGroup(225)
    half = Fraction(1, 2)
    primitive = G.transformed([[0, half, half], [half, 0, half], [half, half, 0]])
    assert (primitive.order, len(primitive.centring), primitive.is_symmorphic) == (48, 1, True)
    assert G.transformed([[2, 0, 0], [0, 2, 0], [0, 0, 2]]).order == 8 * 192
    moved = SpaceGroup(227).transformed(torch.eye(3), ["-1/8", "-1/8", "-1/8"])
    assert moved == SpaceGroup(227, "1")
    assert moved != SpaceGroup(227)
    with pytest.raises(ArgumentError, match="map to itself"):
        G.transformed([[2, 0, 0], [0, 1, 0], [0, 0, 1]])
    with pytest.raises(ArgumentError, match="lattice translations"):
        SpaceGroup(221).transformed([["1/2", 0, 0], [0, "1/2", 0], [0, 0, "1/2"]])
    with pytest.raises(ArgumentError, match="exact numbers"):
        G.transformed([[0.3, 0, 0], [0, 1, 0], [0, 0, 1]])
    with pytest.raises(ArgumentError, match="invertible"):
        G.transformed([[1, 0, 0], [1, 0, 0], [0, 0, 1]])


def test_wyckoff_positions_of_other_settings() -> None:
    for number, choice in ((227, "1"), (166, "R"), (62, "cab"), (15, "c2"), (48, "1"), (5, "b3")):
        G, standard = SpaceGroup(number, choice), SpaceGroup(number)
        basis, origin = G.to_standard
        p = torch.tensor([[float(v) for v in row] for row in basis], dtype=torch.float64)
        shift = torch.tensor([float(v) for v in origin], dtype=torch.float64)
        for mine, its in zip(G.wyckoff_positions, standard.wyckoff_positions):
            assert (mine.letter, mine.site_symmetry, mine.dof) == (its.letter, its.site_symmetry, its.dof)
            assert len(mine.representatives) == mine.multiplicity
            assert len(mine.stabilizer) * mine.multiplicity == G.order
            x = mine.coordinates(torch.tensor([0.137, 0.241, 0.413], dtype=torch.float64)[: mine.dof])
            assert set(standard.position_index(x @ p.mT + shift, 1e-7).tolist()) == {standard.wyckoff_positions.index(its)}


def test_the_general_position_has_no_symmetry_left() -> None:
    assert [len(SpaceGroup(n).wyckoff_positions[-1].stabilizer) for n in (1, 14, 225)] == [1, 1, 1]


def test_positions_in_words() -> None:
    a, b, c, d, e, f, *_ = SpaceGroup(221).wyckoff_positions
    assert [repr(p) for p in (a, b)] == ["1a of Pm-3m", "1b of Pm-3m"]
    assert (c.site_symmetry, c.text, f.text, f.dof) == ("4/mm.m", "0,1/2,1/2", "x,1/2,1/2", 1)
    assert SpaceGroup(221).position_index(torch.tensor([-1e-9, 1.0, 0.5], dtype=torch.float64)) == 3
    assert SpaceGroup(221).position_index(torch.tensor([0.0, 1.0, 0.5])).dtype == torch.int64
    assert SpaceGroup(221).position_index(torch.zeros(0, 3)).shape == (0,)
    near = torch.tensor([0.003, 0.0, 0.0])
    assert SpaceGroup(221).position_index(near, 1e-2) == 0
    assert SpaceGroup(221).position_index(near, 1e-3) == 4
    assert d.multiplicity == 3
    assert e.dof == 1


def test_errors_name_the_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (0, 231, 2.0, True, "225"):
        with pytest.raises(ArgumentError, match=r"number.*1 to 230"):
            SpaceGroup(number)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"choice.*'1', '2'"):
        SpaceGroup(227, "R")
    with pytest.raises(ArgumentError, match="p4gm"):
        PlaneGroup("p4g")
    with pytest.raises(ArgumentError, match="finite"):
        SpaceGroup(1).position_index(torch.tensor([float("nan"), 0, 0]))
    with pytest.raises(ArgumentError, match="tolerance"):
        SpaceGroup(1).position_index(torch.zeros(3), 0.1)
    with pytest.raises(ArgumentError, match="free"):
        SpaceGroup(225).wyckoff_positions[0].coordinates(torch.zeros(1))
    with pytest.raises(ArgumentError, match="operations"):
        CrystallographicGroup(["-x, y, w"])
    with pytest.raises(ArgumentError, match="1/24"):
        CrystallographicGroup(["x+1/7, y, z"])
    with pytest.raises(ArgumentError, match="determinant"):
        CrystallographicGroup(["x, x, z"])
    monkeypatch.setattr(crystallographic, "LARGEST_ORDER", 100)
    with pytest.raises(ArgumentError, match="at most 100"):
        CrystallographicGroup(["x+1/101, y"], 101)


@given(
    st.lists(st.lists(st.integers(-3, 3), min_size=3, max_size=3), min_size=3, max_size=3),
    st.lists(st.integers(-23, 23), min_size=3, max_size=3),
)
def test_maps_written_are_maps_read(linear: list[list[int]], shift: list[int]) -> None:
    value = torch.cat([torch.tensor(linear), torch.tensor(shift)[:, None]], 1)
    assert torch.equal(parse_map(format_map(value), 3), value)


@given(st.lists(st.lists(st.integers(-3, 3), min_size=2, max_size=2), min_size=3, max_size=3))
def test_left_kernels_are_saturated(rows: list[list[int]]) -> None:
    linear = torch.tensor(rows)
    kernel = left_kernel(linear)
    assert not (kernel @ linear).any()
    assert len(kernel) == 3 - torch.linalg.matrix_rank(linear.double())
    # All of Z^r is reached: the greatest common divisor of the maximal minors is 1.
    minors = [kernel[:, list(c)].double().det().round().long().item() for c in itertools.combinations(range(3), len(kernel))]
    assert np.gcd.reduce(np.abs(minors)) == 1


def test_the_settings_table_is_read_once_and_not_changed() -> None:
    rows = settings_table("space")
    assert rows is settings_table("space")
    assert len(rows) == 230
