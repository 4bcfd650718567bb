"""BoRA beside DoRA and LoRA on a real language model and real texts: the study of system 1."""

from erlangen.studies.bora.study import STUDY, Config

__all__ = ["STUDY", "Config"]
