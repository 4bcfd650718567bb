"""What a person reads when an argument is refused: text that came is in quotes, so that "3" is not taken for 3."""

import ast
from pathlib import Path

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError, MissingExtra
from erlangen.extras import engine

SOURCE = Path(er.__file__).parent


@pytest.mark.parametrize(
    ("refuse", "ending"),
    [
        (lambda: er.Cyclic("3"), "got '3'"),
        (lambda: er.Cyclic(-3), "got -3"),
        (lambda: er.SO("3"), "got '3'"),
        (lambda: er.groups.SpaceGroup("225"), "got '225'"),
        (lambda: er.frames.Haar(0), "got 0"),
        (lambda: er.SO(3).vector.act(torch.eye(3), torch.zeros(2, 4)), "got shape (2, 4)"),
        (lambda: er.symmetrize(torch.nn.Linear(3, 3), er.SO(3).vector, er.SO(3).vector, frame="Haar"), "got str"),
    ],
)
def test_text_is_shown_in_quotes_and_descriptions_are_not(refuse, ending):
    with pytest.raises(ArgumentError) as caught:
        refuse()
    assert f"{ending}. " in f"{caught.value}. "


def test_no_argument_is_shown_bare():
    """An argument itself goes into the message as ``repr(argument)``: it may be text."""
    bare = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ArgumentError" and len(node.args) > 2:
                name, got = node.args[0], node.args[2]
                held = got.id if isinstance(got, ast.Name) else getattr(got, "attr", None)
                if isinstance(name, ast.Constant) and held == name.value and held not in ("path", "directory"):
                    bare.append(f"{path.relative_to(SOURCE)}:{node.lineno}")
    assert not bare


def test_a_missing_part_of_an_engine_is_named():
    with pytest.raises(MissingExtra, match=r"'sklearn\.no_such_part'"):
        engine("zoo", "sklearn.no_such_part")
    with pytest.raises(MissingExtra, match=r"'no_such_engine'.*erlangen\[jets\]"):
        engine("jets", "no_such_engine.part")
