"""Mechanisms: rules that decide for several people, and the axioms that they keep or break.

Two families share one vocabulary of axioms: facility location (:mod:`~erlangen.fields.mechanisms.location`) and
fair division of items (:mod:`~erlangen.fields.mechanisms.division`).
"""

from erlangen.fields.mechanisms.axioms import AXIOMS, Axiom, axiom

__all__ = ["AXIOMS", "Axiom", "axiom"]
