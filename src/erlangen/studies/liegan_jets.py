"""LieGAN on collider jets: the Lorentz algebra, its metric, and a graph network that uses it."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from erlangen.data import DataSet
from erlangen.discover import LieGAN, fit_quadric
from erlangen.discover.found import standard_cosine
from erlangen.discover.samples import samples_of
from erlangen.fields.jets import jets
from erlangen.groups import SO
from erlangen.measure import auc
from erlangen.nn import LieGNN
from erlangen.parallel import one_thread
from erlangen.reporting import (
    RIVAL,
    RIVAL_CLAIM,
    Claim,
    Claims,
    Crossover,
    KeyNumber,
    Matrix,
    Outcome,
    Rival,
    Section,
    Table,
    format_value,
    heatmap,
    repeated,
)
from erlangen.studies.base import Study
from erlangen.studies.rivals import Simple, boosters, columns, simplest
from erlangen.training import TrainingConfig, train, train_members

#: Of the networks: width, blocks, rate; jets in a step. On a quarter of the training jets, with Minkowski's metric and two seeds, this
#: rate was the best of 0.003, 0.005 and 0.01, and width 32 or three blocks changed the AUC by 0.001 and less.
WIDTH, BLOCKS, RATE, BATCH = 16, 2, 3e-3, 32
#: Training jets of the curve.
PLACES = (100, 300, 1000, 4000)
BOOSTING = (
    "What a metric is worth without a network: gradient boosting on what it sees of a jet (products of pairs, masses of the leading "
    "particles, of the whole), with the learned metric and with Minkowski's."
)
SOURCE = "Yang, Walters, Dehmamy, Yu 2023, arXiv:2302.00236"


@dataclass(frozen=True)
class Config:
    """The source's top tagging, on the cached jets."""

    seeds: int = 3
    """Discoveries, and networks with each metric."""
    steps: int = 2000
    """Steps of LieGAN."""
    channels: int = 7
    """Channels of LieGAN."""
    network: bool = True
    """Also train LieGNN with four metrics."""
    network_steps: int = 300
    """Steps of each network."""
    curve: bool = False
    """Also classifiers from 100 to 4000 jets: boosting on products under both metrics and on components, and LieGNN."""
    full: bool = False
    """Networks of the source's size, 6 blocks of width 72, ten times as long."""
    seed: int = 0
    """First seed."""


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Discover, compare metrics, train networks."""
    started = time.perf_counter()
    with one_thread():
        return _run(config, quiet, started)


def _run(config: Config, quiet: bool, started: float) -> Outcome:
    data, test = jets("train"), jets("test")
    assert data.y is not None
    assert test.y is not None
    leading = samples_of(data.x[:, :2] / 100, data.y)
    lorentz = SO(1, 3).algebra
    assert lorentz is not None
    cosines, signatures, principal, metrics, seconds = [], [], [], [], []
    for seed in range(config.seed, config.seed + config.seeds):
        clock = time.process_time()
        gan = LieGAN(4, config.channels, eta=0.1, steps=config.steps, seed=seed, quiet=quiet).fit_samples(leading)
        seconds.append(time.process_time() - clock)
        # Channels weigh by their norm: those that shrank say little.
        metric = type(lorentz)(gan.basis_).metric(conformal=True)
        metrics.append(metric)
        cosines.append(standard_cosine(metric) if metric.signature == (1, 3) else 0.0)
        signatures.append(metric.signature)
        principal.append(gan.algebra_.principal_cosines(lorentz).tolist())
    clock = time.process_time()
    quadric = fit_quadric(data.x)
    quadric_seconds = time.process_time() - clock
    minkowski = torch.diag(torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64))
    quadric_cosine = float((quadric.form * minkowski).sum().abs() / 2)
    middle = metrics[cosines.index(sorted(cosines)[len(cosines) // 2])]
    claims = [
        Claim(
            "the metric of the learned algebra is Minkowski's: |cos| at least 0.98 in every seed",
            0.9975,
            repeated(cosines),
            min(cosines) >= 0.98,
            baseline=quadric_cosine,
            scale=f"{config.seeds} seeds, {config.steps} steps",
            note="baseline: the quadric that all constituents lie on, in closed form",
            source=f"{SOURCE}, released metric",
            key="metric",
        ),
        Claim(
            "its signature is (1,3) in every seed",
            "(1, 3)",
            ", ".join(sorted({str(s) for s in signatures})),
            set(signatures) == {(1, 3)},
            scale=f"{config.seeds} seeds",
            key="metric",
        ),
        Claim(
            "the closed form takes milliseconds",
            None,
            1e3 * quadric_seconds,
            quadric_seconds < 1.0,
            baseline=repeated([1e3 * s for s in seconds]),
            unit="ms",
            note="baseline: LieGAN",
            key="closed-form",
        ),
    ]
    form = middle.form / middle.form.abs().max()
    sections = [
        Section(
            "The metric",
            [
                "Two leading constituents, momenta in units of 100 GeV, the label as condition. For nearly massless particles the light "
                "cone alone is kept by so(1,3) and by dilations, and a channel often is one. As a distribution jets are not boost "
                "invariant: their transverse momentum is cut to 550-650 GeV.",
            ],
            matrices=[Matrix("J", form, row_labels=data.names, column_labels=data.names)],
            figures=[
                heatmap(
                    form,
                    title="The learned metric",
                    row_labels=data.names,
                    column_labels=data.names,
                    caption="Largest entry scaled to one.",
                ),
            ],
            tables=[
                Table(
                    "Discoveries",
                    ["seed", "|cos| with Minkowski", "signature", "principal cosines with so(1,3)", "seconds"],
                    [
                        [config.seed + i, c, str(s), ", ".join(f"{v:.3f}" for v in p), t]
                        for i, (c, s, p, t) in enumerate(zip(cosines, signatures, principal, seconds))
                    ],
                )
            ],
        )
    ]
    rivals = [
        Rival(
            "a quadric fitted to the constituents", "LieGAN", "|cos| with Minkowski's metric", repeated(cosines), quadric_cosine,
            "higher", statistics.fmean(seconds), quadric_seconds, "closed form", f"{config.seeds} seeds",
            note="particles lie on one quadric here; LieGAN asks for no such thing",
        )
    ]  # fmt: skip
    networks: dict[str, list[float]] = {}
    boosted: dict[str, float] = {}
    if config.network:
        forms: dict[str, Tensor | list[Tensor] | None] = {
            "learned": [m.form / m.form.abs().max() for m in metrics],
            "Minkowski": minkowski,
            "Euclidean": torch.eye(4),
            "none": None,
        }
        clock = time.process_time()
        networks = {name: tagged(of, data, test, config, quiet, f"LieGNN, {name}") for name, of in forms.items()}
        spent = (time.process_time() - clock) / (len(networks) * config.seeds)
        claims += _network_claims(networks, config)
        clock = time.process_time()
        found = simplest(boosters(classes=True), invariants(minkowski, data.x), data.y)
        boosting = time.process_time() - clock
        chosen = {found.settings: boosters(classes=True)[found.settings.split(", chosen")[0]]}
        models = {"Minkowski": (minkowski, found), "learned": (form, simplest(chosen, invariants(form, data.x), data.y))}
        boosted = {name: told(model, invariants(of, test.x), test.y) for name, (of, model) in models.items()}
        rivals.append(
            Rival(
                "boosting on Minkowski products", "LieGNN with the learned metric", "AUC on test jets", repeated(networks["learned"]),
                boosted["Minkowski"], "higher", spent + statistics.fmean(seconds), boosting,
                found.settings, f"{len(data.x)} training and {len(test.x)} test jets, {config.seeds} seeds",
                note=f"products under the metric of the median seed: {boosted['learned']:.3f}",
            )
        )  # fmt: skip
        rows = [[name, repeated(values), boosted.get(name)] for name, values in networks.items()]
        heads = ["metric", "test AUC of LieGNN", "of boosting on products"]
        sections.append(Section("LieGNN", [BOOSTING], tables=[Table("Top tagging, 20 constituents", heads, rows)]))
    crossover = tagging_curve([m.form / m.form.abs().max() for m in metrics], data, test, config, quiet) if config.curve else None
    if crossover:
        sections.append(crossover.section())
    return Outcome(
        name="liegan-jets",
        title="LieGAN on collider jets",
        config=config,
        claims=Claims(claims),
        left_out={} if config.network else {"network": "measured with --network"},
        metrics={
            "cosines": cosines,
            "principal_cosines": principal,
            "seconds": seconds,
            "quadric": vars(quadric) | {"form": quadric.form.tolist()},
            "networks": networks,
            "boosting": boosted,
            **({"crossover": crossover.as_dict()} if crossover else {}),
        },
        sections=sections,
        seconds=time.perf_counter() - started,
        answer=f"The learned metric is Minkowski's with |cos| {format_value(repeated(cosines))} ({config.seeds} seeds); the "
        f"quadric fit agrees to {1 - quadric_cosine:.0e} in {1e3 * quadric_seconds:.0f} ms.",
        key_numbers=[
            KeyNumber("|cos| with Minkowski", repeated(cosines)),
            KeyNumber("seconds per discovery", statistics.median(seconds)),
            *[KeyNumber(f"AUC, {name} metric", repeated(networks[name])) for name in ("learned", "Minkowski") if name in networks],
        ],
        rivals=rivals,
    )


def invariants(form: Tensor, x: Tensor) -> Tensor:
    """What a metric sees of jets ``[N, 20, 4]``, as logarithms: ``[N, 236]``.

    Products of all pairs in descending order, with the jet's momentum, masses of the leading ``k``, the jet's mass, the number of
    particles, and sums of powers of products in units of the jet's mass.
    """
    form = form.double() * (-1 if form[0, 0] < 0 else 1)  # a metric is known up to its sign
    i, j = torch.triu_indices(x.shape[1], x.shape[1], 1)
    pairs = (x @ form @ x.mT)[:, i, j].clamp_min(0)
    grown = x.cumsum(1)
    masses = ((grown @ form) * grown).sum(-1).clamp_min(0)
    whole = masses[:, -1:]
    along = (x @ form @ grown[:, -1:].mT).squeeze(-1).clamp_min(0)
    shares = pairs / whole.clamp_min(1e-9)
    powers = torch.stack([shares.pow(p).sum(-1) for p in (0.5, 1, 2, 3)], -1)
    count = (x[..., 0] > 0).sum(-1, keepdim=True).to(x.dtype)
    return torch.cat([pairs.sort(-1, descending=True).values, masses, along, whole, count, powers], -1).log1p()


def told(model: Simple, x: Tensor, y: Tensor) -> float:
    """AUC of a classifier of scikit-learn's."""
    return auc(torch.from_numpy(model.model.predict_proba(columns(x))[:, 1]), y)


def tagged(
    form: Tensor | list[Tensor] | None, data: DataSet, test: DataSet, config: Config, quiet: bool, description: str
) -> list[float]:
    """Test AUC of LieGNN with a metric, or with each seed's own: the same seeds and budget whatever the metric."""
    width, blocks, steps = (72, 6, 10 * config.network_steps) if config.full else (WIDTH, BLOCKS, config.network_steps)
    seeds = range(config.seed, config.seed + config.seeds)

    def make(seed: int) -> LieGNN:
        return LieGNN(form[seed - config.seed] if isinstance(form, list) else form, width=width, blocks=blocks)

    assert data.y is not None
    settings = TrainingConfig(steps=steps, batch_size=BATCH, lr=RATE)
    nets, _ = train_members(make, seeds, (data.x.float(), data.y), loss, settings, description=description, quiet=quiet)
    return [_scored(net, test) for net in nets]


def loss(model: nn.Module, a: Tensor, b: Tensor) -> Tensor:
    """Cross entropy."""
    return F.cross_entropy(model(a), b)


def _scored(net: nn.Module, test: DataSet) -> float:
    assert test.y is not None
    with torch.no_grad():
        return auc(torch.cat([net(part).diff(dim=1)[:, 0] for part in test.x.float().split(250)]), test.y)


def tagging_curve(forms: list[Tensor], data: DataSet, test: DataSet, config: Config, quiet: bool) -> Crossover:
    """Classifiers of ever more jets, drawn anew in each seed; what is boosted has its settings chosen on a quarter of these."""
    assert data.y is not None
    assert test.y is not None
    minkowski = torch.diag(torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64))
    ours, network = "boosting on products under the learned metric", "LieGNN with the learned metric"
    curves: dict[str, list[list[float]]] = {
        name: [] for name in (ours, "boosting on Minkowski products", "boosting on components", network)
    }
    for count in PLACES:
        for runs in curves.values():
            runs.append([])
        for seed, form in enumerate(forms, config.seed):
            order = torch.randperm(len(data.x), generator=torch.Generator().manual_seed(seed))[:count]
            x, y = data.x[order], data.y[order]
            seen = {ours: form, "boosting on Minkowski products": minkowski, "boosting on components": None}
            for name, of in seen.items():
                known, unknown = (part.flatten(1) if of is None else invariants(of, part) for part in (x, test.x))
                model = simplest(boosters(classes=True, leaves=(7, 31)), known, y, seed=seed)
                curves[name][-1].append(told(model, unknown, test.y))
            torch.manual_seed(seed)
            net = LieGNN(form, width=WIDTH, blocks=BLOCKS)
            settings = TrainingConfig(steps=config.network_steps, batch_size=min(BATCH, count), lr=RATE, seed=seed)
            train(net, (x.float(), y), loss, settings, description=f"LieGNN, {count} jets", quiet=quiet)
            curves[network][-1].append(_scored(net, test))
    note = (
        f"{len(test.x)} test jets; training jets drawn anew in each of {config.seeds} seeds. The metric is found by LieGAN from all "
        f"{len(data.x)} jets: two constituents of each, and the label. Components: energies and momenta of 20 constituents."
    )
    return Crossover("training jets", PLACES, "AUC on test jets", "higher", ours, curves, note=note)


def _network_claims(networks: dict[str, list[float]], config: Config) -> list[Claim]:
    steps = config.network_steps * (10 if config.full else 1)
    scale = f"2000 test jets, {config.seeds} seeds, {steps} steps of {BATCH}"
    learned, lorentz = networks["learned"], networks["Minkowski"]
    apart = statistics.fmean(learned) - statistics.fmean(lorentz)
    claims = [
        Claim(
            "LieGNN with the learned metric does as well as with Minkowski's: mean AUC within 0.01",
            "0.9849 / 0.9857",
            repeated(learned),
            abs(apart) <= 0.01,
            baseline=repeated(lorentz),
            scale=scale,
            note="the source's figures are for its own, larger data",
            source=SOURCE,
            key="network",
        )
    ]
    for name, words in (("Euclidean", "with a Euclidean metric"), ("none", "without a metric")):
        claims.append(
            Claim(
                f"it does better than {words} in every seed",
                None,
                repeated(learned),
                all(a > b for a, b in zip(learned, networks[name])),
                baseline=repeated(networks[name]),
                scale=scale,
                key="network",
            )
        )
    return claims


STUDY = Study(
    name="liegan-jets",
    system=21,
    title="LieGAN on collider jets: the Lorentz algebra, its metric, and a network that uses it",
    source=SOURCE,
    config=Config,
    run=run,
    claims={
        RIVAL: RIVAL_CLAIM,
        "metric": "the metric of the learned algebra is Minkowski's, |cos| >= 0.98, signature (1,3)",
        "closed-form": "a quadric fit finds it in milliseconds",
        "network": "LieGNN with the learned metric matches Minkowski's to 0.01 AUC and beats Euclidean and none",
    },
)
