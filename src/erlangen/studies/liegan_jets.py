"""LieGAN on collider jets: the Lorentz algebra, its metric, and a graph network that uses it."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

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
    KeyNumber,
    Matrix,
    Outcome,
    Rival,
    Section,
    Table,
    heatmap,
    repeated,
)
from erlangen.studies.base import Study
from erlangen.studies.rivals import boosters, columns, simplest
from erlangen.training import TrainingConfig, train

#: Of the networks: best of 0.001, 0.003, 0.005 and 0.01 on a quarter of the training jets.
RATE = 3e-3
BOOSTING = (
    "What a metric is worth without a network: gradient boosting on what it sees of a jet (products of pairs, masses of the leading "
    "particles, of the whole), with the learned metric and with Minkowski's."
)
SOURCE = "Yang, Walters, Dehmamy, Yu 2023, arXiv:2302.00236"


@dataclass(frozen=True)
class Config:
    """The source's top tagging, on the cached jets."""

    seeds: int = 3
    """Discoveries; the median decides."""
    steps: int = 3000
    """Steps of LieGAN."""
    channels: int = 7
    """Channels of LieGAN."""
    network: bool = True
    """Also train LieGNN with four metrics."""
    network_steps: int = 400
    """Steps of each network."""
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
            "the metric of the learned algebra is Minkowski's: |cos| at least 0.98",
            0.9975,
            statistics.median(cosines),
            statistics.median(cosines) >= 0.98,
            baseline=quadric_cosine,
            scale=f"{config.seeds} seeds, {config.steps} steps, median",
            note="baseline: the quadric that all constituents lie on, in closed form",
            source=f"{SOURCE}, released metric",
            key="metric",
        ),
        Claim(
            "its signature is (1,3)",
            "(1, 3)",
            ", ".join(sorted({str(s) for s in signatures})),
            statistics.mode(signatures) == (1, 3),
            scale=f"{config.seeds} seeds, the commonest",
            key="metric",
        ),
        Claim(
            "the closed form takes milliseconds",
            None,
            1e3 * quadric_seconds,
            quadric_seconds < 1.0,
            baseline=1e3 * statistics.median(seconds),
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
    networks, boosted = {}, {}
    if config.network:
        clock = time.process_time()
        networks = network_table(form, data.x, data.y, test.x, test.y, config, quiet)
        spent = (time.process_time() - clock) / len(networks)
        claims += _network_claims(networks, config)
        clock = time.process_time()
        found = simplest(boosters(classes=True), invariants(minkowski, data.x), data.y)
        boosting = time.process_time() - clock
        chosen = {found.settings: boosters(classes=True)[found.settings.split(", chosen")[0]]}
        models = {"Minkowski": (minkowski, found), "learned": (form, simplest(chosen, invariants(form, data.x), data.y))}
        for name, (products, model) in models.items():
            scores = model.model.predict_proba(columns(invariants(products, test.x)))[:, 1]
            boosted[name] = auc(torch.from_numpy(scores), test.y)
        rivals.append(
            Rival(
                "boosting on Minkowski products", "LieGNN with the learned metric", "AUC on test jets", networks["learned"],
                boosted["Minkowski"], "higher", spent + statistics.fmean(seconds), boosting,
                found.settings, f"{len(data.x)} training and {len(test.x)} test jets",
                note=f"products under the learned metric: {boosted['learned']:.3f}",
            )
        )  # fmt: skip
        rows = [[name, value, boosted.get(name)] for name, value in networks.items()]
        heads = ["metric", "test AUC of LieGNN", "of boosting on products"]
        sections.append(Section("LieGNN", [BOOSTING], tables=[Table("Top tagging, 20 constituents", heads, rows)]))
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
        },
        sections=sections,
        seconds=time.perf_counter() - started,
        answer=f"The learned metric is Minkowski's with |cos| {statistics.median(cosines):.4f} (median of {config.seeds} seeds); the "
        f"quadric fit agrees to {1 - quadric_cosine:.0e} in {1e3 * quadric_seconds:.0f} ms.",
        key_numbers=[
            KeyNumber("|cos| with Minkowski", repeated(cosines)),
            KeyNumber("seconds per discovery", statistics.median(seconds)),
            *[KeyNumber(f"AUC, {name} metric", value) for name, value in networks.items() if name in ("learned", "Minkowski")],
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


def network_table(
    form: Tensor, x: Tensor, y: Tensor, x_test: Tensor, y_test: Tensor, config: Config, quiet: bool
) -> dict[str, float]:
    """Test AUC of the same LieGNN with four metrics, same seeds and budget."""
    width, blocks, steps = (72, 6, 10 * config.network_steps) if config.full else (24, 3, config.network_steps)
    forms = {
        "learned": form,
        "Minkowski": torch.diag(torch.tensor([1.0, -1.0, -1.0, -1.0])),
        "Euclidean": torch.eye(4),
        "none": None,
    }
    settings = TrainingConfig(steps=steps, batch_size=64, lr=RATE, seed=config.seed)
    table = {}
    for name, metric in forms.items():
        torch.manual_seed(config.seed)
        net = LieGNN(metric, width=width, blocks=blocks)

        def loss(model: nn.Module, a: Tensor, b: Tensor) -> Tensor:
            return F.cross_entropy(model(a), b)

        train(net, (x.float(), y), loss, settings, description=f"LieGNN, {name}", quiet=quiet)
        with torch.no_grad():
            scores = torch.cat([net(part).diff(dim=1)[:, 0] for part in x_test.float().split(250)])
        table[name] = auc(scores, y_test)
    return table


def _network_claims(networks: dict[str, float], config: Config) -> list[Claim]:
    scale = f"2000 test jets, one seed, {config.network_steps * (10 if config.full else 1)} steps of 64"
    return [
        Claim(
            "LieGNN with the learned metric does as well as with Minkowski's: AUC within 0.01",
            "0.9849 / 0.9857",
            networks["learned"],
            abs(networks["learned"] - networks["Minkowski"]) <= 0.01,
            baseline=networks["Minkowski"],
            scale=scale,
            note="the source's figures are for its own, larger data",
            source=SOURCE,
            key="network",
        ),
        Claim(
            "it does better than with a Euclidean metric",
            None,
            networks["learned"],
            networks["learned"] > networks["Euclidean"],
            baseline=networks["Euclidean"],
            scale=scale,
            key="network",
        ),
        Claim(
            "it does better than without a metric",
            None,
            networks["learned"],
            networks["learned"] > networks["none"],
            baseline=networks["none"],
            scale=scale,
            key="network",
        ),
    ]


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
