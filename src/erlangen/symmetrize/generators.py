"""Equivariant functions from vectors to a square matrix, ``M(g y) = g M(y)``: what a learned frame is made of."""

from __future__ import annotations

import warnings
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.groups.forms import bilinear_forms, commutant, is_special
from erlangen.groups.matrix import MatrixGroup
from erlangen.groups.membership import may_look
from erlangen.groups.orthogonal import FormGroup
from erlangen.groups.recognise import recognised
from erlangen.symmetrize.frames import for_network
from erlangen.symmetrize.isometries import Basis, Candidates, Spread, in_order, over_completions
from erlangen.symmetrize.noise import smooth

#: What keeps a squared length from being divided by what rounding left of it, relative to the longest: the cube root of single precision,
#: in either, so that a network trained in one does the same in the other.
GUARD = 5e-3
#: Products of which rounding leaves less than this part unsure make a matrix.
WORST = 3e-2
#: Squares of columns that a generator makes, before they are scaled: those of a fresh one are 1e-6, of a dead one zero.
LEAST = 1e-10


class Scalar(nn.Module):
    """A matrix whose columns are combinations of the given vectors, with coefficients that a network makes of their invariants.

    The invariants are the products ``y_i^T B y_j`` by *every* form ``B`` that the group keeps; the combinations are of the images of the
    vectors under *every* matrix that commutes with the group. Where all elements have determinant one, generalised cross products
    of the vectors are added to them; where no form is kept, determinants stand for the products; where the group keeps the direction of
    time, so do signs of timelike vectors. That makes the matrix as equivariant as the group is and not more: with the metric
    alone, an SO(2)-equivariant matrix is O(2)-equivariant, and has the wrong determinant for half of the data.

    Vectors are divided by an invariant length first, columns of the result afterwards. Products are computed in float64 and the matrix
    comes in it, whatever the network's precision is: of lightlike vectors they are small differences of large numbers.

    Args:
        group: a group of matrices.
        vectors: how many vectors it is given (those of a datum and of noise).
        width, layers: of the hidden layers (SiLU).
        newton_schulz: steps of ``M <- M (3 - M^T M) / 2`` at the end, for orthogonal groups: they bring ``M`` near the group from the
            start, and commute with it.

    Raises:
        ArgumentError: not a matrix group, a number is not positive, ``newton_schulz`` for a group that is not orthogonal.

    Source: Villar et al., NeurIPS 2021, arXiv:2106.06610 (scalars are universal); Nguyen et al., arXiv:2311.07143.

    >>> from erlangen.groups import O
    >>> net = Scalar(O(1, 3), 4).double()
    >>> y, g = torch.randn(8, 4, 4, dtype=torch.float64), O(1, 3).sample(8, dtype=torch.float64)
    >>> torch.allclose(net(O(1, 3).vector.act(g, y)), g @ net(y))
    True
    """

    forms: Tensor
    images: Tensor
    crosses: Tensor
    volumes: Tensor
    raise_index: Tensor | None
    time: Tensor | None

    def __init__(self, group: Group, vectors: int, *, width: int = 128, layers: int = 4, newton_schulz: int = 0) -> None:
        from erlangen.nn.perceptron import perceptron

        super().__init__()
        known = matrices(group)
        for name, value, least in (
            ("vectors", vectors, 1),
            ("width", width, 1),
            ("layers", layers, 1),
            ("newton_schulz", newton_schulz, 0),
        ):
            if value < least:
                raise ArgumentError(name, f"at least {least}", repr(value))
        if newton_schulz and not (known.is_compact and known.vector.is_orthogonal):
            raise ArgumentError("newton_schulz", f"0, for {known} is not orthogonal", repr(newton_schulz))
        self.group, self.vectors, self.newton_schulz = known, vectors, newton_schulz
        n = known.n
        forms = bilinear_forms(known)
        self.register_buffer("forms", forms, persistent=False)
        self.register_buffer("images", commutant(known), persistent=False)
        special = is_special(known)
        # A covector is a vector by the inverse of a form; in the plane the commutant turns vectors already.
        metric = next((form for form in forms if float(torch.linalg.det(form).abs()) > 1e-6), None)
        crosses = _choices(vectors, n - 1) if special and n > 2 and metric is not None else []
        self.register_buffer("crosses", torch.tensor(crosses, dtype=torch.int64), persistent=False)
        self.register_buffer("raise_index", None if metric is None else torch.linalg.inv(metric), persistent=False)
        volumes = _choices(vectors, n) if not len(forms) else []
        self.register_buffer("volumes", torch.tensor(volumes, dtype=torch.int64), persistent=False)
        self.only_ratios = not special
        self.register_buffer("time", _time_axis(known), persistent=False)
        every = vectors + len(crosses)
        features = sum(every * (every + 1) // 2 if _is_symmetric(form) else every * (every - 1) // 2 for form in forms)
        features += len(volumes) + (vectors if self.time is not None else 0)
        outputs = len(self.images) * every * n
        self.network = perceptron(max(features, 1), *[width] * layers, outputs, activation=nn.SiLU)
        for layer in self.network:
            if isinstance(layer, nn.Linear):
                nn.init.orthogonal_(layer.weight)
                nn.init.zeros_(layer.bias)
        self.symmetric = [_is_symmetric(form) for form in forms]

    def forward(self, y: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch n n"]:
        n = self.group.n
        if y.shape[-2:] != (self.vectors, n):
            raise ArgumentError("y", f"vectors [*batch, {self.vectors}, {n}]", f"shape {tuple(y.shape)}")
        y = scaled(y.double(), self.forms, torch.finfo(y.dtype).eps)
        scalars = [self._orientation(y)] if self.time is not None else []
        if self.raise_index is not None and len(self.crosses):
            y = torch.cat([y, cross(y[..., self.crosses, :]) @ self.raise_index.to(y)], -2)
        for k, gram in enumerate(products(y, self.forms).unbind(-3)):
            i, j = torch.triu_indices(gram.shape[-1], gram.shape[-1], 0 if self.symmetric[k] else 1, device=y.device)
            scalars.append(gram[..., i, j])
        if len(self.volumes):
            volume = torch.linalg.det(y[..., self.volumes, :])
            if self.only_ratios:
                volume = unit(volume)
            scalars.append(volume)
        features = torch.cat(scalars, -1) if scalars else y.new_ones(*y.shape[:-2], 1)
        images = torch.einsum("cij,...mj->...cmi", self.images.to(y), y).flatten(-3, -2)
        weights = self.network(for_network(self.network, features)).unflatten(-1, (n, images.shape[-2])) / images.shape[-2] ** 0.5
        m = scaled(weights.double() @ images, self.forms, torch.finfo(weights.dtype).eps, least=LEAST).mT
        for _ in range(self.newton_schulz):
            m = 1.5 * m - 0.5 * m @ (m.mT @ m)
        return m

    def _orientation(self, y: Tensor) -> Tensor:
        """Squares of timelike vectors with the sign of their time; 0 for others, so that it is continuous."""
        assert self.time is not None
        form, axis = self.forms[0].to(y), self.time.to(y)
        sign = torch.sign(axis @ form @ axis)
        squares = sign * ((y @ form) * y).sum(-1)
        return torch.relu(squares) * torch.sign(sign * (y @ form @ axis))


class Equivariant(nn.Module):
    """An equivariant perceptron from vectors to the columns of a matrix, for any group of matrices: :class:`erlangen.nn.EquivariantMLP`.

    Args:
        group: a group of matrices.
        vectors: how many vectors it is given.
        channels, layers: as for :class:`erlangen.nn.EquivariantMLP`.
        generator: of the initial weights.

    Source: Finzi, Welling & Wilson, ICML 2021, arXiv:2104.09459.

    >>> from erlangen.groups import SO
    >>> Equivariant(SO(3), 4, channels=8)(torch.randn(8, 4, 3)).shape
    torch.Size([8, 3, 3])
    """

    def __init__(
        self, group: Group, vectors: int, *, channels: int = 32, layers: int = 2, generator: torch.Generator | None = None
    ) -> None:
        from erlangen.nn.mlp import EquivariantMLP

        super().__init__()
        known = matrices(group)
        self.group, self.vectors = known, vectors
        source, target = vectors * known.vector, known.n * known.vector
        self.network = EquivariantMLP(source, target, channels=channels, layers=layers, generator=generator)

    def forward(self, y: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch n n"]:
        return self.network(y.flatten(-2)).unflatten(-1, (self.group.n, self.group.n)).mT


class InOrder(nn.Module):
    """The pseudo-orthonormal basis of the vectors in their order (indefinite Gram-Schmidt): exact, nothing to learn.

    For vectors that mean different things; where any may come first, :class:`~erlangen.symmetrize.GramSchmidt` goes by size. Each axis is
    what is left of the first vector that has a length: residuals that are zero (equal momenta) or lightlike (massless ones), to rounding
    of the data as they came, are passed over, and where all that are left are lightlike, the sum of all gives the axis (or of two).
    Within one choice the basis is continuous. It is computed in float64, orthogonalised twice, and returned in float64.

    Vectors that span less than the space leave axes open, which are completed. :class:`~erlangen.symmetrize.Orbit` averages over the
    completions, where the open axes have one sign (as those beside a momentum with mass have): that is exact for tensors of up to ``rank``.
    Where they have both, invariant outputs are exact, of others the components within the span.

    Args:
        group: O(n), SO(n), O(p, q), SO(p, q) or the isometries of a form.
        vectors: how many vectors there are, at least ``n``.
        rank: the highest rank of the tensors that come out, for data that span less than the space.

    Raises:
        ArgumentError: not the isometries of a form, or too few vectors.

    Source: Villar et al., NeurIPS 2021, arXiv:2106.06610.

    >>> from erlangen.groups import O
    >>> bool(O(1, 3).contains(InOrder(O(1, 3), 4)(torch.randn(8, 4, 4, dtype=torch.float64)), 1e-6).all())
    True
    """

    def __init__(self, group: Group, vectors: int, rank: int = 3) -> None:
        super().__init__()
        known = recognised(group)
        if not isinstance(known, FormGroup) or known.dim != known.n * (known.n - 1) // 2:
            raise ArgumentError("group", "the isometries of a form, e.g. SO(3) or O(1, 3)", repr(group))
        if vectors < known.n:
            raise ArgumentError("vectors", f"at least {known.n}, to span a basis", repr(vectors))
        if rank < 0:
            raise ArgumentError("rank", "a tensor rank of at least 0", repr(rank))
        self.group, self.vectors, self.rank = known, vectors, rank

    def forward(self, y: Float[Tensor, "*batch m n"], noise: Float[Tensor, "*batch"] | None = None) -> Float[Tensor, "*batch n n"]:
        return self._basis(y, noise, single=True).element.unflatten(0, y.shape[:-2])

    def over_completions(self, y: Float[Tensor, "B m n"], noise: Float[Tensor, " B"] | None = None) -> Spread:
        """The matrix of each datum, or several with weights where axes are open.

        Args:
            y: the vectors.
            noise: how far rounding may have moved them, where that is more than their own size says.
        """
        return over_completions(self.group, self._basis(y, noise), self.rank)

    def _basis(self, y: Tensor, noise: Tensor | None, single: bool = False) -> Basis:
        n = self.group.n
        if y.shape[-2:] != (self.vectors, n):
            raise ArgumentError("y", f"vectors [*batch, {self.vectors}, {n}]", f"shape {tuple(y.shape)}")
        flat = y.flatten(0, -3) if y.ndim > 3 else y.reshape(-1, *y.shape[-2:])
        blur = None if noise is None else noise.reshape(-1)
        eps = torch.finfo(y.dtype).eps
        return in_order(self.group, Candidates.rounded(flat, eps, self.group, blur), eps, single)


class RingMoments(nn.Module):
    """Vectors of an image that turn with it: first moments of its brightness and of the square of it, in rings about the centre.

    ``v = sum_p I(p)^a w(|p|) p`` over pixels ``p``, from pixel centres, ``w`` a bump about a radius. Moments do not depend on an
    order of the pixels (a choice of the brightest ones jumps where two are equally bright).

    Args:
        rings: how many radii.
        powers: up to which power of the brightness.

    >>> RingMoments(rings=4)(torch.rand(8, 1, 28, 28)).shape
    torch.Size([8, 8, 2])
    """

    def __init__(self, rings: int = 6, powers: int = 2) -> None:
        super().__init__()
        if rings < 1 or powers < 1:
            raise ArgumentError("rings", "at least 1, as powers", (rings, powers))
        self.rings, self.powers = rings, powers

    @property
    def vectors(self) -> int:
        """How many vectors come from each channel."""
        return self.rings * self.powers

    def forward(self, image: Float[Tensor, "*batch c h w"]) -> Float[Tensor, "*batch m 2"]:
        h, w = image.shape[-2:]
        x = torch.linspace(-1 + 1 / w, 1 - 1 / w, w, dtype=image.dtype, device=image.device).expand(h, w)
        y = torch.linspace(1 - 1 / h, -1 + 1 / h, h, dtype=image.dtype, device=image.device)[:, None].expand(h, w)
        radius = (x.square() + y.square()).sqrt()
        centres = torch.arange(1, self.rings + 1, dtype=image.dtype, device=image.device) / self.rings
        bumps = torch.exp(-0.5 * ((radius - centres[:, None, None]) * self.rings).square())
        kernel = bumps.unsqueeze(1) * torch.stack([x, y])
        powers = torch.stack([image**a for a in range(1, self.powers + 1)], -3)
        return torch.einsum("...hw,rdhw->...rd", powers, kernel).flatten(-4, -2) / (h * w) ** 0.5


def products(y: Float[Tensor, "*batch m n"], forms: Float[Tensor, "s n n"]) -> Float[Tensor, "*batch s m m"]:
    """``y_i^T B y_j`` of vectors, for each form.

    >>> products(torch.eye(2), torch.eye(2)[None]).shape
    torch.Size([1, 2, 2])
    """
    y = y.unsqueeze(-3)
    return y @ forms.to(y) @ y.mT


def scaled(
    y: Float[Tensor, "*batch m n"], forms: Float[Tensor, "s n n"], eps: float | None = None, least: float = 0.0
) -> Float[Tensor, "*batch m n"]:
    """Vectors divided by the invariant ``(sum_j |y_i^T B y_j|)^1/2``, the largest over forms: lightlike vectors have a length, too.

    Where all products are zero, to rounding, vectors stay as they are, with a derivative of one; what is nearly so counts as little. Of a
    datum's squared lengths the largest counts with a part of :data:`GUARD` in all.

    Args:
        y, forms: the vectors and the forms.
        eps: the precision that the vectors came in; by default that of their dtype.
        least: is added to the squares: vectors much shorter than its root are not made long, and do not get large gradients.

    >>> scaled(3 * torch.eye(2), torch.eye(2)[None]).round(decimals=2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    if not len(forms):
        return y
    squares = products(y, forms).abs().sum(-1).amax(-2)
    noise = product_noise(y.detach(), forms, eps)
    told = smooth(squares / torch.where(noise > 0, noise, 1.0) - 1)
    squares = squares * torch.where(noise > 0, told, 1.0)
    squares = (squares + GUARD * squares.amax(-1, keepdim=True)) / (1 + GUARD) + least
    return y / torch.where(squares > 0, squares, 1.0).sqrt().unsqueeze(-1)


def product_noise(
    y: Float[Tensor, "*batch m n"], forms: Float[Tensor, "s n n"], eps: float | None = None
) -> Float[Tensor, "*batch m"]:
    """How far rounding may move ``sum_j |y_i^T B y_j|`` of vectors that came in a precision ``eps``.

    >>> product_noise(torch.eye(2), torch.eye(2)[None]) < 1e-5
    tensor([True, True])
    """
    lengths = y.norm(dim=-1)
    eps = torch.finfo(y.dtype).eps if eps is None else eps
    return 6 * eps * lengths * lengths.sum(-1, keepdim=True) * forms.abs().max().to(y)


def tell_lost(
    group: Group,
    forms: Float[Tensor, "s n n"],
    vectors: Float[Tensor, "B m n"],
    eps: float,
    doubt: Float[Tensor, " B"] | None = None,
) -> None:
    """Warn of data whose inner products rounding may have changed by more than :data:`WORST`: nearly parallel, nearly massless momenta.

    Args:
        group, forms: the group and its forms; of compact groups nothing is lost.
        vectors: the data.
        eps: the precision that they came in.
        doubt: what a basis says of it, see :class:`~erlangen.symmetrize.isometries.Spread`.
    """
    if not len(forms) or group.is_compact or not may_look(vectors):
        return
    wide = vectors.detach().double()
    known = products(wide, forms).abs().sum(-1).amax((1, 2))
    lost = (product_noise(wide, forms, eps).amax(1) > WORST * known) & (known > 0)
    if doubt is not None:
        lost = lost | (doubt > WORST)
    if bool(lost.any()):
        warnings.warn(
            f"rounding, of a precision of {eps:.0e}, may leave less than two digits of the inner products of {int(lost.sum())} of "
            f"{len(lost)} data (nearly parallel, nearly lightlike vectors): their outputs are as far from symmetric; compute these data "
            "in float64",
            stacklevel=3,
        )


def unit(v: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
    """Vectors divided by their lengths; zero stays zero, with the derivative zero.

    >>> unit(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    tensor([[0.6000, 0.8000],
            [0.0000, 0.0000]])
    """
    nothing = (v == 0).all(-1, keepdim=True)
    safe = torch.where(nothing, 1.0, v)
    return torch.where(nothing, 0.0, safe / safe.norm(dim=-1, keepdim=True))


def matrices(group: Group) -> MatrixGroup:
    """The group as one of the library's groups of matrices.

    Raises:
        ArgumentError: it is none.
    """
    known = recognised(group) if isinstance(group, Group) else group
    if not isinstance(known, MatrixGroup):
        raise ArgumentError("group", "a group of matrices, e.g. SO(3) or O(1, 3)", repr(group))
    return known


def cross(vectors: Float[Tensor, "*batch k n"]) -> Float[Tensor, "*batch n"]:
    """The covector ``w -> det(v_1, .., v_{n-1}, w)`` of ``k = n - 1`` vectors: for n = 3, the cross product.

    >>> cross(torch.eye(3)[:2])
    tensor([0., 0., 1.])
    """
    n = vectors.shape[-1]
    if n == 3:
        return torch.linalg.cross(vectors[..., 0, :], vectors[..., 1, :])
    others = torch.tensor([[j for j in range(n) if j != i] for i in range(n)], device=vectors.device)
    minors = torch.linalg.det(vectors[..., others].movedim(-2, -3))
    signs = torch.tensor([(-1.0) ** (n - 1 + i) for i in range(n)], dtype=vectors.dtype, device=vectors.device)
    return minors * signs


def _choices(m: int, k: int) -> list[tuple[int, ...]]:
    """Choices of ``k`` among ``m``: all of them if they are few, else ``m`` neighbours in a ring."""
    every = list(combinations(range(m), k)) if k <= m else []
    return every if len(every) <= 2 * m else [tuple((i + j) % m for j in range(k)) for i in range(m)]


def _time_axis(group: MatrixGroup) -> Tensor | None:
    """The lone axis whose direction the group keeps; ``None`` where there is none."""
    if not isinstance(group, FormGroup) or group.is_compact or 1 not in group.signature or group.generators is not None:
        return None
    return group.standard_basis()[:, 0 if group.signature[0] == 1 else -1]


def _is_symmetric(form: Tensor) -> bool:
    return bool((form - form.mT).abs().max() < 1e-9)
