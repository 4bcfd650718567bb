"""A group of your own: how its elements multiply and invert, what the identity is, how to sample, and what makes two such groups equal.

Copy this file. Where generators are known as matrices or permutations, no class is needed:
``er.MatrixGroup(generators=[...])``, ``er.PermutationGroup([[1, 2, 0], ...])``.
"""

import torch

import erlangen as er


class Heisenberg(er.Group):
    """Triples modulo ``n`` with ``(a, b, c) (a', b', c') = (a + a', b + b', c + c' + a b')``: position, momentum and phase on a circle."""

    element_shape = (3,)
    measure = "Haar"  # what `sample` draws: uniform

    def __init__(self, n):
        self.n, self.order, self.name = n, n**3, f"Heis({n})"

    def equality_key(self):
        return self.n

    def identity(self, *batch, dtype=None, device=None):
        return torch.zeros(*batch, 3, dtype=torch.int64, device=device)

    def multiply(self, g, h):
        a, b, c = (g + h).unbind(-1)
        return torch.stack([a, b, c + g[..., 0] * h[..., 1]], -1) % self.n

    def inverse(self, g):
        a, b, c = g.unbind(-1)
        return torch.stack([-a, -b, a * b - c], -1) % self.n

    def sample(self, *batch, generator=None, dtype=None, device=None, scale=1.0):
        return torch.randint(self.n, (*batch, 3), generator=generator).to(device)

    def elements(self):  # the identity first, each once; generators are found among them
        return torch.cartesian_prod(*[torch.arange(self.n)] * 3)


if __name__ == "__main__":
    print(er.testing.check_group(Heisenberg(3)))
