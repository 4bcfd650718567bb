"""Rank four: the index and minimal degrees of left ideals of maximal orders of quaternions."""

from __future__ import annotations

import random

from sympy import primerange

from erlangen.fields import curves
from erlangen.reporting import Claim, Section, Table
from erlangen.studies.isogeny.settings import CLAIMS, SOURCE, Config, Found, told


def rank_four(config: Config, quiet: bool) -> Found:
    """The index and minimal degrees where endomorphisms are quaternions."""
    worst, where, pairs, bound = 0.0, (0, 0), 0, True
    last = 500 if config.full else config.quaternions
    for p in told(list(primerange(11, last)), "rank four", quiet):
        classes = curves.left_classes(p)
        for i, one in enumerate(classes):
            for other in classes[:i]:
                least = curves.quaternion_min_degree(one, other)
                bound &= 2 * least**2 <= p
                pairs += 1
                if least / p**0.5 > worst:
                    worst, where = least / p**0.5, (p, least)
    tried = right = naive = 0
    rng = random.Random(config.seed)
    for p in (11, 37):
        classes = curves.left_classes(p)
        for one in classes:
            for other in classes:
                basis = curves.quaternion_homs(other, one).basis
                for _ in range(5):
                    k = [rng.randint(1, 3) for _ in range(4)]
                    beta = tuple(sum(a * v[c] for a, v in zip(k, basis)) for c in range(4))
                    if any(beta):
                        tried += 1
                        found = curves.quaternion_index_theorem(one, other, beta)
                        right, naive = right + bool(found), naive + (found["index"] == found["degree"])
    claims = [
        Claim(
            CLAIMS["rank-four-index"],
            "equal",
            f"{right} of {tried} equal",
            right == tried,
            f"deg(beta), as in rank two: {naive} of {tried}",
            "maximal orders at p = 11 and 37",
            source=SOURCE,
            key="rank-four-index",
        ),
        Claim(
            CLAIMS["rank-four-minimum"],
            "at most 0.7071",
            worst,
            bound,
            f"Hermite's constant: {0.5**0.5:.4f} sqrt p",
            f"{pairs} pairs of curves, p below {last}",
            note=f"largest at p = {where[0]}, degree {where[1]}",
            source=SOURCE,
            key="rank-four-minimum",
        ),
    ]
    section = Section(
        "Rank four",
        ["Where Frobenius is a whole number, endomorphisms are a maximal order of quaternions; all of this is whole numbers."],
        [
            Table(
                "Rank four",
                ["what", "value"],
                [["pairs", pairs], ["largest degree / sqrt p", worst], ["at p", where[0]], ["degree", where[1]]],
            )
        ],
    )
    return claims, section, {"rank four": {"pairs": pairs, "largest ratio": worst, "p": where[0], "degree": where[1]}}
