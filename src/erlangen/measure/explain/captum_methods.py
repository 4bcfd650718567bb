"""captum's attribution methods as explainers, and what is known of their symmetry."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import optree
import torch
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.extras import engine
from erlangen.measure.explain.explainers import Explainer, Needs
from erlangen.measure.explain.perturbations import FeatureAblation, Occlusion
from erlangen.training.modes import evaluating

#: What is random about captum's methods, by class.
CHANCE = {
    "GradientShap": "its baselines and its noise are drawn at random",
    "FeaturePermutation": "entries are permuted at random across the batch",
    "KernelShap": "coalitions are drawn at random",
    "Lime": "perturbations are drawn at random",
    "ShapleyValueSampling": "orders are drawn at random",
    "NoiseTunnel": "noise is drawn at random",
}


class Attribution(Explainer):
    """Anything with ``.attribute(inputs, target=...)``, as captum's methods have.

    Random numbers of captum come from torch and NumPy; with a ``generator`` both are seeded from it and put back afterwards. The
    modules' training flags are put back, too.

    Args:
        method: the method.
        name: for tables; by default its class.
        arguments: further keyword arguments of ``attribute`` (``baselines``, ``sliding_window_shapes``, ``n_steps`` ...).

    Raises:
        UnsupportedError: (when scored, averaged or audited) the batch shares parts of its data, which captum's methods repeat.
        ArgumentError: ``method`` has no ``attribute``; or (when called) its model works in place, which captum's methods do not allow for.

    >>> import torch
    >>> class Twice:
    ...     def attribute(self, inputs, target=None):
    ...         return 2 * inputs
    >>> Attribution(Twice())(torch.ones(1, 2))
    tensor([[2., 2.]])
    """

    def __init__(self, method: Any, name: str = "", **arguments: Any) -> None:
        if not callable(getattr(method, "attribute", None)):
            raise ArgumentError("method", "an object with .attribute(inputs, target=...)", type(method).__name__)
        self.method, self.arguments, self.label = method, arguments, type(method).__name__
        self.name = name or self.label
        self.batchwise = self.label == "FeaturePermutation"
        self.stochastic, self.shared = self.label in CHANCE, False

    @property
    def model(self) -> Any:
        """What the method explains."""
        return getattr(self.method, "model", None) or getattr(self.method, "forward_func", None)

    def bound(self, inp: Action) -> Explainer:
        known = copy.copy(self)
        known.shared = isinstance(inp, Record) and None in inp.leaves
        return known

    def explain(self, x: Any, target: Any) -> Any:
        if self.shared:
            raise UnsupportedError(
                f"captum's {self.label} repeats and perturbs every part of its input, and cannot hold parts fixed that the batch shares "
                "(None in inp); let the model hold them, or use the library's explainers"
            )
        with evaluating(self.model), warnings.catch_warnings():
            # captum warns of what it does to inputs and hooks, and of batches being slow, on every call.
            warnings.filterwarnings("ignore", category=UserWarning)
            before = optree.tree_map(lambda t: t.clone() if isinstance(t, Tensor) else t, x)
            found = self.method.attribute(x, target=target, **self.arguments)
        if not all(_same(a, b) for a, b in zip(optree.tree_leaves(before), optree.tree_leaves(x))):
            raise ArgumentError(
                "model",
                f"a model that leaves its input as it is: {self.label} calls it several times with the same tensor",
                "one that works in place",
            )
        return found[0] if isinstance(found, tuple) and isinstance(x, Tensor) else found

    def needs(self, x: Any) -> Needs | None:
        baseline = self.arguments.get("baselines", 0.0)
        baseline = 0.0 if baseline is None else baseline
        if isinstance(baseline, Tensor) and baseline.ndim and len(baseline) == 1:
            baseline = baseline[0]
        if self.label == "Saliency":
            return Needs("permutation" if self.arguments.get("abs", True) else "isometry")
        if self.label == "InputXGradient":
            return Needs("permutation")
        if self.label in ("IntegratedGradients", "DeepLift") or (self.label in CHANCE and self.label != "NoiseTunnel"):
            return Needs("permutation", baseline=baseline, chance=CHANCE.get(self.label, ""))
        if self.label == "FeatureAblation":
            groups = self.arguments.get("feature_mask")
            groups = groups[0] if isinstance(groups, Tensor) else None
            return FeatureAblation(_unused, baseline, groups).needs(x)
        if self.label == "Occlusion" and not self.arguments.get("strides"):
            return Occlusion(_unused, tuple(self.arguments["sliding_window_shapes"]), baseline=baseline).needs(x)
        return None


def _same(a: Any, b: Any) -> bool:
    return not isinstance(a, Tensor) or torch.equal(a.nan_to_num(), b.nan_to_num())


def _unused(x: Any) -> Any:
    return x


def captum_explainer(method: str, model: Callable[..., Any], name: str = "", **arguments: Any) -> Attribution:
    """A method of ``captum.attr`` by name, for a model.

    Args:
        method: e.g. ``"DeepLift"``, ``"GradientShap"``, ``"FeaturePermutation"``, ``"KernelShap"``.
        model: a module (DeepLift needs one that uses each activation module once), or a function.
        name: for tables; by default that of the method.
        arguments: of its ``attribute``.

    Raises:
        MissingExtra: captum is not installed.
        ArgumentError: captum has no such method.
    """
    found = getattr(engine("explain", "captum.attr"), method, None)
    if found is None:
        raise ArgumentError("method", "a method of captum.attr", repr(method))
    if method == "DeepLift" and not isinstance(model, nn.Module):
        raise ArgumentError("model", "a torch.nn.Module, for DeepLift", type(model).__name__)
    return Attribution(found(model), name, **arguments)
