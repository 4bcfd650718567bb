"""`check_process`: that noise starts at the datum, commutes with its action, and does not depend on how data are laid out."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.generate.process import Process, trial_elements
from erlangen.generate.rows import Rows
from erlangen.testing.laws import Laws
from erlangen.verdict import Verdict


def check_process(
    process: Process, x0: Tensor, predict: Callable[[Tensor, Tensor], Tensor], *, seed: int = 0, atol: float = 1e-9
) -> Verdict:
    """Check a noise process on data.

    That step 0 is the datum; that a seed decides what is drawn; that noise, prior and steps back have the data's shape and type and are
    finite; that the law of the noise is the same when both ends are moved by the action; that numbers of a datum do not depend on
    whether it stands in a dense or a ragged batch; that an empty batch is none of an error and a step that there is not is one.

    Args:
        process: what to check.
        x0: at least two data ``[B, n, ...]`` as the process keeps them (centred, or within the cell), real numbers in float64.
        predict: any function of ``x_t`` and ``t`` that gives what a network for the process would, of the right shape.
        seed, atol: of random numbers; relative tolerance.

    Raises:
        AssertionError: naming the law and by how much it fails.
        ArgumentError: fewer than two data, or fewer than two axes.

    >>> from erlangen.generate import Gaussian
    >>> from erlangen.groups import O
    >>> bool(check_process(Gaussian(O(3).vector, 20), torch.randn(4, 5, 3, dtype=torch.float64), lambda x, t: x))
    True
    """
    if x0.ndim < 2 or len(x0) < 2:
        raise ArgumentError("x0", "at least two data [B, n, ...]", f"shape {tuple(x0.shape)}")
    laws, action, size, last = Laws(process, atol), process.action, len(x0), process.steps

    def rng() -> torch.Generator:
        return torch.Generator().manual_seed(seed)

    def now(step: int, count: int = size) -> Tensor:
        return torch.full((count,), step, dtype=torch.int64)

    compared = (lambda x: x) if action is None else action.compared
    laws.equal("step 0 is the datum", compared(process.noise(x0, now(0), generator=rng())[0]), compared(x0))
    half = max(1, last // 2)
    for t, s in {(last, half - 1), (half, 0)}:
        x_t, target = process.noise(x0, now(t), generator=rng())
        laws.equal("a seed decides the noise", process.noise(x0, now(t), generator=rng()), (x_t, target))
        said = predict(x_t, now(t))
        x_s = process.reverse(x_t, said, now(t), now(s), generator=rng())
        for name, x in (("noise", x_t), ("step back", x_s), ("prior", process.prior(x0, generator=rng()))):
            laws.true(f"the {name} is like the data", x.shape == x0.shape and x.dtype == x0.dtype, f"{x.dtype} {tuple(x.shape)}")
            laws.true(f"the {name} is finite", x.isfinite().all())
        loss = process.loss(said, target, x_t, now(t))
        laws.true("the loss is finite, a number for each entry", loss.shape == x0.shape and bool(loss.isfinite().all()))
        log_law = process.log_law(x_t, x0, now(t), now(0))
        laws.true("a law is a number for each datum", log_law.shape == (size,), f"shape {tuple(log_law.shape)}")
        ragged = Rows(size, torch.arange(size).repeat_interleave(x0.shape[1]))
        flat_law = process.log_law(x_t.flatten(0, 1), x0.flatten(0, 1), now(t), now(0), rows=ragged)
        laws.equal("the law does not depend on the layout", flat_law, log_law)
        priors = process.prior_nats(x0.flatten(0, 1), rows=ragged), process.prior_nats(x0)
        laws.equal("what the prior costs does not depend on the layout", *priors)
        flat = process.loss(said.flatten(0, 1), target.flatten(0, 1), x_t.flatten(0, 1), now(t), rows=ragged)
        laws.equal("the loss does not depend on the layout", flat, loss.flatten(0, 1))
        nats = process.step_nats(x0, x_t, said, now(t), now(s), generator=rng())
        laws.true("a step of the bound is a number for each datum", nats.shape == (size,) and not bool(nats.isnan().any()))
        if action is not None:
            g = trial_elements(action)
            for i in range(action.group.batch_shape(g)[0]):
                one = action.group.take(g, i)
                moved = process.log_law(action.act(one, x_t), action.act(one, x0), now(t), now(0))
                laws.equal("the law commutes with the action", moved, log_law)
    empty = process.noise(x0[:0], now(1, 0), generator=rng())[0]
    laws.true("an empty batch stays one", empty.shape == x0[:0].shape, f"shape {tuple(empty.shape)}")
    try:
        process.noise(x0, now(last + 1), generator=rng())
    except ArgumentError:
        laws.true("a step that there is not is refused", True)
    else:
        laws.true("a step that there is not is refused", False, f"step {last + 1} of {last}")
    return laws.verdict()
