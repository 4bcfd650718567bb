"""One setting from training to what it shows."""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn

from erlangen.measure.explain import FeatureAblation, IntegratedGradients, Occlusion
from erlangen.reporting import Rival, progress
from erlangen.studies.base import Part
from erlangen.studies.explain.findings import Findings
from erlangen.studies.explain.networks import AUGMENTED, INVARIANT, PLAIN, named_right, network, trained
from erlangen.studies.explain.scoring import averaged_gradients, curve, scores, sensitivity
from erlangen.studies.explain.setting import Setting, images, outlines
from erlangen.studies.explain.study import Config
from erlangen.studies.rivals import logistics, machines, simplest


def run_setting(name: str, config: Config, quiet: bool) -> Part:
    """Train the three networks, score every explainer, and say what holds."""
    started = time.perf_counter()
    setting = {"outlines": outlines, "images": images}[name](config)
    nets: dict[str, nn.Sequential] = {}
    seconds: dict[str, float] = {}
    for net, (invariant, shifted) in {
        INVARIANT: (True, None),
        PLAIN: (False, None),
        AUGMENTED: (False, setting.shifted),
    }.items():
        clock = time.process_time()
        made = network(invariant, setting.shape, setting.classes, setting.widths, config.seed)
        trained(made, setting.train, setting.steps, config.seed, shifted, f"{name}, {net}", quiet)
        nets[net] = made
        seconds[net] = time.process_time() - clock
    right = {net: named_right(nets[net], *setting.test) for net in nets}
    rival = beside(setting, right[INVARIANT], seconds[INVARIANT], config.seed)
    with progress(None, f"{name}, explanations", quiet) as advance:
        rows = scores(nets, setting, config, advance.advance)
    found = Findings(setting, config, rows, right)
    if name == "outlines":
        found.curve_counts = tuple(sorted({1, min(5, setting.count), min(20, setting.count), setting.count}))
        found.curve = curve(nets[INVARIANT], setting, config, found.curve_counts)
        found.averaged = averaged_gradients(nets[PLAIN], setting, config)
    data = (setting.test[0][:4], setting.test[1][:4])
    for explainer in (
        IntegratedGradients(nets[INVARIANT], steps=8),
        FeatureAblation(nets[INVARIANT]),
        Occlusion(nets[INVARIANT], setting.window),
    ):
        found.sensitivity[explainer.name] = sensitivity(nets[INVARIANT], explainer, *data)
    numbers = found.numbers() | {"seconds": time.perf_counter() - started}
    return Part(found.claims(), [found.section()], numbers, found.answer(), found.left_out(), [rival])


def shift_invariants(x: Tensor) -> Tensor:
    """Roots of moduli of Fourier coefficients over all axes of ``[N, 1, *shape]``: no cyclic shift changes them."""
    axes = tuple(range(2, x.dim()))
    return torch.fft.rfftn(x.double(), dim=axes).abs().sqrt().flatten(1)


def beside(setting: Setting, measured: float, seconds: float, seed: int) -> Rival:
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
