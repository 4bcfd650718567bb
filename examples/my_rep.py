"""A representation of your own: one method, `matrix`; a second, `apply`, where no matrix is needed. Copy this file."""

import torch

import erlangen as er


class Turns(er.Rep):
    """A cyclic group by plane rotations, k times as fast."""

    dim = 2
    symbol = "turns"
    is_orthogonal = True  # so that the dual is the representation itself

    def __init__(self, group, k):
        super().__init__(group)
        self.k = k

    def equality_key(self):  # two are equal when group, class and this are
        return self.k

    def matrix(self, g):
        c, s = self._cosine_and_sine(g)
        return torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)

    def apply(self, g, x):  # x is [*batch, s, 2]: s vectors for each element
        c, s = (t.to(x.dtype).unsqueeze(-1) for t in self._cosine_and_sine(g))
        return torch.stack([c * x[..., 0] - s * x[..., 1], s * x[..., 0] + c * x[..., 1]], -1)

    def _cosine_and_sine(self, g):
        # An element of a cyclic group is a permutation, known by where it sends point 0.
        angle = 2 * torch.pi * self.k / self.group.order * g[..., 0].to(torch.float64)
        return angle.cos(), angle.sin()


if __name__ == "__main__":
    print(er.testing.check_rep(Turns(er.Cyclic(6), 2)))
