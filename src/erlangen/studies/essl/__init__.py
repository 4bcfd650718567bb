"""Equivariant self-supervised learning: which symmetries features should ignore, and which they should feel."""

from erlangen.studies.essl.study import STUDY, Config

__all__ = ["STUDY", "Config"]
