#!/usr/bin/env bash
# A coordinate taken "into the unit cell" can be 1.0, which is outside of it.
#
# Version:  pymatgen 2026.10.24 (and numpy's mod, which it uses)
# Expected: PeriodicSite(..., to_unit_cell=True) has fractional coordinates in [0, 1).
# Seen:     a coordinate of -1e-17 becomes exactly 1.0.
# Matters:  two copies of one site at 0 and 1 do not compare equal, and a grid index computed from it is out of range.
#           Erlangen's coordinates of Wyckoff positions are below 1 by an explicit test.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check pymatgen==2026.10.24 >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
import numpy as np
from pymatgen.core import Lattice, PeriodicSite

site = PeriodicSite("H", [-1e-17, 0.25, 0.5], Lattice.cubic(3), to_unit_cell=True)
print("fractional coordinate:", repr(float(site.frac_coords[0])), "numpy:", repr(float(np.mod(-1e-17, 1.0))))
assert site.frac_coords[0] == 1.0
assert np.mod(-1e-17, 1.0) == 1.0
PY
