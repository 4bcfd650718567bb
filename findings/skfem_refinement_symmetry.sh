#!/usr/bin/env bash
# Refining a symmetric tetrahedral mesh uniformly loses its symmetry.
#
# Version:  scikit-fem 12.0.2
# Expected: the cube of five tetrahedra is carried to itself when two axes are swapped, and so are its uniform refinements.
# Seen:     the coarse mesh is; of the 40 and 320 tetrahedra after one and two refinements, some have no counterpart under a swap: the inner
#           octahedra are cut along diagonals chosen by the numbering.
# Matters:  symmetric bodies bend asymmetrically by the discretisation alone. Mesh a fundamental domain and reflect it.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check scikit-fem==12.0.2 numpy >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
import numpy as np
import skfem


def lost(mesh):
    corners = mesh.p[:, mesh.t]
    midpoints = lambda p: {tuple(m) for m in np.round(p.mean(1).T, 9)}
    return [len(midpoints(corners) - midpoints(corners[list(swap)])) for swap in ((1, 0, 2), (0, 2, 1))]


mesh, seen = skfem.MeshTet(), []
for _ in range(3):
    seen.append((mesh.t.shape[1], lost(mesh)))
    mesh = mesh.refined()
print("tetrahedra, and those without a counterpart under two swaps of axes:", seen)
assert seen[0] == (5, [0, 0]) and all(min(bad) > 0 for _, bad in seen[1:])
PY
