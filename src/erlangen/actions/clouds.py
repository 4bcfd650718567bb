"""`AtomBatch`: molecules and crystals of different sizes as one ragged batch of tensors, made from ASE, pymatgen or PyG objects."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from erlangen.actions.neighbours import neighbours, rank_tolerance
from erlangen.errors import ArgumentError

#: Positions in angstrom that lose more than this when they are rounded are warned of.
LOST = 1e-3


@dataclass(frozen=True, eq=False)
class AtomBatch:
    """``B`` structures of ``N`` atoms in all.

    Attributes:
        pos: positions in angstrom, ``[N, 3]``.
        numbers: atomic numbers, int64 ``[N]``, from 1 up.
        batch: the structure of each atom, int64 ``[N]``, from 0 up, none left out.
        cell: lattice vectors as rows, ``[B, 3, 3]``; zero where there is none.
        pbc: along which lattice vectors a structure repeats, ``[B, 3]``.
        tags: the layer of each atom of a slab, int64 ``[N]``: 0 below, 1 surface, 2 adsorbate.
        edge_index: directed edges from ``j`` (first row) to ``i``, int64 ``[2, E]``; ``None`` until :meth:`with_edges`.
        cell_offsets: which image of ``j``, int64 ``[E, 3]``.

    Raises:
        ArgumentError: shapes do not fit; positions are not finite; a structure is empty; an atomic number below 1; an edge to an atom
            that there is not; lattice vectors that repeat but are linearly dependent.

    >>> water = AtomBatch.of(torch.tensor([[0.0, 0, 0.12], [0, 0.76, -0.48], [0, -0.76, -0.48]]), [8, 1, 1])
    >>> len(water), water.with_edges(2.0).edge_index.shape
    (1, torch.Size([2, 6]))
    """

    pos: Float[Tensor, "N 3"]
    numbers: Int[Tensor, " N"]
    batch: Int[Tensor, " N"]
    cell: Float[Tensor, "B 3 3"]
    pbc: Bool[Tensor, "B 3"]
    tags: Int[Tensor, " N"]
    edge_index: Int[Tensor, "2 E"] | None = None
    cell_offsets: Int[Tensor, "E 3"] | None = None

    def __post_init__(self) -> None:
        n, size = len(self.pos), len(self.cell)
        for name, shape in (
            ("pos", (n, 3)),
            ("numbers", (n,)),
            ("batch", (n,)),
            ("cell", (size, 3, 3)),
            ("pbc", (size, 3)),
            ("tags", (n,)),
        ):
            if tuple(getattr(self, name).shape) != shape:
                raise ArgumentError(name, f"shape {list(shape)}", f"shape {list(getattr(self, name).shape)}")
        if torch.compiler.is_compiling():
            return  # what follows looks at values
        if not bool(self.pos.isfinite().all()):
            raise ArgumentError("pos", "finite positions", "NaN or infinity")
        counts = torch.bincount(self.batch, minlength=size) if n and int(self.batch.min()) >= 0 else self.batch.new_zeros(size)
        if len(counts) != size or not size or bool((counts == 0).any()):
            raise ArgumentError("batch", f"a structure from 0 to {size - 1} for each atom, none of them empty", counts.tolist())
        if int(self.numbers.min()) < 1:
            raise ArgumentError("numbers", "atomic numbers from 1 up", int(self.numbers.min()))
        if (self.edge_index is None) != (self.cell_offsets is None):
            raise ArgumentError("cell_offsets", "an image for each edge", "edges or images alone")
        if self.edge_index is not None and self.cell_offsets is not None:
            self._check_edges(self.edge_index, self.cell_offsets)
        volume = torch.linalg.det(self.cell.detach().double()).abs()
        scale = self.cell.detach().double().norm(dim=-1).prod(-1)
        singular = self.pbc.all(-1) & ~(volume > rank_tolerance(self.cell.dtype) * scale)
        if bool(singular.any()):
            raise ArgumentError(
                "cell", "linearly independent lattice vectors", f"a singular cell in structure {int(singular.nonzero()[0])}"
            )

    def _check_edges(self, edges: Tensor, offsets: Tensor) -> None:
        if edges.ndim != 2 or edges.shape[0] != 2 or edges.dtype != torch.int64:
            raise ArgumentError("edge_index", "int64 [2, E]", f"{edges.dtype} {list(edges.shape)}")
        if edges.shape[1] and (int(edges.min()) < 0 or int(edges.max()) >= len(self.pos)):
            raise ArgumentError(
                "edge_index", f"numbers of atoms from 0 to {len(self.pos) - 1}", [int(edges.min()), int(edges.max())]
            )
        if tuple(offsets.shape) != (edges.shape[1], 3):
            raise ArgumentError("cell_offsets", f"[{edges.shape[1]}, 3], an image for each edge", list(offsets.shape))

    def __len__(self) -> int:
        return len(self.cell)

    # ---- making one ----

    @classmethod
    def of(
        cls,
        pos: Tensor,
        numbers: Any,
        *,
        batch: Tensor | None = None,
        cell: Tensor | None = None,
        pbc: Any = None,
        tags: Any = None,
        edge_index: Tensor | None = None,
        cell_offsets: Tensor | None = None,
    ) -> AtomBatch:
        """A batch from what there is: without ``batch`` one structure, without ``cell`` no periodicity.

        ``pbc`` is by default true along the lattice vectors that are not zero; given edges without ``cell_offsets`` stay in the cell.
        """
        if pos.ndim != 2 or not len(pos):
            raise ArgumentError("pos", "positions [N, 3] of at least one atom", f"shape {list(pos.shape)}")
        device = pos.device
        index = torch.zeros(len(pos), dtype=torch.int64, device=device) if batch is None else batch.long()
        cell = pos.new_zeros(int(index.max()) + 1, 3, 3) if cell is None else cell.to(pos).reshape(-1, 3, 3)
        repeats = (cell != 0).any(-1) if pbc is None else torch.as_tensor(pbc, dtype=torch.bool, device=device).reshape(-1, 3)
        if edge_index is not None and cell_offsets is None:
            cell_offsets = torch.zeros(edge_index.shape[-1], 3, dtype=torch.int64, device=device)
        return cls(
            pos,
            torch.as_tensor(numbers, device=device).long(),
            index,
            cell,
            repeats.expand(len(cell), 3),
            torch.zeros_like(index) if tags is None else torch.as_tensor(tags, device=device).long(),
            edge_index,
            None if cell_offsets is None else cell_offsets.long(),
        )

    @classmethod
    def from_ase(
        cls, atoms: Any, *, dtype: torch.dtype | None = None, cutoff: float | None = None, max_neighbours: int | None = None
    ) -> AtomBatch:
        """From an ASE ``Atoms`` or a list of them, with their cells, ``pbc`` and tags.

        Args:
            atoms: one or many.
            dtype: of positions and cells; by default torch's, which rounds ASE's float64.
            cutoff, max_neighbours: make edges, as :meth:`with_edges` does, of the positions as they are, before they are rounded.

        Raises:
            ArgumentError: the list is empty, or a structure has no atom.

        Warns:
            UserWarning: rounding moves positions by more than 0.001 angstrom, as they lie far from the origin.
        """
        each = _as_list(atoms, "numbers")
        return cls._stacked(
            [(a.positions, a.numbers, a.cell.array if hasattr(a.cell, "array") else a.cell, a.pbc, a.get_tags()) for a in each],
            dtype,
            cutoff,
            max_neighbours,
        )

    @classmethod
    def from_pymatgen(
        cls, structures: Any, *, dtype: torch.dtype | None = None, cutoff: float | None = None, max_neighbours: int | None = None
    ) -> AtomBatch:
        """From a pymatgen ``Structure`` or ``Molecule``, or a list of them; arguments, errors and warnings as of :meth:`from_ase`."""
        parts = []
        for one in _as_list(structures, "cart_coords"):
            lattice = getattr(one, "lattice", None)
            cell, pbc = ([[0.0] * 3] * 3, [False] * 3) if lattice is None else (lattice.matrix, getattr(lattice, "pbc", [True] * 3))
            parts.append((one.cart_coords, one.atomic_numbers, cell, list(pbc), [0] * len(one)))
        return cls._stacked(parts, dtype, cutoff, max_neighbours)

    @classmethod
    def from_pyg(cls, data: Any) -> AtomBatch:
        """From a PyG ``Data`` or ``Batch``, or a mapping with its names.

        Names: ``pos``, ``atomic_numbers`` (or ``z``, ``numbers``); as far as there are: ``batch`` (or ``natoms``), ``cell``, ``pbc``,
        ``tags``, ``edge_index``, ``cell_offsets``.
        """

        def part(*names: str) -> Any:
            for name in names:
                value = data.get(name) if isinstance(data, Mapping) else getattr(data, name, None)
                if value is not None:
                    return value
            return None

        pos, numbers, batch, natoms = part("pos"), part("numbers", "atomic_numbers", "z"), part("batch"), part("natoms")
        if not isinstance(pos, Tensor):
            raise ArgumentError("pos", "positions [N, 3]", type(pos).__name__)
        if numbers is None:
            raise ArgumentError("numbers", "atomic numbers, as 'numbers', 'atomic_numbers' or 'z'", "none of them")
        if batch is None and natoms is not None:
            counts = torch.as_tensor(natoms, device=pos.device).reshape(-1)
            batch = torch.repeat_interleave(torch.arange(len(counts), device=pos.device), counts)
        rest = {name: part(name) for name in ("cell", "pbc", "tags", "edge_index", "cell_offsets")}
        return cls.of(pos, numbers, batch=batch, **rest)

    @classmethod
    def _stacked(
        cls, parts: Sequence[tuple[Any, Any, Any, Any, Any]], dtype: torch.dtype | None, cutoff: float | None, most: int | None
    ) -> AtomBatch:
        """Everything in float64 first: what is computed from positions is computed before they are rounded."""
        for i, (pos, *_) in enumerate(parts):
            if not len(pos):
                raise ArgumentError("atoms", "at least one atom in each structure", f"an empty structure at {i}")
        count = torch.tensor([len(pos) for pos, *_ in parts])
        pos, numbers, cell, pbc, tags = (
            [torch.as_tensor(value, dtype=kind) for value in values]
            for values, kind in zip(zip(*parts), (torch.float64, torch.int64, torch.float64, torch.bool, torch.int64))
        )
        batch = torch.repeat_interleave(torch.arange(len(parts)), count)
        exact = cls(torch.cat(pos), torch.cat(numbers), batch, torch.stack(cell), torch.stack(pbc), torch.cat(tags))
        if cutoff is not None:
            exact = exact.with_edges(cutoff, most)
        rounded = exact.to(dtype or torch.get_default_dtype())
        lost = float((rounded.pos.double() - exact.pos).abs().max())
        if lost > LOST:
            warnings.warn(
                f"rounding to {str(rounded.pos.dtype).removeprefix('torch.')} moves atoms by up to {lost:.2g} angstrom: "
                "move the structures to the origin first, or pass dtype=torch.float64",
                UserWarning,
                stacklevel=3,
            )
        return rounded

    @classmethod
    def concat(cls, batches: Sequence[AtomBatch]) -> AtomBatch:
        """Several batches as one, edges included where all have them: a collate function for loaders."""
        if not batches:
            raise ArgumentError("batches", "at least one", "none")
        values: dict[str, Any] = {
            name: torch.cat([getattr(b, name) for b in batches]) for name in ("pos", "numbers", "cell", "pbc", "tags")
        }
        sizes, counts = [len(b) for b in batches], [len(b.pos) for b in batches]
        values["batch"] = torch.cat([b.batch + sum(sizes[:i]) for i, b in enumerate(batches)])
        edges = [b.edge_index + sum(counts[:i]) for i, b in enumerate(batches) if b.edge_index is not None]
        if len(edges) == len(batches):
            values["edge_index"] = torch.cat(edges, 1)
            values["cell_offsets"] = torch.cat([b.cell_offsets for b in batches if b.cell_offsets is not None])
        return cls(**values)

    # ---- changing one ----

    def replace(self, **parts: Any) -> AtomBatch:
        """The same batch with other parts."""
        return dataclasses.replace(self, **parts)

    def to(self, dtype: torch.dtype | None = None, device: torch.device | str | None = None) -> AtomBatch:
        """Positions and cells in another precision, everything on another device."""
        moved = {
            field.name: value.to(device=device, dtype=dtype if value.is_floating_point() else None)
            for field in dataclasses.fields(self)
            if (value := getattr(self, field.name)) is not None
        }
        return AtomBatch(**moved)

    def with_edges(self, cutoff: float, max_neighbours: int | None = None) -> AtomBatch:
        """With all edges shorter than ``cutoff``; see :func:`~erlangen.actions.neighbours.neighbours`."""
        edges, offsets = neighbours(self.pos, cutoff, batch=self.batch, cell=self.cell, pbc=self.pbc, max_neighbours=max_neighbours)
        return self.replace(edge_index=edges, cell_offsets=offsets)

    def select(self, structures: Sequence[int] | Tensor) -> AtomBatch:
        """Some structures, by number, in that order, with their edges."""
        chosen = torch.as_tensor(structures, device=self.pos.device)
        rank = torch.full((len(self),), -1, dtype=torch.int64, device=self.pos.device)
        rank[chosen] = torch.arange(len(chosen), device=self.pos.device)
        place = rank[self.batch]
        kept = (place >= 0).nonzero().squeeze(1)
        kept = kept[place[kept].argsort(stable=True)]
        return self._keeping(kept, place[kept], chosen)

    def without(self, tag: int) -> AtomBatch:
        """Without the atoms of a tag (``0``: the bulk of slabs), and without their edges.

        Raises:
            ArgumentError: a structure would be empty.
        """
        kept = (self.tags != tag).nonzero().squeeze(1)
        return self._keeping(kept, self.batch[kept], torch.arange(len(self), device=self.pos.device))

    def _keeping(self, kept: Tensor, batch: Tensor, chosen: Tensor) -> AtomBatch:
        edges = offsets = None
        if self.edge_index is not None and self.cell_offsets is not None:
            new = torch.full((len(self.pos),), -1, dtype=torch.int64, device=self.pos.device)
            new[kept] = torch.arange(len(kept), device=self.pos.device)
            both = (new[self.edge_index] >= 0).all(0)
            edges, offsets = new[self.edge_index[:, both]], self.cell_offsets[both]
        cell, pbc = self.cell[chosen], self.pbc[chosen]
        return AtomBatch(self.pos[kept], self.numbers[kept], batch, cell, pbc, self.tags[kept], edges, offsets)

    # ---- reading one ----

    def vectors(self) -> Float[Tensor, "E 3"]:
        """``pos_j + S A - pos_i`` of each edge; differentiable in positions and cells.

        Raises:
            ArgumentError: there are no edges yet.
        """
        shifts = self.shifts()
        assert self.edge_index is not None
        source, target = self.edge_index
        return self.pos[source] - self.pos[target] + shifts

    def shifts(self) -> Float[Tensor, "E 3"]:
        """``S A`` of each edge: by which lattice translation its first atom is seen; differentiable in cells.

        Raises:
            ArgumentError: there are no edges yet.
        """
        if self.edge_index is None or self.cell_offsets is None:
            raise ArgumentError("batch", "a batch with edges; call with_edges(cutoff)", "one without")
        offsets, structure = self.cell_offsets.to(self.cell.dtype).unsqueeze(-1), self.batch[self.edge_index[1]]
        # Three products of rows are several times faster than a product of many tiny matrices.
        return sum((offsets[:, k] * self.cell[:, k][structure] for k in range(3)), self.pos.new_zeros(()))

    def record(self) -> dict[str, Tensor]:
        """The parts that there are, by name: what :func:`erlangen.symmetrize` takes."""
        return {field.name: value for field in dataclasses.fields(self) if (value := getattr(self, field.name)) is not None}


def _as_list(one_or_many: Any, attribute: str) -> list[Any]:
    each = [one_or_many] if hasattr(one_or_many, attribute) else list(one_or_many)
    if not each:
        raise ArgumentError("atoms", "at least one structure", "none")
    return each
