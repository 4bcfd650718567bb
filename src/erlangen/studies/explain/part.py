"""One setting from training to what it shows."""

from __future__ import annotations

import time

from torch import nn

from erlangen.measure.explain import FeatureAblation, IntegratedGradients, Occlusion
from erlangen.reporting import progress
from erlangen.studies.base import Part
from erlangen.studies.explain.findings import Findings
from erlangen.studies.explain.networks import AUGMENTED, INVARIANT, PLAIN, named_right, network, trained
from erlangen.studies.explain.scoring import averaged_gradients, curve, scores, sensitivity
from erlangen.studies.explain.setting import images, outlines
from erlangen.studies.explain.study import Config


def run_setting(name: str, config: Config, quiet: bool) -> Part:
    """Train the three networks, score every explainer, and say what holds."""
    started = time.perf_counter()
    setting = {"outlines": outlines, "images": images}[name](config)
    nets: dict[str, nn.Sequential] = {}
    for net, (invariant, shifted) in {
        INVARIANT: (True, None),
        PLAIN: (False, None),
        AUGMENTED: (False, setting.shifted),
    }.items():
        made = network(invariant, setting.shape, setting.classes, setting.widths, config.seed)
        trained(made, setting.train, setting.steps, config.seed, shifted, f"{name}, {net}", quiet)
        nets[net] = made
    right = {net: named_right(nets[net], *setting.test) for net in nets}
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
    return Part(found.claims(), [found.section()], numbers, found.answer(), found.left_out())
