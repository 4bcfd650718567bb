"""Isogenies as ideals: the index of ``Hom(E1, E2) beta``, kernel ideals, class groups on curves, minimal degrees in both ranks.

Source: L. Luo, G. Xiao, Y. Deng, "On two problems about isogenies of elliptic curves over finite fields" (2020), arXiv:2001.00126, whose
statements are derived again; the action is that of Castryck, Lange, Martindale, Panny and Renes, "CSIDH" (2018).
"""

from erlangen.studies.isogeny.settings import Config
from erlangen.studies.isogeny.study import STUDY, run

__all__ = ["STUDY", "Config", "run"]
