"""The main job on each kind of data: the group that is usual for it is tried, imposed, measured and kept on disk."""

import pytest
import torch

from erlangen.data import Collection, DataSet
from erlangen.errors import ArgumentError
from erlangen.fitting import FitConfig, fit, load_fitted
from erlangen.fitting.kinds import kind_of
from erlangen.groups import SE, Cyclic, Dihedral, DirectProduct, E, Symmetric
from erlangen.groups.names import parse_group

SMALL = {"seeds": 1, "steps": 40, "moves": 1, "width": 16, "depth": 1, "batch_size": 32}
COUNT = 96


def generator():
    return torch.Generator().manual_seed(0)


def images():
    """How bright the middle is: every turn and reflection leaves that alone."""
    x = torch.rand(COUNT, 1, 6, 6, generator=generator())
    return Collection.of("images", {"image": x}, x[:, 0, 2:4, 2:4].mean((1, 2)))


def sets():
    rng = generator()
    there = torch.rand(COUNT, 5, generator=rng) < 0.8
    there[:, 0] = True
    x = torch.randn(COUNT, 5, 2, generator=rng, dtype=torch.float64) * there.unsqueeze(-1)
    return Collection.of("sets", {"members": x, "there": there}, x.square().sum((1, 2)))


def sequences():
    x = torch.randn(COUNT, 7, 2, generator=generator(), dtype=torch.float64)
    return Collection.of("sequences", {"sequence": x}, x.square().sum((1, 2)))


def graphs():
    """Triangles in random graphs."""
    a = (torch.rand(COUNT, 6, 6, generator=generator()) < 0.5).double().triu(1)
    a = a + a.mT
    x = {"nodes": torch.ones(COUNT, 6, 1).double(), "edges": a.unsqueeze(-1), "there": torch.ones(COUNT, 6, dtype=torch.bool)}
    return Collection.of("graphs", x, (a @ a @ a).diagonal(dim1=1, dim2=2).sum(1) / 6, target="scalar")


def weights():
    """How large the linear map is that two layers make; hidden units have no order."""
    rng, shapes = generator(), {"0.weight": (5, 3), "0.bias": (5,), "2.weight": (2, 5), "2.bias": (2,)}
    x = {name: torch.randn(COUNT, 1, *shape, generator=rng) for name, shape in shapes.items()}
    return Collection.of("weights", x, (x["2.weight"] @ x["0.weight"]).square().sum((1, 2, 3)))


def atoms(target=lambda pos, numbers: pos.norm(dim=-1).sum(-1)):
    """Clouds of up to five atoms, some in cells; the default target is how far they lie from their middle, in all."""
    rng = generator()
    there = torch.arange(5) < torch.randint(2, 6, (COUNT, 1), generator=rng)
    numbers = torch.randint(1, 9, (COUNT, 5), generator=rng) * there
    pos = 1.5 * torch.randn(COUNT, 5, 3, generator=rng, dtype=torch.float64)
    pos = (pos - (pos * there.unsqueeze(-1)).sum(1, keepdim=True) / there.sum(1)[:, None, None]) * there.unsqueeze(-1)
    y = target(pos, numbers)
    cell, pbc = torch.zeros(COUNT, 3, 3, dtype=torch.float64), torch.zeros(COUNT, 3, dtype=torch.bool)
    cell[: COUNT // 2] = 6 * torch.eye(3, dtype=torch.float64)
    pbc[: COUNT // 2] = True
    return Collection.of("atoms", {"pos": pos, "numbers": numbers, "cell": cell, "pbc": pbc}, y)


USUAL = {
    images: Dihedral(4),
    sets: Symmetric(5),
    sequences: Dihedral(7),
    graphs: Symmetric(6),
    weights: DirectProduct(Symmetric(5)),
    atoms: DirectProduct(E(3), Symmetric(5)),
}


@pytest.mark.parametrize("made", USUAL, ids=lambda made: made.__name__)
def test_the_usual_group_comes_first_and_is_imposed_exactly(made, tmp_path):
    data, group = made(), USUAL[made]
    assert kind_of(data).candidates()[0].group == group
    result = fit(data, config=FitConfig(**SMALL), root=tmp_path, quiet=True)
    assert result.tried.trials[0].candidate.group == group
    assert str(group) in result.outcome.answer
    if result.group is None:  # forty steps may not be enough to see it; the trial then says by how much
        assert not any(trial.holds for trial in result.tried.trials)
        result = fit(data, config=FitConfig(group=str(group), **SMALL), root=tmp_path, quiet=True)
    plain, symmetrized = result.assessments["plain"], result.assessments["symmetrized"]
    assert symmetrized.equivariance["float64"]["worst"] < 1e-10
    assert plain.equivariance["float64"]["worst"] > 1e-6
    assert symmetrized.moved == pytest.approx(symmetrized.scores, abs=1e-3)
    again, x = load_fitted(result.directory), kind_of(data).inputs(data.subset(slice(4)).x)
    assert torch.equal(again(x), result.model.eval()(x))
    assert "Groups tried" in (result.directory / "report.html").read_text() or result.tried is None


def test_a_task_that_breaks_a_group_keeps_a_smaller_one(tmp_path):
    """The mean of the upper half: the horizontal reflection alone leaves it. A candidate that loses clearly is trained with one seed."""
    x = torch.rand(240, 1, 4, 4, generator=generator())
    data = Collection.of("images", {"image": x}, x[:, 0, :2].mean((1, 2)))
    config = FitConfig(seeds=2, steps=200, moves=1, width=32, depth=1)
    result = fit(data, config=config, root=tmp_path, quiet=True)
    folders = {p.name: len(list(p.iterdir())) for p in (result.directory / "checkpoints").glob("candidate-*")}
    for i, trial in enumerate(result.tried.trials):
        assert folders[f"candidate-{i}"] == 2 or trial.loss - trial.plain > 3 * trial.error
    assert 1 in folders.values()  # quarter turns lose at once
    assert result.group == Dihedral(1)
    assert [trial.holds for trial in result.tried.trials] == [False, False, False, False, True]
    assert "D_4 (quarter turns and reflections) loses on held-out data" in result.outcome.answer
    assert {name: len(a.scores) for name, a in result.assessments.items()} == {"plain": 2, "symmetrized": 2}


def test_handedness_is_seen_without_reflections_alone():
    """A triple product changes sign under reflections: no network of E(3) tells it, one of SE(3) does."""
    data = atoms()
    kind = kind_of(data)
    mirrored = {**data.x, "pos": -data.x["pos"], "cell": -data.x["cell"]}
    torch.manual_seed(0)
    for group, equal in ((E(3), True), (SE(3), False)):
        net = kind.network(16, 1, 0.0, DirectProduct(group, Symmetric(5))).double()
        with torch.no_grad():
            assert bool((net(data.x) - net(mirrored)).abs().max() < 1e-12) == equal


def test_vectors_of_structures_turn_along(tmp_path):
    """A dipole: the sum of positions times atomic numbers."""
    data = atoms()
    dipole = (data.x["pos"] * data.x["numbers"].unsqueeze(-1)).sum(1, keepdim=True)
    data = Collection.of("atoms", data.x, dipole)
    assert data.target == "vector"
    result = fit(data, config=FitConfig(group="SE(3) x S(5)", **SMALL), root=tmp_path, quiet=True)
    assert result.assessments["symmetrized"].equivariance["float64"]["worst"] < 1e-10
    assert result.model(data.x).shape == (COUNT, 1, 3)


def test_groups_that_do_not_act_are_named(tmp_path):
    for data, group in ((images(), "S(5)"), (sets(), "SO(3)"), (graphs(), "S(5)"), (atoms(), "E(3)"), (weights(), "S(4)")):
        with pytest.raises(ArgumentError, match="'group'"):
            fit(data, config=FitConfig(group=group), root=tmp_path, quiet=True)
    with pytest.raises(ArgumentError, match="'soft'"):
        fit(sets(), config=FitConfig(soft=True), root=tmp_path, quiet=True)
    assert kind_of(images()).input_action(Cyclic(4)) is not None


@pytest.mark.parametrize("group", ["S(5) x SO(3)", "E(3) x S(5)", "S(5)"])
def test_tokens_may_have_no_order_besides(group, tmp_path):
    x = torch.randn(COUNT, 5, 3, generator=generator(), dtype=torch.float64)
    for y in (x.square().sum((1, 2)), x.roll(0, 1) - x.mean(1, keepdim=True)):
        result = fit(DataSet.of(x, y), config=FitConfig(group=group, **SMALL), root=tmp_path, quiet=True)
        assert result.assessments["symmetrized"].equivariance["float64"]["worst"] < 1e-10
        assert result.assessments["plain"].equivariance["float64"]["worst"] > 1e-3
        assert torch.equal(load_fitted(result.directory)(x), result.model.eval()(x))
    data = DataSet.of(x[..., :2], x.square().sum((1, 2)))
    with pytest.raises(ArgumentError, match="'group'"):  # its frames depend on the order of the tokens
        fit(data, config=FitConfig(group="S(5) x SO(1,1)", **SMALL), root=tmp_path, quiet=True)


def test_groups_of_the_plane_act_on_pictures():
    kind = kind_of(images())
    acting = [name for name in ("C2", "C4", "C8", "D1", "D6", "SO(2)", "O(2)", "SO(3)", "S4", "E(2)", "T(2)") if acts(kind, name)]
    assert acting == ["C2", "C4", "C8", "D1", "D6", "SO(2)", "O(2)"]
    half = kind.input_action(Cyclic(2))
    x = images().x["image"]
    assert torch.equal(half.act(Cyclic(2).element(1), x), x.flip(-1, -2))


def acts(kind, name):
    return kind.input_action(parse_group(name)) is not None


def test_pictures_that_are_no_squares_are_mirrored_and_half_turned():
    """D_2 is the identity, the half turn and the two reflections; quarter turns do not act, and are not tried."""
    kind = kind_of(Collection("strips", "images", {"image": torch.rand(COUNT, 1, 3, 5)}))
    assert [str(candidate.group) for candidate in kind.candidates()] == ["D_2", "C_2", "D_1"]
    x = torch.arange(15.0).reshape(1, 3, 5)
    action = kind.input_action(Dihedral(2))
    assert action.keeps_axes
    moved = [action.act(g, x) for g in Dihedral(2).elements()]
    assert all(torch.equal(a, b) for a, b in zip(moved, [x, x.flip(1, 2), x.flip(2), x.flip(1)]))
    assert kind.input_action(Dihedral(4)) is None
    assert kind.input_action(parse_group("SO(2)")) is None


def test_half_turns_and_reflections_are_found_where_quarter_turns_lose(tmp_path):
    """Bright rows in the middle: both reflections leave them alone, a quarter turn makes columns of them."""
    x = torch.rand(240, 1, 4, 4, generator=generator())
    data = Collection.of("images", {"image": x}, x[:, 0, 1:3].mean((1, 2)))
    result = fit(data, config=FitConfig(seeds=2, steps=200, moves=1, width=32, depth=1), root=tmp_path, quiet=True)
    assert result.group == Dihedral(2)


@pytest.mark.parametrize("made", [sets, graphs])
def test_a_network_without_a_group_does_not_see_where_gaps_are(made):
    """What is not there closes up: moved copies differ by the order of members, not by gaps that no file has."""
    data = made().padded(8)
    size = data.x["there"].shape[1]
    net = kind_of(data).network(16, 1, 0.0).double()
    net.standardise(data.x)
    order = torch.tensor([size - 1, 0, *range(1, size - 1)])  # what is last, and not there, comes first
    moved = {name: part[:, order] for name, part in data.x.items()}
    if "edges" in moved:
        moved["edges"] = moved["edges"][:, :, order]
    assert not bool(moved["there"][:, 0].any())
    assert torch.equal(net(moved), net(data.x))


def test_nothing_learned_says_nothing_of_a_group(tmp_path):
    x = torch.rand(COUNT, 1, 4, 4, generator=generator())
    data = Collection.of("images", {"image": x}, torch.randn(COUNT, generator=generator()))
    answer = fit(data, config=FitConfig(**SMALL | {"steps": 5}), root=tmp_path, quiet=True).outcome.answer
    assert "Neither has learned the target, so that nothing is known of D_4." in answer or "No symmetry found" in answer


def test_without_a_group_to_try_none_is_said_to_be_missing(tmp_path):
    x = torch.randn(COUNT, 2, 1, generator=generator(), dtype=torch.float64)
    data = Collection.of("sequences", {"sequence": x}, x[:, 0, 0])
    outcome = fit(data, config=FitConfig(**SMALL), root=tmp_path, quiet=True).outcome
    assert outcome.answer.startswith("No group tried, for none is usual for such data; the plain network")
    audit = next(section for section in outcome.sections if section.heading == "The audit")
    assert not audit.figures  # one bar says nothing
