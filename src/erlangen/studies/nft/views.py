"""Part four: a body's image from one side, and what it looks like from another."""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn

from erlangen.datasets.views import Views, views
from erlangen.discover.nft import NFT, degrees
from erlangen.reporting import Claim, Rival, Section, Table
from erlangen.studies.base import Part
from erlangen.studies.nft.networks import image_decoder, image_encoder, settings
from erlangen.studies.nft.study import Config
from erlangen.training import train

SIDE, ROWS, TOP = 32, 32, 3
LATENT, INPUT, BILINEAR, MEAN = "latent rotation", "pose as input", "bilinear least squares", "mean image"
RIDGES = (1e-3, 1e-2, 1e-1, 1.0)
SOURCE = "Koyama et al. 2024, arXiv:2305.18484, section 5.3"
ABOUT = (
    "Bodies are chains of six soft balls; an image is the density summed along the line of sight. A pair shows one body from two random "
    "sides, with the poses known. The transform turns the latent of one image (32 rows with degrees 0 to 3 of SO(3)) by the relative "
    "rotation and decodes the other. The baseline has the same encoder and decoder and as many weights, and is given the relative rotation "
    "beside the latent instead.",
    "The closed form beside them is the transform with a linear encoder and decoder in general form: least squares from products of the "
    "image's principal components with the entries of the rotation's matrices. One image of a body is not all of it, so no error is zero.",
)


class WithPose(nn.Module):
    """Encoder and decoder with the relative rotation as nine more numbers of the latent."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.encoder, self.decoder = image_encoder(SIDE, size), image_decoder(SIDE, size + 9)

    def forward(self, x: Tensor, relative: Tensor) -> Tensor:
        return self.decoder(torch.cat([self.encoder(x), relative.flatten(1)], 1))


def bilinear(train_set: Views, test: Views, components: int = 48) -> Tensor:
    """Predicted second views, by ridge regression on components of the first times matrix entries up to degree 2.

    A fifth of the training pairs chooses the ridge.
    """
    rep = degrees(range(3))
    first = train_set.images[:, 0].flatten(1)
    mean = first.mean(0)
    basis = torch.linalg.svd(first - mean, full_matrices=False).Vh[:components]
    entries = torch.block_diag(torch.ones(1, 1), torch.ones(3, 3), torch.ones(5, 5)).bool()

    def features(data: Views) -> Tensor:
        code = torch.cat([(data.images[:, 0].flatten(1) - mean) @ basis.mT, torch.ones(len(data.images), 1)], 1)
        turns = rep(data.poses[:, 1] @ data.poses[:, 0].mT)[:, entries]
        return (code[:, :, None] * turns[:, None]).flatten(1)

    def solve(x: Tensor, y: Tensor, ridge: float) -> Tensor:
        gram = x.mT @ x
        gram.diagonal().add_(ridge * float(gram.diagonal().mean()))
        return torch.linalg.solve(gram, x.mT @ y)

    x, y = features(train_set), train_set.images[:, 1].flatten(1)
    held = len(x) // 5
    missed = {r: float((x[:held] @ solve(x[held:], y[held:], r) - y[:held]).square().sum()) for r in RIDGES}
    return (features(test) @ solve(x, y, min(RIDGES, key=missed.__getitem__))).view_as(test.images[:, 1])


def run(config: Config, quiet: bool) -> Part:
    """Train both on the same pairs; predict the second views of bodies not seen."""
    steps, samples = config.scaled(420, 6000)
    data, test = views(samples, side=SIDE, seed=config.seed), views(1000, side=SIDE, seed=config.seed + 1000)
    relative = [part.poses[:, 1] @ part.poses[:, 0].mT for part in (data, test)]
    size = ROWS * (TOP + 1) ** 2
    clock = time.process_time()
    torch.manual_seed(config.seed)
    nft = NFT(image_encoder(SIDE, size), image_decoder(SIDE, size), degrees(range(TOP + 1)), multiplicity=ROWS)
    nft.fit(data.images.unsqueeze(2), data.poses, config=settings(steps, config.seed, batch=64), quiet=quiet)
    seconds = time.process_time() - clock
    torch.manual_seed(config.seed)
    plain = WithPose(size)
    pairs = (data.images.unsqueeze(2), relative[0])

    def loss(model: nn.Module, images: Tensor, turn: Tensor) -> Tensor:
        """Both directions, as the transform has them."""
        forth = (model(images[:, 0], turn) - images[:, 1]).square().flatten(1).sum(1).mean()
        return (forth + (model(images[:, 1], turn.mT) - images[:, 0]).square().flatten(1).sum(1).mean()) / 2

    train(plain, pairs, loss, settings(steps, config.seed, batch=64), description=INPUT, quiet=quiet)
    first, second = test.images[:, :1], test.images[:, 1]
    clock = time.process_time()
    least_squares = bilinear(data, test)
    fitted = time.process_time() - clock
    with torch.no_grad():
        told = {
            LATENT: nft.move(first, relative[1]).squeeze(1),
            INPUT: plain(first, relative[1]).squeeze(1),
            BILINEAR: least_squares,
            MEAN: data.images.mean((0, 1)).expand_as(second),
        }
        again = nft(first).squeeze(1)
        apart = nft.encode(second.unsqueeze(1)) - nft.encode(first) @ nft.latent.matrices(relative[1], first)
        error = float(apart.norm() / nft.encode(second.unsqueeze(1)).norm())
    errors = {
        name: float((y - second).square().sum() / (second - data.images.mean((0, 1))).square().sum()) for name, y in told.items()
    }
    scale = f"{samples} pairs, {steps} steps, 1000 test bodies, one seed"
    claims = [
        Claim(
            "a latent that turns predicts a second view better than the same network with the pose as an input",
            "clearly better",
            errors[LATENT],
            errors[LATENT] < errors[INPUT],
            baseline=errors[INPUT],
            scale=scale,
            source=SOURCE,
            note="squared error as a share of the images' variance",
            key="second-view",
        ),
        Claim(
            "and better than least squares on products of components and matrix entries",
            None,
            errors[LATENT],
            errors[LATENT] < errors[BILINEAR],
            baseline=errors[BILINEAR],
            scale=scale,
            note="where this fails, the closed form is enough",
            key="second-view",
        ),
    ]
    back = _share(again, first, data)
    caption = f"{scale}; relative equivariance error of the encoder {error:.2f}; a body's own side comes back to {back:.3f}"
    table = Table(
        "The other side", ["how", "squared error / variance"], [[name, value] for name, value in errors.items()], caption=caption
    )
    numbers = {"errors": errors, "equivariance": error}
    answer = f"Second views: {errors[LATENT]:.3f} ({LATENT}), {errors[INPUT]:.3f} ({INPUT}), {errors[BILINEAR]:.3f} ({BILINEAR})."
    rival = Rival(
        "bilinear least squares",
        "a latent that turns",
        "squared error of the second view, as a share of the images' variance",
        errors[LATENT],
        errors[BILINEAR],
        "lower",
        seconds=seconds,
        rival_seconds=fitted,
        settings="products of 48 principal components with matrix entries to degree 2, ridge by a fifth of the training pairs",
        scale=scale,
    )
    return Part(claims, [Section("Views of bodies", ABOUT, tables=[table])], numbers, answer, rivals=[rival])


def _share(told: Tensor, first: Tensor, data: Views) -> float:
    true = first.squeeze(1)
    return float((told - true).square().sum() / (true - data.images.mean((0, 1))).square().sum())
