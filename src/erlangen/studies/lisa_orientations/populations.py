"""Populations of the bulge: quadrupoles from all candidates of each binary."""

from __future__ import annotations

import torch

from erlangen.fields import binaries as bi
from erlangen.reporting import Claim, Section, Table
from erlangen.studies.lisa_orientations.claims import CLAIMS, Config, Found


def populations(config: Config) -> Found:
    """Quadrupoles of populations of the bulge."""
    count = 10_000 if config.full else config.population
    pole = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    rows, numbers = [], {}
    for strength in (0.0, 0.05, 0.2) if config.full else (0.0, 0.2):
        generator = torch.Generator().manual_seed(config.seed + 1)
        k = torch.randn(count, 3, dtype=torch.float64, generator=generator) * torch.tensor([0.12, 0.12, 0.08])
        k = torch.nn.functional.normalize(k + torch.tensor([1.0, 0.0, 0.0]), dim=-1)  # towards the bulge, in Galactic axes
        L = bi.draw_directions(count, strength, pole, generator)
        lon, lat = torch.atan2(k[:, 1], k[:, 0]), torch.asin(k[:, 2])
        iota, psi = bi.orientation(L, lon, lat)
        sets = {
            "known": L[:, None],
            "two": bi.candidate_vectors(lon, lat, iota, psi, ["gravitational waves", "eclipses"]),
            "four": bi.candidate_vectors(lon, lat, iota, psi),
        }
        for name, vectors in sets.items():
            Q = bi.quadrupole(vectors)
            value, error = Q.along(pole)
            rows.append([strength, name, value, error, value / error, Q.isotropic["chi2"], Q.isotropic["p"]])
            numbers[f"{strength:g}, {name}"] = {"value": value, "error": error, "p": Q.isotropic["p"], "sigma": Q.significance}
    strong = [numbers[f"0.2, {name}"] for name in ("known", "two", "four")]
    errors = [x["error"] for x in strong]
    even = [numbers[f"0, {name}"]["p"] for name in ("known", "two", "four")]
    scale = f"{count} binaries towards the bulge"
    told = ", ".join(f"{x['sigma']:.1f}" for x in strong)
    claims = [
        Claim(
            CLAIMS["aligned"],
            None,
            f"{told} sigma",
            errors[0] < errors[1] < errors[2] and all(x["p"] < 1e-3 for x in strong),
            "known directions: " + f"{strong[0]['sigma']:.1f} sigma",
            scale,
            note="chi-squared of five components, one-sided sigma",
            key="aligned",
        ),
        Claim(CLAIMS["even"], None, ", ".join(f"p = {p:.2g}" for p in even), all(p > 0.01 for p in even), None, scale, key="even"),
    ]
    if config.full:
        p = numbers["0.05, two"]["p"]
        claims.append(
            Claim(
                CLAIMS["small"],
                "about 0.05",
                f"p = {p:.2g} with two candidates",
                p < 1e-3,
                f"four: p = {numbers['0.05, four']['p']:.2g}",
                scale,
                source="arXiv:2404.13313",
                key="small",
            )
        )
    columns = ["quadrupole", "candidates", "along the pole", "error", "in errors", "chi-squared", "p"]
    section = Section(
        "Are orbits of the bulge aligned?",
        "Averages over candidates keep one of five components of a quadrupole about the line of sight with four of them, three with "
        "two. Towards the bulge all lines of sight are alike, so that what one binary does not tell the others do not tell, either: of "
        "the strongest component about the Galactic pole four candidates see a part only.",
        tables=[
            Table(
                "Quadrupoles by maximum likelihood",
                columns,
                rows,
                "Along the pole: <(L.z)^2> - 1/3, two thirds of the quadrupole.",
            )
        ],
    )
    return claims, section, {"population": numbers}
