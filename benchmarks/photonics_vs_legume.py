"""Density-of-states labels of photonic crystals: CPU seconds a label, against one eigenproblem per wave vector.

Peers: `legume-gme` (PlaneWaveExp, one k after another, frequencies only: no velocities, no densities), and our own full solution (all
plane waves at every k, half the zone by time reversal). Same cells, same 81 plane waves, same mesh. Target: 30 times faster than legume
on the mesh of the default label. `pip install legume-gme` first.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import legume
import numpy as np
import torch

from erlangen.fields.photonics import bands, dos, fourier, random_cells


class PixelLayer(legume.ShapesLayer):  # type: ignore[misc]
    """A layer whose Fourier coefficients are those of a cell given on pixels."""

    def __init__(self, cell: torch.Tensor) -> None:
        super().__init__(legume.Lattice("square"), eps_b=float(cell.mean()))
        self.cell = fourier(cell).coefficients.numpy()

    def compute_ft(self, gvec: np.ndarray) -> np.ndarray:
        n, m = np.rint(gvec / (2 * np.pi)).astype(int)
        reach = self.cell.shape[0] // 2
        return self.cell[n + reach, m + reach]


def legume_bands(cell: torch.Tensor, k: np.ndarray, n_bands: int) -> np.ndarray:
    peer = legume.PlaneWaveExp(PixelLayer(cell), gmax=4.01)
    peer.run(2 * np.pi * k.T, pol="tm", numeig=n_bands)
    return np.asarray(peer.freqs)


def zone(n: int) -> np.ndarray:
    """The middles of n x n squares."""
    line = (np.arange(n) + 0.5) / n - 0.5
    return np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)


def cpu_seconds(run: Callable[[], Any]) -> tuple[float, Any]:
    """The process's time, least of two runs: others use the machine too."""
    times, result = [], None
    for _ in range(2):
        start = time.process_time()
        result = run()
        times.append(time.process_time() - start)
    return min(times), result


def main() -> None:
    torch.set_num_threads(1)
    cells, few = random_cells(24, seed=1), 2
    k = zone(4)
    difference = np.abs(legume_bands(cells[0], k, 6) - bands(cells[0], torch.from_numpy(k), 6).numpy()).max()
    print(f"frequencies at {len(k)} wave vectors, legume and ours in all 81 plane waves: largest difference {difference:.1e}")
    peers = {}
    for n in (13, 36):
        seconds, _ = cpu_seconds(lambda n=n: [legume_bands(cell, zone(n), 6) for cell in cells[:few]])
        full_seconds, full = cpu_seconds(lambda n=n: dos(cells[:few], mesh=n, refine=1, reduced=None, quiet=True))
        peers[n] = seconds / few, full_seconds / few, full
    for name, n, settings in (
        ("13 x 13 mesh", 13, {"mesh": 13, "refine": 1, "reduced": 10}),
        ("13 x 13 mesh, smaller basis", 13, {"mesh": 13, "refine": 1}),
        ("36 x 36 mesh, by cutting 9 x 9 (default)", 36, {}),
    ):
        seconds, labels = cpu_seconds(lambda settings=settings: dos(cells, quiet=True, **settings))
        seconds /= len(cells)
        of_legume, of_full, full = peers[n]
        error = ((labels[:few] - full).abs().sum(1) / full.sum(1)).max()
        print(f"{name}: {seconds:.4f} CPU s a label; differs from the full solution on its mesh by {100 * error:.4f}%")
        print(f"    legume, every k of the zone: {of_legume:.3f} s, {of_legume / seconds:.1f} times (target 30)")
        print(f"    legume, half the zone by hand: {of_legume / 2:.3f} s, {of_legume / 2 / seconds:.1f} times")
        print(f"    all plane waves, half the zone, batched: {of_full:.3f} s, {of_full / seconds:.1f} times")


if __name__ == "__main__":
    main()
