"""Learned canonicalization against PyPI ``equiadapt`` 0.1.2: quarter turns and eighths of a turn of images, and orthonormal frames.

The peer needs torchvision, kornia, hydra-core and e2cnn, and imports torch_scatter for bodies that it does not use here. Install it
beside the environment and put the folder on the path::

    pip install --no-deps --target PEER equiadapt==0.1.2 torchvision kornia kornia_rs e2cnn
    pip install --no-deps --target PEER hydra-core omegaconf antlr4-python3-runtime==4.9.3
    PYTHONPATH=PEER python benchmarks/canonicalization_vs_equiadapt.py

Where torchvision's compiled operators do not fit the installed torch, only their names are declared: the transforms that the peer uses
are plain Python. Both lifting networks have the same sizes. Targets: at most 1/1.5 of the peer's time for quarter turns, 1/1.2 else.
"""

from __future__ import annotations

import sys
import types
from importlib.util import find_spec

import torch
from _timing import compare, show
from torch import nn

import erlangen as er
from erlangen.actions import Images
from erlangen.nn import Lifting
from erlangen.symmetrize import Lift
from erlangen.symmetrize.canonical_vectors import orthonormal


def stand_ins() -> list[torch.library.Library]:
    """Names that the peer's imports ask for and this benchmark does not run."""
    sys.modules.setdefault("torch_scatter", types.ModuleType("torch_scatter"))
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return [library]


def images(turns: int, channels: int, side: int, batch: int, width: int, target: str) -> None:
    """Canonical images of both, and whether they are the same for an image and for itself turned by 90 degrees."""
    from equiadapt.images.canonicalization.discrete_group import GroupEquivariantImageCanonicalization
    from equiadapt.images.canonicalization_networks.custom_equivariant_networks import CustomEquivariantNetwork
    from omegaconf import OmegaConf

    torch.manual_seed(0)
    x = torch.rand(batch, channels, side, side)
    act = Images(er.Cyclic(turns).irrep(1))
    ours = er.symmetrize(nn.Identity(), act, act, frame=Lift(Lifting(act, channels, width=width, kernel=5)), check=False).eval()
    settings = OmegaConf.create({"beta": 1.0, "input_crop_ratio": 1.0, "resize_shape": side})
    network = CustomEquivariantNetwork((channels, side, side), width, 5, "rotation", turns, 1, device="cpu")
    network.group_type, network.num_rotations = "rotation", turns  # its canonicalizer asks for them, the network does not keep them
    peer = GroupEquivariantImageCanonicalization(network, settings, (channels, side, side)).eval()
    with torch.no_grad():
        a, b = compare(lambda: ours.canonical_inputs(x), lambda: peer.canonicalize(x))
        show(f"C{turns}, {batch} images {channels} x {side} x {side}, {width} filters", a, b, "equiadapt", target)
        turned = torch.rot90(x, 1, (2, 3))
        errors = [
            (f(x) - f(turned)).abs().flatten(1).amax(1).gt(1e-3).float().mean() for f in (ours.canonical_inputs, peer.canonicalize)
        ]
    print(f"  share of images whose canonical form changes under a quarter turn: ours {errors[0]:.3f}, equiadapt {errors[1]:.3f}")


def frames(batch: int) -> None:
    """Three vectors made orthonormal. The peer takes them as rows."""
    from equiadapt.common.utils import gram_schmidt

    v = torch.randn(batch, 3, 3)
    group = er.O(3)
    a, b = compare(lambda: orthonormal(v, group), lambda: gram_schmidt(v))
    show(f"Gram-Schmidt, {batch} triples of vectors", a, b, "equiadapt", "<= 0.833")
    difference = (orthonormal(v.mT, group)[0].mT - gram_schmidt(v)).abs().max()
    print(f"  largest difference of the two: {float(difference):.1e}")


def main() -> None:
    if find_spec("equiadapt") is None:
        print("the peer is not installed (equiadapt); see the head of this file")
        return
    torch.set_num_threads(1)
    kept = stand_ins()
    # With one filter the time is that of choosing and moving; with 16 most of it is the convolution, the same for both.
    for width in (1, 16):
        images(4, 3, 32, 64, width, "<= 0.667")
        images(4, 1, 28, 64, width, "<= 0.667")
        images(8, 3, 32, 64, width, "<= 0.833")
    frames(64)
    frames(4096)
    del kept


if __name__ == "__main__":
    main()
