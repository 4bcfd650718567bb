"""One setting from training to what it shows."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace

import torch
from torch import Tensor, nn

from erlangen.measure.explain import FeatureAblation, IntegratedGradients, Occlusion
from erlangen.reporting import PlusMinus, Rival, progress, repeated
from erlangen.studies.base import Part
from erlangen.studies.explain.findings import Findings, Run
from erlangen.studies.explain.networks import AUGMENTED, INVARIANT, PLAIN, named_right, network, trained
from erlangen.studies.explain.scoring import averaged_gradients, curve, scores, sensitivity
from erlangen.studies.explain.setting import Setting, images, outlines
from erlangen.studies.explain.study import Config
from erlangen.studies.rivals import logistics, machines, simplest


def run_setting(name: str, config: Config, quiet: bool) -> Part:
    """Train the three networks with every seed, score every explainer, and say what holds."""
    started = time.perf_counter()
    setting = {"outlines": outlines, "images": images}[name](config)
    counts = tuple(sorted({1, min(5, setting.count), min(20, setting.count), setting.count}))
    runs, seconds = [], []
    with progress(None, f"{name}, explanations", quiet) as advance:
        for seed in range(config.seed, config.seed + config.seeds):
            nets, spent = networks(setting, seed, quiet)
            seconds.append(spent)
            here = setting.shuffled(seed)
            run = Run(
                scores(nets, here, replace(config, seed=seed), advance.advance),
                {net: named_right(nets[net], *setting.test) for net in nets},
            )
            if name == "outlines":
                run.curve = curve(nets[INVARIANT], here, replace(config, seed=seed), counts)
                run.averaged = averaged_gradients(nets[PLAIN], here, replace(config, seed=seed))
            if seed == config.seed:
                sensitivities = change_of_explanations(nets[INVARIANT], here)
            runs.append(run)
    found = Findings(setting, config, runs, counts, sensitivities)
    rival = beside(setting, repeated([run.right[INVARIANT] for run in runs]), statistics.fmean(seconds), config.seed)
    numbers = found.numbers() | {"seconds": time.perf_counter() - started}
    return Part(found.claims(), [found.section()], numbers, found.answer(), found.left_out(), [rival])


def networks(setting: Setting, seed: int, quiet: bool) -> tuple[dict[str, nn.Sequential], float]:
    """The three networks of one seed, trained, and the CPU seconds of the invariant one."""
    nets: dict[str, nn.Sequential] = {}
    spent = 0.0
    for net, (invariant, shifted) in {
        INVARIANT: (True, None),
        PLAIN: (False, None),
        AUGMENTED: (False, setting.shifted),
    }.items():
        clock = time.process_time()
        nets[net] = network(invariant, setting.shape, setting.classes, setting.widths, seed)
        trained(nets[net], setting.train, setting.steps, seed, shifted, f"{setting.name}, {net}", quiet)
        if net == INVARIANT:
            spent = time.process_time() - clock
    return nets, spent


def change_of_explanations(net: nn.Sequential, setting: Setting) -> dict[str, float | None]:
    """captum's question, of three explainers: how much a small change of the data changes them."""
    data = (setting.test[0][:2], setting.test[1][:2])
    asked = (IntegratedGradients(net, steps=8), FeatureAblation(net), Occlusion(net, setting.window))
    return {explainer.name: sensitivity(net, explainer, *data) for explainer in asked}


def shift_invariants(x: Tensor) -> Tensor:
    """Roots of moduli of Fourier coefficients over all axes of ``[N, 1, *shape]``: no cyclic shift changes them."""
    axes = tuple(range(2, x.dim()))
    return torch.fft.rfftn(x.double(), dim=axes).abs().sqrt().flatten(1)


def beside(setting: Setting, measured: PlusMinus | float, seconds: float, seed: int) -> Rival:
    """What would be as robust by construction: a simple model of invariants, whose every explanation moves along with the datum."""
    clock = time.process_time()
    (x, y), (test, truth) = setting.train, setting.test
    found = simplest(logistics((0.1,)) | machines(True, (3.0, 10.0)), shift_invariants(x), y, seed=seed)
    right = float((found.predict(shift_invariants(test)) == truth).double().mean())
    return Rival(
        f"a simple model of Fourier moduli ({setting.name})",
        "the invariant network (All-CNN)",
        "test accuracy where explanations are exactly robust",
        measured,
        right,
        "higher",
        seconds=seconds,
        rival_seconds=time.process_time() - clock,
        settings=found.settings,
        scale=f"{len(x)} training and {len(test)} test data",
        note="no shift changes what either says, so gradients and occlusions move along with the datum in both",
        level=(2 * right * (1 - right) / len(test)) ** 0.5,
    )
