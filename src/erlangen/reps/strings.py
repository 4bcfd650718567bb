"""Representations as text: ``"32x0e+32x1o"``, ``"V⊗V + 2·V"``, ``"3xρ2 + flip"``. What is printed can be read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from erlangen.errors import ArgumentError, ErlangenError

if TYPE_CHECKING:
    from erlangen.groups.base import Group
    from erlangen.reps.base import Rep

#: The most copies, tensor axes and nested parentheses that a text may ask for: it may come from a file.
MAX_COPIES, MAX_AXES, MAX_DEPTH = 100_000, 32, 32
#: How much of a text an error shows.
_SHOWN = 60

_SPACE = re.compile(r"\s*")
_COUNT = re.compile(r"(\d{1,9})\s*[x×·]\s*")
_POWER = re.compile(r"\*\*\s*(\d{1,9})")
_NUMBER = re.compile(r"ρ?(-?\d{1,9})(?:([eo])(?![A-Za-z]))?")
_NUMBERS = re.compile(r"ρ?\(\s*(-?\d{1,9}(?:\s*,\s*-?\d{1,9})+)\s*\)")
_NAME = re.compile(r"R\[G\]|R\^\d+|[A-Za-z]+(?:-[A-Za-z]+)*")


def read_rep(group: Group, text: str, argument: str = "text") -> Rep:
    """The representation of ``group`` that a text names; see :meth:`erlangen.groups.base.Group.rep`, which calls this."""
    if not isinstance(text, str):
        raise ArgumentError(argument, "the name of a representation, such as '2x0e+1x1o' or 'V⊗V'", repr(text))
    body, of, whose = text.partition(" of ")
    if of and whose.strip() != str(group):
        raise ArgumentError(argument, f"a representation of {group}", f"{text!r}, which names one of {whose.strip()!r}")
    return _Reader(group, body, argument).whole()


class _Reader:
    """A reader of sums, products, powers, duals and names, from left to right."""

    def __init__(self, group: Group, text: str, argument: str) -> None:
        self.group, self.text, self.argument = group, text, argument
        self.at = self.depth = self.copies = 0

    def whole(self) -> Rep:
        found = self.sum()
        if self.at < len(self.text):
            self.refuse("'+', '⊗' or the end")
        return found

    def sum(self) -> Rep:
        from erlangen.reps.combine import direct_sum

        parts = [*self.term()]
        while self.take("+"):
            parts += self.term()
        return direct_sum(*parts)

    def term(self) -> list[Rep]:
        """So many copies of a product."""
        start, count = self.at, self.match(_COUNT)
        number = int(count[1]) if count else 1
        self.copies += number
        if not number or self.copies > MAX_COPIES:
            self.at = start
            self.refuse(f"from 1 to {MAX_COPIES} copies in all")
        return [self.product()] * number

    def product(self) -> Rep:
        from erlangen.reps.combine import tensor_product

        factors = [*self.factor()]
        while self.take("⊗") or self.take("@"):
            factors += self.factor()
        if len(factors) > MAX_AXES:
            self.refuse(f"at most {MAX_AXES} factors before this")
        return tensor_product(*factors)

    def factor(self) -> list[Rep]:
        """A name or a sum in parentheses, its dual, and how often it is multiplied."""
        numbers = self.match(_NUMBERS)
        if numbers:
            found = self.irrep(numbers.start(), *(int(n) for n in numbers[1].split(",")))
        elif self.take("("):
            self.depth += 1
            if self.depth > MAX_DEPTH:
                self.refuse(f"at most {MAX_DEPTH} nested parentheses")
            found = self.sum()
            if not self.take(")"):
                self.refuse("')'")
            self.depth -= 1
        else:
            found = self.named()
        while not self.text.startswith("**", self.at) and self.take("*"):
            found = found.dual
        power = self.match(_POWER)
        if power and not 1 <= int(power[1]) <= MAX_AXES:
            self.at = power.start()
            self.refuse(f"a power from 1 to {MAX_AXES}")
        return [found] * (int(power[1]) if power else 1)

    def named(self) -> Rep:
        start = self.at
        number = self.match(_NUMBER)
        if number:
            if number[0] == "1" and self.group.scalar.symbol == "1":
                return self.group.scalar
            parity = {"e": (1,), "o": (-1,), None: ()}[number[2]]
            return self.irrep(start, int(number[1]), *parity)
        name = self.match(_NAME)
        if not name:
            self.refuse(f"a representation of {self.group}: {self.known()}")
        known = {
            "V": lambda: self.group.vector,
            "R[G]": lambda: self.group.regular,
            "det": lambda: self.group.pseudoscalar,
            "sgn": lambda: self.group.pseudoscalar,
        }
        try:
            if name[0] in known or name[0].startswith("R^"):
                found = known.get(name[0], known["V"])()
                if name[0] in ("V", found.symbol):
                    return found
            else:
                return self.group.irrep(name[0])
        except ErlangenError:
            pass
        self.at = start
        self.refuse(f"a representation of {self.group}: {self.known()}")

    def irrep(self, start: int, *label: int) -> Rep:
        try:
            return self.group.irrep(*label)
        except (ErlangenError, TypeError) as error:
            self.at = start
            why = f" ({error.expected})" if isinstance(error, ArgumentError) else ""
            self.refuse(f"a representation of {self.group}: {self.known()}{why}")

    # ---- what stands at the place that was reached ----

    def take(self, sign: str) -> bool:
        found = self.text.startswith(sign, self.at)
        if found:
            self.at += len(sign)
            self.skip()
        return found

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        self.skip()
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()
            self.skip()
        return found

    def skip(self) -> None:
        self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]

    def known(self) -> str:
        """The names that this group has, for people."""
        names = [self.group.scalar.symbol]
        for attribute in ("vector", "pseudoscalar"):
            try:
                names.append(getattr(self.group, attribute).symbol)
            except ErlangenError:
                continue
        if self.group.is_finite:
            names.append("R[G]")
        if self.group.irrep_names:
            names.append(self.group.irrep_names)
        return ", ".join(dict.fromkeys(names)) + ", their sums, products and duals"

    def refuse(self, expected: str) -> NoReturn:
        rest = self.text[self.at : self.at + _SHOWN]
        whole = self.text if len(self.text) <= _SHOWN else self.text[:_SHOWN] + ".."
        raise ArgumentError(
            self.argument, f"{expected}, at character {self.at + 1}", f"{repr(rest) if rest else 'the end'} in {whole!r}"
        )
