"""The study of equivariant self-supervision: its contract on a few images, and the exact facts that its parts rest on."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.photonics import dos, dos_frequencies, empty_lattice_dos, random_cells
from erlangen.studies.essl import STUDY, Config
from erlangen.studies.essl.images import Arm, Data, model, supervised_pixels
from erlangen.studies.essl.photonics import FAMILIES, relative_error, spectrum
from erlangen.studies.essl.table import TRANSFORMS, arms
from erlangen.testing import check_study

SMALL = Config(images=100, test=40, steps=2, batch=32, cells=40, labelled=12, epochs=1, seeds=1, jobs=1)


@pytest.mark.parametrize("part", ["fashion", "table", "photonics"])
def test_every_part_keeps_the_contract(part):
    assert check_study(STUDY, dataclasses.replace(SMALL, part=part), quiet=True)


def test_a_machine_on_pixels_is_what_it_says():
    """With classes that two pixels tell, it needs no features; its own score is that of its answers."""
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(300, 1, 4, 4, generator=draw)
    y = (x[:, 0, 0, 0] > x[:, 0, 3, 3]).long()
    images = Data(x[:200], y[:200], x[200:], y[200:], "two pixels")
    few, many = (supervised_pixels(images, count)[0] for count in (20, 4000))
    assert few < many
    assert many > 85


def test_an_unknown_part_is_named():
    with pytest.raises(ArgumentError, match="fashion, table, photonics"):
        STUDY.run(dataclasses.replace(SMALL, part="digits"), quiet=True)


def test_the_table_has_every_transformation_twice_and_crops_once():
    names = [arm.name for arm in arms()]
    assert len(names) == len(set(names)) == 1 + 2 * len(TRANSFORMS)


def test_arms_start_from_the_same_encoder():
    weights = []
    for arm in (Arm("a"), Arm("b", predicted=(TRANSFORMS["four-fold turns"],)), Arm("c", "simsiam")):
        torch.manual_seed(0)
        weights.append(model(arm, full=False).encoder.state_dict())
    assert all(torch.equal(a, b) for other in weights[1:] for a, b in zip(weights[0].values(), other.values()))


def test_every_move_of_a_family_leaves_the_density_alone():
    for family in FAMILIES.values():
        eps = random_cells(2, family.plane_group, seed=3)
        density = dos(eps, quiet=True)
        for action in (*family.ignored, family.predicted):
            group = action.group
            g = group.sample(2, generator=torch.Generator().manual_seed(1))
            moved = dos(action.act(g, eps.unsqueeze(1)).squeeze(1), quiet=True)
            assert float((moved - density).abs().max() / density.max()) < 1e-3


def test_invariants_of_cells_are_invariant_and_coefficients_are_not():
    x = ((random_cells(6, seed=1) - 1) / 19).unsqueeze(1)
    raw, fixed = spectrum(x)
    for moved in (x.roll((5, 11), (2, 3)), x.rot90(1, (2, 3)), x.flip(-1)):
        other_raw, other = spectrum(moved)
        assert torch.allclose(fixed, other, atol=1e-9)
        assert not torch.allclose(raw, other_raw, atol=1e-3)


def test_the_error_is_relative_to_the_whole_density():
    label = torch.zeros(3, 400)
    reference = empty_lattice_dos(dos_frequencies()).float()
    assert relative_error(label + 0.02 * reference, label) == pytest.approx(2.0, abs=1e-4)
    early = label.clone()
    early[:, :100] = 7.0
    assert relative_error(early, label) == 0.0
