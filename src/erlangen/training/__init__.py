"""Training on Accelerate: one loop, resumable to the bit; many small members at once."""

from erlangen.training.batches import Shuffle
from erlangen.training.config import TrainingConfig
from erlangen.training.history import History
from erlangen.training.loop import train
from erlangen.training.stacked import train_members
from erlangen.training.supervised import steps_within, supervised

__all__ = ["History", "Shuffle", "TrainingConfig", "steps_within", "supervised", "train", "train_members"]
