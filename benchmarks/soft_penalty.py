"""What the soft equivariance penalty costs: against a training step without it, and against one loop for each group.

python benchmarks/soft_penalty.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from _timing import compare, show
from torch import Tensor, nn

import erlangen as er
from erlangen.discover.soft import SoftEquivariance, equivariant_basis
from erlangen.maps.subspaces import entries
from erlangen.nn.soft_mlp import SoftEquivariantMLP

GROUPS = {"O3": er.O(3), "O2z": er.AxialO("z"), "O2x": er.AxialO("x")}
BATCH, WIDTH = 500, 128


def one_loop_for_each_group(penalty: SoftEquivariance) -> Callable[[], Tensor]:
    """The plain formulation with the same small bases: for each group, layer and pair of types, project and subtract."""
    plan = []
    for k, vector in enumerate(penalty.energy.vectors.values()):
        for w in penalty.energy.weights:
            for out, above in w.target.places.items():
                for inp, left in w.source.places.items():
                    index = entries(above, left, w.source.dim)
                    q = equivariant_basis(vector, out, inp).flatten(1).mT.float().contiguous()
                    plan.append((k, w, index, q))

    def total() -> Tensor:
        residual = torch.zeros(())
        for k, w, index, q in plan:
            block = getattr(w.module, w.attribute).flatten()[index]
            residual = residual + penalty.strengths[k] * 0.5 * (block - block @ q @ q.mT).square().sum()
        return residual

    return total


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    S, V = er.O(3).scalar, er.O(3).vector
    started = time.perf_counter()
    net = SoftEquivariantMLP(5 * S + 5 * V, V**2, width=WIDTH, groups=GROUPS)
    penalty = SoftEquivariance(net, GROUPS, steps=10**6)
    print(
        f"set-up of network and penalty, width {WIDTH}, ranks <= 3, three groups: {time.perf_counter() - started:.2f} s (target < 2 s)"
    )
    x, y = torch.randn(BATCH, 20), torch.randn(BATCH, 9)
    loops = one_loop_for_each_group(penalty)
    assert torch.allclose(penalty(), loops(), rtol=1e-3)

    def step(model: nn.Module, extra: Callable[[], Tensor] | None) -> Callable[[], None]:
        def run() -> None:
            model.zero_grad(set_to_none=True)
            loss = (model(x) - y).square().mean()
            (loss if extra is None else loss + extra()).backward()

        return run

    def alone(extra: Callable[[], Tensor]) -> Callable[[], None]:
        def run() -> None:
            net.zero_grad(set_to_none=True)
            extra().backward()

        return run

    what = f"forward and backward, batch {BATCH}, width {WIDTH}"
    show(f"{what}, with the penalty", *compare(step(net, penalty), step(net, None), 40), "without", "<= 1.5")
    plain = nn.Sequential(nn.Linear(20, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Linear(WIDTH, 9))
    own = SoftEquivariance(plain, GROUPS, inp=5 * S + 5 * V, out=V**2, steps=10**6)
    show(f"the same of a plain perceptron, {what}", *compare(step(plain, own), step(plain, None), 40), "without", "none")
    show("the penalty alone, one product for a pair of types", *compare(alone(penalty), alone(loops), 20), "loops", "<= 0.33")


if __name__ == "__main__":
    main()
