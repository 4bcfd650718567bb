#!/usr/bin/env bash
# parametrizations.orthogonal of a square weight without full rank is not orthogonal.
#
# Version:  torch 2.13.0 (CPU)
# Expected: an orthogonal matrix (the weight is completed), or an error: the parametrization promises orthogonal weights.
# Seen:     of the zero matrix and of the matrix of ones Q Q^T is 1 or 0.67 away from the identity, without a word, for each of the
#           three maps. One zero row among independent ones is fine.
# Matters:  weights that start at zero (the last layer of a residual branch) are never orthogonal: start them at random, and measure
#           Q Q^T once.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check torch==2.13.0 numpy >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
import torch
from torch import nn
from torch.nn.utils import parametrizations


def error(weight, kind):
    layer = nn.Linear(3, 3, bias=False)
    layer.weight.data.copy_(weight)
    q = parametrizations.orthogonal(layer, orthogonal_map=kind).weight.detach()
    return float((q @ q.T - torch.eye(3)).abs().max())


torch.manual_seed(0)
for kind in ("matrix_exp", "cayley", "householder"):
    zero, ones, random = (error(w, kind) for w in (torch.zeros(3, 3), torch.ones(3, 3), torch.randn(3, 3)))
    print(f"{kind}: zeros {zero:.2f}, ones {ones:.2f}, random {random:.0e}")
    assert random < 1e-5
    assert zero > 0.5 and ones > 0.5, "weights without full rank are orthogonal now"
PY
