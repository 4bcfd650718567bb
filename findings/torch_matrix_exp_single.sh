#!/usr/bin/env bash
# torch.linalg.matrix_exp of ONE matrix is far less accurate than of a batch of the same matrix.
#
# Version:  torch 2.13.0 (CPU)
# Expected: exp of a small skew matrix is right to rounding (2e-16 in float64, 1e-7 in float32), alone as in a batch.
# Seen:     alone, or as a batch of one, the error in float64 reaches 8e-11 at angle 0.04, in float32 2e-5 at angle 0.5:
#           a polynomial of too low a degree is taken in a range of norms. A batch of two copies is right to rounding.
# Matters:  a group element made by exponentiating one Lie-algebra element is not in the group to 1e-10.
#           Erlangen's linalg.matrix_exp sends a single matrix as a batch of two.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check torch==2.13.0 numpy >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
import math

import torch


def error(angle, dtype, copies):
    a = torch.tensor([[0.0, -angle], [angle, 0.0]], dtype=dtype)
    angle = float(a[1, 0])
    exact = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]], dtype=torch.float64)
    found = torch.linalg.matrix_exp(a if copies == 0 else a.expand(copies, 2, 2)).double()
    return float((found.reshape(-1, 2, 2)[0] - exact).abs().max())


for dtype, angle, rounding in ((torch.float64, 0.04, 1e-15), (torch.float32, 0.5, 1e-6)):
    single, one, two = (error(angle, dtype, copies) for copies in (0, 1, 2))
    print(f"{dtype}, angle {angle}: alone {single:.1e}, batch of one {one:.1e}, batch of two {two:.1e}")
    assert two < rounding, "a batch of two is no longer right to rounding"
    assert min(single, one) > 10 * rounding, "a single matrix is right to rounding now"
PY
