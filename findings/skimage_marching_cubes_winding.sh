#!/usr/bin/env bash
# The triangles of marching cubes wind inward while its normals point outward.
#
# Version:  scikit-image 0.26.0
# Expected: faces and normals of a bright ball agree, and the volume from the faces by the divergence theorem is that of the ball.
# Seen:     the volume is negative, minus 511 for a ball of 524, although every normal points away from the centre.
# Matters:  masses and centres of gravity from such a mesh have the wrong sign. Compute the signed volume once, and flip all faces if it is negative.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check scikit-image==0.26.0 numpy >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
import numpy as np
from skimage import measure

grid = np.mgrid[-8:9, -8:9, -8:9]
vertices, faces, normals, _ = measure.marching_cubes(5 - np.sqrt((grid**2).sum(0)), 0.0)
vertices = vertices - 8
a, b, c = (vertices[faces[:, i]] for i in range(3))
volume, outward = float((a * np.cross(b, c)).sum() / 6), float(((normals * vertices).sum(1) > 0).mean())
print("signed volume:", round(volume, 1), "of a ball of", round(4 / 3 * np.pi * 125, 1), " normals that point outward:", outward)
assert volume < -500 and outward == 1.0
PY
