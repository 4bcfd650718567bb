"""Mechanisms: rules that decide for several people, and the axioms that they keep or break.

Two families share one vocabulary of axioms and one :func:`check`: facility location (:mod:`~erlangen.fields.mechanisms.location`) and
fair division of items (:mod:`~erlangen.fields.mechanisms.division`).
"""

from erlangen.fields.mechanisms.axioms import AXIOMS, Axiom, axiom
from erlangen.fields.mechanisms.checking import check
from erlangen.fields.mechanisms.division import Allocation, Instance, exists, solve

__all__ = ["AXIOMS", "Allocation", "Axiom", "Instance", "axiom", "check", "exists", "solve"]
