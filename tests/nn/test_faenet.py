"""FAENet with frames on molecules, slabs and crystals: symmetry, periodicity, forces, counts and refusals."""

import itertools
import math

import pytest
import torch
from scipy.stats import ks_2samp
from torch import nn

import erlangen as er
from erlangen.actions import AtomBatch
from erlangen.errors import ArgumentError
from erlangen.groups.axial import AxialE, AxialSE
from erlangen.measure import symmetry_report
from erlangen.nn import FAENet, GradientForces
from erlangen.nn.elements import PROPERTIES, elements
from erlangen.symmetrize import Lattice, Planar, Principal, Stochastic

F64 = torch.float64
MESSAGES = ("base", "updownscale_base", "updownscale", "updown_local_env", "simple")
CUTOFF = 3.5


def net(seed=0, dtype=F64, **options):
    settings = {
        "cutoff": CUTOFF, "hidden_channels": 32, "num_filters": 32, "num_gaussians": 10, "num_interactions": 2,
        "tag_hidden_channels": 4, "pg_hidden_channels": 4, "phys_hidden_channels": 4, "max_num_neighbors": None,
    }  # fmt: skip
    torch.manual_seed(seed)
    return FAENet(**{**settings, **options}).to(dtype)


def structures(dtype=F64):
    """A molecule, a slab with its normal along z, and a crystal, without symmetry; all atoms in general positions."""
    rng = torch.Generator().manual_seed(1)
    molecule = torch.tensor([[0.0, 0, 0], [1.3, 0.2, -0.1], [2.1, 1.3, 0.4], [-0.8, 0.9, 0.2], [-0.5, -0.9, 0.6]], dtype=F64)
    grid = torch.cartesian_prod(torch.arange(2.0), torch.arange(2.0), torch.arange(2.0)).double() * 2.6
    slab = grid + 0.2 * torch.rand(8, 3, generator=rng, dtype=F64)
    crystal = torch.rand(4, 3, generator=rng, dtype=F64) * 4
    cells = [
        torch.zeros(3, 3),
        torch.tensor([[5.2, 0, 0], [1.1, 5.0, 0], [0, 0, 20.0]]),
        torch.tensor([[4.1, 0, 0], [0.7, 3.9, 0], [0.4, 1.2, 4.4]]),
    ]
    return AtomBatch.of(
        torch.cat([molecule, slab, crystal]).to(dtype),
        [6, 6, 8, 1, 1, *[29] * 6, 6, 8, 11, 17, 11, 17],
        batch=torch.tensor([0] * 5 + [1] * 8 + [2] * 4),
        cell=torch.stack(cells),
        pbc=[[False] * 3, [True, True, False], [True] * 3],
        tags=[0] * 5 + [0] * 2 + [1] * 4 + [2] * 2 + [0] * 4,
    ).with_edges(CUTOFF)  # fmt: skip


def wrap(model, G, frame, **options):
    return er.symmetrize(model, *model.records(G), frame=frame, **options)


def errors(model, batch, G, **options):
    inp, _ = (model.model if hasattr(model, "frame") else model).records(G)
    parts = {"energy": G.scalar, "forces": G.vector}
    return max(
        er.equivariance_error(lambda x, n=name: model(x)[n], batch.record(), inp, out, elements=6, **options)["worst"]
        for name, out in parts.items()
        if name in model(batch.record())
    )


# ---- 1, 3, 6: exact in evaluation ----


@pytest.mark.parametrize("mp_type", MESSAGES)
def test_every_message_type_is_symmetric_with_a_frame_and_not_without(mp_type):
    model = net(mp_type=mp_type, regress_forces="direct", complex_mp=mp_type == "base")
    batch = structures()
    assert errors(wrap(model, er.E(3), Principal()).eval(), batch, er.E(3)) < 1e-9
    assert errors(model, batch, er.E(3)) > 1e-3


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize(
    ("G", "frame"),
    [
        (er.SE(3), Principal),
        (er.E(3), Principal),
        (AxialSE("z"), Planar),
        (AxialE("z"), Planar),
        (er.SO(3), lambda: Principal(of="pos")),
    ],
)
def test_groups_and_precisions(G, frame, dtype):
    model = wrap(net(dtype=dtype, regress_forces="direct"), G, Stochastic(frame())).eval()
    assert errors(model, structures(dtype), G) < (1e-9 if dtype == F64 else 1e-4)


@pytest.mark.parametrize("energy_head", [None, "weighted-av-initial-embeds", "weighted-av-final-embeds"])
@pytest.mark.parametrize("skip_co", [None, "add", "concat", "concat_atom"])
def test_heads_and_order_of_atoms(energy_head, skip_co):
    model = wrap(net(energy_head=energy_head, skip_co=skip_co, regress_forces="direct", out_dim=2), er.SE(3), Principal()).eval()
    batch = structures()
    y = model(batch.record())
    assert y["energy"].shape == (3, 2)
    order = torch.randperm(17, generator=torch.Generator().manual_seed(0))
    place = order.argsort()
    mixed = AtomBatch(
        batch.pos[order], batch.numbers[order], batch.batch[order], batch.cell, batch.pbc, batch.tags[order],
        place[batch.edge_index], batch.cell_offsets,
    )  # fmt: skip
    z = model(mixed.record())
    assert torch.allclose(z["energy"], y["energy"], atol=1e-10)
    assert torch.allclose(z["forces"], y["forces"][order], atol=1e-10)


@pytest.mark.parametrize("force_decoder_type", ["simple", "mlp", "res", "res_updown"])
@pytest.mark.parametrize("force_norm", [None, "layer", "batch"])
def test_force_heads(force_decoder_type, force_norm):
    model = net(regress_forces="direct", force_decoder_type=force_decoder_type, force_norm=force_norm, force_hidden_channels=16)
    y = model(structures())
    assert y["forces"].shape == (17, 3)
    assert bool(y["forces"].isfinite().all())


def test_the_average_over_all_frames_is_what_evaluation_gives():
    model, batch = net(regress_forces="direct"), structures()
    full = wrap(model, er.E(3), Principal())
    every = wrap(model, er.E(3), Stochastic(Principal(), 8)).train()
    for name in ("energy", "forces"):
        assert torch.allclose(every(batch.record())[name], full(batch.record())[name], atol=1e-10)
    frames = full.frames(batch.record()).elements
    assert frames.shape == (3, 8, 4, 4)
    total = 0
    for k in range(8):
        R, t = frames[:, k, :3, :3], frames[:, k, :3, 3]
        pos = torch.einsum("ni,nij->nj", batch.pos - t[batch.batch], R[batch.batch])
        y = model(batch.replace(pos=pos, cell=batch.cell @ R))
        total = total + torch.einsum("nj,nij->ni", y["forces"], R[batch.batch]) / 8
    assert torch.allclose(total, full(batch.record())["forces"], atol=1e-10)


def test_canonical_coordinates_keep_shapes_and_volumes():
    batch = structures()
    model = net()
    seen = wrap(model, er.E(3), Principal()).canonical_inputs(batch.record())
    copies = AtomBatch.from_pyg(seen)
    lengths = batch.vectors().norm(dim=-1)
    assert torch.allclose(copies.vectors().norm(dim=-1), lengths.repeat(8), atol=1e-10)
    assert torch.allclose(torch.linalg.det(copies.cell).abs(), torch.linalg.det(batch.cell).abs().repeat(8), atol=1e-10)
    flat = AtomBatch.from_pyg(wrap(model, AxialE("z"), Planar()).canonical_inputs(batch.record()))
    assert torch.allclose(flat.pos[:, 2], batch.pos[:, 2].repeat(4), atol=1e-13)
    assert torch.allclose(flat.cell[..., 2], batch.cell[..., 2].repeat(4, 1), atol=1e-13)
    again = copies.with_edges(CUTOFF)  # edges do not depend on the frame
    assert torch.equal(again.edge_index, copies.edge_index)


def test_wrapping_with_an_example_checks_the_whole_model():
    model, batch = net(regress_forces="direct"), structures()
    assert errors(wrap(model, er.SE(3), Principal(), example=batch.record()), batch, er.SE(3)) < 1e-9
    assert wrap(model, er.E(3), Lattice(), example=batch.select([2]).record()).training

    class BySum(Principal):
        """The published single frame: each axis has the sign that makes the sum of its entries positive. It is not equivariant."""

        def forward(self, inp, x):
            found = super().forward(inp, x)
            best = found.elements[:, :, :3, :3].sum((-1, -2)).argmax(1)
            return found._replace(elements=found.elements[torch.arange(len(best)), best].unsqueeze(1))

    with pytest.raises(ArgumentError, match="'frame'"):
        wrap(model, er.E(3), BySum(), check=True, example=batch.record())


# ---- 2, 4: symmetric in distribution ----


def test_draws_have_the_law_of_rotated_draws():
    molecule = structures().select([0])
    G = er.SE(3)
    model = net(regress_forces="direct", num_interactions=1)
    rng = torch.Generator().manual_seed(0)
    g = G.sample(dtype=F64, generator=rng)
    R = g[:3, :3]
    moved = molecule.replace(pos=G.point.act(g, molecule.pos))
    full = wrap(model, G, Principal()).eval()

    def each(one):
        k = full.frames(one.record()).elements[0]
        with torch.no_grad():
            seen = [model(one.replace(pos=G.point.act(G.inverse(e), one.pos))) for e in k]
        values = [torch.cat([y["energy"][0], (y["forces"] @ e[:3, :3].T).flatten()]) for y, e in zip(seen, k)]
        return torch.stack(values)

    def turned_back(values):
        return torch.cat([values[:, :1], (values[:, 1:].unflatten(1, (-1, 3)) @ R).flatten(1)], 1)

    here, there = each(molecule), turned_back(each(moved))
    distance = torch.cdist(here, there, compute_mode="donot_use_mm_for_euclid_dist")
    assert here.shape[0] == 4
    assert float(distance.amin(1).max()) < 1e-9
    assert sorted(distance.argmin(1).tolist()) == [0, 1, 2, 3]

    drawing = wrap(model, G, Stochastic(Principal(), always=True, generator=rng))

    def draws(one):
        many = AtomBatch.concat([one] * 1000)
        with torch.no_grad():
            ys = [drawing(many.record()) for _ in range(4)]
        return torch.cat([torch.cat([y["energy"], y["forces"].view(1000, -1)], 1) for y in ys])

    a, b = draws(molecule), turned_back(draws(moved))
    # Predictions of the same frame differ by rounding; put them on the same grid before comparing.
    a, b = (values.mul(1e6).round() for values in (a, b))
    for column in (0, 1, 7):
        assert len(set(a[:, column].tolist())) >= 3
        assert ks_2samp(a[:, column].numpy(), b[:, column].numpy()).pvalue > 1e-3


def test_structures_of_a_batch_draw_for_themselves():
    many = AtomBatch.concat([structures().select([0])] * 64)
    model = wrap(net(), er.E(3), Stochastic(Principal(), generator=torch.Generator().manual_seed(0))).train()
    energies = model(many.record())["energy"][:, 0].detach()
    assert len({round(float(e), 9) for e in energies}) >= 5


# ---- 5, 7: batches and cells ----


@pytest.mark.parametrize("mp_type", MESSAGES)
def test_a_structure_alone_gives_what_it_gives_in_a_batch(mp_type):
    model, batch = net(mp_type=mp_type, regress_forces="direct").eval(), structures()
    y = model(batch)
    start = 0
    for i in range(3):
        alone = batch.select([i])
        assert torch.allclose(model(alone)["energy"][0], y["energy"][i], rtol=1e-10)
        assert torch.allclose(model(alone)["forces"], y["forces"][start : start + len(alone.pos)], rtol=1e-9, atol=1e-12)
        start += len(alone.pos)


def doubled(batch):
    """The same crystal with its first lattice vector twice as long."""
    cell = batch.cell.clone()
    cell[:, 0] *= 2
    pos = torch.cat([batch.pos, batch.pos + batch.cell[0, 0]])
    return AtomBatch.of(pos, torch.cat([batch.numbers] * 2), cell=cell, pbc=batch.pbc, tags=torch.cat([batch.tags] * 2))


@pytest.mark.parametrize("which", [1, 2])
def test_a_double_cell_has_twice_the_energy(which):
    one = structures().select([which])
    model = net(graph_norm=False, skip_co="add").eval()
    two = doubled(one).with_edges(CUTOFF)
    assert two.edge_index.shape[1] == 2 * one.edge_index.shape[1]
    assert torch.allclose(model(two)["energy"], 2 * model(one)["energy"], rtol=1e-9)
    with_norm = net().eval()
    assert torch.allclose(with_norm(two)["hidden_state"][: len(one.pos)], with_norm(one)["hidden_state"], rtol=1e-8, atol=1e-10)


def test_another_basis_of_the_lattice_changes_nothing():
    crystal = structures().select([2])
    change = torch.tensor([[1.0, 2, 0], [0, 1, -1], [0, 0, 1]], dtype=F64)
    other = crystal.replace(cell=change @ crystal.cell).with_edges(CUTOFF)
    model = wrap(net(regress_forces="direct"), er.SE(3), Principal()).eval()
    a, b = model(crystal.record()), model(other.record())
    assert sorted(crystal.vectors().norm(dim=-1).round(decimals=9).tolist()) == sorted(
        other.vectors().norm(dim=-1).round(decimals=9).tolist()
    )
    assert torch.allclose(a["energy"], b["energy"], atol=1e-8)
    assert torch.allclose(a["forces"], b["forces"], atol=1e-8)


def test_wrapping_an_atom_moves_principal_frames_but_not_lattice_frames():
    G, crystal = er.SE(3), structures().select([2])
    wrapped = crystal.replace(pos=crystal.pos + torch.eye(4, dtype=F64)[:, :1] * crystal.cell[0, 1]).with_edges(CUTOFF)
    model = net(regress_forces="direct").eval()
    assert torch.allclose(model(crystal)["energy"], model(wrapped)["energy"], atol=1e-10)
    change = []
    for frame in (Principal(), Lattice()):
        wrapped_model = wrap(model, G, frame).eval()
        change.append(float((wrapped_model(crystal.record())["energy"] - wrapped_model(wrapped.record())["energy"]).detach().abs()))
        assert errors(wrapped_model, crystal, G) < 1e-9
    assert change[0] > 1e-4
    assert change[1] < 1e-10


def test_edges_are_made_where_there_are_none():
    model, batch = net(), structures()
    bare = batch.replace(edge_index=None, cell_offsets=None)
    assert torch.equal(model(bare)["energy"], model(batch)["energy"])
    inp, out = model.records(er.SE(3), edges=False)
    wrapped = er.symmetrize(model, inp, out, frame=Principal()).eval()
    assert torch.allclose(wrapped(bare.record())["energy"], wrap(model, er.SE(3), Principal())(batch.record())["energy"], atol=1e-9)


@pytest.mark.parametrize("mp_type", MESSAGES)
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_energies_and_forces_do_not_jump_at_a_smooth_cutoff(mp_type, dtype):
    def at(model, shift):
        pos = torch.tensor([[0.0, 0, 0], [1.1, 0.2, 0.3], [0.4, 1.3, -0.2], [0.0, 0.0, 0.0]], dtype=dtype)
        pos[3] = pos[0] + (CUTOFF + shift) * torch.tensor([0.6, 0.0, -0.8], dtype=dtype)
        y = model(AtomBatch.of(pos, [29, 8, 6, 1]))
        return y["energy"].detach(), y["forces"].detach()

    step = 1e-4
    for smooth in (True, False):
        model = net(dtype=dtype, mp_type=mp_type, regress_forces="from_energy", smooth_cutoff=smooth).eval()
        jumps = [float((a - b).norm()) for a, b in zip(at(model, -step), at(model, step))]
        assert (max(jumps) < 2e-3) == smooth, jumps
    with pytest.raises(ArgumentError, match="'max_num_neighbors'"):
        net(smooth_cutoff=True, max_num_neighbors=40)


# ---- 8: forces from energies ----


def differences(energy, pos, h=1e-5):
    found = torch.zeros_like(pos)
    for i, j in itertools.product(range(len(pos)), range(3)):
        step = torch.zeros_like(pos)
        step[i, j] = h
        found[i, j] = (energy(pos + step) - energy(pos - step)) / (2 * h)
    return -found


@pytest.mark.parametrize(("G", "frame"), [(er.SE(3), Principal), (AxialE("z"), Planar)])
@pytest.mark.parametrize("which", [0, 2])
def test_forces_through_the_frame_are_the_gradient_of_the_averaged_energy(which, G, frame):
    one = structures().select([which])
    model = GradientForces(wrap(net(), G, frame(grad=True))).eval()
    forces = model(one.record())["forces"]

    def energy(pos):
        with torch.no_grad():
            return model.model(one.replace(pos=pos).record())["energy"].sum()

    wanted = differences(energy, one.pos)
    assert float((forces - wanted).norm() / wanted.norm()) < 1e-5


def test_forces_inside_the_frame_are_the_gradient_with_the_frame_held():
    one = structures().select([0])
    model = net(regress_forces="from_energy").eval()
    wrapped = wrap(model, er.SE(3), Principal())
    frames = wrapped.frames(one.record()).elements[0]

    def energy(pos):
        with torch.no_grad():
            return (
                sum(model._predict(one.replace(pos=er.SE(3).point.act(er.SE(3).inverse(g), pos)))["energy"].sum() for g in frames)
                / 4
            )

    forces, wanted = wrapped(one.record())["forces"], differences(energy, one.pos)
    assert float((forces - wanted).norm() / wanted.norm()) < 1e-5
    through = GradientForces(wrap(net(), er.SE(3), Principal(grad=True))).eval()(one.record())["forces"]
    assert float((through - wanted).norm() / wanted.norm()) > 1e-3  # the two definitions do differ
    assert errors(wrapped, structures(), er.SE(3)) < 1e-9


def test_forces_train_through_second_derivatives_and_the_target_is_detached():
    model = net(regress_forces="from_energy").train()
    model(structures())["forces"].square().sum().backward()
    assert float(model.atoms.element.weight.grad.norm()) > 0
    model = net(regress_forces="direct_with_gradient_target").train()
    y = wrap(model, er.E(3), Stochastic(Principal())).train()(structures().record())
    assert not y["forces_grad_target"].requires_grad
    assert y["forces"].requires_grad
    with torch.no_grad():
        again = model(structures())["forces_grad_target"]
    assert torch.allclose(again, net(regress_forces="from_energy")(structures())["forces"], atol=1e-12)


# ---- 9: counts and gradients ----


def count(H, F, g, n, tag, pg, phys, D):
    """The formula of the guide."""
    width = H - tag - 2 * pg - (phys or 14)
    atoms = 85 * width + 3 * tag + 25 * pg + (15 * phys) + 2 * (H * H + H)
    edges = 4 * F // 2 + (g + 1) * F // 2 + F * F + F
    block = (H * F + F) + ((F + 2 * H) * F + F) + 3 * F + (F * H + H)
    head = H * (H // 2) + H // 2 + H // 2 + 1
    forces = H * D + D + 2 * D + 3 * D + 3
    return atoms + edges + n * block + head + (n + 2) + forces


@pytest.mark.parametrize(("H", "F", "g", "n", "tag", "pg", "phys"), [(64, 64, 20, 2, 0, 8, 0), (128, 96, 50, 4, 32, 16, 12)])
def test_numbers_of_parameters(H, F, g, n, tag, pg, phys):
    model = FAENet(
        hidden_channels=H, num_filters=F, num_gaussians=g, num_interactions=n, tag_hidden_channels=tag, pg_hidden_channels=pg,
        phys_hidden_channels=phys, regress_forces="direct", force_hidden_channels=40,
    )  # fmt: skip
    assert sum(p.numel() for p in model.parameters()) == count(H, F, g, n, tag, pg, phys, 40)


@pytest.mark.parametrize("mp_type", MESSAGES)
def test_gradients_reach_every_parameter(mp_type):
    model = net(mp_type=mp_type, regress_forces="direct", complex_mp=True, energy_head="weighted-av-final-embeds").train()
    y = wrap(model, er.SE(3), Stochastic(Principal())).train()(structures().record())
    (y["energy"].square().sum() + y["forces"].square().sum()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().sum()) > 0, name


def test_filters_by_atoms_are_filters_by_edges():
    """The split matrix product against the concatenation it stands for."""
    block, batch = net().blocks[0], structures()
    rng = torch.Generator().manual_seed(0)
    h = torch.randn(17, 32, generator=rng, dtype=F64)
    e = torch.randn(batch.edge_index.shape[1], 32, generator=rng, dtype=F64)
    source, target = batch.edge_index
    wanted = nn.functional.silu(block.filter(torch.cat([e, h[source], h[target]], -1)))
    assert torch.allclose(block._filter(h, e, source, target), wanted, atol=1e-12)


def test_the_table_of_elements():
    table = elements()
    assert len(table.names) == 14 == len(PROPERTIES)
    assert table.properties.shape == (86, 14)
    assert bool(table.properties.isfinite().all())
    assert torch.allclose(table.properties[1:].mean(0), torch.zeros(14), atol=1e-5)
    assert table.period[[1, 6, 26, 47, 79]].tolist() == [0, 1, 3, 4, 5]
    assert table.group[[1, 2, 6, 26, 47, 58]].tolist() == [0, 17, 13, 7, 10, 18]
    ionization = dict(zip(table.names, table.properties[2].tolist()))["ionization_energy_1"]
    assert ionization == float(table.properties[:, table.names.index("ionization_energy_1")].max())  # helium's is the largest


# ---- 11: symmetric structures ----


def test_symmetric_structures_have_frames_that_hold():
    corners = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=F64) * 0.63
    methane = torch.cat([torch.zeros(1, 3, dtype=F64), corners])
    angle = torch.arange(6, dtype=F64) * (math.pi / 3)
    ring = torch.stack([angle.cos(), angle.sin(), 0 * angle], -1)
    benzene = torch.cat([1.39 * ring, 2.48 * ring])
    salt = torch.tensor([[0.0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]], dtype=F64) * 5.6
    batch = AtomBatch.of(
        torch.cat([methane, benzene, salt]), [6, 1, 1, 1, 1] + [6] * 6 + [1] * 6 + [11, 17, 17, 17],
        batch=torch.tensor([0] * 5 + [1] * 12 + [2] * 4), cell=torch.stack([torch.zeros(3, 3), torch.zeros(3, 3), 5.6 * torch.eye(3)]),
    ).with_edges(CUTOFF)  # fmt: skip
    model = wrap(net(regress_forces="direct"), er.E(3), Stochastic(Principal(degenerate="weighted")), check=False).eval()
    assert errors(model, batch, er.E(3)) < 1e-9
    drawn = model.train()(batch.record())
    assert bool(drawn["energy"].isfinite().all())
    # A cubic lattice with an atom off its place: forces that are not zero by symmetry can be compared.
    crystal = batch.select([2])
    crystal = crystal.replace(pos=crystal.pos + torch.tensor([[0.1, 0.2, -0.1]], dtype=F64) * torch.eye(4, dtype=F64)[:, :1])
    assert errors(wrap(net(regress_forces="direct"), er.E(3), Lattice()).eval(), crystal, er.E(3)) < 1e-9
    planar = wrap(net(regress_forces="direct"), AxialE("z"), Planar(degenerate="weighted"), check=False).eval()
    assert errors(planar, batch.select([1]), AxialE("z")) < 1e-9


# ---- the report ----


def test_the_report_tells_strategies_apart():
    model, batches, G = net(regress_forces="direct"), [structures().record()], er.E(3)
    inp, _ = model.records(G)
    rng = torch.Generator().manual_seed(0)
    bare = symmetry_report(model, batches, G, inp, elements=4, generator=rng)
    full = symmetry_report(wrap(model, G, Principal()).eval(), batches, G, inp, elements=4, generator=rng)
    proper = symmetry_report(wrap(model, er.SE(3), Principal()).eval(), batches, G, inp, elements=4, generator=rng)
    assert bare.rotation_energy > 1e-3
    assert bare.reflection_forces > 1e-3
    assert bare.positions is None
    for value in (full.rotation_energy, full.reflection_energy, full.rotation_forces, full.reflection_forces, full.positions):
        assert value < 1e-9
    assert proper.rotation_energy < 1e-9
    assert proper.reflection_energy > 1e-4
    only = symmetry_report(model, batches, er.SE(3), model.records(er.SE(3))[0], elements=2)
    assert only.reflection_energy is None
    with pytest.raises(ArgumentError, match="'loader'"):
        symmetry_report(model, [], G, inp)


# ---- 13: refusals ----


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"num_filters": 33}, "num_filters"),
        ({"hidden_channels": 15}, "hidden_channels"),
        ({"mp_type": "sum"}, "mp_type"),
        ({"mp_type": "simple", "num_filters": 16}, "num_filters"),
        ({"regress_forces": "both"}, "regress_forces"),
        ({"skip_co": "sum"}, "skip_co"),
        ({"energy_head": "mean"}, "energy_head"),
        ({"force_decoder_type": "deep"}, "force_decoder_type"),
        ({"force_norm": "graph"}, "force_norm"),
        ({"cutoff": 0.0}, "cutoff"),
        ({"out_dim": 0}, "out_dim"),
        ({"num_gaussians": 1}, "num_gaussians"),
    ],
)
def test_settings_that_are_refused(options, argument):
    with pytest.raises(ValueError, match=f"'{argument}'"):
        net(**options)


def test_data_that_are_refused():
    model, batch = net(), structures()
    record = batch.record()
    bad = {
        "numbers": [torch.zeros(17, dtype=torch.int64), torch.full((17,), 85)],
        "pos": [torch.full((17, 3), math.nan, dtype=F64)],
        "cell": [torch.zeros(3, 3, 3)],
        "edge_index": [record["edge_index"] + 100],
        "tags": [torch.full((17,), 3)],
        "batch": [torch.zeros(17, dtype=torch.int64), record["batch"] + 1],
    }
    for name, values in bad.items():
        for value in values:
            with pytest.raises(ValueError, match=f"'{name}'"):
                model({**record, name: value})
    inp, out = model.records(er.SE(3))
    with pytest.raises(ValueError, match="'model'"):
        er.symmetrize(model, inp, {**out, "dipole": er.SE(3).vector}, frame=Principal())(record)
    with pytest.raises(ValueError, match="'frame'"):
        er.symmetrize(model, inp, out, frame="pca")
    with pytest.raises(ValueError, match="'x'"):
        GradientForces(model)({"numbers": batch.numbers})


def test_saved_weights_are_the_same_model(tmp_path):
    from safetensors.torch import load_file, save_file

    model, other, batch = net(regress_forces="direct"), net(seed=1, regress_forces="direct"), structures()
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    other.load_state_dict(load_file(tmp_path / "w.safetensors"))
    assert torch.equal(other(batch)["energy"], model(batch)["energy"])


def test_an_exported_network_gives_the_same():
    model, batch = net(regress_forces="direct").eval(), structures()
    exported = torch.export.export(model, (batch.record(),)).module()
    y, z = model(batch), exported(batch.record())
    for name in ("energy", "forces"):
        assert torch.allclose(y[name], z[name], atol=1e-12)
