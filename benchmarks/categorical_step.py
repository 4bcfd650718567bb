"""A step back between classes in memory proportional to their number, beside the same by K x K matrices.

python benchmarks/categorical_step.py
"""

from __future__ import annotations

import torch
from _timing import compare, show
from torch import Tensor

from erlangen.generate import Categorical

VARIABLES, STEPS = 10_000, 100


def by_matrices(process: Categorical, logits: Tensor, x_t: Tensor, t: int, s: int) -> Tensor:
    """``sum_x0 q(x_s | x_t, x0) p(x0)`` with a matrix over (x_0, x_s) for every variable."""
    eye, m = torch.eye(process.classes), process.m.float()

    def law(kept: float) -> Tensor:
        return kept * eye + (1 - kept) * m

    whole, first = law(float(process.kept[t])), law(float(process.kept[s]))
    between = law(float(process.kept[t] / process.kept[s]))
    bayes = first * between.T[x_t].unsqueeze(-2) / whole.T[x_t].unsqueeze(-1)
    return (logits.softmax(-1).unsqueeze(-2) @ bayes).squeeze(-2)


def main() -> None:
    torch.set_num_threads(1)
    for classes in (9, 55, 100):
        process = Categorical(classes, "uniform", STEPS)
        generator = torch.Generator().manual_seed(0)
        logits = torch.randn(1, VARIABLES, classes, generator=generator)
        x_t = torch.randint(classes, (1, VARIABLES), generator=generator)
        t, s = torch.tensor([60]), torch.tensor([40])
        torch.testing.assert_close(process.law(logits, x_t, t, s), by_matrices(process, logits, x_t, 60, 40), rtol=1e-3, atol=1e-6)
        times = compare(lambda: process.law(logits, x_t, t, s), lambda: by_matrices(process, logits, x_t, 60, 40), repeats=6)  # noqa: B023
        show(f"{VARIABLES} variables of {classes} classes", *times, "K x K matrices", "< 1, less with more classes")


if __name__ == "__main__":
    main()
