"""The stories that the documentation tells, run as written."""

import math

import pytest
import torch


def test_story_1_make_my_model_symmetric():
    import erlangen as er

    G = er.E(3)
    net = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(15, 64), torch.nn.ReLU(), torch.nn.Linear(64, 15), torch.nn.Unflatten(1, (5, 3))
    )
    model = er.symmetrize(net, G.point, G.point)
    x = torch.randn(8, 5, 3, dtype=torch.float64)
    verdict = er.equivariance_error(model.double(), x, G.point, G.point)
    print(verdict)
    assert verdict
    assert verdict["worst"] < 1e-10

    named = er.symmetrize(net, G.point, G.point, frame=er.frames.Principal())
    assert torch.allclose(named(x), model(x))

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = torch.nn.Linear(5 * 3 + 5 * 3 + 5, 1 + 15)

        def forward(self, data):
            flat = torch.cat([data["pos"].flatten(1), data["vel"].flatten(1), data["charge"].flatten(1)], 1)
            y = torch.tanh(self.inner(flat))
            return {"energy": y[:, :1], "force": y[:, 1:].unflatten(1, (5, 3))}

    inp, out = {"pos": G.point, "vel": G.vector, "charge": G.scalar}, {"energy": G.scalar, "force": G.vector}
    record = er.symmetrize(Net().double(), inp, out)
    data = {"pos": x, "vel": torch.randn_like(x), "charge": torch.randn(8, 5, dtype=torch.float64)}
    assert er.equivariance_error(record, data, inp, out)["worst"] < 1e-10


@pytest.mark.slow
def test_story_2_which_symmetry_do_my_data_have():
    import erlangen as er

    jets = er.data.jets(split="train")
    found = er.discover(jets.x, jets.y)
    print(found)
    assert found
    assert "so(1,3)" in str(found)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(80, 1)).double()
    model = er.symmetrize(net, found.group.vector, found.group.scalar)
    assert er.equivariance_error(model, jets.x[:32], found.group.vector, found.group.scalar)["worst"] < 1e-8


def test_story_2_on_data_without_symmetry_found_is_falsy_and_says_so():
    import erlangen as er

    rng = torch.Generator().manual_seed(0)
    u = torch.rand(2000, 3, generator=rng, dtype=torch.float64).clamp_min(1e-9)
    x = torch.stack([-u[:, 0].log(), (-u[:, 1].log()) ** 2, torch.exp(torch.randn(2000, generator=rng, dtype=torch.float64))], -1)
    found = er.discover(x[:, None], steps=100, quiet=True)
    assert not found
    assert "no symmetry found" in str(found)


def test_story_3_all_equivariant_linear_maps():
    import erlangen as er

    V = er.Symmetric(10).vector
    maps = er.EquivariantMaps(V**2, V**2)
    assert maps.dim == 15
    layer = er.nn.EquivariantLinear(V**2, V**2, channels=(4, 8))
    x = torch.randn(16, 4, 100, dtype=torch.float64)
    assert er.equivariance_error(layer.double(), x, V**2, V**2)["worst"] < 1e-12
    assert er.EquivariantMaps(er.SO(3).vector ** 2, er.SO(3).vector).dim == 1
    with pytest.raises(er.NotEquivariantError, match="counterexample"):
        er.nn.EquivariantMLP(er.SO(3).vector, er.SO(3).vector, activation=torch.nn.ReLU())


def test_story_4_audit_what_i_have(tmp_path):
    import erlangen as er

    G = er.E(3)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(15, 15), torch.nn.Unflatten(1, (5, 3))).double()
    model = er.symmetrize(net, G.point, G.point)
    x = torch.randn(8, 5, 3, dtype=torch.float64)
    audit = er.audit(model, x, G.point, G.point)
    audit.report(tmp_path / "audit.html")
    assert audit.equivariance
    assert (tmp_path / "audit.html").stat().st_size > 10_000


def test_story_5_almost_symmetric():
    """A linear map that turns about z leave alone, but not all turns: the degrees say so after a short training."""
    import erlangen as er

    torch.manual_seed(0)
    x = torch.randn(512, 3)
    y = x * torch.tensor([1.0, 1.0, 2.0])
    model = torch.nn.Linear(3, 3)
    penalty = er.SoftEquivariance(model, groups=[er.SO(3), er.SO(2, axis="z")], steps=300)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-2)
    for _ in range(300):
        task_loss = (model(x) - y).square().mean()
        loss = task_loss + penalty()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    degrees = penalty.degrees()
    assert list(degrees) == ["SO(3)", "SO(2) about z"]
    assert degrees["SO(2) about z"] > 0.99
    assert degrees["SO(3)"] < degrees["SO(2) about z"] - 0.1
    assert penalty.strengths[0] < penalty.strengths[1]
    assert task_loss.item() < 1e-2


def test_story_6_my_own_group_rep_action_and_frame():
    import erlangen as er

    angle = 2 * math.pi / 5
    rotation_by_72_degrees = torch.tensor(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]], dtype=torch.float64
    )
    C = er.MatrixGroup(generators=[rotation_by_72_degrees])
    er.testing.check_group(C)
    assert C.order == 5
    assert len(C.elements()) == 5
    er.testing.check_rep(C.vector**2)
    er.testing.check_rep(C.regular)
    net = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 2)).double()
    model = er.symmetrize(net, C.vector, C.vector)
    assert er.equivariance_error(model, torch.randn(8, 2, dtype=torch.float64), C.vector, C.vector)["worst"] < 1e-12

    class Hue(er.Action):
        """Colours (red, green, blue), hue turned by sixths of a circle: rotation about the grey axis."""

        data_shape = (3,)

        def act(self, g, x):
            g, x = self.align(g, x)
            turns = g[..., 0].to(x.dtype) * math.pi / 3  # where the group's element sends the first of its six points
            grey = x.mean(-1, keepdim=True)
            colour = x - grey
            side = (colour.roll(1, -1) - colour.roll(-1, -1)) / math.sqrt(3)
            return grey + turns.cos()[..., None] * colour + turns.sin()[..., None] * side

    er.testing.check_action(Hue(er.Cyclic(6)))

    class First(er.Frame):
        """Turn the first vector to the first of the pentagon's corners that it is nearest to."""

        def forward(self, inp, x):
            every = inp.group.elements().to(x)
            scores = torch.einsum("bd,gd->bg", x.reshape(len(x), -1, 2)[:, 0], every[:, :, 0])
            return er.frames.Weighted(every[scores.argmax(1)][:, None])

    er.testing.check_frame(First(), C.vector)


def test_networks_with_symmetry_inside():
    import erlangen as er

    rng = torch.Generator().manual_seed(0)
    pos, x = torch.randn(7, 3, generator=rng), torch.ones(7, 1)
    batch, edges = torch.tensor([0, 0, 0, 1, 1, 1, 1]), torch.tensor([[0, 1, 3, 4], [1, 0, 4, 3]])
    net = er.nn.PONITA(in_scalars=1, hidden=32, out_scalars=1, out_vectors=1, layers=3, grid="ico")
    scalars, vectors = net(pos, x, edge_index=edges, batch=batch)
    assert (scalars.shape, vectors.shape) == ((2, 1), (2, 1, 3))
    frames = [("vorticity", "pseudoscalar", 10)]
    flow = er.nn.GFNO(
        n_modes=(12, 12), hidden_channels=10, in_fields=frames, out_fields=[("vorticity", "pseudoscalar", 1)], group="p4m"
    )
    assert flow(torch.randn(1, 10, 32, 32, generator=rng)).shape == (1, 1, 32, 32)
    attend = er.nn.VectorAttention(32, rank=2)
    r, v = torch.randn(2, 5, 3, generator=rng), torch.randn(2, 5, 32, generator=rng)
    energy = attend((r, v))
    turn = er.SO(3).sample(generator=rng)
    torch.testing.assert_close(attend((r @ turn.mT, v)), energy, rtol=1e-4, atol=1e-5)
    g = er.GLplus(3).sample(4, generator=rng, dtype=torch.float64)
    how = er.GLplus(3).decomposition("polar")
    stretch, turn = how.split(g)
    torch.testing.assert_close(how.join(stretch, turn), g)
    torch.testing.assert_close(turn @ turn.mT, torch.eye(3, dtype=torch.float64).expand(4, 3, 3))
    image_net = er.nn.LieConvNet(er.Affine(2), channels=(12, 24, 48), classes=10)
    assert image_net(torch.rand(2, 1, 40, 40, generator=rng)).shape == (2, 10)
    assert er.assert_equivariant(net)
    V = er.O(3).rep("32x0e+32x1o")
    assert er.reps.to_e3nn(V).labels == "32x0e+32x1o"


def test_story_9_parameters(tmp_path):
    from erlangen.parameters import DeepEnsemble, adapters, asymmetrize

    def build():
        return torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.GELU(), torch.nn.Linear(32, 2))

    base, net, adapter = build(), build(), str(tmp_path / "adapter")
    model = adapters.get_peft_model(base, adapters.BoraConfig(r=8, lora_alpha=16, target_modules="all-linear"))
    x = torch.randn(200, 8, generator=torch.Generator().manual_seed(0))
    before = model(x)
    model.save_pretrained(adapter)
    merged = model.merge_and_unload()
    torch.testing.assert_close(merged(x), before, rtol=1e-4, atol=1e-5)

    y = (x[:, 0] > 0).long()
    net = asymmetrize(net, kind="w", n_fix=3, seed=0)
    assert net(x).shape == (200, 2)
    ensemble = DeepEnsemble(build, size=16, masks="shared").fit(x, y)
    assert len(ensemble.members) == 16
    assert ensemble.predict_proba(x).shape == (200, 2)


def test_story_10_crystals_and_microstructures():
    import erlangen as er
    from erlangen.fields import crystals
    from erlangen.fields import microstructures as micro
    from erlangen.training import TrainingConfig

    Fm3m = er.groups.SpaceGroup(225)
    assert [f"{one.multiplicity}{one.letter}" for one in Fm3m.wyckoff_positions][:3] == ["4a", "4b", "8c"]
    proto = crystals.Protostructure.from_label("AB3C_cP5_221_a_c_b:Ba-O-Ti")
    assert proto.composition == {"Ba": 1, "O": 3, "Ti": 1}
    few = TrainingConfig(steps=3)
    dataset = crystals.icsd_clean(5, quiet=True)[:24]
    structures = list(dataset)
    made = crystals.WyckoffDiff(base="zeros", hidden=16).fit(structures, few, quiet=True).sample(100, space_group=225, steps=5)
    assert len(made) == 100
    assert {one.space_group for one in made if one is not None} == {225}
    predicted = crystals.DiffCSP(width=16, layers=1).fit(dataset, few, quiet=True).predict("BaTiO3", n_samples=20, steps=5)
    assert [one.formula for one in predicted] == ["BaTiO3"] * 20
    a, b = micro.factor_roots((64, 64), n_phases=3, seed=0)
    assert micro.equivalent(a, b)
    assert not micro.related(a, b)


def test_story_11_robots(tmp_path):
    from erlangen.fields import robots

    best = robots.design("point-nav", n_legs=4, search="structured", budget=300)
    assert best.group in robots.RadialSpace(4).lattice.names
    best.save(tmp_path / "robot.xml")
    assert robots.RobotSpec.from_xml(tmp_path / "robot.xml") == best.spec
    assert robots.check_engine(best.spec, best.group)


def test_story_12_binaries_curves_and_mechanisms():
    pytest.importorskip("cypari")
    pytest.importorskip("pysat")
    from erlangen.fields import binaries, curves, mechanisms

    assert binaries.degeneracy_group([(2, 2), (2, -2), (0, 1)]).order == 2

    E1, E2 = curves.Curve(67, j=14, trace=4), curves.Curve(67, j=42, trace=4)
    beta = next(step for step in curves.isogenies(E2, 2) if step.codomain == E1)
    assert curves.hom_index(E1, E2, beta) == 4
    members = curves.class_group_action(E2).orbit(E2)
    assert len(members) == 1  # of the maximal order, whose class number is one
    with pytest.raises(ValueError, match="E1"):
        curves.hom_index(E2, E2, beta)

    domain = mechanisms.Domain.grid(4, 3)
    assert not mechanisms.prove(domain, n=2, k=1, norm=2, axioms=["ANON", "PO", "SP"])
    found = mechanisms.prove(domain, n=3, k=1, norm=2, axioms=["ANON", "PO", "SP"])
    assert found.holds
    for name in ("ANON", "PO", "SP"):
        assert mechanisms.check(found.table, name)

    u = [[2, -1, -1], [2, -1, -1]]
    answer = mechanisms.solve(mechanisms.Instance(u), want={"EFX", "PO"})
    assert mechanisms.check(answer, "EFX")
    refused = mechanisms.check(answer, "EFX3")
    assert not refused
    assert refused.witness is not None


def test_story_12_null_infinity():
    from erlangen.fields import spacetime

    past = spacetime.BoundaryData(lambda phi: torch.cos(phi) - 0.5, 0.25, end="past", n=32)
    T = Y = torch.cos(spacetime.circle(32))
    future = spacetime.link(past)
    linked = spacetime.link_generator(spacetime.BMS3Vector(T, Y))
    assert torch.allclose(future.charge(T, Y), past.charge(linked), atol=1e-15)


def test_story_11_colloids():
    from erlangen.fields import colloids

    program = colloids.design("p6m")
    run = colloids.simulate(program, n=81, steps=8000)
    assert program.verified
    assert run.order(6) > 0.8
