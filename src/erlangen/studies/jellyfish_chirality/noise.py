"""Where no exact order is known: accuracy over noise in the rows, beside the parity of sorted rows."""

from __future__ import annotations

from erlangen.fields.molecules import StereoOrbits
from erlangen.reporting import Crossover
from erlangen.studies.jellyfish_chirality.networks import MOVED, Config, fit, score
from erlangen.studies.jellyfish_chirality.task import by_parity, prepare, trained_on

SORTED = "boosting on sorted rows and their parity"
#: Standard deviations of what is added to log(1 + atomic number); carbon and nitrogen are 0.13 apart, hydrogen and carbon 1.25.
LEVELS = (0.0, 0.05, 0.1, 0.2, 0.4)
#: To multiples of what the rule rounds before it compares, in standard deviations of a column.
ROUNDED = (0.0, 0.1, 0.25, 0.5, 1.0)


def crossover(orbits: StereoOrbits, config: Config, quiet: bool) -> Crossover:
    """The A_4 network, the perceptron with random even permutations and the rule, trained and tested on rows with noise."""
    ours = "the A_4 network"
    curves: dict[str, list[list[float]]] = {ours: [], SORTED: [], MOVED: []}
    size = trained_on(orbits, config.every_seed)
    for level in LEVELS:
        tasks = [prepare(orbits, seed, size, noise=level) for seed in config.every_seed]
        for name, label in (("A_4", ours), (MOVED, MOVED)):
            nets, _ = fit(name, tasks, config, f"{name}, noise {level:g}", quiet)
            curves[label].append([score(net, task.x_test, task.y_test) for net, task in zip(nets, tasks)])
        curves[SORTED].append([by_parity(task, seed, ROUNDED)[0] for seed, task in zip(config.every_seed, tasks)])
    return Crossover(
        "noise", LEVELS, "accuracy on unseen molecules", "higher", ours, curves, log_x=False,
        note="Noise: the standard deviation of what is added to log(1 + atomic number), to every number of a row, of training and test "
        "centres. The rule rounds numbers before it compares them, to a multiple chosen on a held-out quarter.",
    )  # fmt: skip
