"""`Degrees`: how much of each symmetry there is, from 0 to 1, as a mapping that reads aloud."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from erlangen.errors import ArgumentError


class Degrees(Mapping[str, float]):
    """A graded belief over groups.

    The degree of a group is one minus how far the weights are from its equivariant subspace, as a part of how far weights of the same
    sizes that know nothing of the group would be: 1 for an exact symmetry, about 0 for none.

    >>> degrees = Degrees({"SO(2) about z": 0.998, "SO(3)": 0.31})
    >>> print(degrees)
    SO(2) about z 1.00 (kept), SO(3) 0.31 (mostly broken)
    >>> degrees.best, round(degrees["SO(3)"], 2)
    ('SO(2) about z', 0.31)
    """

    def __init__(self, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            if not 0 <= value <= 1:
                raise ArgumentError("values", "degrees from 0 to 1", f"{value} for {name}")
        self._values = dict(values)

    @property
    def best(self) -> str:
        """The symmetry that is kept best."""
        return max(self._values, key=self._values.__getitem__)

    def __getitem__(self, name: str) -> float:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __str__(self) -> str:
        ordered = sorted(self._values.items(), key=lambda item: -item[1])
        return ", ".join(f"{name} {value:.2f} ({in_words(value)})" for name, value in ordered)

    def __repr__(self) -> str:
        return f"Degrees({self})"


def in_words(degree: float) -> str:
    """A degree as a person would say it.

    >>> [in_words(d) for d in (0.99, 0.9, 0.6, 0.3, 0.02)]
    ['kept', 'nearly kept', 'partly broken', 'mostly broken', 'absent']
    """
    words = ((0.97, "kept"), (0.8, "nearly kept"), (0.5, "partly broken"), (0.1, "mostly broken"))
    return next((word for least, word in words if degree >= least), "absent")
