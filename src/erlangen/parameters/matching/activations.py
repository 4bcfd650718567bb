"""`match_activations`: the permutation of hidden units after which two networks' units fire alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.parameters.layers import CHANNELS, CONVOLUTIONS
from erlangen.parameters.layout import Layout
from erlangen.parameters.matching.descent import Pair
from erlangen.parameters.matching.result import Match, moved_weights, weights_of
from erlangen.parameters.matching.weights import (
    check_restarts,
    compared,
    element,
    folded,
    movable,
    searched,
    spec_of,
    whole,
)
from erlangen.parameters.spec import WeightSpec

NORMS = (nn.LayerNorm, nn.RMSNorm)


def match_activations(
    a: nn.Module, b: nn.Module, x: Any, spec: WeightSpec | None = None, *, restarts: int = 2, seed: int = 0
) -> Match[nn.Module]:
    """Move the hidden units of ``b`` so that they correlate with those of ``a`` on data.

    Units are seen where layers with weights give them (linear maps, convolutions, embeddings, normalisations, the queries, keys and values
    of attention), over all samples and positions; the sum of the correlations of units in the same place is made large. Labels that
    no such layer gives (the hidden states of an RNN) are matched by their weights, the others held.

    Args:
        a, b: two modules of one architecture, in evaluation mode meanwhile.
        x: an input, or a tuple of them, of many samples.
        spec: of both; by default found by :func:`~erlangen.parameters.weight_spec`.
        restarts, seed: as for :func:`match_weights`; of labels that stand alone on their axes the first start finds the optimum.

    Raises:
        ArgumentError: fewer than two samples, activations that are no finite numbers, or as for :func:`match_weights`.

    Source: Y. Li, J. Yosinski, J. Clune, H. Lipson, J. Hopcroft, "Convergent learning", ICLR 2016, arXiv:1511.07543; S. Ainsworth,
    J. Hayase, S. Srinivasa, "Git Re-Basin", ICLR 2023, arXiv:2209.04836.

    >>> from erlangen.parameters import weight_spec
    >>> a = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3))
    >>> spec = weight_spec(a)
    >>> b = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3))
    >>> _ = b.load_state_dict(spec.apply_permutation(a.state_dict(), spec.random_permutation(torch.Generator().manual_seed(0))))
    >>> found = match_activations(a, b, torch.randn(100, 5))
    >>> all(torch.equal(v, w) for v, w in zip(found.moved.parameters(), a.parameters()))
    True
    """
    check_restarts(restarts)
    args = x if isinstance(x, tuple) else (x,)
    if any(isinstance(t, Tensor) and t.is_floating_point() and not bool(t.isfinite().all()) for t in args):
        raise ArgumentError("x", "inputs that are finite numbers", "infinite ones or NaN")
    spec = spec_of(a, b, spec, tuple(t[:2] if isinstance(t, Tensor) and t.ndim > 1 else t for t in args))
    pairs = []
    for (name, cut, of_a), (other, _, of_b) in zip(_activations(a, spec, args), _activations(b, spec, args), strict=True):
        assert name == other
        if not (bool(torch.isfinite(of_a).all()) and bool(torch.isfinite(of_b).all())):
            raise ArgumentError("x", "inputs with finite activations", f"others in '{name}'")
        if len(of_a) < 2:
            raise ArgumentError("x", "at least two samples, for correlations", f"{len(of_a)}")
        layout = Layout((cut,))
        pieces = [layout.fold(_standard(t).unsqueeze(1)) for t in (of_a, of_b)]
        for part, ours, theirs in zip(layout.parts, *pieces):
            if part.labels:
                pairs.append(_pair(part.labels, ours.flatten(0, 1), theirs.flatten(0, 1)))
    free = movable(spec)
    seen = {label: n for label, n in free.items() if any(label in p.labels for p in pairs)}
    best, history = searched(pairs, seen, restarts, seed)
    source = whole(spec, best.source)
    rest = {label: n for label, n in free.items() if label not in seen}
    if rest:
        half = spec.apply_permutation(weights_of(b), element(source))
        others, _ = searched(folded(spec, compared(a, spec), weights_of(a), half), rest, restarts, seed)
        source |= {label: others.source[label] for label in rest}
    sigma = element(source)
    return Match(sigma, moved_weights(b, spec, sigma), history[-1], tuple(history), spec)


def _pair(labels: tuple[str, ...], a: Tensor, b: Tensor) -> Pair:
    """Activations ``[samples, *sizes]`` as typed tensors; of one label the correlations are all that counts."""
    if len(labels) == 1:
        return Pair(labels, torch.eye(a.shape[1], dtype=a.dtype), a.T @ b)
    return Pair(labels, a, b)


def _standard(t: Tensor) -> Tensor:
    """Units ``[samples, n]`` of mean zero and norm one; those that never change are zero."""
    t = t.double()
    t = t - t.mean(0)
    size = t.norm(dim=0)
    return torch.where(size > 1e-7 * size.max().clamp(min=1e-300), t / size.clamp(min=1e-300), 0.0)


def _activations(model: nn.Module, spec: WeightSpec, args: tuple[Any, ...]) -> list[tuple[str, Any, Tensor]]:
    """Name, cut of the feature axis, and activations ``[samples, n]`` of every layer whose units some label moves."""
    found: list[tuple[str, Any, Tensor]] = []
    handles = []

    def keep(name: str, weight: str, weight_axis: int, axis: int) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            cut = spec.layouts[weight].axes[weight_axis]
            found.append((name, cut, output.detach().cpu().movedim(axis, -1).flatten(0, -2)))

        return hook

    def projected(name: str) -> Callable[..., None]:
        def hook(module: Any, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
            streams = [*inputs, *(named[k] for k in ("query", "key", "value") if k in named)][:3]
            whole = module.in_proj_weight is not None
            biases = [None] * 3 if module.in_proj_bias is None else module.in_proj_bias.chunk(3)
            parts = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
            weights = module.in_proj_weight.chunk(3) if whole else [getattr(module, n) for n in parts]
            for i, (stream, w, bias) in enumerate(zip(streams, weights, biases)):
                own = f"{name}.".lstrip(".") + ("in_proj_weight" if whole else parts[i])
                cuts = spec.layouts[own].axes[0]
                if whole and len(cuts) != 3:
                    continue
                units = nn.functional.linear(stream, w, bias).detach().cpu().flatten(0, -2)
                found.append((name, (cuts[i],) if whole else cuts, units))

        return hook

    for name, layer in model.named_modules():
        if isinstance(layer, nn.MultiheadAttention):
            handles.append(layer.register_forward_pre_hook(projected(name), with_kwargs=True))
            continue
        weight = f"{name}.".lstrip(".") + "weight"
        place = _place(layer)
        if place is not None and weight in spec.layouts and _labelled(spec.layouts[weight].axes[place[0]]):
            handles.append(layer.register_forward_hook(keep(name, weight, *place)))
    modes = {m: m.training for m in model.modules()}
    try:
        model.eval()
        with torch.no_grad(), _slow_path():
            model(*args)
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in modes.items():
            module.training = mode
    return found


def _place(layer: nn.Module) -> tuple[int, int] | None:
    """Which axis of a layer's weight its units are, and which axis of its output."""
    if isinstance(layer, (nn.Linear, *NORMS)):
        return 0, -1
    if isinstance(layer, nn.Embedding):
        return 1, -1
    if isinstance(layer, CONVOLUTIONS):
        return (1 if layer.transposed and layer.groups == 1 else 0), -len(layer.kernel_size) - 1
    if isinstance(layer, CHANNELS):
        return 0, 1
    return None


def _labelled(cut: Any) -> bool:
    return any(label is not None for segment in cut for label, _ in segment)


@contextmanager
def _slow_path() -> Iterator[None]:
    """Layers of transformers run as they are written, so that what is inside of them is seen."""
    was = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was)
