"""Which of two mirror images a stereocentre is: the study of system 30."""

from erlangen.studies.jellyfish_chirality.study import STUDY, Config

__all__ = ["STUDY", "Config"]
