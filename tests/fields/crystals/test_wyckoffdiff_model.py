"""WyckoffDiff: oracles, exact rates, what is asked for is what comes, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.fields.crystals import Crystal, CrystalDataset, Protostructure
from erlangen.fields.crystals.wyckoffdiff import WyckoffDiff
from erlangen.fields.crystals.wyckoffdiff.beforehand import Beforehand, frequencies
from erlangen.fields.crystals.wyckoffdiff.relabelings import Relabelings
from erlangen.fields.crystals.wyckoffdiff.state import SEGMENTS, States, decode, encode, vacant
from erlangen.generate import Categorical, Diffusion, Together
from erlangen.training import TrainingConfig

BASES = ["zeros", "marginal", "uniform"]
SMALL = {"steps": 20, "hidden": 16, "layers": 2}
CRYSTALS = [
    Protostructure.from_wyckoffs(225, [("a", "Na"), ("b", "Cl")]),
    Protostructure.from_wyckoffs(221, [("a", "Ba"), ("b", "Ti"), ("c", "O")]),
    Protostructure.from_wyckoffs(227, [("a", "Mg"), ("d", "Al"), ("e", "O")]),
    Protostructure.from_wyckoffs(194, [("c", "Zn"), ("d", "S")]),
    Protostructure.from_wyckoffs(62, [("c", "O"), ("c", "Fe"), ("d", "O")]),
    Protostructure.from_wyckoffs(167, [("c", "Al"), ("e", "O")]),
    Protostructure.from_wyckoffs(136, [("a", "Ti"), ("f", "O")]),
    Protostructure.from_wyckoffs(2, [("i", "Si", 2), ("a", "Ca"), ("i", "O", 3)]),
]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def fitted(base: str = "zeros", crystals: list[Protostructure] = CRYSTALS, steps: int = 3, **options) -> WyckoffDiff:
    model = WyckoffDiff(base, **{**SMALL, **options})
    model.fit(crystals, TrainingConfig(steps=steps, lr=3e-3, weight_decay=0.0), quiet=True)
    return model


class Oracle(nn.Module):
    """Knows the data."""

    def __init__(self, batch: dict[str, Tensor], classes: dict[str, int]) -> None:
        super().__init__()
        self.at = nn.Parameter(torch.zeros(()))
        self.logits = {name: (nn.functional.one_hot(batch[name], k) - 1.0) * 1e4 for name, k in classes.items()}

    def forward(self, **record: Tensor) -> dict[str, Tensor]:
        return self.logits


@pytest.mark.parametrize("length", [1, 10, 1000])
@pytest.mark.parametrize("base", BASES)
def test_an_oracle_gives_back_the_crystals(base: str, length: int) -> None:
    """Exactly: no noise is left over after the last step."""
    batch = encode(CRYSTALS, 94, 8)
    sizes = {"points": 95, "counts": 9}
    m = {
        "zeros": dict.fromkeys(sizes, 0),
        "uniform": dict.fromkeys(sizes, "uniform"),
        "marginal": {name: torch.bincount(batch[name].flatten(), minlength=k) / batch[name].numel() for name, k in sizes.items()},
    }[base]
    process = Together({name: Categorical(k, m[name], length) for name, k in sizes.items()}, segments=SEGMENTS)
    model = Diffusion(process, Oracle(batch, sizes), average=0)
    like = vacant(batch["group"], 94)
    made = model.sample(like, steps=min(length, 20), generator=generator())
    assert decode(made) == CRYSTALS


@pytest.mark.parametrize("base", BASES)
def test_noise_ends_at_its_base(base: str) -> None:
    """Total variation from the base below 1e-3 after all steps; the frequencies of samples are the law's."""
    parts = fitted(base).diffusion.process.parts
    process = parts["counts"]
    assert isinstance(process, Categorical)
    assert float(process.kept[-1]) < 1e-3
    x0, t = torch.full((1, 40_000), 2), 12
    x_t, _ = process.noise(x0, torch.tensor([t]), generator=generator())
    law = process.kept[t] * torch.eye(9, dtype=torch.float64)[2] + (1 - process.kept[t]) * process.m
    seen = torch.bincount(x_t.flatten(), minlength=9).double()
    possible = law > 0
    assert not bool(seen[~possible].any())
    chi = ((seen - 40_000 * law) ** 2 / (40_000 * law))[possible].sum()
    dof = int(possible.sum()) - 1
    assert float(1 - torch.special.gammainc(torch.tensor(dof / 2).double(), chi / 2)) > 1e-3


def test_the_source_leaves_noise_and_we_do_not() -> None:
    """Its samples keep one step's noise, of about one wrong species in a hundred crystals of 500 counts at T = 1000."""
    process = Categorical(55, "uniform", 1000)
    beta = 1 - float(process.kept[1])
    assert beta == pytest.approx(2.1e-5, rel=0.02)
    assert 1 - (1 - beta * 54 / 55) ** 500 == pytest.approx(0.01, abs=0.002)


@pytest.mark.parametrize("beforehand", ["positions", "pooled"])
def test_two_states_are_learnt(beforehand: str) -> None:
    """P1, one element, at most one orbit, and a second kind of crystal that is drawn at a known rate."""
    rate = 0.7
    one, other = Protostructure.from_wyckoffs(2, [("a", "H")]), Protostructure.from_wyckoffs(2, [("a", "H"), ("i", "H")])
    data = [other] * round(100 * rate) + [one] * round(100 * (1 - rate))
    model = WyckoffDiff(elements=1, most=1, steps=10, hidden=16, layers=1, beforehand=beforehand, relabel=False)
    model.fit(data, TrainingConfig(steps=250, batch_size=100, lr=1e-2, weight_decay=0.0), quiet=True)
    made = model.sample(6000, space_group=2, generator=generator(), batch=6000)
    occupied = sum(crystal is not None and any(position == 8 for position, _, _ in crystal.sites) for crystal in made) / 6000
    assert occupied == pytest.approx(rate, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("base", BASES)
def test_eight_crystals_are_learnt_by_heart(base: str) -> None:
    model = WyckoffDiff(base, steps=20, hidden=64, relabel=False, average=0.99, norm=True, normalised=False)
    model.fit(CRYSTALS * 8, TrainingConfig(steps=800, batch_size=64, lr=4e-3, clip=5.0, weight_decay=0.0), quiet=True)
    for crystal in CRYSTALS:
        made = model.sample(50, space_group=crystal.space_group, generator=generator())
        assert sum(one == crystal for one in made) >= 48, crystal


def test_frequencies_are_where_learning_starts() -> None:
    """A network that says nothing leaves the exact law of independent positions; each crystal counts in all its descriptions."""
    salt = [Protostructure.from_wyckoffs(225, [("a", "Na"), ("b", "Cl")])]
    states, relabelings = States(encode(salt * 50, 20, 2)), Relabelings([225])
    known = frequencies(states, 2, relabelings)
    at = Beforehand(known)("points", torch.tensor([225, 225, 225]), torch.tensor([0, 1, 2])).exp()
    torch.testing.assert_close(at.sum(-1), torch.ones(3))
    assert float(at[0, 11]) == pytest.approx(float(at[1, 11]), rel=1e-6)
    assert float(at[0, 11]) == pytest.approx(0.5, abs=0.05)
    assert float(at[2, 0]) > 0.95
    model = WyckoffDiff(steps=10, hidden=16, average=0, elements=20, most=2, relabel=True)
    model.fit(salt * 50, TrainingConfig(steps=1, lr=1e-12), quiet=True)
    made = model.sample(2000, generator=generator(), batch=2000)
    first = sum(one is not None and (0, 11, 1) in one.sites for one in made) / 2000
    assert first == pytest.approx(float(at[0, 11]), abs=0.04)


def test_one_crystal_says_what_it_can() -> None:
    """Nothing but the one crystal was seen: its positions are occupied about as often, whatever else there could be."""
    for data, number in (([CRYSTALS[0]], 2), ([Protostructure.from_wyckoffs(1, [("a", "O", 3), ("a", "H", 2)])], 2)):
        for kind in ("positions", "pooled"):
            known = frequencies(States(encode(data, 94, 8)), 8, None, kind)
            for table in known:
                torch.testing.assert_close(table.sum(-1), torch.ones(table.shape[:-1]))
                assert float(table.min()) > 0
        known = frequencies(States(encode(data, 94, 8)), 8, None)
        group = torch.tensor([data[0].space_group])
        like = vacant(group, 94)
        at = {name: Beforehand(known)(name, group[like[f"{name}_of"]], like[f"{name}_at"]).exp() for name in ("points", "counts")}
        expected = float((1 - at["points"][:, 0]).sum() + (1 - at["counts"][..., 0]).sum())
        assert number * 0.6 < expected < number * 1.6


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("said", [0.0, 1.0])
def test_bound_beside_the_exact_law(base: str, said: float) -> None:
    """Of a chain of five steps on one count, whose law is a product of five matrices: equal where nothing is left to be learnt."""
    data = [Protostructure.from_wyckoffs(1, [("a", "H", count)]) for count in (1, 1, 1, 2)] * 10
    model = WyckoffDiff(base, elements=1, most=2, steps=5, hidden=8, layers=1, average=0, relabel=False)
    with torch.random.fork_rng():
        model.fit(data, TrainingConfig(steps=1, lr=1e-12), quiet=True)
        head = model.diffusion.network.network.head_counts[-1]
        nn.init.normal_(head.weight, std=max(said, 1e-12), generator=generator(1))
    diffusion, process = model.diffusion, model.diffusion.process.parts["counts"]
    like = vacant(torch.ones(3, dtype=torch.int64), 1) | {"counts": torch.arange(3).unsqueeze(1)}
    law = process.m.clone()
    with torch.no_grad():
        for t in range(5, 0, -1):
            now = torch.full((3,), t)
            logits = diffusion.eval()._predict(like, now)["counts"]
            back = process.law(logits.double(), like["counts"], now, now - 1)
            law = law @ back.squeeze(1)
    assert float(law.sum()) == pytest.approx(1.0, abs=1e-12)
    copies = 6000
    bound = model.log_likelihood_bound([data[0]] * copies + [data[3]] * copies, generator=generator())
    for part, exact in zip(bound.nats.split(copies), law[1:].log().tolist(), strict=True):
        error = 4 * float(part.std()) / copies**0.5
        if said:
            assert float(part.mean()) < exact + error
        else:
            assert float(part.mean()) == pytest.approx(exact, abs=error + 1e-6)


@pytest.mark.parametrize("base", BASES)
def test_what_is_asked_for(base: str) -> None:
    model = fitted(base)
    assert {one.space_group for one in model.sample(20, space_group=225, generator=generator()) if one} <= {225}
    chances = torch.zeros(230)
    chances[[193, 220]] = 0.5
    assert {one.space_group for one in model.sample(30, space_group=chances, generator=generator()) if one} <= {194, 221}
    made = [one for one in model.sample(60, elements=("O", 22), generator=generator()) if one]
    assert made
    assert {element for one in made for element in one.counts} <= {8, 22}
    for number in (np.int64(225), torch.tensor(225)):
        assert {one.space_group for one in model.sample(5, space_group=number, generator=generator()) if one} <= {225}
    fewer = model.sample(10, steps=5, generator=generator())
    assert len(fewer) == 10
    bound = model.log_likelihood_bound(CRYSTALS, generator=generator())
    assert bool((bound.nats < 0).all())
    assert set(bound.parts) == {"points", "counts"}


@pytest.mark.parametrize("options", [{}, {"rank": 3, "beforehand": "pooled", "evidence": False}, {"invariant": True}])
def test_files_and_repetition(tmp_path: Path, options: dict) -> None:
    model = fitted("marginal", CRYSTALS[:-1], **options)  # P-1 has 1344 descriptions
    made = model.sample(12, generator=generator(3))
    assert made == model.sample(12, generator=generator(3))
    path = model.save(tmp_path / "model.safetensors")
    again = WyckoffDiff.load(path)
    assert again.settings == model.settings
    assert again.sample(12, generator=generator(3)) == made
    (tmp_path / "damaged.safetensors").write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ArgumentError, match="damaged"):
        WyckoffDiff.load(tmp_path / "damaged.safetensors")
    with pytest.raises(ArgumentError, match="existing"):
        WyckoffDiff.load(tmp_path / "none.safetensors")


def test_a_killed_fit_ends_with_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Descriptions are drawn by the random numbers of each step."""
    settings = TrainingConfig(steps=10, batch_size=4, checkpoint_every=3)
    whole, killed = WyckoffDiff(**SMALL), WyckoffDiff(**SMALL)
    whole.fit(CRYSTALS, settings, quiet=True)
    plain, calls = Diffusion.loss, []

    def loss(self: Diffusion, *data, **options) -> Tensor:
        calls.append(None)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return plain(self, *data, **options)

    monkeypatch.setattr(Diffusion, "loss", loss)
    with pytest.raises(KeyboardInterrupt):
        killed.fit(CRYSTALS, settings, checkpoint=tmp_path, quiet=True)
    monkeypatch.undo()
    killed.fit(CRYSTALS, settings, checkpoint=tmp_path, quiet=True)
    for name, weights in whole.diffusion.state_dict().items():
        assert torch.equal(killed.diffusion.state_dict()[name], weights), name


def test_a_condition_is_learnt() -> None:
    """Sodium chloride has the value 1, potassium chloride -1; asked for one of them, that one comes."""
    data = [Protostructure.from_wyckoffs(225, [("a", x), ("b", "Cl")]) for x in ("Na", "K")] * 32
    model = WyckoffDiff(elements=20, most=1, steps=10, hidden=32, layers=1, relabel=False, condition=True, average=0.9)
    model.fit(data, TrainingConfig(steps=300, batch_size=64, lr=1e-2, weight_decay=0.0), values=[1.0, -1.0] * 32, quiet=True)
    for value, element in ((1.0, 11), (-1.0, 19)):
        made = model.sample(50, value=value, generator=generator())
        assert sum(one is not None and (0, element, 1) in one.sites for one in made) >= 45
    free = model.sample(200, generator=generator())
    assert 50 < sum(one is not None and (0, 11, 1) in one.sites for one in free) < 150


def test_other_precisions(tmp_path: Path) -> None:
    """A default of float64 holds everywhere, and a file keeps its precision whatever the default is when it is read."""
    torch.set_default_dtype(torch.float64)
    try:
        model = WyckoffDiff(**SMALL, condition=True, company=True, rank=2)
        model.fit(CRYSTALS, TrainingConfig(steps=2), values=list(range(8)), quiet=True)
        made = model.sample(6, value=2.0, guidance=2.0, generator=generator())
        path = model.save(tmp_path / "model.safetensors")
        torch.set_default_dtype(torch.float32)
        again = WyckoffDiff.load(path)
        torch.set_default_dtype(torch.float64)  # random numbers are drawn in the default precision
        assert again.sample(6, value=2.0, guidance=2.0, generator=generator()) == made
    finally:
        torch.set_default_dtype(torch.float32)
    assert {weights.dtype for weights in again.diffusion.parameters()} == {torch.float64}
    for name, weights in model.diffusion.network.network.state_dict().items():
        assert torch.equal(again.diffusion.network.network.state_dict()[name], weights)


def test_canonical_descriptions_are_learnt() -> None:
    """All descriptions of a crystal are one to such a model."""
    others = CRYSTALS[0].equivalents()
    assert len(others) > 1
    models = [fitted(crystals=[each] * 4, relabel="canonical") for each in others[:2]]
    assert models[0].digest() == models[1].digest()
    bounds = [models[0].log_likelihood_bound([each], generator=generator()).nats for each in others[:2]]
    assert torch.equal(*bounds)


def test_structures_are_read() -> None:
    salt = Crystal(5.64 * torch.eye(3) / 2 @ (1 - torch.eye(3)), torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0.5]]), ["Na", "Cl"])
    for data in ([salt, salt.to_ase(), salt.to_pymatgen()], CrystalDataset.from_structures([salt, salt])):
        model = WyckoffDiff(**SMALL)
        model.fit(data, TrainingConfig(steps=1), quiet=True)
        assert model.space_groups.nonzero().tolist() == [[225]]


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: WyckoffDiff("other"), "base"),  # type: ignore[arg-type]
        (lambda: WyckoffDiff(elements=0), "elements"),
        (lambda: WyckoffDiff(hidden=0), "hidden"),
        (lambda: WyckoffDiff(**SMALL, beforehand="all"), "beforehand"),
        (lambda: fitted(crystals=[]), "structures"),
        (lambda: fitted(elements=8), "elements"),
        (lambda: fitted(most=2), "most"),
        (lambda: fitted().sample(0), "n"),
        (lambda: fitted().sample(3, space_group=231), "space_group"),
        (lambda: fitted().sample(3, space_group=torch.ones(230)), "space_group"),
        (lambda: fitted().sample(3, elements=("Xx",)), "elements"),
        (lambda: fitted().sample(3, elements=()), "elements"),
        (lambda: fitted().sample(3, elements=(118,)), "elements"),
        (lambda: fitted().sample(3, value=1.0), "value"),
        (lambda: fitted().sample(3, space_group="225"), "space_group"),  # type: ignore[arg-type]
        (lambda: fitted().sample(3, space_group=True), "space_group"),
        (lambda: WyckoffDiff(relabel="all"), "relabel"),  # type: ignore[arg-type]
        (lambda: fitted().sample(3, steps=21), "steps"),
        (lambda: WyckoffDiff(**SMALL).fit(CRYSTALS, values=[0.0] * 8), "values"),
        (lambda: WyckoffDiff(**SMALL, condition=True).fit(CRYSTALS), "values"),
    ],
)
def test_refused(make, argument: str) -> None:
    with pytest.raises(ArgumentError) as error:
        make()
    assert error.value.argument == argument


def test_an_unfitted_model_says_so() -> None:
    with pytest.raises(UnsupportedError, match="fit it"):
        WyckoffDiff().sample(1)
