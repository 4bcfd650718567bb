"""Fair division of items that some like and others dislike (mixed manna), with additive utilities.

``solve`` chooses an algorithm by the class of the utilities and says what it guarantees; ``check`` certifies or
refutes any allocation, with a witness.
"""

from erlangen.fields.mechanisms.division.algorithms import (
    adjusted_winner,
    double_round_robin,
    greedy_magnitude,
    plain_double_round_robin,
    round_robin,
    utilitarian_greedy,
)
from erlangen.fields.mechanisms.division.allocation import Allocation
from erlangen.fields.mechanisms.division.batches import property_table
from erlangen.fields.mechanisms.division.checks import check_allocation
from erlangen.fields.mechanisms.division.classes import CLASSES, GUARANTEES, Guarantee
from erlangen.fields.mechanisms.division.efficiency import Trade
from erlangen.fields.mechanisms.division.envy import Envy
from erlangen.fields.mechanisms.division.instance import Instance
from erlangen.fields.mechanisms.division.programs import max_nash_welfare, utilitarian_ef1
from erlangen.fields.mechanisms.division.relabelling import Ordered, Relabelling, check_division
from erlangen.fields.mechanisms.division.search import exists
from erlangen.fields.mechanisms.division.solving import RULES, solve
from erlangen.fields.mechanisms.division.weights import weighted_welfare

__all__ = [
    "CLASSES",
    "GUARANTEES",
    "RULES",
    "Allocation",
    "Envy",
    "Guarantee",
    "Instance",
    "Ordered",
    "Relabelling",
    "Trade",
    "adjusted_winner",
    "check_allocation",
    "check_division",
    "double_round_robin",
    "exists",
    "greedy_magnitude",
    "max_nash_welfare",
    "plain_double_round_robin",
    "property_table",
    "round_robin",
    "solve",
    "utilitarian_ef1",
    "utilitarian_greedy",
    "weighted_welfare",
]
