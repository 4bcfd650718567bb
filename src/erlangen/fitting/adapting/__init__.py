"""Fine-tuning of local text models by adapters: from texts with labels to a saved adapter and a report."""

from erlangen.fitting.adapting.config import AdaptConfig, block_numbers, module_names
from erlangen.fitting.adapting.run import Adapted, adapt
from erlangen.fitting.adapting.store import TextPredictor, load_adapted
from erlangen.fitting.adapting.text_model import TextModel, load_text_model

__all__ = [
    "AdaptConfig",
    "Adapted",
    "TextModel",
    "TextPredictor",
    "adapt",
    "block_numbers",
    "load_adapted",
    "load_text_model",
    "module_names",
]
