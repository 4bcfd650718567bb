"""`Posterior`: logits by Bayes' rule, of which a network says only what the other positions tell."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from erlangen.fields.crystals.wyckoffdiff.beforehand import Beforehand
from erlangen.fields.crystals.wyckoffdiff.network import WyckoffGNN, mlp
from erlangen.fields.crystals.wyckoffdiff.relabelings import OverDescriptions
from erlangen.generate import Categorical


class Posterior(nn.Module):
    """The logits of an entry at step 0: of its position beforehand, of its own ``x_t``, and of the network.

    A network that says 0 leaves the exact posterior of independent positions. Where ``x_t`` decides the start (what the absorbing class
    has not taken is the datum) nothing has to be learnt.

    Args:
        network: what all positions tell.
        processes: of the two parts.
        beforehand: the frequencies on positions.
        evidence: whether the logits of what an entry's own ``x_t`` tells are added; else the network must learn that, too.
        condition: whether a number of each crystal, ``value``, is given to the network.
    """

    def __init__(
        self,
        network: WyckoffGNN | OverDescriptions,
        processes: dict[str, Categorical],
        beforehand: Beforehand,
        *,
        evidence: bool = True,
        condition: int | None = None,
    ) -> None:
        super().__init__()
        self.network, self.processes, self.beforehand, self.evidence = network, processes, beforehand, evidence
        self.condition = None if condition is None else mlp(1, condition, condition)

    def forward(
        self,
        *,
        t: Int[Tensor, " B"],
        group: Int[Tensor, " B"],
        allowed: Tensor | None = None,
        value: Float[Tensor, " B"] | None = None,
        given: Tensor | None = None,
        **parts: Tensor,
    ) -> dict[str, Tensor]:
        """Logits of both parts.

        Args:
            t: steps.
            group: space groups.
            allowed: which elements each crystal may have, bool ``[B, E + 1]``; all others get minus infinity.
            value: of the condition, where it is ``given``.
            parts: see :class:`WyckoffGNN`.
        """
        context = {}
        if self.condition is not None and value is not None and given is not None:
            value = value.to(next(self.condition.parameters()).dtype)
            context["shift"] = self.condition(value.unsqueeze(-1)) * given.unsqueeze(-1)
        said = self.network(t=t, group=group, **parts, **context)
        for name, process in self.processes.items():
            of, at = parts[f"{name}_of"], parts[f"{name}_at"]
            said[name] = said[name] + self.beforehand(name, group[of], at)
            if self.evidence:
                said[name] = said[name] + process.evidence(parts[name], t[of], dtype=said[name].dtype)
        if allowed is not None:
            said["points"] = said["points"].masked_fill(~allowed[parts["points_of"]], -torch.inf)
            there = said["counts"][..., 1:].masked_fill(~allowed[parts["counts_of"]][:, 1:, None], -torch.inf)
            said["counts"] = torch.cat([said["counts"][..., :1], there], -1)
        return said
