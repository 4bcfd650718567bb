"""`AdapterConfig`: which layers of a model are adapted, and how. One switchboard for LoRA, DoRA, BoRA and pure rescaling."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Literal, get_args

from erlangen.errors import ArgumentError

Method = Literal["lora", "dora", "bora", "magnitude"]
#: What ``target_modules`` says for every linear layer and attention, but modules to save and the output layer of a language model.
ALL_LINEAR = "all-linear"


@dataclass(frozen=True)
class AdapterConfig:
    """How a model is adapted. The names are those of ``peft``.

    A layer's matrix ``W`` ``[out, in]`` becomes, with ``A`` ``[r, in]``, ``B`` ``[out, r]`` and ``s = lora_alpha / r``:

    - ``"lora"``: ``W + s B A``;
    - ``"dora"``: its rows scaled to the lengths ``magnitude_row`` (with ``dora_axis="in"``: its columns to ``magnitude_col``);
    - ``"bora"``: its rows scaled to ``magnitude_row``, then its columns to ``magnitude_col`` (``first="col"``: the other way round);
    - ``"magnitude"``: as ``"bora"`` without ``A`` and ``B``.

    Attributes:
        method: see above.
        r: rank of the update; 0 leaves the magnitudes alone.
        lora_alpha: the update is scaled by ``lora_alpha / r``, with ``use_rslora`` by ``lora_alpha / sqrt(r)``.
        target_modules: names of layers, or ends of names (``["query", "value"]``), or one regular expression that a whole name
            matches, or ``"all-linear"``.
        exclude_modules: what is left out, in the same words.
        lora_dropout: probability with which an input of the low-rank branch is dropped in training.
        bias: which biases are trained: ``"none"``, ``"all"``, or ``"lora_only"``, those of adapted layers.
        use_rslora: see ``lora_alpha``.
        modules_to_save: names (or ends) of modules that are trained whole and saved along: a new head.
        rank_pattern, alpha_pattern: other ranks and scales for layers whose names end in, or match, a key.
        layers_to_transform: numbers of the blocks to adapt; by default all.
        layers_pattern: name of the list of blocks; by default the first number in a layer's name counts.
        detach_norms: whether the lengths that a matrix is divided by count as constants in the backward pass (less memory; DoRA's way).
        first: which side ``"bora"`` normalises first, ``"row"`` or ``"col"``.
        dora_axis: whether ``"dora"`` has a magnitude for each output or each input.
        column: of a convolution: a column for each input channel and position of the kernel, or for each ``"in_channel"``.
        split: names (or ends) of fused layers with the number of matrices on top of each other in them: ``{"qkv": 3}``.

    Raises:
        ArgumentError: a value out of range, by its name.

    Sources: E. Hu et al., "LoRA", ICLR 2022, arXiv:2106.09685; S.-Y. Liu et al., "DoRA", ICML 2024, arXiv:2402.09353; Q. Wang et al.,
    "BoRA: bi-dimensional weight-decomposed low-rank adaptation", arXiv:2412.06441; D. Kalajdzievski, "rsLoRA", arXiv:2312.03732.

    >>> BoraConfig(r=4, target_modules=["query", "value"]).scaling(4)
    4.0
    """

    method: Method = "lora"
    r: int = 8
    lora_alpha: float = 16.0
    target_modules: str | Sequence[str] = ALL_LINEAR
    exclude_modules: str | Sequence[str] = ()
    lora_dropout: float = 0.0
    bias: Literal["none", "all", "lora_only"] = "none"
    use_rslora: bool = False
    modules_to_save: Sequence[str] = ()
    rank_pattern: Mapping[str, int] = field(default_factory=dict)
    alpha_pattern: Mapping[str, float] = field(default_factory=dict)
    layers_to_transform: int | Sequence[int] | None = None
    layers_pattern: str | None = None
    detach_norms: bool = True
    first: Literal["row", "col"] = "row"
    dora_axis: Literal["out", "in"] = "out"
    column: Literal["kernel", "in_channel"] = "kernel"
    split: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        choices = {
            "method": get_args(Method), "bias": ("none", "all", "lora_only"), "first": ("row", "col"),
            "dora_axis": ("out", "in"), "column": ("kernel", "in_channel"),
        }  # fmt: skip
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ArgumentError(name, f"one of {', '.join(map(repr, known))}", repr(getattr(self, name)))
        if not 0 <= self.lora_dropout < 1:
            raise ArgumentError("lora_dropout", "a probability below 1", repr(self.lora_dropout))
        rank, matrices = "a rank, a whole number from 0 on", "a number of matrices, from 1 on"
        plain: dict[str, Any] = {
            "r": _whole("r", rank, 0, self.r),
            "rank_pattern": {key: _whole("rank_pattern", rank, 0, r, key) for key, r in self.rank_pattern.items()},
            "lora_alpha": _positive("lora_alpha", self.lora_alpha),
            "alpha_pattern": {key: _positive("alpha_pattern", alpha, key) for key, alpha in self.alpha_pattern.items()},
            "split": {key: _whole("split", matrices, 1, parts, key) for key, parts in self.split.items()},
        }
        for name in ("target_modules", "exclude_modules", "modules_to_save"):
            words = getattr(self, name)
            plain[name] = words if isinstance(words, str) else tuple(sorted(words) if isinstance(words, Set) else words)
            if not all(isinstance(word, str) for word in plain[name]):
                raise ArgumentError(name, "names of modules", repr(words))
            try:
                re.compile(words if isinstance(words, str) else "")
            except re.error as problem:
                raise ArgumentError(name, f"a regular expression ({problem})", repr(words)) from None
        if self.layers_to_transform is not None and not isinstance(self.layers_to_transform, int):
            numbers = tuple(_whole("layers_to_transform", "numbers of blocks", 0, n) for n in self.layers_to_transform)
            plain["layers_to_transform"] = numbers
        for name, value in plain.items():  # plain numbers and tuples, which a file holds
            object.__setattr__(self, name, value)
        if self.method == "lora" and self.r == 0 and not any(self.rank_pattern.values()):
            raise ArgumentError(
                "r", "a rank from 1 on, for LoRA has nothing else", "0", "method='magnitude' trains magnitudes alone"
            )

    @property
    def sides(self) -> tuple[Literal["row", "col"], ...]:
        """Which sides of the matrix have magnitudes, in the order in which they are normalised.

        >>> DoraConfig().sides, BoraConfig(first="col").sides, LoraConfig().sides
        (('row',), ('col', 'row'), ())
        """
        if self.method == "lora":
            return ()
        if self.method == "dora":
            return ("row",) if self.dora_axis == "out" else ("col",)
        return ("row", "col") if self.first == "row" else ("col", "row")

    def rank(self, name: str) -> int:
        """The rank of the layer called ``name``."""
        return 0 if self.method == "magnitude" else int(lookup(self.rank_pattern, name, self.r))

    def scaling(self, r: int, name: str = "") -> float:
        """What ``B A`` is multiplied by in the layer called ``name``, of rank ``r``."""
        alpha = float(lookup(self.alpha_pattern, name, self.lora_alpha))
        return alpha / (math.sqrt(r) if self.use_rslora else r) if r else 0.0


@dataclass(frozen=True)
class LoraConfig(AdapterConfig):
    """:class:`AdapterConfig` of ``method="lora"``."""

    method: Method = "lora"


@dataclass(frozen=True)
class DoraConfig(AdapterConfig):
    """:class:`AdapterConfig` of ``method="dora"``."""

    method: Method = "dora"


@dataclass(frozen=True)
class BoraConfig(AdapterConfig):
    """:class:`AdapterConfig` of ``method="bora"``."""

    method: Method = "bora"


@dataclass(frozen=True)
class MagnitudeConfig(AdapterConfig):
    """:class:`AdapterConfig` of ``method="magnitude"``: a pure rescaling of both sides."""

    method: Method = "magnitude"
    r: int = 0


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _whole(name: str, expected: str, least: int, value: Any, key: str = "") -> int:
    if not _is_number(value) or not least <= value < math.inf or value != int(value):
        raise ArgumentError(name, expected, f"{value!r} for '{key}'" if key else repr(value))
    return int(value)


def _positive(name: str, value: Any, key: str = "") -> float:
    if not _is_number(value) or not 0 < value < math.inf:
        raise ArgumentError(name, "a positive scale", f"{value!r} for '{key}'" if key else repr(value))
    return float(value)


def named(words: str | Sequence[str], name: str) -> bool:
    """Whether a module's name is meant: it matches the one regular expression, or is or ends in one of the names.

    >>> named("layer[.][01][.].*", "layer.1.query"), named(["query"], "layer.1.query"), named(["ery"], "layer.1.query")
    (True, True, False)
    """
    if isinstance(words, str):
        return re.fullmatch(words, name) is not None
    return any(name == word or name.endswith(f".{word}") for word in words)


def lookup(table: Mapping[str, float], name: str, default: float) -> float:
    """The value for a name in a table by names, ends of names or regular expressions of ends, as ``peft`` reads its patterns."""
    for key, value in table.items():
        if re.fullmatch(rf"(.*\.)?({key})", name):
            return value
    return default
