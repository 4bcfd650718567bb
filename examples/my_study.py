"""A study of your own: settings, which are the command's flags; a run, which measures; and claims, which may turn out not to hold.

Copy this file into a package of yours, and name it there as an entry point of the group ``erlangen.studies``; then
``erlangen run fewer-numbers`` runs it and writes the report.
"""

from dataclasses import dataclass

import torch
from sklearn.linear_model import RidgeCV

import erlangen as er
from erlangen.reporting import RIVAL, RIVAL_CLAIM, Claim, Claims, Figure, Outcome, Rival, bars_with_error, repeated
from erlangen.studies import Study


@dataclass(frozen=True)
class Config:
    """How much is measured."""

    features: int = 10
    """Numbers of a datum, whose order means nothing."""
    samples: int = 15
    """Data that are fitted."""
    seeds: int = 20
    """Repetitions."""


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Least squares for the sum of the features under noise, over all linear functions and over the invariant ones; beside ridge."""
    found = {"all": [], "invariant": [], "ridge": []}
    group = er.Symmetric(config.features)
    basis = er.reps.invariants(group.vector)
    for seed in range(config.seeds):
        draw = torch.Generator().manual_seed(seed)
        x = torch.randn(config.samples, config.features, generator=draw, dtype=torch.float64)
        y = x.sum(1, keepdim=True) + torch.randn(config.samples, 1, generator=draw, dtype=torch.float64)
        for name, columns in (("all", torch.eye(config.features, dtype=torch.float64)), ("invariant", basis)):
            weights = columns @ torch.linalg.lstsq(x @ columns, y).solution
            found[name].append(float((weights - 1).square().sum()))
        ridge = RidgeCV([0.01, 0.1, 1.0, 10.0, 100.0], fit_intercept=False).fit(x.numpy(), y.squeeze(1).numpy())
        found["ridge"].append(float(((ridge.coef_ - 1) ** 2).sum()))
    means = {name: sum(errors) / len(errors) for name, errors in found.items()}
    holds = means["invariant"] < 0.1 * means["all"]
    scale = f"{config.seeds} seeds"
    claim = Claim(CLAIMS["fewer"], None, means["invariant"], holds, baseline=means["all"], scale=scale, source=SOURCE, key="fewer")
    ours, other = repeated(found["invariant"]), repeated(found["ridge"])
    settings = "penalty of five by leaving one out"
    rival = Rival(
        "ridge regression", "the invariant fit", "square error of the coefficients", ours, other, "lower", settings=settings
    )
    return Outcome("fewer-numbers", TITLE, config, Claims([claim]), metrics=means, figures=[figure(means)], rivals=[rival])


def figure(means: dict[str, float]) -> Figure:
    """The errors beside each other."""
    values = {name: [value] for name, value in means.items()}
    caption = "Mean square error of the coefficients, summed."
    return bars_with_error(["coefficients"], values, title="Error", y_label="square error", caption=caption)


TITLE = "Fewer numbers to learn"
SOURCE = "a textbook: the variance of least squares grows with the number of coefficients"
CLAIMS = {"fewer": "an invariant function is learned with less than a tenth of the error", RIVAL: RIVAL_CLAIM}
STUDY = Study("fewer-numbers", None, TITLE, SOURCE, Config, run, CLAIMS)

if __name__ == "__main__":
    print(er.testing.check_study(STUDY))
