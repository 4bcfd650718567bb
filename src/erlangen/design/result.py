"""`SearchResult`: the best design and its subgroup, how the search came there, and the lattice drawn with what was found."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optree

from erlangen.design.designs import real_pair
from erlangen.design.states import Key, State, States
from erlangen.groups.subgroups import Subgroup
from erlangen.reporting import Figure, Table, layered_graph, plain
from erlangen.serialization import weights_bytes, write_bytes, write_json

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Epoch:
    """One epoch of a search.

    Attributes:
        number: which, from 0.
        state: the name of the state that was trained.
        value: its value afterwards.
        seen: the values of that state and of its neighbours, by name.
        evaluations: how many there were so far, trainings by what they cost.
    """

    number: int
    state: str
    value: float
    seen: dict[str, float]
    evaluations: int


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        how: ``"structured"``, ``"unstructured"``, ``"bandit"``, ``"fixed"`` or ``"exhaustive"``.
        states: the lattice with its soft states.
        best: the state that was trained to the best value; of equally good ones the most symmetric.
        value: that value.
        design: the design, symmetric as that state is.
        history: what happened, epoch by epoch.
        values: the last value of each state that was evaluated.
        evaluations: how many there were.
    """

    how: str
    states: States
    best: State
    value: float
    design: Any
    history: list[Epoch]
    values: dict[Key, float]
    evaluations: int

    @property
    def name(self) -> str:
        """The best state's name, ``"H_4_1"`` or, between two subgroups, ``"H_4 + 1/3 of H_4_1"``."""
        return self.states.name(self.best)

    @property
    def subgroup(self) -> Subgroup:
        """The largest subgroup of the lattice's that is known to keep the design."""
        return self.states.lattice.subgroups[self.best.lower]

    @property
    def symmetrizer(self) -> nn.Module:
        """The map that made the design symmetric."""
        return self.states.symmetrizer(self.best)

    @property
    def trainings(self) -> int:
        """How often a design was trained."""
        return len(self.history)

    def values_of_subgroups(self) -> dict[str, float]:
        """The values of the subgroups that were evaluated, soft states left out, in the lattice's order."""
        exact = sorted((key, value) for key, value in self.values.items() if key[0] == key[1])
        return {self._names[key[0]]: value for key, value in exact}

    def table(self) -> Table:
        """The epochs: which state was trained, its value, and the best of its neighbours as they were seen then."""
        rows = []
        for epoch in self.history:
            others = {name: value for name, value in epoch.seen.items() if name != epoch.state}
            near = max(others, key=lambda name: others[name]) if others else None
            value = None if near is None else others[near]
            rows.append([epoch.number, epoch.state, epoch.value, near, value, epoch.evaluations])
        columns = ["epoch", "state", "value", "best neighbour", "its value", "evaluations"]
        caption = f"The best state is {self.name}, value {self.value:.4g}. Neighbours are evaluated with the state's design."
        return Table("Search over subgroups", columns, rows, caption)

    def figure(self) -> Figure:
        """The lattice, larger subgroups above, in the colours of the last values; hollow ones were not evaluated."""
        lattice = self.states.lattice
        conjugate = self.states.up_to_conjugacy
        orders = [lattice.subgroups[m[0]].order for m in lattice.classes] if conjugate else [s.order for s in lattice.subgroups]
        layers: dict[int, list[int]] = defaultdict(list)
        for node, order in enumerate(orders):
            layers[order].append(node)
        best = self.states.key(self.best)
        return layered_graph(
            [layers[order] for order in sorted(layers)],
            lattice.class_covers() if conjugate else self.states.covers,
            labels=self._names,
            values={key[0]: value for key, value in self.values.items() if key[0] == key[1]},
            marked=sorted({best[0], best[1]}),
            layer_labels=[str(order) for order in sorted(layers)],
            y_label="order",
            colour_label="value",
            title=f"Subgroups of {lattice.group}",
            caption=f"Lines lead from {'a class of conjugate subgroups' if conjugate else 'a subgroup'} to those that cover it; "
            f"colours are the last values, hollow marks were not evaluated; a star marks the best, {self.name}.",
        )

    def as_dict(self) -> dict[str, Any]:
        """Everything but the design, ready for JSON."""
        return {
            "how": self.how,
            "group": str(self.states.lattice.group),
            "subgroup": self._names[self.states.key(self.best)[0]],
            "state": self.name,
            "order": self.subgroup.order,
            "value": self.value,
            "evaluations": self.evaluations,
            "trainings": self.trainings,
            "values": self.values_of_subgroups(),
            "history": plain(self.history),
        }

    def save(self, directory: str | Path) -> Path:
        """Write ``result.json`` and the design's tensors as ``design.safetensors``, complex ones as pairs; returns the folder."""
        folder = Path(directory)
        paths, leaves, _ = optree.tree_flatten_with_path(self.design)
        names = [".".join(map(str, path)) or "design" for path in paths]
        if len(set(names)) < len(names):  # a key with a dot, or 0 beside "0"
            names = [".".join(map(repr, path)) for path in paths]
        write_bytes(folder / "design.safetensors", weights_bytes(dict(zip(names, map(real_pair, leaves)))))
        write_json(folder / "result.json", self.as_dict())
        return folder

    @property
    def _names(self) -> list[str]:
        """Of the subgroups, or of the first of each class."""
        lattice = self.states.lattice
        if not self.states.up_to_conjugacy:
            return lattice.names
        return [lattice.names[members[0]] for members in lattice.classes]
