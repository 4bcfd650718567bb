"""What a person reads when an argument is refused: text that came is in quotes, so that "3" is not taken for 3."""

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError


def check_count(count):
    raise ArgumentError("count", "a positive number", count)


def check_each(name, value):
    raise ArgumentError(name, "a positive number", value)


def describe(x):
    raise ArgumentError("x", "a tensor", type(x).__name__)


def describe_in_a_variable(x):
    got = f"shape {tuple(x.shape)}"
    raise ArgumentError("x", "a vector", got)


class Config:
    def __init__(self, count):
        self.count = count

    def check(self):
        raise ArgumentError("count", "a positive number", self.count)


@pytest.mark.parametrize(
    ("refuse", "ending"),
    [
        (lambda: check_count("3"), "got '3'"),
        (lambda: check_count(-3), "got -3"),
        (lambda: check_each("count", "3"), "got '3'"),
        (lambda: Config("3").check(), "got '3'"),
        (lambda: describe("3"), "got str"),
        (lambda: describe_in_a_variable(torch.zeros(2, 3)), "got shape (2, 3)"),
        (lambda: er.Cyclic("3"), "got '3'"),
        (lambda: er.SO("3"), "got '3'"),
        (lambda: er.symmetrize(torch.nn.Linear(3, 3), er.SO(3).vector, er.SO(3).vector, frame="Haar"), "got str"),
    ],
)
def test_text_is_shown_in_quotes_and_descriptions_are_not(refuse, ending):
    with pytest.raises(ArgumentError) as caught:
        refuse()
    assert f"{ending}. " in f"{caught.value}. "
