"""``erlangen zoo make|predict``."""

from __future__ import annotations

import json

from erlangen.cli.commands import Zoo, ZooMake
from erlangen.errors import ArgumentError


def run_zoo(args: Zoo) -> None:
    """``erlangen zoo make|predict``."""
    import torch

    from erlangen.datasets.digits import split_digits
    from erlangen.parameters.mlp_zoo import ZooConfig, load_zoo, train_zoo
    from erlangen.parameters.predict import PredictionConfig, fit_predictor, functionals, kendall_tau
    from erlangen.reporting import check_folder
    from erlangen.serialization import save_weights

    do = args.do
    if isinstance(do, ZooMake):
        check_folder(do.path.parent, "path")
        config = ZooConfig(networks=do.networks, seed=do.seed)
        (x, y), (held_x, held_y) = split_digits(seed=do.seed)
        zoo = train_zoo(x, y, held_x, held_y, config, quiet=do.quiet)
        lowest, middle, highest = torch.quantile(zoo.accuracy, torch.tensor([0.0, 0.5, 1.0])).tolist()
        print(
            f"{len(zoo)} networks, accuracy {lowest:.2f} to {highest:.2f}, half of them above {middle:.2f}: {zoo.save(do.path, config)}"
        )
        return
    zoo = load_zoo(do.path)
    if not 0 < 2 * do.judged < len(zoo):
        raise ArgumentError("judged", f"less than half of the zoo's {len(zoo)} networks", repr(do.judged))
    seen, unseen = zoo[: len(zoo) - do.judged], zoo[len(zoo) - do.judged :]
    torch.manual_seed(do.seed)
    made, settings = functionals(zoo.spec)[do.functional](), PredictionConfig(epochs=do.epochs, validation=do.judged, seed=do.seed)
    fitted = fit_predictor(
        made, zoo.spec, seen.params, seen.accuracy, settings, description=do.functional, quiet=do.quiet or do.json
    )
    with torch.no_grad():
        tau = float(kendall_tau(fitted(unseen.params), unseen.accuracy))
    written = None if do.weights is None else str(save_weights(fitted, do.weights))
    told = {"functional": do.functional, "tau": tau, "learned_from": len(seen) - do.judged, "judged": do.judged, "weights": written}
    if do.json:
        print(json.dumps(told, indent=2))
    else:
        print(f"{do.functional}: Kendall's tau {tau:.3f} on {do.judged} unseen networks, learned from {told['learned_from']}")
