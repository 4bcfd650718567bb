"""A linear layer of O(3) on tensors of order 0 to 3, beside e3nn on irreducible features of the same dimension.

`EquivariantLinear` from (T0, T1, T2, T3) to the same, 32 channels each (1280 numbers a sample), batch 256, float32, one core. Its target
is 60 ms forward. e3nn (PyPI `e3nn`, extra `bench`) has no tensors; it gets the irreps of the same 1280 numbers, as many copies of each
as T0 + T1 + T2 + T3 contains. Its `Linear` can do what the diagrams' layer can, map for map: both have the same number of weights when
parities agree. `FullyConnectedTensorProduct` multiplies instead, so it stands beside our `TensorProduct` followed by a linear layer, at 8
channels of (T0, T1, T2), for with 32 of them its weights alone would be many millions. No promise is made about either comparison.

python benchmarks/o3_layers.py
"""

from __future__ import annotations

import math

import torch
from _timing import compare, show
from e3nn import o3
from torch import nn

from erlangen.groups import O
from erlangen.nn import EquivariantLinear, TensorProduct
from erlangen.reps import Rep

BATCH = 256


def irreps_of(rep: Rep, channels: int) -> o3.Irreps:
    """The irreducible parts of ``channels`` copies, by characters: multiplicities from e3nn's own products of vectors."""
    total = o3.Irreps("")
    for part in getattr(rep, "parts", (rep,)):
        product = o3.Irreps("0e")
        for _ in range(round(math.log(part.dim, 3))):
            product = o3.Irreps([ir for mul, a in product for _ in range(mul) for ir in a * o3.Irrep("1o")])
        total += product
    return o3.Irreps([(channels * mul, ir) for mul, ir in total.regroup()])


class Products(nn.Module):
    """Products of the channels with their neighbours and a linear map of those."""

    def __init__(self, rep: Rep, channels: int) -> None:
        super().__init__()
        self.product = TensorProduct(rep, rep, max_order=2)
        self.mix = EquivariantLinear(self.product.output_rep, rep, (channels, channels))

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return self.mix(self.product(x, y))


def weights(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@torch.no_grad()
def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    vector = O(3).vector
    rep, channels = O(3).scalar + vector + vector**2 + vector**3, 32
    layer = EquivariantLinear(rep, rep, (channels, channels), bias=False)
    irreps = irreps_of(rep, channels)
    assert irreps.dim == channels * rep.dim
    peer = o3.Linear(irreps, irreps)
    x, z = torch.randn(BATCH, channels, rep.dim), torch.randn(BATCH, irreps.dim)
    times = compare(lambda: layer(x), lambda: peer(z))
    print(f"features {irreps}; weights: ours {weights(layer)}, e3nn {weights(peer)}")
    show("linear (T0..T3 x 32, batch 256)", *times, "e3nn Linear", "none; ours < 60 ms")

    small, few = O(3).scalar + vector + vector**2, 8
    ours = Products(small, few)
    reduced = irreps_of(small, few)
    tensor = o3.FullyConnectedTensorProduct(reduced, reduced, reduced)
    x, y = torch.randn(2, BATCH, few, small.dim)
    a, b = torch.randn(2, BATCH, reduced.dim)
    times = compare(lambda: ours(x, y), lambda: tensor(a, b))
    print(f"features {reduced}; weights: ours {weights(ours)}, e3nn {weights(tensor)}")
    show("products and linear (T0..T2 x 8, batch 256)", *times, "e3nn FullyConnectedTensorProduct", "none")


if __name__ == "__main__":
    main()
