"""Adapters: a trained model fine-tuned through a few parameters beside its frozen weights (LoRA, DoRA, BoRA, pure rescaling)."""

from erlangen.parameters.adapters.changes import AdaptationReport, Change, adaptation_report
from erlangen.parameters.adapters.config import (
    AdapterConfig,
    BoraConfig,
    DoraConfig,
    LoraConfig,
    MagnitudeConfig,
)
from erlangen.parameters.adapters.conversion import to_lora
from erlangen.parameters.adapters.gauge import AdapterGauge
from erlangen.parameters.adapters.layers import AdaptedLayer
from erlangen.parameters.adapters.model import AdaptedModel, get_peft_model
from erlangen.parameters.adapters.training import parameter_groups

__all__ = [
    "AdaptationReport",
    "AdaptedLayer",
    "AdaptedModel",
    "AdapterConfig",
    "AdapterGauge",
    "BoraConfig",
    "Change",
    "DoraConfig",
    "LoraConfig",
    "MagnitudeConfig",
    "adaptation_report",
    "get_peft_model",
    "parameter_groups",
    "to_lora",
]
