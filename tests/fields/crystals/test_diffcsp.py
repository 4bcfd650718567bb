"""DiffCSP: its chain of noise, exact denoisers, learning one crystal, holding parts, guidance, files."""

import pytest
import torch
from torch import nn

from erlangen.errors import ArgumentError
from erlangen.fields.crystals import Crystal
from erlangen.fields.crystals.diffcsp import DiffCSP
from erlangen.generate import Diffusion
from erlangen.generate.circle import score, score_size
from erlangen.generate.schedules import cosine, geometric
from erlangen.training import TrainingConfig

F64 = torch.float64
pytestmark = pytest.mark.filterwarnings("ignore:the model has not been trained")


def caesium():
    return Crystal(4.11 * torch.eye(3), torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0.5]]), ["Cs", "Cl"])


def perovskite():
    places = torch.tensor([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    return Crystal(4.0 * torch.eye(3), places, ["Ba", "Ti", "O", "O", "O"])


def small(**settings):
    torch.manual_seed(0)
    return DiffCSP(**{"width": 16, "layers": 1, "frequencies": 4, **settings})


# ---- the chain ----


@pytest.mark.parametrize("sigma", [0.005, 0.05, 0.2, 0.5])
def test_score_is_the_gradient_of_the_wrapped_density(sigma):
    d = torch.linspace(-1.5, 1.5, 301, dtype=F64).requires_grad_()
    k = torch.arange(-20, 21)
    (-((d.unsqueeze(-1) + k) ** 2) / (2 * sigma**2)).logsumexp(-1).sum().backward()
    said = score(d.detach(), torch.tensor(sigma, dtype=F64))
    # Half way between two images rounding of d alone moves the score by 1/sigma^4.
    away = (d.detach() * 2 - (d.detach() * 2).round()).abs() > 1e-6
    assert ((said - d.grad)[away].abs() / (1 / sigma)).max() < 1e-10
    assert (said + score(-d.detach(), torch.tensor(sigma, dtype=F64))).abs().max() < 1e-9 / sigma
    still = score(torch.tensor([0.0, 0.5, 3.0], dtype=F64), torch.tensor(sigma, dtype=F64))
    assert still.abs().max() < 1e-10
    assert bool(score(torch.tensor(0.5), torch.tensor(sigma)).isfinite())


def test_size_of_the_score():
    exact = {0.005: 40000, 0.05: 400, 0.1: 99.99553590, 0.2: 19.07754783, 0.3: 2.32403063, 0.5: 4.08411e-3}
    rng = torch.Generator().manual_seed(0)
    e = torch.randn(10**6, generator=rng, dtype=F64)
    for sigma, square in exact.items():
        s = torch.tensor(sigma, dtype=F64)
        assert abs(float(score_size(s) ** 2) / square - 1) < 1e-6
        if sigma in (0.05, 0.2, 0.5):
            assert abs(float(score(s * e, s).square().mean()) / square - 1) < 0.01
        if sigma <= 0.05:
            assert abs(float((s * score_size(s)) ** 2) - 1) < 1e-6


def test_schedules():
    kept, sigma = cosine(1000, smallest=1e-4), geometric(1000)
    process = DiffCSP(width=8, layers=1, frequencies=2).diffusion.process.parts
    assert torch.equal(process["lattice"].kept, kept)
    assert torch.equal(process["frac"].sigma, sigma)
    assert len(kept) == len(sigma) == 1001
    assert kept[0] == 1
    assert abs(float(kept[500]) - 0.493653806) < 5e-10
    assert kept[1000] < 1e-9
    assert sigma[0] == 0
    assert abs(float(sigma[1]) - 0.005) < 1e-15
    assert sigma[1000] == 0.5


class Exact(nn.Module):
    """The best denoiser of a single crystal."""

    def __init__(self, process, crystal):
        super().__init__()
        self.process, self.crystal, self.still = process, crystal, nn.Parameter(torch.zeros(()))

    def forward(self, lattice, frac, t, mask, numbers):
        kept = self.process.parts["lattice"].kept[t].reshape(-1, 1, 1)
        sigma = self.process.parts["frac"].sigma[t].reshape(-1, 1, 1)
        noise = (lattice - kept.sqrt() * self.crystal.cell) / (1 - kept).sqrt()
        return {"lattice": noise, "frac": score(frac - self.crystal.fractional, sigma) / score_size(sigma)}


@pytest.mark.parametrize("steps", [1000])
def test_exact_denoiser_gives_its_crystal_back(steps):
    process, target = small().diffusion.process, perovskite()
    model = Diffusion(process, Exact(process, target), average=0.0)
    like = {
        "lattice": torch.zeros(2, 3, 3, dtype=F64),
        "frac": torch.zeros(2, 5, 3, dtype=F64),
        "mask": torch.ones(2, 5, dtype=torch.bool),
        "numbers": target.numbers.expand(2, 5),
    }
    got = model.sample(like, steps=steps, generator=torch.Generator().manual_seed(0))
    d = got["frac"] - target.fractional
    assert ((d - d.round()) @ target.cell).square().sum(-1).mean(-1).sqrt().max() < 1e-2
    assert (got["lattice"] - target.cell).abs().max() < 1e-2


def test_as_many_strides_as_steps_are_the_whole_chain():
    model = small(steps=50)
    for order in ("corrector-first", "predictor-first"):
        whole, strided = (
            model.diffusion.sample(
                model.record([caesium()] * 2),
                steps=steps,
                corrector={"frac": 0.1},
                order=order,
                generator=torch.Generator().manual_seed(1),
            )
            for steps in (None, 50)
        )
        assert all(torch.equal(whole[name], strided[name]) for name in whole)


def test_orders_differ_and_are_checked():
    model = small()
    a, b = (model.predict("CsCl", steps=5, order=order, seed=0)[0] for order in ("corrector-first", "predictor-first"))
    assert not torch.allclose(a.fractional, b.fractional)
    with pytest.raises(ArgumentError, match="order"):
        model.predict("CsCl", steps=5, order="corrector")


# ---- learning ----


@pytest.mark.slow
@pytest.mark.parametrize("crystal", [caesium(), perovskite()])
def test_one_crystal_is_learned(crystal):
    """Nine of ten drawn are the crystal: with this seed, and at a rate and budget that were chosen for it.

    2000 steps at 8e-3: 25 and 106 seconds of wall time on two busy cores, so the perovskite is beyond the minute that was hoped for.
    """
    matcher = pytest.importorskip("pymatgen.analysis.structure_matcher").StructureMatcher(stol=0.5, angle_tol=10, ltol=0.3)
    torch.manual_seed(0)
    model = DiffCSP(width=64, layers=3, frequencies=12)
    # With a rate of 2e-3 the lattice is learned, and none of ten perovskites has its atoms in the right places.
    model.fit([crystal] * 128, TrainingConfig(steps=2000, batch_size=128, lr=8e-3, weight_decay=0.0, clip=1.0), quiet=True)
    made = model.predict(crystal.composition, 10, seed=0)
    found = [matcher.get_rms_dist(one.to_pymatgen(), crystal.to_pymatgen()) for one in made]
    assert sum(one is not None and one[0] < 0.05 for one in found) >= 9


def test_losses_fall_and_are_told_apart():
    model = small(width=32, layers=2)
    before = model.losses([caesium()] * 64)
    model.fit([caesium()] * 64, TrainingConfig(steps=60, batch_size=64, lr=5e-3), quiet=True)
    after = model.losses([caesium()] * 64)
    assert set(after) == {"lattice", "frac"}
    assert after["lattice"] < 0.9 * before["lattice"]
    assert after["frac"] < before["frac"]


def test_generation_draws_sizes_of_the_training():
    model = small(task="generate")
    with pytest.raises(ArgumentError, match="trained"):
        model.generate(2)
    model.fit([caesium()] * 3 + [perovskite()] * 3, TrainingConfig(steps=3), quiet=True)
    made = model.generate(20, steps=4, seed=0)
    assert {len(one) for one in made} == {2, 5}
    assert set(model.losses([caesium()])) == {"lattice", "frac", "types"}
    with pytest.raises(ArgumentError, match="csp"):
        model.predict("CsCl")


# ---- prediction ----


def test_predictions_are_of_their_compositions_and_repeat():
    model = small()
    made = model.predict(["CsCl", {"O": 3, "Ti": 1, "Ba": 1}, [22, 8, 8]], 2, steps=4, seed=3)
    assert [one.composition for one in made] == [{"Cs": 1, "Cl": 1}] * 2 + [{"O": 3, "Ti": 1, "Ba": 1}] * 2 + [
        {"Ti": 1, "O": 2}
    ] * 2
    again = model.predict(["CsCl", {"O": 3, "Ti": 1, "Ba": 1}, [22, 8, 8]], 2, steps=4, generator=torch.Generator().manual_seed(3))
    assert all(torch.equal(a.cell, b.cell) and torch.equal(a.fractional, b.fractional) for a, b in zip(made, again))
    assert all(one.is_right_handed for one in made)


@pytest.mark.parametrize(("batch_size", "pairs"), [(2, 10**6), (100, 60)])
def test_crystals_come_in_order_however_many_are_made_at_once(batch_size, pairs, monkeypatch):
    monkeypatch.setattr("erlangen.fields.crystals.diffcsp.batches.PAIRS", pairs)
    made = small().predict(["BaTiO3", "CsCl", "TiO2"], 2, steps=3, batch_size=batch_size, seed=0)
    assert [one.formula for one in made] == ["BaTiO3"] * 2 + ["CsCl"] * 2 + ["TiO2"] * 2


def test_tables_give_the_same_crystals():
    model = small(width=32, layers=2, frequencies=16)
    one, other = (model.predict("BaTiO3", 2, steps=10, tabulated=tabulated, seed=0) for tabulated in (False, True))
    for a, b in zip(one, other):
        d = a.fractional - b.fractional
        assert (d - d.round()).abs().max() < 1e-3
        assert (a.cell - b.cell).abs().max() < 1e-4 * a.cell.abs().max()


@pytest.mark.parametrize(
    ("composition", "named"),
    [("XxO", "composition"), ("BaTiO3.5", "composition"), ("Ba40O60", "max_atoms"), ("No", "No"), ([], "at least")],
)
def test_compositions_that_cannot_be(composition, named):
    with pytest.raises(ArgumentError, match=named):
        small().predict(composition)


def test_what_is_known_is_held():
    model, cell = small(), torch.tensor([[3.0, 0, 0], [0.1, 4, 0], [0.3, 0.2, 5]])
    made = model.predict("CsCl", 2, steps=5, lattice=cell, seed=0)
    assert all(torch.allclose(one.cell, cell.double(), atol=1e-6) for one in made)
    assert not torch.allclose(made[0].fractional, made[1].fractional)
    places = torch.tensor([[0.1, 0.2, 0.3], [0.6, 0.7, 0.8]])
    made = model.predict("CsCl", 2, steps=5, fractional=places, seed=0)
    assert all(torch.allclose(one.fractional, places.double(), atol=1e-6) for one in made)
    left = cell * torch.tensor([[-1.0], [1], [1]])
    assert torch.allclose(model.predict("CsCl", steps=5, lattice=left, seed=0)[0].cell, left.double(), atol=1e-6)
    with pytest.raises(ArgumentError, match="fractional"):
        model.predict("CsCl", fractional=torch.zeros(3, 3))
    with pytest.raises(ArgumentError, match="lattice"):
        model.predict("CsCl", lattice=torch.zeros(3))


def test_refinement_stays_near_for_little_noise():
    process, target = small().diffusion.process, perovskite()
    model = small()
    model.diffusion = Diffusion(process, Exact(process, target), average=0.0)
    moved = Crystal(
        target.cell * 1.02, target.fractional + 0.01 * torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), target.numbers
    )
    back = model.refine([moved], 100, gamma=0.0, seed=0)[0]
    d = back.fractional - target.fractional
    assert (d - d.round()).abs().max() < 1e-3
    assert (back.cell - target.cell).abs().max() < 1e-3
    assert len(small().refine([target], 1)) == 1
    with pytest.raises(ArgumentError, match="t0"):
        small().refine([target], 1001)


class Spread(nn.Module):
    """The best denoiser of lattices that are normal around one, with coordinates that nothing is known of."""

    def __init__(self, process, middle, deviation):
        super().__init__()
        self.process, self.middle, self.variance, self.still = process, middle, deviation**2, nn.Parameter(torch.zeros(()))

    def forward(self, lattice, frac, t, mask, numbers):
        kept = self.process.parts["lattice"].kept[t].reshape(-1, 1, 1).to(lattice)
        off = lattice - kept.sqrt() * self.middle
        return {"lattice": (1 - kept).sqrt() * off / (kept * self.variance + 1 - kept), "frac": torch.zeros_like(frac)}


def test_guidance_moves_the_volume_with_its_weight():
    process = small().diffusion.process
    denoiser = Spread(process, 4 * torch.eye(3), 0.5)
    model = Diffusion(process, denoiser, average=0.0)
    like = small().record([caesium()] * 200)
    wanted, means = 90.0, []

    def energy(x, t):
        """Of the lattice that is expected at the end."""
        kept = process.parts["lattice"].kept[t].reshape(-1, 1, 1).to(x["lattice"])
        share = kept.sqrt() * denoiser.variance / (kept * denoiser.variance + 1 - kept)
        start = denoiser.middle + share * (x["lattice"] - kept.sqrt() * denoiser.middle)
        return (torch.linalg.det(start) - wanted) ** 2

    for weight in (0.0, 3e-4, 1e-3, 3e-3):
        rng = torch.Generator().manual_seed(0)
        made = model.sample(like, steps=100, guide=lambda x, t, w=weight: -w * energy(x, t), generator=rng)
        means.append(float(torch.linalg.det(made["lattice"]).mean()))
    assert abs(means[0] - 64) < 5
    gaps = [abs(mean - wanted) for mean in means]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 0.5 * gaps[0]


# ---- files ----


def test_files_round_trip(tmp_path):
    model = small(task="generate", chirality=True)
    model.fit([caesium()] * 4, TrainingConfig(steps=3), quiet=True)
    model.save(tmp_path / "here")
    again = DiffCSP.load(tmp_path / "here")
    assert again.settings == model.settings
    assert torch.equal(again.sizes, model.sizes)
    one, other = (m.generate(3, steps=5, seed=1) for m in (model, again))
    assert all(torch.equal(a.cell, b.cell) and torch.equal(a.numbers, b.numbers) for a, b in zip(one, other))
    with pytest.raises(ArgumentError, match="folder"):
        DiffCSP.load(tmp_path)
    (tmp_path / "here" / "model.json").write_text('{"diffcsp": {"width": "x"}}')
    with pytest.raises(ArgumentError, match="damaged|width"):
        DiffCSP.load(tmp_path / "here")


def test_training_resumes_bit_by_bit(tmp_path):
    data = [caesium()] * 4 + [perovskite()] * 4
    config = {"batch_size": 4, "checkpoint_every": 3, "lr": 1e-3, "schedule": "constant"}
    whole, parts = small(), small()
    whole.fit(data, TrainingConfig(steps=9, **config), checkpoint=tmp_path / "whole", quiet=True)

    class Stop(Exception):
        pass

    taken = type(parts.diffusion).loss
    calls = []

    def stopping(self, *args, **kwargs):
        calls.append(self.training and torch.is_grad_enabled())
        if sum(calls) == 8:
            raise Stop
        return taken(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(parts.diffusion), "loss", stopping)
        with pytest.raises(Stop):
            parts.fit(data, TrainingConfig(steps=9, **config), checkpoint=tmp_path / "parts", quiet=True)
    resumed = small()
    resumed.fit(data, TrainingConfig(steps=9, **config), checkpoint=tmp_path / "parts", quiet=True)
    for a, b in zip(whole.diffusion.state_dict().values(), resumed.diffusion.state_dict().values()):
        assert torch.equal(a, b)


def test_crystals_that_do_not_fit():
    with pytest.raises(ArgumentError, match="max_atoms"):
        small(max_atoms=4).fit([perovskite()], TrainingConfig(steps=1), quiet=True)
    heavy = Crystal(3 * torch.eye(3), torch.zeros(1, 3), [102])
    with pytest.raises(ArgumentError, match="No"):
        small().fit([heavy], TrainingConfig(steps=1), quiet=True)
    with pytest.raises(ArgumentError, match="task"):
        DiffCSP(task="guided")
