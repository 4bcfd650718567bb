"""`functional_dimension` and `batch_functional_dimension`: how many of a network's parameters its function really has.

Sources: J. E. Grigsby, K. Lindsey, D. Rolnick, "Hidden symmetries of ReLU networks", ICML 2023, arXiv:2306.06179; J. E. Grigsby,
K. Lindsey, R. Meyerhoff, C. Wu, "Functional dimension of feedforward ReLU neural networks", arXiv:2209.04036.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.parameters.hidden.any_module import of_module
from erlangen.parameters.hidden.jacobian import collect
from erlangen.parameters.hidden.known import balanced, generators, orbit_dimension
from erlangen.parameters.hidden.modular import PRIMES, blocks_mod
from erlangen.parameters.hidden.network import ReluNetwork
from erlangen.parameters.hidden.points import Sample, as_words, decisive, gaussian, on_a_line, sample_at
from erlangen.parameters.hidden.ranks import Method, collector_for, decide, exact_rank
from erlangen.parameters.hidden.reading import NotReluNetwork, relu_network
from erlangen.parameters.hidden.result import FunctionalDimension, Growth, Kind, Progress

#: Doublings of the inputs without growth of the rank after which the adaptive search stops, and doublings after which it stops anyhow.
PATIENCE, MOST_DOUBLINGS = 3, 16
#: Parameters of networks for which ``"auto"`` asks for the exact rank where singular values do not decide; its time grows with the cube.
FEW = 256


@torch.no_grad()
def functional_dimension(
    model: Any,
    points: Any = None,
    *,
    multiple: float = 100,
    scale: float | Sequence[float] = 1.0,
    method: Method = "auto",
    generator: torch.Generator | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> FunctionalDimension:
    """The functional dimension of a ReLU network: the largest rank of its Jacobian over finite sets of inputs.

    The deficit of the result counts hidden infinitesimal symmetries. With deficit 0 nothing but the scalings moves the parameters
    near where they are without changing the function; parameters far away may still have the same function.

    Args:
        model: what :func:`relu_network` reads. It is never changed.
        points: None (``multiple`` times the largest dimension, from ``N(0, scale^2)``; of one-dimensional inputs, all regions), a
            number of inputs, inputs ``[N, n_0]``, or ``"adaptive"`` (the number is doubled until three doublings found nothing).
        multiple: inputs over the largest dimension D - H.
        scale: spread of the inputs, or several, each for an equal share; the history says after which of them the rank had grown.
        method: ``"svd"``, ``"sketch"`` (quick), ``"exact"`` (modulo two primes: a bound without tolerance), or ``"auto"``: the sketch
            where there are more than four rows for each parameter, and of up to 256 parameters the exact rank where singular values
            leave doubt.
        generator, seed: of inputs and sketches; ``seed`` is used where no generator is given.
        progress: called with rows done and rows in all.

    Raises:
        ArgumentError: no ReLU network, inputs of another width, no input that is off all kinks, or another argument is out of range.

    >>> net = [(torch.tensor([[1.0], [1.0], [-1.0]]), torch.tensor([1.0, -1.0, 0.5])), (torch.tensor([[1.0, 2.0, 1.0]]), torch.zeros(1))]
    >>> found = functional_dimension(net)
    >>> found.dim, found.max_dim, found.is_lower_bound
    (7, 7, False)
    """
    network = relu_network(model).one()
    scales = _scales(scale)
    _check_method(method)
    if not (math.isfinite(multiple) and multiple > 0):
        raise ArgumentError("multiple", "a positive number", repr(multiple))
    generator = generator or torch.Generator().manual_seed(seed)
    maximum = network.num_params - network.num_hidden
    if isinstance(points, str):
        if points != "adaptive":
            raise ArgumentError("points", "None, a number, inputs, or 'adaptive'", repr(points))
        return _adaptive(network, scales, method, generator, progress)
    if points is None and network.widths[0] == 1:
        return _measure(network, [(1.0, on_a_line(network))], method, generator, progress, generic=False, exhaustive=True)
    if points is None or isinstance(points, int):
        count = math.ceil(multiple * maximum) if points is None else points
        if count < 1:
            raise ArgumentError("points", "at least one input", count)
        shares = gaussian(count, network.widths[0], scales, generator)
        samples = [(s, sample_at(network, x)) for s, x in zip(scales, shares)]
        return _measure(network, samples, method, generator, progress)
    x = _given(network, points, "points")
    return _measure(network, [(1.0, sample_at(network, x))], method, generator, progress, generic=False)


@torch.no_grad()
def batch_functional_dimension(
    model: Any,
    x: Any,
    *,
    method: Method = "auto",
    generator: torch.Generator | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> FunctionalDimension:
    """The rank of the Jacobian on given inputs: degrees of freedom that these inputs can see.

    Args:
        model: what :func:`relu_network` reads; or any module (GELU, tanh, convolutions ...), through ``torch.func`` in double precision
            and evaluation mode, for which no continuous symmetry is known and the maximum is the number of parameters.
        x: inputs ``[N, ...]``.
        method, generator, seed, progress: as for :func:`functional_dimension`; ``"exact"`` is for ReLU networks.

    Raises:
        ArgumentError: no inputs, inputs of another width, or all of them on kinks of a ReLU network.

    >>> from torch import nn
    >>> tanh = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    >>> batch_functional_dimension(tanh, torch.randn(40, 2, generator=torch.Generator().manual_seed(0))).max_dim
    13
    """
    _check_method(method)
    generator = generator or torch.Generator().manual_seed(seed)
    what: Kind = "batch functional dimension"
    try:
        network = relu_network(model).one()
    except NotReluNetwork:
        return of_module(model, x, method, generator, progress)
    sample = sample_at(network, _given(network, x, "x"))
    return _measure(network, [(1.0, sample)], method, generator, progress, generic=False, what=what)


class _Run:
    """One measurement: samples come in, rows are collected, and a result is made of it."""

    def __init__(self, network: ReluNetwork, method: Method, generator: torch.Generator, rows: int, centre: Tensor) -> None:
        self.network, self.generator, self.centre = network, generator, centre
        self.level, self.sizes = balanced(network)
        self.asked, self.squares = method, torch.zeros(network.num_params, dtype=torch.float64)
        self.collector, self.method = collector_for(method, rows, network.num_params, generator)
        self.used: list[Sample] = []
        self.history: list[Growth] = []
        self.seen = self.kinks = self.rows = self.done = 0

    def take(self, sample: Sample, used: Sample, scale: float, progress: Progress | None = None, total: int = 0) -> None:
        """Add a sample, of which some inputs are used. The rank is noted in the history."""
        self.seen += len(sample.x) + sample.dropped
        self.kinks += sample.dropped
        self.used.append(used)

        def step(rows: int) -> None:
            self.done += rows
            if progress is not None:
                progress(self.done, total)

        self.squares += collect(self.collector, self.level, used.x, used.patterns, self.centre, step)
        self.rows += len(used.x) * self.network.widths[-1]
        # Columns of one size, which changes no rank; rounding in a column is relative to what was added up for it.
        self.formed = torch.where(self.squares > 0, self.squares.sqrt(), 1.0)
        self.factor = self.collector.factor() / self.formed
        self.found = decide(self.factor)
        self.history.append(Growth(self.seen, scale, self.found.rank))

    def result(self, what: Kind, exhaustive: bool = False) -> FunctionalDimension:
        if not self.rows:
            hint = "A neuron whose incoming weights and bias are all zero is on a kink everywhere: simplify removes it"
            raise ArgumentError("x" if what.startswith("batch") else "points", "an input that is off all kinks", "none", hint)
        network, found = self.network, self.found
        dim, gap, method, most = found.rank, found.gap, self.method, network.num_params - network.num_hidden
        doubtful = not (found.clear or dim == most)
        if method == "exact" or (doubtful and self.asked == "auto" and network.num_params <= FEW):
            dim, gap, method, doubtful = max(self._modulo(p) for p in PRIMES), float("inf"), "exact", False
        if doubtful:
            warnings.warn(
                f"no clear gap of singular values decides the rank {dim}, which is a lower bound; method='exact' knows no tolerance",
                stacklevel=4,
            )
        keys = np.concatenate([s.keys for s in self.used])
        return FunctionalDimension(
            what=what,
            dim=dim,
            num_params=network.num_params,
            num_hidden=network.num_hidden,
            orbit_dim=orbit_dimension(network),
            method=method,
            gap=gap,
            num_points=self.seen,
            num_points_used=sum(len(s.x) for s in self.used),
            num_on_kinks=self.kinks,
            num_regions=len(np.unique(as_words(keys))),
            is_lower_bound=dim < most and (doubtful or not (exhaustive or what.startswith("batch"))),
            history=tuple(self.history),
            _factor=self.factor,
            _sizes=self.sizes * self.formed,
            _centre=self.centre,
            _generators=generators(network),
            _layers=tuple(n * (m + 1) for m, n in pairwise(network.widths)),
        )

    def _modulo(self, p: int) -> int:
        rows = (block for sample in self.used for block in blocks_mod(self.network, sample.x, sample.patterns, p))
        return exact_rank(rows, self.network.num_params, self.rows, p, self.generator)


def _measure(
    network: ReluNetwork,
    samples: Sequence[tuple[float, Sample]],
    method: Method,
    generator: torch.Generator,
    progress: Progress | None,
    *,
    generic: bool = True,
    exhaustive: bool = False,
    what: Kind = "functional dimension",
) -> FunctionalDimension:
    used = [decisive(sample, generic) for _, sample in samples]
    total = sum(len(sample.x) for sample in used) * network.widths[-1]
    # Where inputs are of one kind, far from zero perhaps: the least and the largest of each, halfway.
    seen = torch.cat([sample.x for sample in used])
    centre = seen.new_zeros(seen.shape[1]) if generic or not len(seen) else (seen.amin(0) + seen.amax(0)) / 2
    run = _Run(network, method, generator, total, centre)
    for (scale, sample), some in zip(samples, used):
        run.take(sample, some, scale, progress, total)
    return run.result(what, exhaustive)


def _adaptive(
    network: ReluNetwork, scales: tuple[float, ...], method: Method, generator: torch.Generator, progress: Progress | None
) -> FunctionalDimension:
    maximum = network.num_params - network.num_hidden
    centre = torch.zeros(network.widths[0], dtype=torch.float64)
    run = _Run(network, method, generator, 5 * network.num_params, centre)  # enough rows for a sketch
    count, rank, idle = 2 * maximum, 0, 0
    for doubling in range(MOST_DOUBLINGS):
        for scale, x in zip(scales, gaussian(count, network.widths[0], scales, generator)):
            sample = sample_at(network, x)
            run.take(sample, decisive(sample, True), scale)
        idle = idle + 1 if run.history[-1].rank == rank else 0
        rank = run.history[-1].rank
        if progress is not None:
            progress(doubling + 1, MOST_DOUBLINGS)
        if idle == PATIENCE or rank == maximum:
            break
        count = run.seen  # so many more double it
    return run.result("functional dimension")


def _check_method(method: str) -> None:
    if method not in get_args(Method):
        raise ArgumentError("method", "'auto', 'svd', 'sketch' or 'exact'", repr(method))


def _scales(scale: float | Sequence[float]) -> tuple[float, ...]:
    scales = tuple(float(s) for s in scale) if isinstance(scale, Sequence) else (float(scale),)
    if not scales or not all(math.isfinite(s) and s > 0 for s in scales):
        raise ArgumentError("scale", "a positive number, or several", repr(scale))
    return scales


def _given(network: ReluNetwork, x: Any, argument: Literal["points", "x"]) -> Tensor:
    x = network.inputs(x, argument)
    if x.ndim != 2 or not len(x):
        raise ArgumentError(argument, f"inputs [N, {network.widths[0]}] with N >= 1", f"shape {tuple(x.shape)}")
    return x
