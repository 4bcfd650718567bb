"""`DeepEnsemble`: members that differ by their seed, trained at once, and what they predict together."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from erlangen import serialization
from erlangen.errors import ArgumentError
from erlangen.parameters.asymmetric import MaskKind, asymmetrize
from erlangen.parameters.asymmetric.network import differing_parts, fixed_parts
from erlangen.parameters.ensembles.curve import Combine, CurvePoint, Task, combined, ensemble_curve
from erlangen.parameters.ensembles.stack import Stack
from erlangen.parameters.ensembles.training import Recipe, Trained, stacked_outputs, train_stack, whole_number
from erlangen.parameters.interpolation import average, classes, unlike_part
from erlangen.parameters.matching.result import weights_of
from erlangen.training.history import History
from erlangen.training.modes import evaluating
from erlangen.training.randomness import seeded

Masks = Literal["shared", "per_member"]
ABOUT = "deep ensemble"


class DeepEnsemble:
    """Networks of one architecture that differ by their seed; they predict by the mean of their outputs.

    Args:
        build: makes one module, ``[N, *shape] -> [N, C]`` (logits) or ``[N, *out]``; plain, or asymmetric by itself.
        size: how many members.
        masks: with ``kind``: ``"shared"``: all members have the same fixed entries (gates), so that they live in one parameter space and
            can be averaged; ``"per_member"``: each has its own.
        kind, n_fix, kappa, mask: how members are made asymmetric, see :func:`asymmetrize`; ``None`` leaves them as they are built.
        combine: classes by the mean of ``"logits"``, or of ``"probs"`` (probabilities).
        task: ``"classification"`` or ``"regression"``; ``None``: targets of whole numbers are classes.
        epochs, batch_size, lr, weight_decay, patience: see :class:`Recipe`.
        validation_fraction: of the samples are held out for early stopping, where ``fit`` is given none; 0 holds none out.
        restore_best: members have the weights of their lowest validation loss; otherwise those of their last step.
        seed: of the members' weights and shuffles (``seeds``), of masks and of the division.

    Attributes:
        members: the modules, in evaluation mode.
        histories: of their trainings.

    Raises:
        ArgumentError: an argument that is none of these; members of ``build`` whose fixed entries differ though masks are shared.

    Source: B. Lakshminarayanan et al., arXiv:1612.01474; asymmetric members: A. Chernov, O. Novitskij, "The empirical impact of reducing
    symmetries on the performance of deep ensembles and MoE", arXiv:2502.17391.

    >>> x = torch.randn(200, 4, generator=torch.Generator().manual_seed(0)); y = (x[:, 0] > 0).long()
    >>> build = lambda: nn.Sequential(nn.Linear(4, 16), nn.GELU(), nn.Linear(16, 2))
    >>> ensemble = DeepEnsemble(build, size=4, kind="w", n_fix=1, epochs=30, lr=0.02, batch_size=32).fit(x, y)
    >>> ensemble.predict_proba(x).shape, ensemble.score(x, y) > 0.9
    (torch.Size([200, 2]), True)
    """

    def __init__(
        self,
        build: Callable[[], nn.Module],
        size: int = 16,
        masks: Masks = "shared",
        *,
        kind: Literal["w", "sigma"] | None = None,
        n_fix: int | Sequence[int] = 2,
        kappa: float | Sequence[float] = 1.0,
        mask: MaskKind = "random_subsets",
        combine: Combine = "logits",
        task: Task | None = None,
        epochs: int = 100,
        batch_size: int = 256,
        lr: float = 1e-3,
        weight_decay: float = 0.03,
        patience: int = 16,
        validation_fraction: float = 0.1,
        restore_best: bool = True,
        seed: int = 0,
    ) -> None:
        if not callable(build) or isinstance(build, nn.Module):
            raise ArgumentError("build", "a function that makes one module", type(build).__name__)
        self.size = whole_number("size", size, 1)
        for name, value, known in (
            ("masks", masks, get_args(Masks)),
            ("combine", combine, get_args(Combine)),
            ("kind", kind, ("w", "sigma", None)),
            ("task", task, (*get_args(Task), None)),
        ):
            if value not in known:
                raise ArgumentError(name, " or ".join(map(repr, known)), repr(value))
        if not 0 <= validation_fraction < 1:
            raise ArgumentError("validation_fraction", "a number from 0 to below 1", repr(validation_fraction))
        self.build, self.masks, self.combine, self.task = build, masks, combine, task
        self.kind, self.n_fix, self.kappa, self.mask = kind, n_fix, kappa, mask
        self.recipe = Recipe(epochs, batch_size, lr, weight_decay, patience)
        self.validation_fraction, self.restore_best, self.seed = float(validation_fraction), bool(restore_best), int(seed)
        self.histories: list[History] = []
        self._members: list[nn.Module] | None = None
        self._trained: Trained | None = None
        self._held: tuple[Tensor, Tensor] | None = None

    @property
    def seeds(self) -> list[int]:
        """The members' seeds; ensembles of other seeds have others."""
        return [self.seed * 65_537 + i for i in range(self.size)]

    @property
    def members(self) -> list[nn.Module]:
        """The trained modules.

        Raises:
            ArgumentError: before ``fit``.
        """
        if self._members is None:
            raise ArgumentError("ensemble", "a fitted ensemble", "one that is not", "Call fit(x, y) first")
        return self._members

    def build_members(self) -> list[nn.Module]:
        """The members as they are before training."""
        made: list[nn.Module] = []
        for i, seed in enumerate(self.seeds):
            with seeded(seed):
                member = self.build()
            if not isinstance(member, nn.Module):
                raise ArgumentError("build", "a function that makes one module", f"one that makes {type(member).__name__}")
            if any(member is other for other in made):
                raise ArgumentError("build", "a new module each time", "the same one twice")
            if self.kind is not None:
                seed_of_masks = self.seed if self.masks == "shared" else seed
                asymmetrize(member, self.kind, self.n_fix, self.kappa, self.mask, seed_of_masks)
            made.append(member)
            if name := unlike_part(made[0], member):
                raise ArgumentError("build", "members of one architecture", f"another class of module at '{name}' in member {i}")
            for (name, p), q in zip(member.named_parameters(), made[0].parameters()):
                if p.requires_grad != q.requires_grad:
                    raise ArgumentError("build", "members of which the same weights are trained", f"others: '{name}' of member {i}")
            if self.masks == "shared" and (name := differing_parts(made[0], member)):
                raise ArgumentError(
                    "build", "members with the same fixed entries", f"'{name}' of member {i} differs", "Fix its seed"
                )
        if self.masks == "per_member" and self.size > 1 and fixed_parts(made[0]) and not differing_parts(made[0], made[1]):
            hint = "Build plain members and give kind='w' or 'sigma'"
            raise ArgumentError("masks", "'shared' for a build whose members have the same fixed entries", repr(self.masks), hint)
        return made

    def fit(
        self,
        x: Any,
        y: Any,
        *,
        validation: tuple[Any, Any] | None = None,
        checkpoint: str | Path | None = None,
        quiet: bool = True,
    ) -> DeepEnsemble:
        """Train all members.

        Args:
            x: inputs ``[N, *shape]``, torch, NumPy or a frame of numbers.
            y: classes ``[N]`` from 0 to C - 1, or numbers of the shape of the outputs (``[N]`` where a module gives one number).
            validation: inputs and targets for early stopping, in place of ``validation_fraction``.
            checkpoint: a directory to keep the training's state in; one that was interrupted or killed goes on from there, to the same
                bits (on the CPU), and one that is done is read.
            quiet: no progress bar.

        Raises:
            ArgumentError: data of different lengths, empty, or not finite; targets that are no classes or do not fit the outputs; members
                that differ in more than their weights; losses or weights that do not stay finite; a checkpoint of another training.
            KeyboardInterrupt: on Ctrl-C; with a checkpoint after the epoch was finished and written.
        """
        from erlangen.reporting import progress

        made = self.build_members()
        like = next((p for p in made[0].parameters() if p.is_floating_point()), torch.zeros(()))
        inputs = _inputs("x", x, like)
        y = _tensor("y", y)
        task: Task = self.task or ("regression" if y.is_floating_point() else "classification")
        out = _output(made[0], inputs)
        targets = _targets("y", y, len(inputs), out, task)
        held = None
        if validation is not None:
            inputs_held = _inputs("validation", validation[0], like)
            if inputs_held.shape[1:] != inputs.shape[1:]:
                raise ArgumentError("validation", f"inputs [N, *{tuple(inputs.shape[1:])}]", f"shape {tuple(inputs_held.shape)}")
            held = (inputs_held, _targets("validation", validation[1], len(inputs_held), out, task))
        elif (count := round(self.validation_fraction * len(inputs))) and count < len(inputs):
            order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(self.seed)).to(inputs.device)
            held = (inputs[order[:count]], targets[order[:count]])
            inputs, targets = inputs[order[count:]], targets[order[count:]]
        stack, loss = Stack(made), _squares if task == "regression" else _cross_entropy
        _check_alike(stack, made, inputs[:2])
        data, watched = [
            None
            if pair is None
            else (pair[0], pair[1].to(torch.promote_types(out.dtype, torch.float32)))
            if task == "regression"
            else pair
            for pair in ((inputs, targets), held)
        ]
        assert data is not None
        directory = None if checkpoint is None else Path(checkpoint)
        with progress(self.recipe.epochs, f"training {self.size} members", quiet=quiet) as bar:
            found = train_stack(stack, self.seeds, data, loss, self.recipe, watched, bar.advance, directory)
        self._task, self._members, self._held, self.histories = task, made, held, found.histories
        self._trained = found
        self._flat = task == "regression" and y.ndim == 1
        return self.restore(self.restore_best)

    def restore(self, best: bool) -> DeepEnsemble:
        """Give members the weights of their lowest validation loss, or those of their last step.

        Raises:
            ArgumentError: before ``fit``, or out of a file, which holds one of the two.
        """
        if self._trained is None:
            raise ArgumentError("ensemble", "an ensemble that was fitted here", "one that is not, or comes from a file")
        self._give(self._trained.best if best else self._trained.last)
        return self

    def outputs(self, x: Any) -> Tensor:
        """Outputs of all members ``[M, N, *out]``."""
        members = self.members
        like = next((p for p in members[0].parameters() if p.is_floating_point()), torch.zeros(()))
        inputs = _inputs("x", x, like)
        _output(members[0], inputs)
        return stacked_outputs(Stack(members), inputs)

    def predict_proba(self, x: Any) -> Tensor:
        """Probabilities of the classes ``[N, C]``.

        Raises:
            ArgumentError: the ensemble predicts numbers.
        """
        found = self.outputs(x)
        if self._task != "classification":
            raise ArgumentError("task", "'classification'", repr(self._task))
        return combined(found, "classification", self.combine)

    def predict(self, x: Any) -> Tensor:
        """Classes ``[N]``, or numbers of the shape of the targets that ``fit`` was given."""
        found = combined(self.outputs(x), self._task, self.combine)
        return found.argmax(-1) if self._task == "classification" else found.squeeze(-1) if self._flat else found

    def score(self, x: Any, y: Any) -> float:
        """Accuracy, or the coefficient of determination, of several outputs that of all together (minus infinity for equal targets)."""
        found = combined(self.outputs(x), self._task, self.combine)
        y = _targets("y", y, len(found), found, self._task)
        if self._task == "classification":
            return float((found.argmax(-1) == y).double().mean())
        found, y = found.double(), y.double()
        return float(1 - (found - y).square().sum() / (y - y.mean(0)).square().sum())

    def curve(self, sizes: Sequence[int], x: Any = None, y: Any = None) -> list[CurvePoint]:
        """What is gained with the number of members, on data (by default those that were held out for early stopping).

        Members are taken in groups of each size, one after the other; means over the groups are given. Members that fill no group are
        left out.

        Raises:
            ArgumentError: sizes beyond the members, or no data.
        """
        if (x is None) != (y is None) or (x is None and self._held is None):
            raise ArgumentError("x", "inputs and targets", "none, and no data were held out" if x is None else "no targets")
        if x is None:
            assert self._held is not None
            x, y = self._held
        outputs = self.outputs(x)
        targets = _targets("y", y, outputs.shape[1], outputs[0], self._task)
        vectors = torch.stack([torch.cat([_reals(p).flatten() for p in m.parameters()]) for m in self.members])
        return ensemble_curve(outputs, targets, vectors, sizes, self._task, self.combine)

    def average_weights(self) -> nn.Module:
        """One network whose weights are the mean of the members' (fixed entries, which they share, stay).

        Raises:
            ArgumentError: members with different masks: the mean would be no network of either kind.
        """
        return average(self.members)

    def save(self, path: str | Path) -> Path:
        """Write members and settings to one safetensors file, without the data.

        Raises:
            ArgumentError: before ``fit``.
        """
        parts = classes(self.members[0])
        names = ("size", "masks", "kind", "n_fix", "kappa", "mask", "combine", "validation_fraction", "restore_best", "seed")
        about = (
            {name: getattr(self, name) for name in names}
            | dataclasses.asdict(self.recipe)
            | {"task": self._task, "flat": self._flat, "classes": parts}
        )
        text = json.dumps(about, default=lambda v: v.tolist() if hasattr(v, "tolist") else list(v))  # arrays, and numbers of NumPy
        return serialization.write_bytes(path, serialization.weights_bytes(self._tensors(), {ABOUT: text}))

    @classmethod
    def load(cls, path: str | Path, build: Callable[[], nn.Module]) -> DeepEnsemble:
        """An ensemble out of its file.

        Args:
            path: written by :meth:`save`.
            build: as it was given.

        Raises:
            ArgumentError: a file that is damaged or of other members.
        """
        tensors, about = serialization.read_tensors(path, ABOUT, "path")
        flat, parts = about.pop("flat"), about.pop("classes", None)  # which older files do not have
        ensemble = cls(build, **about)
        ensemble._rebuild(tensors)
        own = classes(ensemble.members[0])
        if parts is not None and parts != own:
            name = next(name for name in [*parts, *own] if parts.get(name) != own.get(name))
            got = f"'{name}' of class {own.get(name)}, which was {parts.get(name)}"
            raise ArgumentError("build", "the members that were saved", got)
        ensemble._task, ensemble._flat = about["task"], flat
        return ensemble

    def _rebuild(self, tensors: dict[str, Tensor]) -> None:
        """Members with these tensors, which have a member axis."""
        members = self.build_members()
        own = {name: (len(members), *t.shape) for name, t in weights_of(members[0]).items()}
        if own != {name: tuple(t.shape) for name, t in tensors.items()}:
            raise ArgumentError("build", "the members that were saved", f"another architecture ({type(members[0]).__name__})")
        self._members = members
        self._give(tensors)

    def _give(self, tensors: dict[str, Tensor]) -> None:
        for i, member in enumerate(self.members):
            for name, t in weights_of(member.eval()).items():
                t.data = tensors[name][i].clone()  # in their own precision; what is shared stays shared

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: members as tensors, since torch pickles no parametrised modules."""
        return {**vars(self), "_members": None if self._members is None else self._tensors()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        tensors = state["_members"]
        vars(self).update({**state, "_members": None})
        if tensors is not None:
            self._rebuild(tensors)

    def _tensors(self) -> dict[str, Tensor]:
        states = [weights_of(member) for member in self.members]
        return {name: torch.stack([state[name].detach() for state in states]) for name in states[0]}

    def __repr__(self) -> str:
        made = "" if self.kind is None else f", {self.kind}, masks {self.masks}"
        return f"DeepEnsemble({self.size} members{made})"


def _cross_entropy(outputs: Tensor, y: Tensor) -> Tensor:
    wide = torch.promote_types(outputs.dtype, torch.float32)
    return nn.functional.cross_entropy(outputs.to(wide), y, reduction="none")


def _squares(outputs: Tensor, y: Tensor) -> Tensor:
    return (outputs - y).square().flatten(1).mean(1)  # in the precision of y, single or better


def _check_alike(stack: Stack, members: Sequence[nn.Module], x: Tensor) -> None:
    """Refuse members that compute something else than the first one would with their weights: another rate, scale or branch."""
    with seeded(0):
        found = stacked_outputs(stack, x)
    tolerance = 4 * torch.finfo(found.dtype).eps ** 0.5
    for i, member in enumerate(members):
        with seeded(0), torch.no_grad(), evaluating(member):
            own, again = member(x.clone()), member(x.clone())
        size = tolerance * float(own.abs().max())
        if not torch.allclose(found[i], own, tolerance, size) and torch.allclose(
            own, again, tolerance, size
        ):  # if it draws nothing
            raise ArgumentError("build", "members that differ in their weights alone", f"member {i}, which computes something else")


def _reals(p: Tensor) -> Tensor:
    p = p.detach()
    return torch.view_as_real(p) if p.is_complex() else p


def _tensor(name: str, value: Any) -> Tensor:
    try:
        framed = hasattr(value, "__array__") and not isinstance(value, (Tensor, np.ndarray))
        return torch.as_tensor(np.array(value) if framed else value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ArgumentError(name, "a tensor or an array of numbers", f"{type(value).__name__} ({error})") from None


def _output(module: nn.Module, inputs: Tensor) -> Tensor:
    """What a module gives for the first input."""
    some = inputs[:2].clone()  # two: of one, a norm over the batch has no statistics
    try:
        with seeded(0), torch.no_grad(), evaluating(module):
            out = module(some)
    except (RuntimeError, IndexError, ValueError) as error:
        raise ArgumentError("x", "inputs that the modules take", f"shape {tuple(inputs.shape)} ({error})") from None
    if not isinstance(out, Tensor) or out.ndim < 2 or len(out) != len(some):
        shape = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise ArgumentError("build", "modules that give a tensor [N, *out] for N inputs", f"{shape} for {len(some)}")
    return out[:1]


def _inputs(name: str, x: Any, like: Tensor) -> Tensor:
    x = _tensor(name, x)
    x = x.to(like.device, like.dtype) if x.is_floating_point() else x.to(like.device)
    if x.ndim < 2 or not len(x):
        raise ArgumentError(name, "inputs [N, *shape], N at least 1", f"shape {tuple(x.shape)}")
    if not bool(x.isfinite().all()):
        raise ArgumentError(name, "finite numbers", "infinite ones or NaN")
    return x


def _targets(name: str, y: Any, count: int, out: Tensor, task: Task) -> Tensor:
    """Targets that fit the outputs ``[1 or N, *out]``: classes, or numbers in double precision."""
    y = _tensor(name, y)
    y = y.long() if y.dtype == torch.bool else y
    if task == "classification":
        if out.ndim != 2 or y.shape != (count,):
            raise ArgumentError(
                name, f"classes [{count}] for outputs [{count}, C]", f"shape {tuple(y.shape)}, outputs {tuple(out.shape)}"
            )
        if y.is_floating_point() and bool((y == y.round()).all()):  # classes as a table of numbers has them
            y = y.long()
        if y.is_floating_point() or y.is_complex() or int(y.min()) < 0 or int(y.max()) >= out.shape[1]:
            raise ArgumentError(
                name,
                f"whole numbers from 0 to {out.shape[1] - 1}, the outputs' classes",
                f"{y.unique()[:8].tolist()}",
                "Give task='regression' if they are numbers to predict",
            )
        return y.to(out.device, torch.int64)
    shape = (count, *out.shape[1:])
    if y.shape != shape and not (shape[1:] == (1,) and y.shape == (count,)):
        raise ArgumentError(name, f"numbers of shape {shape}, as the outputs", f"shape {tuple(y.shape)}")
    if y.is_complex():
        raise ArgumentError(name, "real numbers", "complex ones")
    y = y.to(out.device, torch.float64).view(shape)
    if not bool(y.isfinite().all()):
        raise ArgumentError(name, "finite numbers", "infinite ones or NaN")
    return y
