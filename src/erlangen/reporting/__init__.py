"""Claims, figures, reports and progress: how every run tells what it found.

A run returns an :class:`Outcome`; ``outcome.save(run_directory(name))`` keeps it as JSON and as one self-contained
HTML page.
"""

from erlangen.reporting.bodies import Balls, balls
from erlangen.reporting.claims import Claim, Claims, claim_from
from erlangen.reporting.crossovers import Crossover
from erlangen.reporting.environment import peak_memory_mb, versions
from erlangen.reporting.figures import Figure, Line, bars_with_error, heatmap, histogram, lines_with_band, scatter
from erlangen.reporting.folders import check_folder, run_directory
from erlangen.reporting.formatting import PlusMinus, format_number, format_value, repeated, seeds_said
from erlangen.reporting.graphs import layered_graph
from erlangen.reporting.meshes import Surface, meshes
from erlangen.reporting.moving import moving
from erlangen.reporting.outcome import Outcome
from erlangen.reporting.parts import KeyNumber, Matrix, Section, Table
from erlangen.reporting.pictures import pictures
from erlangen.reporting.plain import plain, to_json
from erlangen.reporting.progress import progress
from erlangen.reporting.rivals import RIVAL, RIVAL_CLAIM, Rival
from erlangen.reporting.voxels import voxels

__all__ = [
    "RIVAL",
    "RIVAL_CLAIM",
    "Balls",
    "Claim",
    "Claims",
    "Crossover",
    "Figure",
    "KeyNumber",
    "Line",
    "Matrix",
    "Outcome",
    "PlusMinus",
    "Rival",
    "Section",
    "Surface",
    "Table",
    "balls",
    "bars_with_error",
    "check_folder",
    "claim_from",
    "format_number",
    "format_value",
    "heatmap",
    "histogram",
    "layered_graph",
    "lines_with_band",
    "meshes",
    "moving",
    "peak_memory_mb",
    "pictures",
    "plain",
    "progress",
    "repeated",
    "run_directory",
    "scatter",
    "seeds_said",
    "to_json",
    "versions",
    "voxels",
]
