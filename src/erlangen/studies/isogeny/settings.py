"""What the parts of the study share: sources, the claims, settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from erlangen.reporting import RIVAL, RIVAL_CLAIM, Claim, Section, progress

SOURCE = "Luo, Xiao and Deng, arXiv:2001.00126"
CSIDH = "Castryck et al. 2018"
#: Degrees are searched up to this.
MOST = 30
CLAIMS = {
    "index": "[End(E2) : Hom(E1, E2) beta] is deg(beta) f1/g for every rational cyclic subgroup of order 2, 3, 4, 6, counted by points",
    "recovered": "an isogeny is the quotient by what its ideal kills exactly where f1 divides f2",
    "torsor": "the class group acts freely and transitively on the curves of each order",
    "orbits": "on y^2 = x^3 + A x^2 + x over the field of 419, the ideals of norm 3, 5, 7 have orbits of 27, 9, 27 curves",
    "relations": "[7] = [3]^5 and [5] = [3]^12, in forms and on curves",
    "minimum": "the smallest degree between two curves is the first coefficient of a reduced form times l/g",
    "commutes": "random products of prime ideals commute at a prime of 64 bits, and the conjugates lead back",
    "rank-four-index": "in rank four the index is deg(beta)^2",
    "rank-four-minimum": "in rank four the smallest degree between two curves is at most sqrt(p/2)",
    RIVAL: RIVAL_CLAIM,
}


@dataclass(frozen=True)
class Config:
    """Settings.

    Attributes:
        full: all primes up to 2000 with few traces each, minimal degrees in rank four up to 500, larger primes of CSIDH's kind.
        largest: primes of the census, from 67 on.
        traces: traces of each prime, the first whose Frobenius has a conductor above 1.
        searched: isogeny classes whose minimal degrees are searched for, 1 to 4.
        quaternions: primes of rank four, up to this.
        bits: of the large prime.
        steps: of its walks.
        seed: of all random numbers.
    """

    full: bool = False
    largest: int = 200
    traces: int = 4
    searched: int = 4
    quaternions: int = 200
    bits: int = 64
    steps: int = 50
    seed: int = 0


#: What a part gives: claims, a section of the report, numbers.
Found = tuple[list[Claim], Section, Mapping[str, Any]]


def told(items: list[Any], what: str, quiet: bool) -> Iterator[Any]:
    """Items one after another, with a bar that says how far it is."""
    with progress(len(items), what, quiet=quiet) as bar:
        for item in items:
            yield item
            bar.advance()
