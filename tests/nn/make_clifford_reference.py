"""Write tests/nn/clifford_reference.npz: what geometric-algebra-attention 0.5.1 gives for the layers of clifford_cases.

Run with that package installed: ``python tests/nn/make_clifford_reference.py``.
"""

from pathlib import Path

import geometric_algebra_attention.pytorch as peer
import numpy as np
import torch
from clifford_cases import D, cases, data, filled, networks


def output(kind, options):
    """The peer's result as one row of numbers."""
    options = dict(options)
    inputs, mask = data(kind, options.pop("weights", False), options.pop("mask", False))
    dims = {k: options[k] for k in ("invariant_mode", "include_normalized_products", "linear_mode", "linear_terms") if k in options}
    invariants = getattr(peer, kind).get_invariant_dims(options["rank"], dims.pop("invariant_mode", "single"), **dims)
    torch.manual_seed(0)
    layer = filled(getattr(peer, kind)(D, *networks(invariants, "2" in kind or kind.startswith(("Tied", "Labeled"))), **options))
    if mask is not None:
        mask = (None, mask) if kind.startswith("Labeled") else mask
    with torch.no_grad():
        y = layer(inputs, mask=mask)
    return torch.cat([part.flatten() for part in (y if isinstance(y, tuple) else (y,))]).numpy()


if __name__ == "__main__":
    path = Path(__file__).parent / "clifford_reference.npz"
    found = {name: output(*case) for name, case in cases().items()}
    sizes = np.array([len(y) for y in found.values()])
    np.savez_compressed(path, names=np.array(list(found)), sizes=sizes, values=np.concatenate(list(found.values())))
