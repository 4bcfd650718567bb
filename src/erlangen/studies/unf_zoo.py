"""How well does a network do? Told from its weights alone, by functionals that know their symmetry and by ones that do not."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from erlangen.datasets.digits import split_digits
from erlangen.equivariance import equivariance_error
from erlangen.parallel import one_thread
from erlangen.parameters.mlp_zoo import Zoo, ZooConfig, train_zoo
from erlangen.parameters.predict import PredictionConfig, Predictor, fit_predictor, functionals, kendall_tau
from erlangen.parameters.rnn_zoo import RecurrentZooConfig, train_recurrent_zoo
from erlangen.reporting import (
    RIVAL,
    RIVAL_CLAIM,
    Claim,
    Claims,
    KeyNumber,
    Line,
    Outcome,
    Rival,
    Section,
    Table,
    bars_with_error,
    histogram,
    lines_with_band,
    repeated,
    scatter,
)
from erlangen.studies.base import ONLY_FULL, Study
from erlangen.studies.rivals import boosters, simplest

SOURCE = "Zhou, Finn, Harrison 2024, arXiv:2402.05232"
#: Held-out digits that rivals may look at; accuracies are measured on the others.
SPARE = 100
#: Of them, so many are labelled.
LABELLED = (5, 10, 20, 35, 50, 100)
TESTED, VOTED = "a test on 50 labelled digits", "agreement with the whole zoo on 50 unlabelled digits"
BOOSTED = "boosting on statistics of weights"


@dataclass(frozen=True)
class Config:
    """A zoo of perceptrons on the digits, three predictors, three seeds each."""

    networks: int = 2000
    """Networks in the zoo; the last 300 are judged, the 300 before choose the epoch."""
    epochs: int = 14
    """Passes of each predictor over the zoo."""
    seeds: int = 3
    """Trainings of each predictor."""
    full: bool = False
    """Also a zoo of recurrent networks that add, with a learning curve (an hour or more)."""
    recurrent: int = 4000
    """Networks in that zoo."""
    seed: int = 0
    """First seed."""


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Train the zoo, train the predictors, rank the networks that they have not seen."""
    started = time.perf_counter()
    with one_thread():
        return _run(config, quiet, started)


def _run(config: Config, quiet: bool, started: float) -> Outcome:
    (x, y), (held_x, held_y) = split_digits(seed=config.seed)
    spare = (held_x[:SPARE], held_y[:SPARE])
    zoo = train_zoo(x, y, held_x[SPARE:], held_y[SPARE:], ZooConfig(networks=config.networks, seed=config.seed), quiet=quiet)
    zoo_seconds = time.perf_counter() - started
    judged = min(300, config.networks // 4)
    seen, unseen = zoo[: len(zoo) - judged], zoo[len(zoo) - judged :]
    taus: dict[str, list[float]] = {}
    seconds: dict[str, list[float]] = {}
    best: tuple[float, Tensor, Predictor] | None = None
    for name, make in functionals(zoo.spec).items():
        for seed in range(config.seed, config.seed + config.seeds):
            clock = time.process_time()
            torch.manual_seed(seed)
            settings = PredictionConfig(epochs=config.epochs, validation=judged, seed=seed)
            fitted = fit_predictor(make(), zoo.spec, seen.params, seen.accuracy, settings, description=name, quiet=quiet)
            with torch.no_grad():
                guess = fitted(unseen.params)
            tau = kendall_tau(guess, unseen.accuracy)
            taus.setdefault(name, []).append(tau)
            seconds.setdefault(name, []).append(time.process_time() - clock)
            if name == "UNF" and (best is None or tau > best[0]):
                best = (tau, guess, fitted)
    assert best is not None
    simple, curve = simple_ways(seen, unseen, spare, config.seed)
    mean = {name: statistics.mean(values) for name, values in taus.items()}
    error = _symmetry(best[2], unseen)
    scale = f"{len(seen) - judged} networks to learn from, {judged} to judge, {config.seeds} seeds"
    claims = [
        Claim(
            "UNF ranks unseen networks better than their statistics do, by at least 0.03",
            0.8968,
            mean["UNF"],
            mean["UNF"] >= mean["StatNN"] + 0.03,
            baseline=mean["StatNN"],
            scale=scale,
            note="Kendall's tau. The source: 10,000 recurrent networks, and 0.8839 of StatNN",
            source=f"{SOURCE}, section 4.1",
            key="unf",
        ),
        Claim(
            "statistics rank better than a deep set",
            0.8839,
            mean["StatNN"],
            mean["StatNN"] > mean["deep set"],
            baseline=mean["deep set"],
            scale=scale,
            note="Kendall's tau. The source: 0.8306 of the deep set",
            source=f"{SOURCE}, section 4.1",
            key="statistics",
        ),
        Claim(
            "permuting hidden units leaves the trained UNF's answer as it is",
            None,
            error,
            error <= 1e-10,
            scale="32 random permutations, in double precision",
            note="largest relative error",
            key="permutations",
        ),
    ]
    extra, sections = _recurrent(config, quiet) if config.full else ([], [])
    rivals = [
        Rival(
            name,
            "UNF on weights alone",
            "Kendall's tau of unseen networks",
            repeated(taus["UNF"]),
            tau,
            "higher",
            seconds=statistics.mean(seconds["UNF"]),
            rival_seconds=took,
            scale=scale,
            note={TESTED: "needs data and labels", VOTED: "needs data", BOOSTED: "has what UNF has"}[name],
        )
        for name, (tau, took) in simple.items()
    ]
    needed = next((k for k, tau in curve.items() if tau >= mean["UNF"]), None)
    names = list(mean)
    rows = [[name, repeated(taus[name]), statistics.mean(seconds[name])] for name in names]
    figures = [
        scatter(
            {"UNF": (unseen.accuracy, best[1])},
            title="Accuracy and what the weights tell of it",
            x_label="accuracy on held-out digits",
            y_label="predicted",
            caption="Each point is a network that the predictor has not seen.",
        ),
        bars_with_error(
            names,
            {"tau": [mean[name] for name in names]},
            title="Ranking of unseen networks",
            y_label="Kendall's tau",
            caption="Mean over the seeds.",
        ),
        lines_with_band(
            {
                "a test on labelled digits": Line(list(curve), list(curve.values())),
                "UNF, from weights alone": Line(list(curve), [mean["UNF"]] * len(curve)),
            },
            title="What a few labelled digits tell",
            x_label="labelled digits",
            y_label="Kendall's tau",
            log_x=True,
            caption="Weights alone are worth as many labelled digits as where the lines cross.",
        ),
    ]
    return Outcome(
        name="unf-zoo",
        title="How well a network does, told from its weights",
        config=config,
        claims=Claims(claims + extra),
        left_out={} if config.full else {"recurrent": ONLY_FULL},
        metrics={
            "tau": taus,
            "simple": {name: tau for name, (tau, _) in simple.items()},
            "tau_by_labelled_digits": {str(k): tau for k, tau in curve.items()},
            "seconds": seconds,
            "zoo_seconds": zoo_seconds,
            "accuracy_quantiles": [float(zoo.accuracy.quantile(q)) for q in (0.0, 0.1, 0.5, 0.9, 1.0)],
            "symmetry_error": error,
        },
        sections=[
            Section(
                "The zoo",
                [
                    f"{len(zoo)} perceptrons 64-16-10 on the handwritten digits, with random learning rates, weight decays, initial "
                    "scales, numbers of steps and shares of the data. Their accuracies are measured on "
                    f"{len(held_x) - SPARE} digits that none has seen."
                ],
                figures=[
                    histogram(
                        {"networks": zoo.accuracy}, title="Accuracies", x_label="accuracy", caption="All networks of the zoo."
                    )
                ],
            ),
            Section("Predictors", tables=[Table("Ranking", ["predictor", "Kendall's tau", "seconds"], rows)], figures=figures),
            *sections,
        ],
        seconds=time.perf_counter() - started,
        answer=f"From weights alone UNF ranks unseen networks with a tau of {mean['UNF']:.3f}; their statistics give "
        f"{mean['StatNN']:.3f}, a deep set {mean['deep set']:.3f}. "
        + (f"{needed} labelled digits tell as much." if needed else f"{max(curve)} labelled digits tell less."),
        key_numbers=[
            KeyNumber("tau, UNF", repeated(taus["UNF"]), note=f"StatNN: {mean['StatNN']:.3f}"),
            KeyNumber("labelled digits that tell as much", needed or f"more than {max(curve)}"),
            KeyNumber("seconds for the zoo", zoo_seconds),
            KeyNumber("seconds for a UNF", statistics.mean(seconds["UNF"])),
        ],
        rivals=rivals,
    )


def simple_ways(
    seen: Zoo, unseen: Zoo, spare: tuple[Tensor, Tensor], seed: int
) -> tuple[dict[str, tuple[float, float]], dict[int, float]]:
    """What one would do instead: tau and CPU seconds of each way; and tau of a test by the number of labelled digits.

    Running the networks on a few digits that nobody has trained on, with labels (accuracy, ties broken by the confidence in the true
    class) or without (agreement with the mean answer of all networks seen); and boosting on sorted statistics of every tensor.
    """
    clock = time.process_time()
    x, y = spare
    chances = outputs(unseen, x)

    def agreement(answers: Tensor, k: int) -> float:
        # On k digits it is one of k + 1 numbers; the confidence in these answers orders what it leaves level.
        true = chances[:, torch.arange(len(answers)), answers]
        score = (chances.argmax(-1) == answers).double() + 1e-3 * true
        return kendall_tau(score[:, :k].mean(1).float(), unseen.accuracy)

    curve = {k: agreement(y, k) for k in LABELLED if k <= len(y)}
    tested = time.process_time() - clock
    voted = agreement(outputs(seen, x).mean(0).argmax(-1), 50)
    took = time.process_time() - clock - tested
    clock = time.process_time()
    boosted = simplest(boosters(False, (0.05,)), statistics_of(seen), seen.accuracy, seed=seed)
    fitted = time.process_time() - clock
    tau = kendall_tau(boosted.predict(statistics_of(unseen)).float(), unseen.accuracy)
    return {VOTED: (voted, took), TESTED: (curve[50], tested), BOOSTED: (tau, fitted)}, curve


def outputs(zoo: Zoo, x: Tensor) -> Tensor:
    """Probabilities ``[networks, samples, classes]`` of all networks of a zoo."""
    w1, b1, w2, b2 = (w[:, 0] for w in zoo.params.values())
    hidden = torch.relu(torch.einsum("ni,khi->knh", x, w1) + b1[:, None])
    return (torch.einsum("knh,koh->kno", hidden, w2) + b2[:, None]).softmax(-1)


def statistics_of(zoo: Zoo) -> Tensor:
    """Of every tensor: mean, deviation, quantiles, the largest singular values of matrices, and norms of units in order."""
    found = []
    levels = torch.linspace(0, 1, 9, dtype=torch.float64)
    for w in zoo.params.values():
        w = w[:, 0].double()
        flat = w.flatten(1)
        found += [flat.mean(1, keepdim=True), flat.std(1, keepdim=True), flat.quantile(levels, 1).T]
        if w.dim() == 3:
            found += [torch.linalg.svdvals(w)[:, :8], w.norm(dim=1).sort(1).values, w.norm(dim=2).sort(1).values]
    return torch.cat(found, 1)


def _symmetry(predictor: Predictor, zoo: Zoo) -> float:
    """The largest change of a prediction by permutations of hidden units."""
    params = {name: w[:20].double() for name, w in zoo.params.items()}
    spec = zoo.spec
    predictor = predictor.double()
    verdict = equivariance_error(
        lambda p: predictor(p).unsqueeze(-1), params, spec.action, spec.group.scalar, generator=torch.Generator().manual_seed(0)
    )
    return verdict["worst"]


def _recurrent(config: Config, quiet: bool) -> tuple[list[Claim], list[Section]]:
    """The source's own task, smaller: recurrent networks that add, and how the predictors grow with the zoo."""
    params, success, spec = train_recurrent_zoo(RecurrentZooConfig(networks=config.recurrent, seed=config.seed), quiet=quiet)
    judged = min(500, config.recurrent // 4)
    cut = config.recurrent - judged
    rows, curve = [], {}
    for share in (0.125, 0.25, 0.5, 1.0):
        known = int(share * cut)
        for name, make in functionals(spec).items():
            torch.manual_seed(config.seed)
            settings = PredictionConfig(epochs=config.epochs, validation=known // 5, seed=config.seed)
            fitted = fit_predictor(
                make(), spec, {n: w[:known] for n, w in params.items()}, success[:known], settings, description=name, quiet=quiet
            )
            with torch.no_grad():
                guess = fitted({n: w[cut:] for n, w in params.items()})
            curve[name] = kendall_tau(guess, success[cut:])
            rows.append([known, name, curve[name]])
    claim = Claim(
        "recurrent networks that add: UNF ranks at least as well as statistics",
        0.8968,
        curve["UNF"],
        curve["UNF"] >= curve["StatNN"],
        baseline=curve["StatNN"],
        scale=f"{cut} networks of size 16 to learn from, {judged} to judge",
        note="Kendall's tau; the source has networks of size 128 and 0.8839 of StatNN",
        source=f"{SOURCE}, section 4.1",
        key="recurrent",
    )
    table = Table("Networks that add", ["networks", "predictor", "Kendall's tau"], rows)
    return [claim], [Section("Recurrent networks", ["Encoder and decoder share their hidden units' label."], tables=[table])]


STUDY = Study(
    name="unf-zoo",
    system=20,
    title="Universal neural functionals: how well a network does, told from its weights",
    source=SOURCE,
    config=Config,
    run=run,
    claims={
        RIVAL: RIVAL_CLAIM,
        "unf": "UNF ranks unseen networks better than their statistics, by 0.03 in Kendall's tau",
        "statistics": "statistics rank better than a deep set",
        "permutations": "permuting hidden units changes nothing",
        "recurrent": "with --full: UNF ranks recurrent networks at least as well as statistics",
    },
)
