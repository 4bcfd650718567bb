"""Part one: how the functional dimension is distributed over random parameters, by depth, by width and by the number of inputs."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any, NamedTuple

import torch

from erlangen.parameters.hidden import (
    InitialDimensions,
    ReluNetwork,
    functional_dimension,
    functional_dimension_at_init,
    init_table,
    initial_networks,
)
from erlangen.reporting import Claim, Figure, Line, Rival, Section, histogram, lines_with_band, repeated
from erlangen.studies.base import Part
from erlangen.studies.hidden_symmetries.study import Config

SOURCE = "Grigsby, Lindsey & Rolnick 2023, arXiv:2306.06179 (figures, no table)"
DEPTHS = (4, 5, 6)
INPUTS = (1, 2, 3, 5, 8)
#: Mean over the largest dimension and share of full ones from an independent computation at the same law of parameters and inputs.
INDEPENDENT = {
    "5-5-5-5-1": (0.941, 0.20),
    "5-5-5-5-5-1": (0.880, 0.04),
    "5-5-5-5-5-5-1": (0.818, 0.003),
    "10-10-10-10-1": (0.981, 0.25),
    "10-10-10-10-10-1": (0.952, 0.05),
    "10-10-10-10-10-10-1": (0.920, 0.0),
    "15-15-15-15-1": (0.993, 0.25),
    "15-15-15-15-15-1": (0.978, 0.0),
    "15-15-15-15-15-15-1": (0.964, 0.0),
    "1-8-8-8-1": (0.33, 0.0),
    "2-8-8-8-1": (0.84, 0.01),
    "3-8-8-8-1": (0.93, 0.03),
    "5-8-8-8-1": (0.97, 0.25),
    "8-8-8-8-1": (0.98, 0.33),
}
ABOUT = (
    "The functional dimension of a network at its parameters is the rank of the Jacobian of its outputs, at all inputs, in the parameters. "
    "It is at most D - H, parameters less hidden neurons, for each neuron can be scaled. What is missing are hidden infinitesimal "
    "symmetries.",
    "Weights are normal with variance 2 / fan-in, biases normal with deviation 0.1, inputs standard normal (of one-dimensional inputs, all "
    "regions are enumerated). Few inputs underestimate the dimension; the table states how many there are for each possible dimension.",
)


class Group(NamedTuple):
    """Architectures that are compared with each other."""

    name: str
    widths: list[tuple[int, ...]]
    inits: int
    multiple: float


def groups(config: Config) -> list[Group]:
    """What is run, at the scale that is asked for."""
    found = []
    for width, inits, multiple in ((5, 200, 100), (10, 40, 20), *(((15, 40, 20),) if config.full else ())):
        widths = [(width,) * depth + (1,) for depth in DEPTHS]
        found.append(Group(f"width {width}", widths, inits, multiple))
    found.append(Group("inputs", [(n, 8, 8, 8, 1) for n in INPUTS], 60, 50))
    if config.full:
        found = [group._replace(inits=500, multiple=100) for group in found]
    return [group._replace(inits=config.inits) for group in found] if config.inits else found


def run(config: Config, quiet: bool) -> Part:
    """Draw, measure, compare."""
    found = {
        group.name: [
            functional_dimension_at_init(w, group.inits, multiple=group.multiple, seed=config.seed, quiet=quiet)
            for w in group.widths
        ]
        for group in groups(config)
    }
    everything = [one for ones in found.values() for one in ones]
    claims = [_agreement(everything), *_depth(found), _width(found), _inputs(found["inputs"]), _skew(found)]
    section = Section("Functional dimension at initialisation", ABOUT, [init_table(everything)], _figures(found))
    numbers = {
        _name(one): {"mean": one.mean_ratio, "full": one.full, "interval": list(one.full_interval()), "dims": one.dims.tolist()}
        for one in everything
    }
    answer = "Share without hidden symmetries: " + ", ".join(f"{_name(one)} {one.full:.2f}" for one in everything) + "."
    return Part(claims, [section], numbers, answer, rivals=[_dense(config.seed)])


def dense_dimension(net: ReluNetwork, x: torch.Tensor) -> int:
    """The plain formulation: the Jacobian of all outputs by automatic differentiation, and its numerical rank."""
    module = net.module()
    params = {name: p.detach() for name, p in module.named_parameters()}

    def output(weights: dict[str, torch.Tensor], one: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(module, weights, (one,))

    parts = torch.func.vmap(torch.func.jacrev(output), (None, 0))(params, x)
    return int(torch.linalg.matrix_rank(torch.cat([p.flatten(1) for p in parts.values()], 1)))


def _dense(seed: int, widths: tuple[int, ...] = (10,) * 5 + (1,), multiple: int = 20, networks: int = 3) -> Rival:
    """CPU seconds of both on a few networks and as many inputs."""
    generator = torch.Generator().manual_seed(seed)
    nets = initial_networks(widths, networks + 1, generator)  # the first is for what either prepares once
    count = multiple * (nets.member(0).num_params - nets.member(0).num_hidden)
    ours, theirs, dims = [], [], []
    for i in range(networks + 1):
        net, x = nets.member(i), torch.randn(count, widths[0], generator=generator, dtype=torch.float64)
        started = time.process_time()
        dim = functional_dimension(net, x).dim
        middle = time.process_time()
        dense = dense_dimension(net, x)
        if i:
            dims.append(f"{dim} and {dense}")
            ours.append(middle - started)
            theirs.append(time.process_time() - middle)
    return Rival("the rank of a dense Jacobian", "our functional dimension", "CPU seconds for one network", repeated(ours),
                 repeated(theirs), "lower", settings="torch.func.jacrev and torch.linalg.matrix_rank",
                 scale=f"{networks} networks {'-'.join(map(str, widths))}, {count} inputs, float64", unit="s",
                 note=f"dimensions by both: {', '.join(dims)}")  # fmt: skip


def _name(one: InitialDimensions) -> str:
    return "-".join(map(str, one.widths))


def _scale(ones: list[InitialDimensions]) -> str:
    inits = sorted({len(one.dims) for one in ones})
    return f"{' to '.join(map(str, dict.fromkeys((inits[0], inits[-1]))))} initialisations of each"


def _intervals(ones: list[InitialDimensions]) -> str:
    """Where neighbouring intervals overlap the order may be chance."""
    ends = [one.full_interval() for one in ones]
    return "95% intervals, in this order: " + ", ".join(f"{low:.3f} to {high:.3f}" for low, high in ends)


def _agreement(everything: list[InitialDimensions]) -> Claim:
    far = {_name(one): abs(one.mean_ratio - INDEPENDENT[_name(one)][0]) for one in everything}
    worst = max(far, key=far.__getitem__)
    close = all(far[_name(one)] <= 0.02 + 2 * one.mean_error for one in everything)
    return Claim(
        "the mean over the largest dimension is that of an independent computation, to 0.02 and two standard errors",
        f"{INDEPENDENT[worst][0]} ({worst})",
        next(one.mean_ratio for one in everything if _name(one) == worst),
        close,
        scale=_scale(everything),
        note="the architecture that is farthest off",
        source="our own computation by another program",
        key="independent",
    )


def _depth(found: dict[str, list[InitialDimensions]]) -> list[Claim]:
    claims = []
    for name in (name for name in found if name.startswith("width")):
        shares = [one.full for one in found[name]]
        claims.append(
            Claim(
                f"at {name} the share of full dimension falls with depth",
                "towards 0",
                " > ".join(f"{share:.3f}" for share in shares),
                shares[0] > shares[-1] and all(a >= b for a, b in pairwise(shares)),
                scale=f"{_scale(found[name])}, {', '.join(map(str, DEPTHS))} layers",
                note=_intervals(found[name]),
                source=SOURCE,
                key="full-dimension",
            )
        )
    return claims


def _width(found: dict[str, list[InitialDimensions]]) -> Claim:
    names = [name for name in found if name.startswith("width")]
    shares = [[one.full for one in found[name]] for name in names]
    means = [[one.mean_ratio for one in found[name]] for name in names]
    return Claim(
        "at each depth the share of full dimension rises with width",
        "towards 1",
        "; ".join(f"{d} layers: " + ", ".join(f"{row[i]:.3f}" for row in shares) for i, d in enumerate(DEPTHS)),
        all(a < b for low, high in pairwise(shares) for a, b in zip(low, high)),
        scale=f"{_scale([one for name in names for one in found[name]])}, {', '.join(names)}",
        note=f"{_intervals([found[name][i] for i in range(len(DEPTHS)) for name in names])}; means over the largest dimension: "
        + "; ".join(f"{d} layers: " + ", ".join(f"{row[i]:.3f}" for row in means) for i, d in enumerate(DEPTHS)),
        source=SOURCE,
        key="full-dimension",
    )


def _inputs(ones: list[InitialDimensions]) -> Claim:
    shares = [one.full for one in ones]
    return Claim(
        "the share of full dimension rises with the number of inputs",
        "rises",
        " < ".join(f"{share:.3f}" for share in shares),
        shares[0] < shares[-1] and all(a <= b for a, b in pairwise(shares)),
        scale=f"{_scale(ones)}, n_0 = {', '.join(map(str, INPUTS))}, width 8",
        note=f"{_intervals(ones)}; means over the largest dimension: " + ", ".join(f"{one.mean_ratio:.3f}" for one in ones),
        source=SOURCE,
        key="full-dimension",
    )


def _skew(found: dict[str, list[InitialDimensions]]) -> Claim:
    ones = [one for name, group in found.items() if name.startswith("width") for one in group]
    skews = [_skewness(one.dims.double()) for one in ones]
    return Claim(
        "the distribution is skewed to the left",
        "strongly",
        max(skews),
        max(skews) < 0,
        scale=_scale(ones),
        note="the largest skewness of all architectures: " + ", ".join(f"{_name(o)} {s:.2f}" for o, s in zip(ones, skews)),
        source=SOURCE,
        key="skewed",
    )


def _skewness(values: torch.Tensor) -> float:
    off = values - values.mean()
    return float(off.pow(3).mean() / off.square().mean().clamp_min(1e-300) ** 1.5)


def _figures(found: dict[str, list[InitialDimensions]]) -> list[Figure]:
    figures = []
    ratios: dict[str, Any] = {_name(one): one.dims.double() / one.max_dim for ones in found.values() for one in ones}
    for name in (name for name in found if name.startswith("width")):
        figures.append(
            histogram(
                {f"{len(one.widths) - 1} layers": ratios[_name(one)] for one in found[name]},
                title=f"Functional dimension at {name}",
                x_label="functional dimension over the largest",
                bins=25,
                caption="Normalised histograms over initialisations; 1 is full dimension.",
            )
        )
    figures.append(
        lines_with_band(
            {name: _line(DEPTHS, found[name]) for name in found if name.startswith("width")},
            title="By depth and width",
            x_label="layers",
            y_label="functional dimension over the largest",
            caption="Means; bands are two standard errors to either side.",
        )
    )
    figures.append(
        lines_with_band(
            {"width 8, 4 layers": _line(INPUTS, found["inputs"])},
            title="By the number of inputs",
            x_label="inputs",
            y_label="functional dimension over the largest",
            caption="Means; the band is two standard errors to either side.",
        )
    )
    return figures


def _line(x: tuple[int, ...], ones: list[InitialDimensions]) -> Line:
    means = [one.mean_ratio for one in ones]
    return Line(
        x,
        means,
        [m - 2 * one.mean_error for m, one in zip(means, ones)],
        [min(1.0, m + 2 * one.mean_error) for m, one in zip(means, ones)],
    )
