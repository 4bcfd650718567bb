"""Four-fold turns of clothes: predicted, ignored, or left alone; beside features that nobody trained."""

from __future__ import annotations

import dataclasses
import statistics
from typing import Any

from torch import nn

from erlangen.discover.essl import OrbitFeatures, PatchFeatures, turns
from erlangen.groups import Cyclic
from erlangen.parallel import run_jobs
from erlangen.reporting import Claim, Line, Rival, Section, Table, bars_with_error, lines_with_band, repeated
from erlangen.studies.base import Part
from erlangen.studies.essl.images import Arm, Data, Job, data, random_network, scores, supervised_pixels, train_arm
from erlangen.studies.essl.study import SOURCE, Config

RANDOM, PATCHES, PIXELS = "random network", "patches of the images", "SVM on pixels"
LINEAR, AVERAGED, TURNED = "pixels", "patches, averaged over turns", "patches of all turns"
#: Features that nobody trained.
CLOSED = (LINEAR, PATCHES, AVERAGED, TURNED)
NAMES = {"simclr": "SimCLR", "simsiam": "SimSiam", "barlow": "Barlow Twins"}
#: What is reported for CIFAR-10 and a ResNet-18 after 800 epochs, percent.
REPORTED = {"simclr": "92.0 to 94.1", "simsiam": "91.1 to 94.2", "barlow": None}
#: Weights of the sensitivity beside each loss of invariance: of the image recipe, and for Barlow Twins the one for ImageNet.
WEIGHTS = {"simclr": 0.4, "simsiam": 0.4, "barlow": 8.0}


def arms(config: Config) -> list[Arm]:
    """Each method by itself and with turns predicted; the first one also with turns ignored."""
    quarter = (turns(Cyclic(4)),)
    found = []
    for method in config.methods:
        found += [Arm(NAMES[method], method), Arm(f"E-{NAMES[method]}", method, predicted=quarter, weight=WEIGHTS[method])]
    first = config.methods[0]
    return [*found, Arm(f"{NAMES[first]}, turns ignored", first, ignored=quarter)]


def closed_form(images: Data, filters: int = 64, seed: int = 0) -> dict[str, dict[str, float]]:
    """Features without training: pixels, patches, and what four turns make of patches."""
    patches, quarter = PatchFeatures(images.x, filters, seed=seed), turns(Cyclic(4))
    return {
        LINEAR: scores(nn.Flatten(), images),
        PATCHES: scores(patches, images),
        AVERAGED: scores(OrbitFeatures(patches, quarter), images),
        TURNED: scores(OrbitFeatures(patches, quarter, average=False), images),
    }


def run(config: Config, quiet: bool) -> Part:
    """Train every arm, judge, compare."""
    images = data(config)
    steps = 50 * len(images.x) // config.batch if config.full else config.steps
    chosen = arms(config)
    jobs = [Job(arm, config, seed, steps, images) for seed in config.every_seed for arm in chosen]
    found = run_jobs(train_arm, jobs, jobs=config.jobs, description="" if quiet else "self-supervised trainings")
    table: dict[str, list[dict[str, float]]] = {
        RANDOM: [random_network(Job(chosen[0], config, seed, 0, images)) for seed in config.every_seed]
    }
    for job, result in zip(jobs, found):
        table.setdefault(job.arm.name, []).append(result)
    for name, row in closed_form(images).items():
        table[name] = [row]
    scale = f"{len(images.x)} {images.name} images, {steps} steps, {len(config.every_seed)} seed(s)"
    rivals, curve = beside(table, images, config, scale)
    claims = claims_of(table, config, scale)
    first = NAMES[config.methods[0]]
    keys = [key for key in table[first][0] if key != "seconds"]
    many = keys[-2]
    sensitive, simple = _mean(table, f"E-{first}", many), _mean(table, PATCHES, many)
    verdict = "is enough here" if simple >= sensitive else "is behind"
    answer = (
        f"With {many}, E-{first} classifies {sensitive:.1f} % of the test images, {first} {_mean(table, first, many):.1f} %, with turns "
        f"ignored {_mean(table, f'{first}, turns ignored', many):.1f} %; the closed form, whitened patches, {verdict} with {simple:.1f} %."
    )
    columns = [*keys, "elements named", "seconds"]
    rows = [
        [name, *(repeated([run[key] for run in runs]) if key in runs[0] else "" for key in columns)] for name, runs in table.items()
    ]
    figure = bars_with_error(
        list(table),
        {key: [_mean(table, name, key) for name in table] for key in (keys[0], many, "neighbours")},
        title="What frozen features are good for",
        y_label="test accuracy, %",
        floor=50.0,
        caption=f"Linear probes with few and many labels, and nearest neighbours. Means; {scale}.",
    )
    by_labels = lines_with_band(
        {name: Line(list(values), list(values.values())) for name, values in curve.items()},
        title="How much a label is worth",
        x_label="labelled images",
        y_label="test accuracy, %",
        log_x=True,
        caption=f"Linear probes of frozen features beside a machine that sees labelled images alone. {scale}.",
    )
    text = [
        f"All arms have the same views (crops, brightness, contrast), steps and batches: {scale}.",
        "The last four rows are closed form: nothing was trained but the linear probe. Averaging over turns erases what turns change, "
        "as the ignored turns do in learned features; all turns side by side keep it.",
    ]
    section = Section("Turns of clothes", text, tables=[Table("Test accuracy, %", ["features", *columns], rows)])
    section = dataclasses.replace(section, figures=[figure, by_labels])
    return Part(claims, [section], table, answer, rivals=rivals)


def beside(
    table: dict[str, list[dict[str, float]]], images: Data, config: Config, scale: str
) -> tuple[list[Rival], dict[str, dict[int, float]]]:
    """Features that predict turns beside the machine that has the labelled images alone: with few labels and with many."""
    method = f"E-{NAMES[config.methods[0]]}"
    keys = [key for key in table[method][0] if key.endswith("labels")]
    counts = [int(key.split()[0]) for key in keys]
    curve: dict[str, dict[int, float]] = {name: {} for name in (method, *CLOSED, PIXELS)}
    rivals = []
    for key, count in zip(keys, counts):
        curve[PIXELS][count], simple = supervised_pixels(images, count, config.seed)
        for name in (method, *CLOSED):
            curve[name][count] = _mean(table, name, key)
        best = max((PIXELS, *CLOSED), key=lambda name: curve[name][count])
        rivals.append(
            Rival(
                best if best == PIXELS else f"a linear probe of {best}",
                method,
                f"test accuracy with {key}",
                repeated([run[key] for run in table[method]]),
                curve[best][count],
                "higher",
                seconds=_mean(table, method, "seconds"),
                rival_seconds=simple.seconds if best == PIXELS else None,
                settings=simple.settings if best == PIXELS else "",
                scale=scale,
                unit="%",
                note=f"of {len(CLOSED) + 1} ways without training of features the best on the test data",
                level=100 * (curve[best][count] / 100 * (1 - curve[best][count] / 100) / len(images.test)) ** 0.5,
            )
        )
    return rivals[::-1], curve


def claims_of(table: dict[str, list[dict[str, float]]], config: Config, scale: str) -> list[Claim]:
    """The ordering of the source, with thresholds in points, on means."""
    first = NAMES[config.methods[0]]
    keys = [key for key in table[first][0] if key.endswith("labels")]
    many = keys[-1]
    ignored = f"{first}, turns ignored"

    def gap(better: str, worse: str, key: str) -> float:
        return _mean(table, better, key) - _mean(table, worse, key)

    rows: list[Any] = []
    for method in config.methods:
        plain, needed = NAMES[method], 0.8 if method == "simclr" else 0.0
        rows.append((f"E-{plain}", plain, many, needed, REPORTED[method]))
    rows += [
        (first, ignored, many, 1.0, "worse than the baseline"),
        (f"E-{first}", RANDOM, many, 3.0, None),
    ]
    claims = [
        Claim(
            f"with {key}, '{better}' is at least {needed} points better than '{worse}'",
            reported, gap(better, worse, key), gap(better, worse, key) >= needed,
            baseline=_mean(table, worse, key), unit="points", scale=scale, source=SOURCE,
            key="turns",
        )
        for better, worse, key, needed, reported in rows
    ]  # fmt: skip
    for better, worse in ((f"E-{first}", first), (first, ignored)):
        near, linear = gap(better, worse, "neighbours"), gap(better, worse, many)
        claims.append(
            Claim(
                f"the gap from '{worse}' to '{better}' is larger for nearest neighbours than for the linear probe",
                None, near, near > linear, baseline=linear, unit="points", scale=scale,
                key="turns",
            )
        )  # fmt: skip
    named = statistics.fmean(run["elements named"] for run in table[f"E-{first}"])
    claims.append(
        Claim(
            "heads name more than 0.75 of the turns of training images", None, named, named > 0.75, 0.25, scale=scale, key="named"
        )
    )
    ahead = gap(f"E-{first}", PATCHES, many)
    claims.append(
        Claim(
            f"with {many}, 'E-{first}' is better than closed-form patches",
            None, ahead, ahead > 0, baseline=_mean(table, PATCHES, many), unit="points", scale=scale,
            note="where it is not, the closed form is enough",
            key="closed-form",
        )
    )  # fmt: skip
    return claims


def _mean(table: dict[str, list[dict[str, float]]], name: str, key: str) -> float:
    return statistics.fmean(run[key] for run in table[name])
