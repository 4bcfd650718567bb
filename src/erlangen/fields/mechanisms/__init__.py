"""Mechanisms: rules that decide for several people, and the axioms that they keep or break.

Two families share one vocabulary of axioms: facility location (:mod:`~erlangen.fields.mechanisms.location`) and
fair division of items (:mod:`~erlangen.fields.mechanisms.division`).
"""

from erlangen.fields.mechanisms.axioms import AXIOMS, Axiom, axiom
from erlangen.fields.mechanisms.division import Allocation, Instance

__all__ = ["AXIOMS", "Allocation", "Axiom", "Instance", "axiom"]
