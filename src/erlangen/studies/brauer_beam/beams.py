"""Beams under Sp(4), and the maps that the networks are made of."""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import Tensor, nn

from erlangen.equivariance import equivariance_error
from erlangen.fields.beams import coupled_lattices, eigen_emittances, random_beams, symplectic_error, transport
from erlangen.fields.beams.optics import symplectic_form
from erlangen.groups import SO, MatrixGroup, O, Sp
from erlangen.maps import EquivariantMaps
from erlangen.nn import EquivariantLinear, TensorProduct
from erlangen.nn.lie_gnn import squash
from erlangen.reporting import Claim, Rival, Section, Table, claim_from, repeated, scatter
from erlangen.studies.brauer_beam.compare import F64, Config, Part, fit, medians, of_seeds, plain_network
from erlangen.studies.rivals import ridges, simplest

SOURCE = "E. Pearce-Crump 2023, arXiv:2212.08630"


def known_maps() -> Part:
    """Diagrams, dimensions and null spaces side by side."""
    rows, same = [], []
    for group, k, l in ((O(3), 2, 2), (O(2), 3, 3), (O(3), 3, 3), (Sp(4), 2, 2), (Sp(4), 3, 3), (SO(3), 2, 3), (SO(2), 2, 2)):
        source, target = group.vector**k, group.vector**l
        drawn = EquivariantMaps(source, target, basis="spanning").dim
        ours, solved = EquivariantMaps(source, target).dim, EquivariantMaps(source, target, basis="orthonormal").dim
        rows.append([f"{group}", f"{k} -> {l}", drawn, ours, solved])
        same.append(ours == solved)
    claim = Claim(
        "all maps between tensors are diagrams: those kept are as many as the generators' equations have solutions",
        "spanning sets: (N-1)!!",
        f"{sum(same)} of {len(same)} equal",
        all(same),
        scale="N = k + l up to 6",
        note="the source spans the maps; which diagrams form a basis follows from Robinson-Schensted",
        source=SOURCE,
        key="diagrams",
    )
    table = Table("Linear maps between tensor powers", ["group", "orders", "diagrams", "dimension", "null space"], rows)
    clock = time.process_time()
    basis = EquivariantMaps(O(3).vector ** 3, O(3).vector ** 3, basis="diagram").basis()
    spent, clock = time.process_time() - clock, time.process_time()
    dense = null_space(O(3), 6)
    rival = Rival(
        "the null space of a dense matrix", "drawing diagrams", "CPU seconds for all maps of tensors of order three under O(3)",
        spent, time.process_time() - clock, "lower", settings="numpy's singular values of the generators' equations",
        scale="729 unknowns", unit="s", note=f"{len(basis)} maps by diagrams, {dense} by numpy; Sp(4) at this order has 4096 unknowns",
    )  # fmt: skip
    found = {"dimensions": {f"{r[0]}, {r[1]}": r[3] for r in rows}, "dense": dense}
    return [claim], [Section("The maps", tables=[table])], found, [rival]


def null_space(group: MatrixGroup, order: int) -> int:
    """How many tensors of an order the connected component leaves alone, by brute force: the null space of the generators' equations."""
    algebra, n = group.algebra, group.vector.dim
    assert algebra is not None
    equations = []
    for generator in algebra.basis.numpy():
        terms = [np.kron(np.kron(np.eye(n**k), generator), np.eye(n ** (order - 1 - k))) for k in range(order)]
        equations.append(sum(terms))
    matrix = np.concatenate(equations)
    return int((np.linalg.svd(matrix, compute_uv=False) < 1e-9).sum())


class BeamNet(nn.Module):
    """Eigen-emittances of ``[B, 16]`` covariance matrices: linear maps of tensors, products under Omega, traces, a perceptron on those.

    A covariance matrix is symmetric, so its own trace under Omega is zero and no linear map leads from it to a number: without the
    products the network would be constant.
    """

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        tensor = Sp(4).vector ** 2
        self.first = EquivariantLinear(tensor, tensor, (1, channels), bias=False, dtype=F64)
        self.product = TensorProduct(tensor, tensor)
        rep = self.product.output_rep
        self.mixes = nn.ModuleList(EquivariantLinear(rep, tensor, (channels, channels), bias=False, dtype=F64) for _ in range(2))
        scalar = tensor.group.scalar
        self.traces = nn.ModuleList(
            EquivariantLinear(tensor, scalar, (channels, channels), bias=False, dtype=F64) for _ in range(3)
        )
        self.head = plain_network(3 * channels, 2, width=64)

    def forward(self, sigma: Tensor) -> Tensor:
        stages = [self.first(sigma.unsqueeze(-2))]
        for mix in self.mixes:
            stages.append(mix(self.product(stages[-1], stages[-1].roll(1, -2))))
        invariants = torch.cat([trace(x).squeeze(-1) for trace, x in zip(self.traces, stages)], -1)
        return self.head(squash(invariants))


class EntryNet(nn.Module):
    """The baseline: a perceptron on the ten entries, whose size is tamed as the invariants' is."""

    def __init__(self) -> None:
        super().__init__()
        self.net = plain_network(10, 2, width=128)

    def forward(self, sigma: Tensor) -> Tensor:
        i, j = torch.triu_indices(4, 4)
        return self.net(squash(sigma[..., 4 * i + j]))


def coupled_beams(config: Config, quiet: bool) -> Part:
    numbers: dict[str, dict[str, list[float]]] = {}
    shown: dict[str, tuple[Tensor, Tensor]] = {}
    worst, invariance, spent = 0.0, None, 0.0
    every: list[dict[str, Tensor]] = []
    for seed in config.every_seed:
        draw = torch.Generator().manual_seed(seed)
        own, other, third = (random_beams(config.samples, generator=draw) for _ in range(3))
        lattices = coupled_lattices(config.samples, generator=draw)
        worst = max(worst, float(symplectic_error(lattices).max()))
        every.append({"training": own, "in distribution": other, "transported": transport(lattices, third)})
    data = [(sets["training"].flatten(1), eigen_emittances(sets["training"]).log()) for sets in every]
    for name, make, move in (
        ("Sp(4)", BeamNet, None),
        ("perceptron", EntryNet, None),
        ("augmented", EntryNet, _through_lattices),
    ):
        nets, seconds = fit(make, data, config.steps, config, move, f"beams, {name}", quiet)
        spent = seconds if name == "Sp(4)" else spent
        for net, sets in zip(nets, every):
            for kind, beams in sets.items():
                truth = eigen_emittances(beams).log()
                with torch.no_grad():
                    answer = net(beams.flatten(1))
                numbers.setdefault(name, {}).setdefault(kind, []).append(float((answer - truth).square().mean().sqrt()))
            if net is nets[0]:
                shown[name] = (truth[:300, 0], answer[:300, 0])  # of the transported ones
                if name == "Sp(4)":
                    group, beams = Sp(4), sets["training"][:100].flatten(1)
                    invariance = equivariance_error(net, beams, group.vector**2, 2 * group.scalar, elements=16)
    simple = [by_invariants(sets["training"], sets["transported"], seed) for seed, sets in zip(config.every_seed, every)]
    assert invariance is not None
    ours, plain, moved = (medians(numbers[name]) for name in ("Sp(4)", "perceptron", "augmented"))
    scale = f"{config.samples} uncoupled beams to train on, as many coupled to test, {of_seeds(config)}"
    apart = {name: values["transported"] for name, values in numbers.items()}
    errors, note = apart["Sp(4)"], "rms error of log eigen-emittances"
    error, same = repeated(errors), numbers["Sp(4)"]["in distribution"]
    claims = [
        Claim(
            "coupled beams, never seen: rms error at most 0.10 in every seed",
            None, error, max(errors) <= 0.10, repeated(apart["perceptron"]), scale, note=note, key="coupled-beams",
        ),
        Claim(
            "at most 1.1 times the error on beams like those of the training, in the mean over seeds",
            None, error, sum(errors) <= 1.1 * sum(same), repeated(same), scale, note="baseline: uncoupled beams",
            key="coupled-beams",
        ),
        Claim(
            "a perceptron's error is at least 5 times as large in every seed",
            None, error, all(b >= 5 * a for a, b in zip(errors, apart["perceptron"])), repeated(apart["perceptron"]), scale,
            key="coupled-beams",
        ),
        Claim(
            "that of one trained with random lattices is at least 3 times as large in every seed",
            None, error, all(b >= 3 * a for a, b in zip(errors, apart["augmented"])), repeated(apart["augmented"]), scale,
            note="fresh lattices at each step",
            key="coupled-beams",
        ),
        claim_from(invariance, "the network does not change under symplectic maps", measured="worst", key="symplectic"),
    ]  # fmt: skip
    figure = scatter(
        {name: (a.tolist(), b.tolist()) for name, (a, b) in shown.items()},
        title="Coupled beams: predicted against true",
        x_label="log of the larger eigen-emittance",
        y_label="predicted",
        caption="300 transported beams of the first seed. On the diagonal a prediction is right.",
    )
    text = (
        "Beams without coupling, and the same kind of beams behind lattices of four random cells (quadrupoles, turned quadrupoles, "
        f"solenoids) that couple x and y; every lattice is symplectic to {worst:.1e}. What is asked is what no lattice changes."
    )
    rows = [[name, *(repeated(values[kind]) for kind in values)] for name, values in numbers.items()]
    table = Table("RMS error of log eigen-emittances", ["model", "training", "in distribution", "transported"], rows)
    clock = time.process_time()
    closed = [
        float((eigenvalues(sets["transported"]) - eigen_emittances(sets["transported"]).log()).square().mean().sqrt())
        for sets in every
    ]
    took = (time.process_time() - clock) / len(every)
    rivals = [
        Rival("the eigenvalues of Omega Sigma", "the Sp(4) network", note, error, repeated(closed), "lower", spent, took,
              "numpy", scale, note="they are the definition, and need no data"),
        Rival("ridge regression on the two invariants", "the Sp(4) network", note, error, repeated([s[0] for s in simple]), "lower",
              spent, sum(s[1] for s in simple) / len(simple), simple[0][2], scale,
              note="logarithms of tr (Omega Sigma)^2 and of det Sigma"),
    ]  # fmt: skip
    found = {
        "Sp(4)": ours,
        "perceptron": plain,
        "augmented": moved,
        "symplectic_error": worst,
        "invariants": [s[0] for s in simple],
    }
    return claims, [Section("Beams under Sp(4)", [text], [table], [figure])], found, rivals


def by_invariants(own: Tensor, other: Tensor, seed: int) -> tuple[float, float, str]:
    """The rms error of a polynomial of the two invariants of Sp(4), its CPU seconds and settings."""

    def invariants(sigma: Tensor) -> Tensor:
        turned = symplectic_form(2).to(sigma) @ sigma
        return torch.stack([-(turned @ turned).diagonal(dim1=-2, dim2=-1).sum(-1), torch.linalg.det(sigma)], -1).log()

    clock = time.process_time()
    candidates = ridges(degrees=(2, 4, 6, 8), alphas=(1e-6, 1e-3))
    found = simplest(candidates, invariants(own), eigen_emittances(own).log(), seed=seed)
    spent = time.process_time() - clock
    missed = found.predict(invariants(other)) - eigen_emittances(other).log()
    return float(missed.square().mean().sqrt()), spent, found.settings


def eigenvalues(sigma: Tensor) -> Tensor:
    """Logarithms of the eigen-emittances as anyone would compute them: moduli of the eigenvalues of ``Omega Sigma``, largest first."""
    moduli = np.abs(np.linalg.eigvals((symplectic_form(2).to(sigma) @ sigma).numpy()).imag)
    return torch.from_numpy(np.log(np.sort(moduli, -1)[:, [3, 1]]))


def _through_lattices(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return transport(coupled_lattices(len(x)), x.unflatten(-1, (4, 4))).flatten(1), y
