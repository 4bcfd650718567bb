"""The commands and their flags, one dataclass each. Nothing heavy is imported here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg, subcommand

from erlangen.cli.binaries import Binaries
from erlangen.cli.crystals import Crystals
from erlangen.cli.divide import Divide
from erlangen.cli.locate import Locate
from erlangen.cli.microstructures import Microstructures
from erlangen.cli.solids import RestShape, Stand

#: What data can be taken for.
Way = Literal["tokens", "images", "sets", "sequences", "graphs", "atoms", "weights"]


@dataclass(frozen=True)
class Fit:
    """Discover the symmetry of DATA, train a plain and a symmetric network side by side, audit both, and write a report."""

    data: Positional[str]
    """A built-in name (jets, two-body, three-body), a file (.npz, .csv, .parquet, .h5, .npy; .extxyz, .sdf, .cif; .safetensors with
    weights), or a folder (of pictures by class, of structures)."""
    target: str | None = None
    """The array, column(s) or property to predict; by default 'y', of structures 'energy'."""
    tokens: str | None = None
    """Columns of a table that form vectors: "q1 q2, p1 p2" makes two tokens of dimension 2."""
    as_: Annotated[Way | None, arg(name="as")] = None
    """What the data are; by default it is recognised."""
    kind: Literal["scalar", "vector", "class"] | None = None
    """What the target is; by default it is recognised. Text of more than 20 labels needs "class"."""
    group: str | None = None
    """Use this group, e.g. "SO(3)" or "S(5) x SO(3)", instead of discovering one."""
    soft: bool = False
    """Where the symmetry is only approximate for the task, use a soft penalty instead of the frame."""
    seeds: int = 3
    """Networks of each kind to train."""
    steps: int = 1500
    """Training steps of each network."""
    discover_steps: int | None = None
    """Training steps of the discoverer; by default its own."""
    out: Path = Path("runs")
    """Where runs are kept: OUT/NAME/DATE."""
    resume: Path | None = None
    """Continue an interrupted run in this directory."""
    seed: int = 0
    """Seed of everything random."""
    quiet: bool = False
    """No progress: only what was found, and where the report is."""


@dataclass(frozen=True)
class Discover:
    """Which symmetry do DATA have? Run all discoverers that fit and print one comparable table."""

    data: Positional[str]
    """A built-in name (jets, two-body, three-body) or a file: .npz, .csv or .parquet."""
    target: str | None = None
    """The array or column(s) that belong to the inputs; by default 'y' where present."""
    tokens: str | None = None
    """Columns of a table that form vectors: "q1 q2, p1 p2" makes two tokens of dimension 2."""
    kind: Literal["scalar", "vector", "class"] | None = None
    """What the target is; by default it is recognised. Text of more than 20 labels needs "class"."""
    kinds: str | None = None
    """Of each token its kind, e.g. "position, position, velocity": each kind may move by generators of its own."""
    steps: int | None = None
    """Training steps of the learned discoverer."""
    sequences: bool | None = None
    """Whether a sample's tokens are the frames of a sequence; by default where the target is a vector."""
    seed: int = 0
    """Seed of everything random."""
    json: bool = False
    """Print JSON."""
    quiet: bool = False
    """No progress: only what was found, and where the report is."""


@dataclass(frozen=True)
class Audit:
    """Measure a model of yours under a group: equivariance, explanations, cost."""

    model: Positional[str]
    """FILE.py:FACTORY, a Python file and the function in it that builds the module; or the directory of a fit."""
    data: Path
    """A file or folder with the inputs, as for `fit`."""
    group: str | None = None
    """The group, e.g. "SO(3)", "D4" for pictures, "E(3) x S(9)" for structures of at most nine atoms; by default that of the fit."""
    weights: Path | None = None
    """Weights in a .safetensors file."""
    inp: str = "vector"
    """How the last axis of the input moves: vector, point, scalar or pseudoscalar."""
    out: str = "scalar"
    """How the output moves: vector, point, scalar or pseudoscalar."""
    tokens: str | None = None
    """Columns of a table that form vectors."""
    as_: Annotated[Way | None, arg(name="as")] = None
    """What the data are; by default it is recognised."""
    report: Path = Path("audit.html")
    """Where to write the report."""
    elements: int = 32
    """Group elements to try."""
    float64: bool = True
    """Compute in double precision."""
    seed: int = 0
    """Seed of the group elements."""
    json: bool = False
    """Print JSON."""
    quiet: bool = False
    """Only the answer in one line, and where the report is."""


@dataclass(frozen=True)
class Adapt:
    """Fine-tune a local text model on the texts of a table, beside a head on the frozen model and linear models; save it, with a report."""

    model: Positional[Path]
    """A folder with a model of transformers and its tokenizer (config.json, model.safetensors)."""
    data: Positional[Path]
    """A CSV file with a column of texts and one to predict."""
    method: Literal["lora", "dora", "bora", "magnitude", "full"] = "bora"
    """The adapter, or all weights."""
    text: str | None = None
    """The column of texts; by default one called text, content, sentence or review."""
    target: str | None = None
    """The column to predict; by default one called label, target, y, class or category."""
    kind: Literal["scalar", "class"] | None = None
    """What the target is; by default it is recognised."""
    test: Path | None = None
    """A CSV file to test by; by default 30 % of DATA."""
    r: int = 8
    """Rank of the update."""
    alpha: float = 16.0
    """Its scale."""
    target_modules: str = "all-linear"
    """Layers to adapt: ends of names with commas between ("query, value"), or a regular expression."""
    layers: str = ""
    """Blocks to adapt, e.g. "4,5"; by default all. Those below are computed once."""
    epochs: int = 2
    """Passes over the training texts."""
    steps: int = 0
    """Steps of each training, in place of --epochs."""
    rates: tuple[float, ...] = (3e-4, 1e-3, 3e-3)
    """Learning rates, of which held-out texts choose one."""
    batch_size: int = 32
    """Texts in a step."""
    max_tokens: int = 128
    """Longer texts are cut."""
    patience: int = 0
    """Stop after so many evaluations in a row without a better one; two in an epoch."""
    seeds: int = 2
    """Trainings with the chosen rate."""
    out: Path = Path("runs")
    """Where runs are kept: OUT/NAME/DATE."""
    resume: Path | None = None
    """Continue an interrupted run in this directory."""
    seed: int = 0
    """Seed of everything random."""
    quiet: bool = False
    """No progress: only what was found, and where the report is."""


@dataclass(frozen=True)
class Run:
    """Run one study: `erlangen run STUDY --help` shows its own flags."""

    study: Positional[str]
    """Its name; `erlangen list` shows all."""


@dataclass(frozen=True)
class List:
    """The systems and their studies."""

    claims: bool = False
    """With what each study claims."""
    json: bool = False
    """Print JSON."""


@dataclass(frozen=True)
class ZooMake:
    """Train a zoo of small networks on handwritten digits, all at once, and write it as one file."""

    path: Positional[Path]
    """Where to write it (.safetensors)."""
    networks: int = 2000
    """How many networks."""
    seed: int = 0
    """Seed of everything random."""
    quiet: bool = False
    """No progress: only what was found, and where the report is."""


@dataclass(frozen=True)
class ZooPredict:
    """Learn from some networks of a zoo to tell, from weights alone, how well the others do."""

    path: Positional[Path]
    """A file that `zoo make` wrote."""
    functional: Literal["UNF", "StatNN", "deep set"] = "UNF"
    """What reads the weights."""
    epochs: int = 30
    """Passes over the zoo."""
    judged: int = 300
    """Networks that are kept apart, and as many again to choose the epoch."""
    seed: int = 0
    """Seed of the training."""
    weights: Path | None = None
    """Where to write the trained predictor (.safetensors)."""
    json: bool = False
    """Print JSON."""
    quiet: bool = False
    """No progress: only what was found, and where the report is."""


@dataclass(frozen=True)
class Zoo:
    """Zoos of trained networks: make one, or predict accuracy from weights."""

    do: Annotated[Annotated[ZooMake, subcommand(name="make")] | Annotated[ZooPredict, subcommand(name="predict")], arg(name="")]


@dataclass(frozen=True)
class Expressivity:
    """Which geometric Weisfeiler-Leman tests tell two structures apart, and after how many layers: the ladder of A and B."""

    a: Positional[Path]
    """A structure: .sdf and .mol with their bonds (RDKit), else any file that ASE reads."""
    b: Positional[Path]
    """The other one."""
    cutoff: float | None = None
    """Atoms nearer than this, in angstrom, are neighbours; needed where the file has no bonds."""
    group: str | None = None
    """"O(3)" or "SO(3)"; by default both."""
    tol: float | None = None
    """Numbers that differ by less, in angstrom, count as equal; by default 1e-5 of a typical edge."""
    json: bool = False
    """Print JSON."""


@dataclass(frozen=True)
class ReluDimension:
    """How many degrees of freedom has a ReLU network at random initialisations? Its functional dimension against the largest possible."""

    arch: str
    """Widths from input to output, e.g. 5-5-5-5-1."""
    inits: int = 400
    """How many initialisations."""
    multiple: float = 100
    """Inputs for each, as a multiple of the largest possible dimension; fewer underestimate."""
    init: Literal["he", "lecun"] = "he"
    """The law of the weights."""
    bias_std: float = 0.1
    """Standard deviation of the biases."""
    seed: int = 0
    """Seed of everything random."""
    json: bool = False
    """Print JSON."""
    quiet: bool = False
    """No progress: only what was found, and where the report is."""


Command = (
    Annotated[Fit, arg(name="fit")]
    | Annotated[Discover, arg(name="discover")]
    | Annotated[Audit, arg(name="audit")]
    | Annotated[Adapt, arg(name="adapt")]
    | Annotated[Run, arg(name="run")]
    | Annotated[Zoo, arg(name="zoo")]
    | Annotated[Crystals, arg(name="crystals")]
    | Annotated[Microstructures, arg(name="microstructures")]
    | Annotated[Stand, arg(name="stand")]
    | Annotated[RestShape, arg(name="rest-shape")]
    | Annotated[Binaries, arg(name="binaries")]
    | Annotated[Divide, arg(name="divide")]
    | Annotated[Locate, arg(name="locate")]
    | Annotated[Expressivity, arg(name="expressivity")]
    | Annotated[ReluDimension, arg(name="relu-dimension")]
    | Annotated[List, arg(name="list")]
)
