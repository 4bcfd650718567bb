"""Every explainer on every network: scores, guarantees, and what averaging does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.errors import MissingExtra
from erlangen.extras import engine
from erlangen.measure.explain import (
    CAR,
    CAV,
    Explainer,
    ExplanationRobustness,
    FeatureAblation,
    Influence,
    InputXGradient,
    IntegratedGradients,
    Occlusion,
    RepSim,
    Saliency,
    SimplEx,
    TracIn,
    captum_explainer,
    guarantee,
    symmetrize_explainer,
)
from erlangen.studies.explain.networks import HIDDEN, INVARIANT, LAST, MOVING
from erlangen.studies.explain.setting import Setting
from erlangen.studies.explain.study import Config
from erlangen.verdict import Verdict

EXAMPLES = (
    50  # training data that explanations refer to, and that show a concept; with more, the fits of concepts take most of the time
)
BATCH = 12  # test data of an explainer that permutes data among each other
POINTS = 8  # of the quadrature of integrated gradients; its symmetry does not depend on them
RAMP, STILL, NOISY = "Integrated Gradients, ramp baseline", "GradientShap, no noise", "GradientShap, noise 0.3"
IG, PERMUTED, CAV_MOVING = "Integrated Gradients", "FeaturePermutation", f"CAV, {MOVING}"


@dataclass(frozen=True)
class Scored:
    """One explainer on one network."""

    network: str
    explainer: str
    verdict: Verdict
    guarantee: str

    @property
    def mean(self) -> float:
        return self.verdict["mean"]


def explainers(net: nn.Sequential, setting: Setting, seed: int) -> Iterator[tuple[Explainer, bool]]:
    """Each explainer, and whether it is costly."""
    dim, T = len(setting.shape), setting.shape[-1]
    ramp = torch.linspace(0, 1, T).expand(1, *setting.shape)
    yield Saliency(net), False
    yield InputXGradient(net), False
    yield IntegratedGradients(net, steps=POINTS), False
    broken = IntegratedGradients(net, baseline=ramp.contiguous(), steps=POINTS)
    broken.name = RAMP
    yield broken, False
    yield FeatureAblation(net), True
    for wrap in (True, False):
        yield Occlusion(net, setting.window, wrap=wrap), True
    examples, labels = (part[:EXAMPLES] for part in setting.train)
    yield TracIn(net, LAST, examples, labels), False
    yield Influence(net, LAST, examples, labels), False
    for layer in (HIDDEN, MOVING):
        yield SimplEx(net, layer, examples), True
        yield RepSim(net, layer, examples), False
        for probe in (CAV, CAR):
            yield probe(net, layer, concepts(setting, seed), seed), False
    try:
        yield captum_explainer("DeepLift", net), False
    except MissingExtra:
        return
    zero = setting.train[0].new_zeros(1, 1, *setting.shape)
    for name, noise in ((STILL, 0.0), (NOISY, 0.3)):
        yield captum_explainer("GradientShap", net, name=name, baselines=zero, n_samples=5, stdevs=noise), False
    yield captum_explainer("FeaturePermutation", net), True
    if dim == 1:
        yield captum_explainer("KernelShap", net, n_samples=50), True


def concepts(setting: Setting, seed: int) -> dict[str, tuple[Tensor, Tensor]]:
    """Classes as concepts: up to thirty training data of three classes, and as many of the others."""
    x, y = setting.train
    found = {}
    for concept in range(3):
        shown, absent = x[y == concept][:EXAMPLES], x[y != concept]
        order = torch.randperm(len(absent), generator=torch.Generator().manual_seed(seed))
        found[f"class {concept}"] = (shown, absent[order[: len(shown)]])
    return found


def scores(nets: dict[str, nn.Sequential], setting: Setting, config: Config, note: Callable[[], None]) -> list[Scored]:
    """Score each explainer: on the invariant network over all elements (costly ones of images: over draws), on the others over draws."""
    exact_is_cheap = len(setting.shape) == 1 and not config.full
    found = []
    for name, net in nets.items():
        for explainer, costly in explainers(net, setting, config.seed):
            note()
            every = name == INVARIANT and (not costly or (exact_is_cheap and explainer.name != "KernelShap"))
            # A costly one (as many evaluations as there are entries, or a solver for each datum) on half of the data; one that permutes
            # data among each other on twelve, for of two there is hardly anything to permute.
            count = BATCH if explainer.batchwise else max(2, config.explain // (2 if costly else 1))
            x, y = (part[:count] for part in setting.test)
            draws = config.draws if costly else 4 * config.draws
            verdict = score(net, explainer, setting, (x, y), None if every else draws, config.seed)
            answer = guarantee(explainer, net, setting.inp, x)
            found.append(Scored(name, explainer.name, verdict, answer))
    return found


def score(
    net: nn.Module, explainer: Explainer, setting: Setting, data: tuple[Tensor, Tensor], draws: int | None, seed: int
) -> Verdict:
    """Over the whole set of elements, or over so many of it, drawn for all data alike without replacement."""
    rng = torch.Generator().manual_seed(seed)
    robust = ExplanationRobustness(net, explainer, setting.inp)
    group = setting.inp.group
    elements = setting.elements
    if draws is not None and draws < setting.count:
        chosen = torch.randperm(setting.count, generator=rng)[:draws]
        elements = group.take(group.elements() if elements is None else elements, chosen)
    return robust.score(*data, elements=elements, generator=rng)


def curve(net: nn.Sequential, setting: Setting, config: Config, counts: tuple[int, ...]) -> list[Verdict]:
    """The invariance of a concept's presence on the layer that moves, averaged over more and more elements of the group."""
    x, y = (part[: config.explain] for part in setting.test)
    probe = CAV(net, MOVING, concepts(setting, config.seed), config.seed)
    averaged = [symmetrize_explainer(probe, setting.inp, "invariant", n, round=True, seed=config.seed) for n in counts]
    return [score(net, explainer, setting, (x, y), None, config.seed) for explainer in averaged]


def averaged_gradients(net: nn.Sequential, setting: Setting, config: Config) -> tuple[Verdict, Verdict]:
    """The plain network's integrated gradients as they are, and averaged over the group."""
    data = (setting.test[0][:4], setting.test[1][:4])
    plain = IntegratedGradients(net, steps=POINTS)
    both: list[Explainer] = [plain, symmetrize_explainer(plain, setting.inp)]
    before, after = (score(net, explainer, setting, data, config.draws, config.seed) for explainer in both)
    return before, after


def rises(verdicts: list[Verdict]) -> bool:
    """Whether means never fall by more than two standard errors from one to the next."""

    def allowed(a: Verdict, b: Verdict) -> float:
        return 2 * (a["standard_error"] ** 2 + b["standard_error"] ** 2) ** 0.5 + 1e-12

    return all(b["mean"] >= a["mean"] - allowed(a, b) for a, b in itertools.pairwise(verdicts))


def sensitivity(net: nn.Module, explainer: Any, x: Tensor, y: Tensor) -> float | None:
    """captum's largest relative change in a ball of radius 0.02, the mean over data; ``None`` without captum."""
    try:
        metrics = engine("explain", "captum.metrics")
    except MissingExtra:
        return None
    torch.manual_seed(0)
    return float(metrics.sensitivity_max(lambda t, target=None: explainer(t, target), x, target=y).mean())
