"""What part one has shown: claims, tables, a figure."""

from __future__ import annotations

from statistics import fmean
from typing import Any

from torch import Tensor

from erlangen.reporting import Claim, Line, Rival, Section, Table, lines_with_band, repeated
from erlangen.studies.base import Part
from erlangen.studies.nft.signals import ABOUT, SOURCE, STEPS, TRUE, Run
from erlangen.studies.nft.study import Config


def report(config: Config, runs: list[Run], shown: Tensor) -> Part:
    """Everything that is said of the runs of all seeds.

    Args:
        shown: shares of power that a Fourier transform of the clean signals has.
    """
    samples = config.scaled(0, 20_000)[1]
    scales = {s: f"{samples} sequences, {config.scaled(STEPS[s], 0)[0]} steps, seeds: {len(runs)}" for s in STEPS}
    ahead = {s: [run.learned[s][0][0] for run in runs] for s in STEPS}
    spectra = {s: [run.learned[s][1].frequencies for run in runs] for s in STEPS}
    own, shared = (
        {s: [run.closed[s][kind].error for run in runs] for s in ("clean", "tanh", "quadratic")} for kind in ("own", "shared")
    )
    found = [run.closed["clean"]["own"].frequencies for run in runs]
    strongest = tuple(sorted(shown.topk(5).indices.tolist()))
    claims = [
        Claim(
            "the spectrum of the latent motions shows exactly the five frequencies, with every seed",
            "essentially always",
            _words(spectra["clean"]),
            all(seen == TRUE for seen in spectra["clean"]),
            baseline=f"strongest Fourier modes: {', '.join(map(str, strongest))}",
            scale=scales["clean"],
            source=SOURCE,
            key="spectrum",
        ),
        Claim(
            "the next frame is predicted to a relative squared error of at most 1e-3, with every seed",
            None,
            repeated(ahead["clean"]),
            max(ahead["clean"]) <= 1e-3,
            baseline=repeated(own["clean"]),
            scale=scales["clean"],
            note="baseline: the closed form from the same three frames; here it is enough, and much better",
            key="prediction",
        ),
        Claim(
            "the clean signals need no network: the closed form finds the frequencies and predicts to rounding, with every seed",
            None,
            max(own["clean"]),
            max(own["clean"]) < 1e-8 and all(seen == TRUE for seen in found),
            baseline=repeated(ahead["clean"]),
            scale=f"6000 sequences of three frames, each with its own angle, seeds: {len(runs)}",
            note=f"the largest of the seeds; frequencies {_words(found)}; baseline: the learned transform",
            key="closed-form",
        ),
        Claim(
            "through the saturating sensor the spectrum still shows exactly the five, with every seed",
            None,
            _words(spectra["tanh"]),
            all(seen == TRUE for seen in spectra["tanh"]),
            baseline=_words([run.closed["tanh"]["own"].frequencies for run in runs]),
            scale=scales["tanh"],
            note="baseline: the closed form with the same information",
            key="saturating",
        ),
        Claim(
            "and its error is at most an eighth of that of the closed form with the same information, with every seed",
            None,
            repeated(ahead["tanh"]),
            all(a <= b / 8 for a, b in zip(ahead["tanh"], own["tanh"])),
            baseline=repeated(own["tanh"]),
            scale=scales["tanh"],
            note="1 is what predicting nothing has",
            key="saturating",
        ),
        Claim(
            "and less than that of least squares which is given 60 signals for each shift, with every seed",
            None,
            repeated(ahead["tanh"]),
            all(a < b for a, b in zip(ahead["tanh"], shared["tanh"])),
            baseline=repeated(shared["tanh"]),
            scale=f"{scales['tanh']}; {runs[0].closed['tanh']['shared'].how}",
            key="saturating",
        ),
        Claim(
            "the quadratic sensor is linear too, in enough directions: least squares predicts to rounding, with every seed",
            None,
            max(shared["quadratic"]),
            max(shared["quadratic"]) < 1e-6,
            scale=runs[0].closed["quadratic"]["shared"].how,
            note="the largest of the seeds",
            key="closed-form",
        ),
    ]
    rivals = _rivals(runs, ahead, own, scales)
    rows: list[list[Any]] = []
    for sensor in ("clean", "tanh", "quadratic"):
        for kind in ("own", "shared"):
            first = runs[0].closed[sensor][kind]
            rows.append(
                [sensor, first.how, repeated([run.closed[sensor][kind].error for run in runs]), _words([first.frequencies])]
            )
    rows.append(["tanh", f"perceptron ({runs[0].perceptron.how})", repeated([run.perceptron.error for run in runs]), "none"])
    rows.append(["tanh", runs[0].behind.how, repeated([run.behind.error for run in runs]), _words([runs[0].behind.frequencies])])
    rows += [[sensor, "learned transform", repeated(ahead[sensor]), _words(spectra[sensor][:1])] for sensor in STEPS]
    table = Table(
        "One step ahead",
        ["sensor", "how", "relative squared error", "frequencies"],
        rows,
        caption=f"Clean: {scales['clean']}. Saturated: {scales['tanh']}. Frequencies and directions: of the first seed.",
    )
    further = Table(
        "Further ahead, learned",
        ["sensor", "one step", "two steps", "three steps", "median |eigenvalue|", "median |M M' - 1|"],
        [
            [
                sensor,
                *(repeated([run.learned[sensor][0][ahead] for run in runs]) for ahead in range(3)),
                repeated([run.learned[sensor][1].decay for run in runs]),
                repeated([run.inverse[sensor] for run in runs]),
            ]
            for sensor in STEPS
        ],
    )
    counts = {
        f"latent, {sensor}": Line(list(range(len(s.multiplicities))), s.multiplicities)
        for sensor, (_, s) in runs[0].learned.items()
    }
    lines = {**counts, "share of power, Fourier": Line(list(range(33)), shown[:33])}
    figure = lines_with_band(
        lines, title="What turns", x_label="frequency", y_label="multiplicity, or share of power", caption="The first seed."
    )
    numbers: dict[str, Any] = {
        "learned": {
            s: {
                "errors": [run.learned[s][0] for run in runs],
                "frequencies": [list(seen) for seen in spectra[s]],
                "decay": [run.learned[s][1].decay for run in runs],
            }
            for s in STEPS
        },
        "closed": {
            s: {k: {"error": [run.closed[s][k].error for run in runs], "how": r.how} for k, r in of.items()}
            for s, of in runs[0].closed.items()
        },
        "there_and_back": {s: [run.inverse[s] for run in runs] for s in STEPS},
        "strongest_modes": list(strongest),
        "simple": {rival.name: rival.rival for rival in rivals},
        "cpu_seconds": {name: [run.seconds[name] for run in runs] for name in runs[0].seconds},
    }
    answer = (
        f"Clean signals: learned {fmean(ahead['clean']):.2g}, closed form {max(own['clean']):.2g}: the simple one is enough. Saturated: "
        f"learned {repeated(ahead['tanh'])}, closed form {repeated(own['tanh'])} ({len(runs)} seeds)."
    )
    section = Section("Warped signals", ABOUT, tables=[table, further], figures=[figure])
    return Part(claims, [section], numbers, answer, rivals=rivals)


def _rivals(runs: list[Run], ahead: dict[str, list[float]], own: dict[str, list[float]], scales: dict[str, str]) -> list[Rival]:
    """The closed form, a perceptron, and the closed form for one who knows the sensor."""
    perceptron, behind = ([getattr(run, name).error for run in runs] for name in ("perceptron", "behind"))
    first = runs[0]
    rows = (
        ("the closed form from the same frames", "clean", own["clean"], "own, clean", first.closed["clean"]["own"].how,
         "for signals that are linear in the waves"),
        ("a perceptron from the same frames", "tanh", perceptron, "perceptron",
         f"{first.perceptron.how}, chosen of two activations on sequences held out, with the first seed; steps as the transform's", ""),
        ("the closed form behind the sensor's inverse", "tanh", behind, "behind", first.behind.how, "it knows the sensor"),
    )  # fmt: skip
    return [
        Rival(
            name,
            f"the learned transform ({'clean' if sensor == 'clean' else 'saturated'} signals)",
            "relative squared error of the next frame",
            repeated(ahead[sensor]),
            repeated(errors),
            "lower",
            seconds=fmean(run.seconds[sensor] for run in runs),
            rival_seconds=fmean(run.seconds[seconds] for run in runs),
            settings=how,
            scale=scales[sensor],
            note=note,
        )
        for name, sensor, errors, seconds, how, note in rows
    ]


def _words(seen: list[tuple[int, ...]]) -> str:
    """Frequencies of each seed; once, where all are the same."""
    return "; ".join(dict.fromkeys(", ".join(map(str, of)) or "none" for of in seen))
