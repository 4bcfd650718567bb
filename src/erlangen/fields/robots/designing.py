"""`design`: a robot for a task, body and controller together, with the symmetry that a search over subgroups finds best."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
import torch
from torch import Tensor, nn

from erlangen.design import EvolutionTraining, SearchResult, SoftSymmetrizer, SubgroupSearch, Symmetrizer
from erlangen.design.designs import whole_number
from erlangen.design.search import How
from erlangen.errors import ArgumentError
from erlangen.fields.robots.controller import LegController
from erlangen.fields.robots.drawing import draw, film, strip
from erlangen.fields.robots.physics import Physics
from erlangen.fields.robots.rollouts import Rolled, Rollouts
from erlangen.fields.robots.space import LOWER, UPPER, RadialSpace
from erlangen.fields.robots.spec import RobotSpec
from erlangen.fields.robots.tasks import Task, fundamental_goals, task_named
from erlangen.reporting import KeyNumber, Outcome, Section, plain
from erlangen.serialization import write_bytes

#: Orbits of goals by which results are judged. States are compared by as many as make equally many rollouts for each.
JUDGED = 8
#: Designs of a generation, and generations between two looks at the neighbours.
POPULATION, GENERATIONS = 24, 8
#: How far a generation is drawn and Adam steps, in half widths of the boxes; the deviation of a controller's first numbers.
SIGMA, RATE, FIRST = 0.08, 0.03, 0.5
#: Metres that one symmetry may cost against less of it and still be preferred.
TOLERANCE = 0.05


@dataclass(frozen=True)
class RobotDesign:
    """A robot for a task.

    Attributes:
        task: what it was designed for.
        spec: its body.
        controller: the kind of its controller.
        parameters: of its controller, ``[controller.size]``.
        group: the name of the subgroup that its body has as its symmetry, as in :class:`~erlangen.fields.robots.RadialSpace`.
        value: metres nearer to the goals of the task, the mean over all of :meth:`Task.goals`; where any direction can be asked the search
            has not seen these.
        search: how it was found; ``None`` for one that was loaded.
        rollouts, blown: simulations that the search took in this run, and how many of them blew up.
        seconds: how long it took.
        kept: of one that was loaded, what :meth:`as_dict` said when it was saved.
    """

    task: Task
    spec: RobotSpec
    controller: LegController
    parameters: np.ndarray
    group: str
    value: float
    search: SearchResult | None
    rollouts: int
    blown: int
    seconds: float
    kept: dict[str, Any] | None = None

    def run(self, goals: Any = None, *, paths: bool = False) -> Rolled:
        """Simulate it for goals ``[goals, 2]``; by default for all by which it was judged."""
        asked = self.task.goals(self.spec.n_legs, self.spec.x_axis_index) if goals is None else goals
        with Rollouts(1) as rollouts:
            return rollouts.run([self.spec], self.controller, self.parameters[None], self.task, asked, paths=paths)

    def as_dict(self) -> dict[str, Any]:
        """Everything but the body, which the XML has, ready for JSON: the task, the group and how it changed, the controller."""
        return {
            "task": plain(self.task),
            "group": self.group,
            "value": self.value,
            "n_legs": self.spec.n_legs,
            "x_axis_index": self.spec.x_axis_index,
            "controller": {"hidden": self.controller.hidden, "parameters": self.parameters.tolist()},
            "rollouts": self.rollouts,
            "blown": self.blown,
            "seconds": self.seconds,
            **self._found(),
        }

    def _found(self) -> dict[str, Any]:
        """How the search went."""
        if self.search is None:
            return {name: (self.kept or {}).get(name) for name in ("history", "search")}
        history = [[epoch.number, epoch.state, epoch.value] for epoch in self.search.history]
        return {"history": history, "search": self.search.as_dict()}

    def outcome(self) -> Outcome:
        """The report: the robot, a course in one picture and as a film, how the search went."""
        goals = self.task.goals(self.spec.n_legs, self.spec.x_axis_index)
        rolled = self.run(paths=True)
        assert rolled.paths is not None
        step, at = self.spec.physics.control_step, int(rolled.values[0].argmax())
        path, value = rolled.paths[:, 0, at], float(rolled.values[0, at])
        x, y = goals[at]
        course = f"Towards ({x:.1f}, {y:.1f}) m, the best of {len(goals)} goals: {value:.2f} m nearer in {self.task.seconds:g} s."
        title = f"A robot with {self.spec.n_legs} legs for {self.task.name}, symmetry {self.group}"
        sections = [
            Section(
                "The robot", figures=[draw({self.group: self.spec}, f"Symmetry {self.group}", "Colours are legs, 0 is the ball.")]
            ),
            Section(
                "How it moves",
                figures=[
                    strip(self.spec, path, step, f"{self.task.name}, {self.group}: one course", caption=course),
                    film(self.spec, path, step, f"{self.task.name}, {self.group}: the same course, moving", caption=course),
                ],
            ),
        ]
        if self.search is not None:
            sections.append(Section("How it was found", figures=[self.search.figure()], tables=[self.search.table()]))
        words = RadialSpace(self.spec.n_legs).in_words(self.group)
        numbers = [
            KeyNumber("metres nearer, mean", self.value),
            KeyNumber("symmetry", self.group, note=words),
            KeyNumber("rollouts", self.rollouts),
            KeyNumber("blown up", self.blown),
        ]
        answer = f"Its body's symmetry is {self.group} ({words}); in {self.task.seconds:g} s it comes {self.value:.2f} m nearer."
        return Outcome(
            "robot-design", title, {"task": self.task.name}, metrics=self.as_dict(), sections=sections,
            key_numbers=numbers, seconds=self.seconds, answer=answer,
        )  # fmt: skip

    def save(self, path: str | Path) -> Path:
        """Write the body as ``robot.xml``, beside it ``robot.json`` (:meth:`as_dict`) and ``robot.html`` (:meth:`outcome`).

        Raises:
            ArgumentError: the path does not end in ``.xml``.
        """
        path = Path(path)
        if path.suffix != ".xml":
            raise ArgumentError("path", "a file that ends in .xml", repr(str(path)))
        self.spec.save(path)
        write_bytes(path.with_suffix(".json"), json.dumps(self.as_dict(), indent=1).encode())
        self.outcome().report(path.with_suffix(".html"))
        return path

    @classmethod
    def load(cls, path: str | Path) -> RobotDesign:
        """Read what :meth:`save` wrote, from the XML and the JSON beside it; it runs as before, to the bit.

        Raises:
            ArgumentError: the files are damaged, or not of one robot.
        """
        path = Path(path)
        spec = RobotSpec.from_xml(path)
        beside = path.with_suffix(".json")
        try:
            told = json.loads(beside.read_text())
            task = Task(**told["task"])
            controller = LegController(spec.n_legs, spec.depth, told["controller"]["hidden"])
            parameters = np.array(told["controller"]["parameters"], dtype=np.float64)
            controller.prepared(parameters[None])
            numbers = int(told["rollouts"]), int(told["blown"]), float(told["seconds"])
            RadialSpace(spec.n_legs).subgroup(told["group"])
            value = float(told["value"])
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ArgumentError("path", "a robot that was saved", f"{beside} ({type(error).__name__}: {error})") from None
        return cls(task, spec, controller, parameters, told["group"], value, None, *numbers, kept=told)


def design(
    task: str | Task,
    n_legs: int = 4,
    *,
    search: str = "structured",
    budget: int = 4000,
    inner: Literal["es", "ppo"] = "es",
    depth: int = 2,
    x_axis_index: int = 0,
    population: int = POPULATION,
    generations: int = GENERATIONS,
    soft_steps: int = 1,
    physics: Physics | None = None,
    seed: int = 0,
    threads: int | None = None,
    directory: str | Path | None = None,
    quiet: bool = True,
) -> RobotDesign:
    """Design a robot with legs around a ball, body and controller together, for a task.

    All arms start from the same random robot. Each epoch improves it under the present symmetry, by so many generations of an evolution
    strategy, then compares the symmetries around with the same controller; the search moves to the best, to the more symmetric one among
    equals. Where a body is symmetric the goals of one orbit are simulated once, and the saving is spent on more goals.

    Args:
        task: ``"point-nav"``, ``"patrol"``, ``"forward"`` or a :class:`Task`.
        n_legs: at least 1.
        search: ``"structured"``: through the lattice of subgroups, by neighbours; ``"unstructured"``: two random subgroups are looked at in
            each epoch; ``"bandit"``: whichever did best so far, or is least known; ``"none"``: no symmetry;
            or the name of a subgroup, which is then the symmetry (``"H_1_0"`` all of it).
        budget: rollouts for the search, at most: robots times goals. The last look at the result is not counted.
        inner: what improves the robot: ``"es"``, the evolution strategy; ``"ppo"``: half of an epoch's rollouts go to proximal policy
            optimisation of the controller.
        depth: limbs of a leg.
        x_axis_index: see :class:`RadialSpace`.
        population, generations: of the evolution strategy, in an epoch; the population is even.
        soft_steps: how many steps lead from a subgroup to the next; the source has 3.
        physics: the simulation.
        seed: every other seed follows from it; the result does not depend on the number of threads.
        threads: of the engine; by default all cores.
        directory: keep the search there after each epoch and go on from what is there.
        quiet: show no progress.

    Raises:
        ArgumentError: unknown words, a subgroup that there is not (the message lists them), a budget below one epoch, physics that
            break symmetry unless the search is for none, a directory with a search of other arguments.

    >>> best = design("forward", n_legs=4, search="structured", budget=60, population=2, generations=1)
    >>> best.group in RadialSpace(4).lattice.names, best.rollouts <= 60
    (True, True)
    """
    asked = task_named(task)
    if inner not in ("es", "ppo"):
        raise ArgumentError("inner", "'es' or 'ppo'", repr(inner))
    budget, population = whole_number(budget, 1, "budget"), whole_number(population, 1, "population")
    if population % 2:
        raise ArgumentError("population", "an even number, for both sides of each direction", repr(population))
    generations, seed = whole_number(generations, 1, "generations"), whole_number(seed, 0, "seed")
    started = time.perf_counter()
    space = RadialSpace(n_legs, depth, x_axis_index)
    how, start = _how(space, search)
    if (how, start) != ("fixed", space.lattice.names[0]):  # goals of one orbit would be taken for equal
        RobotSpec.regular(n_legs, depth, physics=physics).check_symmetric_settings()
    settings = {
        "task": plain(asked), "depth": depth, "x_axis_index": x_axis_index, "inner": inner, "population": population,
        "generations": generations, "physics": plain(physics or Physics()),
    }  # fmt: skip
    with Rollouts(threads) as rollouts:
        trial = Trial(space, asked, LegController(n_legs, depth), physics or Physics(), rollouts)
        unit = len(asked.goals(n_legs, x_axis_index, 1))
        share = generations if inner == "es" else -(-generations // 2)
        train: Any = EvolutionTraining(
            trial.generation,
            generations=share,
            population=population,
            sigma=SIGMA,
            rate=RATE,
            scale=trial.scale,
            project=trial.project,
        )
        if inner == "ppo":
            from erlangen.fields.robots.learning import PolicyTraining

            train = PolicyTraining(trial, train, episodes=population * max(1, generations - share))
        cost = population * max(generations, share + (inner == "ppo"))
        walk = SubgroupSearch(
            space.lattice, trial.value, train, action={"body": space.action, "controller": None}, start=start, soft_steps=soft_steps,
            tolerance=TOLERANCE, training_cost=-(-cost // unit), seed=seed,
        )  # fmt: skip
        try:
            found = walk.run(
                trial.first(seed),
                budget=budget // unit,
                how=how,
                patience=budget,
                directory=directory,
                settings=settings,
                quiet=quiet,
            )
        except ArgumentError as error:
            if error.argument != "budget":
                raise
            raise ArgumentError("budget", f"{error.expected} of {unit} rollouts", f"{budget} rollouts") from None
        used, blown = rollouts.count, rollouts.blown
        specs = trial.specs(found.design["body"][None])
        parameters = found.design["controller"].numpy().copy()
        goals, shares = trial.goals(found.subgroup.elements, JUDGED, None)
        value = float(rollouts.run(specs, trial.controller, parameters[None], asked, goals).values[0] @ shares)
    name = space.lattice.names[space.lattice.subgroups.index(found.subgroup)]
    seconds = time.perf_counter() - started
    return RobotDesign(asked, specs[0], trial.controller, parameters, name, value, found, used, blown, seconds)


class Trial:
    """How designs ``{"body", "controller"}`` of a space are tried in a task."""

    def __init__(self, space: RadialSpace, task: Task, controller: LegController, physics: Physics, rollouts: Rollouts) -> None:
        self.space, self.task, self.controller, self.physics, self.rollouts = space, task, controller, physics, rollouts
        half = (torch.tensor(UPPER, dtype=torch.float64) - torch.tensor(LOWER, dtype=torch.float64)) / 2
        self.scale = {"body": half, "controller": torch.ones((), dtype=torch.float64)}

    def first(self, seed: int) -> dict[str, Tensor]:
        """A random robot to start from."""
        body = self.space.random(generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        numbers = self.controller.random(np.random.default_rng(seed), FIRST)
        return {"body": body, "controller": torch.from_numpy(numbers)}

    def specs(self, bodies: Tensor) -> list[RobotSpec]:
        """Symmetric bodies ``[batch, n, d, 6]``, with what cannot be built mended."""
        built = self.space.clamp(bodies).numpy()
        return [RobotSpec(one, self.space.x_axis_index, None, self.physics) for one in built]

    def project(self, design: dict[str, Tensor]) -> dict[str, Tensor]:
        """Back into the boxes."""
        return {**design, "body": self.space.clamp(design["body"])}

    def generation(self, designs: dict[str, Tensor], seed: int) -> np.ndarray:
        """Values of symmetric designs, a batch, for one random goal each generation."""
        goals = self.task.sample(1, np.random.default_rng(seed))
        specs = self.specs(designs["body"])
        return self.rollouts.run(specs, self.controller, designs["controller"].numpy(), self.task, goals).values.mean(1)

    def value(self, design: dict[str, Tensor], symmetrize: nn.Module, seed: int) -> float:
        """The mean over random goals.

        Those of one orbit under the body's group are simulated once; what this saves is spent on more goals, so that each state costs the
        same and more symmetric ones are known better.
        """
        onto = symmetrize.lower if isinstance(symmetrize, SoftSymmetrizer) else symmetrize
        assert isinstance(onto, Symmetrizer)
        goals, shares = self.goals(onto.subgroup.elements, onto.subgroup.order, np.random.default_rng(seed))
        specs = self.specs(design["body"][None])
        return float(
            self.rollouts.run(specs, self.controller, design["controller"].numpy()[None], self.task, goals).values[0] @ shares
        )

    def goals(self, elements: Any, orbits: int, rng: np.random.Generator | None) -> tuple[np.ndarray, np.ndarray]:
        """Goals of different orbits under a subgroup's elements, and their shares, of so many orbits under the whole group."""
        every = self.task.goals(self.space.n_legs, self.space.x_axis_index, orbits, rng)
        return fundamental_goals(every, self.space.plane.matrix(elements).to(torch.float64).numpy())


def _how(space: RadialSpace, search: str) -> tuple[How, str | None]:
    """How a search goes, and where it starts."""
    if search in get_args(How) and search != "fixed":
        return cast("How", search), None
    try:
        subgroup = space.subgroup(f"H_{space.n_legs}" if search == "none" else search)
    except ArgumentError as error:
        expected = f"'structured', 'unstructured', 'bandit', 'none' or a subgroup: {error.expected}"
        raise ArgumentError("search", expected, repr(search)) from None
    return "fixed", space.lattice.names[space.lattice.subgroups.index(subgroup)]
