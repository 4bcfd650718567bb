"""Many particles: symmetry, forces, equilibrium, neighbour lists, what is refused, files."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields import colloids as co
from erlangen.fields.colloids.neighbours import MOST_DENSE, _dense, _sparse

POTENTIALS = [
    co.Harmonic(3.0),
    co.Annular(2.0, 1.0),
    co.Annular(2.0, 1.0, cut=1.7),
    co.Ring(1.0, 4.0, 0.1),
    co.Hill(2.0, 0.5),
    co.WCA(0.8),
    co.rings([1.0, 2**0.5], [4.0, 2.0], 0.08) + co.WCA(0.8),
    co.Table(np.linspace(0, 2, 50), np.cos(np.linspace(0, 2, 50))),
]


@pytest.mark.parametrize("potential", POTENTIALS, ids=lambda p: type(p).__name__)
def test_slopes_are_derivatives_of_energies(potential: co.Potential) -> None:
    rho = torch.linspace(0.55, 1.95, 301, dtype=torch.float64).requires_grad_()
    (slope,) = torch.autograd.grad(potential.energy(rho).sum(), rho)
    torch.testing.assert_close(potential.slope(rho.detach()), slope, rtol=1e-10, atol=1e-10)
    at_centre = co.BrownianDynamics(1, start=[[0.0, 0.0]])
    if not isinstance(potential, co.Sum | co.WCA):
        at_centre.add(potential, self_=True, cross=False)
        assert float(at_centre.forces().norm()) == 0


def crowd(program: list[tuple[object, dict[str, object]]], start: Tensor, **kwargs: object) -> co.BrownianDynamics:
    sim = co.BrownianDynamics(len(start), dt=1e-3, start=start, **kwargs)  # type: ignore[arg-type]
    for what, how in program:
        sim.add(what, **how)  # type: ignore[arg-type]
    return sim


SMOOTH = [
    (co.Hill(3.0, 0.7), {}),
    (co.Ring(1.3, 2.0, 0.3), {"delay": 0.02}),
    (co.Harmonic(1.5), {"delay": 0.05, "hold": 0.01, "self_": True, "cross": False}),
    (co.BondAngle("honeycomb", 0.3, co.Shell(1.5, 2.2)), {}),
    (co.Coordination(3, 0.2, co.Shell(1.5, 2.2)), {"delay": 0.01}),
]


def test_simulations_commute_with_motions_and_permutations() -> None:
    gen = torch.Generator().manual_seed(0)
    start = 1.2 * torch.cartesian_prod(torch.arange(3.0), torch.arange(3.0)).double() + 0.1 * torch.randn(
        9, 2, generator=gen, dtype=torch.float64
    )
    noise = torch.randn(1000, 1, 9, 2, generator=gen, dtype=torch.float64)
    plain = crowd(SMOOTH, start).run(1000, 100, noise=noise).positions
    mirror = torch.tensor([[math.cos(0.7), math.sin(0.7)], [math.sin(0.7), -math.cos(0.7)]], dtype=torch.float64)
    order = torch.randperm(9, generator=gen)
    moved = (
        crowd(SMOOTH, (start @ mirror.T + torch.tensor([3.0, -1.0]))[order])
        .run(1000, 100, noise=(noise @ mirror.T)[:, :, order])
        .positions
    )
    expected = (plain @ mirror.T + torch.tensor([3.0, -1.0]))[:, :, order]
    assert float((moved - expected).abs().max()) < 1e-10
    assert float((plain[-1] - plain[0]).abs().max()) > 0.3


def test_momentum_is_kept_without_a_delay_and_lost_with_one() -> None:
    start = torch.tensor([[0.0, 0.0], [1.1, 0.2], [0.3, 1.0]], dtype=torch.float64)
    now = crowd([(co.Ring(1.0, 4.0, 0.2), {}), (co.WCA(0.8), {})], start)
    now.run(20, 10)
    assert float(now.forces().sum(1).abs().max()) < 1e-12
    late = crowd([(co.Ring(1.0, 4.0, 0.2), {"delay": 0.01})], start)
    late.run(20, 10)
    assert float(late.forces().sum(1).abs().max()) > 1e-2


def test_many_body_energies_are_the_sums_of_their_definition() -> None:
    x = torch.randn(2, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    from erlangen.fields.colloids.neighbours import all_pairs

    shell, box = co.Shell(0.8, 2.0), co.Open()
    for name in co.BondAngle.POLYNOMIALS:
        angles = co.BondAngle(name, 1.3, shell)
        total = torch.zeros((), dtype=torch.float64)
        for i in range(7):
            for j in range(7):
                for k in range(j + 1, 7):
                    if i in (j, k):
                        continue
                    a, b = x[:, j] - x[:, i], x[:, k] - x[:, i]
                    total += shell(a.norm()) * shell(b.norm()) * angles.g(a @ b / (a.norm() * b.norm()))
        torch.testing.assert_close(angles.energy(x, all_pairs(1, 7), box), 1.3 * total, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("box", [co.Periodic(9.0), co.Periodic([[9.0, 0.0], [3.0, 9.0]])])
def test_neighbour_lists_change_nothing(box: co.Box, monkeypatch: pytest.MonkeyPatch) -> None:
    def positions(skin: float, dense: int, delay: float) -> Tensor:
        monkeypatch.setattr("erlangen.fields.colloids.layers.SKIN", skin)
        monkeypatch.setattr("erlangen.fields.colloids.neighbours.MOST_DENSE", dense)
        sim = co.BrownianDynamics(30, box=box, dt=1e-3, seed=2, batch=2)
        sim.add(co.Hill(5.0, 0.2))
        sim.add(co.Ring(1.0, 3.0, 0.1), delay=delay)
        return sim.run(200, 200).positions

    for delay in (0.0, 0.02):
        reference = positions(0.0, MOST_DENSE, delay)  # without a skin all pairs are looked at
        for skin, dense in ((0.4, MOST_DENSE), (0.4, 0)):
            torch.testing.assert_close(positions(skin, dense, delay), reference, rtol=0, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_few_pairs_in_arrays_give_the_forces_of_tensors(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = co.WCA(0.8) + co.rings([1.0, 1.4], [4.0, 2.0], 0.08) + co.Hill(1.0, 0.2) + co.Annular(2.0, 1.0, cut=1.7)
    tolerance = 1e-11 if dtype == torch.float64 else 1e-3
    for dim, potential, box, delay in (
        (2, everything, co.Periodic([[7.0, 0.0], [2.0, -7.0]]), 0.0),
        (2, everything, co.Periodic(7.0), 0.01),
        (3, everything, co.Periodic(4.5, 3), 0.0),
        (2, co.Harmonic(1.0) + co.Annular(1.0, 1.0), co.Open(), 0.0),
    ):
        found = []
        for few in (0, 4000):
            monkeypatch.setattr("erlangen.fields.colloids.layers.FEW", few)
            sim = co.BrownianDynamics(
                20,
                dim,
                box,
                1e-4,
                batch=2,
                dtype=dtype,
                start=5 * torch.rand(20, dim, generator=torch.Generator().manual_seed(3), dtype=dtype),
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                sim.add(potential, delay=delay)
            assert sim.forces().dtype == dtype
            found.append(sim.forces())
            if delay:
                found[-1] = torch.cat([found[-1], sim.run(150, 150, noise=torch.zeros(150, 2, 20, dim)).positions[-1]])
        assert sim.layers[0].arrays
        scale = float(found[0].abs().max())
        assert float((found[0] - found[1]).abs().max()) < tolerance * scale
        assert scale > 0.1


def test_two_particles_sample_their_equilibrium() -> None:
    from scipy.stats import chisquare

    pair = co.WCA(0.8, 1.0) + co.Ring(1.2, 1.0, 0.2) + co.Annular(4.0, 1.2)
    sim = co.BrownianDynamics(2, dt=4e-4, seed=5, batch=1500, start=[[0.0, 0.0], [1.2, 0.0]])
    sim.add(pair)
    path = sim.run(2500, 2500).positions[-1]
    r = (path[:, 0] - path[:, 1]).norm(dim=-1)
    edges = torch.linspace(0.6, 2.6, 13, dtype=torch.float64)
    fine = torch.linspace(0.3, 3.5, 20_001, dtype=torch.float64)
    density = fine * torch.exp(-pair.energy(fine))
    share = torch.cat([torch.zeros(1, dtype=torch.float64), torch.cumulative_trapezoid(density, fine)])
    at_edges = torch.from_numpy(np.interp(edges.numpy(), fine.numpy(), (share / share[-1]).numpy()))
    counts = torch.histogram(r, edges).hist
    kept = at_edges.diff() * len(r) > 5
    expected = (at_edges.diff() * len(r))[kept]
    assert abs(float(counts.sum()) / len(r) - 1) < 0.01
    assert chisquare(counts[kept].numpy(), (expected * counts[kept].sum() / expected.sum()).numpy()).pvalue > 0.01


@pytest.mark.parametrize("scheme", ["euler", "heun"])
def test_heun_is_of_second_order_in_the_drift(scheme: str) -> None:
    def end(dt: float) -> Tensor:
        sim = co.BrownianDynamics(1, dim=1, dt=dt, start=[[1.0]], box=co.Trap(1.0), scheme=scheme)  # type: ignore[arg-type]
        steps = round(1 / dt)
        return sim.run(steps, steps, noise=torch.zeros(steps, 1, 1, 1, dtype=torch.float64)).positions[-1, 0, 0, 0]

    errors = [abs(float(end(dt)) - math.exp(-1)) for dt in (0.02, 0.01)]
    assert errors[0] / errors[1] == pytest.approx(2.0 if scheme == "euler" else 4.0, rel=0.05)


def test_gradients_reach_the_parameters_of_a_program() -> None:
    noise = torch.randn(30, 8, 3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    start = torch.tensor([[0.0, 0.0], [1.1, 0.2], [0.3, 1.0]], dtype=torch.float64)

    def spread(radius: Tensor) -> Tensor:
        sim = co.BrownianDynamics(3, dt=1e-3, start=start, batch=8)
        sim.add(co.Ring(radius, 4.0, 0.2), delay=0.005)
        return sim.run(30, 30, noise=noise, differentiable=True).positions[-1].square().sum()

    radius = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(spread(radius), radius)
    with torch.no_grad():
        by_hand = (spread(radius + 1e-5) - spread(radius - 1e-5)) / 2e-5
    assert float(gradient) == pytest.approx(float(by_hand), rel=1e-6)
    assert abs(float(gradient)) > 1e-3
    # A plain run goes on from a differentiable one, and from a start that asks for gradients.
    sim = co.BrownianDynamics(3, dt=1e-3, start=start.clone().requires_grad_())
    sim.add(co.Ring(1.0, 4.0, 0.2))
    sim.run(3, 3, differentiable=True)
    assert sim.forces().shape == (1, 3, 2)
    assert not sim.run(3, 3).positions[-1].requires_grad


def test_seeds_repeat_and_checkpoints_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def made() -> co.BrownianDynamics:
        sim = co.BrownianDynamics(9, box=5.0, dt=1e-3, seed=4, batch=2)
        sim.add(co.WCA(0.8))
        sim.add(co.Ring(1.2, 2.0, 0.1), delay=0.013, error=0.01, frame=0.004)
        sim.add(co.Harmonic(2.0), hold=0.02, delay=0.005, self_=True, cross=False)
        return sim

    whole = made().run(400, 10).positions
    assert torch.equal(whole, made().run(400, 10).positions)
    kept = tmp_path / "run.safetensors"
    stopped = made()
    advance, calls = stopped._advance, []

    def breaks(*args: object) -> Tensor:
        calls.append(1)
        if len(calls) > 300:
            raise KeyboardInterrupt
        return advance(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(stopped, "_advance", breaks)
    with pytest.raises(KeyboardInterrupt):
        stopped.run(400, 10, checkpoint=kept)
    again = made()
    resumed = again.run(400, 10, checkpoint=kept)
    assert resumed.positions.shape == whole.shape
    assert torch.equal(resumed.positions, whole)
    with pytest.raises(ArgumentError, match="checkpoint"):
        made().run(500, 10, checkpoint=kept)
    with pytest.raises(ArgumentError, match="first step"):
        again.run(400, 10, checkpoint=kept)  # its next 400 steps are not those in the file
    with pytest.raises(ArgumentError, match="of another one"):
        made().run(400, 10, checkpoint=kept, temperature=(1.0, 0.5))
    other = made()
    other.add(co.Ring(1.3, 2.0, 0.1))
    with pytest.raises(ArgumentError, match="of another one"):
        other.run(400, 10, checkpoint=kept)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_long_runs_with_lists_go_on_bit_by_bit(dtype: torch.dtype, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def made() -> co.BrownianDynamics:
        sim = co.BrownianDynamics(40, box=co.Periodic([[9.0, 0.0], [3.0, 9.0]]), dt=5e-4, seed=1, dtype=dtype)
        sim.add(co.WCA(0.8))
        sim.add(co.Ring(1.0, 4.0, 0.1), delay=0.002)
        sim.add(co.BondAngle("honeycomb", 0.5, co.Shell(1.2, 1.5)))
        return sim

    whole = made().run(600, 20)
    assert whole.positions.dtype == dtype
    kept = tmp_path / "long.safetensors"
    stopped = made()
    advance, calls = stopped._advance, []

    def breaks(*args: object) -> Tensor:
        calls.append(1)
        if len(calls) > 487:
            raise KeyboardInterrupt
        return advance(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(stopped, "_advance", breaks)
    with pytest.raises(KeyboardInterrupt):
        stopped.run(600, 20, checkpoint=kept)
    assert torch.equal(made().run(600, 20, checkpoint=kept).positions, whole.positions)


def test_noise_is_never_used_twice() -> None:
    """Cold steps and given noise draw nothing: the block that is then in use must not come again."""
    for pause in ({"temperature": (0.0, 0.0)}, {"noise": torch.zeros(100, 1, 1, 1)}):
        sim = co.BrownianDynamics(1, dim=1, dt=1e-2, seed=0)
        first = sim.run(1000, 1).positions.diff(dim=0).flatten()
        sim.run(100, 1, **pause)  # type: ignore[arg-type]
        second = sim.run(100, 1).positions.diff(dim=0).flatten()
        assert float((second.unsqueeze(1) - first).abs().amin(1).median()) > 1e-9


def test_replicas_of_a_batch_move_as_alone() -> None:
    gen = torch.Generator().manual_seed(0)
    start = (torch.cartesian_prod(torch.arange(5.0), torch.arange(5.0)).double() * 1.2).expand(3, 25, 2) + 0.05 * torch.randn(
        3, 25, 2, generator=gen, dtype=torch.float64
    )
    noise = torch.randn(300, 3, 25, 2, generator=gen, dtype=torch.float64)

    def run(start: Tensor, noise: Tensor, dtype: torch.dtype = torch.float64) -> Tensor:
        box = co.Periodic([[6.5, 0.0], [2.0, 6.5]])
        sim = co.BrownianDynamics(25, box=box, dt=2e-4, batch=len(start), start=start.to(dtype), dtype=dtype)
        sim.add(co.WCA(0.8) + co.Hill(1.0, 0.2))
        sim.add(co.Ring(1.0, 4.0, 0.1), delay=0.01, hold=0.002)
        sim.add(co.Coordination(4, 0.2, co.Shell(1.2, 1.5)))
        return sim.run(300, 100, noise=noise.to(dtype)).positions

    together = run(start, noise)
    for k in range(3):
        torch.testing.assert_close(run(start[k : k + 1], noise[:, k : k + 1])[:, 0], together[:, k], rtol=0, atol=1e-11)
    torch.testing.assert_close(run(start, noise, torch.float32).double(), together, rtol=0, atol=2e-3)


@pytest.mark.parametrize(
    "rows", [[[9.0, 0.0], [40.0, 9.0]], [[20.0, 0.0], [19.0, 6.0]], [[5.0, 7.0], [-8.0, 3.0]], [[9.0, 0.0], [3.0, -9.0]]]
)
def test_neighbours_in_skewed_boxes_are_those_of_all_images(rows: list[list[float]]) -> None:
    box = co.Periodic(rows)
    gen = torch.Generator().manual_seed(0)
    x, c = 30 * torch.randn(2, 2, 60, generator=gen, dtype=torch.float64)
    images = torch.cartesian_prod(torch.arange(-12, 13), torch.arange(-12, 13)).double() @ box.cell()
    for centres in (x, c):
        d = box.wrap(x.T).unsqueeze(1) - box.wrap(centres.T)
        near = (d.unsqueeze(2) + images).norm(dim=-1).amin(-1) < 0.999 * box.reach
        near &= (torch.arange(60).unsqueeze(1) // 30 == torch.arange(60) // 30) & ~torch.eye(60, dtype=torch.bool)
        expected = set(map(tuple, near.nonzero().tolist()))
        assert expected
        for find in (_dense, _sparse):
            assert set(zip(*(one.tolist() for one in find(x, centres, 0.999 * box.reach, 2, 30, box)))) == expected


def test_wrapped_positions_are_inside() -> None:
    for dtype in (torch.float64, torch.float32):
        inside = co.Periodic(3.0).wrap(torch.tensor([[-1e-17, 1e-17], [-3.0, 6.0]], dtype=dtype))
        assert inside.dtype == dtype
        assert bool(((inside >= 0) & (inside < 3)).all())


def test_replicas_that_blow_up_are_counted() -> None:
    start = torch.zeros(2, 2, 2, dtype=torch.float64)
    start[0, 1] = torch.tensor([1e-40, 0.0])
    start[1, 1] = torch.tensor([1.5, 0.0])
    sim = co.BrownianDynamics(2, dt=1e-4, batch=2, start=start, D=1.0)
    sim.add(co.WCA(1.0))
    sim.add(
        co.Landscape(lambda r, past: (r[..., 0] ** 4 * 1e60).sum((-1,)) * (r - past).abs().sum((-1, -2)).gt(-1) * (r[:, 1, 0] < 1))
    )
    with pytest.warns(UserWarning, match="1 of 2 replicas blew up"):
        path = sim.run(200, 50)
    assert path.failed == 1
    assert bool(path.positions[-1, 1].isfinite().all())


def test_bad_input_is_named() -> None:
    sim = co.BrownianDynamics(4, box=3.0, dt=1e-2)
    cases = [
        (lambda: co.BrownianDynamics(0), "'n'"),
        (lambda: co.BrownianDynamics(1, dt=0.0), "'dt'"),
        (lambda: co.BrownianDynamics(1, dim=4), "'dim'"),
        (lambda: co.BrownianDynamics(3).positions, "'start'"),
        (lambda: co.BrownianDynamics(1, start=[[math.nan, 0.0]]), "'start'"),
        (lambda: co.Ring(-1.0, 1.0, 0.1), "'R'"),
        (lambda: co.Annular(1.0, -1.0), "'R'"),
        (lambda: co.Ring(1.0, 1.0, 0.0), "'w'"),
        (lambda: co.Periodic([1.0, -2.0]), "'box'"),
        (lambda: sim.add(co.Ring(1.2, 1.0, 0.1)), "'box'"),
        (lambda: sim.add(co.Harmonic(150.0), self_=True, cross=False), "'dt'"),
        (lambda: sim.add(co.Harmonic(-3.0), delay=0.5, self_=True, cross=False, expect_stationary=True), "'what'"),
        (lambda: sim.add(co.Harmonic(1.0), delay=0.013, self_=True, cross=False, strict=True), "'delay'"),
        (lambda: sim.add(co.Harmonic(1.0), delay=-1.0, self_=True), "'delay'"),
        (lambda: sim.add(co.Hill(1.0, 0.1), cross=False), "'self_'"),
        (lambda: sim.run(10, 0), "'every'"),
        (lambda: sim.run(10, noise=torch.zeros(3)), "'noise'"),
    ]
    for call, name in cases:
        with pytest.raises(ArgumentError, match=name):
            call()
    with pytest.warns(UserWarning, match="thrown far off"):
        sim.add(co.WCA(0.8))
    with pytest.warns(UserWarning, match=r"0\.01 is taken"):
        sim.add(co.Harmonic(1.0), delay=0.013, self_=True, cross=False)


@pytest.mark.parametrize(
    "box", [co.Open(), co.Circle(2.0, 5.0), co.Trap(1.5), co.Trap([1.0, 2.0]), co.Periodic([[6.0, 0.0], [2.0, 5.0]])]
)
def test_a_file_keeps_the_box(tmp_path: Path, box: co.Box) -> None:
    path = co.Trajectory(torch.rand(2, 1, 3, 2, dtype=torch.float64), torch.arange(2.0), box)
    loaded = co.load_trajectory(path.save(tmp_path / "a.npz")).box
    assert repr(loaded) == repr(box)
    at = torch.tensor([[3.0], [-2.5]], dtype=torch.float64)
    assert str(loaded.wall(at)) == str(box.wall(at))


def test_files_and_objects_of_other_libraries(tmp_path: Path) -> None:
    ase_io = pytest.importorskip("ase.io")
    hoomd = pytest.importorskip("gsd.hoomd")
    box = co.Periodic([[6.0, 0.0], [2.0, 5.0]])
    sim = co.BrownianDynamics(7, box=box, dt=1e-2, seed=1)
    sim.add(co.Hill(2.0, 0.3))
    path = sim.run(300, 100)
    loaded = co.load_trajectory(path.save(tmp_path / "a.npz"))
    assert torch.equal(loaded.positions, path.positions)
    assert torch.equal(loaded.box.cell(), box.cell())
    atoms = ase_io.read(path.save(tmp_path / "a.extxyz"), index=":")
    assert len(atoms) == 4
    np.testing.assert_array_equal(atoms[-1].positions[:, :2], path.wrapped()[-1, 0].numpy())
    np.testing.assert_array_equal(atoms[-1].cell[:2, :2], box.cell().numpy())
    distances = path.atoms().get_all_distances(mic=True)
    i, j = torch.triu_indices(7, 7, 1)
    ours = box.nearest((path.positions[-1, 0][i] - path.positions[-1, 0][j]).T).norm(dim=0)
    near = ours < box.reach
    np.testing.assert_allclose(distances[i, j][near], ours[near].numpy(), rtol=1e-12)
    with hoomd.open(str(path.save(tmp_path / "a.gsd"))) as file:
        last = file[-1]
        lx, ly, _, xy, _, _ = last.configuration.box
        whole = last.particles.position[:, :2] + last.particles.image[:, :2] @ np.array([[lx, 0.0], [xy * ly, ly]])
        np.testing.assert_allclose(whole, path.positions[-1, 0].numpy(), atol=1e-4)
    with pytest.raises(ArgumentError, match="path"):
        path.save(tmp_path / "a.xtc")


@pytest.mark.parametrize("rows", [[[6.0, 0.0], [2.0, -5.0]], [[1.0, 6.0], [5.0, 2.0]], [[3.0, 4.0], [-2.0, 5.0]]])
def test_gsd_keeps_the_hand_of_every_box(rows: list[list[float]], tmp_path: Path) -> None:
    """A left-handed cell read by lengths and angles would be a mirror image."""
    hoomd, freud = pytest.importorskip("gsd.hoomd"), pytest.importorskip("freud")
    gen = torch.Generator().manual_seed(0)
    x = 9 * torch.randn(1, 1, 9, 2, generator=gen, dtype=torch.float64)
    box = co.Periodic(rows)
    path = co.Trajectory(x, torch.zeros(1), box).save(tmp_path / "a.gsd")
    with hoomd.open(str(path)) as file:
        frame = file[0]
        cell = np.asarray(freud.box.Box.from_box(frame.configuration.box).to_matrix())[:2, :2]
        read = torch.from_numpy(frame.particles.position[:, :2] + frame.particles.image[:, :2] @ cell.T).double()
    before, after = x[0, 0] - x[0, 0].mean(0), read - read.mean(0)
    turn = torch.linalg.lstsq(before, after).solution
    torch.testing.assert_close(turn @ turn.T, torch.eye(2, dtype=torch.float64), rtol=0, atol=1e-5)
    assert float(torch.linalg.det(turn)) == pytest.approx(1.0, abs=1e-5)
    images = torch.cartesian_prod(torch.arange(-9, 10), torch.arange(-9, 10)).double()
    ours, theirs = images @ box.cell() @ turn, images @ torch.from_numpy(cell.T).double()
    short = ours[ours.norm(dim=1) < 12]
    assert float(torch.cdist(short, theirs).amin(1).max()) < 1e-3


def test_freud_sees_unwrapped_particles_and_boxes_that_point_back() -> None:
    freud = pytest.importorskip("freud")
    gen = torch.Generator().manual_seed(0)
    for rows in ([[16.0, 0.0], [5.0, 15.0]], [[16.0, 0.0], [5.0, -15.0]], [[-16.0, 0.0], [5.0, 15.0]]):
        box = co.Periodic(rows)
        x = torch.rand(300, 2, generator=gen, dtype=torch.float64) @ box.cell()
        x = x + torch.randint(-5, 6, (300, 2), generator=gen).double() @ box.cell()
        system = (co.freud_box(box), co.freud_points(x, box))
        theirs = freud.order.Hexatic(k=6).compute(system, neighbors={"num_neighbors": 6}).particle_order
        np.testing.assert_allclose(theirs, co.bond_order(x, 6, box, co.Nearest(6)).numpy(), atol=1e-3)
        rdf = freud.density.RDF(bins=20, r_max=5.0).compute(system).rdf
        np.testing.assert_allclose(rdf * 300 / 299, co.pair_distribution(x, box, 5.0, 20)[1].numpy(), atol=0.05)
    with pytest.raises(ArgumentError, match="two or three dimensions"):
        co.freud_box(co.Periodic(4.0, 1))


def test_columns_of_a_box_in_freud() -> None:
    freud = pytest.importorskip("freud")
    box = co.Periodic([[6.0, 0.0], [2.0, 5.0]])
    other = co.freud_box(box)
    gen = torch.Generator().manual_seed(0)
    d = 20 * torch.randn(100, 2, generator=gen, dtype=torch.float64)
    ours = box.nearest(d.T).T
    near = ours.norm(dim=1) < box.reach
    np.testing.assert_allclose(other.wrap(co.freud_points(d, box))[near.numpy(), :2], ours[near].numpy(), atol=1e-4)
    assert freud.box.Box.from_matrix(np.pad(box.cell().numpy(), (0, 1)), dimensions=2) != other  # rows: wrong without a word
    with pytest.raises(ArgumentError, match="box"):
        co.freud_box(co.Periodic([[5.0, 1.0], [0.0, 5.0]]))


def test_bias_walls_and_programs() -> None:
    sim = co.BrownianDynamics(5, box=co.Circle(2.0, 50.0), dt=2e-4, batch=20, seed=0)
    sim.add(co.Program(core=co.WCA(0.5), cross=co.Ring(1.0, 2.0, 0.2), own=co.Harmonic(1.0), timing=co.Timing(delay=0.02)))
    sim.add(co.Bias([3.0, 0.0]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = sim.run(3000, 1500)
    assert float(path.positions[-1].norm(dim=-1).max()) < 3.0
    assert float(path.positions[-1, ..., 0].mean()) > 0.5
    assert len(sim.layers) == 2
