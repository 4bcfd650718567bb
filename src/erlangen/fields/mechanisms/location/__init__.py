"""Facility location: rules that choose places for people who report where they are."""

from erlangen.fields.mechanisms.location.checking import check_location
from erlangen.fields.mechanisms.location.domain import Domain
from erlangen.fields.mechanisms.location.mechanism import Mechanism, Property
from erlangen.fields.mechanisms.location.median import geometric_median
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
from erlangen.fields.mechanisms.location.rule import Rule
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
    "OrderStatistic",
    "Percentile",
    "Property",
    "RandomDictator",
    "Rule",
    "agent_costs",
    "check_location",
    "distances",
    "dominated",
    "geometric_median",
    "social_cost",
]
