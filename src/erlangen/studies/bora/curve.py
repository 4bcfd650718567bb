"""How many labelled texts an adapter needs: it and a linear machine on fewer and fewer of them."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import torch
from torch import Tensor

from erlangen.fitting.adapting.config import AdaptConfig, Tuning
from erlangen.fitting.adapting.text_model import Tokens
from erlangen.fitting.adapting.tune import Workshop, tune, tune_head
from erlangen.reporting import Crossover
from erlangen.studies.bora.compare import Compared, chosen_of, linear_machine

SEEDS = 3
MACHINE = "a linear SVM on words and letters"


def texts_needed(result: Compared, config: AdaptConfig, places: tuple[int, ...]) -> Crossover:
    """Test accuracy over the number of labelled texts, a fifth of them to choose by; three draws of them, the same test texts.

    Args:
        result: on all texts; its chosen adapter is trained, with the learning rate that was chosen there.
        config: how; fewer texts are passed through as many steps.
        places: how many; all come after them.
    """
    chosen = chosen_of(result)
    whole, goal, test = result.shop, result.shop.goal, result.shop.texts[2]
    labelled = len(whole.texts[0]) + len(whole.texts[1])
    places = tuple(n for n in places if n < labelled)
    steps = config.epochs * -(-len(whole.texts[0]) // config.batch_size)
    curves: dict[str, list[list[float]]] = {chosen.label: [], MACHINE: []}
    for n in (*places, labelled):
        scores: dict[str, list[float]] = {name: [] for name in curves}
        for seed in range(config.seed, config.seed + SEEDS):
            shop = whole if n == labelled else _some(whole, n, seed)
            # Small batches of few texts: the head, too, gets enough steps.
            size = min(config.batch_size, max(8, n // 20))
            own = replace(config, batch_size=size, steps=steps, rates=(chosen.runs[0].rate,), seeds=1, seed=seed)
            if n == labelled and seed == config.seed:
                method = chosen
            else:
                method = tune(shop, cast("Tuning", chosen.name), own, tune_head(shop, own).model.head)
            scores[chosen.label].append(method.scores(goal, test)[0])
            scores[MACHINE].append(goal.score(linear_machine(shop)[0].outputs, test.target))
        for name, runs in scores.items():
            curves[name].append(runs)
    return Crossover(
        "labelled texts", (*places, labelled), "test accuracy", "higher", chosen.label, curves,
        note=f"{result.what}, {len(test)} test texts, {SEEDS} draws of the labelled ones (of all: {SEEDS} trainings), {steps} steps. The "
        "adapter's rate is the one chosen with all texts, which favours it; the machine's penalty, and whether it reads frozen vectors, "
        "too, are chosen anew.",
    )  # fmt: skip


def _some(shop: Workshop, n: int, seed: int) -> Workshop:
    """A workshop with ``n`` labelled texts, a fifth of them to choose by; what was computed of them is kept."""
    draw = torch.Generator().manual_seed(seed)
    sizes = (n - n // 5, n // 5)
    index = [torch.randperm(len(part), generator=draw)[:size] for part, size in zip(shop.texts, sizes)]
    index.append(torch.arange(len(shop.texts[2])))

    def parts(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(t[i] for t, i in zip(tensors, index))

    a, b, c = (Tokens(t.ids[i], t.mask[i]) for t, i in zip(shop.tokens, index))
    x, y, z = (part[i] for part, i in zip(shop.texts, index))
    kept = {key: parts(tensors) for key, tensors in shop.kept.items()}
    return replace(
        shop,
        texts=(x, y, z),
        tokens=(a, b, c),
        kept=kept,
        checkpoints=shop.checkpoints.parent / f"{shop.checkpoints.name} {n} {seed}",
    )
