"""Class groups beyond what can be listed: their structure by PARI, small primes in them by discrete logarithms.

Words of an element come from the lattice of relations between small primes, reduced, by rounding to its nearest vector (Babai 1986), as
CSI-FiSh does for isogenies (Beullens, Kleinjung and Vercauteren 2019).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isqrt, lcm, prod
from typing import Any

from sympy import factorint

from erlangen.errors import unsupported
from erlangen.fields.curves.class_groups import WORD_PRIMES, ClassGroup, check_modulus
from erlangen.fields.curves.engine import pari
from erlangen.fields.curves.forms import Form
from erlangen.fields.curves.orders import Order
from erlangen.groups import FiniteAbelian

#: Baby steps of one discrete logarithm.
LARGEST_TABLE = 4_000_000


def large_class_group(order: Order, avoiding: int) -> ClassGroup:
    """The class group by PARI's ``quadclassunit``: its structure is proved under the generalised Riemann hypothesis (Buchmann 1990).

    Raises:
        UnsupportedError: a cyclic factor beyond 2^62, or a discrete logarithm that needs too many steps.
        MissingExtra: cypari is not installed.
    """
    D = order.discriminant
    found = pari().quadclassunit(D)
    moduli, gens = [int(n) for n in found[1]], [_form(f) for f in found[2]]
    check_modulus(moduli)
    logs = Logarithms(moduli, gens, D)
    primes: list[tuple[int, int]] = []
    rows: list[tuple[int, ...]] = []
    for ell, b in order.split_primes(avoiding=avoiding):
        primes.append((ell, b))
        rows.append(logs(Form.of(ell, b, D)))
        if len(primes) >= WORD_PRIMES and _generate(rows, moduli):
            break
    return ClassGroup(order, FiniteAbelian(*moduli), tuple(gens), tuple(primes), Words(rows, moduli), logs)


def _form(found: Any) -> Form:
    return Form(*(int(v) for v in list(found)[:3])).reduced()


def _generate(rows: list[tuple[int, ...]], moduli: list[int]) -> bool:
    """Whether some residues generate the whole group."""
    gp = pari()
    columns = [list(row) for row in rows] + [[n if i == k else 0 for k in range(len(moduli))] for i, n in enumerate(moduli)]
    diagonal = gp.matsnf(gp.matrix(len(columns), len(moduli), [v for row in columns for v in row]))
    return all(abs(int(v)) <= 1 for v in diagonal)


class Logarithms:
    """Residues of forms with respect to generators of independent orders, after Pohlig and Hellman (1978)."""

    def __init__(self, moduli: list[int], gens: list[Form], D: int) -> None:
        self.moduli, self.gens, self.D = moduli, gens, D
        self.exponent = lcm(*moduli)
        self._tables: dict[tuple[Form, ...], dict[Form, tuple[int, ...]]] = {}

    def __call__(self, form: Form) -> tuple[int, ...]:
        """The residues of a form."""
        parts = [self._primary(form, q, power) for q, power in factorint(self.exponent).items()]
        return tuple(_chinese([part[i] for part in parts]) for i in range(len(self.moduli)))

    def _primary(self, form: Form, q: int, power: int) -> list[tuple[int, int]]:
        """The residues modulo the powers of one prime, digit by digit."""
        cofactor = self.exponent // q**power
        heights = [_power(n, q) for n in self.moduli]
        x = form**cofactor
        bases = [g**cofactor for g in self.gens]
        found = [0] * len(self.moduli)
        # Generators of order q^h; the digit k from the top needs those of height above it.
        for k in range(power - 1, -1, -1):
            rest = x
            for g, e in zip(bases, found):
                rest = rest * g**-e
            active = [i for i, h in enumerate(heights) if h > k]
            # rest^(q^k) lies in the span of g_i^(q^(h_i - 1)) for the active ones
            digits = self._small(rest ** (q**k), [bases[i] ** (q ** (heights[i] - 1)) for i in active], q)
            for i, digit in zip(active, digits):
                found[i] += digit * q ** (heights[i] - 1 - k)
        return [(e, q**h) for e, h in zip(found, heights)]

    def _small(self, x: Form, bases: list[Form], q: int) -> tuple[int, ...]:
        """``x`` as a product of powers of generators of order ``q``: baby steps and giant steps in the first, all of the others."""
        neutral = Form.principal(self.D).reduced()
        if x == neutral:
            return (0,) * len(bases)
        others = q ** (len(bases) - 1)
        steps = isqrt(q * others) // others + 1
        if steps * others > LARGEST_TABLE:
            unsupported(
                self, f"discrete logarithm of order {q}", "act by prime ideals with curves.walk, which needs no class group"
            )
        first, rest = bases[0], bases[1:]
        if (table := self._tables.get((first, *rest))) is None:
            table = {}
            for combination, form in _combinations(rest, q, neutral):
                for k in range(steps):
                    table.setdefault(form, (k, *combination))
                    form = form * first
            self._tables[first, *rest] = table
        giant = first ** (-steps)
        for k in range(q // steps + 2):
            if x in table:
                low, *remaining = table[x]
                return ((low + k * steps) % q, *remaining)
            x = x * giant
        raise ArithmeticError("a class is not in the span of the generators of its group")

    def __repr__(self) -> str:
        return f"class group {' x '.join(f'Z/{n}' for n in self.moduli)}"


def _combinations(bases: list[Form], q: int, neutral: Form) -> Iterator[tuple[tuple[int, ...], Form]]:
    if not bases:
        yield (), neutral
        return
    for rest, form in _combinations(bases[1:], q, neutral):
        for k in range(q):
            yield (k, *rest), form
            form = form * bases[0]


def _power(n: int, q: int) -> int:
    k = 0
    while n % q == 0:
        n, k = n // q, k + 1
    return k


def _chinese(residues: list[tuple[int, int]]) -> int:
    value, modulus = 0, 1
    for r, m in residues:
        if m > 1:
            value += modulus * ((r - value) * pow(modulus, -1, m) % m)
            modulus *= m
    return value


class Words(Mapping[tuple[int, ...], tuple[int, ...]]):
    """Short exponents of small primes for each element: a solution, moved by the reduced lattice of relations to near zero."""

    def __init__(self, rows: list[tuple[int, ...]], moduli: list[int]) -> None:
        gp = pari()
        self.moduli, count = moduli, len(rows)
        width = count + len(moduli)
        entries = [[row[i] for row in rows] + [n if i == k else 0 for k in range(len(moduli))] for i, n in enumerate(moduli)]
        self._solve = gp.matrix(len(moduli), width, [v for row in entries for v in row])
        kernel = gp.matkerint(self._solve)
        relations = [[int(kernel[i, k]) for i in range(count)] for k in range(width - len(moduli))]
        basis = gp.matrix(count, len(relations), [relations[k][i] for i in range(count) for k in range(len(relations))])
        reduced = basis * gp.qflll(basis)
        self._reduced, self._inverse, self._count = reduced, reduced ** (-1), count

    def __getitem__(self, place: tuple[int, ...]) -> tuple[int, ...]:
        gp = pari()
        target = gp.matrix(len(place), 1, list(place))
        solution = gp.matsolvemod(self._solve, 0, target[0])
        far = gp.matrix(self._count, 1, [int(solution[i]) for i in range(self._count)])[0]
        nearest = (self._inverse * far).round()
        return tuple(int(v) for v in far - self._reduced * nearest)

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        unsupported(self, "list of its elements", "ask for one")

    def __len__(self) -> int:
        return prod(self.moduli)

    def __repr__(self) -> str:
        return f"words of {' x '.join(f'Z/{n}' for n in self.moduli)}"
