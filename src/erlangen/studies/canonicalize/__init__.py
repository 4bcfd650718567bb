"""Learned canonicalization: images, charged bodies, and a pretrained model that learns to stand rotated images."""

from erlangen.studies.canonicalize.study import STUDY, Config

__all__ = ["STUDY", "Config"]
