"""Rest shapes of soft bodies of 14 400 tetrahedra: assembly, the direct method against its plain form, and against plastic stretches.

The plain form is written here as a prototype would be: element Jacobians by automatic differentiation, SuperLU at its defaults anew in
each step, the same steps of Newton's method. Plastic stretches are ours, with step control, stopped after a few rest shapes: more would
make their time worse, and their error is printed beside it.
"""

from __future__ import annotations

import time

import scipy.sparse as sp
import torch
from _timing import compare, show
from scipy.sparse.linalg import splu
from torch import Tensor

from erlangen.fields import solids
from erlangen.fields.solids.system import System


def plain(system: System, x: Tensor) -> Tensor:
    """Newton's method for the rest positions, every derivative by automatic differentiation and every matrix factored for itself."""
    dead, free = system.dead(x), ~system.fixed
    number = torch.full((len(x),), -1)
    number[free] = torch.arange(int(free.sum()))
    dofs = (number[system.tets].unsqueeze(2) * 3 + torch.arange(3)).masked_fill(number[system.tets].unsqueeze(2) < 0, -1).flatten(1)
    rows, cols = dofs.unsqueeze(2).expand(-1, 12, 12), dofs.unsqueeze(1).expand(-1, 12, 12)
    keep = (rows >= 0) & (cols >= 0)

    def force(X: Tensor, x: Tensor) -> Tensor:
        D = (X[1:] - X[0]).mT
        G = torch.linalg.inv(D)
        G = torch.cat([-G.sum(0, keepdim=True), G])
        P = system.material.stress((x.mT @ G).unsqueeze(0))[0]
        return torch.linalg.det(D) / 6 * G @ P.mT

    jacobian = torch.func.vmap(torch.func.jacrev(force))
    X = x.clone()
    for _ in range(12):
        r = system.residual(system.elements(X, x), dead)[free].flatten()
        if float(r.abs().max()) <= max(1e-9 * float(dead.abs().max()), system.floor(x)):
            break
        blocks = jacobian(X[system.tets], x[system.tets]).reshape(-1, 12, 12)
        A = sp.coo_matrix((blocks[keep].numpy(), (rows[keep].numpy(), cols[keep].numpy()))).tocsc()
        X[free] -= torch.from_numpy(splu(A).solve(r.numpy())).view(-1, 3)
    return X


def main() -> None:
    beam = solids.beam(0.1, 0.02, (20, 4))
    start = time.perf_counter()
    solids.rest_shape(beam, solids.NeoHookean(E=2e5), fixed=beam.vertices[:, 0] == 0)
    print(f"cantilever, 1920 tetrahedra, rest shape and stability: {time.perf_counter() - start:.2f} s (target 1.0 s)")

    plate = solids.box((0.12, 0.05, 0.012), (48, 25, 2))
    root, material = plate.vertices[:, 0] == 0, solids.NeoHookean(E=4e6)
    loads = solids.Loads(masses=solids.lumped_masses(plate.vertices, plate.tets, 1000.0))
    system = System(plate, material, loads, root)
    stretched = plate.vertices * 1.01
    spent = []
    for _ in range(8):
        start = time.process_time()
        system.rest_jacobian(system.elements(plate.vertices, stretched))
        spent.append(time.process_time() - start)
    print(
        f"derivatives by rest positions, {len(plate)} tetrahedra: {1e3 * sorted(spent)[4]:.0f} ms of processor time (target 150 ms)"
    )

    direct = [
        lambda: solids.rest_shape(plate, material, loads, root, stability=False),
        lambda: plain(System(plate, material, loads, root), plate.vertices),
    ]
    ours, peer = compare(*direct, 2, 0)
    show(f"rest shape, {plate.n_vertices} vertices, {len(plate)} tetrahedra (target 12 s)", ours, peer, "plain form", "0.4")

    start = time.perf_counter()
    plastic = solids.rest_shape(plate, material, loads, root, method="plastic", max_steps=8, stability=False)
    slow = time.perf_counter() - start
    found = solids.rest_shape(plate, material, loads, root, stability=False)
    error, ours_error = plastic.matching[0], found.matching[0]
    naive = solids.rest_shape(plate, material, loads, root, method="naive", stability=False).matching[0]
    print(f"mean distance to the wanted shape: naive {naive:.2g} m, direct {ours_error:.2g} m")
    print(f"plastic: {error:.2g} m after {plastic.steps} rest shapes")
    print(f"plastic/direct error {error / ours_error:.2g} (target above 1000); time direct/plastic {ours / slow:.4f} (target 0.2)")


if __name__ == "__main__":
    main()
