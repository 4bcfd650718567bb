"""Brauer diagrams at work: beams under Sp(4), vectors under O(5), molecules under O(3); all with the same layers."""

from __future__ import annotations

import time

from erlangen.errors import MissingExtra
from erlangen.parallel import one_thread
from erlangen.reporting import RIVAL, RIVAL_CLAIM, Claims, KeyNumber, Outcome, Section
from erlangen.studies.base import ONLY_FULL, Study
from erlangen.studies.brauer_beam.beams import SOURCE, coupled_beams, known_maps
from erlangen.studies.brauer_beam.compare import Config
from erlangen.studies.brauer_beam.molecules import molecules
from erlangen.studies.brauer_beam.vectors import pseudovector, regression


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Train, compare, report."""
    started = time.perf_counter()
    left_out = {} if config.full else {"pseudovector": ONLY_FULL}
    with one_thread():
        parts = {"maps": known_maps(), "beams": coupled_beams(config, quiet), "regression": regression(config, quiet)}
        try:
            parts["molecules"] = molecules(config, quiet)
        except MissingExtra as error:
            parts["molecules"] = [], [Section("Molecules: left out", [str(error)])], {}, []
            left_out |= dict.fromkeys(("inertia", "fragments"), str(error))
        if config.full:
            parts["pseudovector"] = pseudovector(config, quiet)
    numbers = {name: part[2] for name, part in parts.items()}
    beams, vectors = numbers["beams"], numbers["regression"]
    largest = str(max(config.every_size))
    curve = {"crossover": vectors.pop("crossover")} if config.curve else {}
    return Outcome(
        name="brauer-beam",
        title="Networks from Brauer diagrams",
        config=config,
        claims=Claims(claim for part in parts.values() for claim in part[0]),
        left_out=left_out,
        metrics={**numbers, **curve},
        sections=[section for part in parts.values() for section in part[1]],
        seconds=time.perf_counter() - started,
        answer=f"Trained on uncoupled beams, the Sp(4) network predicts eigen-emittances of coupled ones with an error of "
        f"{beams['Sp(4)']['transported']:.2g} in their logarithm, a perceptron with {beams['perceptron']['transported']:.2g}, with "
        f"augmentation {beams['augmented']['transported']:.2g}.",
        key_numbers=[
            KeyNumber("error on coupled beams, Sp(4)", beams["Sp(4)"]["transported"], note="rms, log emittance"),
            KeyNumber("the same, augmented perceptron", beams["augmented"]["transported"]),
            KeyNumber(
                f"O(5) task, {largest} samples",
                vectors["O(5)"][largest],
                note=f"augmented: {vectors['augmented'][largest]:.2g}",
            ),
        ],
        rivals=[rival for name in ("beams", "regression", "molecules", "maps") for rival in parts[name][3]],
    )


STUDY = Study(
    name="brauer-beam",
    system=33,
    title="Networks from Brauer diagrams: coupled beams under Sp(4), vectors under O(5), molecules under O(3)",
    source=SOURCE,
    config=Config,
    run=run,
    claims={
        RIVAL: RIVAL_CLAIM,
        "diagrams": "all maps between tensors are diagrams, as many as the equations of the generators have solutions",
        "coupled-beams": "the Sp(4) network, trained on uncoupled beams, predicts eigen-emittances of coupled ones as well; "
        "perceptrons do not",
        "symplectic": "it does not change under symplectic maps",
        "fewer-samples": "an O(5) network needs fewer samples than perceptrons, with and without augmentation",
        "inertia": "an O(3) network's tensors of inertia of real molecules turn with the molecule to 1e-10",
        "fragments": "on moved fragments of unseen molecules it errs at most half as much as perceptrons",
        "pseudovector": "with --full: angular momentum needs the type of a pseudovector, or SO(3)",
    },
)
