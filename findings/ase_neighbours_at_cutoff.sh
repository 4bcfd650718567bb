#!/usr/bin/env bash
# Neighbours exactly as far away as the cutoff come and go with where the crystal lies.
#
# Version:  ase 3.29.0
# Expected: the six nearest neighbours of simple cubic at distance a are found with cutoff a, or none of them, wherever the origin is.
# Seen:     none for the crystal as built, and between one and six after shifting or turning it: rounding decides each pair by itself.
# Matters:  graphs and energies change when a crystal is turned. Erlangen counts a shell at the cutoff as outside, by a tolerance that knows
#           the rounding of the positions.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check ase==3.29.0 numpy >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list

a, rng, counts = 3.3, np.random.default_rng(0), []
for _ in range(40):
    atoms = Atoms("Po", positions=[[0, 0, 0]], cell=np.eye(3) * a, pbc=True)
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    atoms.set_cell(atoms.cell @ q, scale_atoms=True)
    atoms.positions += rng.normal(size=3)
    counts.append(len(neighbor_list("i", atoms, cutoff=a)))
plain = Atoms("Po", positions=[[0, 0, 0]], cell=np.eye(3) * a, pbc=True)
print("as built:", len(neighbor_list("i", plain, cutoff=a)), "neighbours; turned and shifted:", sorted(set(counts)))
assert len(set(counts)) > 1, "the count no longer depends on the orientation"
PY
