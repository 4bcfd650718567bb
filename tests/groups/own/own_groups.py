"""Groups written as CONTRIBUTING says, by somebody who knows none of the library's classes; and ones with a mistake."""

import math

import torch

from erlangen.groups import Group, LieAlgebra
from erlangen.groups.haar import haar_o, haar_so

F64 = torch.float64


class Own(Group):
    def equality_key(self):
        return self.name


class Heisenberg(Own):
    """Upper unitriangular 3 x 3 matrices over Z/p, as (a, b, c)."""

    element_shape = (3,)

    def __init__(self, p):
        self.p, self.order, self.name = p, p**3, f"Heisenberg({p})"

    def identity(self, *batch, dtype=None, device=None):
        return torch.zeros(*batch, 3, dtype=torch.int64, device=device)

    def multiply(self, g, h):
        (a, b, c), (d, e, f) = g.unbind(-1), h.unbind(-1)
        return torch.stack([a + d, b + e, c + f + a * e], -1) % self.p

    def inverse(self, g):
        a, b, c = g.unbind(-1)
        return torch.stack([-a, -b, a * b - c], -1) % self.p

    def sample(self, *batch, generator=None, dtype=None, device=None, scale=1.0):
        return torch.randint(self.p, (*batch, 3), generator=generator)

    def elements(self):
        return torch.cartesian_prod(*[torch.arange(self.p)] * 3)


class Constant(Heisenberg):
    """A sample that is no sample."""

    def sample(self, *batch, generator=None, dtype=None, device=None, scale=1.0):
        return self.identity(*batch)


class Lazy(Heisenberg):
    """A sample that never leaves the centre."""

    def sample(self, *batch, generator=None, dtype=None, device=None, scale=1.0):
        g = super().sample(*batch, generator=generator)
        return torch.cat([torch.zeros_like(g[..., :2]), g[..., 2:]], -1)


class Partial(Heisenberg):
    """Generators of the centre alone."""

    @property
    def generators(self):
        return torch.tensor([[0, 0, 1]])


class Permutations(Own):
    """All permutations of n points."""

    def __init__(self, n):
        self.n, self.order, self.name, self.element_shape = n, math.factorial(n), f"own S_{n}", (n,)

    def identity(self, *batch, dtype=None, device=None):
        return torch.arange(self.n, device=device).repeat(*batch, 1)

    def multiply(self, g, h):
        g, h = torch.broadcast_tensors(g, h)
        return g.gather(-1, h)

    def inverse(self, g):
        return g.argsort(-1)

    def sample(self, *batch, generator=None, dtype=None, device=None, scale=1.0):
        return torch.rand(*batch, self.n, generator=generator).argsort(-1)

    def elements(self):
        import itertools

        return torch.tensor(list(itertools.permutations(range(self.n))))


class LeftFirst(Permutations):
    """The same, where the left factor is applied first: other products of the same index maps."""

    def multiply(self, g, h):
        return super().multiply(h, g)


class Rotations(Own):
    """SO(n), or O(n) with ``reflections``."""

    is_compact, measure = True, "Haar"

    def __init__(self, n, reflections=False):
        self.n, self.reflections, self.element_shape = n, reflections, (n, n)
        self.name = f"own {'O' if reflections else 'SO'}({n})"

    @property
    def generators(self):
        return torch.diag(torch.tensor([-1.0] + [1.0] * (self.n - 1), dtype=F64))[None] if self.reflections else None

    @property
    def algebra(self):
        units = torch.eye(self.n**2, dtype=F64).view(self.n, self.n, self.n, self.n)
        i, j = torch.triu_indices(self.n, self.n, 1)
        return LieAlgebra(units[i, j] - units[j, i])

    def identity(self, *batch, dtype=None, device=None):
        return torch.eye(self.n, dtype=dtype, device=device).repeat(*batch, 1, 1)

    def multiply(self, g, h):
        return g @ h

    def inverse(self, g):
        return g.mT

    def exp(self, a):
        return torch.linalg.matrix_exp(a)

    def log(self, g):
        from erlangen.groups import SO

        return SO(self.n).log(g)

    def contains(self, g, atol=None):
        from erlangen.groups import SO, O

        return (O if self.reflections else SO)(self.n).contains(g, atol)

    def sample(self, *batch, generator=None, dtype=None, device=None, scale=1.0):
        return (haar_o if self.reflections else haar_so)(self.n, batch, generator, dtype, device)


class Reversed(Rotations):
    """Rotations that multiply in the other order: another group, though it has the same algebra and elements."""

    def multiply(self, g, h):
        return h @ g


class Views(Rotations):
    """Rotations whose identity is one matrix, seen many times."""

    def identity(self, *batch, dtype=None, device=None):
        return torch.eye(self.n, dtype=dtype, device=device).expand(*batch, self.n, self.n)


class NotHaar(Rotations):
    """Exponentials of normal numbers, called Haar."""

    def sample(self, *batch, generator=None, dtype=None, device=None, scale=1.0):
        return self.exp(self.algebra.combine(torch.randn(*batch, self.algebra.dim, generator=generator, dtype=dtype)))


class Forgetful(Rotations):
    """All orthogonal matrices, without a word on reflections."""

    generators = None

    def __init__(self, n):
        super().__init__(n, True)
        self.name = f"forgetful O({n})"


class RigidMotions(Own):
    """SE(3), as homogeneous matrices."""

    element_shape, name = (4, 4), "own SE(3)"

    @property
    def algebra(self):
        from erlangen.groups import SE

        return LieAlgebra(SE(3).algebra.basis[[3, 4, 5, 0, 1, 2]])

    def identity(self, *batch, dtype=None, device=None):
        return torch.eye(4, dtype=dtype, device=device).repeat(*batch, 1, 1)

    def multiply(self, g, h):
        return g @ h

    def inverse(self, g):
        return torch.linalg.inv(g)

    def exp(self, a):
        return torch.linalg.matrix_exp(a)

    def sample(self, *batch, generator=None, dtype=None, device=None, scale=1.0):
        g = self.identity(*batch, dtype=dtype)
        g[..., :3, :3] = haar_so(3, batch, generator, dtype)
        g[..., :3, 3] = scale * torch.randn(*batch, 3, generator=generator, dtype=dtype)
        return g
