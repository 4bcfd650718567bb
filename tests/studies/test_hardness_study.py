"""The study of hardness runs, small; its students learn the easy functions only."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.studies.hardness import STUDY, Config
from erlangen.studies.hardness.circles import CIRCLE, spectra
from erlangen.studies.hardness.circles import train as train_circle
from erlangen.studies.hardness.graphs import PARITY, eliminated
from erlangen.studies.hardness.graphs import train as train_graph
from erlangen.studies.hardness.rows import EASY, HARD, Row
from erlangen.testing import check_outcome

TINY = Config(steps=2, seeds=1, functions=20, samples=50_000, jobs=1, spectra=400)


@pytest.mark.parametrize("part", ["tables", "graphs", "circles", "polynomials"])
def test_parts_run(part):
    outcome = STUDY.run(dataclasses.replace(TINY, part=part), quiet=True)
    assert check_outcome(STUDY, outcome)
    assert outcome.name == "hardness"
    exact = [claim for claim in outcome.claims if claim.reported == "exact"]
    assert exact
    assert all(claim.holds for claim in exact)  # what is exact is so without training
    ours, rival = outcome.rivals[0].measured, outcome.rivals[0].rival
    if part == "tables":
        assert ours < 1e-12
        assert outcome.rivals[0].winner == "level"  # where all graphs can be enumerated nothing is better
        assert outcome.rivals[1].measured < 1e-12 < 1e-4 < outcome.rivals[1].rival < 0.05
    elif part == "graphs":
        assert rival == 0  # parities are solved for, not learned
    elif part == "circles":
        assert [row.rival > 0.5 for row in outcome.rivals] == [True, True]
    else:
        assert max(ours, rival) < 1e-6  # inputs are in single precision
        assert outcome.rivals[0].winner == "level"
    if part == "polynomials":
        assert next(claim for claim in outcome.claims if claim.key == "found" and "growing basis" in claim.text).holds


@pytest.mark.slow
def test_the_whole_study_keeps_the_contract():
    assert er.testing.check_study(STUDY, TINY, quiet=True)


@pytest.mark.slow
def test_two_seeds_in_two_processes_give_the_same_numbers():
    config = dataclasses.replace(TINY, part="circles", seeds=2)
    one, two = (STUDY.run(dataclasses.replace(config, jobs=jobs), quiet=True).metrics["circles"] for jobs in (1, 2))
    assert one == two
    assert all(len(row["errors"]) == 2 for row in one.values())


def test_an_unknown_part_is_named():
    with pytest.raises(ArgumentError) as caught:
        STUDY.run(dataclasses.replace(Config(), part="weights"))
    assert caught.value.argument == "part"


def test_elimination_finds_a_set_of_degrees_and_spectra_do_not_turn():
    rng = np.random.default_rng(0)
    counts, chosen = rng.integers(0, 5, (40, 9)), rng.integers(0, 2, 9)
    found = eliminated(counts, counts @ chosen % 2 == 1)
    assert np.array_equal(found, chosen)
    x = torch.randn(5, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(spectra(x.roll(5, 1)), spectra(x), atol=1e-9)
    assert not torch.allclose(spectra(x.flip(1)), spectra(x))


def test_the_hard_circle_is_not_learned_and_the_easy_one_is():
    hard, easy = (train_circle(Row(CIRCLE, 20, 6, kind, 64, 0, 1200)) for kind in (HARD, EASY))
    assert hard.final >= 0.9
    assert easy.final <= 0.05
    control = train_circle(Row(CIRCLE, 10, 2, HARD, 64, 0, 1200))
    assert control.final <= 0.05


@pytest.mark.slow
def test_the_parity_of_ten_nodes_is_not_learned_and_its_partner_is():
    hard, easy, control = (train_graph(Row(PARITY, n, 0, kind, 64, 0, 1000)) for n, kind in ((10, HARD), (10, EASY), (4, HARD)))
    assert hard.final >= 0.95
    assert easy.final <= 0.05
    assert control.final <= 0.05
