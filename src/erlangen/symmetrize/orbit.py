"""`Orbit`: a frame of learned matrices that a loss, the distance of orbits, drives into the group."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.actions.images import Images
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups.base import Group
from erlangen.groups.forms import bilinear_forms, is_special, orbit_invariants
from erlangen.groups.linear import GLplus
from erlangen.groups.matrix import MatrixGroup
from erlangen.groups.membership import may_look
from erlangen.groups.orthogonal import FormGroup
from erlangen.groups.project import projection
from erlangen.groups.recognise import recognised
from erlangen.symmetrize.cloud import Cloud, centred, cloud_of, cloud_refusal, rounding_of_points
from erlangen.symmetrize.frames import Frame, Weighted
from erlangen.symmetrize.generators import matrices, products, scaled, tell_lost
from erlangen.symmetrize.isometries import CERTAIN
from erlangen.symmetrize.symmetrized import Batch

#: A determinant has a sign where it is larger than this many roundings of the data, in units of the product of its columns' lengths.
SIGNED = 8
#: Matrices whose forms are off by less than this may be projected.
NEAR = 0.1
#: The least determinant that is not penalised in GL+(n).
LEAST_DETERMINANT = 0.1
#: How much a training step moves the running percentile of the residuals.
MOMENTUM = 0.1


class OrbitDistance:
    """How far matrices are from a group: orbits under multiplication from the left, compared by invariants that tell them apart.

    The mean over the invariants ``I_j`` of ``|I_j(M) - I_j(1)|^p``, of a form ``B`` over all ``n^2`` entries of ``M^T B M - B``; for a
    finite group the distance to the nearest element, ``|M - g|^p``. Where the group is the component of the identity of a
    pseudo-orthogonal group, orientation of time is no polynomial: ``relu(1 - det M_++)``, of the block of positive axes, is added; for
    GL+(n), ``relu(0.1 - det M)``.

    Args:
        group: a group of matrices.
        p: the power.

    Warns:
        UserWarning: the generators' brackets leave their span, or no polynomial invariants (up to degree 4) tell the group from a
            larger one.

    Source: Nguyen, Kim, Yang & Hong, NeurReps 2023, arXiv:2311.07143.

    >>> from erlangen.groups import SO
    >>> float(OrbitDistance(SO(2), p=1)(torch.diag(torch.tensor([1.0, -1.0]))))
    0.5
    """

    def __init__(self, group: Group, p: float = 2) -> None:
        if p < 1:
            raise ArgumentError("p", "a power of at least 1", repr(p))
        self.group, self.p = matrices(group), p
        group = self.group
        self.invariants = orbit_invariants(group)
        self.at_identity = self.invariants(torch.eye(group.n, dtype=torch.float64))
        self.shares = self._shares()
        algebra = group.algebra
        if algebra is not None and (open_by := algebra.closure_residual()) > 1e-6:
            warnings.warn(f"the generators of {group} are not closed: brackets leave their span by {open_by:.2g}", stacklevel=3)
        if self.invariants.excess and not group.is_finite:
            warnings.warn(
                f"the invariants of {group} are those of a group of {self.invariants.excess} dimensions more: a vanishing distance does "
                "not mean that a matrix lies in the group",
                stacklevel=3,
            )

    def __call__(self, m: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch"]:
        group = self.group
        if group.is_finite:
            squares = (m.unsqueeze(-3) - group.elements().to(m)).square().sum((-2, -1)).amin(-1)
            # A root has no derivative where the distance vanishes; that of the distance is zero.
            return squares if self.p == 2 else torch.where(squares > 0, torch.where(squares > 0, squares, 1.0) ** (self.p / 2), 0.0)
        off = self.invariants(m) - self.at_identity.to(m)
        distance = (off.abs().pow(self.p) * self.shares.to(m)).sum(-1)
        if isinstance(group, GLplus):
            return distance + torch.relu(LEAST_DETERMINANT - torch.linalg.det(m))
        if isinstance(group, FormGroup) and not group.is_compact and group.generators is None:
            basis = group.standard_basis().to(m)
            block = (torch.linalg.inv(basis) @ m @ basis)[..., : group.signature[0], : group.signature[0]]
            distance = distance + torch.relu(1 - torch.linalg.det(block))
        return distance

    def _shares(self) -> Float[Tensor, " r"]:
        """The weight of each invariant in the mean: an entry beside the diagonal of a form stands there twice."""
        n, found = self.group.n, self.invariants
        i, j = torch.triu_indices(n, n)
        counts = [torch.where(i == j, 1.0, 2.0)] * found.symmetric + [torch.full((n * (n - 1) // 2,), 2.0)] * (
            len(found.forms) - found.symmetric
        )
        total = n * n * len(found.forms) + len(self.at_identity) - sum(map(len, counts))
        counts.append(torch.ones(len(self.at_identity) - sum(map(len, counts))))
        return torch.cat(counts).double() / max(total, 1)

    def residual(self, m: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch"]:
        """The largest ``|I_j(M) - I_j(1)|``: for the group of a form, ``max |M^T B M - B|``."""
        off = self.invariants(m) - self.at_identity.to(m)
        return off.abs().amax(-1) if off.shape[-1] else m.new_zeros(m.shape[:-2])


def orbit_distance(
    m: Float[Tensor, "*batch n n"], group: Group, p: float = 2, reduction: Literal["mean", "none"] = "mean"
) -> Tensor:
    """:class:`OrbitDistance`, once: of each matrix, or the mean over a batch.

    >>> from erlangen.groups import O
    >>> reversal = torch.diag(torch.tensor([-1.0, 1.0, 1.0, 1.0]))
    >>> float(orbit_distance(reversal, O(1, 3))), round(float(orbit_distance(2 * reversal, O(1, 3))), 3)
    (0.0, 2.25)
    """
    if reduction not in ("mean", "none"):
        raise ArgumentError("reduction", "'mean' or 'none'", repr(reduction))
    distance = OrbitDistance(group, p)(m)
    return distance.mean() if reduction == "mean" else distance


class Orbit(Frame):
    """One learned matrix ``M(x)`` for each datum (or several, with noise), which a loss drives into the group.

    The model sees ``M^-1 x``, where for the group of a form ``B`` the inverse is ``B^-1 M^T B``, of orthogonal groups the transpose,
    defined for every matrix. So the symmetry ``M(g x)^-1 (g x) = M(x)^-1 x`` is exact as the generator's is, whether ``M`` lies
    in the group or not. Whether it does decides something else: whether what the model sees lies in the orbit of ``x``, as a frozen or
    pre-trained model needs, and whether outputs that are not linear in the element make sense. The two numbers are separate: measure
    the first by :func:`erlangen.equivariance_error`, the second stands in ``info["residual"]``. Where the group has no form (SL(n), n >
    2), the inverse is taken, and a singular matrix is an error.

    Where all elements have determinant one, the last column of a matrix with a negative determinant changes its sign, which commutes with
    the group: the distance then is driven to zero from within the right component, where it has no reflections to end in. Matrices of
    dependent vectors, whose determinant is zero but for rounding, stay as they are.

    In training, add ``losses``: ``orbit_distance``, and ``kept_products``, the squared change of the products ``x_i^T B x_j`` from the data
    to what the model sees (of vectors divided by an invariant length).

    Behaviour: in training ``samples`` matrices, in evaluation ``eval_samples``; projection as ``project`` says.

    Args:
        generator: vectors ``[*batch, m, n]`` to matrices ``[*batch, n, n]``, equivariant, with the attributes ``group`` and ``vectors``
            (= m): :class:`~erlangen.symmetrize.generators.Scalar` or :class:`~erlangen.symmetrize.generators.Equivariant`. What a
            datum has less of vectors than ``m`` is noise.
        noise: ``"none"``: one matrix for each datum, a canonicalization. ``"circle"``: unit vectors of uniform direction, for compact
            groups. ``"invariant"``: vectors ``z`` with products ``z^T B x_i`` that are drawn at random (uniform in [-1, 1], with a
            learned scale and shift), for groups of a form that are not compact, too; needs ``n`` vectors in each datum. With noise
            the symmetry is one in distribution, except that equal numbers give equal results for ``"invariant"``.
        samples, eval_samples: matrices for each datum; more than one only with noise.
        project: ``"none"``, ``"eval"``, ``"always"``, or ``"auto"``: a matrix is projected to the group, in training and evaluation
            alike, when its residual is below 0.1, from when on 95 % of the residuals in training are (a running percentile that the
            state of the module keeps, as batch normalisation keeps its means); never, where the group has no projection. Projecting only
            in evaluation shifts what the model sees, and projecting matrices far from the group is unstable. Where training ends
            before residuals are that small, a warning says that nothing was projected: what the model sees is sheared.
        weight, keep: of the two losses.
        p: power of the orbit distance.
        reader: for images, what makes vectors of them: :class:`~erlangen.symmetrize.generators.RingMoments`.
        of, weights: as for :class:`Principal`.
        rng: source of the noise; torch's global one by default.

    Raises:
        ArgumentError: an argument does not fit.

    Source: Nguyen, Kim, Yang & Hong, NeurReps 2023, arXiv:2311.07143; noise: Kim et al., NeurIPS 2023, arXiv:2306.02866.

    >>> from erlangen.groups import O
    >>> from erlangen.symmetrize.generators import Scalar
    >>> frame = Orbit(Scalar(O(1, 3), 4))
    >>> found = frame(O(1, 3).vector, torch.randn(8, 4, 4))
    >>> found.elements.shape, sorted(found.losses)
    (torch.Size([8, 1, 4, 4]), ['kept_products', 'orbit_distance'])
    """

    spread: Tensor
    forms: Tensor
    generator: nn.Module

    def __init__(
        self,
        generator: nn.Module,
        *,
        noise: Literal["none", "invariant", "circle"] = "none",
        samples: int = 1,
        eval_samples: int | None = None,
        project: Literal["none", "eval", "always", "auto"] = "auto",
        weight: float = 1.0,
        keep: float = 1.0,
        p: float = 2,
        reader: nn.Module | None = None,
        of: str | None = None,
        weights: str | None = None,
        rng: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        own = getattr(generator, "group", None)
        group = recognised(own) if isinstance(own, Group) else own
        if not isinstance(group, MatrixGroup) or not hasattr(generator, "vectors"):
            raise ArgumentError(
                "generator", "a module with 'group' and 'vectors', e.g. Scalar(O(1, 3), 4)", type(generator).__name__
            )
        if noise not in ("none", "invariant", "circle"):
            raise ArgumentError("noise", "'none', 'invariant' or 'circle'", repr(noise))
        if project not in ("none", "eval", "always", "auto"):
            raise ArgumentError("project", "'none', 'eval', 'always' or 'auto'", repr(project))
        eval_samples = samples if eval_samples is None else eval_samples
        for name, count in (("samples", samples), ("eval_samples", eval_samples)):
            if count < 1 or (count > 1 and noise == "none"):
                raise ArgumentError(name, "at least 1, and 1 without noise", count)
        if weight < 0 or keep < 0:
            raise ArgumentError("weight" if weight < 0 else "keep", "a weight of at least 0", min(weight, keep))
        if noise == "circle" and not (group.is_compact and group.vector.is_orthogonal):
            hint = "use noise='invariant'"
            raise ArgumentError("noise", f"'none' or 'invariant': {group} has no invariant law on unit vectors", "'circle'", hint)
        self.distance = OrbitDistance(group, p)
        self.group: MatrixGroup = group
        self.wanted = int(generator.vectors)  # type: ignore[arg-type]
        self.generator, self.reader = generator, reader
        self.noise, self.samples, self.eval_samples = noise, samples, eval_samples
        self.weight, self.keep, self.of, self.weights, self.rng = weight, keep, of, weights, rng
        self.project = project
        self._oriented = is_special(group) or isinstance(group, GLplus)
        self._told = False
        self._projection = None if project == "none" else _projection(group, needed=project != "auto")
        self.is_exact = noise == "none"
        self.differentiable = True
        self.register_buffer("forms", bilinear_forms(group), persistent=False)
        self.register_buffer("spread", torch.tensor(float("inf")))
        if noise == "invariant":
            if not len(self.forms) or float(torch.linalg.det(self.forms[0]).abs()) < 1e-6:
                raise ArgumentError("noise", f"'none' or 'circle': {group} keeps no form", "'invariant'")
            self.noise_scale = nn.Parameter(torch.ones(self.wanted, group.n))
            self.noise_shift = nn.Parameter(torch.zeros(self.wanted, group.n))

    def forward(self, inp: Action, x: Any) -> Weighted:
        if self.reader is not None:
            return self._found(self.reader(x), None)
        batch = Batch(inp, x)
        cloud = cloud_of(batch, self.of, self.weights)

        def spanned(batch: Batch, cloud: Cloud) -> Weighted:
            return self._found(cloud.weighted(), cloud.noise)

        return centred(spanned, batch, cloud) if inp.group.translates else spanned(batch, cloud)

    def _found(self, vectors: Float[Tensor, "B m n"], blur: Float[Tensor, " B"] | None) -> Weighted:
        """The matrices of vectors that rounding may have moved by ``blur``."""
        weights = None
        spread: Any = getattr(self.generator, "over_completions", None)
        if self.noise == "none" and spread is not None:
            self._count(vectors)
            m, weights, arbitrary, _, doubt = spread(vectors, blur)
            tell_lost(self.group, self.forms, vectors, torch.finfo(vectors.dtype).eps, doubt)
            if may_look(arbitrary) and bool(arbitrary.any()):
                warnings.warn(
                    f"the vectors of {int(arbitrary.sum())} of {len(arbitrary)} data leave directions of both signs open: of their "
                    "outputs that move, only the components within the vectors' span are symmetric, and where only lightlike vectors "
                    "are left none are, invariant ones included",
                    stacklevel=2,
                )
        else:
            tell_lost(self.group, self.forms, vectors, torch.finfo(vectors.dtype).eps)
            m = self.generator(self._with_noise(vectors, blur, self.samples if self.training else self.eval_samples))
        m = self._in_component(m, torch.finfo(vectors.dtype).eps)
        distance, residual = self.distance(m), self.distance.residual(m)
        losses = {"orbit_distance": self.weight * distance.mean()}
        if len(self.forms) and self.keep:
            losses["kept_products"] = self.keep * self._change(vectors, m)
        elements = self._projected(m, residual.detach())
        if not self._has_adjoint and may_look(elements):
            self._check_regular(elements)
        return Weighted(elements, weights, losses, {"orbit_distance": distance.detach(), "residual": residual.detach()})

    # ---- noise ----

    def _count(self, vectors: Tensor) -> None:
        if vectors.shape[1] != self.wanted:
            raise ArgumentError("x", f"{self.wanted} vectors in each datum, as the generator takes", vectors.shape[1])

    def _with_noise(self, vectors: Tensor, blur: Tensor | None, k: int) -> Float[Tensor, "B k m n"]:
        size, own, n = vectors.shape
        wanted = self.wanted
        count = wanted - own
        if self.noise == "none":
            self._count(vectors)
            return vectors.unsqueeze(1)
        if count < 1:
            raise ArgumentError("generator", f"one for more than the {own} vectors of a datum, to have room for noise", wanted)
        shape = (size, k, count, n)
        if self.noise == "circle":
            z = torch.randn(shape, generator=self.rng, dtype=vectors.dtype, device=vectors.device)
            z = z / z.norm(dim=-1, keepdim=True).clamp_min(torch.finfo(z.dtype).tiny)
        else:
            if own < n:
                raise ArgumentError("x", f"at least {n} vectors in each datum, for noise='invariant' in {self.group}", own)
            c = 2 * torch.rand(shape, generator=self.rng, dtype=vectors.dtype, device=vectors.device) - 1
            c = c * self.noise_scale[own:].to(c) + self.noise_shift[own:].to(c)
            z = scaled(with_products(c, vectors[:, :n], self.forms[0], blur), self.forms).to(vectors.dtype)
        return torch.cat([vectors.unsqueeze(1).expand(size, k, own, n), z], -2)

    # ---- towards the group ----

    def _in_component(self, m: Tensor, eps: float) -> Tensor:
        """The matrices with the last column's sign changed where the determinant has one that no element's has.

        Of dependent vectors the determinant's sign is rounding's: a change of sign would be noise. Lengths are the group's own, where it
        keeps a form: a boosted matrix is judged as the one at rest.
        """
        if not self._oriented:
            return m
        here = m.detach()
        squares = products(here.mT, self.forms).abs().sum(-1).amax(-2) if len(self.forms) else here.square().sum(-2)
        reflected = torch.linalg.det(here) < -SIGNED * eps * squares.sqrt().prod(-1)
        signs = torch.ones_like(m[..., :1, :])
        signs[..., -1] = torch.where(reflected, -1.0, 1.0).unsqueeze(-1)
        return m * signs

    def _tell_unprojected(self) -> None:
        """Warn, once after each training, that its residuals never fell so far that matrices would be projected."""
        if self.training or self._told or not may_look(self.spread) or not NEAR <= float(self.spread) < float("inf"):
            return
        self._told = True
        warnings.warn(
            f"project='auto' has projected nothing: at the end of training 95 % of the residuals were below {float(self.spread):.2g}, and "
            f"it waits for {NEAR:g}. The model sees data moved by matrices that are not in {self.group} (images are sheared): train "
            "longer, raise weight"
            + (", or take project='always', which a compact group allows from the start" if self.group.is_compact else ""),
            stacklevel=2,
        )

    def _projected(self, m: Tensor, residual: Tensor) -> Tensor:
        if self._projection is None or (self.project == "eval" and self.training):
            return m
        if self.project != "auto":
            return self._projection(m)
        if self.training and residual.numel():
            self._told = False
            with torch.no_grad():
                now = residual.flatten().quantile(0.95).to(self.spread)
                self.spread.copy_(torch.where(self.spread.isinf(), now, torch.lerp(self.spread, now, MOMENTUM)))
        if may_look(m) and not bool(self.spread < NEAR):
            self._tell_unprojected()
            return m
        near = ((residual < NEAR) & (self.spread < NEAR))[..., None, None]
        # Far matrices may have no projection: theirs must not be computed, for NaN times zero is NaN in the gradient.
        safe = torch.where(near, m, torch.eye(self.group.n, dtype=m.dtype, device=m.device))
        return torch.where(near, self._projection(safe), m)

    def _change(self, vectors: Tensor, m: Tensor) -> Tensor:
        here = scaled(vectors, self.forms).unsqueeze(1).to(m.dtype)
        seen = here @ self.group.inverse(m).mT
        return (products(seen, self.forms) - products(here, self.forms)).square().mean()

    @property
    def _has_adjoint(self) -> bool:
        return self.group.is_compact or hasattr(self.group, "form")

    def _check_regular(self, m: Tensor) -> None:
        _, failed = torch.linalg.inv_ex(m.detach())
        if bool((failed != 0).any()):
            raise ArgumentError(
                "generator",
                f"regular matrices, for {self.group} has no form to invert them by",
                f"{int((failed != 0).sum())} singular ones",
                "look for data that span fewer directions than space has",
            )

    def refuse(self, inp: Action) -> str:
        if inp.group.linear_part != self.group:
            return f"its generator is one of {self.group}"
        if isinstance(inp, Images):
            return "" if self.reader is not None else "images need a reader, e.g. RingMoments()"
        return cloud_refusal(inp) if self.reader is None else ""


def _projection(group: MatrixGroup, needed: bool) -> Callable[[Tensor], Tensor] | None:
    """The group's projection; ``None`` where it has none and that is no harm."""
    try:
        return projection(group)
    except UnsupportedError:
        if needed:
            raise
        return None


def with_products(
    c: Float[Tensor, "B k m n"],
    x: Float[Tensor, "B n n"],
    form: Float[Tensor, "n n"],
    noise: Float[Tensor, " B"] | None = None,
) -> Float[Tensor, "B k m n"]:
    """Vectors ``z_a`` with the products ``z_a^T B x_b = c_ab`` for the ``n`` vectors (rows) of ``x``; they move along with ``x``.

    Where the ``x_b`` are dependent (``p_4 = p_1 + p_2``), to rounding, no vectors have such products: the ``z_a`` then are those in the
    span of the ``x_b`` with the nearest products that there are; all zero if the ``x_b`` are. Computed in float64.

    Args:
        c, x, form: the numbers, the vectors and the form.
        noise: how far rounding may have moved the ``x_b``; by default as much as their size says.

    >>> x = torch.randn(2, 3, 3, dtype=torch.float64)
    >>> z = with_products(torch.ones(2, 1, 4, 3, dtype=torch.float64), x, torch.eye(3))
    >>> torch.allclose(z @ x.unsqueeze(1).mT, torch.ones(2, 1, 4, 3, dtype=torch.float64))
    True
    """
    wide, form = x.double(), form.to(x.device, torch.float64)
    if noise is None:
        noise = rounding_of_points(wide.detach().norm(dim=-1).amax(1), x.shape[-1], x.dtype)
    # In z = x^T w the products x B x^T w = c have the matrix of all inner products, which no element changes: so does what it annihilates.
    gram = wide @ form @ wide.mT
    with torch.no_grad():
        lengths = (wide @ form).norm(dim=(-2, -1)) + wide.norm(dim=(-2, -1)) * form.abs().max()
        left, values, _ = torch.linalg.svd(gram)
        kept = values > (CERTAIN * noise.double() * lengths).unsqueeze(-1)
        span = (left * kept.unsqueeze(-2)) @ left.mT
        rest = torch.eye(len(form), dtype=wide.dtype, device=wide.device) - span
        size = torch.where(values[:, :1] > 0, values[:, :1], 1.0).unsqueeze(-1)
    # x B^T z = c, for B symmetric or antisymmetric.
    weights = torch.linalg.solve(span @ gram.mT @ span + size * rest, span @ c.double().flatten(1, 2).mT)
    return (span @ weights).mT.unflatten(1, c.shape[1:3]) @ wide.unsqueeze(1)
