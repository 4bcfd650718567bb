"""Geometric-algebra attention for small clouds of points: softmax attention over tuples that sees products of their vectors."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.nn.clifford_base import GeometricAttention
from erlangen.nn.clifford_products import MultivectorProducts
from erlangen.nn.clifford_turning import LabelledAttention, TurningAttention


class VectorAttention(GeometricAttention):
    """Vectors and values of points in, values that do not turn out.

    For every ordered tuple of ``rank`` points, the same one several times included, with vectors ``r_i`` and values ``v_i``::

        p = r_i r_j r_k ...               the geometric product
        m = J(V(invariants of p), M(v_i, v_j, ...))
        y = sum of softmax(S(m)) m        over all tuples, or (reduce=False) over those that begin with a point

    so that points may come in any order. The products of vectors are scalar and cross products: of two, ``r_i . r_j`` and
    ``r_i x r_j``; of three, a vector and the signed volume. Rotations leave the result as it is; translations do when the
    vectors are differences.

    **Mirror images.** The only thing that tells them apart is the sign of volumes, at rank 3 and higher. With ``merge_fun="mean"``
    and ``invariant_mode="single"`` it cancels all the same, for with each tuple comes the one with two members swapped. Take
    ``merge_fun="concat"`` with values that differ, or ``invariant_mode="partial"`` or ``"full"``, to see hands; ``parity="o3"`` never to.

    **Cost.** ``n^rank`` tuples. With networks of its own, ``merge_fun="mean"`` and ``invariant_mode="single"``, tuples that differ in order
    alone are evaluated once: a factor of 2 at rank 2, of 3 at rank 3 (5 with ``parity="o3"``).

    Args:
        n_dim: how many numbers the value of a point has.
        score_net: ``S``, ``[..., n_dim]`` to ``[..., 1]``; by default a perceptron with one hidden layer of twice the width.
        value_net: ``V``, ``[..., invariant_dims]`` to ``[..., n_dim]``; by default the same, normalised.
        reduce: whether one result for the cloud comes out, or one for each point.
        merge_fun: ``M``, ``"mean"``, or ``"concat"``: a matrix for each position.
        join_fun: ``J``, ``"mean"``, or ``"concat"``: a matrix for each of both.
        rank: how many points a tuple has.
        invariant_mode: invariants of the product alone (``"single"``), of all that begin it (``"partial"``), or of all of neighbouring
            members (``"full"``), from each start the longest first.
        include_normalized_products: also those of each product divided by its norm.
        linear_mode, linear_terms: so many learned sums, with signs, of the products of a mode; duals bring all to one parity.
        dim: 3, or 2: vectors of the plane, whose signed areas tell mirror images apart at rank 2 already.
        parity: ``"so3"``, or ``"o3"``: the size of signed volumes (areas of the plane) alone.
        chunk: evaluate at most so many tuples of a cloud at a time, and again when differentiating: the same numbers, memory that
            does not grow with ``n^rank``, a third more time.

    Attributes:
        invariant_dims: how many invariants ``value_net`` takes.

    Raises:
        ArgumentError: a choice that there is not; linear terms in the plane or with ``parity="o3"``, where they would mix parities.

    Source: M. Spellings, "Geometric algebra attention networks for small point clouds", arXiv:2110.02393 (2021). Names and numbers are
    those of its package ``geometric-algebra-attention`` 0.5.1: with its networks and weights (``load_state_dict``) the results are its.
    A point that is masked gives zero here, and a mean over nothing there.

    >>> _ = torch.manual_seed(0)
    >>> attend = VectorAttention(32, rank=2)
    >>> r, v = torch.randn(8, 12, 3), torch.randn(8, 12, 32)
    >>> attend((r, v)).shape, attend.invariant_dims
    (torch.Size([8, 32]), 2)
    >>> y, weights = attend((r, v), mask=torch.arange(12) < torch.full((8, 1), 5), return_attention=True)
    >>> weights.shape, bool((weights[:, 5:] == 0).all())
    (torch.Size([8, 12, 12]), True)
    """


class Vector2VectorAttention(TurningAttention):
    """Vectors and values in, vectors out that turn along: ``y = sum of softmax(S(m)) R(m) sum_n alpha_n c_n``.

    ``c_n`` are the vector parts of products of an odd number of vectors, and the duals of the bivectors of those of an even number, which
    are axial: under reflections they do not turn along, and with ``parity="o3"`` they are left out. Vectors that come out of one point
    only have three directions, and combinations of ``r_i`` and ``r_i x r_j``: tensors of degree 2 are out of reach of one layer.

    Args:
        n_dim, score_net, value_net, reduce, merge_fun, join_fun, rank, invariant_mode: as of :class:`VectorAttention`.
        scale_net: ``R``, ``[..., n_dim]`` to ``[..., 1]``.
        covariant_mode: the products whose vectors are used.
        include_normalized_products, linear_mode, linear_terms: as there, of covariants too.
        convex_covariants: the softmax of ``alpha`` and 0 takes its place.
        dim, parity, chunk: as there.

    Raises:
        ArgumentError: as there; no covariant turns along.

    Warns:
        UserWarning: what comes out is always zero: rank 2 with ``"single"`` and nothing that tells ``i, j`` from ``j, i``.

    >>> _ = torch.manual_seed(0)
    >>> turn = Vector2VectorAttention(16, rank=3, reduce=False, parity="o3")
    >>> turn((torch.randn(8, 5, 3), torch.randn(8, 5, 16))).shape
    torch.Size([8, 5, 3])
    """


class TiedVectorAttention(TurningAttention):
    """One attention, two results: ``(vectors, values)``, as of :class:`Vector2VectorAttention` and :class:`VectorAttention`.

    >>> _ = torch.manual_seed(0)
    >>> vectors, values = TiedVectorAttention(16)((torch.randn(8, 5, 3), torch.randn(8, 5, 16)))
    >>> vectors.shape, values.shape
    (torch.Size([8, 3]), torch.Size([8, 16]))
    """

    gives_values = True


class LabeledVectorAttention(LabelledAttention):
    """A vector for each of several labels from a cloud: :class:`Vector2VectorAttention` whose ``m`` has the label joined to it.

    It leads from one cloud to another with other points: from the beads of a coarse model to atoms of given kinds.

    >>> _ = torch.manual_seed(0)
    >>> labels, r, v = torch.randn(8, 9, 16), torch.randn(8, 5, 3), torch.randn(8, 5, 16)
    >>> LabeledVectorAttention(16)((labels, (r, v))).shape
    torch.Size([8, 9, 3])
    """


class MultivectorAttention(GeometricAttention):
    """:class:`VectorAttention` whose points have multivectors ``[..., 8]``, coefficients of ``1, e1, e2, e3, e12, e13, e23, e123``.

    The invariants of a product are its scalar, the norms of its vector and its bivector, and its trivector.

    >>> _ = torch.manual_seed(0)
    >>> MultivectorAttention(16, rank=2)((torch.randn(8, 5, 8), torch.randn(8, 5, 16))).shape
    torch.Size([8, 16])
    """

    algebra = MultivectorProducts


class Multivector2MultivectorAttention(TurningAttention):
    """Multivectors and values in, multivectors out; as :class:`Vector2VectorAttention`, the covariants being the products themselves.

    >>> _ = torch.manual_seed(0)
    >>> layer = Multivector2MultivectorAttention(16, reduce=False)
    >>> layer((torch.randn(8, 5, 8), torch.randn(8, 5, 16))).shape
    torch.Size([8, 5, 8])
    """

    algebra = MultivectorProducts


class TiedMultivectorAttention(TurningAttention):
    """One attention, two results: ``(multivectors, values)``.

    >>> _ = torch.manual_seed(0)
    >>> x, values = TiedMultivectorAttention(16)((torch.randn(8, 5, 8), torch.randn(8, 5, 16)))
    >>> x.shape, values.shape
    (torch.Size([8, 8]), torch.Size([8, 16]))
    """

    algebra, gives_values = MultivectorProducts, True


class LabeledMultivectorAttention(LabelledAttention):
    """A multivector for each of several labels; as :class:`LabeledVectorAttention`.

    >>> _ = torch.manual_seed(0)
    >>> labels, x, v = torch.randn(8, 9, 16), torch.randn(8, 5, 8), torch.randn(8, 5, 16)
    >>> LabeledMultivectorAttention(16)((labels, (x, v))).shape
    torch.Size([8, 9, 8])
    """

    algebra = MultivectorProducts


class Vector2Multivector(nn.Module):
    """Vectors ``[..., 3]`` as multivectors of grade 1.

    >>> Vector2Multivector()(torch.tensor([1.0, 2.0, 3.0]))
    tensor([0., 1., 2., 3., 0., 0., 0., 0.])
    """

    def forward(self, r: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 8"]:
        if r.shape[-1] != 3:
            raise ArgumentError("r", "vectors [..., 3]", f"shape {tuple(r.shape)}")
        return torch.nn.functional.pad(r, (1, 4))


class Multivector2Vector(nn.Module):
    """The vector part of multivectors ``[..., 8]``.

    >>> Multivector2Vector()(torch.arange(8.0))
    tensor([1., 2., 3.])
    """

    def forward(self, x: Float[Tensor, "*batch 8"]) -> Float[Tensor, "*batch 3"]:
        if x.shape[-1] != 8:
            raise ArgumentError("x", "multivectors [..., 8]", f"shape {tuple(x.shape)}")
        return x[..., 1:4]
