"""`compare_frames`: the chooser: one model, one data set, every frame, measured side by side."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import optree
import torch
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.actions.batches import batch_size
from erlangen.actions.ragged import some_of
from erlangen.actions.records import Record, as_action
from erlangen.errors import ArgumentError
from erlangen.symmetrize.choose import symmetrize
from erlangen.symmetrize.frames import AllElements, Frame
from erlangen.symmetrize.symmetrized import Symmetrized
from erlangen.training import TrainingConfig, steps_within, train
from erlangen.training.modes import thawed

if TYPE_CHECKING:
    from rich.table import Table

Loss = Callable[[Any, Any], Tensor]

PLAIN, AUGMENTED = "plain", "augmentation"
BATCH = 256  # test data are evaluated in pieces of this size


@dataclass(frozen=True)
class FrameRow:
    """What was measured of one way to train and use the model.

    Attributes:
        name: the frame's name, ``"plain"`` or ``"augmentation"``.
        error: the loss (or, of class labels, the error rate) on the test data as they are.
        moved: the same on test data moved by a random group element each.
        equivariance: mean relative equivariance error of the trained model in evaluation.
        evaluations: how many evaluations of the model one datum takes in evaluation.
        latency: median seconds of one evaluation of ``batch`` data, without gradients.
        memory: bytes that a training step keeps for its backward pass, beside the weights (each storage once).
        seconds: CPU seconds of the training.
        steps: optimisation steps taken.
        lr: the learning rate; of several, the one that was best on the validation data.
    """

    name: str
    error: float
    moved: float
    equivariance: float
    evaluations: int
    latency: float
    memory: int
    seconds: float
    steps: int
    lr: float


@dataclass(frozen=True)
class FrameComparison:
    """The rows, and how they were made comparable; ``print`` it.

    Attributes:
        rows: one for each way.
        budget: what all of them had in equal amounts.
        batch: how many data a latency is of.
        measure: what ``error`` is.
        models: the trained models, by name.
    """

    rows: tuple[FrameRow, ...]
    budget: str
    batch: int
    measure: str
    models: Mapping[str, nn.Module]

    def __getitem__(self, name: str) -> FrameRow:
        """The row of this name."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    @property
    def best(self) -> FrameRow:
        """The row with the smallest error on moved data."""
        return min(self.rows, key=lambda row: row.moved)

    def as_dict(self) -> dict[str, Any]:
        """Every number, ready for JSON."""
        rows = [dataclasses.asdict(row) for row in self.rows]
        return {"rows": rows, "budget": self.budget, "batch": self.batch, "measure": self.measure, "best": self.best.name}

    def table(self) -> Table:
        """For a terminal."""
        from rich.table import Table

        table = Table(title=f"Frames compared, {self.budget}", title_justify="left")
        heads = ["frame", self.measure, "moved data", "equivariance error", "evaluations"]
        heads += [f"ms / {self.batch}", "MB / step", "CPU s", "steps", "rate"]
        for head in heads:
            table.add_column(head, justify="left" if head == "frame" else "right")
        for row in self.rows:
            numbers = [f"{row.error:.4g}", f"{row.moved:.4g}", f"{row.equivariance:.1e}", str(row.evaluations)]
            numbers += [f"{1e3 * row.latency:.1f}", f"{row.memory / 1e6:.1f}", f"{row.seconds:.1f}", str(row.steps), f"{row.lr:g}"]
            table.add_row(row.name + (" *" if row == self.best else ""), *numbers)
        table.caption = "* smallest error on moved data"
        return table

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=120, color_system=None)
        with console.capture() as capture:
            console.print(self.table())
        return capture.get().rstrip()


def compare_frames(
    model: nn.Module,
    data: tuple[Any, Any],
    inp: Any,
    out: Any,
    *,
    test: tuple[Any, Any],
    frames: Mapping[str, Frame] | None = None,
    baselines: tuple[str, ...] = (PLAIN, AUGMENTED),
    loss: Loss | None = None,
    config: TrainingConfig | None = None,
    seconds: float | None = None,
    rates: Sequence[float] = (),
    validation: tuple[Any, Any] | None = None,
    seed: int = 0,
    scale: float = 1.0,
    quiet: bool = False,
) -> FrameComparison:
    """Train the same model plainly, with augmentation and over each frame, on the same budget, and measure what each gives and costs.

    All start from the weights that ``model`` has. What is compared is fair in one of two senses: as many steps (``config.steps``, the
    default), or as many CPU seconds (``seconds=``), where a frame of eight elements gets through about an eighth of the steps.

    Args:
        model: any module; it is copied, not changed.
        data, test: ``(x, y)``, what the model is called with and its targets, leading axis the samples; ``y`` of class labels is int64.
        inp, out: how the group acts, as for :func:`erlangen.symmetrize`.
        frames: what to compare, by name; by default every shipped frame that serves ``inp`` and needs no choice of its own.
        baselines: which of ``"plain"`` and ``"augmentation"`` (a random group element for each training datum) stand beside them.
        loss: ``loss(prediction, y)``, a mean over the batch; by default the squared error, or cross entropy for class labels. It is the
            test error, too, but for class labels with the default loss, where that is the error rate.
        config: of the training; with ``seconds``, its ``steps`` are replaced.
        seconds: CPU seconds for each training; how many steps they buy is measured on a few steps first.
        rates: learning rates to choose from, for each way by itself: of trainings of a fifth of the steps with each, the one with the
            smallest error on moved validation data. By default that of ``config`` serves all.
        validation: what rates are chosen by, as ``test``.
        seed: of the moves of test data and augmentation, and of the elements that errors are measured with.
        scale: widens the sampling of groups that are not compact.
        quiet: no progress bars.

    Raises:
        ArgumentError: a frame does not serve ``inp``, there is nothing to compare, or there are rates and no validation data.

    >>> import erlangen as er
    >>> G = er.SO(2)
    >>> x = torch.randn(64, 4, 2); y = x.norm(dim=-1).sum(1, keepdim=True)
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
    >>> few = TrainingConfig(steps=5, batch_size=16)
    >>> found = er.compare_frames(net, (x, y), G.vector, G.scalar, test=(x, y), config=few, quiet=True)
    >>> [row.name for row in found.rows][:3], found["Principal"].evaluations
    (['plain', 'augmentation', 'Principal'], 2)
    """
    inp, out = as_action(inp, "inp"), as_action(out, "out")
    config = config or TrainingConfig()
    if seconds is not None and seconds <= 0:
        raise ArgumentError("seconds", "a positive number of CPU seconds", repr(seconds))
    frames = dict(_serving(inp) if frames is None else frames)
    if clash := {PLAIN, AUGMENTED} & set(frames):
        raise ArgumentError("frames", f"names other than those of the baselines {PLAIN} and {AUGMENTED}", sorted(clash))
    if not (frames or baselines) or not set(baselines) <= {PLAIN, AUGMENTED}:
        raise ArgumentError("baselines", f"'{PLAIN}', '{AUGMENTED}', both, or neither beside some frames", repr(baselines))
    if rates and validation is None:
        raise ArgumentError("validation", "data to choose the learning rate by", "none", "test data are for the end")
    task = _Task(model, inp, out, loss, data, test, validation, seed, scale)
    # The first training of a process loads and warms what later ones find ready: none of those compared should pay for it.
    task.measure("warming up", copy.deepcopy(model), dataclasses.replace(config, steps=1), None, (), True)
    rows, models = [], {}
    for name, frame in {**dict.fromkeys(baselines), **frames}.items():
        ready = copy.deepcopy(model) if frame is None else symmetrize(copy.deepcopy(model), inp, out, frame=copy.deepcopy(frame))
        rows.append(task.measure(name, ready, config, seconds, rates, quiet))
        models[name] = ready
    budget = f"{config.steps} steps each" if seconds is None else f"about {seconds:g} CPU seconds each"
    return FrameComparison(tuple(rows), budget, task.batch, task.score_name, models)


def _serving(inp: Action) -> dict[str, Frame]:
    """The shipped frames that serve an action without further choices, cheap and full, in the order of the guide."""
    from erlangen.symmetrize.choose import LARGEST_AVERAGE
    from erlangen.symmetrize.gram_schmidt import GramSchmidt
    from erlangen.symmetrize.phase import Phase
    from erlangen.symmetrize.principal import Principal
    from erlangen.symmetrize.sign_fixed import SignFixed
    from erlangen.symmetrize.stochastic import Stochastic

    every: list[Frame] = [Principal(), SignFixed(), GramSchmidt(), Phase()]
    if inp.group.is_finite and inp.group.order <= LARGEST_AVERAGE:
        every.insert(0, AllElements())
    frames: dict[str, Frame] = {}
    for frame in every:
        if frame.refuse(inp):
            continue
        name = type(frame).__name__
        frames[name] = frame
        if isinstance(frame, (AllElements, Principal)):
            frames[f"Stochastic({name})"] = Stochastic(copy.deepcopy(frame))
    if not frames:
        raise ArgumentError("frames", f"frames that serve {inp!r}", "none of those that need no choice", "name them: frames={...}")
    return frames


class _Task:
    """The data, flat for the training loop, and what is measured on them."""

    def __init__(
        self,
        model: nn.Module,
        inp: Action,
        out: Action,
        loss: Loss | None,
        data: tuple[Any, Any],
        test: tuple[Any, Any],
        validation: tuple[Any, Any] | None,
        seed: int,
        scale: float,
    ) -> None:
        self.inp, self.out, self.test, self.seed, self.scale = inp, out, test, seed, scale
        x, y = data
        # The loop draws rows of what each datum has; what all share stands aside.
        self.every = inp.flatten(x) if isinstance(inp, Record) else [x]
        self.own = [i for i, leaf in enumerate(inp.leaves) if leaf is not None] if isinstance(inp, Record) else [0]
        targets, self.y_tree = optree.tree_flatten(y, none_is_leaf=True)
        self.data: list[Tensor] = [*(self.every[i] for i in self.own), *targets]
        labels = isinstance(y, Tensor) and y.dtype == torch.int64
        self.loss: Loss = loss or (nn.functional.cross_entropy if labels else nn.functional.mse_loss)
        self.score: Callable[[Any, Any], Any] = _error_rate if labels and loss is None else self.loss
        self.score_name = "error rate" if labels and loss is None else "test loss"
        self.labels = labels
        names = list(inp.parts) if isinstance(inp, Record) and isinstance(inp.parts, dict) else []
        accepted = inspect.signature(model.forward).parameters
        self.call: Literal["one", "several", "keywords"] = "one"
        if names and all(name in accepted for name in names):
            self.call = "keywords"
        elif isinstance(inp, Record) and isinstance(inp.parts, tuple):
            self.call = "several"
        self.batch = min(BATCH, batch_size(inp, test[0]))
        self.moved = self._moved(*test)
        self.held = None if validation is None else self._moved(*validation)

    def measure(
        self, name: str, model: nn.Module, config: TrainingConfig, seconds: float | None, rates: Sequence[float], quiet: bool
    ) -> FrameRow:
        """Train and measure one way."""
        from erlangen.equivariance import equivariance_error
        from erlangen.measure import measure_cost

        generator = torch.Generator().manual_seed(self.seed + 1)

        def loss(ready: nn.Module, *batch: Tensor) -> Tensor:
            x = self._datum(batch[: len(self.own)])
            y = optree.tree_unflatten(self.y_tree, batch[len(self.own) :])
            if name == AUGMENTED:
                g = self._draw(len(batch[0]), generator)
                x, y = self.inp.act(g, x), self._moved_target(g, y)
            if not isinstance(ready, Symmetrized):
                return self.loss(self.run(ready, x), y)
            prediction, asked = self.run(ready.with_losses, x)
            return self.loss(prediction, y) + sum(asked.values())

        first = [part[: config.batch_size].clone() for part in self.data]
        memory = _kept(lambda: loss(thawed(model), *first), model)
        if seconds is not None:
            config = dataclasses.replace(config, steps=steps_within(seconds, model, self.data, loss, config))
        if len(rates) > 1:
            fifth = dataclasses.replace(config, steps=max(1, config.steps // 5))
            tried = {rate: self._tried(name, model, loss, dataclasses.replace(fifth, lr=rate), quiet) for rate in rates}
            rates = [min(tried, key=tried.__getitem__)]
        config = dataclasses.replace(config, lr=rates[0]) if rates else config
        start = time.process_time()
        history = train(model, self.data, loss, config, description=name, quiet=quiet)
        spent = time.process_time() - start
        few = some_of(self.inp, self.test[0], slice(self.batch))
        error = equivariance_error(
            lambda *x: self.run(model, x if self.call == "several" else x[0]),
            few,
            self.inp,
            self.out,
            elements=4,
            generator=torch.Generator().manual_seed(self.seed + 2),
            scale=self.scale,
        )
        cost = measure_cost(lambda: self.run(model, few), self.batch, model, repeats=5)
        return FrameRow(
            name,
            self._error(model, *self.test),
            self._error(model, *self.moved),
            error["mean"],
            self._evaluations(model, few),
            cost.seconds,
            memory,
            spent,
            len(history.losses),
            config.lr,
        )

    def _tried(self, name: str, model: nn.Module, loss: Callable[..., Tensor], config: TrainingConfig, quiet: bool) -> float:
        """The error on moved validation data after a short training of a copy; infinite where that went astray."""
        assert self.held is not None
        one = copy.deepcopy(model)
        try:
            train(one, self.data, loss, config, description=f"{name}, rate {config.lr:g}", quiet=quiet)
        except ArgumentError:  # the loss was not finite
            return math.inf
        error = self._error(one, *self.held)
        return math.inf if math.isnan(error) else error  # or it would be the smallest wherever it comes first

    def run(self, model: Callable[..., Any], x: Any) -> Any:
        """Call a model as the bare one is called."""
        if self.call == "keywords":
            return model(**x)
        return model(*x) if self.call == "several" else model(x)

    def _datum(self, own: Sequence[Tensor]) -> Any:
        """Data from the parts of each and those that all share."""
        parts = list(self.every)
        for i, part in zip(self.own, own):
            parts[i] = part
        return self.inp.unflatten(parts) if isinstance(self.inp, Record) else parts[0]

    def _evaluations(self, model: nn.Module, x: Any) -> int:
        if not hasattr(model, "frame"):
            return 1
        with torch.no_grad():
            return self.inp.group.batch_shape(model.frame(self.inp, x).elements)[1]  # type: ignore[operator]

    def _draw(self, count: int, generator: torch.Generator) -> Any:
        leaf = next(t for t in self.data if t.is_floating_point())
        return self.inp.group.sample(count, generator=generator, dtype=leaf.dtype, device=leaf.device, scale=self.scale)

    def _moved(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Data moved by a random element each."""
        g = self._draw(batch_size(self.inp, x), torch.Generator().manual_seed(self.seed))
        return self.inp.act(g, x), self._moved_target(g, y)

    def _moved_target(self, g: Any, y: Any) -> Any:
        return y if self.labels else self.out.act(g, y)

    @torch.no_grad()
    def _error(self, model: nn.Module, x: Any, y: Any) -> float:
        """The mean over pieces of the test data, weighted by their size."""
        count, total = batch_size(self.inp, x), 0.0
        for start in range(0, count, BATCH):
            piece = slice(start, start + BATCH)
            some = some_of(self.inp, x, piece)
            wanted = optree.tree_map(lambda t: t[piece] if isinstance(t, Tensor) else t, y)  # noqa: B023
            total += float(self.score(self.run(model, some), wanted)) * (min(count, start + BATCH) - start)
        return total / count


def _error_rate(prediction: Tensor, y: Tensor) -> Tensor:
    return (prediction.argmax(1) != y).double().mean()


def _kept(forward: Callable[[], Tensor], model: nn.Module) -> int:
    """Bytes of the storages, beside the model's own, that a forward pass keeps for the backward pass."""
    sizes: dict[int, int] = {}
    alive = []  # or a freed storage's address could come again

    def keep(t: Tensor) -> Tensor:
        sizes[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        alive.append(t)
        return t

    with torch.random.fork_rng(), torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        forward()
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    return sum(size for where, size in sizes.items() if where not in own)
