#!/usr/bin/env bash
# Two periodic convolutions of SciPy differ by one pixel when the kernel has even sides.
#
# Version:  scipy 1.17.1
# Expected: ndimage.convolve(x, k, mode="wrap") and signal.convolve2d(x, k, mode="same", boundary="wrap") are the same operation.
# Seen:     equal for kernels with odd sides; for even sides one is the other shifted by a pixel along each axis.
# Matters:  correlation functions of microstructures and their symmetry about a grid point. Convolve by FFT and say where the origin is.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check scipy==1.17.1 numpy >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
import numpy as np
from scipy import ndimage, signal

rng = np.random.default_rng(0)
x = rng.normal(size=(8, 8))
for side in (3, 2):
    k = rng.normal(size=(side, side))
    a, b = ndimage.convolve(x, k, mode="wrap"), signal.convolve2d(x, k, mode="same", boundary="wrap")
    plain, shifted = np.abs(a - b).max(), np.abs(np.roll(a, (1, 1), (0, 1)) - b).max()
    print("side", side, "difference as they are:", plain, "after a shift by one:", shifted)
    assert (plain < 1e-12) == (side == 3) and (shifted < 1e-12) == (side == 2)
PY
