"""New jets, live from Pythia and FastJet.

Proton collisions at 14 TeV (Bierlich et al. 2022, "A comprehensive guide to the physics and usage of PYTHIA 8.3",
arXiv:2203.11601); jets by the anti-kt algorithm (Cacciari, Salam and Soyez 2008, arXiv:0802.1189; FastJet,
arXiv:1111.6097) with R = 0.8. Signal: top pairs whose W bosons decay to quarks, a jet within 0.8 of a top quark.
Background: QCD jets. Both keep 550 < pT < 650 GeV and ``|eta| < 2``, the window of Kasieczka et al. 2019
(arXiv:1902.09914). Pythia and FastJet are GPL: extra ``jets``; nothing else in the library needs them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.jets.table import MASSES, JetTable

RADIUS = 0.8
PT_WINDOW = (550.0, 650.0)  # GeV
MAX_JET_ETA = 2.0
MAX_PARTICLE_ETA = 5.0

SHARED = (
    "Print:quiet = on",
    "Beams:idA = 2212",
    "Beams:idB = 2212",
    "Beams:eCM = 14000.",
    "PartonLevel:MPI = off",
    "PhaseSpace:pTHatMin = 520.",
    "PhaseSpace:pTHatMax = 720.",
    "Random:setSeed = on",
)
PROCESS = {
    1: ("Top:gg2ttbar = on", "Top:qqbar2ttbar = on", "24:onMode = off", "24:onIfAny = 1 2 3 4 5"),
    0: ("HardQCD:all = on",),
}


def generate(n: int, seed: int = 0, constituents: int = 200, progress: Callable[[int, int], None] | None = None) -> JetTable:
    """``n`` new jets, half of them (the larger half, if odd) from top quarks, alternating top, QCD, top, ...

    At most one jet, the hardest in the window, is taken from a collision, so that jets are independent.
    Takes about 10 ms per jet on one core.

    Args:
        n: how many jets.
        seed: the same seed gives the same jets.
        constituents: keep this many of the hardest particles of each jet.
        progress: called as ``progress(done, n)`` after each jet.

    Raises:
        MissingExtra: Pythia or FastJet is not installed.
        ArgumentError: ``n``, ``seed`` or ``constituents`` is out of range.
    """
    if n < 1:
        raise ArgumentError("n", "at least 1 jet", repr(n))
    if constituents < 1:
        raise ArgumentError("constituents", "at least 1", repr(constituents))
    if not 0 <= seed < 400_000_000:
        raise ArgumentError("seed", "an integer from 0 to 399999999 (Pythia's range)", repr(seed))
    sources = {label: _jets(label, 2 * seed + 1 + label, constituents) for label in (1, 0)}
    momenta = np.zeros((n, constituents, 3), np.float32)
    particles = np.zeros((n, constituents), np.int16)
    jets, counts = np.zeros((n, 4)), np.zeros(n, np.int16)
    labels = np.arange(1, n + 1, dtype=np.int64) % 2
    for i, label in enumerate(labels):
        jet, ids, p = next(sources[int(label)])
        kept = min(constituents, len(ids))
        momenta[i, :kept], particles[i, :kept] = p[:kept], ids[:kept]
        jets[i], counts[i] = jet, len(ids)
        if progress is not None:
            progress(i + 1, n)
    return JetTable(momenta, particles, jets, counts, labels.astype(np.int8))


def _jets(label: int, seed: int, constituents: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Endless jets of one label: four-momentum ``[4]``, ids ``[c]``, momenta ``[c, 3]``, hardest particle first."""
    pythia8, fastjet = engine("jets", "pythia8mc"), engine("jets", "fastjet")
    pythia = pythia8.Pythia("", False)
    for line in (*SHARED, *PROCESS[label], f"Random:seed = {seed}"):
        if not pythia.readString(line):
            raise RuntimeError(f"Pythia refused the setting '{line}'")
    if not pythia.init():
        raise RuntimeError("Pythia could not be initialised")
    anti_kt = fastjet.JetDefinition(fastjet.antikt_algorithm, RADIUS)
    while True:
        if not pythia.next():
            continue
        found = _hardest_jet(pythia.event, label, fastjet, anti_kt)
        if found is not None:
            yield found


def _hardest_jet(event: Any, label: int, fastjet: Any, anti_kt: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """The hardest jet of one collision that passes the cuts, or None."""
    inputs: list[Any] = []
    ids: list[int] = []
    for particle in event:
        if not (particle.isFinal() and particle.isVisible()) or abs(particle.eta()) >= MAX_PARTICLE_ETA:
            continue
        if abs(particle.id()) not in MASSES:
            raise RuntimeError(f"particle {particle.id()} has no mass in the table of visible particles")
        momentum = fastjet.PseudoJet(particle.px(), particle.py(), particle.pz(), particle.e())
        momentum.set_user_index(len(ids))
        inputs.append(momentum)
        ids.append(particle.id())
    tops = [(p.y(), p.phi()) for p in event if abs(p.id()) == 6 and p.status() == -62] if label else []
    clusters = fastjet.ClusterSequence(inputs, anti_kt)
    for jet in fastjet.sorted_by_pt(clusters.inclusive_jets(PT_WINDOW[0])):
        if jet.pt() >= PT_WINDOW[1] or abs(jet.eta()) >= MAX_JET_ETA:
            continue
        if label and not any(math.hypot(jet.rap() - y, _angle(jet.phi() - phi)) < RADIUS for y, phi in tops):
            continue
        parts = fastjet.sorted_by_pt(jet.constituents())
        momenta = np.array([(p.px(), p.py(), p.pz()) for p in parts])
        kinds = np.array([ids[p.user_index()] for p in parts], np.int16)
        return np.array([jet.e(), jet.px(), jet.py(), jet.pz()]), kinds, momenta
    return None


def _angle(difference: float) -> float:
    """An azimuthal difference brought into ``[-pi, pi]``."""
    return math.remainder(difference, 2 * math.pi)
