"""Training on Accelerate: one loop, resumable to the bit; many small members at once."""

from erlangen.training.batches import Shuffle
from erlangen.training.config import TrainingConfig
from erlangen.training.forecast import pushforward, relative_l2, rollout, unrolled
from erlangen.training.history import History
from erlangen.training.loop import train
from erlangen.training.stacked import train_members
from erlangen.training.supervised import steps_within, supervised

__all__ = [
    "History",
    "Shuffle",
    "TrainingConfig",
    "pushforward",
    "relative_l2",
    "rollout",
    "steps_within",
    "supervised",
    "train",
    "train_members",
    "unrolled",
]
