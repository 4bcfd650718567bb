"""A step of E-SSL beside the straightforward way to write it, its augmentations beside the whole step, its losses beside lightly's.

The straightforward step augments image by image and sends each moved copy through the encoder by itself. Of lightly only the losses are
used; where torchvision, which other losses of that package import, is missing, an empty stand-in takes its place.

python benchmarks/essl_step.py
"""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Callable
from unittest.mock import MagicMock

import torch
from _timing import compare, show
from torch import Tensor, nn
from torch.nn import functional as F

from erlangen.discover.essl import (
    ESSL,
    Crop,
    Jitter,
    Sensitivity,
    SimCLR,
    Views,
    barlow_twins_loss,
    info_nce,
    nt_xent,
    simsiam_loss,
)
from erlangen.groups import Cyclic

BATCH, SIDE = 128, 28


def encoder() -> nn.Sequential:
    layers: list[nn.Module] = []
    before = 1
    for width, stride in ((32, 2), (64, 1), (64, 2), (128, 1)):
        layers += [nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def learner() -> ESSL:
    torch.manual_seed(0)
    views = (Views(Crop(size), Jitter()) for size in (1.0, 0.5))
    return ESSL(encoder(), SimCLR(next(views), (256, 128)), Sensitivity(Cyclic(4), 0.4, next(views), (256, 256)))


def one_by_one(x: Tensor, side: int) -> Tensor:
    """The usual view, image by image."""
    views = []
    for image in x:
        area = 0.2 + 0.8 * float(torch.rand(()))
        aspect = math.exp(float(torch.empty(()).uniform_(math.log(3 / 4) / 2, math.log(4 / 3) / 2)))
        h, w = (min(SIDE, max(1, round(SIDE * math.sqrt(area) * r))) for r in (1 / aspect, aspect))
        top, left = int(torch.randint(SIDE - h + 1, ())), int(torch.randint(SIDE - w + 1, ()))
        part = image[:, top : top + h, left : left + w].unsqueeze(0)
        view = F.interpolate(part, (side, side), mode="bilinear", align_corners=False).squeeze(0)
        if float(torch.rand(())) < 0.8:
            view = view * float(torch.empty(()).uniform_(0.6, 1.4))
            mean = view.mean()
            view = (mean + (view - mean) * float(torch.empty(()).uniform_(0.6, 1.4))).clamp(0, 1)
        views.append(view)
    return torch.stack(views)


def steps() -> tuple[Callable[[], object], Callable[[], object], Callable[[], object]]:
    """Our step, the straightforward one, and our augmentations alone."""
    x, ours, plain = torch.rand(BATCH, 1, SIDE, SIDE), learner(), learner()
    assert ours.invariance is not None
    assert ours.sensitivity is not None
    view, sensitivity = ours.invariance.view, ours.sensitivity

    def our_step() -> None:
        ours.zero_grad()
        ours.training_step(x)["loss"].backward()

    def straightforward() -> None:
        plain.zero_grad()
        one, two = (plain.networks["projector"](plain.encoder(one_by_one(x, SIDE))) for _ in range(2))
        loss = info_nce(one, two)
        third = one_by_one(x, SIDE // 2)
        for k in range(4):
            said = plain.heads[0](plain.encoder(third.rot90(k, (2, 3))))
            loss = loss + 0.4 / 4 * F.cross_entropy(said, torch.full((BATCH,), k))
        loss.backward()

    def augmentations() -> None:
        view(x)
        view(x)
        sensitivity.moved(x)

    return our_step, straightforward, augmentations


def differentiated(loss: Callable[..., Tensor], *inputs: Tensor) -> Callable[[], object]:
    inputs = tuple(t.clone().requires_grad_() for t in inputs)
    return lambda: torch.autograd.grad(loss(*inputs), inputs, allow_unused=True)


def losses() -> None:
    if importlib.util.find_spec("lightly") is None:
        print("lightly is not installed: its losses are left out")
        return
    if importlib.util.find_spec("torchvision") is None:
        for name in ("torchvision", "torchvision.ops"):
            sys.modules[name] = MagicMock()
    import lightly.loss as peer

    a, b, p, q = torch.randn(4, 512, 256)
    negative = peer.NegativeCosineSimilarity()

    def their_simsiam(p1: Tensor, z1: Tensor, p2: Tensor, z2: Tensor) -> Tensor:
        return (negative(p1, z2.detach()) + negative(p2, z1.detach())) / 2

    pairs = {
        "NT-Xent, 512 x 256": (nt_xent, peer.NTXentLoss(temperature=0.1), (a, b)),
        "SimSiam, 512 x 256": (simsiam_loss, their_simsiam, (p, a, q, b)),
        "Barlow Twins, 512 x 256": (barlow_twins_loss, peer.BarlowTwinsLoss(lambda_param=0.0051), (a, b)),
    }
    for what, (ours, theirs, inputs) in pairs.items():
        show(what, *compare(differentiated(ours, *inputs), differentiated(theirs, *inputs)), "lightly", "<= 1")


def main() -> None:
    torch.set_num_threads(1)
    ours, straightforward, augmentations = steps()
    show(f"step, {BATCH} images, four turns", *compare(ours, straightforward, repeats=8, warmup=1), "straightforward", "<= 1")
    share, whole = compare(augmentations, ours, repeats=8, warmup=1)
    show("augmentations of a step", share, whole, "the whole step", "< 0.2")
    losses()


if __name__ == "__main__":
    main()
