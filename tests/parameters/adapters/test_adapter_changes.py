"""What fine-tuning changed, low-rank copies, and groups of parameters."""

import math

import pytest
import torch
from torch import nn

from erlangen.errors import ArgumentError
from erlangen.parameters.adapters import (
    BoraConfig,
    DoraConfig,
    adaptation_report,
    get_peft_model,
    parameter_groups,
    to_lora,
)


def test_stretched_and_turned():
    w0 = torch.eye(2, dtype=torch.float64)
    turn = torch.tensor([[math.cos(0.3), -math.sin(0.3)], [math.sin(0.3), math.cos(0.3)]], dtype=torch.float64)
    report = adaptation_report(w0, 3 * turn)
    for change in (*report.rows, *report.columns):
        assert change.magnitude == pytest.approx(2, abs=1e-12)
        assert change.direction == pytest.approx(1 - math.cos(0.3), abs=1e-12)
    assert math.isnan(report.asymmetry)


def test_small_turns_are_not_rounded_away():
    report = adaptation_report(torch.eye(2), torch.tensor([[1.0, 1e-6], [-1e-6, 1.0]]))
    assert report.rows[0].direction == pytest.approx(5e-13, rel=1e-3)


def test_correlations_are_those_of_numpy():
    import numpy as np

    torch.manual_seed(0)
    before = {str(i): torch.randn(5, 4, dtype=torch.float64) for i in range(6)}
    after = {n: w + 0.1 * torch.randn_like(w) for n, w in before.items()}
    report = adaptation_report(before, after)
    rows = np.array([((after[n].norm(dim=1) - w.norm(dim=1)).abs().mean().item(),
                      (1 - torch.cosine_similarity(w, after[n], dim=1)).mean().item()) for n, w in before.items()])  # fmt: skip
    assert report.row_correlation == pytest.approx(np.corrcoef(rows.T)[0, 1], abs=1e-10)
    half = adaptation_report({n: before[n] for n in "012"}, {n: after[n] for n in "012"})
    rest = adaptation_report({n: before[n] for n in "345"}, {n: after[n] for n in "345"})
    assert half + rest == report


def test_zero_vectors_have_no_direction():
    w = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    report = adaptation_report(w, w + torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
    assert report.rows[0] == (0.5, 0.0)


def test_of_a_model_and_bad_input():
    model = get_peft_model(nn.Sequential(nn.Linear(6, 9)), BoraConfig(r=2, split={"0": 3}))
    report = adaptation_report(model)
    assert report.names == ("0[0]", "0[1]", "0[2]")
    assert all(c.magnitude < 1e-6 and c.direction < 1e-12 for c in report.rows)
    with pytest.raises(ArgumentError, match="'a'"):
        adaptation_report({"a": torch.eye(2)}, {"a": torch.eye(3)})


@pytest.mark.parametrize("config", [BoraConfig(r=2), DoraConfig(r=1)])
def test_low_rank_copies_report_their_error(config):
    torch.manual_seed(0)
    model = get_peft_model(nn.Sequential(nn.Linear(6, 5)).double(), config)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p += 0.3 * torch.rand_like(p)
    layer = next(model.layers())
    w = layer.base_layer.weight.detach()
    change = layer.weight.detach() - w
    s = torch.linalg.svdvals(change)
    (error,) = to_lora(model, 2, "copy").values()
    assert error == pytest.approx(float(s[2:].norm() / s.norm()), abs=1e-12)
    model.set_adapter("copy")
    assert float((layer.weight - w - change).norm() / change.norm()) == pytest.approx(error, abs=1e-12)
    with pytest.raises(ArgumentError, match="rank"):
        to_lora(model, 0, "other", "default")


def test_magnitudes_are_not_decayed():
    model = get_peft_model(nn.Sequential(nn.Linear(6, 5)), BoraConfig(r=2, bias="all"))
    groups = parameter_groups(model, 1e-3, ratio=16, weight_decay=0.1)
    names = {id(p): n.rpartition(".")[2] for n, p in model.named_parameters()}
    found = {(g["lr"], g["weight_decay"]): sorted(names[id(p)] for p in g["params"]) for g in groups}
    assert found == {
        (1e-3, 0.1): ["lora_A"],
        (16e-3, 0.1): ["lora_B"],
        (1e-3, 0.0): ["bias", "magnitude_col", "magnitude_row"],
    }
    with pytest.raises(ArgumentError, match="something to train"):
        parameter_groups(model.unload().requires_grad_(False), 1e-3)
