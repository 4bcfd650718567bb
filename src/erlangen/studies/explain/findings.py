"""What one setting has shown: claims, tables, figures."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from erlangen.measure.explain import relaxation
from erlangen.reporting import Claim, Figure, Line, Section, Table, heatmap, lines_with_band, repeated, scatter
from erlangen.studies.explain.networks import AUGMENTED, INVARIANT, PLAIN
from erlangen.studies.explain.scoring import CAV_MOVING, IG, NOISY, PERMUTED, RAMP, STILL, Scored, rises
from erlangen.studies.explain.setting import Setting
from erlangen.studies.explain.study import SOURCE, Config
from erlangen.verdict import Verdict

GUARANTEED = 0.9999
ABOUT = (
    "Three small networks: All-CNN (circular convolutions, the largest value over all places: invariant), Standard-CNN (zero padding, "
    "max-pooling, no maximum over all places), and Standard-CNN trained on randomly shifted data. Attributions should move along with the "
    "data (equivariance), examples and "
    "concepts should stay (invariance). A score is the mean over shifts and data of the cosine between the explanation of the shifted "
    "datum and the (shifted) explanation of the datum; for concepts the share of equal answers. 1 is exact.",
    "The guarantee is what theory says before anything is scored, from the explainer's baseline, masks and layer and the network's own "
    "invariance. Robust explanations need not be faithful ones.",
)


@dataclass
class Run:
    """What one seed has shown.

    Attributes:
        rows: every explainer on every network.
        right: the accuracy of each network.
        curve: a concept's presence, averaged over more and more elements; of outlines only.
        averaged: attributions of the plain network as they are, and averaged over the group; of outlines only.
    """

    rows: list[Scored]
    right: dict[str, float]
    curve: list[Verdict] = field(default_factory=list)
    averaged: tuple[Verdict, Verdict] | None = None

    @cached_property
    def by(self) -> dict[tuple[str, str], Scored]:
        return {(row.network, row.explainer): row for row in self.rows}

    def mean(self, net: str, explainer: str) -> float:
        return self.by[net, explainer].mean


class Findings:
    """What one setting has shown, over all seeds."""

    def __init__(
        self,
        setting: Setting,
        config: Config,
        runs: list[Run],
        curve_counts: tuple[int, ...],
        sensitivity: dict[str, float | None],
    ) -> None:
        self.setting, self.config, self.runs = setting, config, runs
        self.curve_counts, self.sensitivity = curve_counts, sensitivity
        self.nets = list(runs[0].right)
        self.names = [row.explainer for row in runs[0].rows if row.network == INVARIANT]
        self.relaxed = relaxation({f"{net} {i}": run.by[net, IG].verdict for net in self.nets for i, run in enumerate(runs)})
        self.scale = (
            f"{setting.name}: {config.explain} test data for each of {len(runs)} seeds, {setting.count} shifts (costly explainers: "
            f"{config.draws} drawn ones, and half of the data)"
        )

    def each(self, net: str, explainer: str) -> list[float]:
        """The mean score of each seed."""
        return [run.mean(net, explainer) for run in self.runs]

    def mean(self, net: str, explainer: str) -> float:
        """Over all seeds."""
        return statistics.fmean(self.each(net, explainer))

    def claims(self) -> list[Claim]:
        sure = [row for run in self.runs for row in run.rows if row.guarantee == "guaranteed"]
        wrong = [row for row in sure if row.mean < GUARANTEED]
        least = min((row for row in sure if row.network == INVARIANT), key=lambda row: row.mean)
        promised = {row.explainer for row in sure if row.network == INVARIANT}
        most = max((name for name in self.names if name not in promised), key=lambda name: self.mean(INVARIANT, name))
        highest = self.each(INVARIANT, most)
        plain, augmented = self.each(PLAIN, IG), self.each(AUGMENTED, IG)
        gains = [b - a for a, b in zip(plain, augmented)]
        claims = [
            self._claim(
                "guaranteed",
                "what is guaranteed beforehand scores at least 0.9999, for every explainer, network and seed",
                "exact",
                f"{len(wrong)} of {len(sure)} fail",
                not wrong,
            ),
            self._claim(
                "guaranteed",
                "on the invariant network every explainer with a guarantee scores 1 (at least 0.9999)",
                "1",
                least.mean,
                least.mean >= GUARANTEED,
                note=f"the least of {len(promised)} over all seeds: {least.explainer}; baseline: integrated gradients on Standard-CNN",
                baseline=repeated(plain),
            ),
            self._claim(
                "guaranteed",
                "on the invariant network every explainer without a guarantee scores at most 0.99, with every seed",
                "below 1",
                repeated(highest),
                max(max(self.each(INVARIANT, name)) for name in self.names if name not in promised) <= 0.99,
                note=f"the most of {len(self.names) - len(promised)}: {most}",
            ),
            self._claim(
                "relaxed",
                "without invariance explanations are not robust; augmentation helps (by 0.1 at least, in the mean over seeds) and does "
                "not reach 0.99 with any",
                "augmented better than standard, below 1",
                repeated(augmented),
                statistics.fmean(gains) >= 0.1 and max(augmented) <= 0.99,
                baseline=repeated(plain),
                note=f"integrated gradients; baseline: Standard-CNN; gains {', '.join(f'{gain:.2f}' for gain in gains)}",
            ),
            self._claim(
                "relaxed",
                "the more invariant the network is on a datum, the more robust is its explanation (Spearman at least 0.5)",
                "positive",
                self.relaxed.spearman,
                self.relaxed.spearman >= 0.5,
                note=f"integrated gradients, all data of three networks and all seeds; p = {self.relaxed.p_value:.1e}",
            ),
        ]
        if STILL in self.names:
            means = [self.mean(INVARIANT, name) for name in (IG, "Occlusion", STILL, NOISY, PERMUTED)]
            claims.append(
                self._claim(
                    "order",
                    "random and ill-fitting explainers come in the paper's order, in the mean over seeds: integrated gradients, occlusion, "
                    "GradientShap; feature permutation below these",
                    "1 > occlusion > GradientShap; permutation lowest",
                    " > ".join(f"{mean:.3f}" for mean in means[:3]) + f"; permutation {means[-1]:.3f}",
                    means[0] > means[1] > means[2] > means[-1] and means[2] > means[3],
                    note=f"on All-CNN; with noise of 0.3 GradientShap has {means[3]:.3f}",
                )
            )
        if self.runs[0].curve:
            curves = [[verdict["mean"] for verdict in run.curve] for run in self.runs]
            claims.append(
                self._claim(
                    "averaging",
                    "averaging a concept's presence over more elements never makes it less invariant (two standard errors), and over all "
                    "exactly invariant, with every seed",
                    "monotone, 1 at the end",
                    ", ".join(f"{statistics.fmean(at):.3f}" for at in zip(*curves)),
                    all(rises(run.curve) and run.curve[-1]["mean"] == 1 for run in self.runs),
                    baseline=repeated([curve[0] for curve in curves]),
                    note=f"means over seeds; CAV on the third convolution, over {', '.join(map(str, self.curve_counts))} elements",
                )
            )
        both = [tuple(verdict["mean"] for verdict in run.averaged) for run in self.runs if run.averaged]
        if both:
            claims.append(
                self._claim(
                    "averaging",
                    "averaged over the group, attributions of the network without symmetry are equivariant (at least 0.9999)",
                    "exact",
                    min(after for _, after in both),
                    min(after for _, after in both) >= GUARANTEED,
                    baseline=repeated([before for before, _ in both]),
                    note="integrated gradients on Standard-CNN; the least over seeds; 4 data, drawn elements",
                )
            )
        return claims

    def _claim(self, key: str, text: str, reported: Any, measured: Any, holds: bool, baseline: Any = None, note: str = "") -> Claim:
        return Claim(f"{self.setting.name}: {text}", reported, measured, holds, baseline, self.scale, "", note, SOURCE, key)

    def left_out(self) -> dict[str, str]:
        """Why claims are not measured here."""
        reasons = {
            "order": "" if STILL in self.names else "needs captum, from erlangen[explain]",
            "averaging": "" if self.runs[0].curve else "measured by part 'outlines'",
        }
        return {key: reason for key, reason in reasons.items() if reason}

    def section(self) -> Section:
        nets, first = self.nets, self.runs[0]
        kinds = {row.explainer: row.verdict.claim.rsplit("-", 1)[-1] for row in first.rows}
        body = [
            [name, kinds[name], first.by[INVARIANT, name].guarantee, *(repeated(self.each(net, name)) for net in nets)]
            for name in self.names
        ]
        about_nets = [
            ["accuracy", *(repeated([run.right[net] for run in self.runs]) for net in nets)],
            ["model invariance", *(repeated([run.by[net, IG].verdict["model_invariance"] for run in self.runs]) for net in nets)],
        ]
        tables = [
            Table("The networks", ["", *nets], about_nets, caption=self.setting.about),
            Table("Scores of explanations", ["explainer", "should be", "guarantee on All-CNN", *nets], body, caption=self.scale),
            Table(
                "Another question: a small change of the data",
                ["explainer", "largest relative change", "score under shifts"],
                [[name, value, self.mean(INVARIANT, name)] for name, value in self.sensitivity.items()],
                caption="captum's sensitivity in a ball of radius 0.02 (0 is best), on All-CNN of the first seed: one number does not "
                "stand for the other.",
            ),
        ]
        return Section(self.setting.name.capitalize(), ABOUT, tables=tables, figures=self._figures(self.names, nets))

    def _figures(self, names: list[str], nets: list[str]) -> list[Figure]:
        errors = [_finite(run.by[net, name].verdict["standard_error"]) for run in self.runs for net in nets for name in names]
        figures = [
            heatmap(
                [[self.mean(net, name) for net in nets] for name in names],
                title=f"Robustness of explanations, {self.setting.name}",
                row_labels=names,
                column_labels=nets,
                colour_label="score",
                caption=f"{self.scale}. Standard errors over the data of one seed are at most {max(errors):.2g}.",
            )
        ]
        if self.runs[0].curve:
            curves = [[verdict["mean"] for verdict in run.curve] for run in self.runs]
            figures.append(
                lines_with_band(
                    {
                        CAV_MOVING: Line.of_runs(self.curve_counts, curves)
                        if len(curves) > 1
                        else Line(self.curve_counts, curves[0])
                    },
                    title="Averaging over more elements",
                    x_label="elements averaged over",
                    y_label="invariance",
                    log_x=True,
                    caption="Concepts on an equivariant layer of All-CNN."
                    + (" Band: one standard deviation over seeds." if len(curves) > 1 else ""),
                )
            )
        pairs = {net: [self.relaxed.pairs[f"{net} {i}"] for i in range(len(self.runs))] for net in nets}
        figures.append(
            scatter(
                {
                    net: (torch.cat([x for x, _ in of]).tolist(), torch.cat([y for _, y in of]).tolist())
                    for net, of in pairs.items()
                },
                title="Relaxed invariance",
                x_label="model invariance of a datum",
                y_label="score of its integrated gradients",
                caption=f"Spearman correlation {self.relaxed.spearman:.2f} (p = {self.relaxed.p_value:.1e}).",
            )
        )
        return figures

    def numbers(self) -> dict[str, Any]:
        return {
            "accuracy": {net: [run.right[net] for run in self.runs] for net in self.nets},
            "spearman": self.relaxed.spearman,
            "sensitivity": self.sensitivity,
            "scores": {net: {name: self._scores(net, name) for name in self.names} for net in self.nets},
            "averaged over": {
                str(n): [run.curve[i]["mean"] for run in self.runs] for i, n in enumerate(self.curve_counts) if self.runs[0].curve
            },
        }

    def _scores(self, net: str, name: str) -> dict[str, Any]:
        """The numbers of one explainer, means over seeds, and the score of each."""
        of = [run.by[net, name] for run in self.runs]
        means = {key: statistics.fmean(row.verdict[key] for row in of) for key in of[0].verdict.numbers}
        return means | {"each": [row.mean for row in of], "guarantee": of[0].guarantee}

    def answer(self) -> str:
        return (
            f"{self.setting.name}: integrated gradients score {self.mean(INVARIANT, IG):.4f} on the invariant network, "
            f"{self.mean(AUGMENTED, IG):.2f} after augmentation, {self.mean(PLAIN, IG):.2f} without, and {self.mean(INVARIANT, RAMP):.2f} "
            f"on the invariant network with a baseline that moves (means over {len(self.runs)} seeds)."
        )


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0
