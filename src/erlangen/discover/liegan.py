"""`LieGAN`: an algebra whose exponentials leave the distribution of the data unchanged, found by a game."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from erlangen.data.distinct import arranged, boundary, distinct
from erlangen.discover.coefficients import Coefficients
from erlangen.discover.confidence import at_fitted_scale
from erlangen.discover.discriminator import Discriminator
from erlangen.discover.exponential import act, is_block_mask
from erlangen.discover.liegan_config import LieGANConfig, one_of
from erlangen.discover.regularizers import correlation, triviality
from erlangen.discover.samples import Samples, samples_of
from erlangen.discover.span import warn_constants, warn_dependent
from erlangen.errors import ArgumentError
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.algebra_forms import Metric
from erlangen.reporting.progress import progress
from erlangen.verdict import Verdict

Init = Literal["random", "zero", "small", "masked", "affine"]
INITS = ("random", "zero", "small", "masked", "affine")
#: Channels below this part of the largest one's norm are dropped: they have shrunk away.
DROPPED = 0.05
#: Share of the data that :meth:`LieGAN.fit` keeps from the game, for its confidence; and how few are too few.
HELD_OUT = 0.2
FEWEST_HELD_OUT = 8
#: How many points of the loss curves are kept.
HISTORY = 200


class Players(NamedTuple):
    """The two sides of the game and what trains them: generators ``[K, n, n]`` with the law of ``w``, and the discriminator."""

    basis: Tensor
    law: Coefficients
    judge: Discriminator
    maker: torch.optim.Optimizer
    judges: torch.optim.Optimizer


class LieGAN:
    """Generative adversarial symmetry discovery.

    A generator holds a basis ``L_1 .. L_K`` and moves each sample by ``g = exp(sum_k w_k L_k)`` with random ``w``; a
    discriminator learns to tell moved samples from unmoved ones; the basis is changed until it cannot. Every sub-algebra
    of the true one is a solution, so penalties keep the channels from being trivial and alike. The scale and sign of a
    generator mean nothing. Source: J. Yang, R. Walters, N. Dehmamy, R. Yu, "Generative Adversarial Symmetry
    Discovery", ICML 2023, arXiv:2302.00236.

    The data are brought to root mean square 1, training is in float32. On the CPU, one seed gives one result to the bit.

    Args:
        n: size of a token.
        channels: ``K``, how many generators to look for.
        mask: 0/1, ``[n, n]`` or ``[K, n, n]``: where the matrices may be non-zero.
        init: ``"random"`` (uniform, Kaiming's bound), ``"zero"``, ``"small"`` (0.01 N(0, 1)), ``"masked"``
            (0.3 N(0, 1)), ``"affine"`` (random, the last row kept at zero), or a basis ``[K, n, n]``.
        quiet: no progress bar.
        config: all other choices.
        options: fields of :class:`LieGANConfig` by name, which take the place of those of ``config``: ``LieGAN(4, eta=0.1)``.

    Attributes:
        config: the :class:`LieGANConfig` in force.
        algebra_: :class:`erlangen.LieAlgebra`, matrices of norm ``sqrt(n)``; channels below 5 % of the largest are out.
        norms_: the norm of every channel as trained, ``[K]``, which is where the fitted scale is.
        basis_: the matrices as trained, ``[K, n, n]``.
        coefficients_: the law of ``w``.
        confidence_: a :class:`Verdict` from data kept from the game: whether a fresh judge fails to tell them from moved ones;
            see :func:`erlangen.discover.confidence.at_fitted_scale`.
        history_: loss curves by name: ``step``, ``generator``, ``discriminator``, ``triviality``, ``correlation``.

    Raises:
        ArgumentError: naming the argument that does not fit.

    >>> circle = torch.randn(512, 2, generator=torch.Generator().manual_seed(0))
    >>> LieGAN(2, steps=5, width=8).fit(circle).algebra_.dim
    1
    """

    algebra_: LieAlgebra
    basis_: Tensor
    norms_: Tensor
    coefficients_: Coefficients
    confidence_: Verdict
    history_: dict[str, list[float]]

    def __init__(
        self,
        n: int,
        channels: int = 1,
        mask: Float[Tensor, "*k n n"] | None = None,
        init: Init | Float[Tensor, "k n n"] = "random",
        *,
        quiet: bool = True,
        config: LieGANConfig | None = None,
        **options: Any,
    ) -> None:
        for name, value in {"n": n, "channels": channels}.items():
            if value < 1:
                raise ArgumentError(name, "a whole number of at least 1", repr(value))
        self.config = replace(config or LieGANConfig(), **options)
        homogeneous = self.config.homogeneous
        if homogeneous is not None and not -n <= homogeneous < n:
            raise ArgumentError("homogeneous", f"the index of one of {n} components", repr(homogeneous))
        if isinstance(init, str):
            one_of("init", init, INITS)
        elif tuple(init.shape) != (channels, n, n):
            raise ArgumentError("init", f"a basis [{channels}, {n}, {n}]", f"shape {tuple(init.shape)}")
        self.n, self.channels, self.init, self.quiet = n, channels, init, quiet
        self.mask = channel_mask(mask, channels, n, init == "affine" if isinstance(init, str) else False)
        self._blocks = is_block_mask(self.mask)

    def fit(self, x: Any, y: Any = None) -> LieGAN:
        """Find the algebra of ``x``, or of pairs ``(x, y)``.

        Args:
            x: ``[N, T, n]`` or ``[N, n]``, NumPy or torch; or a data set or a loader, as for :func:`erlangen.discover.discover`.
            y: ``[N, T_y, n]`` moves like ``x``; ``[N]`` or ``[N, k]`` floating, or ``[N]`` whole numbers, do not.

        Raises:
            ArgumentError: the data are not finite, empty, of a shape that does not fit, or too few different ones.

        Warns:
            UserWarning: components are constant or combinations of others, so that a part of every generator cannot be identified.
        """
        samples = samples_of(x, y, self.config.target, self.n)
        self._warn_unidentified(samples.tokens)
        kinds = distinct(samples.tokens)
        fewest, different = math.ceil(FEWEST_HELD_OUT / HELD_OUT), int(kinds.max()) + 1
        if different < fewest:
            raise ArgumentError("x", f"at least {fewest} different samples", different)
        order = arranged(kinds, torch.Generator().manual_seed(self.config.seed))
        held = boundary(kinds, order, int(len(samples) * HELD_OUT))
        self.fit_samples(samples.subset(order[held:]))
        self.confidence_ = at_fitted_scale(self.basis_, samples.subset(order[:held]), seed=self.config.seed)
        return self

    def fit_samples(self, samples: Samples) -> LieGAN:
        """:meth:`fit` on checked data, all of them: nothing is held out, and ``confidence_`` is not set."""
        data = self._prepared(samples)
        generator = torch.Generator().manual_seed(self.config.seed)
        players = self.players(data, generator)
        self.history_ = {name: [] for name in ("step", "generator", "discriminator", "triviality", "correlation")}
        with progress(self.config.steps, "LieGAN", self.quiet) as bar:
            for step in range(self.config.steps):
                channel = step * self.channels // self.config.steps if self.config.incremental else None
                losses = self.step(data, players, generator, channel)
                if step % max(self.config.steps // HISTORY, 1) == 0 or step == self.config.steps - 1:
                    self.history_["step"].append(step)
                    for name, value in losses.items():
                        self.history_[name].append(float(value))
                    bar.advance(step + 1 - bar.done, discriminator=self.history_["discriminator"][-1])
        self.coefficients_ = players.law
        self._keep((players.basis.detach() * self.mask.to(players.basis.device)).cpu())
        return self

    def players(self, data: Samples, generator: torch.Generator) -> Players:
        """Both players at the start of the game."""
        device = data.x.device
        basis = self._first(generator).to(device).requires_grad_(not self.config.fit_distribution)
        law = Coefficients(self.channels, self.config.coefficients, self.config.scale, self.config.fit_distribution)
        judge = Discriminator(data.features, self.config.width, data.classes, generator).to(device)
        learned = list(law.parameters()) if self.config.fit_distribution else [basis]
        maker = torch.optim.Adam(learned, self.config.lr_generator, betas=(0.5, 0.999))
        fused = device.type in ("cpu", "cuda")
        judges = torch.optim.Adam(judge.parameters(), self.config.lr_discriminator, betas=(0.9, 0.999), fused=fused)
        return Players(basis, law, judge, maker, judges)

    def step(self, data: Samples, players: Players, generator: torch.Generator, channel: int | None = None) -> dict[str, Tensor]:
        """One step of the generator and one of the discriminator: one batch, one pass of the discriminator there and back."""
        basis, law, judge, maker, judges = players
        index = torch.randint(len(data), (self.config.batch_size,), generator=generator)
        w = law.sample(self.config.batch_size, generator)
        if channel is not None:
            w = w * F.one_hot(torch.tensor(channel), self.channels)
        batch, w, masked = data.subset(index.to(data.x.device)), w.to(data.x.device), basis * self.mask.to(basis.device)
        tokens = batch.tokens
        moved = self._move(masked, w, tokens)
        labels = None if batch.labels is None else batch.labels.repeat(2)
        seen_moved = moved.detach().requires_grad_()
        both = torch.cat([tokens, seen_moved]).flatten(1)
        if batch.scalars.shape[1]:
            both = torch.cat([both, batch.scalars.repeat(2, 1)], 1)
        real, fake = judge(both, labels).chunk(2)
        seen = masked if channel is None else masked[: channel + 1]
        trivial = triviality(self.config.regularizer, batch.x, moved[:, : batch.x.shape[1]], masked)
        alike = correlation(self.config.decorrelation, seen)
        penalty = self.config.lam * trivial + self.config.eta * alike + self.config.mu * masked.abs().sum()
        telling = (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2
        weights = list(judge.parameters())
        *by_weights, by_moved = torch.autograd.grad(telling, [*weights, seen_moved])
        for p, grad in zip(weights, by_weights):
            p.grad = grad
        # Non-saturating: the generator maximises log D(gx). Both losses see a moved sample through its logit only, so their gradients
        # differ by a factor for each sample: sigmoid(-f) / B for the generator, sigmoid(f) / 2B for the discriminator.
        factor = -2 * fake.detach().clamp_min(-60).neg().exp()
        learned = [p for group in maker.param_groups for p in group["params"]]
        gradients = torch.autograd.grad([moved, penalty], learned, [factor[:, None, None] * by_moved, torch.ones_like(penalty)])
        for p, grad in zip(learned, gradients):
            p.grad = grad if channel is None else _only(grad, channel)
        maker.step()
        judges.step()
        return {
            "generator": F.softplus(-fake.detach()).mean(),
            "discriminator": telling.detach(),
            "triviality": trivial.detach(),
            "correlation": alike.detach(),
        }

    def metric(self, conformal: bool = False) -> Metric:
        """The form that the generators keep best at the scale they were trained at; see :meth:`erlangen.LieAlgebra.metric`.

        Channels that have nearly shrunk away are mostly noise. In ``algebra_`` they count like the others, here as much as they move data.
        """
        return LieAlgebra(self.basis_).metric(conformal=conformal)

    def __str__(self) -> str:
        if not hasattr(self, "algebra_"):
            return f"LieGAN of {self.channels} channel{'s' * (self.channels > 1)} on R^{self.n}, not fitted"
        judged = getattr(self, "confidence_", None)
        if judged is not None and not judged:
            return f"no symmetry found: {judged.reason}"
        named = self.algebra_.nearest_named()
        return f"{self.algebra_}, nearest {named}" + (f"; {judged.reason}" if judged is not None else "")

    def _warn_unidentified(self, tokens: Tensor) -> None:
        """Warn of what the data leave open, but for the component that is constant by design."""
        moved = list(range(self.n))
        if self.config.homogeneous is not None or (isinstance(self.init, str) and self.init == "affine"):
            del moved[-1 if self.config.homogeneous is None else self.config.homogeneous]
        constant = warn_constants(tokens[..., moved], [f"component {i}" for i in moved])
        if not constant:
            warn_dependent(tokens)

    def _move(self, basis: Tensor, w: Tensor, tokens: Tensor) -> Tensor:
        moved = act(basis, w, tokens, self._blocks)
        return moved if self.config.homogeneous is None else moved / moved[..., self.config.homogeneous, None]

    def _prepared(self, samples: Samples) -> Samples:
        """At root mean square 1, except in homogeneous coordinates, whose last component must stay 1."""
        scaled, scale = samples.scaled()
        if self.config.homogeneous is None:
            return scaled
        return Samples(scaled.x * scale, scaled.y * scale, scaled.scalars, scaled.labels, scaled.classes)

    def _first(self, generator: torch.Generator) -> Tensor:
        if isinstance(self.init, Tensor):
            return self.init.detach().float().clone() * self.mask
        shape = (self.channels, self.n, self.n)
        if self.init == "zero":
            return torch.zeros_like(self.mask)
        if self.init in ("small", "masked"):
            return (
                (0.01 if self.init == "small" else 0.3) * torch.randn(shape, generator=generator, dtype=torch.float32) * self.mask
            )
        return (2 * torch.rand(shape, generator=generator, dtype=torch.float32) - 1) * (3 / self.n) ** 0.5 * self.mask

    def _keep(self, basis: Tensor) -> None:
        self.basis_ = basis
        self.norms_ = basis.flatten(1).norm(dim=1)
        kept = basis[self.norms_ > DROPPED * self.norms_.max()]
        unit = kept.double() * (self.n**0.5 / kept.double().flatten(1).norm(dim=1))[:, None, None]
        self.algebra_ = LieAlgebra(unit, f"learned, {len(unit)} generators")


def _only(gradient: Tensor, channel: int) -> Tensor:
    out = torch.zeros_like(gradient)
    out[channel] = gradient[channel]
    return out


def channel_mask(mask: Tensor | None, channels: int, n: int, affine: bool = False) -> Tensor:
    """A checked 0/1 mask ``[K, n, n]``; the last row is out for affine maps."""
    out = torch.ones(channels, n, n, dtype=torch.float32)
    if mask is not None:
        mask = torch.as_tensor(mask).detach().float().cpu()
        if tuple(mask.shape) not in ((n, n), (channels, n, n)):
            raise ArgumentError("mask", f"shape [{n}, {n}] or [{channels}, {n}, {n}]", f"shape {tuple(mask.shape)}")
        if bool(((mask != 0) & (mask != 1)).any()):
            raise ArgumentError("mask", "zeros and ones", "other numbers")
        out = out * mask
    if affine:
        out[:, -1] = 0
    return out
