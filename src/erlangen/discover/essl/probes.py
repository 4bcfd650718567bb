"""What frozen features are good for: a linear probe for classes, a ridge probe for numbers, nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.measure.scores import r_squared
from erlangen.training.modes import evaluating

#: Samples with labels: inputs (or features) and labels.
Labelled = tuple[Tensor, Tensor]


@torch.no_grad()
def features_of(encoder: nn.Module | None, x: Tensor, batch_size: int = 512) -> Float[Tensor, "n d"]:
    """The features of samples ``[n, ...]`` by an encoder in evaluation mode; without an encoder ``x`` are features already.

    >>> features_of(nn.Flatten(), torch.rand(8, 1, 4, 4)).shape
    torch.Size([8, 16])
    """
    if encoder is not None:
        device = next((p.device for p in encoder.parameters()), x.device)
        with evaluating(encoder):
            x = torch.cat([encoder(part.to(device, copy=True)) for part in x.split(batch_size)]).cpu()
    if x.ndim != 2:
        raise ArgumentError("encoder", "features [n, d]", tuple(x.shape), "end the encoder with nn.Flatten()")
    return x


@dataclass(frozen=True)
class Probe:
    """A linear map on standardised features, and how well it does.

    Attributes:
        score: accuracy on the test samples (of a ridge probe, the share of the variance explained).
        train_score: the same on the samples it was fitted to.
        predictions: classes ``[n]`` or numbers ``[n, outputs]`` for the test samples.
        weights, offset: ``[outputs, d]`` and ``[outputs]``, for features as they are.
    """

    score: float
    train_score: float
    predictions: Tensor
    weights: Float[Tensor, "outputs d"]
    offset: Float[Tensor, " outputs"]


def linear_probe(
    encoder: nn.Module | None,
    train: Labelled,
    test: Labelled,
    *,
    classes: int | None = None,
    penalty: float = 1.0,
    steps: int = 100,
) -> Probe:
    """Logistic regression on frozen, standardised features: the usual measure of what they tell about classes.

    It minimises the summed cross-entropy plus ``penalty / 2`` times the squared weights (offsets are free), a convex problem, in float64
    by L-BFGS: the answer does not depend on a seed.

    Args:
        encoder: makes features of the samples; ``None`` when they are features.
        train, test: samples and integer labels.
        classes: how many there are; by default one more than the largest training label.
        steps: of L-BFGS, at most.

    Raises:
        ArgumentError: labels are not integers from 0 to ``classes - 1``, or do not fit the samples, or a negative penalty.

    >>> x = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    >>> linear_probe(None, (x, (x[:, 0] > 0).long()), (x, (x[:, 0] > 0).long())).score > 0.95
    True
    """
    if not penalty >= 0:
        raise ArgumentError("penalty", "zero or a positive number", repr(penalty))
    classes = _classes(train[1], classes)
    for name, (x, y) in (("train", train), ("test", test)):
        _check_labels(name, x, y, classes)
    a, b = (features_of(encoder, x).double() for x, _ in (train, test))
    label, truth = train[1].long().cpu(), test[1].long().cpu()
    mean, scale = _standard(a)
    z = (a - mean) / scale
    w = torch.zeros(classes, z.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [w], max_iter=steps, history_size=10, tolerance_grad=1e-5, tolerance_change=1e-10, line_search_fn="strong_wolfe"
    )

    def closure() -> float:
        optimizer.zero_grad()
        cross = torch.nn.functional.cross_entropy(z @ w[:, :-1].mT + w[:, -1], label, reduction="sum")
        value = (cross + penalty / 2 * w[:, :-1].square().sum()) / len(z)
        value.backward()
        return value  # type: ignore[return-value]

    optimizer.step(closure)
    w = w.detach()
    weights = w[:, :-1] / scale
    offset = w[:, -1] - weights @ mean
    predictions = (b @ weights.mT + offset).argmax(1)
    seen = (a @ weights.mT + offset).argmax(1)
    return Probe(_share(predictions == truth), _share(seen == label), predictions, weights, offset)


def ridge_probe(
    encoder: nn.Module | None,
    train: Labelled,
    test: Labelled,
    *,
    penalties: tuple[float, ...] = tuple(10.0**k for k in range(-4, 5)),
) -> Probe:
    """Ridge regression on frozen, standardised features, in closed form, with the penalty by exact leave-one-out error.

    Args:
        encoder: makes features of the samples; ``None`` when they are features.
        train, test: samples and targets ``[n]`` or ``[n, outputs]``.
        penalties: tried, in units of the mean eigenvalue of the features' correlation matrix.

    Raises:
        ArgumentError: targets do not fit the samples.

    >>> x = torch.randn(100, 3)
    >>> round(ridge_probe(None, (x, x.sum(1)), (x, x.sum(1))).score, 3)
    1.0
    """
    for name, (x, y) in (("train", train), ("test", test)):
        if len(x) != len(y) or not len(x):
            raise ArgumentError(name, "as many targets as samples, at least one", f"{len(y)} for {len(x)}")
    a, b = (features_of(encoder, x).double() for x, _ in (train, test))
    y, truth = (t.double().cpu().reshape(len(t), -1) for t in (train[1], test[1]))
    mean, scale = _standard(a)
    u, s, v = torch.linalg.svd((a - mean) / scale, full_matrices=False)
    centre = y.mean(0)
    rotated, unit = u.mT @ (y - centre), float(s.square().mean())
    best = None
    for penalty in penalties:
        shrink = s.square() / (s.square() + penalty * unit)
        # The hat matrix's diagonal, the mean included, gives the errors of all fits without one sample.
        hat = (u.square() * shrink).sum(1) + 1 / len(a)
        residual = (y - centre - u @ (shrink.unsqueeze(1) * rotated)) / (1 - hat).clamp_min(1e-9).unsqueeze(1)
        error = float(residual.square().mean())
        if best is None or error < best[0]:
            best = (error, penalty)
    assert best is not None
    weights = (v.mT @ ((s / (s.square() + best[1] * unit)).unsqueeze(1) * rotated)).mT / scale
    offset = centre - weights @ mean
    predictions = b @ weights.mT + offset
    return Probe(r_squared(predictions, truth), r_squared(a @ weights.mT + offset, y), predictions, weights, offset)


@dataclass(frozen=True)
class Neighbours:
    """What the nearest neighbours say.

    Attributes:
        score: accuracy on the test samples.
        predictions: classes ``[n]``.
    """

    score: float
    predictions: Int[Tensor, " n"]


def knn_probe(
    encoder: nn.Module | None,
    train: Labelled,
    test: Labelled,
    *,
    k: int = 200,
    temperature: float = 0.1,
    classes: int | None = None,
    batch_size: int = 512,
) -> Neighbours:
    """The classes of the ``k`` training samples of largest cosine, each with a vote of ``exp(cosine / temperature)``.

    Ties: of equally near samples the earlier ones are taken, of equal votes the smaller class wins.

    Raises:
        ArgumentError: more neighbours than training samples, a temperature that is not positive, or labels as in :func:`linear_probe`.

    Source: Wu, Xiong, Yu & Lin 2018, arXiv:1805.01978.

    >>> x = torch.eye(3)
    >>> knn_probe(None, (x, torch.arange(3)), (x, torch.arange(3)), k=1).score
    1.0
    """
    classes = _classes(train[1], classes)
    for name, (x, y) in (("train", train), ("test", test)):
        _check_labels(name, x, y, classes)
    if not 1 <= k <= len(train[0]):
        raise ArgumentError("k", f"a number from 1 to {len(train[0])}, the training samples", repr(k))
    if not temperature > 0:
        raise ArgumentError("temperature", "a positive number", repr(temperature))
    a, b = (nn.functional.normalize(features_of(encoder, x), dim=1) for x, _ in (train, test))
    label = train[1].long().cpu()
    parts = []
    for rows in b.split(batch_size):
        cosine, index = _nearest(rows @ a.mT, k)
        # Subtracting the largest cosine keeps the exponential finite at any temperature.
        votes = ((cosine - cosine[:, :1]) / temperature).exp()
        counts = torch.zeros(len(rows), classes, dtype=votes.dtype).scatter_add_(1, label[index], votes)
        highest = counts == counts.amax(1, keepdim=True)
        parts.append(highest.to(torch.uint8).argmax(1))
    predictions = torch.cat(parts)
    return Neighbours(_share(predictions == test[1].long().cpu()), predictions)


def _nearest(similarity: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The ``k`` largest of each row and where; only rows with a tie at the border need a full, stable sort."""
    more = min(k + 1, similarity.shape[1])
    value, index = similarity.topk(more, dim=1)
    if more > k:
        tied = (value[:, k - 1] == value[:, k]).nonzero().flatten()
        if len(tied):
            order = similarity[tied].sort(dim=1, descending=True, stable=True)
            value[tied], index[tied] = order.values[:, :more], order.indices[:, :more]
    return value[:, :k], index[:, :k]


def _standard(a: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each feature; one that never changes is left as it is."""
    scale = a.std(0, correction=0)
    return a.mean(0), torch.where(scale > 1e-12 * scale.max().clamp_min(1e-300), scale, 1.0)


def _classes(labels: Tensor, classes: int | None) -> int:
    if labels.is_floating_point() or labels.is_complex() or labels.ndim != 1 or not len(labels):
        raise ArgumentError("train", "integer labels [n]", f"{labels.dtype} {tuple(labels.shape)}")
    return int(labels.max()) + 1 if classes is None else classes


def _check_labels(name: str, x: Tensor, y: Tensor, classes: int) -> None:
    if y.is_floating_point() or y.shape != (len(x),):
        raise ArgumentError(name, f"integer labels [{len(x)}], one for each sample", f"{y.dtype} {tuple(y.shape)}")
    if len(y) and not (int(y.min()) >= 0 and int(y.max()) < classes):
        raise ArgumentError(name, f"labels from 0 to {classes - 1}", f"labels from {int(y.min())} to {int(y.max())}")


def _share(right: Tensor) -> float:
    return float(right.double().mean())
