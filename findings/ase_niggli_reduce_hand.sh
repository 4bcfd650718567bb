#!/usr/bin/env bash
# Reducing a cell turns a crystal in a left-handed basis into its mirror image.
#
# Version:  ase 3.29.0, spglib 2.8.0
# Expected: niggli_reduce chooses other lattice vectors of the same crystal.
# Seen:     quartz given by left-handed lattice vectors, which spglib knows as P3_121, is P3_221 afterwards: the new vectors are
#           right-handed and the fractions stay.
# Matters:  generated cells have either sign of the determinant. Negate all lattice vectors and all fractions of a left-handed cell first.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check ase==3.29.0 spglib==2.8.0 numpy >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
import numpy as np
import spglib
from ase import Atoms
from ase.build import niggli_reduce
from ase.spacegroup import crystal

quartz = crystal(["Si", "O"], [(0.47, 0, 1 / 3), (0.41, 0.27, 0.12)], spacegroup=152, cellpar=[4.9, 4.9, 5.4, 90, 90, 120])
left = Atoms(quartz.numbers, cell=-np.array(quartz.cell), scaled_positions=-quartz.get_scaled_positions(), pbc=True)


def group(atoms):
    return spglib.get_spacegroup((np.array(atoms.cell), atoms.get_scaled_positions(), atoms.numbers))


before, volume = group(left), np.linalg.det(left.cell)
niggli_reduce(left)
after = group(left)
print("as given:", group(quartz), " left-handed basis:", before, " reduced:", after, " determinants:", volume, np.linalg.det(left.cell))
assert group(quartz) == before == "P3_121 (152)" and after == "P3_221 (154)"
PY
