"""A model that was looked at in evaluation mode comes back as it was, module by module."""

import pytest
import torch
from torch import nn

from erlangen.training import TrainingConfig, train, train_members
from erlangen.training.modes import evaluating


def modes(model: nn.Module) -> list[bool]:
    return [module.training for module in model.modules()]


def partly_frozen() -> nn.Module:
    net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(), nn.Sequential(nn.BatchNorm1d(3)))
    net[3].eval()
    return net


def test_every_module_gets_its_own_mode_back():
    net = partly_frozen()
    before = modes(net)
    with evaluating(net):
        assert not any(modes(net))
    assert modes(net) == before == [True, True, True, True, False, False]


def test_modes_come_back_after_an_error():
    net = partly_frozen()
    before = modes(net)
    with pytest.raises(ValueError, match="within"), evaluating(net):
        raise ValueError("within")
    assert modes(net) == before


def test_what_is_no_module_has_no_mode():
    with evaluating(torch.sin):
        assert float(torch.sin(torch.zeros(()))) == 0.0


def squares(model, x, y):
    return (model(x) - y).square().mean()


@pytest.mark.parametrize("validated", [False, True])
def test_training_leaves_statistics_alone_that_were_frozen(validated):
    torch.manual_seed(0)
    net = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1), nn.BatchNorm1d(1))
    net[0].eval()
    x = 5 + torch.randn(32, 3)
    data = (x, x.sum(1, keepdim=True))
    train(net, data, squares, TrainingConfig(steps=4, evaluate_every=2), validation=data if validated else None, quiet=True)
    assert torch.equal(net[0].running_mean, torch.zeros(3))
    assert net[0].num_batches_tracked == 0
    assert net[2].num_batches_tracked > 0
    assert not net.training


def test_a_model_that_was_only_used_is_trained_whole():
    net = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1)).eval()
    x = torch.randn(32, 3)
    train(net, (x, x.sum(1, keepdim=True)), squares, TrainingConfig(steps=4), quiet=True)
    assert net[0].num_batches_tracked == 4


def test_members_are_trained_in_training_mode():
    seen = []

    class Told(nn.Linear):
        def forward(self, x):
            seen.append(self.training)
            return super().forward(x)

    x = torch.randn(16, 3)
    train_members(lambda seed: Told(3, 1).eval(), [0, 1], (x, x[:, :1]), squares, TrainingConfig(steps=2), quiet=True)
    assert seen == [True, True]
