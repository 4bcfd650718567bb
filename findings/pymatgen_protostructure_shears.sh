#!/usr/bin/env bash
# The label of a triclinic crystal's protostructure depends on the angle of its cell.
#
# Version:  pymatgen 2026.10.24 (spglib 2.8.0)
# Expected: Na at 0,0,0, Cl at 1/2,1/2,0 and O at +-(.13,.21,.37) in P-1 have one label, whatever gamma: bending the cell moves no atom to
#           another position, and the renamings of the inversion centres by a change of basis belong to the normalizer.
# Seen:     a_e_i for gamma 70 to 115, a_c_i at 60.5 and a_d_i at 125, where the reduced cell is another one: labels leave out renamings by
#           shears of oblique cells.
# Matters:  one structure type counts as several prototypes. Erlangen's canonical labels include the shears.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check pymatgen==2026.10.24 spglib==2.8.0 >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
from pymatgen.analysis.prototypes import get_protostructure_label_from_spglib
from pymatgen.core import Lattice, Structure

seen = {}
for gamma in (60.5, 70, 90, 115, 125):
    places = [[0, 0, 0], [0.5, 0.5, 0], [0.13, 0.21, 0.37], [-0.13, -0.21, -0.37]]
    cell = Lattice.from_parameters(5, 5.3, 7, 83, 86, gamma)
    seen[gamma] = get_protostructure_label_from_spglib(Structure(cell, ["Na", "Cl", "O", "O"], places))
for gamma, label in seen.items():
    print(gamma, label)
assert len(set(seen.values())) == 3
PY
