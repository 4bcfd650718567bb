#!/usr/bin/env bash
# torch.kron refuses a transposed matrix.
#
# Version:  torch 2.13.0 (CPU)
# Expected: kron(a, b.T) is the Kronecker product, as for every other operation on a transposed view.
# Seen:     a RuntimeError about view sizes where either argument is a transposed (not contiguous) matrix; contiguous copies work.
# Matters:  representations of tensor products are Kronecker products, and the dual is a transpose: call .contiguous() first.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check torch==2.13.0 numpy >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
import torch

a, b = torch.eye(2), torch.arange(6.0).reshape(2, 3).T
wanted = torch.einsum("ij,kl->ikjl", a, b).reshape(6, 4)
assert torch.equal(torch.kron(a, b.contiguous()), wanted)
for name, pair in (("right", (a, b)), ("left", (b, a))):
    try:
        torch.kron(*pair)
        said = "works"
    except RuntimeError as error:
        said = f"{type(error).__name__}: {str(error).splitlines()[0][:90]}"
    print(f"transposed on the {name}: {said}")
    assert said.startswith("RuntimeError"), "kron takes transposed matrices now"
PY
