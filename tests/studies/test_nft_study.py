"""The study of the neural Fourier transform runs, small; what is exact in it holds without training; and, slowly, run one in full."""

from __future__ import annotations

import dataclasses
from functools import lru_cache, partial

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.studies.nft import STUDY, Config, saturation, signals
from erlangen.studies.nft.digits import angle_error, probe, turned
from erlangen.studies.nft.signals import STEPS, TRUE, judge, learn, own_shifts, shared_shifts
from erlangen.testing import check_outcome


def claims(outcome):
    return {claim.text: claim for claim in outcome.claims}


#: The closed form of each sensor's signals, found once.
own = lru_cache(own_shifts)


def test_signals_run_and_the_closed_forms_are_exact(monkeypatch):
    monkeypatch.setattr(signals, "own_shifts", own)
    monkeypatch.setattr(signals, "shared_shifts", partial(shared_shifts, shifts=8))
    outcome = STUDY.run(Config(part="signals", steps=3, samples=200, seeds=1), quiet=True)
    assert check_outcome(STUDY, outcome)
    found = claims(outcome)
    # One who knows the sensor, or has none, needs no network.
    simple = outcome.metrics["simple"]
    assert max(simple["the closed form from the same frames"], simple["the closed form behind the sensor's inverse"]) < 1e-8
    assert simple["a perceptron from the same frames"] < 1.5
    assert found[
        "the clean signals need no network: the closed form finds the frequencies and predicts to rounding, with every seed"
    ].holds
    assert found[
        "the quadratic sensor is linear too, in enough directions: least squares predicts to rounding, with every seed"
    ].holds


def test_compress_runs_and_the_fourier_code_is_what_theory_says():
    outcome = STUDY.run(Config(part="compress", steps=3, samples=2000, seeds=2), quiet=True)
    assert check_outcome(STUDY, outcome)
    found = claims(outcome)
    assert found["the low-pass Fourier code leaves what theory says"].holds
    assert found["the low-pass Fourier code leaves what theory says"].baseline == pytest.approx(5.9622, abs=1e-4)
    assert max(outcome.metrics["linear, 10 numbers"]["code"]) < 1e-8
    assert len(outcome.metrics["group known"]["code"]) == 2
    assert outcome.answer.startswith("Least squares in ten numbers is better")


@pytest.mark.parametrize("part", ["digits", "views"])
def test_image_parts_run(part):
    outcome = STUDY.run(Config(part=part, steps=2, samples=300), quiet=True)
    assert check_outcome(STUDY, outcome)
    assert outcome.name == "nft"
    assert len(list(outcome.claims)) >= 2
    rival = next(claim for claim in outcome.claims if claim.key == "rival")
    if part == "digits":  # ten classes, three hundred images
        assert rival.baseline > 30
        assert outcome.metrics["change"]["SVM on polar Fourier invariants"] < 0.15
    else:
        assert rival.baseline == outcome.metrics["errors"]["bilinear least squares"]
    if part == "views":
        assert outcome.metrics["errors"]["mean image"] == pytest.approx(1, abs=1e-5)


def test_an_unknown_part_is_named():
    with pytest.raises(ArgumentError) as caught:
        STUDY.run(dataclasses.replace(Config(), part="sounds"))
    assert caught.value.argument == "part"


def test_own_shifts_need_no_sharing():
    row = own("clean", 0)
    assert row.frequencies == TRUE
    assert row.error < 1e-10
    assert own("tanh", 0).error > 0.02
    # Given 60 signals for each shift, what is linear in ten dimensions is exact and the saturated sensor is not.
    assert shared_shifts("clean", 0, 8, ranks=(10,)).error < 1e-10
    assert shared_shifts("tanh", 0, 8, ranks=(10,)).error > 0.02


def test_turned_images_and_the_probe():
    x = torch.rand(6, 16, 16)
    triples, angle = turned(x, 0)
    assert triples.shape == (6, 3, 1, 16, 16)
    c, s = angle.cos(), angle.sin()
    rotation = torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)
    assert angle_error(rotation, angle) < 1e-3
    assert angle_error(rotation.mT, angle) > 1
    features = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    labels = (features[:, 0] > 0).long()
    assert probe(features[:200], labels[:200], features[200:], labels[200:]) > 0.9


def test_the_curve_has_every_way_at_every_gain(monkeypatch):
    monkeypatch.setattr(saturation, "GAINS", (0.0, 1.5))
    monkeypatch.setattr(
        saturation, "own_shifts", lambda sensor, seed: own("tanh" if float(sensor(torch.ones(1))) < 1 else "clean", 0)
    )
    found = saturation.saturation(Config(steps=2, samples=200, seeds=2), "tanh", quiet=True)
    assert found.places == (0.0, 1.5)
    assert all(len(runs) == 2 for curve in found.curves.values() for runs in curve)
    assert max(found.curves["closed form (linear)"][0]) < 1e-10
    assert found.winners("closed form (linear)")[0] == "rival"


@pytest.mark.slow
def test_the_networks_find_the_frequencies():
    """The published setting, scaled: exact frequencies and errors of at most 1e-3; through the sensor an eighth of the linear form's."""
    nft, test = learn(0, "clean", STEPS["clean"], 20_000, quiet=True)
    errors, spectrum = judge(nft, test)
    assert spectrum.frequencies == TRUE
    assert errors[0] <= 1e-3
    others = [k for k in range(33) if k not in TRUE]
    assert float(spectrum.multiplicities[others].abs().max()) < 0.1
    order = torch.randperm(len(test.angles), generator=torch.Generator().manual_seed(0))
    again = nft.spectrum(test.angles[order], test.x[order, :2])
    torch.testing.assert_close(again.multiplicities, spectrum.multiplicities, atol=1e-5, rtol=0)
    assert nft.spectrum().frequencies == TRUE  # without angles
    nft, test = learn(0, "tanh", STEPS["tanh"], 20_000, quiet=True)
    errors, spectrum = judge(nft, test)
    assert spectrum.frequencies == TRUE
    assert errors[0] <= own("tanh", 0).error / 8
