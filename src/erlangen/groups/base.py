"""`Group`: a set of transformations, known by its generators, its product and its inverse.

Read this file first. A new group is a subclass that says how elements multiply; everything else - powers, words, orbits,
representations, frames - follows. The conventions hold for every group:

* An **element** is a tensor of shape ``[*batch, *element_shape]`` (a matrix ``[*batch, n, n]``, a permutation as its index map
  ``[*batch, n]``, a residue or a row of a Cayley table ``[*batch]``), or, for products of groups, a tuple of its factors' elements.
* The group never keeps state: sampling takes an explicit ``torch.Generator`` (or uses torch's global one, as dropout does).
* Groups are immutable, hashable values: ``SO(3) == SO(3)``.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Hashable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import optree
import torch
from torch import Tensor

from erlangen.errors import ArgumentError, UnsupportedError, unsupported
from erlangen.groups.lasting import Lasting
from erlangen.groups.membership import LOOSE

if TYPE_CHECKING:
    from erlangen.actions.base import Action
    from erlangen.groups.algebra import LieAlgebra
    from erlangen.groups.decompositions import Decomposition, Window
    from erlangen.reps.base import Rep

#: A tensor, or a (nested) tuple of tensors for a product of groups.
Element = Any


class Group(metaclass=Lasting):
    """A group of transformations.

    A subclass implements :meth:`identity`, :meth:`multiply`, :meth:`inverse`, :meth:`sample`, the attribute ``element_shape`` and
    :meth:`equality_key` (what makes two such groups equal). A finite one also has ``order`` and :meth:`elements`, of which generators are
    found where it states none; one with a continuous part has ``algebra``, :meth:`exp` and :meth:`log`, and states
    :attr:`generators` where it has more than the component of the identity.

    **Strangers.** The shape of elements, and their type where they are whole numbers, are looked at by every call. Their values are
    taken at their word where all of them are used: a matrix multiplies by what it is, in the group or not, for a test of membership
    costs as much as the action. Where a formula reads only a part of an element (the rotation that a permutation of a polygon's corners
    is, by its first corner; a translation, by the last column) it looks at the rest, on the CPU and outside of compiled or transformed
    functions, and refuses what is not in the group. What takes elements once (``index_of``, ``elements=`` of an audit) tests them
    all, as :meth:`check` does.

    >>> from erlangen.groups import Cyclic
    >>> C = Cyclic(5)
    >>> g = C.sample(3, generator=torch.Generator().manual_seed(0))
    >>> bool(C.equal(C.multiply(g, C.inverse(g)), C.identity(3)).all())
    True
    """

    #: Name for people and reports, e.g. ``"SO(3)"``.
    name: str = "G"
    #: Shape of one element, or a tuple of such for a product.
    element_shape: Any = ()
    #: The type of elements that are whole numbers (``torch.int64``); ``None``: elements of any type.
    element_dtype: torch.dtype | None = None
    #: Number of elements; ``math.inf`` for an infinite group.
    order: int | float = math.inf
    #: The law that :meth:`sample` draws from, in words: "Haar" is said only of what is Haar.
    measure: str = "not stated"

    # ---- what a subclass states ----

    @abstractmethod
    def equality_key(self) -> Hashable:
        """What identifies this group among those of its class."""

    @abstractmethod
    def identity(self, *batch: int, dtype: torch.dtype | None = None, device: torch.device | None = None) -> Element:
        """The neutral element, repeated to ``batch``. ``dtype`` is ignored by groups with integer elements."""

    @abstractmethod
    def multiply(self, g: Element, h: Element) -> Element:
        """The product ``g h`` (first ``h``, then ``g``), broadcast over batch axes."""

    @abstractmethod
    def inverse(self, g: Element) -> Element:
        """The inverse of each element."""

    @abstractmethod
    def sample(
        self,
        *batch: int,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
        scale: float = 1.0,
    ) -> Element:
        """Random elements ``[*batch, *element_shape]`` from ``measure``: Haar where the group is compact or finite.

        ``scale`` widens the stated measure of a group that is not compact (translations' standard deviation, boosts' largest
        rapidity, the spread of the algebra's coefficients); compact groups do not look at it.
        """

    # ---- what code asks instead of a class ----

    @cached_property
    def is_compact(self) -> bool:
        """Whether the group is compact, so that its Haar measure is a probability measure: a finite one by itself, others state it."""
        return self.is_finite

    @property
    def has_haar(self) -> bool:
        """Whether averages over the group can be had: :meth:`sample` draws from the invariant probability measure, or all elements
        can be listed. Everything that averages asks this."""
        return (self.is_compact and self.measure == "Haar") or self.is_finite

    @property
    def linear_part(self) -> Group:
        """The group of the linear parts: of rigid motions the rotations, of a group without translations itself."""
        known = self._recognised
        return self if known is self else known.linear_part

    @property
    def translates(self) -> bool:
        """Whether the group moves points by translations, so that its linear part is another group."""
        known = self._recognised
        return known is not self and known.translates

    @property
    def is_rotations(self) -> bool:
        """Whether its elements are all rotations of R^n, with or without the reflections: SO(n) or O(n) as orthogonal matrices."""
        known = self._recognised
        return known is not self and known.is_rotations

    @property
    def is_proper(self) -> bool:
        """Whether its elements are matrices of determinant one; of an affine group, their linear parts."""
        known = self._recognised
        return known is not self and known.is_proper

    def components(self) -> Element:
        """An element of each connected component that the discrete generators lead to, the identity first, ``[c, *element_shape]``.

        Products of subsets of the generators, in their order (of the first six, should there be more): enough to try each kind of
        reflection and each combination of them.

        >>> from erlangen.groups import O
        >>> O(1, 3).components().diagonal(dim1=-2, dim2=-1).tolist()[-1]
        [-1.0, -1.0, 1.0, 1.0]
        """
        gens = self.generators
        if gens is None:  # connected
            return self.identity(1, dtype=torch.float64)
        found = self.identity_like(self.take(gens, slice(0, 1)))
        for i in range(min(self.batch_shape(gens)[0], 6)):
            one = self.take(gens, slice(i, i + 1))
            found = self.join([found, self.multiply(found, one)])
        return found

    @property
    def _recognised(self) -> Group:
        """This group as the library's own class where it has one; see :func:`erlangen.groups.recognised`. Found once."""
        known = self.__dict__.get("_known")
        if known is None:
            from erlangen.groups.recognise import recognise

            with torch.inference_mode(False):  # tensors of the group that is found outlive the mode in which it was asked for
                known = recognise(self)
            self.__dict__["_known"] = known
        return known

    # ---- discrete part ----

    @property
    def generators(self) -> Element | None:
        """Discrete generators ``[m, *element_shape]``, which together with ``exp`` of the Lie algebra generate the group.

        Of matrices in float64, like the algebra. ``None`` says that the Lie algebra is enough: the group is connected. A finite group that
        states none gets a generating set of its own, found once among its elements (see
        :func:`erlangen.groups.finite.generating_set`).

        Raises:
            UnsupportedError: the group is discrete and infinite, or too large to list, and its class states no generators.
        """
        if not self.is_finite:
            if not self.dim:
                unsupported(self, "generators (it is infinite, and has no Lie algebra)", "give its class a .generators")
            return None
        found = self.__dict__.get("_found_generators")
        if found is None:
            from erlangen.groups.finite import generating_set

            with torch.inference_mode(False):  # they outlive the mode in which they were asked for
                found = self.__dict__["_found_generators"] = generating_set(self)
        return found

    @property
    def is_finite(self) -> bool:
        return self.order != math.inf

    def elements(self) -> Element:
        """All elements ``[order, *element_shape]`` of a finite group, the identity first.

        Raises:
            UnsupportedError: the group is infinite.
        """
        unsupported(self, "list of elements (it is infinite)", "draw some with .sample(n)")

    # ---- continuous part ----

    @property
    def algebra(self) -> LieAlgebra | None:
        """The Lie algebra; ``None`` for a discrete group."""
        return None

    @property
    def dim(self) -> int:
        """Dimension of the Lie algebra: 0 for a discrete group."""
        return 0 if self.algebra is None else self.algebra.dim

    def tangents(self, dtype: torch.dtype | None = None) -> Element | None:
        """A basis of the Lie algebra as a batch of algebra elements ``[dim, *element_shape]``; ``None`` for a discrete group."""
        return None if self.algebra is None else self.algebra.basis.to(dtype or torch.get_default_dtype())

    def exp(self, a: Element) -> Element:
        """Group elements ``exp(a)`` of algebra elements ``a`` (for a matrix group, matrices ``[*batch, n, n]``)."""
        unsupported(self, "exponential (it is discrete)", "use .generators or .elements()")

    def log(self, g: Element) -> Element:
        """An algebra element whose exponential is ``g``, for ``g`` near enough to the identity."""
        unsupported(self, "logarithm (it is discrete)", "use .generators or .elements()")

    # ---- what follows from the above ----

    def power(self, g: Element, k: int) -> Element:
        """``g`` multiplied ``k`` times by itself; negative ``k`` inverts. Costs O(log k) products."""
        if k < 0:
            return self.power(self.inverse(g), -k)
        result: Element | None = None
        square = g
        while k:
            if k & 1:
                result = square if result is None else self.multiply(result, square)
            k >>= 1
            if k:
                square = self.multiply(square, square)
        return self.identity_like(g) if result is None else result

    def conjugate(self, g: Element, h: Element) -> Element:
        """``g h g^-1``."""
        return self.multiply(self.multiply(g, h), self.inverse(g))

    def commutator(self, g: Element, h: Element) -> Element:
        """``g h g^-1 h^-1``."""
        return self.multiply(self.multiply(g, h), self.inverse(self.multiply(h, g)))

    def identity_like(self, g: Element) -> Element:
        """The neutral element with the batch shape, dtype and device of ``g``."""
        leaves = optree.tree_leaves(g)
        dtype = next((leaf.dtype for leaf in leaves if leaf.is_floating_point()), None)  # a product may begin with integers
        return self.identity(*self.batch_shape(g), dtype=dtype, device=leaves[0].device)

    def equal(self, g: Element, h: Element, atol: float | None = None) -> Tensor:
        """Whether elements agree, ``[*batch]`` bool; exactly for integer elements, to ``atol`` for floating-point ones."""
        self.batch_shape(g)
        self.batch_shape(h)
        result: Tensor | None = None
        for shape, a, b in zip(self._shapes(), optree.tree_leaves(g), optree.tree_leaves(h)):
            if a.is_floating_point() or b.is_floating_point():
                loose = sorted(LOOSE.get(t.dtype, 0.0) for t in (a, b))
                tolerance = atol if atol is not None else loose[1] if loose[1] > LOOSE[torch.float32] else loose[0] or loose[1]
                size = a.abs().amax(tuple(range(-len(shape), 0)), keepdim=True) if shape else a.abs()
                same = (a - b).abs() <= tolerance * size.clamp_min(1)
            else:
                same = a == b
            same = same.flatten(same.ndim - len(shape)).all(-1) if shape else same
            result = same if result is None else result & same
        assert result is not None
        return result

    def contains(self, g: Element, atol: float | None = None) -> Tensor:
        """Whether each given element lies in the group, ``[*batch]`` bool. By default: it equals one of the finitely many elements; a group
        that is recognised (:func:`erlangen.groups.recognised`) has the test of the library's own."""
        if not self.is_finite:
            if self._recognised is not self:
                return self._recognised.contains(g, atol)
            unsupported(self, "membership test", "give its class a .contains(g)")
        every = self.elements()
        g = self.map(lambda leaf, shape: leaf.unsqueeze(leaf.ndim - len(shape)), g)
        return self.equal(g, every, atol).any(-1)

    def check(self, g: Element, argument: str = "g") -> None:
        """Raise ArgumentError unless all of ``g`` are elements of this group; of a group without a test of membership, have their shape.

        >>> from erlangen.groups import SO
        >>> SO(3).check(-torch.eye(3))
        Traceback (most recent call last):
        ...
        erlangen.errors.ArgumentError: argument 'g': expected elements of SO(3); got 1 of 1 that are not in it
        """
        self.batch_shape(g)
        try:
            inside = self.contains(g)
        except UnsupportedError:
            return
        if not bool(inside.all()):
            from erlangen.groups.lookup import refuse

            refuse(self, ~inside, argument)

    # ---- batches of elements ----

    def _shapes(self) -> list[tuple[int, ...]]:
        """The shapes of an element's tensors, in the order of its leaves."""
        return [tuple(self.element_shape)]

    def _dtypes(self) -> list[torch.dtype | None]:
        """What type each of an element's tensors must have."""
        return [self.element_dtype]

    def map(self, function: Callable[[Tensor, tuple[int, ...]], Tensor], g: Element) -> Element:
        """Apply ``function(tensor, element_shape)`` to each tensor of ``g`` and put the element together again."""
        leaves, tree = optree.tree_flatten(g)
        return optree.tree_unflatten(tree, [function(leaf, shape) for leaf, shape in zip(leaves, self._shapes())])

    def batch_shape(self, g: Element) -> tuple[int, ...]:
        """The batch axes of ``g``.

        Raises:
            ArgumentError: ``g`` does not have the shape of this group's elements, is no tensor, or not of whole numbers where these are.
        """
        leaves, shapes = [g] if isinstance(g, Tensor) else optree.tree_leaves(g), self._shapes()
        if len(leaves) != len(shapes):
            raise ArgumentError("g", f"elements of {self}, made of {len(shapes)} tensors", f"{len(leaves)} of them")
        for leaf, shape, dtype in zip(leaves, shapes, self._dtypes()):
            if not isinstance(leaf, Tensor):
                raise ArgumentError("g", f"elements of {self} as tensors", f"{type(leaf).__name__}", "give torch.as_tensor(g)")
            split = leaf.ndim - len(shape)
            if split < 0 or tuple(leaf.shape[split:]) != shape:
                wanted = f"elements of {self} of shape [*batch{''.join(f', {n}' for n in shape)}]"
                raise ArgumentError("g", wanted, tuple(leaf.shape))
            if dtype is not None and leaf.dtype != dtype:
                raise ArgumentError("g", f"elements of {self} of type {dtype}", f"{leaf.dtype}")
        return tuple(leaves[0].shape[: leaves[0].ndim - len(shapes[0])])

    def reshape(self, g: Element, *batch: int) -> Element:
        """The same elements with other batch axes."""
        return self.map(lambda leaf, shape: leaf.reshape(*batch, *shape), g)

    def take(self, g: Element, index: Any) -> Element:
        """``g[index]`` on the batch axes."""
        return self.map(lambda leaf, shape: leaf[index], g)

    def join(self, batches: Sequence[Element]) -> Element:
        """Several batches ``[count, *element_shape]`` as one, one after another."""
        leaves = zip(*(optree.tree_leaves(g) for g in batches))
        return optree.tree_unflatten(optree.tree_structure(batches[0]), [torch.cat(parts) for parts in leaves])

    def random_word(self, *batch: int, length: int = 8, generator: torch.Generator | None = None) -> Element:
        """Products of ``length`` random discrete generators and their inverses (of a connected group: the identity)."""
        gens = self.generators
        if gens is None:
            return self.identity(*batch)
        letters = optree.tree_map(lambda g, inverse: torch.cat([g, inverse]), gens, self.inverse(gens))
        count = self.batch_shape(letters)[0]
        word = self.identity_like(self.take(letters, torch.zeros(batch, dtype=torch.int64)))  # in the generators' dtype
        for _ in range(length):
            word = self.multiply(word, self.take(letters, torch.randint(count, batch, generator=generator)))
        return word

    # ---- decompositions ----

    def decomposition(self, name: str) -> Decomposition:
        """A way to write each element as a product of easy factors, with global coordinates and the density of the invariant measure.

        Args:
            name: ``"polar"``, ``"iwasawa"``, ``"cartan"`` or ``"ldu"`` of groups of matrices that are closed under transposition,
                ``"semidirect"`` of affine groups.

        Raises:
            ArgumentError: another name, or one that this group does not have.

        >>> from erlangen.groups import GLplus
        >>> how = GLplus(3).decomposition("polar")
        >>> stretch, turn = how.split(torch.diag(torch.tensor([1.0, 2.0, 3.0])))
        >>> turn.allclose(torch.eye(3), atol=1e-6)
        True
        """
        from erlangen.groups.decompositions import decomposition

        return decomposition(self, name)

    def integrate(
        self,
        function: Callable[[Element], Tensor],
        window: float | Window = 1.0,
        count: int = 4096,
        *,
        kind: str = "sobol",
        name: str | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The integral of a function by the left Haar measure, over what a window lets through, and its standard error.

        The measure is the one of :class:`~erlangen.groups.decompositions.Decomposition`: a probability on a compact group. Of a
        finite group it is the mean over all elements, without error.

        Args:
            function: of elements ``[count, *element_shape]`` in float64 to values ``[count, ...]``.
            window: a radius, or a law, of the coordinates that are not compact; see ``decomposition(name).points``.
            count: how many points. Sobol points go in 16 independently scrambled parts, whose spread gives the error.
            kind: ``"sobol"`` or ``"random"``.
            name: of the decomposition; by default polar, of affine groups semidirect.
            generator: of the random numbers.

        Returns:
            The value and its standard error, each of the shape of a value.

        Raises:
            ArgumentError: ``count`` below 2, a window that is not positive or beyond finite numbers, values of another length.
            UnsupportedError: no ``name`` is given and the group has neither of these two (tori, products).

        >>> from erlangen.groups import SO
        >>> rng = torch.Generator().manual_seed(0)
        >>> value, error = SO(3).integrate(lambda g: g[:, 0, 0] ** 2, generator=rng)
        >>> bool((value - 1 / 3).abs() < 4 * error), bool(error < 1e-3)
        (True, True)
        """
        from erlangen.groups.decompositions.named import integrate

        return integrate(self, function, window, count, kind, name, generator)

    # ---- representations that go by a name: a class that the library recognises has those of the library's ----

    @property
    def scalar(self) -> Rep:
        """The trivial representation: a number that no transformation changes."""
        from erlangen.reps.basic import Trivial

        return Trivial(self)

    @property
    def pseudoscalar(self) -> Rep:
        """The one-dimensional representation by the determinant (of a permutation, its sign)."""
        if self._recognised is not self:
            return self._recognised.pseudoscalar
        unsupported(self, "pseudoscalar", "build the character you mean with erlangen.reps.MatrixRep")

    @property
    def vector(self) -> Rep:
        """The defining representation (of an affine group, its linear part)."""
        if self._recognised is not self:
            return self._recognised.vector
        unsupported(self, "defining representation", "build one with erlangen.reps.MatrixRep(group, function, dim)")

    @property
    def point(self) -> Action:
        """The action on points of space: of an affine group, rotation and translation; of a linear group, the same as ``vector``."""
        return self.vector if self._recognised is self else self._recognised.point

    @property
    def regular(self) -> Rep:
        """The regular representation of a finite group, on functions of its elements."""
        from erlangen.reps.finite import Regular

        return Regular(self)

    def tensor(self, k: int) -> Rep:
        """Rank-``k`` tensors: ``vector ** k``."""
        return self.vector**k

    def irrep(self, *label: Any) -> Rep:
        """The irreducible representation with this label, where closed forms are known."""
        if self._recognised is not self:
            return self._recognised.irrep(*label)
        unsupported(
            self, "closed form of its irreducible representations", "decompose a representation with erlangen.reps.isotypic"
        )

    #: How the trivial representation is written, and what names the other irreducible ones have, for people.
    _scalar_symbol, _irrep_names = "1", ""

    @property
    def scalar_symbol(self) -> str:
        """How the trivial representation is written: ``ρ0`` or ``0e`` where irreducible representations go by number, else ``1``."""
        return self._recognised._scalar_symbol

    @property
    def irrep_names(self) -> str:
        """Which names irreducible representations have, in words; empty where they have none."""
        return self._recognised._irrep_names

    def rep(self, text: str) -> Rep:
        """The representation that a text names: what a representation prints, with or without the group, and the irreps of e3nn.

        * Names are ``V`` (:attr:`vector`), ``det`` or ``sgn`` (:attr:`pseudoscalar`), ``R^n`` (permutations), ``R[G]``
          (:attr:`regular`) and those of :meth:`irrep`: frequencies and charges as ``ρ2`` or ``2``, degrees as ``2e``, ``2o`` or ``2``
          (with the parity of polynomials), ``flip``, ``turn``, ``turn-flip``. The trivial one is ``0e`` of SO(3) and O(3), ``ρ0`` or
          ``0`` where irreps have frequencies, ``1`` of any other group.
        * ``32x1o`` or ``32·1o`` are 32 copies, ``+`` is the direct sum, ``⊗`` or ``@`` the tensor product, ``**3`` a power, ``*`` the dual.

        Text is read, never evaluated; it may come from a file.

        Raises:
            ArgumentError: it cannot be read; the message says where, what stands there and what was expected.

        >>> from erlangen.groups import SO, Dihedral, O
        >>> O(3).rep("32x0e+32x1o+16x2e").dim, SO(3).rep("2x0+1x1")
        (208, 2x0e+1x1o of SO(3))
        >>> Dihedral(4).rep("2·flip + ρ1") == 2 * Dihedral(4).irrep("flip") + Dihedral(4).irrep(1)
        True
        >>> V = O(3).vector
        >>> O(3).rep(str(V ** 2 + 2 * V)) == V ** 2 + 2 * V
        True
        """
        from erlangen.reps.strings import read_rep

        return read_rep(self, text)

    # ---- values ----

    def __mul__(self, other: Group) -> Group:
        """The direct product ``G * H``."""
        from erlangen.groups.products import DirectProduct

        return DirectProduct(self, other)

    def __eq__(self, other: object) -> bool:
        """Whether both are the same group of the same elements, whichever class wrote them."""
        if self is other:
            return True
        if not isinstance(other, Group):
            return NotImplemented
        a, b = self._recognised, other._recognised
        return a is b or (type(a) is type(b) and a.equality_key() == b.equality_key())

    def __hash__(self) -> int:
        known = self._recognised
        return hash((type(known).__name__, known.equality_key()))

    def __repr__(self) -> str:
        return self.name
