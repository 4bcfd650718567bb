#!/usr/bin/env bash
# Forward derivatives of torch.linalg.det and solve under vmap are wrong, without an error.
#
# Version:  torch 2.13.0 (CPU)
# Expected: vmap(jacfwd(f)) is jacfwd(f) matrix by matrix; second derivatives are those of torch.autograd.
# Seen:     vmap(jacfwd(det)) and vmap(jacfwd(solve)) differ from the matrices one by one by more than their own size: already the first
#           derivative. jacfwd without vmap, vmap(jvp) and vmap(jacrev) are right, and so is inv. Second derivatives of det through
#           torch.func (hessian, jacrev twice) are NaN at the identity; torch.autograd.functional.hessian is right.
# Matters:  an element's force has det F in it, and F is the identity at rest: torch.autograd twice, or cofactors by cross products.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check torch==2.13.0 numpy >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
import torch
from torch.func import hessian, jacfwd, jacrev, vmap

torch.manual_seed(0)
A = torch.randn(4, 3, 3, dtype=torch.float64)
b = torch.randn(3, dtype=torch.float64)
for name, f in {"det": torch.linalg.det, "solve": lambda a: torch.linalg.solve(a, b), "inv": torch.linalg.inv}.items():
    true = torch.stack([jacrev(f)(a) for a in A])
    off = {
        "jacfwd one by one": torch.stack([jacfwd(f)(a) for a in A]) - true,
        "vmap(jacrev)": vmap(jacrev(f))(A) - true,
        "vmap(jacfwd)": vmap(jacfwd(f))(A) - true,
    }
    errors = {how: float(x.abs().max() / true.abs().max()) for how, x in off.items()}
    print(name, {how: f"{error:.1g}" for how, error in errors.items()})
    assert errors["jacfwd one by one"] < 1e-12 and errors["vmap(jacrev)"] < 1e-12
    assert (errors["vmap(jacfwd)"] > 0.1) == (name != "inv"), "vmap(jacfwd) is right now"
eye = torch.eye(3, dtype=torch.float64)
ways = {"func.hessian": hessian, "jacrev(jacrev)": lambda f: jacrev(jacrev(f))}
second = {name: float(way(torch.linalg.det)(eye)[0, 0, 1, 1]) for name, way in ways.items()}
second["torch.autograd"] = float(torch.autograd.functional.hessian(torch.linalg.det, eye)[0, 0, 1, 1])
print("a second derivative of det at the identity, 1 in truth:", second)
assert second["torch.autograd"] == 1.0
assert second["func.hessian"] != second["func.hessian"] and second["jacrev(jacrev)"] != second["jacrev(jacrev)"], "no NaN now"
PY
