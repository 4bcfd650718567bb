"""Studies found by name: ours and those of other packages, the front page's table, announced claims against measured ones."""

from __future__ import annotations

import dataclasses
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import erlangen.offers
from erlangen.errors import ArgumentError
from erlangen.reporting import RIVAL, RIVAL_CLAIM, Claim, Claims, Outcome, Rival
from erlangen.studies import Announced, Part, Study, catalogue, catalogue_table, load_study, study_names
from erlangen.studies.systems import BEGIN, END, SYSTEMS, with_table
from erlangen.testing import check_study

ROOT = Path(__file__).parents[2]


@dataclasses.dataclass(frozen=True)
class Config:
    part: str = "one"
    measured: tuple[str, ...] = ("first",)
    left_out: tuple[str, ...] = ("second",)


GUESS = Rival("a guess", "mine", "error", 0.1, 0.2, "lower")


def run(config: Config, *, quiet: bool = False, rivals: tuple[Rival, ...] = (GUESS,)) -> Outcome:
    claims = Claims(Claim(f"about {key}", None, 1.0, True, key=key) for key in config.measured)
    return Outcome("mine", "Mine", config, claims, left_out=dict.fromkeys(config.left_out, "too long"), rivals=rivals)


ANNOUNCED = {"first": "one is one", "second": "two is two", RIVAL: RIVAL_CLAIM}
MINE = Study("mine", None, "A study of my own", "myself", Config, run, ANNOUNCED)


@pytest.fixture
def installed(monkeypatch):
    """Erlangen's studies, and what more is written into the returned list."""
    own = list(erlangen.offers.entry_points(group="erlangen.studies"))
    more: list[EntryPoint] = []
    monkeypatch.setattr(erlangen.offers, "entry_points", lambda group: [*own, *more] if group == "erlangen.studies" else [])
    return more


def test_every_module_of_studies_is_offered_under_its_name():
    folder = ROOT / "src" / "erlangen" / "studies"
    modules = {path.stem for path in folder.glob("[a-z]*") if path.is_dir() or path.suffix == ".py"}
    modules = {name for name in modules if (folder / name / "__init__.py").is_file() or (folder / f"{name}.py").is_file()}
    assert {name.replace("-", "_") for name in study_names()} >= modules - {"base", "rivals", "systems"}
    for name in study_names():
        assert load_study(name).name == name


def test_a_study_of_another_package_is_there(installed):
    installed.append(EntryPoint("mine", f"{__name__}:MINE", "erlangen.studies"))
    assert "mine" in study_names()
    assert load_study("mine") is MINE
    (others,) = (entry for entry in catalogue() if entry["number"] is None)
    assert others["studies"] == {"mine": ["one is one", "two is two", RIVAL_CLAIM]}
    assert catalogue_table().row_count == len(SYSTEMS) + 1


def test_what_is_no_study_of_that_name_is_refused(installed):
    installed += [
        EntryPoint(name, f"{__name__}:{what}", "erlangen.studies") for name, what in (("other", "MINE"), ("path", "ROOT"))
    ]
    for name in ("other", "path"):
        with pytest.raises(ArgumentError, match=f"a Study named '{name}'"):
            load_study(name)
    installed.append(EntryPoint("path", f"{__name__}:MINE", "erlangen.studies"))
    with pytest.raises(ArgumentError, match="one thing of the name 'path'"):
        load_study("path")


def test_what_one_package_has_broken_leaves_the_others(installed):
    installed += [EntryPoint(name, value, "erlangen.studies") for name, value in (
        ("mine", f"{__name__}:MINE"), ("path", f"{__name__}:ROOT"), ("gone", "no_such_package:STUDY"), ("nft", f"{__name__}:MINE"),
    )]  # fmt: skip
    assert load_study("mine") is MINE
    others = catalogue()[-1]["studies"]
    assert others["mine"] == ["one is one", "two is two", RIVAL_CLAIM]
    for name, said in (("path", "a Study named"), ("gone", "no_such_package"), ("nft", "one thing of the name")):
        (reason,) = others[name]
        assert reason.startswith("cannot be loaded: ")
        assert said in reason
    assert catalogue_table().row_count == len(SYSTEMS) + 1


def test_old_entry_points_are_said_to_be_old(monkeypatch):
    with pytest.raises(ArgumentError, match=r"liegan-jets.*got 'nonesuch'$"):
        load_study("nonesuch")
    ours = erlangen.offers.entry_points(group="erlangen.studies")
    monkeypatch.setattr(erlangen.offers, "entry_points", lambda group: [e for e in ours if e.name != "nft"])
    with pytest.raises(ArgumentError, match="install it again"):
        load_study("nft")
    monkeypatch.setattr(erlangen.offers, "entry_points", lambda group: [])
    with pytest.raises(ArgumentError, match=r"none is installed.*install it again"):
        load_study("liegan-jets")


def test_the_front_page_has_the_table_of_systems():
    page = (ROOT / "README.md").read_text()
    assert with_table(page) == page, "run python docs/write_systems.py"
    with pytest.raises(ValueError, match="one line"):
        with_table(page + BEGIN + END)


def test_claims_are_announced_by_keys():
    for claims in ({}, ("one is one",), {"One": "one is one"}, {"one": ""}):
        with pytest.raises(ArgumentError, match="'claims'"):
            dataclasses.replace(MINE, claims=claims)


def test_what_is_announced_is_measured_or_left_out_and_nothing_else():
    assert check_study(MINE)
    assert check_study(MINE, Config(measured=("second", "first"), left_out=()))
    for law, config in {
        "announced claims are measured": Config(left_out=()),
        "the key of an announced one": Config(measured=("first", "third")),
        "left out was announced, and is not measured": Config(left_out=("second", "first")),
    }.items():
        with pytest.raises(AssertionError, match=law):
            check_study(MINE, config)


def test_parts_leave_out_what_others_measure(monkeypatch):
    import sys
    from types import ModuleType

    module = ModuleType("parts_of_mine.one")
    module.run = lambda config, quiet: Part(  # type: ignore[attr-defined]
        [Claim("x", None, 1, True, key="a")], [], {}, "", {"b": "too long"}, [GUESS]
    )
    monkeypatch.setitem(sys.modules, "parts_of_mine", ModuleType("parts_of_mine"))
    monkeypatch.setitem(sys.modules, "parts_of_mine.one", module)
    parts = {
        "one": Announced("One", {"a": "is a", "b": "is b", RIVAL: RIVAL_CLAIM}),
        "two": Announced("Two", {"b": "is b", "c": "is c"}),
    }
    about = {"system": None, "title": "Parts", "source": "myself", "config": Config, "package": "parts_of_mine"}
    study = Study.of_parts("parts", parts=parts, **about)
    assert study.claims == {"a": "is a", "b": "is b", RIVAL: RIVAL_CLAIM, "c": "is c"}
    assert check_study(study)
    outcome = study.run(Config())
    assert outcome.title == "One"
    assert outcome.left_out == {"c": "measured by part 'two'", "b": "too long"}
    with pytest.raises(ArgumentError, match="one, two"):
        study.run(Config(part="three"))
    with pytest.raises(ArgumentError, match="one claim of the key 'b'"):
        Study.of_parts("parts", parts=parts | {"two": Announced("Two", {"b": "is not"})}, **about)


def test_studies_say_what_a_user_would_pick_instead() -> None:
    for name in study_names():
        assert load_study(name).claims.get(RIVAL) == RIVAL_CLAIM, (
            f"{name}: announce the claim {RIVAL!r} and give the outcome its rivals"
        )


def test_the_front_page_has_a_number_beside_the_simplest_thing() -> None:
    for system in SYSTEMS:
        if system.works:
            assert any(c.isdigit() for c in system.beside), f"{system.name}: a line beside the simplest thing has its number"
            assert len(system.beside) <= 160, f"{system.name}: {len(system.beside)} characters, and a line has at most 160"


def test_without_a_rival_a_study_is_not_whole() -> None:
    claims = dict(MINE.claims)
    del claims[RIVAL]
    with pytest.raises(AssertionError, match="the claim 'rival' is announced"):
        check_study(dataclasses.replace(MINE, claims=claims, run=partial(run, rivals=())))
    with pytest.raises(AssertionError, match="measured, or left out with a reason"):
        check_study(dataclasses.replace(MINE, run=partial(run, rivals=())))
    with pytest.raises(AssertionError, match="there is a rival"):  # a claim of that key alone is none
        check_study(dataclasses.replace(MINE, run=partial(run, rivals=())), Config(measured=("first", RIVAL)))
    assert check_study(dataclasses.replace(MINE, run=partial(run, rivals=())), Config(left_out=("second", RIVAL)))
