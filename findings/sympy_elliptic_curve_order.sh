#!/usr/bin/env bash
# The order of an elliptic curve over a finite field leaves out the point at infinity.
#
# Version:  sympy 1.14.0
# Expected: the order of y^2 = x^3 + x + 1 over the field of five elements is that of its group, 9.
# Seen:     8, the number of affine points.
# Matters:  torsion, class groups and isogeny checks that take it as the order of a group. Add one.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check sympy==1.14.0 >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
from sympy.ntheory.elliptic_curve import EllipticCurve

order = int(EllipticCurve(1, 1, modulus=5).order)
affine = sum((y * y - x**3 - x - 1) % 5 == 0 for x in range(5) for y in range(5))
print("order:", order, " affine points:", affine, " elements of the group:", affine + 1)
assert order == affine == 8
PY
