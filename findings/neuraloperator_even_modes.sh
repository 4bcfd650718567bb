#!/usr/bin/env bash
# A Fourier layer with an even number of modes weighs the highest wave differently along the two axes.
#
# Version:  neuraloperator 2.0.0 (torch 2.13.0)
# Expected: SpectralConv(n_modes=(8, 8)) with all weights 1 passes waves along x and along y alike, so that it commutes with quarter turns.
# Seen:     the cosine of wave number 4 along the first axis comes back at half its size, along the second whole; a random field and its
#           quarter turn (about grid point 0) differ by more than a third. With 7 modes both gains are 1 and the error is rounding.
# Matters:  a model that should have the symmetry of the square has not, whatever its weights. Erlangen's Fourier layers leave such
#           unpaired waves out.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check torch==2.13.0 neuraloperator==2.0.0 >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
import math

import torch
from neuralop.layers.spectral_convolution import SpectralConv

torch.manual_seed(0)
size, grid = 16, torch.arange(16)
field = torch.randn(1, 1, size, size)


def turned(x):
    return torch.rot90(x, 1, (-2, -1)).roll(1, -2)


seen = {}
for modes in (8, 7):
    layer = SpectralConv(1, 1, (modes, modes), bias=False)
    with torch.no_grad():
        weight = getattr(layer.weight, "tensor", layer.weight)
        weight.fill_(1.0)
        gains = []
        for axis in (0, 1):
            angle = 2 * math.pi * (modes // 2) * grid / size
            wave = (angle[:, None] if axis == 0 else angle[None]).cos().expand(size, size)[None, None]
            gains.append(float((layer(wave) * wave).sum() / wave.square().sum()))
        error = float((layer(turned(field)) - turned(layer(field))).norm() / layer(field).norm())
    seen[modes] = (*gains, error)
    print(f"{modes} modes: gains {gains[0]:.2f} and {gains[1]:.2f}, error under a quarter turn {error:.2g}")
assert abs(seen[8][0] - 0.5) < 1e-3 and abs(seen[8][1] - 1) < 1e-3 and seen[8][2] > 0.3, "even modes changed"
assert seen[7][2] < 1e-5, "odd modes changed"
PY
