"""Draw what the guide to protostructures shows: `python docs/draw_wyckoff.py` writes docs/images/wyckoff-crystals.svg (a minute of CPU).

A model learns the real crystals for a short time and generates some of five groups; the first of each that SMACT can balance is
realised and relaxed.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import torch

from erlangen.fields.crystals import conventional, icsd_clean, smact14_valid, stored_protostructures
from erlangen.fields.crystals.composition import SYMBOLS
from erlangen.fields.crystals.wyckoffdiff import Realisation, WyckoffDiff, atomic_volumes, realise
from erlangen.training import TrainingConfig

IMAGES = Path(__file__).parent / "images"
GROUPS = (225, 221, 194, 139, 62)
SIDE, GAP = 190, 16
COLOURS = ("#1A7FC1", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9")
#: A view a little from the side and from above.
ABOUT, ABOVE = math.radians(-22), math.radians(14)


def made() -> list[Realisation]:
    """A crystal of each group."""
    data = icsd_clean(max_atoms=20)
    crystals = stored_protostructures(data)
    few = torch.tensor([max(count for _, _, count in one.sites) <= 4 for one in crystals])
    data, crystals = data[few], [one for one, kept in zip(crystals, few.tolist()) if kept]
    model = WyckoffDiff(most=4, steps=100, hidden=128, width=128, norm=True, normalised=False)
    model.fit(crystals, TrainingConfig(steps=400, batch_size=128, lr=2e-3, clip=5.0, weight_decay=0.0, warmup=20))
    generator, known, volumes = torch.Generator().manual_seed(0), set(crystals), atomic_volumes(data)
    chosen = []
    for group in GROUPS:
        samples = model.sample(60, space_group=group, steps=25, generator=generator)
        new = [one for one in samples if one is not None and not known & set(one.equivalents()) and one.n_atoms() <= 12]
        balanced = [one for one in new if 2 <= len(one.counts) <= 4 and smact14_valid(one.composition)]
        chosen.append(realise(balanced[0], 1, "chgnet", volumes=volumes, steps=40, generator=generator))
    return chosen


def panel(one: Realisation, left: float) -> str:
    """The conventional cell, atoms of the far side first."""
    cell = conventional(one.crystal, 0.01)
    crystal = cell.crystal
    turn = torch.tensor([[math.cos(ABOUT), 0, math.sin(ABOUT)], [0, 1, 0], [-math.sin(ABOUT), 0, math.cos(ABOUT)]]).double()
    tip = torch.tensor([[1, 0, 0], [0, math.cos(ABOVE), -math.sin(ABOVE)], [0, math.sin(ABOVE), math.cos(ABOVE)]]).double()
    # Atoms on faces, edges and corners are drawn on all of them.
    images = torch.cartesian_prod(*[torch.arange(2.0)] * 3).double()
    every = (crystal.fractional.unsqueeze(1) + images).flatten(0, 1)
    kinds = crystal.numbers.repeat_interleave(8)
    inside = (every < 1 + 1e-6).all(1)
    points, kinds = every[inside] @ crystal.cell, kinds[inside]
    corners = images @ crystal.cell
    # c up, a to the right.
    view = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]).double()
    flat, frame = (x @ view @ turn.mT @ tip.mT for x in (points, corners))
    low, high = frame[:, :2].amin(0), frame[:, :2].amax(0)
    scale = (SIDE - 34) / float((high - low).max())
    middle = (low + high) / 2

    def at(x: torch.Tensor) -> tuple[float, float]:
        return left + SIDE / 2 + scale * float(x[0] - middle[0]), GAP + SIDE / 2 - scale * float(middle[1] - x[1])

    lines = "".join(
        "<line x1='{:.1f}' y1='{:.1f}' x2='{:.1f}' y2='{:.1f}' stroke='#999'/>".format(*at(frame[i]), *at(frame[j]))
        for i, j in itertools.combinations(range(8), 2)
        if int((images[i] != images[j]).sum()) == 1
    )
    elements = sorted(one.protostructure.counts)
    dots = ""
    for i in flat[:, 2].argsort().tolist():
        x, y = at(flat[i])
        place = elements.index(int(kinds[i]))
        dots += f"<circle cx='{x:.1f}' cy='{y:.1f}' r='{6 + 1.5 * place:.1f}' fill='{COLOURS[place]}' stroke='#222' stroke-width='0.6'/>"
    words = " ".join(f"<tspan fill='{COLOURS[k]}'>{SYMBOLS[e]}</tspan>" for k, e in enumerate(elements))
    label = one.protostructure.label().split(":")[0]
    style = "text-anchor='middle' font-family='sans-serif' font-size='12'"
    text = "".join(
        f"<text x='{left + SIDE / 2}' y='{SIDE + GAP + 18 * row}' {style}>{what}</text>" for row, what in ((1, label), (2, words))
    )
    return lines + dots + text


def sheet(crystals: list[Realisation]) -> str:
    """Panels beside each other, with a background of their own: an image does not follow the page's theme."""
    wide, high = len(crystals) * (SIDE + GAP) + GAP, SIDE + GAP + 50
    parts = "".join(panel(one, GAP + i * (SIDE + GAP)) for i, one in enumerate(crystals))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" fill="#222">'
        f'<rect width="100%" height="100%" fill="#fff"/>{parts}</svg>\n'
    )


if __name__ == "__main__":
    path = IMAGES / "wyckoff-crystals.svg"
    path.write_text(sheet(made()))
    print(path)
