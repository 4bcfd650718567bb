"""Part three: normals of the surfaces of machine parts, on parts as they stand and on turned ones."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import erlangen as er
from erlangen.datasets.parts import Parts, machine_parts
from erlangen.nn.perceptron import perceptron
from erlangen.reporting import Claim, Rival, Section, Table
from erlangen.studies.base import Part
from erlangen.studies.frame_averaging.study import Config
from erlangen.symmetrize import Principal, Stochastic, symmetrize
from erlangen.symmetrize.local import gather_points, nearest
from erlangen.training import TrainingConfig, steps_within, supervised, train

SOURCE = "Puny et al. 2022, arXiv:2110.03336, table 1"
PLAIN, GLOBAL, LOCAL = "PointNet", "FA-PointNet", "FA-Local-PointNet"
REPORTED = {PLAIN: (0.207, 0.449, 0.258), GLOBAL: (0.158, 0.163, 0.161), LOCAL: (0.097, 0.098, 0.098)}
SETTINGS = ("I / I", "I / SO(3)", "SO(3) / SO(3)")
NEIGHBOURS = 20
BATCH = 4
ABOUT = (
    "Random solids by constructive geometry, with axes along the coordinate axes, 512 points on each. A network gives each point an "
    "unoriented normal: the matrix v v^T of a unit vector v, a tensor of rank two, whose average over a frame makes sense where that of "
    "vectors of arbitrary sign would not; the normal is the eigenvector of the largest eigenvalue. The error is the mean of 1 - (n . v)^2.",
    "I / I: trained and judged on parts as they stand; I / SO(3): judged on turned parts; SO(3) / SO(3): trained on turned ones, too. "
    "In training one element of each frame is drawn, in evaluation all are averaged. The local network has a frame for each point, from "
    f"its {NEIGHBOURS} nearest neighbours.",
)


class PointNet(nn.Module):
    """A perceptron on each point, the largest of each feature over the cloud beside it, a perceptron again: ``[B, n, 3]`` to matrices.

    Source: Qi et al., "PointNet", CVPR 2017, arXiv:1612.00593.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.each = perceptron(3, width, width, activate_last=True)
        self.all = perceptron(width, width, 2 * width)
        self.here, self.there = nn.Linear(width, width), nn.Linear(2 * width, width)
        self.last = nn.Sequential(nn.ReLU(), *perceptron(width, width, 3))

    def forward(self, x: Tensor) -> Tensor:
        h = self.each(x)
        whole = self.all(h).amax(1, keepdim=True)
        return projector(self.last(self.here(h) + self.there(whole)))


class PatchNet(nn.Module):
    """A small PointNet on one patch ``[N, k, 3]``, to one matrix ``[N, 9]``."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.each = perceptron(3, width, width, activate_last=True)
        self.last = perceptron(2 * width, width, 3)

    def forward(self, patch: Tensor) -> Tensor:
        h = self.each(patch)
        return projector(self.last(torch.cat([h.amax(1), h.mean(1)], -1)))


class OnPatches(nn.Module):
    """A symmetrized model on the patch of each of some points, in units of the patch's own size."""

    def __init__(self, model: nn.Module, k: int = NEIGHBOURS) -> None:
        super().__init__()
        self.model, self.k = model, k

    def forward(self, x: Tensor) -> Tensor:
        around = gather_points(x, nearest(x, self.k))
        # Seen from the point itself, which is on the surface, not from the patch's centre.
        around = around - x.unsqueeze(2)
        around = around / around.square().sum(-1).mean(2, keepdim=True).unsqueeze(-1).sqrt().clamp_min(1e-6)
        return self.model(around.flatten(0, 1)).unflatten(0, x.shape[:2])


def projector(v: Tensor) -> Tensor:
    """``v v^T / |v|^2``, flat: ``[..., 3]`` to ``[..., 9]``."""
    v = v / v.norm(dim=-1, keepdim=True).clamp_min(1e-6)
    return (v.unsqueeze(-1) * v.unsqueeze(-2)).flatten(-2)


def networks(seed: int) -> dict[str, nn.Module]:
    """The three, freshly made."""
    torch.manual_seed(seed)
    G = er.SO(3)
    return {
        PLAIN: PointNet(),
        GLOBAL: symmetrize(PointNet(), G.vector, G.tensor(2), frame=Stochastic(Principal(degenerate="ignore"))),
        LOCAL: OnPatches(symmetrize(PatchNet(), G.vector, G.tensor(2), frame=Stochastic(Principal(degenerate="ignore")))),
    }


def missed(prediction: Tensor, normals: Tensor) -> Tensor:
    """The mean of ``1 - n^T T n``."""
    return 1 - (prediction.unflatten(-1, (3, 3)) @ normals.unsqueeze(-1)).squeeze(-1).mul(normals).sum(-1).mean()


def plane_normals(x: Tensor, k: int, m: int) -> Tensor:
    """Normals ``[B, n, 3]`` by planes of least squares, without training: the flattest plane near each point.

    A plane through each point and its ``k`` nearest neighbours; a point takes, of its own and of the planes of its ``m`` nearest
    neighbours, the one with the least residual, its own distance included. So points at an edge take a plane of one side.

    >>> x = torch.cat([torch.rand(1, 40, 2), torch.zeros(1, 40, 1)], -1)
    >>> bool((plane_normals(x, 4, 10).abs() - torch.tensor([0.0, 0.0, 1.0])).abs().max() < 1e-6)
    True
    """
    from scipy.spatial import KDTree

    found = []
    for points in x.double().numpy():
        near = KDTree(points).query(points, max(k, m) + 1)[1]
        around = points[near[:, : k + 1]]
        centre = around.mean(1)
        around = around - centre[:, None]
        values, axes = np.linalg.eigh(np.einsum("nki,nkj->nij", around, around) / (k + 1))
        tried = near[:, : m + 1]
        off = np.einsum("nmi,nmi->nm", axes[tried, :, 0], points[:, None] - centre[tried]) ** 2
        best = ((values[tried, 0] + off) / values[tried, 1:].sum(-1)).argmin(1)
        found.append(axes[tried[np.arange(len(points)), best], :, 0])
    return torch.from_numpy(np.stack(found))


def planes(learn: Parts, test: Parts) -> tuple[float, float, str]:
    """The error on test parts with the neighbours that are best on a few training parts; CPU seconds and settings."""
    started = time.process_time()

    def missed(part: Parts, k: int, m: int) -> float:
        return float(1 - (plane_normals(part.points, k, m) * part.normals.double()).sum(-1).square().mean())

    few = Parts(*(part[:20] for part in learn))
    k, m = min(((k, m) for k in (3, 4, 5, 8) for m in (0, 12, 20, 30, 40)), key=lambda pair: missed(few, *pair))
    return missed(test, k, m), time.process_time() - started, f"k = {k}, m = {m}, best of 20 pairs on 20 training parts"


@torch.no_grad()
def error(model: nn.Module, x: Tensor, normals: Tensor) -> float:
    """The mean of ``1 - (n . v)^2`` with ``v`` the main axis of the matrix."""
    errors = []
    for some, n in zip(x.split(8), normals.split(8)):
        v = torch.linalg.eigh(model(some).unflatten(-1, (3, 3)).double()).eigenvectors[..., -1]
        errors.append(1 - (v * n.double()).sum(-1).square().mean(1))
    return float(torch.cat(errors).mean())


def run(config: Config, quiet: bool) -> Part:
    """Make the parts, train each network on parts as they stand and on turned ones, judge."""
    started = time.perf_counter()
    count = config.samples or (3000 if config.full else 400)
    train_parts, test_parts = (
        machine_parts(count, seed=2 * config.seed),
        machine_parts(max(8, count // 4), seed=2 * config.seed + 1),
    )
    made = time.perf_counter() - started
    G = er.SO(3)
    rng = torch.Generator().manual_seed(config.seed)
    turned = Parts(*(part.float() for part in _turn(test_parts, G, rng)))
    test = Parts(*(part.float() for part in test_parts))
    seconds = config.seconds or (1500.0 if config.full else 35.0)
    errors: dict[str, list[float]] = {name: [] for name in REPORTED}
    numbers: dict[str, Any] = {"parts": {"train": count, "test": len(test.points), "seconds": made}, "steps": {}}
    for turning in (False, True):
        for name, net in networks(config.seed).items():
            numbers["steps"].setdefault(name, []).append(_fit(net, train_parts, seconds, turning, config.seed, name, quiet))
            if not turning:
                errors[name].append(error(net, *test))
            errors[name].append(error(net, *turned))
    numbers["error"] = errors
    simple = planes(train_parts, turned)
    numbers["planes"] = list(simple)
    scale = f"{count} training and {len(test.points)} test parts, {seconds:g} CPU seconds for each training, one seed"
    rival = Rival(
        "the flattest plane through neighbours", "the network over frames of neighbourhoods", "error of normals on turned parts",
        errors[LOCAL][1], simple[0], "lower", seconds, simple[1], simple[2], scale, note="no training; it takes surfaces to be flat nearby",
    )  # fmt: skip
    return _report(errors, numbers, scale, rival)


def _turn(parts: Parts, group: Any, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    g = group.sample(len(parts.points), generator=rng, dtype=parts.points.dtype)
    return group.vector.act(g, parts.points), group.vector.act(g, parts.normals)


def _fit(net: nn.Module, parts: Parts, seconds: float, turning: bool, seed: int, name: str, quiet: bool) -> int:
    """Train for about so many CPU seconds; the number of steps."""
    rng, G = torch.Generator().manual_seed(seed), er.SO(3)
    data = tuple(part.float() for part in parts)

    loss = supervised(missed, (lambda x, n: _turn(Parts(x, n), G, rng)) if turning else None)
    settings = TrainingConfig(batch_size=BATCH, lr=3e-3, weight_decay=0.0, seed=seed)
    settings = dataclasses.replace(settings, steps=steps_within(seconds, net, data, loss, settings, trial=6))
    train(net, data, loss, settings, description=f"{name}{', turned' * turning}", quiet=quiet)
    return settings.steps


def _report(errors: dict[str, list[float]], numbers: dict[str, Any], scale: str, rival: Rival) -> Part:
    plain, whole, local = (errors[name] for name in REPORTED)
    spread = max(max(e) / min(e) - 1 for e in (whole, local))
    claims = [
        Claim(
            "trained on parts as they stand, PointNet has an error on turned parts at least 1.5 times that on standing ones",
            REPORTED[PLAIN][1] / REPORTED[PLAIN][0],
            plain[1] / plain[0],
            plain[1] >= 1.5 * plain[0],
            scale=scale,
            source=SOURCE,
            key="turned-solids",
        ),
        Claim(
            "over frames, errors in the three settings agree within 10 %",
            0.03,
            spread,
            spread <= 0.1,
            baseline=max(plain) / min(plain) - 1,
            scale=scale,
            note="largest relative difference of either network; baseline: PointNet",
            source=SOURCE,
            key="turned-solids",
        ),
        Claim(
            "frames of neighbourhoods give the smallest error on turned parts",
            REPORTED[LOCAL][1],
            local[1],
            local[1] < min(whole[1], plain[2]),
            baseline=min(whole[1], plain[2]),
            scale=scale,
            note="baseline: the better of the frame of the whole part and PointNet trained on turned parts",
            source=SOURCE,
            key="neighbourhoods",
        ),
    ]
    rows = [[name, *errors[name], *REPORTED[name]] for name in REPORTED]
    heads = ["network", *SETTINGS, *(f"source, {setting}" for setting in SETTINGS)]
    table = Table("Errors of normals, trained / judged on", heads, rows, caption=f"{scale}. The source's parts are from ABC.")
    answer = (
        f"On turned parts: PointNet trained on standing ones {plain[1]:.3f}, on turned ones {plain[2]:.3f}, over frames {whole[1]:.3f}, "
        f"over frames of neighbourhoods {local[1]:.3f}."
    )
    return Part(claims, [Section("Normals", ABOUT, tables=[table])], numbers, answer, rivals=[rival])
