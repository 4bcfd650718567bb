#!/usr/bin/env bash
# Spherical harmonics of the zero vector have a finite, gigantic gradient, which no check for NaN sees.
#
# Version:  e3nn 0.6.0 (torch 2.13.0)
# Expected: the direction of the zero vector is not defined: the gradient of normalized harmonics there is NaN, or zero by convention.
# Seen:     the values are 0, and the gradient is about 5e11 in float32.
# Matters:  one self-edge, or two atoms in one place, sends forces of 1e11 into a training, and gradients that are clipped hide it.
#           Erlangen leaves self-edges out of what sees directions, and its own networks have bounded derivatives there.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check torch==2.13.0 e3nn==0.6.0 setuptools >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
import torch
from e3nn import o3

x = torch.zeros(1, 3, requires_grad=True)
y = o3.spherical_harmonics([1, 2], x, normalize=True)
y.sum().backward()
print("values", y.detach().abs().max().item(), "gradient", x.grad.abs().max().item())
assert y.detach().abs().max() == 0 and x.grad.isfinite().all() and x.grad.abs().max() > 1e9, "the gradient at zero changed"
PY
