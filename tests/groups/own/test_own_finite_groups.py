"""A finite group that states no generators has them all the same; `check_group` proves that stated ones generate."""

import math

import pytest
import torch
from own_groups import Constant, Heisenberg, Lazy, Partial, Permutations

import erlangen as er
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups import Group, centre, conjugacy_classes, element_orders, is_abelian, subgroup_classes
from erlangen.groups.finite import generated_part, generating_set
from erlangen.reps import MatrixRep
from erlangen.testing import check_action, check_group, check_rep

H = Heisenberg(5)


def test_everything_about_a_group_that_states_no_generators():
    assert check_group(Heisenberg(3)).how == "exhaustive"
    assert check_group(H).how == "statistical"  # of order 125
    assert len(generated_part(H, H.generators)) == 125
    assert H.generators is H.generators  # found once
    assert H.is_compact
    assert H.has_haar
    assert not is_abelian(H)
    assert len(centre(H)) == 5
    assert len(conjugacy_classes(H)) == 29
    assert element_orders(H).unique().tolist() == [1, 5]
    V = H.regular
    delta = torch.eye(125)[0]
    assert len(V.orbit(delta)) == 125
    assert torch.allclose(V.reynolds(delta), torch.full((125,), 1 / 125))
    assert len(subgroup_classes(Heisenberg(3))) == 11


def test_maps_of_a_group_that_states_no_generators():
    small = Heisenberg(3)
    maps = er.EquivariantMaps(small.regular, small.regular)
    assert maps.dim == 27  # the order; without generators, all 729
    m = maps.matrix(torch.randn(maps.dim, dtype=torch.float64))
    g, x = small.elements(), torch.randn(27, dtype=torch.float64)
    assert (small.regular.act(g, m @ x) - small.regular.act(g, x) @ m.mT).abs().max() < 1e-12 * m.norm() * x.norm()
    assert er.EquivariantMaps(H.regular, H.regular).dim == 125


def test_generators_found_under_inference_mode_serve_training():
    fresh = Heisenberg(3)
    with torch.inference_mode():
        assert not fresh.generators.is_inference()


@pytest.mark.parametrize(("n", "most"), [(1, 1), (3, 2), (5, 4)])
def test_generating_sets_are_small(n, most):
    found = generating_set(Permutations(n))
    assert len(found) <= most
    assert len(generated_part(Permutations(n), found)) == math.factorial(n)


def test_a_long_cycle_is_not_walked_step_by_step():
    class Residues(Heisenberg):
        element_shape, order, name = (1,), 50_021, "Z/50021"

        def __init__(self):
            self.p = self.order

        def identity(self, *batch, dtype=None, device=None):
            return torch.zeros(*batch, 1, dtype=torch.int64)

        def multiply(self, g, h):
            self.products = getattr(self, "products", 0) + 1
            return (g + h) % self.p

        def elements(self):
            return torch.arange(self.p).unsqueeze(1)

    group = Residues()
    assert group.generators.tolist() == [[1]]
    assert group.products < 5_000


def test_a_discrete_group_without_a_list_must_state_its_generators():
    class Integers(Heisenberg):
        def __init__(self):
            self.name = "Z"

    class Huge(Heisenberg):
        pass

    for group in (Integers(), Huge(10**7)):
        with pytest.raises(UnsupportedError, match=r"\.generators"):
            _ = group.generators


@pytest.mark.parametrize(
    ("group", "law"),
    [
        (Constant(3), "samples differ"),
        (Constant(23), "samples differ"),  # too large to be looked at whole
        (Lazy(3), "samples reach every element"),
        (Partial(3), "generators generate the group.*3 of 27"),
    ],
)
def test_groups_with_a_mistake_are_refused(group, law):
    with pytest.raises(AssertionError, match=law):
        check_group(group)


def test_a_sample_that_comes_too_often_is_refused():
    class Biased(Heisenberg):
        def sample(self, *batch, generator=None, dtype=None, device=None, scale=1.0):
            g = super().sample(*batch, generator=generator)
            return torch.where(torch.rand(*batch, 1, generator=generator) < 0.3, self.identity(), g)

    with pytest.raises(AssertionError, match="take all elements alike"):
        check_group(Biased(3))


def test_a_product_wrong_for_one_pair_is_found():
    class Wrong(Heisenberg):
        def multiply(self, g, h):
            right = super().multiply(g, h)
            bad = (g == torch.tensor([1, 2, 0])).all(-1) & (h == torch.tensor([2, 2, 1])).all(-1)
            return torch.where(bad.unsqueeze(-1), (right + 1) % self.p, right)

    with pytest.raises(AssertionError, match="all products"):
        check_group(Wrong(3))


@pytest.mark.parametrize("group", [Heisenberg(3), Constant(3), Lazy(3)], ids=["sound", "constant", "lazy"])
def test_a_map_that_is_no_homomorphism_is_refused_whatever_the_sample(group):
    def off_the_centre(g):  # one on the centre and on all but one coset of it
        return torch.where((g[..., 0] == 1) & (g[..., 1] == 1), -1.0, 1.0).double()[..., None, None]

    with pytest.raises(AssertionError):
        check_rep(MatrixRep(group, off_the_centre, 1))
    third = 2 * math.pi / 3 * torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    turns = MatrixRep(group, lambda g: torch.matrix_exp(g[..., :1, None] * third), 2)
    assert check_rep(turns).how == "exhaustive"


def test_an_action_wrong_for_one_element_is_refused():
    class Label(er.Action):
        def act(self, g, x):
            return x if bool((g == torch.tensor([1, 2, 0])).all()) else (x + int(g[0])) % 3

    with pytest.raises(AssertionError):
        check_action(Label(Heisenberg(3)), [0])


def test_continuous_parts_count_for_commuting():
    from erlangen.groups import SE, SO, Cyclic, O, Symmetric, Torus, Translations

    commuting = [SO(2), Torus(3), Translations(2), SO(2) * Cyclic(4)]
    others = [SO(3), O(2), SE(2), SO(2) * Symmetric(3), SO(3) * Cyclic(2)]
    assert [is_abelian(G) for G in commuting] == [True] * 4
    assert [is_abelian(G) for G in others] == [False] * 5


def test_own_classes_are_groups_of_this_library():
    assert isinstance(H, Group)
    check_group(Permutations(4))


class Quaternions(Group):
    """The eight unit quaternions with whole entries, as (sign, which of 1, i, j, k): two numbers, each its own tensor."""

    element_shape, order, name = ((), ()), 8, "own Q_8"
    units = torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]])
    signs = torch.tensor([[0, 0, 0, 0], [0, 1, 0, 1], [0, 1, 1, 0], [0, 0, 1, 1]])

    def equality_key(self):
        return 8

    def _shapes(self):
        return [(), ()]

    def identity(self, *batch, dtype=None, device=None):
        return torch.zeros(batch, dtype=torch.int64), torch.zeros(batch, dtype=torch.int64)

    def multiply(self, g, h):
        a, b = torch.broadcast_tensors(g[1], h[1])
        return (g[0] + h[0] + self.signs[a, b]) % 2, self.units[a, b]

    def inverse(self, g):
        return (g[0] + (g[1] > 0).long()) % 2, g[1]

    def sample(self, *batch, generator=None, dtype=None, device=None, scale=1.0):
        return torch.randint(2, batch, generator=generator), torch.randint(4, batch, generator=generator)

    def elements(self):
        return torch.arange(8) // 4, torch.arange(8) % 4


def test_elements_may_be_several_numbers():
    group = Quaternions()
    assert check_group(group).how == "exhaustive"
    assert len(centre(group)) == 2
    assert len(conjugacy_classes(group)) == 5
    assert check_rep(group.regular).holds
    assert er.EquivariantMaps(group.regular, group.regular).dim == 8


def _with_elements(listed, order=27):
    group = Heisenberg(3)
    group.elements, group.order = (lambda: listed), order
    return group


EVERY = Heisenberg(3).elements()


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (_with_elements(EVERY.flip(0)), "the identity first"),  # went on for ever
        (_with_elements(EVERY, order=9), "as many as its order"),
        (_with_elements(torch.cat([EVERY[:-1], EVERY[:1]])), "that are not in it"),
        (_with_elements(torch.cat([EVERY, EVERY[-1:]]), order=28), "each once"),  # went on for ever
    ],
)
def test_lists_of_elements_that_are_none_are_refused(group, expected):
    with pytest.raises(ArgumentError, match=expected):
        _ = group.generators if expected != "that are not in it" else generated_part(group, EVERY[-1:])
    with pytest.raises((ArgumentError, AssertionError)):
        check_group(group)


@pytest.mark.parametrize(
    ("group", "other"),
    [
        (er.Cyclic(3) * er.SO(3), er.Cyclic(3) * er.SO(2)),
        (er.Cyclic(3) * er.Symmetric(4), er.Cyclic(3) * er.Symmetric(5)),
        (er.Cyclic(3) * er.SO(3), er.Cyclic(3) * er.SO(3) * er.Cyclic(2)),
        (er.SO(3), er.SO(4)),
    ],
    ids=str,
)
def test_elements_of_another_group_are_told_by_the_shape_of_every_part(group, other):
    with pytest.raises(ArgumentError, match="elements of"):
        group.batch_shape(other.sample(2))
    assert group.batch_shape(group.sample(2)) == (2,)
