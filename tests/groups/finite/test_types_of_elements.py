"""What stands in for an element: index maps of another type, lists, arrays, too many parts; and what a small list of elements looks at."""

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups import Cyclic, Dihedral, DirectProduct, FiniteAbelian, PermutationGroup, Symmetric, TableGroup, index_of
from erlangen.groups.cyclic import LARGEST_KEPT

UNITS = TableGroup.generated_by([5], lambda a, b: a * b % 23, identity=1)  # of order 22
GROUPS = [Cyclic(5), Dihedral(2), Dihedral(4), Symmetric(4), PermutationGroup([[1, 2, 0, 3]]), FiniteAbelian(2, 3), UNITS]


@pytest.mark.parametrize("group", GROUPS, ids=str)
@pytest.mark.parametrize(
    "other",
    [torch.Tensor.numpy, torch.Tensor.tolist, torch.Tensor.int, torch.Tensor.float, torch.Tensor.bool, lambda g: g.to(torch.uint8)],
)
def test_elements_of_another_type_are_refused_by_every_call(group, other):
    g = group.elements()
    h = other(g)
    calls = [group.inverse, group.contains, lambda h: index_of(group, h), group.regular.matrix, group.check]
    pairs = [group.multiply, group.equal]
    for call in [*calls, *(lambda h, f=f: f(h, g) for f in pairs), *(lambda h, f=f: f(g, h) for f in pairs)]:
        with pytest.raises(ArgumentError, match="argument 'g'"):
            call(h)
    if isinstance(group, PermutationGroup):
        with pytest.raises(ArgumentError, match="argument 'g'"):
            group.vector.matrix(h)


def test_a_tuple_of_too_many_or_too_few_parts_is_no_element_of_a_product():
    C, S = Cyclic(3), Symmetric(3)
    twisted = er.groups.SemidirectProduct(
        Cyclic(7), C, lambda h, n: Cyclic(7).element(2 ** C.exponent(h) * Cyclic(7).exponent(n) % 7)
    )
    for group in (DirectProduct(C, S), twisted):
        g = group.sample(4)
        for wrong in ((*g, C.sample(4)), g[:1], g[0]):
            for call, arguments in (
                ("inverse", (wrong,)),
                ("contains", (wrong,)),
                ("multiply", (g, wrong)),
                ("multiply", (wrong, g)),
            ):
                with pytest.raises(ArgumentError):
                    getattr(group, call)(*arguments)


@pytest.mark.parametrize("batch", [1, 64, 4096])
@pytest.mark.parametrize("bad", [-1, -22, 22, 2**40, -(2**40)])
def test_a_table_refuses_a_position_outside_on_either_side(batch, bad):
    g, h = UNITS.sample(batch), UNITS.sample(batch)
    h[batch // 2] = bad
    for call in (
        lambda: UNITS.multiply(g, h),
        lambda: UNITS.multiply(h, g),
        lambda: UNITS.multiply(h, g[:1]),
        lambda: UNITS.inverse(h),
    ):
        with pytest.raises(ArgumentError, match="1 of"):
            call()


@pytest.mark.parametrize("batch", [(), (0,), (3,), (2, 1), (5, 400)])
def test_products_in_a_table_are_those_of_its_objects(batch):
    g, h = UNITS.sample(*batch), UNITS.sample(*batch).mT if len(batch) == 2 and batch[0] == 1 else UNITS.sample(*batch)
    objects = torch.tensor(UNITS.objects)
    assert torch.equal(objects[UNITS.multiply(g, h)], objects[g] * objects[h] % 23)
    assert torch.equal(
        objects[UNITS.multiply(g, h[..., :1] if batch else h)], objects[g] * objects[h[..., :1] if batch else h] % 23
    )
    assert bool((objects[UNITS.inverse(g)] * objects[g] % 23 == 1).all())


@pytest.mark.parametrize(
    "group",
    [Cyclic(6), Dihedral(1), Dihedral(2), Dihedral(3), Dihedral(8), Cyclic(LARGEST_KEPT + 1), Dihedral(LARGEST_KEPT + 1)],
    ids=str,
)
def test_irreps_of_polygons_by_list_and_by_formula(group):
    n = int(group.order) // (2 if isinstance(group, Dihedral) else 1)
    k = torch.arange(n)
    g = group.elements()
    irrep = group.irrep(1) if n > 2 else group.irrep("flip")
    if n > 2:
        angle = 2 * torch.pi / n * k.to(torch.float64)
        turn = torch.stack([torch.stack([angle.cos(), -angle.sin()], -1), torch.stack([angle.sin(), angle.cos()], -1)], -2)
        expected = torch.cat([turn, turn @ torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64))])[: int(group.order)]
    else:
        expected = torch.tensor([1.0] * n + [-1.0] * n, dtype=torch.float64).view(-1, 1, 1)
    assert torch.allclose(irrep.matrix(g), expected, atol=1e-14)
    assert irrep.matrix(g[0]).shape == (irrep.dim, irrep.dim)
    assert irrep.matrix(g[:0]).shape == (0, irrep.dim, irrep.dim)
    assert torch.equal(group.index(g), torch.arange(int(group.order)))
    swapped = g[-1].clone()
    swapped[[-1, -2]] = swapped[[-2, -1]]
    for stranger in (swapped, torch.full_like(g[0], -1), g[0] + group.n, g[0] + 2**60):
        if not bool((g == stranger).all(-1).any()):
            for call in (group.index, irrep.matrix):
                with pytest.raises(ArgumentError, match="not in it"):
                    call(torch.stack([g[0], stranger]))


def test_a_product_takes_no_logarithm_of_another_component():
    G = er.SO(3) * er.Symmetric(3)
    turn = er.SO(3).sample(4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    a = G.log((turn, torch.arange(3).expand(4, 3)))
    back = G.exp(tuple(t * 1.0 for t in a))
    assert torch.allclose(back[0], turn, atol=1e-10)
    assert back[1].tolist() == [[0, 1, 2]] * 4
    with pytest.raises(UnsupportedError, match="part in S_3"):
        G.log((turn, torch.tensor([[0, 1, 2]] * 3 + [[1, 0, 2]])))
