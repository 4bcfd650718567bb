"""Sixteen binaries, simulated and fitted: how many modes their likelihoods have."""

from __future__ import annotations

import math

import torch

from erlangen.fields import binaries as bi
from erlangen.reporting import Claim, Figure, Section, Table, progress
from erlangen.reporting.figures import SEQUENTIAL, SEQUENTIAL_DARK, blank, colour_scale
from erlangen.studies.lisa_orientations.claims import CLAIMS, PEER, RATIOS, Config, Found

#: Of which the likelihood is drawn.
SHOWN = "V407 Vul"
#: How far down ln L is drawn.
LOWEST = 500.0


def groups() -> Found:
    """What channels cannot tell, by the groups."""
    rows, numbers = [], {}
    for channels in (
        ["gravitational waves"],
        ["eclipses"],
        ["gravitational waves", "eclipses"],
        ["gravitational waves", "ellipsoidal"],
        ["face-on gravitational waves", "radial velocity"],
        ["gravitational waves", "odd harmonics"],
        ["gravitational waves", "astrometry"],
        ["gravitational waves", "astrometry", "radial velocity"],
    ):
        group = bi.degeneracy_group(channels)
        finite = group.order < math.inf
        values = group.psi_values if group.psi_values < math.inf else "all"
        rows.append([", ".join(channels), str(group), group.order if finite else "infinite", values])
        numbers[", ".join(channels)] = group.order if finite else None
    waves, both, timing = (
        bi.degeneracy_group(c) for c in (["gravitational waves"], ["gravitational waves", "eclipses"], ["eclipses"])
    )
    holds = (waves.psi_values, both.psi_values, timing.psi_values) == (4, 2, math.inf)
    claim = Claim(
        CLAIMS["group"],
        "4, 2",
        f"{waves.psi_values}, {both.psi_values}",
        holds,
        "timing alone: all",
        note="exact, by the Smith form",
        source="arXiv:2507.01250",
        key="group",
    )
    columns = ["channels", "group", "order", "position angles"]
    text = "What is left is the annihilator, in the torus of position angle and orbital phase, of the harmonics that the channels show."
    return (
        [claim],
        Section("What channels cannot tell", text, tables=[Table("Degeneracy groups", columns, rows)]),
        {"orders": numbers},
    )


def fits(config: Config, quiet: bool) -> Found:
    """Fit sixteen binaries, with and without a timed phase."""
    generator = torch.Generator().manual_seed(config.seed)
    chosen = bi.verification_binaries()[: config.binaries or None]
    rows, numbers, off, published = [], {}, [], []
    drawn: list[bi.Found] = []
    four = two = loud = 0
    worst_copy, picture = 0.0, None
    with progress(len(chosen), "fits", quiet=quiet) as bar:
        for b in chosen:
            lam, beta = b.ecliptic()
            waves = bi.FourWaves(b.f, b.fdot, 0.0, lam, beta)
            psi, phi0 = (2 * math.pi * torch.rand(2, dtype=torch.float64, generator=generator)).tolist()
            truth = {"amp": b.amp, "iota": b.iota, "psi": psi, "phi0": phi0}
            snr = float(waves.snr(**truth))
            c = waves.correlate(waves.data(**truth) + waves.noise(generator))
            if b.name in RATIOS:
                angles = torch.linspace(0, math.pi / 2, 9, dtype=torch.float64)[:-1]
                mean = float(waves.snr(b.amp, b.iota, angles, 0.0).mean())
                off.append(mean / RATIOS[b.name] - 1)
                published.append(b.snr / mean - 1)
            counted = snr > 10 and abs(math.cos(b.iota)) < 0.9
            alone, timed = bi.find_modes(waves, c), bi.find_modes(waves, c, timed_phase=(phi0, config.sigma))
            if counted:
                loud, four, two = loud + 1, four + (len(alone.psi) == 4), two + (len(timed.psi) == 2)
            fisher = bi.fisher_matrix({**truth, "f0": b.f, "fdot": b.fdot, "fddot": 0.0, "lam": lam, "beta": beta})
            errors = [f.sigma("psi") if f.measures("psi") else None for f in (fisher, fisher.with_phase(config.sigma))]
            there = b.sky().barycentricmeanecliptic
            best = bi.candidates(
                there,
                float(alone.iota[0]),
                float(alone.psi[0]),
                phase=float(bi.from_peer_phase(alone.phi0[0])),
                sigma_phase=0.0,
                timed_phase=float(bi.from_peer_phase(phi0)),
                sigma_timed=config.sigma,
            )
            if len(drawn) < 6 and counted:
                measured = bi.Measured(b.name, there, float(alone.iota[0]), float(alone.psi[0]))
                drawn.append(bi.Found(measured, best, None, True, config.sigma))
            if counted and (picture is None or b.name == SHOWN):
                samples = bi.sample_posterior(waves, c, 200, generator=generator)
                logs = waves.log_likelihood(c, *samples.values.unbind(-1))
                worst_copy = float(((logs - logs[:1]).abs() / logs[:1].abs()).max())
                picture = _picture(waves, c, float(alone.iota[0]), b.name)
            told = [f"{x:.3g}" if x is not None else "not measured" for x in errors]
            rows.append(
                [b.name, math.degrees(b.iota), snr, b.snr, len(alone.psi), len(timed.psi), *told, "yes" if counted else "no"]
            )
            numbers[b.name] = {"snr": snr, "modes": [len(alone.psi), len(timed.psi)], "sigma psi": errors, "truth": [psi, phi0]}
            bar.advance(1)
    deviation = max((abs(x) for x in off), default=math.nan)
    right, wrong = bi.phase_log_weights([0.0, math.pi], 0.0, config.sigma)
    expected = math.pi**2 / (2 * config.sigma**2)
    scale = f"{len(chosen)} verification binaries, 4 years, {loud} loud"
    claims = [
        Claim(
            CLAIMS["ratios"],
            ", ".join(f"{v:g}" for v in RATIOS.values()),
            f"{deviation:.2%} off at most",
            deviation <= 0.05,
            f"published, with another noise: {min(published, default=math.nan):+.0%} to {max(published, default=math.nan):+.0%}",
            scale,
            source=PEER,
            key="ratios",
        ),
        Claim(
            CLAIMS["four"],
            4,
            f"4 in {four} of {loud}",
            four == loud > 0,
            "timing alone: a circle of angles",
            scale,
            source="arXiv:2507.01250",
            key="four",
        ),
        Claim(
            CLAIMS["two"],
            2,
            f"2 in {two} of {loud}",
            two == loud > 0,
            "waves alone: 4",
            scale,
            source="arXiv:2507.01250",
            key="two",
        ),
        Claim(
            CLAIMS["penalty"],
            expected,
            float(right - wrong),
            abs(right - wrong - expected) < 1e-6,
            "waves alone: 0",
            note="the weights of the two pairs, without data",
            key="penalty",
        ),
        Claim(
            CLAIMS["copies"],
            None,
            f"{worst_copy:.1e} apart at most",
            worst_copy < 1e-10,
            "without the group: four times the draws",
            "200 samples, 4 images",
            key="copies",
        ),
    ]
    columns = [
        "binary",
        "inclination (deg)",
        "SNR",
        "published",
        "modes",
        "with timing",
        "error of psi",
        "with timing, error of psi",
        "counted",
    ]
    caption = (
        "Inclinations of 60 degrees stand for unknown ones. Counted are those with a ratio above 10 and |cos(iota)| below 0.9. "
        "Errors of psi (rad) by the Fisher matrix with frequency, its rate, phase, inclination and amplitude free; above a radian "
        "the angle is not measured."
    )
    section = Section(
        "Sixteen binaries, fitted",
        "Four years of noisy data of each, with a position angle and a phase at random. Modes are local maxima of the likelihood "
        "that a grid of 61 inclinations, 96 angles and 96 phases leads to, within 20 of the highest.",
        tables=[Table("Fits", columns, rows, caption)],
        figures=[*([picture] if picture else []), *([bi.sky_map(drawn)] if drawn else [])],
    )
    return (
        claims,
        section,
        {
            "fits": {
                "loud": loud,
                "four": four,
                "two": two,
                "modes, waves": 4 if four == loud else None,
                "modes, timed": 2 if two == loud else None,
                "each": numbers,
            }
        },
    )


def _picture(waves: bi.FourWaves, c: torch.Tensor, iota: float, name: str) -> Figure:
    """The likelihood of one binary over position angle and phase, at its best inclination."""
    around = math.pi / 36 * torch.arange(73, dtype=torch.float64)
    L = waves.grid(c, bi.Grid(torch.tensor([iota], dtype=torch.float64), around, around))[0]
    degrees = [5 * i for i in range(73)]
    figure = blank("phase of the waves (degrees)", "position angle (degrees)")
    bar = {"title": {"text": "ln L below the highest", "side": "right"}, "thickness": 10, "outlinewidth": 0, "nticks": 5}
    figure.add_heatmap(z=(L - L.max()).clamp_min(-LOWEST).tolist(), x=degrees, y=degrees, coloraxis="coloraxis")
    scales = {"light": colour_scale(SEQUENTIAL), "dark": colour_scale(SEQUENTIAL_DARK)}
    figure.update_layout(coloraxis={"colorscale": scales["light"], "cmin": -LOWEST, "cmax": 0, "colorbar": bar}, meta=scales)
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        axis.update(tickvals=[0, 90, 180, 270, 360], showgrid=False, zeroline=False, constrain="domain")
    figure.update_yaxes(scaleanchor="x", scaleratio=1)
    caption = f"{name}: four tops, a quarter turn and half a cycle of the waves apart. A timed phase keeps the two at one phase."
    return Figure("Likelihood over angle and phase", figure, caption, "Map of the likelihood with four tops on slanted ridges")
