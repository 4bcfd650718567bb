"""Training on Accelerate: one loop, resumable to the bit."""

from erlangen.training.config import History, TrainingConfig
from erlangen.training.loop import train

__all__ = ["History", "TrainingConfig", "train"]
