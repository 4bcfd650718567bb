#!/usr/bin/env bash
# A CIF whose element symbols stand in capitals becomes another compound.
#
# Version:  ASE 3.29.0
# Expected: the type symbols NA and CL (older programs and databases write them so) are read as Na and Cl, or refused.
# Seen:     rock salt comes back as nitrogen and carbon, without a word: the second letter is dropped. pymatgen 2026.10 reads NaCl.
# Matters:  masses, formulas and energies are another compound's. Compare the formula with the file's _chemical_formula_sum.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check ase==3.29.0 >/dev/null 2>&1
cat >"$work/salt.cif" <<'CIF'
data_salt
_cell_length_a 5.64
_cell_length_b 5.64
_cell_length_c 5.64
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_space_group_name_H-M_alt 'P 1'
_space_group_IT_number 1
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
NA1 NA 0 0 0
CL1 CL 0.5 0.5 0.5
CIF
"$work/venv/bin/python" -W ignore - "$work/salt.cif" <<'PY'
import sys

from ase.io import read

found = read(sys.argv[1]).get_chemical_formula()
print("NA and CL are read as", found)
assert found == "CN"
PY
