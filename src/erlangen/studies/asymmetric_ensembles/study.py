"""The study of asymmetric networks, one part at a time: `part` is `ensembles` or `experts`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from erlangen.datasets.tables import TableName
from erlangen.reporting import RIVAL, RIVAL_CLAIM
from erlangen.studies.base import Announced, Study

SOURCE = "Chernov & Novitskij, 2025, arXiv:2502.17391; Lim, Putterman, Walters, Maron & Jegelka, NeurIPS 2024, arXiv:2405.20231"


@dataclass(frozen=True)
class Config:
    """Four hidden-layer networks on tables, trained by the source's recipe: AdamW, rate 1e-3, decay 0.03, batches of 256, patience 16."""

    part: Literal["ensembles", "experts"] = "ensembles"
    """Deep ensembles, or mixtures of experts."""
    full: bool = False
    """The source's widths (64, 128, 256) and sizes (to 64 members), 1000 epochs at most, all diamonds; hours.
    The tables stay those that packages ship."""
    tables: tuple[TableName, ...] = ("mlc_churn", "wa_churn", "digits", "diamonds")
    """The data sets of the ensembles."""
    members: int = 16
    """Of the largest ensemble."""
    width: int = 64
    """Of the three hidden layers."""
    epochs: int = 100
    """At most."""
    rows: int = 12000
    """Of the diamonds at most; they get 40 epochs at most."""
    pairs: int = 6
    """How many pairs of members are averaged."""
    experts: tuple[int, ...] = (2, 8)
    """How many experts a mixture has."""
    seeds: int = 3
    """Trainings of each mixture."""
    jobs: int = 2
    """Trainings at once."""
    seed: int = 0
    """Of divisions, weights and masks."""


PARTS = {
    "ensembles": Announced(
        "What an ensemble gains from members without symmetries",
        {
            RIVAL: RIVAL_CLAIM,
            "gain": "ensembles of asymmetric networks gain more over their members than those of plain ones, with masks shared or own",
            "single": "a single asymmetric network is no better than a plain one",
            "absolute": "in absolute terms the ensemble of asymmetric networks is the better one on some sets, on others not",
            "disagreement": "asymmetric members disagree more",
            "average": "the mean of two members' weights is better with a shared mask than of plain members as they are",
            "matching": "moving hidden units so that weights match does as much for plain members, without any mask",
            "last": "keeping the last weights and not the best makes the gain look larger",
            "boosting": "ensembles are at least as good as boosted trees",
        },
    ),
    "experts": Announced(
        "Mixtures of experts and of interpolated experts without symmetries",
        {
            RIVAL: RIVAL_CLAIM,
            "experts-alike": "all mixtures are within three points of each other and of a single network",
            "experts-masks": "masks bring no gain to a mixture that is beyond its standard error",
            "experts-gumbel": "the Gumbel gate is at least as good as the standard one for plain experts",
        },
    ),
}

STUDY = Study.of_parts(
    "asymmetric-ensembles",
    system=31,
    title="Asymmetric networks in deep ensembles and mixtures of experts",
    source=SOURCE,
    config=Config,
    package="erlangen.studies.asymmetric_ensembles",
    parts=PARTS,
)
