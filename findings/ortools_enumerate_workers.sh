#!/usr/bin/env bash
# Enumerating all solutions with several workers ends with OPTIMAL and a wrong count.
#
# Version:  ortools 9.15.6755
# Expected: enumerate_all_solutions calls back once for each of the 92 placements of eight queens, with any number of workers, or is refused.
# Seen:     92 with one worker; with eight the status is OPTIMAL as well, and the callback is called another number of times: solutions are
#           missing or come twice.
# Matters:  counts and exhaustive proofs. Enumerate with one worker and compare distinct solutions.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check ortools==9.15.6755 >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
from ortools.sat.python import cp_model


class Collect(cp_model.CpSolverSolutionCallback):
    def __init__(self, variables):
        super().__init__()
        self.variables, self.found = variables, []

    def on_solution_callback(self):
        self.found.append(tuple(self.value(v) for v in self.variables))


def queens(workers):
    model = cp_model.CpModel()
    row = [model.new_int_var(0, 7, f"row{i}") for i in range(8)]
    for slope in (0, 1, -1):
        model.add_all_different([row[i] + slope * i for i in range(8)])
    solver, seen = cp_model.CpSolver(), Collect(row)
    solver.parameters.enumerate_all_solutions = True
    solver.parameters.num_workers = workers
    status = solver.solve(model, seen)
    return solver.status_name(status), len(seen.found), len(set(seen.found))


one, several = queens(1), [queens(8) for _ in range(5)]
print("one worker (status, calls, distinct):", one, " eight workers:", several)
assert one == ("OPTIMAL", 92, 92)
assert all(status == "OPTIMAL" for status, _, _ in several)
assert any(calls != 92 for _, calls, _ in several), "several workers now count right"
PY
