"""`Pair`: two structures with the same two-point correlations, where they come from, and how they are kept."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.microstructures.recipe import Recipe
from erlangen.fields.microstructures.structure import both
from erlangen.reporting import plain
from erlangen.serialization import write_bytes


@dataclass(frozen=True, eq=False)
class Pair:
    """Two mates; ``a, b = pair`` takes them apart.

    Args:
        a, b: structures ``[*P]``.
        origin: how their roots were found, in plain numbers and text.
        recipe: what was done to the roots.

    >>> a, b = Pair(np.array([1, 1, 2]), np.array([1, 2, 1])).child(Recipe([("tile", [2])]))
    >>> b
    array([1, 2, 1, 1, 2, 1])
    """

    a: np.ndarray
    b: np.ndarray
    origin: Mapping[str, Any] = field(default_factory=dict)
    recipe: Recipe = field(default_factory=Recipe)

    def __post_init__(self) -> None:
        both(self.a, self.b)

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter((self.a, self.b))

    def child(self, recipe: Recipe) -> Pair:
        """What a recipe makes of both."""
        return Pair(recipe(self.a), recipe(self.b), self.origin, self.recipe + recipe)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write both with their origin and recipe, in one step.

        By the ending: ``.npz`` (NumPy), ``.h5`` (HDF5), or ``.vtk`` (image data with two fields of cells, to look at; up to 3 axes).

        Raises:
            ArgumentError: another ending, or more than 3 axes for ``.vtk``.
            MissingExtra: ``.h5`` needs h5py.

        >>> import tempfile
        >>> pair = Pair(np.array([1, 1, 2]), np.array([1, 2, 1]), {"from": "a doctest"})
        >>> load_pair(pair.save(tempfile.mkdtemp() + "/pair.npz")).origin
        {'from': 'a doctest'}
        """
        about = json.dumps({"origin": plain(dict(self.origin)), "recipe": self.recipe.to_json()})
        buffer, ending = io.BytesIO(), Path(path).suffix
        if ending == ".npz":
            np.savez_compressed(buffer, a=self.a, b=self.b, about=np.array(about))
        elif ending == ".h5":
            with engine("hdf", "h5py").File(buffer, "w") as file:
                file["a"], file["b"], file.attrs["about"] = self.a, self.b, about
        elif ending == ".vtk":
            buffer.write(vtk({"a": self.a, "b": self.b}, "mates with one two-point correlation").encode())
        else:
            raise ArgumentError("path", "a file that ends in .npz, .h5 or .vtk", repr(str(path)))
        return write_bytes(path, buffer.getvalue())


def load_pair(path: str | os.PathLike[str]) -> Pair:
    """What :meth:`Pair.save` wrote as ``.npz`` or ``.h5``; nothing is unpickled.

    Raises:
        ArgumentError: it is none.
    """
    if not Path(path).is_file():
        raise ArgumentError("path", "an existing file", f"'{path}'")
    try:
        if Path(path).suffix == ".h5":
            with engine("hdf", "h5py").File(path, "r") as file:
                a, b, about = file["a"][()], file["b"][()], json.loads(file.attrs["about"])
        else:
            with np.load(path, allow_pickle=False) as file:
                a, b, about = file["a"], file["b"], json.loads(str(file["about"]))
        return Pair(a, b, about["origin"], Recipe.from_json(about["recipe"]))
    except (KeyError, ValueError, TypeError, AttributeError, OSError, EOFError, BadZipFile) as problem:
        if isinstance(problem, ArgumentError):
            raise
        raise ArgumentError("path", "a file that Pair.save wrote", f"'{path}' ({problem})") from None


def vtk(fields: Mapping[str, np.ndarray], title: str) -> str:
    """Arrays of one shape as cells of a legacy VTK file (the first axis is x).

    >>> print(vtk({"S": np.array([[1, 2]])}, "two sites").splitlines()[4])
    DIMENSIONS 2 3 2
    """
    shapes = {array.shape for array in fields.values()}
    shape = shapes.pop()
    if shapes or len(shape) > 3:
        raise ArgumentError("fields", "arrays of one shape with at most 3 axes", f"{shape}")
    shape = (*shape, *(1,) * (3 - len(shape)))
    lines = ["# vtk DataFile Version 3.0", title, "ASCII", "DATASET STRUCTURED_POINTS"]
    lines += [
        f"DIMENSIONS {' '.join(str(s + 1) for s in shape)}",
        "ORIGIN 0 0 0",
        "SPACING 1 1 1",
        f"CELL_DATA {int(np.prod(shape))}",
    ]
    for name, array in fields.items():
        values = array.reshape(shape).transpose(2, 1, 0).reshape(-1)  # x runs fastest
        lines += [f"SCALARS {name} int 1", "LOOKUP_TABLE default", " ".join(map(str, values.tolist()))]
    return "\n".join(lines) + "\n"
