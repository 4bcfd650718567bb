"""How well does a network do? Told from its weights alone, by functionals that know their symmetry and by ones that do not."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
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
    Crossover,
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
#: Of every predictor: networks in a step, and the learning rate.
BATCH, RATE = 64, 3e-3
#: Where the curves are measured: labelled networks (those that choose the epoch among them), and digits.
ZOOS, DIGITS = (60, 200, 700), (2, 5, 10, 20, 50)


@dataclass(frozen=True)
class Config:
    """Three zoos of perceptrons on the digits, three predictors on each."""

    networks: int = 2000
    """Networks in a zoo; the last 300 are judged, the 300 before choose the epoch."""
    epochs: int = 10
    """Passes of each predictor over the zoo."""
    seeds: int = 3
    """Zoos, each with a division of the digits and a training of each predictor of its own."""
    curve: bool = False
    """Also smaller zoos, and tests on fewer digits: from where on which way is ahead (some two minutes more)."""
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


@dataclass(frozen=True)
class Ranked:
    """What one zoo came to.

    Attributes:
        zoo, judged: its networks; so many at the end are judged.
        spare: digits that nobody has trained on, and their labels.
        tau, seconds: of each predictor, Kendall's tau on the judged networks and CPU seconds.
        guess, predictor: of UNF.
        simple, curve: of :func:`simple_ways`.
    """

    zoo: Zoo
    judged: int
    spare: tuple[Tensor, Tensor]
    tau: dict[str, float]
    seconds: dict[str, float]
    guess: Tensor
    predictor: Predictor
    simple: dict[str, tuple[float, float]]
    curve: dict[int, float]

    @property
    def parts(self) -> tuple[Zoo, Zoo]:
        """Networks whose accuracies are known, and those to be judged."""
        cut = len(self.zoo) - self.judged
        return self.zoo[:cut], self.zoo[cut:]


def fitted(zoo: Zoo, name: str, epochs: int, validation: int, seed: int, quiet: bool) -> Predictor:
    """A predictor trained on a zoo."""
    torch.manual_seed(seed)
    settings = PredictionConfig(epochs=epochs, batch=BATCH, lr=RATE, validation=validation, seed=seed)
    return fit_predictor(functionals(zoo.spec)[name](), zoo.spec, zoo.params, zoo.accuracy, settings, description=name, quiet=quiet)


def tau_of(predictor: Predictor, unseen: Zoo) -> tuple[float, Tensor]:
    """Kendall's tau on networks that the predictor has not seen, and what it says of them."""
    with torch.no_grad():
        guess = predictor(unseen.params)
    return kendall_tau(guess, unseen.accuracy), guess


def ranked(config: Config, seed: int, quiet: bool) -> Ranked:
    """Train a zoo and all predictors with one seed."""
    (x, y), (held_x, held_y) = split_digits(seed=seed)
    spare = (held_x[:SPARE], held_y[:SPARE])
    zoo = train_zoo(x, y, held_x[SPARE:], held_y[SPARE:], ZooConfig(networks=config.networks, seed=seed), quiet=quiet)
    judged = min(300, config.networks // 4)
    seen, unseen = zoo[: len(zoo) - judged], zoo[len(zoo) - judged :]
    tau: dict[str, float] = {}
    seconds: dict[str, float] = {}
    for name in functionals(zoo.spec):  # UNF comes last
        clock = time.process_time()
        predictor = fitted(seen, name, config.epochs, judged, seed, quiet)
        tau[name], guess = tau_of(predictor, unseen)
        seconds[name] = time.process_time() - clock
    return Ranked(zoo, judged, spare, tau, seconds, guess, predictor, *simple_ways(seen, unseen, spare, seed))


def _run(config: Config, quiet: bool, started: float) -> Outcome:
    every = [ranked(config, config.seed + k, quiet) for k in range(config.seeds)]
    first = every[0]
    zoo, judged = first.zoo, first.judged
    seen, unseen = first.parts
    taus = {name: [r.tau[name] for r in every] for name in first.tau}
    seconds = {name: [r.seconds[name] for r in every] for name in first.tau}
    simple = {
        name: (repeated([r.simple[name][0] for r in every]), statistics.mean(r.simple[name][1] for r in every))
        for name in first.simple
    }
    curve = {k: statistics.mean(r.curve[k] for r in every) for k in first.curve}
    mean = {name: statistics.mean(values) for name, values in taus.items()}
    gain, over = ([a - b for a, b in zip(taus[one], taus[other])] for one, other in (("UNF", "StatNN"), ("StatNN", "deep set")))
    crossovers = _crossovers(every, config, quiet) if config.curve else {}
    error = _symmetry(first.predictor, unseen)
    scale = f"{len(seen) - judged} networks to learn from, {judged} to judge, {f'{config.seeds} zoos' if config.seeds > 1 else 'one zoo'}"
    claims = [
        Claim(
            "UNF ranks unseen networks better than their statistics do, by at least 0.03",
            0.8968,
            repeated(taus["UNF"]),
            statistics.mean(gain) >= 0.03 and min(gain) > 0,
            baseline=repeated(taus["StatNN"]),
            scale=scale,
            note=f"Kendall's tau; by mean, and better in every zoo (least gain {min(gain):.3f}). The source: 10,000 recurrent "
            "networks, and 0.8839 of StatNN",
            source=f"{SOURCE}, section 4.1",
            key="unf",
        ),
        Claim(
            "statistics rank better than a deep set",
            0.8839,
            repeated(taus["StatNN"]),
            min(over) > 0,
            baseline=repeated(taus["deep set"]),
            scale=scale,
            note="Kendall's tau; in every zoo. The source: 0.8306 of the deep set",
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
            {"UNF": (unseen.accuracy, first.guess)},
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
            "simple": {name: [r.simple[name][0] for r in every] for name in simple},
            "tau_by_labelled_digits": {str(k): tau for k, tau in curve.items()},
            "seconds": seconds,
            "seconds_of_all": time.perf_counter() - started,
            "accuracy_quantiles": [float(zoo.accuracy.quantile(q)) for q in (0.0, 0.1, 0.5, 0.9, 1.0)],
            "symmetry_error": error,
            **({"crossover": {name: one.as_dict() for name, one in crossovers.items()}} if crossovers else {}),
        },
        sections=[
            Section(
                "The zoo",
                [
                    f"{len(zoo)} perceptrons 64-16-10 on the handwritten digits, with random learning rates, weight decays, initial "
                    "scales, numbers of steps and shares of the data. Their accuracies are measured on "
                    "digits that none has seen. The first of the zoos is shown."
                ],
                figures=[
                    histogram(
                        {"networks": zoo.accuracy}, title="Accuracies", x_label="accuracy", caption="All networks of the zoo."
                    )
                ],
            ),
            Section("Predictors", tables=[Table("Ranking", ["predictor", "Kendall's tau", "seconds"], rows)], figures=figures),
            *(one.section(f"Where it pays: {name}") for name, one in crossovers.items()),
            *sections,
        ],
        seconds=time.perf_counter() - started,
        answer=f"From weights alone UNF ranks unseen networks with a tau of {mean['UNF']:.3f}; their statistics give "
        f"{mean['StatNN']:.3f}, a deep set {mean['deep set']:.3f}. "
        + (f"{needed} labelled digits tell as much." if needed else f"{max(curve)} labelled digits tell less."),
        key_numbers=[
            KeyNumber("tau, UNF", repeated(taus["UNF"]), note=f"StatNN: {mean['StatNN']:.3f}"),
            KeyNumber("labelled digits that tell as much", needed or f"more than {max(curve)}"),
            KeyNumber("seconds for a UNF", statistics.mean(seconds["UNF"])),
        ],
        rivals=rivals,
    )


def _crossovers(every: list[Ranked], config: Config, quiet: bool) -> dict[str, Crossover]:
    """Kendall's tau over the labelled networks that there are, and over the digits that networks can be run on."""
    known = len(every[0].parts[0])
    zoos = (*(n for n in ZOOS if n < known), known)
    digits = DIGITS
    steps = config.epochs * max(1, (known - every[0].judged) // BATCH)
    over: dict[str, list[list[float]]] = {}
    for n in zoos:
        found: dict[str, list[float]] = {}
        for seed, r in enumerate(every, config.seed):
            seen, unseen = r.parts
            part = seen[len(seen) - n :] if n < known else seen
            held = r.judged if n == known else max(10, n // 5)
            # As many steps everywhere, or small zoos would be judged by networks that have hardly begun.
            epochs = -(-steps // max(1, (n - held) // BATCH))
            own = r.tau["UNF"] if n == known else tau_of(fitted(part, "UNF", epochs, held, seed, quiet), unseen)[0]
            answers, chances = outputs(part, r.spare[0]).mean(0).argmax(-1), outputs(unseen, r.spare[0])
            ways = {
                "UNF on weights": own,
                BOOSTED: _boosted(part, unseen, statistics_of, seed),
                "boosting on the weights themselves": _boosted(part, unseen, flattened, seed),
                **{f"agreement on {k} unlabelled digits": _agreement(chances, answers, unseen, k) for k in (2, 10)},
            }
            for name, tau in ways.items():
                found.setdefault(name, []).append(tau)
        for name, runs in found.items():
            over.setdefault(name, []).append(runs)
    fewer: dict[str, list[list[float]]] = {"UNF on weights": [[r.tau["UNF"] for r in every] for _ in digits]}
    for name, labelled in (("agreement with the zoo, without labels", False), ("a test on labelled digits", True)):
        fewer[name] = []
        for k in digits:
            runs = []
            for r in every:
                seen, unseen = r.parts
                answers = r.spare[1] if labelled else outputs(seen, r.spare[0]).mean(0).argmax(-1)
                runs.append(_agreement(outputs(unseen, r.spare[0]), answers, unseen, k))
            fewer[name].append(runs)
    quantity = "Kendall's tau of unseen networks"
    return {
        "networks": Crossover(
            "labelled networks", zoos, quantity, "higher", "UNF on weights", over,
            note="A fifth of the networks chooses the epoch, of all 300. Agreement needs the networks to be run, on digits without labels.",
        ),
        "digits": Crossover(
            "digits", digits, quantity, "higher", "UNF on weights", fewer,
            note=f"UNF has {known} labelled networks. Means over ten sets of digits, or as many as there are among {SPARE}.",
        ),
    }  # fmt: skip


def _boosted(seen: Zoo, unseen: Zoo, read: Callable[[Zoo], Tensor], seed: int) -> float:
    """Tau of boosting on what is read of the weights, its settings chosen on a part of the networks seen."""
    found = simplest(boosters(False, (0.05,)), read(seen), seen.accuracy, seed=seed)
    return kendall_tau(found.predict(read(unseen)).float(), unseen.accuracy)


def _agreement(chances: Tensor, answers: Tensor, unseen: Zoo, k: int) -> float:
    """Tau of the agreement with answers on ``k`` digits; mean over sets of digits that do not overlap."""
    scores = _scores(chances, answers)
    sets = range(min(10, len(answers) // k))
    return statistics.mean(kendall_tau(scores[:, i * k : (i + 1) * k].mean(1).float(), unseen.accuracy) for i in sets)


def _scores(chances: Tensor, answers: Tensor) -> Tensor:
    """Whether each network gives each answer. On k digits that is one of k + 1 numbers; the confidence orders what it leaves level."""
    true = chances[:, torch.arange(len(answers)), answers]
    return (chances.argmax(-1) == answers).double() + 1e-3 * true


def flattened(zoo: Zoo) -> Tensor:
    """All weights of each network."""
    return torch.cat([w[:, 0].flatten(1) for w in zoo.params.values()], 1)


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
        return kendall_tau(_scores(chances, answers)[:, :k].mean(1).float(), unseen.accuracy)

    curve = {k: agreement(y, k) for k in LABELLED if k <= len(y)}
    tested = time.process_time() - clock
    voted = agreement(outputs(seen, x).mean(0).argmax(-1), 50)
    took = time.process_time() - clock - tested
    clock = time.process_time()
    boosted = _boosted(seen, unseen, statistics_of, seed)
    return {VOTED: (voted, took), TESTED: (curve[50], tested), BOOSTED: (boosted, time.process_time() - clock)}, curve


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
