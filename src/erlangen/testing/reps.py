"""`check_rep`: that a representation is a homomorphism, and that its fast paths agree with its matrices."""

from __future__ import annotations

import torch

from erlangen.reps.base import Rep
from erlangen.testing.actions import check_action
from erlangen.testing.groups import SMALL, all_steps, combine, random_elements
from erlangen.testing.laws import Laws
from erlangen.verdict import Verdict


def check_rep(rep: Rep, *, seed: int = 0, trials: int = 8, scale: float = 0.5, atol: float = 1e-9) -> Verdict:
    """Check a representation on random elements: all of :func:`check_action`, and

    that matrices multiply as elements do, that matrix-free action, dual, character and derivative agree with the matrices, and that a
    representation called orthogonal is. Of a finite group up to order 64, the matrices of all elements are multiplied by those of elements
    that generate it, which proves a homomorphism: the verdict is then "exhaustive".

    Raises:
        AssertionError: naming the law and by how much it fails.

    >>> from erlangen.groups import SO
    >>> bool(check_rep(SO(3).vector ** 2 + SO(3).scalar))
    True
    """
    check_action(rep, seed=seed, trials=trials, scale=scale, atol=atol)
    group, laws = rep.group, Laws(rep, atol)
    rng = torch.Generator().manual_seed(seed)
    g, h = (random_elements(group, trials, rng, scale) for _ in range(2))
    eye = torch.eye(rep.dim, dtype=torch.float64).expand(trials, -1, -1)
    G, H = rep.matrix(g), rep.matrix(h)
    laws.true("matrices have shape [*batch, dim, dim]", tuple(G.shape) == (trials, rep.dim, rep.dim), str(tuple(G.shape)))
    laws.equal("rho(g h) = rho(g) rho(h)", rep.matrix(group.multiply(g, h)).double(), (G @ H).double())
    laws.equal("rho(1) = 1", rep.matrix(group.identity_like(g)).double(), eye)
    if exhaustive := group.order <= SMALL:
        s, every = all_steps(group)
        laws.equal(
            "rho(s g) = rho(s) rho(g), for all g",
            rep.matrix(group.multiply(s, every)).double(),
            (rep.matrix(s) @ rep.matrix(every)).double(),
        )
    x = torch.randn(trials, 3, rep.dim, generator=rng, dtype=torch.float64)
    laws.equal("matrix-free action = matrix", rep.act(g, x), torch.einsum("bij,bsj->bsi", G.double(), x))
    y = torch.randn(trials, rep.dim, generator=rng, dtype=torch.float64)
    pairing = (rep.dual.act(g, y) * rep.act(g, x[:, 0])).sum(-1)
    laws.equal("<dual(g) y, rho(g) x> = <y, x>", pairing, (y * x[:, 0]).sum(-1))
    laws.equal("character = trace", rep.character(g).double(), torch.einsum("bii->b", G.double()))
    if rep.is_orthogonal:
        laws.equal("orthogonal", (G @ G.mT).double(), eye)
    if group.dim:
        tangents = group.tangents(torch.float64)
        step = 1e-4
        ahead, behind = (
            rep.matrix(group.exp(combine(group, e * torch.eye(group.dim, dtype=torch.float64), tangents))) for e in (step, -step)
        )
        numeric = (ahead - behind) / (2 * step)
        loose = Laws(rep, 1e-6)
        loose.equal("derivative = that of rho(exp ta)", rep.algebra(tangents), numeric, scale=float(ahead.abs().max()))
        laws.tried += loose.tried
    laws.true("equal representations hash alike", rep == rep and hash(rep) == hash(rep))
    return laws.verdict("exhaustive" if exhaustive else "statistical")
