#!/usr/bin/env bash
# A 3MF file always says millimetres, whatever the unit of the mesh is.
#
# Version:  trimesh 5.2.0
# Expected: a box of 1 x 2 x 3 with units "m" is written with unit="meter", which 3MF has, or is converted to millimetres, or refused.
# Seen:     unit="millimeter" and the numbers as they are: the box comes back a thousand times smaller, without a warning.
# Matters:  a 3MF file is the one format of printing that says its unit, so that readers trust it. Convert to millimetres before exporting.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check trimesh==5.2.0 numpy lxml networkx >/dev/null 2>&1
cd "$work"
"$work/venv/bin/python" - <<'PY'
import trimesh

box = trimesh.creation.box((1, 2, 3))
box.units = "m"
box.export("box.3mf")
read = trimesh.load("box.3mf")
print("written in", box.units, " read back in", read.units, " extents", read.extents.tolist())
assert read.units == "millimeter" and read.extents.tolist() == [1.0, 2.0, 3.0]
PY
