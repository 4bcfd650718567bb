"""One answer: the task decides, an exact belief where nothing else was found, and notes that explain what does not agree."""

from __future__ import annotations

import torch

import erlangen as er
from erlangen.discover.found import Discovered
from erlangen.discover.task import task_symmetries
from erlangen.groups import SE, SO


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_an_energy_of_two_of_three_points_is_kept_by_rigid_motions(tmp_path):
    x = _random(400, 3, 3)
    found = er.discover(x, (x[:, 0] - x[:, 1]).norm(dim=-1, keepdim=True), quiet=True)
    assert found.group == SE(3)
    assert found.source == "task"
    assert "se(3)" in str(found)
    assert not any(c.method.startswith("LieGAN") for c in found.candidates)
    # What is on disk is the same answer, with its spectrum.
    again = Discovered.load(found.save(tmp_path / "found.safetensors"))
    assert again.group == SE(3)
    assert str(again) == str(found)
    assert again.as_dict()["task"] == found.as_dict()["task"]


def test_numbers_whose_inputs_look_like_nothing_have_the_task_s_group():
    x = _random(400, 1, 3)
    found = er.discover(x, x[:, 0].norm(dim=-1), quiet=True)
    assert found.group == SO(3)
    model = er.symmetrize(torch.nn.Linear(3, 1).double(), found.group.point, found.group.scalar)
    assert model(x[:4, 0]).shape == (4, 1)


def test_vectors_turn_as_the_tokens_do_or_not_at_all():
    x = _random(300, 2, 2)
    size = x[:, 1].square().sum(-1, keepdim=True)
    turned = torch.stack([-x[:, 0, 1], x[:, 0, 0]], -1) * size
    found = er.discover(x, turned[:, None], quiet=True, steps=50)
    assert found.source == "task"
    assert found.group == SO(2)
    # Mirrored vectors turn the other way round: no symmetry of vectors, though one of two numbers.
    mirrored = torch.stack([x[:, 0, 1], x[:, 0, 0]], -1) * size
    assert er.discover(x, mirrored[:, None], quiet=True, steps=50).source != "task"
    numbers = task_symmetries(x, mirrored, target="scalar")
    assert numbers.algebra is not None
    assert numbers.algebra.name == "so(2) + dilation"


def test_round_inputs_do_not_make_a_task_round():
    x = _random(500, 2)
    found = er.discover(x, x.square().sum(-1) + 0.15 * x[:, 0] * x[:, 1] ** 2, quiet=True, steps=300)
    # The inputs' distribution and a rough look at the task say so(2): the derivatives of a predictor without error rule it out.
    assert found.algebra is None
    assert not found
    assert "does not keep it exactly" in str(found) or "not claimed" in str(found)
