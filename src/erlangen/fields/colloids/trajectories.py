"""Trajectories, and the files and objects of other libraries they become."""

from __future__ import annotations

import hashlib
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.colloids.boxes import Box, Periodic, box_of
from erlangen.serialization import read_tensors, weights_bytes, write_bytes


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Positions over time.

    Attributes:
        positions: unwrapped, ``[frames, batch, n, dim]``.
        times: of the frames.
        box: where the particles are.

    >>> from erlangen.fields.colloids import Open
    >>> path = Trajectory(torch.zeros(3, 1, 2, 2), torch.arange(3.0), Open())
    >>> path.failed, path.wrapped().shape
    (0, torch.Size([3, 1, 2, 2]))
    """

    positions: Float[Tensor, "frames batch n dim"]
    times: Float[Tensor, " frames"]
    box: Box

    @property
    def failed(self) -> int:
        """How many replicas blew up."""
        return int((~self.positions[-1].isfinite().all(-1).all(-1)).sum())

    def wrapped(self) -> Tensor:
        """Positions in the box, where it repeats."""
        return self.box.wrap(self.positions) if isinstance(self.box, Periodic) else self.positions

    def after(self, time: float) -> Trajectory:
        """The frames from a time on: mean square displacements begin after the delays' transient, five of them and the persistence time."""
        kept = self.times >= time - 1e-9 * max(1.0, abs(time))
        if int(kept.sum()) < 2:
            raise ArgumentError("time", f"a time before the last two frames, up to {float(self.times[-1]):.6g}", repr(time))
        return Trajectory(self.positions[kept], self.times[kept], self.box)

    def save(self, path: str | os.PathLike[str], replica: int = 0) -> Path:
        """Write a file by its ending, in one step; whole or not at all.

        ``.npz`` holds all replicas, unwrapped; ``.extxyz`` (or ``.xyz``) and ``.gsd`` one of them, wrapped into the box and, in two
        dimensions, with ``z = 0``. GSD needs the extra ``colloids`` and is single precision; its images hold where unwrapped particles are.
        A box whose first vector is not along x is turned for GSD, and particles with it.

        Raises:
            ArgumentError: an ending that is not known, no such replica, or positions that are not finite.
        """
        target = Path(path)
        if not 0 <= replica < self.positions.shape[1]:
            raise ArgumentError("replica", f"0 to {self.positions.shape[1] - 1}", repr(replica))
        if target.suffix == ".npz":
            buffer = io.BytesIO()
            np.savez_compressed(
                buffer,
                positions=self.positions.detach().numpy(),
                times=self.times.numpy(),
                box=np.array(type(self.box).__name__),
                numbers=self.box.numbers().numpy(),
            )
            return write_bytes(target, buffer.getvalue())
        if not bool(self.positions[:, replica].isfinite().all()):
            raise ArgumentError("replica", "one that did not blow up", repr(replica))
        if target.suffix in (".extxyz", ".xyz"):
            return write_bytes(target, self._extxyz(replica).encode())
        if target.suffix == ".gsd":
            return self._gsd(target, replica)
        raise ArgumentError("path", "a file that ends in .npz, .extxyz, .xyz or .gsd", repr(str(path)))

    def _flat(self, replica: int) -> Tensor:
        flat = self.wrapped()[:, replica].detach().double()
        return torch.nn.functional.pad(flat, (0, 3 - flat.shape[-1]))

    def _extxyz(self, replica: int) -> str:
        cell, dim = self.box.cell(), self.positions.shape[-1]
        rows = torch.eye(3, dtype=torch.float64)
        if cell is not None:
            rows[:dim, :dim] = cell
        lattice = "" if cell is None else 'Lattice="' + " ".join(repr(v) for v in rows.flatten().tolist()) + '" '
        flags = " ".join("T" if cell is not None and axis < dim else "F" for axis in range(3))
        lines = []
        for time, frame in zip(self.times.tolist(), self._flat(replica).tolist()):
            lines += [str(len(frame)), f'{lattice}Properties=species:S:1:pos:R:3 pbc="{flags}" time={time!r}']
            lines += [f"X {x!r} {y!r} {z!r}" for x, y, z in frame]
        return "\n".join(lines) + "\n"

    def _gsd(self, target: Path, replica: int) -> Path:
        hoomd = engine("colloids", "gsd.hoomd")
        if not isinstance(self.box, Periodic):
            raise ArgumentError("path", "an ending other than .gsd for space that does not repeat", repr(str(target)))
        rows = self.box.cell()
        if float(torch.linalg.det(rows)) < 0:
            rows[-1] = -rows[-1]  # the same lattice; a left-handed cell would come out as its mirror image
        box, turn = _upper(rows)
        part = target.with_name(f".{target.name}.part")
        target.parent.mkdir(parents=True, exist_ok=True)
        dim = self.positions.shape[-1]
        try:
            with hoomd.open(str(part), "w") as file:
                for number, frame in enumerate(self.positions[:, replica].detach().double()):
                    snapshot = hoomd.Frame()
                    fractional = frame @ torch.linalg.inv(rows)
                    # GSD's boxes reach from -1/2 to 1/2.
                    image = (fractional + 0.5).floor()
                    inside = torch.nn.functional.pad(((fractional - image) @ rows) @ turn.T, (0, 3 - dim))
                    snapshot.configuration.step = number
                    snapshot.configuration.box = box
                    snapshot.configuration.dimensions = max(2, dim)
                    snapshot.particles.N = len(frame)
                    snapshot.particles.position = inside.numpy().astype(np.float32)
                    snapshot.particles.image = torch.nn.functional.pad(image, (0, 3 - dim)).numpy().astype(np.int32)
                    file.append(snapshot)
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
        return target

    def atoms(self, frame: int = -1, replica: int = 0) -> Any:
        """An object of ASE (extra ``materials``): the box's rows, and periodic along them."""
        ase = engine("materials", "ase")
        cell, dim = self.box.cell(), self.positions.shape[-1]
        rows = np.eye(3)
        if cell is not None:
            rows[:dim, :dim] = cell.numpy()
        flat = self._flat(replica)[frame].numpy()
        return ase.Atoms(f"X{len(flat)}", positions=flat, cell=rows, pbc=[cell is not None and axis < dim for axis in range(3)])


def load_trajectory(path: str | os.PathLike[str]) -> Trajectory:
    """Read an ``.npz`` that :meth:`Trajectory.save` wrote.

    Raises:
        ArgumentError: it is damaged or something else.
    """
    try:
        with np.load(path, allow_pickle=False) as kept:
            positions, times, numbers = (torch.from_numpy(kept[name]) for name in ("positions", "times", "numbers"))
            box = box_of(str(kept["box"]), numbers)
    except (ValueError, KeyError, EOFError, OSError) as problem:
        if isinstance(problem, FileNotFoundError):
            raise
        raise ArgumentError("path", "an .npz file of a trajectory", f"'{path}' ({problem})") from None
    if positions.ndim != 4 or times.shape != positions.shape[:1]:
        raise ArgumentError(
            "path", "positions [frames, batch, n, dim] and their times", f"shapes {tuple(positions.shape)}, {tuple(times.shape)}"
        )
    return Trajectory(positions, times, box)


def freud_box(box: Periodic) -> Any:
    """The box for freud (extra ``colloids``), whose lattice vectors are **columns**.

    freud wants the first vector along x: a box whose first row is not must be turned first, particles with it, and is refused.
    """
    freud = engine("colloids", "freud")
    rows = box.cell()
    if len(rows) == 1:
        raise ArgumentError("box", "two or three dimensions, as freud has them", "one")
    if bool((rows.triu(1).abs() > 1e-12 * rows.abs().max()).any()):
        raise ArgumentError("box", "lattice vectors whose first lies along x (lower triangular rows)", repr(rows.tolist()))
    # freud takes the sizes of vectors that point backwards, which is another lattice; their negatives are the same one.
    rows = rows * rows.diagonal().sign().unsqueeze(1)
    return freud.box.Box.from_matrix(rows.T.numpy() if len(rows) == 3 else np.pad(rows.T.numpy(), (0, 1)), dimensions=len(rows))


def freud_points(positions: Float[Tensor, "n dim"], box: Periodic) -> Any:
    """Points for freud: ``[n, 3]``, single precision as freud has them.

    Args:
        positions: of one configuration, wrapped or not.
        box: they are taken into it. freud's box reaches half of each vector to both sides; order parameters and distributions of points
            far outside of it are wrong without a word.
    """
    part = positions.detach().double() @ box._inverse
    x = (part - part.round()) @ box.cell()
    return torch.nn.functional.pad(x, (0, 3 - x.shape[-1])).numpy().astype(np.float32)


def _upper(rows: Tensor) -> tuple[list[float], Tensor]:
    """The six numbers of HOOMD's box and the rotation that brings right-handed rows into its orientation."""
    dim = len(rows)
    # Rows of a lower triangular matrix are HOOMD's upper triangular columns.
    q, r = torch.linalg.qr(rows.T)
    sign = torch.where(r.diagonal() < 0, -1.0, 1.0).to(r)
    q, r = q * sign, r * sign.unsqueeze(1)
    full = torch.eye(3, dtype=torch.float64)
    full[:dim, :dim] = r
    lengths = full.diagonal().tolist()
    if dim < 3:
        lengths[2] = 0.0 if dim == 2 else lengths[2]
    tilts = [float(full[0, 1] / full[1, 1]), float(full[0, 2] / full[2, 2]), float(full[1, 2] / full[2, 2])]
    return [*lengths, *tilts], q.T


def fingerprint(thing: Any) -> str:
    """A digest of settings: numbers, tensors, and objects by their type and attributes; functions count by name alone."""
    return hashlib.sha256(_told(thing).encode()).hexdigest()


def _told(thing: Any) -> str:
    if isinstance(thing, (Tensor, np.ndarray)):
        values = torch.as_tensor(thing).detach()
        return f"{tuple(values.shape)}{values.tolist()}"
    if isinstance(thing, (list, tuple)):
        return f"[{', '.join(map(_told, thing))}]"
    if callable(thing) and hasattr(thing, "__qualname__"):
        return f"{thing.__module__}.{thing.__qualname__}"
    if hasattr(thing, "__dict__"):
        return f"{type(thing).__name__}({', '.join(f'{name}={_told(value)}' for name, value in sorted(vars(thing).items()))})"
    return repr(thing)


def write_state(path: str | os.PathLike[str], state: dict[str, Tensor], about: dict[str, Any], frames: list[Tensor]) -> None:
    """Keep a run that goes on later: tensors and whole numbers, in one step."""
    write_bytes(path, weights_bytes({**state, "frames": torch.stack(frames)}, {"run": json.dumps(about)}))


def read_state(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What :func:`write_state` kept."""
    return read_tensors(path, "run", "checkpoint")
