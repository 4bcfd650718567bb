"""Predict a property of networks from their weights: train a functional on a zoo and rank unseen networks with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from erlangen.errors import ArgumentError
from erlangen.parameters.deepset import InvariantDeepSet
from erlangen.parameters.spec import Params, WeightSpec
from erlangen.parameters.statistics import StatNN, weight_statistics
from erlangen.parameters.unf import InvariantUNF
from erlangen.parameters.zoo import Standardize
from erlangen.training import TrainingConfig, train

#: Root mean squares below this count as this.
SMALLEST = 1e-3


@dataclass(frozen=True)
class PredictionConfig:
    """How to train a predictor: Adam on the cross-entropy with the target as a probability; the best epoch on validation data is kept.

    Attributes:
        epochs, batch, lr, seed: of the training.
        validation: networks of the training zoo that choose the epoch.
    """

    epochs: int = 30
    batch: int = 32
    lr: float = 1e-3
    validation: int = 300
    seed: int = 0


def direction_and_size(spec: WeightSpec, params: Params) -> dict[str, Tensor]:
    """Each channel of each tensor twice: divided by its root mean square, and the logarithm of that.

    Zoos hold weights of sizes that differ a hundredfold; a network reads either of these more easily than their product.

    >>> import torch
    >>> spec = WeightSpec({"w": (2,)}, {"w": (None,)})
    >>> direction_and_size(spec, {"w": torch.tensor([[3.0, -3.0]])})["w"]
    tensor([[ 1.0000, -1.0000],
            [ 1.0986,  1.0986]])
    """
    found = {}
    for name, x in spec.select(params).items():
        ndim = len(spec.shapes[name])
        dims = tuple(range(x.ndim - ndim, x.ndim))
        size = ((x.square().mean(dims, keepdim=True) if dims else x.square()) + SMALLEST**2).sqrt()
        found[name] = torch.cat([x / size, size.log().expand_as(x)], x.ndim - ndim - 1)
    return found


def functionals(spec: WeightSpec) -> dict[str, Callable[[], nn.Module]]:
    """The predictors that are compared, by name; of each weight they read its direction and its size."""
    return {
        "deep set": lambda: InvariantDeepSet(spec, 2, width=8),
        "StatNN": lambda: StatNN(spec, 2),
        "UNF": lambda: InvariantUNF(spec, 2, width=32),
    }


class Predictor(nn.Module):
    """Direction and size of each tensor, standardized over a zoo, into a functional; its output as a probability.

    >>> import torch
    >>> from erlangen.parameters import StatNN
    >>> spec = WeightSpec({"w": (3, 2)}, {"w": ("h", None)})
    >>> Predictor(spec, StatNN(spec, 2, width=8))({"w": torch.randn(5, 1, 3, 2)}).shape
    torch.Size([5])
    """

    def __init__(self, spec: WeightSpec, functional: nn.Module) -> None:
        super().__init__()
        self.spec, self.scale, self.functional = spec, Standardize(spec), functional

    def fit_scale(self, zoo: Params) -> None:
        """Take means and deviations from the training networks."""
        self.scale.fit(direction_and_size(self.spec, zoo))

    def forward(self, params: Params) -> Float[Tensor, "*batch"]:
        return self.functional(self.scale(direction_and_size(self.spec, params))).squeeze(-1).sigmoid()


def fit_predictor(
    functional: nn.Module,
    spec: WeightSpec,
    params: Params,
    target: Float[Tensor, " networks"],
    config: PredictionConfig | None = None,
    *,
    description: str = "predictor",
    quiet: bool = False,
) -> Predictor:
    """Train an invariant functional to predict a number in [0, 1] (a success rate) of networks.

    Args:
        functional: weights ``[networks, 2 C, *shape]`` to ``[networks, 1]``; of each channel it reads direction and size.
        spec: of the weights.
        params: the networks of the training zoo; keep those to be judged apart.
        target: what is to be predicted.
        config: see :class:`PredictionConfig`.

    Raises:
        ArgumentError: targets outside [0, 1], or fewer networks than are to be held out.
    """
    config = config or PredictionConfig()
    count = len(target)
    if bool((target < 0).any()) or bool((target > 1).any()):
        raise ArgumentError("target", "numbers in [0, 1]", f"from {float(target.min()):.3g} to {float(target.max()):.3g}")
    if not 0 < config.validation < count:
        raise ArgumentError("validation", f"a positive number of the {count} networks", repr(config.validation))
    predictor = Predictor(spec, functional)
    names = list(spec.shapes)
    kept = spec.select(params)
    cut = count - config.validation
    predictor.fit_scale({name: w[:cut] for name, w in kept.items()})
    goal = target.to(next(iter(kept.values())))
    with torch.no_grad():  # what is not learned is computed once, not in every step
        read = predictor.scale(direction_and_size(spec, kept))
        # A class of its own may do more with the statistics.
        columns = [weight_statistics(spec, read)] if type(functional) is StatNN else list(read.values())
    data, held = ((*(w[part] for w in columns), goal[part]) for part in (slice(cut), slice(cut, None)))

    def apply(batch: tuple[Tensor, ...]) -> Tensor:
        out = functional.head(*batch) if type(functional) is StatNN else functional(dict(zip(names, batch)))
        return out.squeeze(-1).sigmoid()

    def loss(model: nn.Module, *batch: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(apply(batch[:-1]).logit(eps=1e-7), batch[-1])

    def ranking(model: nn.Module, *batch: Tensor) -> float:
        return kendall_tau(apply(batch[:-1]), batch[-1])

    epoch = max(cut // config.batch, 1)
    settings = TrainingConfig(
        steps=config.epochs * epoch,
        batch_size=config.batch,
        lr=config.lr,
        weight_decay=0.0,
        schedule="constant",
        evaluate_every=epoch,
        seed=config.seed,
    )
    train(predictor, data, loss, settings, validation=held, metric=ranking, description=description, quiet=quiet)
    return predictor


def kendall_tau(a: Tensor, b: Tensor) -> float:
    """Kendall's tau-b, which allows for ties: 1 when two lists are ordered alike, 0 when by chance.

    >>> import torch
    >>> round(kendall_tau(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.1, 0.2, 0.2])), 4)
    0.8165
    """
    from scipy.stats import kendalltau

    value = float(kendalltau(a.detach().cpu().numpy(), b.detach().cpu().numpy()).statistic)
    return 0.0 if value != value else value  # no order at all, when all are tied
