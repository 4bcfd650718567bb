"""Facility location: rules that choose places for people who report where they are."""

from erlangen.fields.mechanisms.location.checking import check_location
from erlangen.fields.mechanisms.location.domain import Domain
from erlangen.fields.mechanisms.location.mechanism import Mechanism, Property
from erlangen.fields.mechanisms.location.median import geometric_median
from erlangen.fields.mechanisms.location.optimum import Optimal, best_found, optimum, smallest_ball
from erlangen.fields.mechanisms.location.order import (
    EndPoint,
    GeneralizedMedian,
    InnerPoint,
    Median,
    OrderStatistic,
    Percentile,
)
from erlangen.fields.mechanisms.location.pareto import dominated
from erlangen.fields.mechanisms.location.places import (
    Constant,
    Dictator,
    DictatorAndFarthest,
    GeometricMedian,
    Mean,
    RandomDictator,
)
from erlangen.fields.mechanisms.location.profiles import agent_costs, distances, social_cost
from erlangen.fields.mechanisms.location.proving import Sat, Unsat, mechanisms_on, prove
from erlangen.fields.mechanisms.location.ratios import WorstCase, known_ratio, ratios, worst_case, worst_profile
from erlangen.fields.mechanisms.location.rule import Rule
from erlangen.fields.mechanisms.location.table import Table
from erlangen.fields.mechanisms.location.witness import Different, Dominated, Manipulation

__all__ = [
    "Constant",
    "Dictator",
    "DictatorAndFarthest",
    "Different",
    "Domain",
    "Dominated",
    "EndPoint",
    "GeneralizedMedian",
    "GeometricMedian",
    "InnerPoint",
    "Manipulation",
    "Mean",
    "Mechanism",
    "Median",
    "Optimal",
    "OrderStatistic",
    "Percentile",
    "Property",
    "RandomDictator",
    "Rule",
    "Sat",
    "Table",
    "Unsat",
    "WorstCase",
    "agent_costs",
    "best_found",
    "check_location",
    "distances",
    "dominated",
    "geometric_median",
    "known_ratio",
    "mechanisms_on",
    "optimum",
    "prove",
    "ratios",
    "smallest_ball",
    "social_cost",
    "worst_case",
    "worst_profile",
]
