#!/usr/bin/env bash
# Reading a valid VTK file of a kind that is not supported ends the process instead of raising an error.
#
# Version:  meshio 5.3.5
# Expected: meshio.read of a legacy VTK file with DATASET POLYDATA, which VTK reads, raises ReadError.
# Seen:     SystemExit(1), which "except Exception" does not catch: a loop over files, or a server, stops at the first such file.
# Matters:  catch SystemExit, too, wherever meshio reads a file of somebody else's, and keep what it printed: it is the only reason given.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check meshio==5.3.5 numpy >/dev/null 2>&1
cd "$work"
printf '%s\n' '# vtk DataFile Version 3.0' 'a triangle' 'ASCII' 'DATASET POLYDATA' 'POINTS 3 float' '0 0 0 1 0 0 0 1 0' 'POLYGONS 1 4' '3 0 1 2' > triangle.vtk
"$work/venv/bin/python" - <<'PY'
import meshio

try:
    meshio.read("triangle.vtk")
except Exception as problem:
    raise AssertionError(f"an ordinary error: {problem!r}")
except SystemExit as stop:
    print("meshio.read called exit with code", stop.code)
PY
