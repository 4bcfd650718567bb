"""A flow's law whose force is known only so far, beside a network that knows nothing of it but its turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlangen.fields.flows import ns2d
from erlangen.fields.flows.navier_stokes import forcing_of
from erlangen.reporting import Crossover
from erlangen.studies.gfno.forecasts import Entry, Flows, Score, fit, make_flows, without_network
from erlangen.training import relative_l2

if TYPE_CHECKING:
    from erlangen.studies.gfno.study import Config

#: Percent that are missing of the force which the law is integrated with.
MISSING = (0.0, 10.0, 25.0, 50.0, 100.0)
SEEDS = 3
LAW, LINEAR = "the law with this force, integrated", "the best linear forecast"


def known_force(config: Config, flows: Flows, runs: list[dict[str, Score]], name: str, quiet: bool) -> Crossover:
    """Relative rollout errors on NS-Sym: of the law, of the linear forecast and of the network with quarter turns.

    Args:
        flows, runs: of the study, whose first seed is the curve's, too.
        name: of the network.
    """
    curves: dict[str, list[list[float]]] = {name: [], LAW: [[] for _ in MISSING], LINEAR: []}
    network, linear = [], []
    for i in range(SEEDS):
        seed = config.seed + 1000 * i
        if i == 0:
            network.append(runs[0][name].rollout)
        else:
            frames = config.window + config.rollout
            flows = make_flows("NS-Sym", config.train, config.test, config.side, config.refine, frames, seed)
            net = Entry(name, "p4")
            made = fit(net, flows, config.modes, config.width_p4, config.window, config.steps, config.batch, config.lr, seed, quiet)
            network.append(made.rollout)
        linear.append(without_network(flows, config.window).linear)
        test, force = flows.test.double(), forcing_of("NS-Sym", config.side)
        for place, missing in enumerate(MISSING):
            told = ns2d(test[:, config.window - 1, 0], config.rollout, (1 - missing / 100) * force).unsqueeze(2)
            curves[LAW][place].append(float(relative_l2(told, test[:, config.window :])))
    curves[name], curves[LINEAR] = [network] * len(MISSING), [linear] * len(MISSING)
    return Crossover(
        "% of the force missing", MISSING, "relative rollout error, NS-Sym", "lower", name, curves, log_x=False,
        note=f"The law is integrated on {config.side} points a side from the last frame of the window. The network and the linear forecast "
        f"know {config.train} trajectories and nothing of the force. Every seed has flows of its own.",
    )  # fmt: skip
