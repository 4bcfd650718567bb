"""The study of equivariant self-supervision: its configuration and its parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from erlangen.reporting import RIVAL, RIVAL_CLAIM
from erlangen.studies.base import Announced, Study

SOURCE = "Dangovski, Jing, Loh, Han, Srivastava, Cheung, Agrawal, Soljacic, ICLR 2022, arXiv:2111.00899"


@dataclass(frozen=True)
class Config:
    """One part is a few minutes on two cores. Arms of a comparison have the same images, steps, batches and learning rate."""

    part: Literal["fashion", "table", "photonics"] = "fashion"
    """Turns of clothes; the table of transformations; photonic crystals."""
    images: int = 8000
    """Images without labels (fashion, table)."""
    test: int = 3000
    """Images to judge by (fashion, table)."""
    steps: int = 160
    """Steps of each training (fashion); the table takes a third of them."""
    batch: int = 128
    """Images or cells in a batch of self-supervision."""
    lr: float = 1e-3
    """AdamW's largest learning rate."""
    methods: tuple[Literal["simclr", "simsiam", "barlow"], ...] = ("simclr",)
    """Losses of invariance that are compared with and without sensitivity (fashion)."""
    cells: int = 1000
    """Photonic cells without labels."""
    labelled: int = 400
    """Photonic cells with a density of states to learn from; half as many choose the epoch, as many are tested on."""
    epochs: int = 21
    """Epochs of self-supervision and of fine-tuning (photonics)."""
    family: Literal["blob", "gpm"] = "blob"
    """Cells without symmetry, sensitive to half shifts; or of plane group pm, sensitive to quarter turns (photonics)."""
    seeds: int = 3
    """Repetitions, about whose means the claims are; the table takes the first."""
    jobs: int = 2
    """Trainings at a time, one core each."""
    full: bool = False
    """The source's scale: all images, a ResNet-18 and 50 epochs; 20,000 and 3,000 cells, 200 and 100 epochs."""
    seed: int = 0
    """First seed."""

    @property
    def every_seed(self) -> range:
        return range(self.seed, self.seed + self.seeds)


CLOSED_FORM = "the best learned features beat closed-form ones; where they do not, the closed form is enough"
PARTS = {
    "fashion": Announced(
        "Four-fold turns of clothes: predicted, ignored, or left alone",
        {
            RIVAL: RIVAL_CLAIM,
            "turns": "features that predict four-fold turns classify clothes better than SimCLR's, which beat those that "
            "ignore turns",
            "named": "the heads name the turns",
            "closed-form": CLOSED_FORM,
        },
    ),
    "table": Announced(
        "Every transformation as an invariance, as a sensitivity, and absent",
        {
            RIVAL: RIVAL_CLAIM,
            "which-symmetries": "turns are a good sensitivity and a bad invariance; mirrors are not (--part table)",
        },
    ),
    "photonics": Announced(
        "Densities of states of photonic crystals from few labels",
        {
            RIVAL: RIVAL_CLAIM,
            "shifts": "shifts of a photonic cell, which its density of states ignores, still help when predicted (--part "
            "photonics)",
            "closed-form": CLOSED_FORM,
        },
    ),
}


STUDY = Study.of_parts(
    "essl",
    system=6,
    title="Equivariant self-supervised learning: invariance to some transformations, sensitivity to others",
    source=SOURCE,
    config=Config,
    package="erlangen.studies.essl",
    parts=PARTS,
)
