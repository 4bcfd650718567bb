"""States of crystals, renamed descriptions, and the network: against a plain transcription of the published layer."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.fields.crystals import Protostructure, wyckoff_table
from erlangen.fields.crystals.wyckoffdiff import WyckoffGNN
from erlangen.fields.crystals.wyckoffdiff.relabelings import OverDescriptions, Relabelings, maps_of
from erlangen.fields.crystals.wyckoffdiff.state import States, decode, encode, position_table, vacant

E, C, T = 12, 3, 20


def random_crystals(groups: list[int], seed: int = 0) -> list[Protostructure]:
    """Some positions of each group occupied at random."""
    g = torch.Generator().manual_seed(seed)
    made = []
    for group in groups:
        dofs = wyckoff_table(group).dofs
        sites: dict[tuple[int, int], int] = {}
        while not sites:
            for position, dof in enumerate(dofs):
                if float(torch.rand((), generator=g)) < 0.4:
                    for _ in range(1 if dof == 0 else 2):
                        element = int(torch.randint(1, E + 1, (), generator=g))
                        sites[position, element] = 1 if dof == 0 else int(torch.randint(1, C + 1, (), generator=g))
        made.append(Protostructure(group, tuple((p, e, n) for (p, e), n in sites.items())))
    return made


GROUPS = [1, 2, 47, 62, 123, 166, 194, 221, 225, 227, 230, 14, 198]


def perturbed(**options) -> WyckoffGNN:
    """A network whose heads say something, too."""
    torch.manual_seed(0)
    net = WyckoffGNN(E, C, T, hidden=options.pop("hidden", 16), **options)
    for head in (net.head_points, net.head_counts):
        nn.init.normal_(head[-1].weight, std=0.3)
    return net


def test_the_table_of_positions() -> None:
    table = position_table()
    assert [int((table.dof == d).sum()) for d in range(4)] == [616, 718, 167, 230]
    assert int(table.number.sum()) == 1731
    assert int(table.number.max()) == int(table.number[47]) == 27
    assert int((table.dof[1:] == 0).any(1).logical_not().sum()) == 85
    assert int(table.multiplicity.max()) == 192
    for kind, total in ((table.dof == 0, 616), (table.dof > 0, 1115)):
        assert torch.equal(table.row[kind], torch.arange(total))


def test_states_go_both_ways() -> None:
    crystals = random_crystals(GROUPS * 3)
    batch = encode(crystals, E, C)
    assert decode(batch) == crystals
    states = States(batch)
    index = torch.tensor([5, 0, 30, 5])
    assert decode(states[index]) == [crystals[i] for i in index]
    assert decode(vacant(torch.tensor([225, 1]), E)) == [None, None]


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: encode([], E, C), "structures"),
        (lambda: encode([Protostructure.from_wyckoffs(225, [("a", "Ag")])], E, C), "elements"),
        (lambda: encode([Protostructure.from_wyckoffs(1, [("a", "H", 4)])], E, C), "most"),
        (lambda: vacant(torch.tensor([231]), E), "space_group"),
        (lambda: WyckoffGNN(0, C, T), "elements"),
        (lambda: WyckoffGNN(E, C, T, attention=()), "attention"),
    ],
)
def test_refused(make, argument: str) -> None:
    with pytest.raises(ArgumentError) as error:
        make()
    assert error.value.argument == argument


def test_renamed_states_are_renamed_crystals() -> None:
    crystals = random_crystals([47, 48, 62, 225])
    relabelings = Relabelings({47, 48, 62, 225})
    assert relabelings.number[[47, 48, 62, 225, 1]].tolist() == [len(maps_of(n)) for n in (47, 48, 62, 225)] + [1]
    batch = encode(crystals, E, C)
    for which in ([0, 0, 0, 0], [5, 47, 1, 1], [11, 2, 0, 1]):
        moved = decode(relabelings.moved(batch, torch.tensor(which)))
        for one, before, k in zip(moved, crystals, which):
            order = maps_of(before.space_group)[k]
            assert one == Protostructure(before.space_group, tuple((int(order[p]), e, n) for p, e, n in before.sites))
            assert one.canonical() == before.canonical()
    torch.manual_seed(0)
    drawn = {decode(relabelings.drawn(encode(crystals[2:3], E, C)))[0] for _ in range(40)}
    assert drawn == set(crystals[2].equivalents())


def plain_layer(net: WyckoffGNN, batch: dict[str, Tensor], t: Tensor, crystal: int) -> tuple[Tensor, Tensor]:
    """The published network, written out for one crystal pair by pair."""
    table = position_table()
    points, counts = batch["points_of"] == crystal, batch["counts_of"] == crystal
    at = torch.cat([batch["points_at"][points], batch["counts_at"][counts]])
    g = batch["group"][crystal].expand(len(at))
    context = (
        net.context["dof"](table.dof[g, at])
        + net.context["letter"](at)
        + net.context["group"](g)
        + net.context["time"](t[crystal].expand(len(at)))
        + net.context["multiplicity"](table.multiplicity[g, at])
    )
    h = torch.cat([net.element(batch["points"][points]), net.counts(net.count(batch["counts"][counts]).squeeze(-1))])
    for layer in net.layers:
        y = torch.cat([h, context], 1)
        first = nn.Linear(2 * y.shape[1], layer.left.out_features)
        first.weight.data, first.bias.data = torch.cat([layer.left.weight, layer.right.weight], 1), layer.left.bias
        attention = nn.Sequential(first, *layer.score)
        rows = []
        for i in range(len(y)):
            weights = torch.stack([attention(torch.cat([y[i], y[j]])) for j in range(len(y))]).softmax(0)
            rows.append(sum(weights[j] * layer.message(y[j]) for j in range(len(y))))
        h = nn.functional.silu(h + torch.stack(rows))
    n = int(points.sum())
    return net.head_points(h[:n]), net.head_counts(h[n:]).view(-1, E, C + 1)


@pytest.mark.parametrize("attention", [(24,), (40, 40)])
def test_network_is_the_published_one(attention: tuple[int, ...]) -> None:
    net = perturbed(attention=attention).double()
    batch, t = encode(random_crystals(GROUPS), E, C), torch.arange(len(GROUPS)) + 1
    said = net(t=t, **batch)
    for crystal in (0, 3, 7, 10):
        points, counts = plain_layer(net, batch, t, crystal)
        torch.testing.assert_close(said["points"][batch["points_of"] == crystal], points, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(said["counts"][batch["counts_of"] == crystal], counts, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("options", [{}, {"company": True, "rank": 2, "norm": True}])
def test_batch_mates_and_order_do_not_matter(options: dict) -> None:
    net = perturbed(**options)
    for table in net.company or []:
        nn.init.normal_(table.weight, std=0.3)
    crystals = random_crystals(GROUPS)
    batch, t = encode(crystals, E, C), torch.arange(len(GROUPS)) + 1
    said = net(t=t, **batch)
    alone = net(t=t[5:6], **encode(crystals[5:6], E, C))
    size = max(float(part.abs().max()) for part in said.values())
    for name in ("points", "counts"):
        assert float((alone[name] - said[name][batch[f"{name}_of"] == 5]).abs().max()) < 1e-6 * size
    order = {name: torch.randperm(len(batch[name]), generator=torch.Generator().manual_seed(1)) for name in ("points", "counts")}
    shuffled = dict(batch)
    for name, index in order.items():
        for part in (name, f"{name}_at", f"{name}_of"):
            shuffled[part] = batch[part][index]
    again = net(t=t, **shuffled)
    for name, index in order.items():
        assert float((again[name] - said[name][index]).abs().max()) < 1e-6 * size


def test_average_over_descriptions_is_invariant() -> None:
    net = perturbed().double()
    over = OverDescriptions(net)
    groups = [47, 62, 225, 14, 1]
    batch, t = encode(random_crystals(groups), E, C), torch.tensor([3, 9, 4, 1, 7])
    relabelings = Relabelings(groups)
    with torch.no_grad():
        said, plain = over(t=t, group=batch["group"], **{k: v for k, v in batch.items() if k != "group"}), net(t=t, **batch)
        moved = relabelings.moved(batch, torch.tensor([7, 1, 1, 3, 0]))
        again = over(t=t, **moved)
        other = net(t=t, **moved)
    for name in ("points", "counts"):
        torch.testing.assert_close(again[name], said[name], rtol=1e-10, atol=1e-10)
        assert float((other[name] - plain[name]).abs().max()) > 1e-3


def test_tables_of_pairs() -> None:
    """Written out: each element of the crystal adds to the logits of all others, those on a position once more; nothing at first."""
    torch.manual_seed(0)
    net = WyckoffGNN(E, C, T, hidden=16, company=True).double()
    batch = encode(random_crystals([62, 225, 14, 1]), E, C)
    t = torch.tensor([3, 9, 4, 1])
    with torch.no_grad():
        said = net(t=t, **batch)
        assert not bool(said["points"].any())
        assert not bool(said["counts"].any())
        far, near = (table.weight.normal_() for table in net.company)
        said = net(t=t, **batch)
    for i in range(4):
        crystal = decode(batch)[i]
        elements = {element for _, element, _ in crystal.sites}
        others = sum(far[:, element - 1] for element in elements)
        for row in (batch["points_of"] == i).nonzero().flatten():
            torch.testing.assert_close(said["points"][row], torch.cat([others.new_zeros(1), others]))
        for row in (batch["counts_of"] == i).nonzero().flatten():
            here = {e for p, e, _ in crystal.sites if p == int(batch["counts_at"][row])}
            expected = others + sum((near[:, element - 1] for element in here), others.new_zeros(E))
            assert not bool(said["counts"][row, :, 0].any())
            torch.testing.assert_close(said["counts"][row, :, 1:], expected.unsqueeze(1).expand(E, C))


def test_a_head_of_low_rank() -> None:
    net, full = perturbed(rank=2), perturbed()
    batch = encode(random_crystals(GROUPS), E, C)
    said = net(t=torch.full((len(GROUPS),), 4), **batch)["counts"]
    assert said.shape == (len(batch["counts"]), E, C + 1)
    assert int(torch.linalg.matrix_rank(said.flatten(0, 1).double(), rtol=1e-5)) == 2
    assert net.head_counts[-1].weight.numel() * 2 == full.head_counts[-1].weight.numel()
