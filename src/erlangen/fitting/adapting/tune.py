"""One fine-tuning, and a method with the learning rate that validation data choose."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.data import Texts
from erlangen.errors import ArgumentError
from erlangen.fitting.adapting.config import AdaptConfig, Tuning
from erlangen.fitting.adapting.goal import Goal
from erlangen.fitting.adapting.recall import Recall, applied, recall_of
from erlangen.fitting.adapting.text_model import Loaded, TextModel, Tokens, blocks_of, in_chunks
from erlangen.parameters.adapters import AdaptationReport, AdaptedModel, adaptation_report, get_peft_model
from erlangen.training import History, TrainingConfig, train

NAMES = {
    "head": "head only",
    "lora": "LoRA",
    "dora": "DoRA",
    "bora": "BoRA",
    "magnitude": "magnitudes alone",
    "full": "all weights",
}
#: A head on frozen vectors costs nothing beside an adapter and gets more passes.
HEAD_EPOCHS = 20
#: Where a workshop keeps mean token vectors, beside the states that enter a block.
EMBEDDINGS = -1


@dataclass(frozen=True)
class Tuned:
    """What one training came to.

    Attributes:
        rate, seed: of it.
        history: of the training.
        score: on validation data.
        outputs: of the model on test data ``[N, out]``; of a rate that was not chosen none ``[0, out]``.
    """

    rate: float
    seed: int
    history: History
    score: float
    outputs: Tensor

    @property
    def final_loss(self) -> float:
        """The mean training loss of the last tenth of the steps."""
        last = self.history.losses[-max(1, len(self.history.losses) // 10) :]
        return sum(last) / len(last)


@dataclass
class Method:
    """A method with the rate that validation data chose.

    Attributes:
        name: of it, a key of :data:`NAMES`.
        trained: numbers that were trained.
        trials: the first seed's training with each rate.
        runs: the trainings with the best rate, by seed.
        model: the best of them by validation score.
        changes: of the adapted matrices, over all runs.
    """

    name: str
    trained: int
    trials: list[Tuned]
    runs: list[Tuned]
    model: TextModel
    changes: AdaptationReport | None = None

    @property
    def label(self) -> str:
        return NAMES[self.name]

    @property
    def tried(self) -> dict[float, float]:
        """The score on validation data by rate, of the first seed."""
        return {trial.rate: trial.score for trial in self.trials}

    def losses_at(self, rate: float) -> list[float]:
        """Final losses with a rate: of the first seed, and of the others where it was the chosen one."""
        runs = self.runs if self.runs[0].rate == rate else [trial for trial in self.trials if trial.rate == rate]
        return [run.final_loss for run in runs]

    def scores(self, goal: Goal, test: Texts) -> list[float]:
        """The score on test data, by seed."""
        return [goal.score(run.outputs, test.target) for run in self.runs]


@dataclass(frozen=True)
class Workshop:
    """What all methods of a comparison share: the model, its texts as tokens, and where checkpoints go.

    Attributes:
        loaded: the model folder, read.
        goal: what is predicted.
        texts: the parts: to train, to choose by, to test.
        tokens: of each.
        checkpoints: a folder.
        quiet: no progress.
        first: the lowest block that is adapted; the frozen model's vectors are read on from what enters it.
        kept: what was computed once.
    """

    loaded: Loaded
    goal: Goal
    texts: tuple[Texts, Texts, Texts]
    tokens: tuple[Tokens, Tokens, Tokens]
    checkpoints: Path
    quiet: bool
    first: int = 0
    kept: dict[int, tuple[Tensor, ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, loaded: Loaded, train: Texts, held: Texts, test: Texts, config: AdaptConfig, checkpoints: Path, quiet: bool
    ) -> Workshop:
        """The texts as tokens."""
        texts = (train, held, test)
        made = [loaded.tokens(part.texts, config.max_tokens) for part in texts]
        return cls(loaded, Goal.of(train), texts, (made[0], made[1], made[2]), checkpoints, quiet, min(config.layers, default=0))

    def states(self, recall: Recall) -> tuple[Tensor, ...]:
        """The states that enter the first adapted block, of each part; all methods share them."""
        if recall.first not in self.kept:
            for other in [first for first in self.kept if first != EMBEDDINGS]:
                del self.kept[other]  # one at a time: they are large
            self.kept[recall.first] = tuple(recall.states(tokens) for tokens in self.tokens)
        return self.kept[recall.first]

    def embeddings(self) -> tuple[Tensor, ...]:
        """The frozen model's mean token vectors of each part."""
        if EMBEDDINGS not in self.kept:
            model = TextModel(self.loaded.encoder, nn.Linear(self.loaded.width, 1))
            recall = recall_of(model, self.tokens[0], self.first)
            states = ((), (), ()) if recall is None else tuple((s,) for s in self.states(recall))
            read = applied(model, recall, model.embed)
            self.kept[EMBEDDINGS] = tuple(in_chunks(model, read, (*tokens, *more)) for tokens, more in zip(self.tokens, states))
        return self.kept[EMBEDDINGS]


class _Trained(nn.Module):
    """A text model of which a training sees what is trained: what is frozen stays out of checkpoints."""

    def __init__(self, model: TextModel) -> None:
        super().__init__()
        self.model = (model,)  # no submodule
        self.own = nn.ParameterDict({n.replace(".", "/"): p for n, p in model.named_parameters() if p.requires_grad})

    def _apply(self, fn: Any, recurse: bool = True) -> _Trained:
        super()._apply(fn, recurse)
        self.model[0]._apply(fn, recurse)
        return self


def tune(shop: Workshop, name: Tuning, config: AdaptConfig, head: nn.Linear) -> Method:
    """Fine-tune by a method: with each learning rate once, then with the best one by the other seeds.

    Args:
        shop: model and texts.
        name: the method; of ``config`` all else is taken.
        config: how.
        head: one that was trained on the frozen model: with a random one the first steps would spoil what the model knows.

    Source of the start from a trained head: A. Kumar et al., "Fine-tuning can distort pretrained features", ICLR 2022, arXiv:2202.10054.
    """
    config = replace(config, method=name)
    trials: list[Tuned] = []
    best: tuple[Tuned, TextModel, Callable[[], Tensor]] | None = None
    for rate in config.rates:
        run, model, tested = _tuned(shop, config, rate, config.seed, head)
        trials.append(run)
        if best is None or run.score > best[0].score:
            best = run, model, tested
    assert best is not None
    first = replace(best[0], outputs=best[2]())
    trials = [first if trial is best[0] else trial for trial in trials]
    chosen, runs, changes = (first, best[1]), [first], _changes(shop.loaded.encoder, best[1].encoder)
    for seed in range(config.seed + 1, config.seed + config.seeds):
        run, model, tested = _tuned(shop, config, first.rate, seed, head)
        run = replace(run, outputs=tested())
        runs.append(run)
        changes = changes + _changes(shop.loaded.encoder, model.encoder)
        if run.score > chosen[0].score:
            chosen = run, model
    trained = sum(p.numel() for p in chosen[1].encoder.parameters() if p.requires_grad)
    return Method(name, trained, trials, runs, chosen[1].eval(), changes)


def _tuned(
    shop: Workshop, config: AdaptConfig, rate: float, seed: int, head: nn.Linear
) -> tuple[Tuned, TextModel, Callable[[], Tensor]]:
    """A training, its model, and how to ask for the outputs on test data: of a rate that is not chosen nobody does."""
    goal, (texts, held, _) = shop.goal, shop.texts
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        frozen = shop.loaded.encoder
        if config.method == "full":
            encoder = copy.deepcopy(frozen)
            _free(encoder, config.layers)
        else:  # all adapters stand beside the same weights
            encoder = get_peft_model(copy.deepcopy(frozen, {id(p): p for p in frozen.parameters()}), config.adapter())
        model = TextModel(encoder, copy.deepcopy(head))
    recall = recall_of(model, shop.tokens[0])
    states = ((), (), ()) if recall is None else tuple((s,) for s in shop.states(recall))
    parts = [(*tokens, *more) for tokens, more in zip(shop.tokens, states)]
    apply = applied(model, recall)
    each = -(-len(texts) // min(config.batch_size, len(texts)))
    steps = config.steps or config.epochs * each
    training = TrainingConfig(
        steps=steps,
        batch_size=config.batch_size,
        lr=rate,
        weight_decay=0.0,
        warmup=max(1, round(0.06 * steps)),
        clip=1.0,
        evaluate_every=max(1, each // 2),
        patience=config.patience,
        checkpoint_every=max(20, steps // 4),
        seed=seed,
    )

    def loss(_: nn.Module, *batch: Tensor) -> Tensor:
        return goal.loss(apply(*batch[:-1]), batch[-1])

    def metric(_: nn.Module, *batch: Tensor) -> float:
        return goal.score(in_chunks(model, apply, batch[:-1]), batch[-1])

    model.train()
    history = train(
        _Trained(model),
        (*parts[0], texts.target),
        loss,
        training,
        validation=(*parts[1], held.target),
        metric=metric,
        checkpoint=shop.checkpoints / f"{config.method}-{rate:g}-{seed}",
        description=f"{NAMES[config.method]}, learning rate {rate:g}, seed {seed}",
        quiet=shop.quiet,
    )
    model.cpu()  # where its texts are
    nothing = torch.empty(0, goal.outputs)
    return Tuned(rate, seed, history, history.best, nothing), model, lambda: in_chunks(model, apply, parts[2])


def tune_head(shop: Workshop, config: AdaptConfig) -> Method:
    """A linear head on the frozen model's mean token vectors, by the same rules."""
    goal = shop.goal
    frozen = TextModel(shop.loaded.encoder.requires_grad_(False), nn.Linear(shop.loaded.width, goal.outputs))
    x, held, test = shop.embeddings()
    each = -(-len(x) // min(config.batch_size, len(x)))
    found: dict[float, list[tuple[Tuned, nn.Linear]]] = {}

    def once(rate: float, seed: int) -> tuple[Tuned, nn.Linear]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            head = nn.Linear(shop.loaded.width, goal.outputs)
        training = TrainingConfig(
            steps=HEAD_EPOCHS * each, batch_size=config.batch_size, lr=rate, weight_decay=0.0, evaluate_every=each, seed=seed
        )
        history = train(
            head,
            (x, shop.texts[0].target),
            lambda m, a, y: goal.loss(m(a), y),
            training,
            validation=(held, shop.texts[1].target),
            metric=lambda m, a, y: goal.score(m(a), y),
            quiet=True,
        )
        with torch.no_grad():
            return Tuned(rate, seed, history, history.best, head(test)), head

    rates = tuple(10 * rate for rate in config.rates)  # nothing else moves
    found = {rate: [once(rate, config.seed)] for rate in rates}
    best = max(found, key=lambda rate: found[rate][0][0].score)
    runs = found[best] + [once(best, seed) for seed in range(config.seed + 1, config.seed + config.seeds)]
    frozen.head = max(runs, key=lambda pair: pair[0].score)[1]
    trials = [pairs[0][0] for pairs in found.values()]
    return Method("head", 0, trials, [run for run, _ in runs], frozen)


def _free(encoder: nn.Module, layers: tuple[int, ...]) -> None:
    """Train all weights, or those of some blocks."""
    blocks = blocks_of(encoder)[1]
    encoder.requires_grad_(not layers)
    for number in layers:
        if number >= len(blocks):
            raise ArgumentError("layers", f"numbers of the model's {len(blocks)} blocks", repr(number))
        blocks[number].requires_grad_(True)


def _changes(before: nn.Module, after: nn.Module) -> AdaptationReport:
    if isinstance(after, AdaptedModel):
        return adaptation_report(after)
    pairs = dict(_matrices(before)), dict(_matrices(after))
    return adaptation_report(*pairs)


def _matrices(encoder: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The matrices of linear layers, as ``[out, in]``."""
    from erlangen.parameters.adapters.slots import is_conv1d

    for name, module in encoder.named_modules():
        if isinstance(module, nn.Linear) or is_conv1d(module):
            weight: Any = module.weight
            yield name, (weight.mT if is_conv1d(module) else weight).detach()
