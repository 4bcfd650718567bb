#!/usr/bin/env bash
# SciPy's polyhedral rotation groups do not start with the identity.
#
# Version:  scipy 1.17.1
# Expected: Rotation.create_group("O")[0] is the identity, as for the cyclic and dihedral groups and as tables of groups have it.
# Seen:     for "T", "O" and "I" element 0 is a half turn; the identity is element 3.
# Matters:  code that takes element 0 as neutral (cosets, "all but the identity", a fallback frame) is silently off by a half turn.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check scipy==1.17.1 numpy >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
import numpy as np
from scipy.spatial.transform import Rotation

for name in ("C4", "D3", "T", "O", "I"):
    group = Rotation.create_group(name)
    angles = np.degrees(group.magnitude())
    at = int(np.argmin(angles))
    print(f"{name}: {len(group)} elements, element 0 turns by {angles[0]:.0f} degrees, the identity is element {at}")
    assert at == (3 if name in "TOI" else 0)
    assert round(angles[0]) == (180 if name in "TOI" else 0)
PY
