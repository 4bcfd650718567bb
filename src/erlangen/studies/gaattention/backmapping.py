"""Atoms of proteins from beads at the centroids of residues: attention, beside mean positions in the chain's frame and a perceptron."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from erlangen.fields.molecules import Residues, residues, shipped_proteins
from erlangen.groups import SO
from erlangen.nn import GAABackmapper
from erlangen.nn.perceptron import perceptron
from erlangen.reporting import Claim, Rival, Section, Table, repeated, seeds_said
from erlangen.studies.base import Part
from erlangen.studies.gaattention.study import SOURCE, Config
from erlangen.studies.rivals import simplest
from erlangen.training import TrainingConfig, steps_within, train

#: Lengths that networks see are in units of this, angstrom.
UNIT = 5.0
SECONDS = 10.0
ATTENTION, PERCEPTRON, TEMPLATE = "attention", "perceptron", "mean positions in the chain's frame"
TREES, NOTHING = "trees in the chain's frame", "all at the bead"
#: Residues that are turned.
TURNED = 200


class Attention(nn.Module):
    """The network of attention in angstrom."""

    def __init__(self, features: int, kinds: int, width: int) -> None:
        super().__init__()
        self.net = GAABackmapper(features, kinds, width)

    def forward(self, r: Tensor, x: Tensor, labels: Tensor, there: Tensor) -> Tensor:
        return UNIT * self.net(r / UNIT, x, labels, label_mask=there)


class Turned(nn.Module):
    """A perceptron on the coordinates of beads, their features and the kind of atom; clouds are turned at random in training."""

    def __init__(self, beads: int, features: int, kinds: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(kinds, 32)
        self.net = perceptron(beads * (3 + features) + 32, 256, 256, 3)

    def forward(self, r: Tensor, x: Tensor, labels: Tensor, there: Tensor) -> Tensor:
        clouds = torch.cat([r / UNIT, x], -1).flatten(1).unsqueeze(1).expand(-1, labels.shape[1], -1)
        return UNIT * self.net(torch.cat([clouds, self.embed(labels)], -1))


def tensors(data: Residues, dtype: torch.dtype = torch.float32) -> tuple[Tensor, ...]:
    """Beads, features, kinds of atoms, which are there, positions of atoms."""
    return data.r.to(dtype), data.features().to(dtype), data.labels, data.there, data.atoms.to(dtype)


def loss(model: nn.Module, r: Tensor, x: Tensor, labels: Tensor, there: Tensor, atoms: Tensor) -> Tensor:
    """Mean square distance; a perceptron's data are turned at random."""
    if isinstance(model, Turned):
        g = SO(3).sample(len(r), dtype=r.dtype)
        r, atoms = r @ g.mT, atoms @ g.mT
    off = (model(r, x, labels, there) - atoms).square().sum(-1)
    return (off * there).sum() / there.sum()


def rmse(found: Tensor, data: Residues) -> float:
    """Root mean square distance of atoms, angstrom."""
    return float((found - data.atoms).square().sum(-1)[data.there].mean().sqrt())


@torch.no_grad()
def placed(model: nn.Module, data: Residues) -> Tensor:
    """Atoms, in double precision."""
    model.double().eval()
    r, x, labels, there, _ = tensors(data, torch.float64)
    found = torch.cat([model(*part) for part in zip(*(t.split(100) for t in (r, x, labels, there)))])
    model.float()
    return found


def frames(r: Tensor) -> Tensor:
    """Rotations whose rows are the direction to the next bead, and, made orthogonal, the one to the bead before, and their product."""
    first = nn.functional.normalize(r[:, 2], dim=-1)
    second = nn.functional.normalize(r[:, 1] - (r[:, 1] * first).sum(-1, keepdim=True) * first, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], 1)


def template(learned: Residues, test: Residues) -> Tensor:
    """The mean of each kind of atom in the frame of the chain."""
    local = (learned.atoms @ frames(learned.r).mT)[learned.there]
    kinds = learned.labels[learned.there]
    total = torch.zeros(len(learned.kinds), 3, dtype=local.dtype).index_add(0, kinds, local)
    mean = total / torch.bincount(kinds, minlength=len(learned.kinds)).clamp_min(1).unsqueeze(1)
    return mean[test.labels] @ frames(test.r)


def trees(learned: Residues, test: Residues) -> tuple[Tensor, str]:
    """For each kind of residue, extremely randomised trees or a ridge from the beads to its atoms, both in the frame of the chain."""
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    candidates = {
        f"{count} trees of leaves of {leaf}": lambda count=count, leaf=leaf: ExtraTreesRegressor(
            count, min_samples_leaf=leaf, max_features=0.5, random_state=0
        )
        for count, leaf in ((100, 3), (100, 8))
    } | {"ridge, alpha 100": lambda: make_pipeline(StandardScaler(), Ridge(100.0))}
    seen = []
    for data in (learned, test):
        chain = frames(data.r)
        near = nn.functional.one_hot(data.around[:, 1:3], 20).flatten(1)
        seen.append((torch.cat([(data.r @ chain.mT).flatten(1), near], 1), data.atoms @ chain.mT))
    (x, y), (x_test, _) = seen
    out = template(learned, test) @ frames(test.r).mT  # what stays where a kind has too few residues
    chosen = []
    for kind in range(20):
        here, there = learned.around[:, 0] == kind, test.around[:, 0] == kind
        atoms = int(learned.there[here].sum(1).max()) if here.any() else 0
        here = here & (learned.there.sum(1) == atoms)
        if int(here.sum()) < 8 or not there.any():
            continue
        model = simplest(candidates, x[here], y[here][:, :atoms].flatten(1))  # type: ignore[arg-type]
        chosen.append(model.settings.split(",")[0])
        placed = model.predict(x_test[there]).view(-1, atoms, 3)
        # Atoms go by their kind: a residue of the test may lack some.
        where = test.labels[there].unsqueeze(2) == learned.labels[here][0, :atoms]
        out[there] = torch.where(where.any(2, keepdim=True), where.double() @ placed, out[there])
    words = ", ".join(f"{name} for {chosen.count(name)}" for name in dict.fromkeys(chosen))
    return out @ frames(test.r), f"for each of {len(chosen)} kinds of residue chosen on a held-out quarter: {words}"


class Run(NamedTuple):
    """What one seed gave: errors by name, of all atoms and of the backbone, steps and CPU seconds, and how exactly atoms turn along."""

    errors: dict[str, float]
    backbone: dict[str, float]
    training: dict[str, dict[str, float]]
    moved: float
    chosen: str
    sizes: list[int]


def run(config: Config, quiet: bool) -> Part:
    """Train both networks on the same time, and compare; for each seed."""
    config = replace(config, seeds=config.seeds or 3)
    proteins = shipped_proteins()[: config.proteins]
    data = residues(proteins, config.beads)
    seeds = range(config.seed, config.seed + config.seeds)
    return _report([once(replace(config, seed=seed), data, len(proteins), quiet) for seed in seeds], config, len(proteins))


def held_out(proteins: int) -> int:
    """How many proteins are judged by."""
    return max(1, proteins // 5)


def once(config: Config, data: Residues, proteins: int, quiet: bool) -> Run:
    """One seed: of the draw of the proteins, of weights and batches."""
    order = torch.randperm(proteins, generator=torch.Generator().manual_seed(config.seed))
    testing = torch.isin(data.protein, order[: held_out(proteins)])
    learned, test = data[~testing], data[testing]
    features = data.features().shape[-1]
    torch.manual_seed(config.seed)
    models = {
        ATTENTION: Attention(features, len(data.kinds), config.width),
        PERCEPTRON: Turned(config.beads, features, len(data.kinds)),
    }
    found: dict[str, Tensor] = {}
    numbers: dict[str, dict[str, float]] = {}
    for name, model in models.items():
        settings = TrainingConfig(batch_size=max(1, config.batch // 4), lr=config.lr, weight_decay=0.0, clip=10.0, seed=config.seed)
        settings = replace(settings, steps=steps_within(_seconds(config), model, tensors(learned), loss, settings, trial=3))
        started = time.process_time()
        train(model, tensors(learned), loss, settings, description=name, quiet=quiet)
        numbers[name] = {"steps": settings.steps, "seconds": time.process_time() - started}
        found[name] = placed(model, test)
    found[TEMPLATE] = template(learned, test)
    numbers[TEMPLATE] = {"steps": 0, "seconds": 0.0}
    started = time.process_time()
    found[TREES], chosen = trees(learned, test)
    numbers[TREES] = {"steps": 0, "seconds": time.process_time() - started}
    found[NOTHING] = torch.zeros_like(test.atoms)
    numbers[NOTHING] = {"steps": 0, "seconds": 0.0}
    g = SO(3).sample(1, dtype=torch.float64, generator=torch.Generator().manual_seed(config.seed))[0]
    some = test[: min(len(test), TURNED)]
    turned = replace(some, r=some.r @ g.mT)
    moved = rmse(placed(models[ATTENTION], turned) @ g, replace(some, atoms=found[ATTENTION][: len(some)]))
    backbone = torch.tensor([name in ("N", "CA", "C", "O") for _, name in data.kinds])[test.labels] & test.there
    errors = {name: rmse(y, test) for name, y in found.items()}
    of_backbone = {name: rmse(y, replace(test, there=backbone)) for name, y in found.items()}
    return Run(errors, of_backbone, numbers, moved, chosen, [len(learned), len(test)])


def _seconds(config: Config) -> float:
    return config.seconds or (3600.0 if config.full else SECONDS)


def _report(runs: Sequence[Run], config: Config, proteins: int) -> Part:
    errors = {name: [one.errors[name] for one in runs] for name in runs[0].errors}
    shown = {name: repeated(values) for name, values in errors.items()}
    mean = {name: sum(values) / len(values) for name, values in errors.items()}
    seconds = {name: sum(one.training[name]["seconds"] for one in runs) / len(runs) for name in errors}
    rows = [
        [name, shown[name], repeated([one.backbone[name] for one in runs]), runs[0].training[name]["steps"], seconds[name]]
        for name in errors
    ]
    columns = ["model", "RMSE, A", "of the backbone, A", "steps", "CPU seconds"]
    held, (learned, test) = held_out(proteins), runs[0].sizes
    about = (
        f"Residues of {proteins - held} proteins to learn from, of {held} others to judge by (of the first seed {learned} and {test}); "
        f"{config.beads} beads each."
    )
    seeds = seeds_said(len(runs))
    scale = f"{learned} residues, {_seconds(config):g} CPU seconds, width {config.width}, {seeds}"
    two, moved, each = errors[ATTENTION], max(one.moved for one in runs), "holds if it does in every seed"
    claims = [
        Claim("attention places atoms of other proteins better than their mean positions in the chain's frame", "atoms are placed",
              shown[ATTENTION], all(a < b for a, b in zip(two, errors[TEMPLATE])), shown[TEMPLATE], scale, "A", note=each, source=SOURCE,
              key="template"),
        Claim("and than a perceptron shown random turns in the same time", None, shown[ATTENTION],
              all(a < b for a, b in zip(two, errors[PERCEPTRON])), shown[PERCEPTRON], scale, "A", note=each, key="turned-perceptron"),
        Claim("atoms turn along with the beads: off by at most 1e-9 A", "equivariant", moved, moved <= 1e-9, scale="double precision",
              unit="A", source=SOURCE, key="along"),
    ]  # fmt: skip
    answer = (
        f"Atoms are off by {mean[ATTENTION]:.2f} A with attention, {mean[PERCEPTRON]:.2f} with a perceptron, {mean[TEMPLATE]:.2f} at their "
        f"mean positions, {mean[TREES]:.2f} with trees in the frame of the chain."
    )
    rival = Rival(
        TREES, ATTENTION, "root mean square distance of atoms", shown[ATTENTION], shown[TREES], "lower", seconds=seconds[ATTENTION],
        rival_seconds=seconds[TREES], settings=runs[0].chosen, scale=scale, unit="A",
    )  # fmt: skip
    numbers = {"rmse": mean, "runs": [one._asdict() for one in runs]}
    tables = [Table("Root mean square distances on other proteins", columns, rows)]
    return Part(claims, [Section("What each reached", about, tables=tables)], numbers, answer, rivals=[rival])
