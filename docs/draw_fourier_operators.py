"""Draw what the guide to Fourier operators shows (minutes): `python docs/draw_fourier_operators.py` writes images/fourier-operators.svg."""

from __future__ import annotations

from pathlib import Path

import torch

from erlangen.studies.gfno.forecasts import Entry, fit, make_flows

IMAGES = Path(__file__).parent / "images"
SIDE, GAP, LEFT = 150, 10, 150
COLOURS = ("#2166AC", "#4393C3", "#92C5DE", "#D1E5F0", "#F7F7F7", "#FDDBC7", "#F4A582", "#D6604D", "#B2182B")
WINDOW, FRAMES = 6, (0, 3, 6, 9)


def forecasts() -> dict[str, torch.Tensor]:
    """The truth of a flow with odd mirrors, and rollouts of a plain operator and of one with its symmetry."""
    flows = make_flows("NS-A2", train=60, test=20, side=32, refine=2, frames=WINDOW + 10, seed=1)
    rows = {"truth": flows.test[0, WINDOW:, 0]}
    for name, entry, width in (
        ("FNO", Entry("FNO", "p1"), 14),
        ("G-FNO p4m, pseudoscalar", Entry("G-FNO", "p4m"), 5),
    ):
        score = fit(entry, flows, modes=8, width=width, length=WINDOW, steps=250, batch=16, lr=2e-3, seed=0, quiet=False)
        rows[f"{name} ({100 * score.rollout:.0f} %)"] = score.example[:, 0]
    return rows


def picture(field: torch.Tensor, bound: float, left: float, top: float) -> str:
    """A field as runs of cells of one colour."""
    cell = SIDE / field.shape[0]
    levels = ((field / bound).clamp(-1, 1) * (len(COLOURS) // 2)).round().long() + len(COLOURS) // 2
    paths = [""] * len(COLOURS)
    for i, row in enumerate(levels.tolist()):
        start = 0
        for j in range(1, len(row) + 1):
            if j == len(row) or row[j] != row[start]:
                paths[row[start]] += (
                    f"M{left + start * cell:.1f} {top + i * cell:.1f}h{(j - start) * cell:.1f}v{cell:.1f}h{(start - j) * cell:.1f}z"
                )
                start = j
    return "".join(f'<path d="{d}" fill="{colour}"/>' for d, colour in zip(paths, COLOURS) if d)


def sheet(rows: dict[str, torch.Tensor]) -> str:
    """Rows of pictures with names before them, and a background of their own: an image does not follow the page's theme."""
    wide, high = LEFT + len(FRAMES) * (SIDE + GAP), len(rows) * (SIDE + GAP) + 34
    bound = float(rows["truth"].abs().max())
    parts = [
        f'<text x="{LEFT + i * (SIDE + GAP) + SIDE / 2}" y="22" text-anchor="middle">t + {t + 1}</text>'
        for i, t in enumerate(FRAMES)
    ]
    for k, (name, frames) in enumerate(rows.items()):
        top = 34 + k * (SIDE + GAP)
        for line, words in enumerate(name.replace(", ", ",|").replace(" (", "|(").split("|")):
            parts.append(f'<text x="{LEFT - 12}" y="{top + SIDE / 2 + 18 * line}" text-anchor="end">{words}</text>')
        parts += [picture(frames[t], bound, LEFT + i * (SIDE + GAP), top) for i, t in enumerate(FRAMES)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" fill="#222" '
        f'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    path = IMAGES / "fourier-operators.svg"
    path.write_text(sheet(forecasts()))
    print(path)
