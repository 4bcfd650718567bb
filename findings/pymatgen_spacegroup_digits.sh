#!/usr/bin/env bash
# How many atoms a structure from a space group has depends on how many digits a third is written with.
#
# Version:  pymatgen 2026.10.24
# Expected: a special position of P6_3/mmc given as 0.3333 is snapped to 1/3, or refused; the cell of a hexagonal close-packed metal has 2 atoms.
# Seen:     Structure.from_spacegroup gives 6 atoms with 0.3333, 3 with 0.33333 and 2 with 0.333333, without a warning.
# Matters:  tables print four digits: the crystal is another one, with atoms a hundredth of an angstrom apart.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check pymatgen==2026.10.24 >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
from pymatgen.core import Lattice, Structure

counts = {}
for third in ("0.3333", "0.33333", "0.333333"):
    x = float(third)
    made = Structure.from_spacegroup("P6_3/mmc", Lattice.hexagonal(3.2, 5.2), ["Mg"], [[x, round(2 * x, len(third) - 2), 0.25]])
    counts[third] = len(made)
print(counts)
assert counts == {"0.3333": 6, "0.33333": 3, "0.333333": 2}
PY
