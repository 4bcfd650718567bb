"""Layers of geometric-algebra attention with weights and data by formula, the same for any package that names them alike."""

import itertools

import torch

F64 = torch.float64
D, N = 6, 4
VECTOR = ("VectorAttention", "Vector2VectorAttention", "TiedVectorAttention", "LabeledVectorAttention")
MULTIVECTOR = (
    "MultivectorAttention",
    "Multivector2MultivectorAttention",
    "TiedMultivectorAttention",
    "LabeledMultivectorAttention",
)


def cases():
    """Keyword arguments of layers, by a name for each."""
    found = {}
    for kind in (*VECTOR, *MULTIVECTOR):
        for rank, mode, reduce in itertools.product((1, 2, 3, 4), ("single", "partial", "full"), (True, False)):
            if rank == 4 and (kind not in (VECTOR[0], MULTIVECTOR[0], VECTOR[1]) or mode != "partial"):
                continue
            found[f"{kind} {rank} {mode} {reduce}"] = (kind, {"rank": rank, "invariant_mode": mode, "reduce": reduce})
        for rank in (2, 3):
            rich = {"rank": rank, "merge_fun": "concat", "join_fun": "concat", "include_normalized_products": True}
            found[f"{kind} {rank} concat"] = (kind, {**rich, "invariant_mode": "full"})
            found[f"{kind} {rank} linear"] = (kind, {**rich, "linear_terms": 2, "linear_mode": "full"})
            if not kind.startswith("Labeled"):  # there the peer leaves weights out
                found[f"{kind} {rank} weights"] = (kind, {"rank": rank, "weights": True, "reduce": False})
            found[f"{kind} {rank} mask"] = (kind, {"rank": rank, "mask": True})
        if kind not in (VECTOR[0], MULTIVECTOR[0]):
            convex = {"rank": 3, "covariant_mode": "full", "convex_covariants": True, "linear_terms": 1}
            found[f"{kind} convex"] = (kind, convex)
    return found


def networks(invariants, turning):
    """Score, value and, for layers that turn, scale networks."""
    value = torch.nn.Sequential(
        torch.nn.Linear(invariants, 2 * D), torch.nn.LayerNorm(2 * D), torch.nn.ReLU(), torch.nn.Linear(2 * D, D)
    )
    scalars = [torch.nn.Sequential(torch.nn.Linear(D, 2 * D), torch.nn.ReLU(), torch.nn.Linear(2 * D, 1)) for _ in range(2)]
    return (scalars[0], value, scalars[1]) if turning else (scalars[0], value)


def filled(module):
    """The module in float64, every weight by a formula of its name and place."""
    module = module.double()
    with torch.no_grad():
        for name, parameter in sorted(module.named_parameters()):
            phase = sum(map(ord, name)) % 97
            wave = torch.sin(1.7 * torch.arange(parameter.numel(), dtype=F64) + phase) * 0.6
            parameter.copy_(wave.reshape(parameter.shape))
    return module


def data(kind, weights=False, mask=False):
    """What a layer of this kind takes, of two clouds, and the mask."""
    size = 3 if kind in VECTOR else 8
    wave = torch.arange(2 * N * size, dtype=F64)
    r = torch.sin(2.3 * wave + 0.1 * wave**2).reshape(2, N, size) * 1.3
    v = torch.cos(0.9 * torch.arange(2 * N * D, dtype=F64)).reshape(2, N, D)
    inputs = (r, v, torch.linspace(0.5, 1.5, 2 * N, dtype=F64).reshape(2, N)) if weights else (r, v)
    present = torch.tensor([[True, True, False, True], [False, True, True, False]]) if mask else None
    if kind.startswith("Labeled"):
        inputs = (torch.sin(0.4 * torch.arange(2 * 3 * D, dtype=F64)).reshape(2, 3, D), inputs)
    return inputs, present
