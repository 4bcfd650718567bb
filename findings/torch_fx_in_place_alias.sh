#!/usr/bin/env bash
# torch.fx traces `h += x` as `h = h + x`, so that a second name of h keeps the old value.
#
# Version:  torch 2.13.0 (CPU)
# Expected: the traced module computes what the module computes: after `same = h; h += x`, both names hold the sum.
# Seen:     the graph adds out of place; a module that returns `same` gives ones, its trace zeros, without an error. `h.add_(x)` is traced
#           as it stands.
# Matters:  what is read off a trace may belong to another function: compare the outputs of both. Erlangen's weight_spec and relu_network
#           check on the module itself, and refuse.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check torch==2.13.0 numpy >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
import torch
from torch import fx, nn


class Operator(nn.Module):
    def forward(self, x):
        h = same = torch.zeros_like(x)
        h += x
        return same


class Method(nn.Module):
    def forward(self, x):
        h = same = torch.zeros_like(x)
        h.add_(x)
        return same


x = torch.ones(2)
for model in (Operator(), Method()):
    print(f"{type(model).__name__}: module {model(x).tolist()}, traced {fx.symbolic_trace(model)(x).tolist()}")
assert torch.equal(Operator()(x), x) and torch.equal(Method()(x), x)
assert torch.equal(fx.symbolic_trace(Method())(x), x)
assert torch.equal(fx.symbolic_trace(Operator())(x), torch.zeros(2)), "the trace changes in place now"
PY
