#!/usr/bin/env bash
# Atoms that the space group maps to each other are not all "equivalent" in a supercell.
#
# Version:  spglib 2.8.0
# Expected: in a 1 x 1 x 2 cell of a cubic perovskite all six oxygen atoms are equivalent, as the group reported is Pm-3m.
# Seen:     equivalent_atoms has two classes of oxygen, four and two; crystallographic_orbits has one.
# Matters:  counts of independent sites, and symmetrising forces or features by class. Use crystallographic_orbits.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check spglib==2.8.0 numpy >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
import numpy as np
import spglib

places = [(0, 0, 0), (0, 0, 0.5), (0.5, 0.5, 0.25), (0.5, 0.5, 0.75), (0.5, 0.5, 0), (0.5, 0.5, 0.5), (0.5, 0, 0.25), (0.5, 0, 0.75), (0, 0.5, 0.25), (0, 0.5, 0.75)]
found = spglib.get_symmetry_dataset((np.diag([4.0, 4.0, 8.0]), places, [20, 20, 22, 22] + [8] * 6))
classes = {name: len(set(getattr(found, name)[4:])) for name in ("equivalent_atoms", "crystallographic_orbits")}
print(found.international, "classes of oxygen:", classes)
assert found.international == "Pm-3m" and classes == {"equivalent_atoms": 2, "crystallographic_orbits": 1}
PY
