"""Every transformation as an invariance, as a sensitivity, and absent: which symmetries features should ignore, and which feel."""

from __future__ import annotations

from dataclasses import replace

from erlangen.actions import Action
from erlangen.discover.essl import GridShifts, Inversion, Jigsaw, OrbitFeatures, PatchFeatures, mirrors, turns
from erlangen.groups import Cyclic
from erlangen.parallel import run_jobs
from erlangen.reporting import Claim, Rival, Section, Table, bars_with_error
from erlangen.studies.base import Part
from erlangen.studies.essl.images import Arm, Job, data, scores, supervised_pixels, train_arm
from erlangen.studies.essl.study import SOURCE, Config

#: The transformations, each a group; of the jigsaw's 24 elements a step uses four.
TRANSFORMS: dict[str, Action] = {
    "four-fold turns": turns(Cyclic(4)),
    "left-right mirror": mirrors(-1),
    "top-bottom mirror": mirrors(-2),
    "half shifts": GridShifts(Cyclic(2) * Cyclic(2)),
    "2 x 2 jigsaw": Jigsaw(2),
    "inverted values": Inversion(),
}
TURNS, ABSENT = "four-fold turns", "absent"
#: What the source finds for CIFAR-10, relative to crops alone.
REPORTED = {"predicted": "turns help most", "ignored": "turns hurt"}


def arms() -> list[Arm]:
    """Crops alone; and with each transformation ignored, and predicted."""
    base = Arm(ABSENT, jitter=False)
    found = [base]
    for name, action in TRANSFORMS.items():
        some = 4 if action.group.order > 4 else None
        found += [replace(base, name=f"{name}, ignored", ignored=(action,))]
        found += [replace(base, name=f"{name}, predicted", predicted=(action,), n_elements=some)]
    return found


def run(config: Config, quiet: bool) -> Part:
    """Train every arm with the first seed, judge by linear probe and neighbours."""
    images, steps = data(config), config.steps // 3
    if config.full:
        steps = 50 * len(images.x) // config.batch
    jobs = [Job(arm, config, config.seed, max(1, steps), images) for arm in arms()]
    found = run_jobs(train_arm, jobs, jobs=config.jobs, description="" if quiet else "self-supervised trainings")
    table = {job.arm.name: result for job, result in zip(jobs, found)}
    many = [key for key in table[ABSENT] if key.endswith("labels")][-1]
    patches = PatchFeatures(images.x, 32)
    closed = {ABSENT: scores(patches, images)}
    for name, action in TRANSFORMS.items():
        if action.group.order <= 4:
            closed[name] = scores(OrbitFeatures(patches, action), images)
    rows = []
    for name in TRANSFORMS:
        ignored, predicted = table[f"{name}, ignored"], table[f"{name}, predicted"]
        rows.append(
            [
                name,
                *(row[key] - table[ABSENT][key] for key in (many, "neighbours") for row in (ignored, predicted)),
                predicted["elements named"],
                closed[name][many] - closed[ABSENT][many] if name in closed else None,
            ]
        )
    gains = {how: {name: table[f"{name}, {how}"][many] - table[ABSENT][many] for name in TRANSFORMS} for how in REPORTED}
    scale = f"{len(images.x)} {images.name} images, {steps} steps, 1 seed"
    best, worst = (
        max(gains["predicted"], key=gains["predicted"].__getitem__),
        min(gains["ignored"], key=gains["ignored"].__getitem__),
    )
    claims = [
        Claim(
            "four-fold turns are the best transformation to predict",
            REPORTED["predicted"], f"{best}: {gains['predicted'][best]:+.1f}", best == TURNS,
            baseline=f"turns: {gains['predicted'][TURNS]:+.1f}", unit="points", scale=scale, source=SOURCE,
            key="which-symmetries",
        ),
        Claim(
            "predicting turns is better than leaving them alone",
            "better", gains["predicted"][TURNS], gains["predicted"][TURNS] > 0, 0.0, unit="points", scale=scale, source=SOURCE,
            key="which-symmetries",
        ),
        Claim(
            "ignoring turns is worse than leaving them alone",
            REPORTED["ignored"], gains["ignored"][TURNS], gains["ignored"][TURNS] < 0, 0.0, unit="points", scale=scale, source=SOURCE,
            key="which-symmetries",
        ),
        Claim(
            "predicting the left-right mirror helps less than predicting turns",
            "turns and mirror behave in opposite ways", gains["predicted"]["left-right mirror"],
            gains["predicted"]["left-right mirror"] < gains["predicted"][TURNS],
            baseline=gains["predicted"][TURNS], unit="points", scale=scale, source=SOURCE,
            key="which-symmetries",
        ),
        Claim(
            "ignoring the left-right mirror costs less than ignoring turns",
            "turns and mirror behave in opposite ways", gains["ignored"]["left-right mirror"],
            gains["ignored"]["left-right mirror"] > gains["ignored"][TURNS],
            baseline=gains["ignored"][TURNS], unit="points", scale=scale, source=SOURCE,
            key="which-symmetries",
        ),
    ]  # fmt: skip
    figure = bars_with_error(
        list(TRANSFORMS),
        {how: list(by.values()) for how, by in gains.items()},
        title="Gain over crops alone",
        y_label=f"points of test accuracy, {many}",
        caption=f"Each transformation added to what features ignore, or to what heads predict. {scale}.",
    )
    columns = [
        "transformation",
        *(f"{how}, {key}" for key in (many, "neighbours") for how in ("ignored", "predicted")),
        "share of elements named",
        f"closed form averaged, {many}",
    ]
    text = [
        f"Crops alone: {table[ABSENT][many]:.1f} % with {many}, neighbours {table[ABSENT]['neighbours']:.1f} %. Closed-form patches: "
        f"{closed[ABSENT][many]:.1f} %; the last column is what averaging them over the group does, which is to ignore it exactly.",
        "All numbers are points of test accuracy over crops alone, from trainings of the same length.",
    ]
    section = Section(
        "The table of transformations", text, tables=[Table("Gain over crops alone, points", columns, rows)], figures=[figure]
    )
    enough = closed[ABSENT][many] >= max(row[many] for row in table.values())
    answer = (
        f"Of {len(TRANSFORMS)} transformations, {best} gains most when predicted ({gains['predicted'][best]:+.1f} points) and {worst} "
        f"costs most when ignored ({gains['ignored'][worst]:+.1f}); {'no' if enough else 'the best'} training of this length "
        f"{'is as good as' if enough else 'beats'} closed-form patches."
    )
    score, simple = supervised_pixels(images, int(many.split()[0]), config.seed)
    first = max(table, key=lambda name: table[name][many])
    rival = Rival(
        "SVM on pixels",
        f"the best of {len(table)} trainings ('{first}')",
        f"test accuracy with {many}",
        table[first][many],
        score,
        "higher",
        seconds=table[first]["seconds"],
        rival_seconds=simple.seconds,
        settings=simple.settings,
        scale=scale,
        unit="%",
        note="chosen on the test data, which favours ours",
        level=100 * (2 * score / 100 * (1 - score / 100) / len(images.test)) ** 0.5,
    )
    numbers = {"trained": table, "closed form": closed, "pixels": score}
    return Part(claims, [section], numbers, answer, rivals=[rival])
