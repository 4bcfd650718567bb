#!/usr/bin/env bash
# The mean square displacement of freud's window mode depends on where the particles are.
#
# Version:  freud-analysis 3.4.0
# Expected: displacements are differences, so adding one vector to all positions changes nothing, and lag 0 is zero.
# Seen:     1000 away from the origin, lag 0 is about 0.04 and lag 1 nearly eight times the true value: squares of positions in single
#           precision are subtracted.
# Matters:  diffusion coefficients of unwrapped trajectories that have drifted. Subtract the first frame before the call.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check freud-analysis==3.4.0 numpy >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
import freud
import numpy as np

steps = np.random.default_rng(0).normal(size=(200, 30, 3)) * 0.1
x = np.cumsum(steps, 0)
near, far = (freud.msd.MSD(mode="window").compute(x + offset).msd for offset in (0.0, 1000.0))
true = np.mean(np.sum((x[1:] - x[:-1]) ** 2, -1))
print("lag 0:", near[0], "and", far[0], " lag 1:", near[1], "and", far[1], " by hand:", true)
assert abs(near[0]) < 1e-5 and abs(near[1] / true - 1) < 1e-3
assert abs(far[0]) > 1e-3 and abs(far[1] / true - 1) > 0.1
PY
