#!/usr/bin/env bash
# The vertices of SciPy's convex-hull facets are not ordered consistently.
#
# Version:  scipy 1.17.1 (Qhull)
# Expected: all triangles of ConvexHull(points).simplices wind the same way, so that the cross product of two edges points outward.
# Seen:     about half of them point inward; only .equations carries the outward normal. The signed volume of the mesh is far from .volume.
# Matters:  volumes, centres of mass and windings computed from .simplices are wrong without a word: flip by the sign of the normal first.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check scipy==1.17.1 numpy >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
import numpy as np
from scipy.spatial import ConvexHull

rng = np.random.default_rng(0)
points = rng.normal(size=(200, 3))
points /= np.linalg.norm(points, axis=1, keepdims=True)
hull = ConvexHull(points)
a, b, c = (points[hull.simplices[:, i]] for i in range(3))
inward = (np.cross(b - a, c - a) * hull.equations[:, :3]).sum(1) < 0
signed = np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6
print(f"{inward.sum()} of {len(inward)} facets wind inward; signed volume {signed:.2f}, volume {hull.volume:.2f}")
assert 0.3 < inward.mean() < 0.7
assert abs(signed) < 0.5 * hull.volume
PY
