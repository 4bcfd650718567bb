#!/usr/bin/env bash
# Listing the models of a solver that no variable holds gives an empty list.
#
# Version:  python-sat 1.9.dev24
# Expected: list(make().enum_models()) has the three models of (a or b), whoever holds the solver.
# Seen:     three when the solver has a name, none when it is a temporary: the generator does not keep it alive.
# Matters:  "there is no such mechanism" would be read from an empty list. Keep the solver in a variable, or use it as a context manager.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check python-sat==1.9.dev24 >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
from pysat.solvers import Solver


def make():
    return Solver(name="g4", bootstrap_with=[[1, 2]])


held = make()
named, temporary = list(held.enum_models()), list(make().enum_models())
print("models of a named solver:", len(named), " of a temporary one:", len(temporary))
assert len(named) == 3 and temporary == []
PY
