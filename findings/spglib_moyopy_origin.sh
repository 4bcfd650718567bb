#!/usr/bin/env bash
# Two crystallography libraries give the operations of one space group about different origins by default.
#
# Versions: spglib 2.8.0, moyopy 0.21.0
# Expected: "the operations of space group 227" are the same set in both, up to order.
# Seen:     in 24 groups they differ: the first of spglib's settings is origin choice 1, moyopy's standard is choice 2. Coordinates of one
#           under the operations of the other give orbits of a wrong size, without an error.
# Matters:  whoever mixes them. Erlangen's SpaceGroup is choice 2; SpaceGroup(n, "1") is the other.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check spglib==2.8.0 moyopy==0.21.0 numpy >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
import moyopy
import numpy as np
import spglib

first = {}
for hall in range(1, 531):
    first.setdefault(spglib.get_spacegroup_type(hall).number, hall)


def keys(rotations, translations):
    shifts = np.rint(np.asarray(translations) * 24).astype(int) % 24
    return {tuple(np.ravel(w)) + tuple(t) for w, t in zip(np.asarray(rotations), shifts)}


different = []
for number, hall in first.items():
    one, other = spglib.get_symmetry_from_database(hall), moyopy.operations_from_number(number)
    if keys(one["rotations"], one["translations"]) != keys(other.rotations, other.translations):
        different.append(number)
print(len(different), "groups differ:", different)
assert len(different) == 24 and 227 in different and 225 not in different
PY
