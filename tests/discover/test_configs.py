"""Configurations of models with many options: they print, compare, survive JSON, and say the same as options by name."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch

import erlangen as er
from erlangen.discover import LieGANConfig
from erlangen.discover.soft import SoftRegressorConfig
from erlangen.errors import ArgumentError
from erlangen.nn import FAENetConfig

CASES = [
    (LieGANConfig, lambda **options: er.LieGAN(4, 2, **options), {"eta": 0.1}, {"regularizer": "none"}),
    (
        SoftRegressorConfig,
        lambda **options: er.SoftEquivariantRegressor([er.SO(3)], 1, 1, **options),
        {"strengths": [1.0], "seed": 3},
        None,
    ),
    (
        FAENetConfig,
        er.nn.FAENet,
        {"hidden_channels": 32, "num_filters": 8, "tag_hidden_channels": 0, "pg_hidden_channels": 4},
        {"num_filters": 3},
    ),
]


@pytest.mark.parametrize(("kind", "make", "options", "wrong"), CASES, ids=lambda part: getattr(part, "__name__", ""))
def test_options_by_name_are_fields_of_the_configuration(kind, make, options, wrong):
    config = kind(**options)
    name, value = next(iter(options.items()))
    assert f"{name}={value!r}" in repr(config)
    assert config != kind()
    assert kind(**json.loads(json.dumps(dataclasses.asdict(config)))) == config
    assert make(**options).config == make(config=config).config == config
    assert getattr(make(config=kind(), **options).config, name) == value
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, name, value)
    with pytest.raises(TypeError, match="no_such_option"):
        make(no_such_option=1)
    if wrong is not None:
        (argument,) = wrong
        for refused in (lambda: kind(**wrong), lambda: make(**wrong)):
            with pytest.raises(ArgumentError) as caught:
                refused()
            assert caught.value.argument == argument


def test_a_network_is_made_again_from_its_configuration():
    net = er.nn.FAENet(hidden_channels=32, num_filters=8, tag_hidden_channels=0, pg_hidden_channels=4, num_interactions=1)
    again = er.nn.FAENet(net.config)
    again.load_state_dict(net.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters()))
