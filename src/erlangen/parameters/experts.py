"""`MoE` and `MoIE`: mixtures of experts whose outputs, or whose weights, are mixed by a gate.

Source: A. Chernov, O. Novitskij, "The empirical impact of reducing symmetries on the performance of deep ensembles and MoE",
arXiv:2502.17391.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from erlangen.errors import ArgumentError
from erlangen.parameters.asymmetric import FixedEntries, MaskKind, asymmetrize
from erlangen.parameters.asymmetric.network import fixed_parts


class Gate(nn.Module):
    """Weights of the experts, ``[N, d] -> [N, K]``, positive and with sum 1.

    ``"softmax"``: the softmax of a linear map. ``"gumbel"``: in training the softmax of ``(logits + noise) / tau`` with Gumbel noise for
    each sample; in evaluation the mean of it over ``samples`` draws, as the source has it. These are drawn once and kept
    (``fixed_noise``), so that what is predicted for one sample depends neither on the others nor on the call. For all samples they are
    off the mean over all noise in a like direction, with 10 draws of 4 experts by about 0.05, and less as one over the root of their
    number; a gate without this error, and without noise, is ``"softmax"``.

    Args:
        inp, experts: ``d`` and ``K``.
        kind: see above.
        tau: temperature of the Gumbel gate.
        samples: draws in evaluation.
        seed: of these draws.

    Source: A. Chernov, O. Novitskij, arXiv:2502.17391; that draws are kept is ours.

    >>> Gate(3, 4)(torch.zeros(2, 3)).sum(-1).allclose(torch.ones(2))
    True
    """

    fixed_noise: Tensor

    def __init__(
        self,
        inp: int,
        experts: int,
        kind: Literal["softmax", "gumbel"] = "softmax",
        tau: float = 2.0,
        samples: int = 10,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if kind not in ("softmax", "gumbel"):
            raise ArgumentError("gate", "'softmax' or 'gumbel'", repr(kind))
        if not 0 < tau < math.inf:
            raise ArgumentError("tau", "a positive number", repr(tau))
        if isinstance(samples, bool) or samples != int(samples) or samples < 1:
            raise ArgumentError("samples", "a whole number, at least 1", repr(samples))
        self.linear, self.kind, self.tau = nn.Linear(inp, experts), kind, tau
        draws = torch.rand(int(samples), experts, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        self.register_buffer("fixed_noise", -(-draws.clamp(1e-12, 1 - 1e-12).log()).log().to(torch.get_default_dtype()))

    def forward(self, x: Tensor) -> Tensor:
        logits = self.linear(x)
        if self.kind == "softmax":
            return logits.softmax(-1)
        if self.training:
            wide = torch.promote_types(logits.dtype, torch.float32)  # in half precision a draw may be 0, its logarithm infinite
            noise = -torch.empty_like(logits, dtype=wide).exponential_().log()
            return ((logits + noise.to(logits.dtype)) / self.tau).softmax(-1)
        return ((logits.unsqueeze(-2) + self.fixed_noise) / self.tau).softmax(-1).mean(-2)


class ExpertLinear(nn.Module):
    """One Linear layer of each expert: ``weight [K, out, inp]``, ``bias [K, out]``, drawn as torch draws those of ``nn.Linear``.

    >>> layer = ExpertLinear(3, 4, 2)
    >>> layer(torch.zeros(3, 5, 4)).shape, layer.mixed(torch.zeros(5, 4), torch.full((5, 3), 1 / 3)).shape
    (torch.Size([3, 5, 2]), torch.Size([5, 2]))
    """

    def __init__(self, experts: int, inp: int, out: int) -> None:
        super().__init__()
        bound = inp**-0.5
        self.weight = nn.Parameter(torch.empty(experts, out, inp).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(experts, out).uniform_(-bound, bound))

    def forward(self, x: Float[Tensor, "k n inp"]) -> Float[Tensor, "k n out"]:
        return torch.baddbmm(self.bias.unsqueeze(1), x, self.weight.mT)

    def mixed(self, x: Float[Tensor, "n inp"], alpha: Float[Tensor, "n k"]) -> Float[Tensor, "n out"]:
        """``sum_k alpha_k (W_k x + b_k)``, by the way that needs less memory: inputs weighted (n K inp), or weights mixed (n out inp)."""
        weight = self.weight
        experts, out, inp = weight.shape
        bias = alpha @ self.bias
        if experts <= out:
            weighted = (alpha.unsqueeze(2) * x.unsqueeze(1)).flatten(1)
            return torch.addmm(bias, weighted, weight.transpose(1, 2).reshape(experts * inp, out))
        weights = (alpha @ weight.reshape(experts, out * inp)).view(-1, out, inp)
        return torch.baddbmm(bias.unsqueeze(2), weights, x.unsqueeze(2)).squeeze(2)


class _Mixture(nn.Module):
    """What both mixtures share: experts that are perceptrons of one shape, and a gate that sees the inputs."""

    #: (hidden layers, activation, whether layers behind the first fix one entry more) of each preset.
    _PRESETS: ClassVar[dict[str, tuple[int, type[nn.Module], bool]]]

    def __init__(
        self,
        inp: int,
        out: int,
        experts: int,
        hidden: int = 64,
        *,
        kind: Literal["w"] | None = None,
        gate: Literal["softmax", "gumbel"] = "softmax",
        preset: Literal["default", "paper"] = "default",
        depth: int | None = None,
        activation: type[nn.Module] | None = None,
        n_fix: int | Sequence[int] | None = None,
        kappa: float | Sequence[float] = 1.0,
        mask: MaskKind = "random_subsets",
        tau: float = 2.0,
        samples: int = 10,
        seed: int = 0,
    ) -> None:
        super().__init__()
        for name, value in (("inp", inp), ("out", out), ("experts", experts), ("hidden", hidden), ("depth", depth)):
            if value is not None and (isinstance(value, bool) or value != int(value) or value < 1):
                raise ArgumentError(name, "a whole number, at least 1", repr(value))
        if kind not in (None, "w"):
            raise ArgumentError("kind", "'w' or None", repr(kind))
        if preset not in self._PRESETS:
            raise ArgumentError("preset", " or ".join(map(repr, self._PRESETS)), repr(preset))
        usual_depth, usual_activation, more = self._PRESETS[preset]
        inp, out, experts, hidden, depth = (int(n) for n in (inp, out, experts, hidden, depth or usual_depth))
        self.inp, self.out, self.experts = inp, out, experts
        widths = [inp, *[hidden] * depth, out]
        self.layers: Any = nn.ModuleList(ExpertLinear(experts, i, o) for i, o in itertools.pairwise(widths))
        self.activation = (activation or usual_activation)()
        self.gate = Gate(inp, experts, gate, tau, samples, seed)
        if kind == "w":
            if n_fix is None:
                later = 2 if not more else 3 if hidden < 256 else 4
                n_fix = [2, *[later] * depth]
            plain = nn.Sequential(*(nn.Linear(i, o) for i, o in itertools.pairwise(widths)))
            parts = fixed_parts(asymmetrize(plain, "w", n_fix, kappa, mask, seed))
            for i, layer in enumerate(self.layers):
                fixed = [parts[f"{i}.parametrizations.weight.0.{key}"] for key in ("mask", "values")]
                every = FixedEntries(*(t.expand(experts, *t.shape).clone() for t in fixed))
                parametrize.register_parametrization(layer, "weight", every)

    def alpha(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch k"]:
        """The weights of the experts; of a Gumbel gate in training a draw, in evaluation the mean of draws."""
        return self.gate(self._checked(x))  # type: ignore[no-any-return]

    def forward(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch out"]:
        rows = self._checked(x).reshape(-1, self.inp)
        return self._mixed(rows, self.gate(rows)).reshape(*x.shape[:-1], self.out)

    def expert(self, k: int) -> nn.Sequential:
        """A copy of one expert as a plain network."""
        if isinstance(k, bool) or k != int(k) or not 0 <= k < self.experts:
            raise ArgumentError("k", f"a whole number from 0 to {self.experts - 1}", repr(k))
        return self._network(nn.functional.one_hot(torch.tensor(k), self.experts).to(self.gate.linear.weight))

    def _network(self, alpha: Tensor) -> nn.Sequential:
        """The perceptron with weights ``sum_k alpha_k W_k``."""
        parts: list[nn.Module] = []
        for layer in self.layers:
            weight, bias = layer.weight.detach(), layer.bias.detach()
            linear = nn.utils.skip_init(nn.Linear, weight.shape[2], weight.shape[1], device=weight.device, dtype=weight.dtype)
            linear.weight.data, linear.bias.data = torch.tensordot(alpha, weight, 1), alpha @ bias
            parts += [linear, copy.deepcopy(self.activation)]
        return nn.Sequential(*parts[:-1])

    def _mixed(self, x: Tensor, alpha: Tensor) -> Tensor:
        raise NotImplementedError

    def _checked(self, x: Tensor) -> Tensor:
        if x.ndim == 0 or x.shape[-1] != self.inp:
            raise ArgumentError("x", f"a tensor whose last axis has length {self.inp}", f"shape {tuple(x.shape)}")
        return x

    def extra_repr(self) -> str:
        return f"{self.inp} -> {self.out}, {self.experts} experts"


class MoE(_Mixture):
    """A dense mixture of experts, ``y = sum_k alpha_k(x) f_k(x)``: ``[*batch, inp] -> [*batch, out]``.

    Args:
        inp, out: features.
        experts: ``K`` of them, perceptrons.
        hidden: width of their hidden layers.
        kind: ``"w"``: experts with fixed entries, the same in all (:func:`asymmetrize`); ``None``: plain ones.
        gate: see :class:`Gate`.
        preset: ``"default"``: three hidden layers with GELU, two fixed entries in each row. ``"paper"``: in layers behind the first
            three, or four where they are 256 wide.
        depth: hidden layers, in place of the preset's.
        activation: class of a module, in place of the preset's.
        n_fix, kappa, mask: of fixed entries, see :func:`asymmetrize`.
        tau, samples: of the Gumbel gate.
        seed: of masks, fixed entries and the gate's draws in evaluation.

    Raises:
        ArgumentError: an argument that is none of these.

    Source: A. Chernov, O. Novitskij, arXiv:2502.17391.

    >>> MoE(8, 2, experts=4, kind="w")(torch.zeros(3, 5, 8)).shape
    torch.Size([3, 5, 2])
    """

    _PRESETS: ClassVar = {"default": (3, nn.GELU, False), "paper": (3, nn.GELU, True)}

    def _mixed(self, x: Tensor, alpha: Tensor) -> Tensor:
        h = x.expand(self.experts, *x.shape)
        for i, layer in enumerate(self.layers):
            h = layer(h if i == 0 else self.activation(h))
        return torch.einsum("nk,kno->no", alpha, h)


class MoIE(_Mixture):
    """A mixture of interpolated experts: each sample goes through the network whose weights are ``sum_k alpha_k(x) W_k``.

    Args:
        preset: ``"default"`` as of :class:`MoE`; ``"paper"``: four hidden layers with ReLU.
        inp, out, experts, hidden, kind, gate, depth, activation, n_fix, kappa, mask, tau, samples, seed: as of :class:`MoE`.

    Raises:
        ArgumentError: an argument that is none of these.

    Source: A. Chernov, O. Novitskij, arXiv:2502.17391.

    >>> mixture = MoIE(8, 2, experts=4)
    >>> x = torch.randn(1, 8)
    >>> torch.allclose(mixture(x), mixture.network(mixture.alpha(x)[0])(x), atol=1e-6)
    True
    """

    _PRESETS: ClassVar = {"default": (3, nn.GELU, False), "paper": (4, nn.ReLU, False)}

    def network(self, alpha: Float[Tensor, " k"]) -> nn.Sequential:
        """A copy of the network that samples with these weights of the experts go through."""
        if alpha.shape != (self.experts,):
            raise ArgumentError("alpha", f"a tensor of shape ({self.experts},)", f"shape {tuple(alpha.shape)}")
        return self._network(alpha.detach())

    def _mixed(self, x: Tensor, alpha: Tensor) -> Tensor:
        for i, layer in enumerate(self.layers):
            x = layer.mixed(x if i == 0 else self.activation(x), alpha)
        return x
