"""One vocabulary: each name once, every spelling understood, each axiom asked only of what has it."""

from __future__ import annotations

import pytest

from erlangen.errors import ArgumentError
from erlangen.fields.mechanisms import AXIOMS, axiom


def test_each_name_and_spelling_is_of_one_axiom() -> None:
    spelled = [text.lower() for each in AXIOMS for text in (each.name, *each.aliases)]
    assert len(spelled) == len(set(spelled))
    for each in AXIOMS:
        assert axiom(each.name) is axiom(each) is each
        assert all(axiom(alias.lower()) is each for alias in each.aliases)
        assert each.of <= {"location", "division", "allocation"}
        assert each.of


def test_an_axiom_is_asked_of_what_has_it() -> None:
    assert axiom("PO", "location") is axiom("PO", "allocation")
    with pytest.raises(ArgumentError, match="axiom of an allocation: PO, fPO, EF, .*; got 'SP'"):
        axiom("SP", "allocation")
    with pytest.raises(ArgumentError, match="got 'EFY'"):
        axiom("EFY")
    with pytest.raises(ArgumentError, match="got 3"):
        axiom(3)  # type: ignore[arg-type]
