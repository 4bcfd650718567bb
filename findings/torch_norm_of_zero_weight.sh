#!/usr/bin/env bash
# weight_norm and spectral_norm of a zero weight are NaN.
#
# Version:  torch 2.13.0 (CPU)
# Expected: a weight of zeros stays zero (its length is 0), or an error when the parametrization is set.
# Seen:     torch.nn.utils.parametrizations.weight_norm gives NaN in each row that is zero, spectral_norm in the whole weight that is.
# Matters:  layers that start at zero, and units that were pruned to zero, make the whole output NaN.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check torch==2.13.0 numpy >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
import torch
from torch import nn
from torch.nn.utils import parametrizations

torch.manual_seed(0)
seen = {}
for name, rows in (("weight_norm", 1), ("weight_norm", 3), ("spectral_norm", 1), ("spectral_norm", 3)):
    layer = nn.Linear(4, 3)
    layer.weight.data[:rows] = 0.0
    out = getattr(parametrizations, name)(layer)(torch.ones(4))
    seen[name, rows] = int(out.isnan().sum())
    print(f"{name}, {rows} of 3 rows zero: {seen[name, rows]} of 3 outputs NaN")
assert seen == {("weight_norm", 1): 1, ("weight_norm", 3): 3, ("spectral_norm", 1): 0, ("spectral_norm", 3): 3}
PY
