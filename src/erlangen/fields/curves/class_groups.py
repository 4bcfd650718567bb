"""The class group of an imaginary quadratic order as a finite abelian group, with small prime ideals for each of its elements.

Up to the discriminant -10^8 all classes are listed, in whole numbers alone. Beyond, PARI gives the structure, and small primes are found in
it by discrete logarithms (Pohlig and Hellman 1978); short words come from the lattice of relations (as in CSI-FiSh, Beullens et al. 2019).
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from erlangen.errors import ArgumentError, unsupported
from erlangen.fields.curves.forms import Form
from erlangen.fields.curves.ideals import Ideal
from erlangen.fields.curves.orders import Order
from erlangen.groups import FiniteAbelian
from erlangen.groups.abelian import LARGEST_MODULUS

#: Class groups up to this order are listed class by class.
LARGEST_CLASSES = 20_000
#: Primes from which words are made.
WORD_PRIMES = 8


@dataclass(frozen=True)
class ClassGroup:
    """The invertible ideals of an order up to factors.

    Attributes:
        order: the quadratic order.
        group: the class group, a :class:`erlangen.groups.FiniteAbelian`.
        generators: the form of each generator of ``group``.
        primes: small primes ``ell`` with the ``b`` of their forms ``(ell, b, c)``, of which words are made.

    >>> toy = class_group(Order(-419, 2))
    >>> toy.group, toy.element(Form(7, 2, 60)).tolist(), toy.element(Form(5, 2, 84)).tolist()
    (Z/27, [5], [12])
    >>> toy.form(torch.tensor([5])) == Form(7, 2, 60).reduced()
    True
    """

    order: Order
    group: FiniteAbelian
    generators: tuple[Form, ...]
    primes: tuple[tuple[int, int], ...]
    _words: Mapping[tuple[int, ...], tuple[int, ...]] = field(repr=False, compare=False)
    _logs: Any = field(repr=False, compare=False)

    def form(self, g: Tensor) -> Form:
        """The reduced form of an element, ``[r]``."""
        self._check_one(g)
        result = Form.principal(self.order.discriminant)
        for form, k in zip(self.generators, g.tolist()):
            result = result * form**k
        return result.reduced()

    def _check_one(self, g: Tensor) -> None:
        self.group.check(g)
        if g.ndim != 1:
            raise ArgumentError(
                "g", f"one element of {self.group}", f"a batch of shape {tuple(g.shape[:-1])}", "take them in a loop"
            )

    def element(self, of: Form | Ideal) -> Tensor:
        """The class of a form or of an invertible ideal, ``[r]``.

        Raises:
            ArgumentError: another discriminant; an ideal that is not invertible.
        """
        if not isinstance(of, Form | Ideal):
            raise ArgumentError("of", f"a Form or an Ideal of {self.order}", repr(of))
        form = of.form if isinstance(of, Ideal) else of
        if isinstance(of, Ideal) and (of.order != self.order or not of.is_invertible):
            raise ArgumentError(
                "of", f"an invertible ideal of {self.order}", f"one of {of.order} with multipliers {of.multipliers}"
            )
        if form.discriminant != self.order.discriminant or form.content != 1:
            raise ArgumentError("of", f"a primitive form of discriminant {self.order.discriminant}", repr(form))
        return torch.tensor(self._logs(form.reduced()))

    def word(self, g: Tensor) -> dict[tuple[int, int], int]:
        """An element as a product of prime ideals: exponents by ``(ell, b)``, negative ones for the conjugates.

        Where classes are listed it is the cheapest one, a step of degree ``ell`` at the cost of ``ell``.
        """
        self._check_one(g)
        word = self._words[tuple(g.tolist())]
        return {prime: k for prime, k in zip(self.primes, word) if k}


def class_group(order: Order, avoiding: int = 1) -> ClassGroup:
    """The class group of an order.

    Args:
        order: the order.
        avoiding: words are made of primes that do not divide this number.

    Raises:
        ArgumentError: no :class:`~erlangen.fields.curves.Order`, or ``avoiding`` is no whole number from 1 on.
        UnsupportedError: a cyclic factor is beyond 2^62, the largest of :class:`erlangen.groups.FiniteAbelian`, or its order has a prime
            for which discrete logarithms are out of reach.
        MissingExtra: the discriminant is beyond -10^8 or there are more than 20 000 classes, and PARI is not installed.

    >>> class_group(Order(-7, 6)).group, class_group(Order(-71)).group
    (Z/4, Z/7)
    """
    from erlangen.fields.curves.forms import LARGEST_LISTED

    if not isinstance(order, Order):
        raise ArgumentError("order", "an Order", repr(order))
    if not isinstance(avoiding, int) or avoiding < 1:  # every prime divides 0
        raise ArgumentError("avoiding", "a whole number of at least 1", repr(avoiding))
    if -order.discriminant <= LARGEST_LISTED and order.class_number <= LARGEST_CLASSES:
        return _listed(order, avoiding)
    from erlangen.fields.curves.large_class_groups import large_class_group

    return large_class_group(order, avoiding)


def _listed(order: Order, avoiding: int) -> ClassGroup:
    D, h = order.discriminant, order.class_number
    neutral = Form.principal(D).reduced()
    known: dict[Form, tuple[int, ...]] = {neutral: ()}
    relations: list[list[int]] = []
    forms: list[Form] = []
    for ell, b in order.split_primes(avoiding=avoiding):
        if len(known) == h:
            break
        step = Form.of(ell, b, D).reduced()
        if step in known:
            continue
        powers, power = [neutral], step
        while power not in known:
            powers.append(power)
            power = power * step
        relations.append([-k for k in known[power]] + [0] * (len(forms) - len(known[power])) + [len(powers)])
        forms.append(step)
        known = {f * p: (*v, *[0] * (len(forms) - 1 - len(v)), k) for f, v in known.items() for k, p in enumerate(powers)}
    if not forms:
        group, images = FiniteAbelian(1), torch.zeros(1, 0, dtype=torch.int64)
    else:
        size = len(forms)
        group, images = FiniteAbelian.from_relations([row + [0] * (size - len(row)) for row in relations])
    modulus = torch.tensor(group.moduli)
    logs = {
        form: tuple((images @ torch.tensor([*v, *[0] * (len(forms) - len(v))], dtype=torch.int64) % modulus).tolist())
        for form, v in known.items()
    }
    inverse = {place: form for form, place in logs.items()}
    generators = tuple(inverse[tuple(row)] for row in group.generators.tolist())
    if len(inverse) != h:
        raise ArithmeticError(f"{len(inverse)} classes were met where {h} reduced forms are")
    primes = tuple(islice(order.split_primes(avoiding=avoiding), max(WORD_PRIMES, len(forms))))
    while len(words := _cheapest(primes, D, logs)) < h:  # the first primes may not generate
        primes = tuple(islice(order.split_primes(avoiding=avoiding), 2 * len(primes)))
    return ClassGroup(order, group, generators, primes, words, logs.__getitem__)


def _cheapest(
    primes: tuple[tuple[int, int], ...], D: int, logs: Mapping[Form, tuple[int, ...]]
) -> dict[tuple[int, ...], tuple[int, ...]]:
    """For each class the exponents of the cheapest word (Dijkstra), a letter costs its prime."""
    letters = []
    for i, (ell, b) in enumerate(primes):
        form = Form.of(ell, b, D).reduced()
        letters += [(ell, i, 1, form), (ell, i, -1, form.inverse())]
    start = Form.principal(D).reduced()
    queue: list[tuple[int, tuple[int, ...], Form]] = [(0, (0,) * len(primes), start)]
    done: dict[tuple[int, ...], tuple[int, ...]] = {}
    best: dict[Form, int] = {start: 0}
    while queue:
        cost, word, form = heapq.heappop(queue)
        place = logs[form]
        if place in done:
            continue
        done[place] = word
        for ell, i, sign, letter in letters:
            there = form * letter
            if (price := cost + ell) < best.get(there, price + 1):
                best[there] = price
                heapq.heappush(queue, (price, (*word[:i], word[i] + sign, *word[i + 1 :]), there))
    return done


def check_modulus(cyclic: list[int]) -> None:
    """Raise UnsupportedError where residues would not fit the core's abelian groups."""
    if max(cyclic, default=1) > LARGEST_MODULUS:
        unsupported(
            f"a class group with a cyclic factor of order {max(cyclic)}",
            "elements of 64 bits",
            "act by prime ideals with curves.walk, which needs no class group",
        )
