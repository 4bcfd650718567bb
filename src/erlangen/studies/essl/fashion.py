"""Four-fold turns of clothes: predicted, ignored, or left alone; beside features that nobody trained."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from typing import Any

from torch import nn

from erlangen.discover.essl import OrbitFeatures, PatchFeatures, turns
from erlangen.groups import Cyclic
from erlangen.parallel import run_jobs
from erlangen.reporting import Claim, Crossover, PlusMinus, Rival, Section, Table, bars_with_error, repeated, seeds_said
from erlangen.studies.base import Part
from erlangen.studies.essl.images import Arm, Data, Job, data, featured, random_network, scores, supervised_pixels, train_arm
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


def closed_form(images: Data, seeds: Sequence[int], filters: int = 64) -> dict[str, list[dict[str, float]]]:
    """Features without training: pixels, patches, and what four turns make of patches; judged with each seed's labelled images."""
    patches = PatchFeatures(images.x, filters, seed=seeds[0])
    turned = featured(OrbitFeatures(patches, turns(Cyclic(4)), average=False), images)
    side = [x.unflatten(1, (4, -1)) for x in (turned.x, turned.test)]  # the image as it stands is the first
    found = {
        LINEAR: featured(nn.Flatten(), images),
        PATCHES: images._replace(x=side[0][:, 0], test=side[1][:, 0]),
        AVERAGED: images._replace(x=side[0].mean(1), test=side[1].mean(1)),
        TURNED: turned,
    }
    return {name: [scores(None, one, seed) for seed in seeds] for name, one in found.items()}


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
    table |= closed_form(images, config.every_seed)
    scale = f"{len(images.x)} {images.name} images, {steps} steps, {seeds_said(len(config.every_seed))}"
    rivals, crossover = beside(table, images, config, scale)
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
    text = [
        f"All arms have the same views (crops, brightness, contrast), steps and batches: {scale}.",
        "The last four rows are closed form: nothing was trained but the linear probe. Averaging over turns erases what turns change, "
        "as the ignored turns do in learned features; all turns side by side keep it.",
    ]
    section = Section("Turns of clothes", text, tables=[Table("Test accuracy, %", ["features", *columns], rows)])
    section = dataclasses.replace(section, figures=[figure])
    sections = [section, *([crossover.section("How much a label is worth")] if crossover else [])]
    return Part(claims, sections, {**table, **({"crossover": crossover.as_dict()} if crossover else {})}, answer, rivals=rivals)


def beside(
    table: dict[str, list[dict[str, float]]], images: Data, config: Config, scale: str
) -> tuple[list[Rival], Crossover | None]:
    """Features that predict turns beside what has the labelled images alone, with few labels and with many; from two counts on a curve."""
    method = f"E-{NAMES[config.methods[0]]}"
    keys = [key for key in table[method][0] if key.endswith("labels")]
    counts = [int(key.split()[0]) for key in keys]
    curve: dict[str, list[list[float]]] = {name: [] for name in (method, PIXELS, *CLOSED)}
    rivals = []
    for key, count in zip(keys, counts):
        first, simple = supervised_pixels(images, count, config.seed)
        others = [supervised_pixels(images, count, seed, simple.settings)[0] for seed in config.every_seed[1:]]
        curve[PIXELS].append([first, *others])
        for name in (method, *CLOSED):
            curve[name].append([run[key] for run in table[name]])
        best = max((PIXELS, *CLOSED), key=lambda name: statistics.fmean(curve[name][-1]))
        share = statistics.fmean(curve[best][-1]) / 100
        rivals.append(
            Rival(
                best if best == PIXELS else f"a linear probe of {best}",
                method,
                f"test accuracy with {key}",
                repeated([run[key] for run in table[method]]),
                repeated(curve[best][-1]),
                "higher",
                seconds=_mean(table, method, "seconds"),
                rival_seconds=simple.seconds if best == PIXELS else None,
                settings=simple.settings if best == PIXELS else "",
                scale=scale,
                unit="%",
                note=f"of {len(CLOSED) + 1} ways without training of features the best on the test data; labels drawn by each seed",
                level=100 * (share * (1 - share) / len(images.test)) ** 0.5,
            )
        )
    crossover = None
    if len(counts) > 1:
        drawn = {
            {LINEAR: "linear probe of pixels", PATCHES: "linear probe of patches"}.get(name, name): curve[name]
            for name in (method, PIXELS, PATCHES, LINEAR)
        }
        crossover = Crossover(
            "labelled images", counts, "test accuracy, %", "higher", method, drawn,
            note=f"Linear probes of frozen features beside a machine that sees labelled images alone. {scale}.",
        )  # fmt: skip
    return rivals[::-1], crossover


def claims_of(table: dict[str, list[dict[str, float]]], config: Config, scale: str) -> list[Claim]:
    """The ordering of the source, with thresholds in points, on means."""
    first = NAMES[config.methods[0]]
    keys = [key for key in table[first][0] if key.endswith("labels")]
    many = keys[-1]
    ignored = f"{first}, turns ignored"

    def gaps(better: str, worse: str, key: str) -> list[float]:
        return [a[key] - b[key] for a, b in zip(table[better], table[worse])]

    def gap(better: str, worse: str, key: str) -> float:
        return statistics.fmean(gaps(better, worse, key))

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
            f"with {key}, '{better}' is at least {needed} points better than '{worse}', on average",
            reported, repeated(gaps(better, worse, key)), gap(better, worse, key) >= needed,
            baseline=_every(table, worse, key), unit="points", scale=scale, source=SOURCE,
            key="turns",
        )
        for better, worse, key, needed, reported in rows
    ]  # fmt: skip
    for better, worse in ((f"E-{first}", first), (first, ignored)):
        near, linear = gap(better, worse, "neighbours"), gap(better, worse, many)
        claims.append(
            Claim(
                f"the gap from '{worse}' to '{better}' is larger for nearest neighbours than for the linear probe, on average",
                None, repeated(gaps(better, worse, "neighbours")), near > linear, baseline=repeated(gaps(better, worse, many)),
                unit="points", scale=scale,
                key="turns",
            )
        )  # fmt: skip
    named = [run["elements named"] for run in table[f"E-{first}"]]
    claims.append(
        Claim(
            "heads name more than 0.75 of the turns of training images in every seed",
            None,
            repeated(named),
            min(named) > 0.75,
            0.25,
            scale=scale,
            key="named",
        )
    )
    ahead = gap(f"E-{first}", PATCHES, many)
    claims.append(
        Claim(
            f"with {many}, 'E-{first}' is better than closed-form patches, on average",
            None, repeated(gaps(f"E-{first}", PATCHES, many)), ahead > 0, baseline=_every(table, PATCHES, many), unit="points", scale=scale,
            note="where it is not, the closed form is enough",
            key="closed-form",
        )
    )  # fmt: skip
    return claims


def _every(table: dict[str, list[dict[str, float]]], name: str, key: str) -> PlusMinus | float:
    return repeated([run[key] for run in table[name]])


def _mean(table: dict[str, list[dict[str, float]]], name: str, key: str) -> float:
    return statistics.fmean(run[key] for run in table[name])
