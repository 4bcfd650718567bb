"""The study of hidden symmetries: its parts run and report, and what is exact is exact."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import pytest
import torch

from erlangen.datasets.cells import cells
from erlangen.errors import ArgumentError
from erlangen.parameters.hidden import ReluNetwork, simplify
from erlangen.studies.hidden_symmetries import STUDY, Config
from erlangen.studies.hidden_symmetries.init import INDEPENDENT, groups
from erlangen.studies.hidden_symmetries.training import never_active
from erlangen.testing import check_outcome


def test_initialisation_runs_and_reports_every_architecture():
    outcome = STUDY.run(Config(part="init", inits=2), quiet=True)
    assert check_outcome(STUDY, outcome)
    assert len(outcome.claims) == 7
    (rival,) = [claim for claim in outcome.claims if claim.key == "rival"]
    pairs = re.findall(r"(\d+) and (\d+)", rival.note)
    assert len(pairs) == 3
    assert all(ours == theirs for ours, theirs in pairs)
    assert set(outcome.metrics) <= set(INDEPENDENT)
    for name, row in outcome.metrics.items():
        widths = [int(n) for n in name.split("-")]
        most = sum(n * (m + 1) for m, n in pairwise(widths)) - sum(widths[1:-1])
        assert all(0 < dim <= most for dim in row["dims"])
        assert row["full"] == sum(dim == most for dim in row["dims"]) / 2
    (section,) = outcome.sections
    assert len(section.figures) == 4


def test_full_scale_adds_width_15():
    assert [g.name for g in groups(Config(full=True))] == ["width 5", "width 10", "width 15", "inputs"]
    assert all(g.inits == 500 and g.multiple == 100 for g in groups(Config(full=True)))


def test_training_runs_and_simplified_networks_are_equal():
    outcome = STUDY.run(Config(part="training", networks=2, epochs=1), quiet=True)
    assert check_outcome(STUDY, outcome)
    assert len(outcome.claims) == 6
    assert outcome.claims[-1].holds
    assert outcome.claims[-1].measured <= 1e-10
    for row in outcome.metrics.values():
        assert row["epochs"][0] == 0
        assert row["epochs"][-1] == 1
        # The largest rank is the normal inputs', but for what they are too few to see; 421 is the most.
        assert all(0 < dim <= 421 for key in ("normal", "batch") for run in row[key] for dim in run)
        assert all(math.isfinite(a) and 0.3 < a <= 1 for a in row["accuracy"])
    first, second = (outcome.metrics[f"weight decay {decay}"] for decay in ("0", "0.1"))
    assert [run[0] for run in first["normal"]] == [run[0] for run in second["normal"]]  # the same networks to start from


def test_neurons_that_are_never_active_are_a_part_of_what_is_removed():
    weights = torch.tensor([[1.0], [-1.0], [1.0]]), torch.tensor([[1.0, 1.0, 1.0]])
    network = ReluNetwork(tuple(w.double() for w in weights), (torch.tensor([0.0, -5.0, 1.0]).double(), torch.zeros(1).double()))
    x = torch.linspace(-2, 2, 50, dtype=torch.float64).unsqueeze(1)
    assert never_active(network, x) == 1  # the second
    assert simplify(network, x).removed >= 1


def test_cells_are_whitened():
    x, y = cells()
    assert x.shape == (569, 10)
    assert float((x.mT @ x / 568).sub(x.new_ones(10).diag()).abs().max()) < 1e-10
    assert set(y.tolist()) == {0.0, 1.0}


def test_unknown_part():
    with pytest.raises(ArgumentError, match="'part'"):
        STUDY.run(Config(part="other"), quiet=True)
