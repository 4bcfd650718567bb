"""The study of crystal structure prediction: its contract in a tiny run, its splits, and what a whole run shows."""

import importlib

import pytest

study = importlib.import_module("erlangen.studies.diffcsp.study")
arms = importlib.import_module("erlangen.studies.diffcsp.arms")

TINY = study.Config(steps=3, width=8, layers=1, frequencies=3, batch=8, samples=2, strides=3, most=6)


@pytest.fixture(scope="module")
def crystals():
    return arms.crystals_of(5, True, True)


def test_the_contract(checked):
    outcome = checked(study.STUDY, TINY)
    assert list(outcome.metrics["formula"])[:2] == [arms.LOOKUP, arms.CHANCE]  # the simplest strong baseline first
    assert outcome.metrics["formula"][arms.THIRD]["steps"] == 1
    made = {arm: found["predictions"] for arm, found in outcome.metrics["formula"].items()}
    assert made == {arms.LOOKUP: 2, arms.CHANCE: 2, arms.FULL: 2, arms.THIRD: 1, arms.NO_WAVES: 1, arms.NO_PRODUCT: 1}
    assert outcome.metrics["prototype"][arms.THIRD]["predictions"] == 2
    assert [rival.rival for rival in outcome.rivals] == [
        outcome.metrics[split][arms.LOOKUP]["match_k"] for split in ("formula", "prototype")
    ]


def test_no_formula_and_no_prototype_is_in_two_parts(crystals):
    assert len(crystals) == 1214
    parts = arms.splits(crystals, None)
    formulas = [set(part.formulas()) for part in (parts["formula"].train, parts["formula"].test)]
    assert not formulas[0] & formulas[1]
    prototypes = [set(part.columns["prototype"]) for part in (parts["prototype"].train, parts["prototype"].test)]
    assert not prototypes[0] & prototypes[1]


def test_a_look_up_that_finds_the_crystal_itself_matches(crystals):
    few = crystals[:5]
    assert arms.look_up(arms.Split(few, few), 1).matched.match_rate() == 1.0


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_what_a_whole_run_shows():
    outcome = study.run(study.Config(), quiet=True)
    verdicts = {key: all(c.holds for c in outcome.claims if c.key == key) for key in study.STUDY.claims}
    for key in ("waves", "inner-product"):
        assert verdicts[key], key
