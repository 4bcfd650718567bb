"""What one setting has shown: claims, tables, figures."""

from __future__ import annotations

import math
from typing import Any

from erlangen.measure.explain import relaxation
from erlangen.reporting import Claim, Figure, Line, Section, Table, heatmap, lines_with_band, scatter
from erlangen.studies.explain.networks import AUGMENTED, INVARIANT, PLAIN
from erlangen.studies.explain.scoring import CAV_MOVING, IG, NOISY, PERMUTED, RAMP, STILL, Scored, rises
from erlangen.studies.explain.setting import Setting
from erlangen.studies.explain.study import SOURCE, Config
from erlangen.verdict import Verdict

GUARANTEED = 0.9999
ABOUT = (
    "Three small networks: All-CNN (circular convolutions, a mean over all places: invariant), Standard-CNN (zero padding, max-pooling, no "
    "mean), and Standard-CNN trained on randomly shifted data. Attributions should move along with the data (equivariance), examples and "
    "concepts should stay (invariance). A score is the mean over shifts and data of the cosine between the explanation of the shifted "
    "datum and the (shifted) explanation of the datum; for concepts the share of equal answers. 1 is exact.",
    "The guarantee is what theory says before anything is scored, from the explainer's baseline, masks and layer and the network's own "
    "invariance. Robust explanations need not be faithful ones.",
)


class Findings:
    """What one setting has shown."""

    def __init__(self, setting: Setting, config: Config, rows: list[Scored], right: dict[str, float]) -> None:
        self.setting, self.config, self.rows, self.right = setting, config, rows, right
        self.by = {(row.network, row.explainer): row for row in rows}
        self.curve_counts: tuple[int, ...] = ()
        self.curve: list[Verdict] = []
        self.averaged: tuple[Verdict, Verdict] | None = None
        self.sensitivity: dict[str, float | None] = {}
        self.relaxed = relaxation({net: self.by[net, IG].verdict for net in right})
        self.scale = (
            f"{setting.name}: {config.explained} test data, {setting.count} shifts (costly explainers: {config.draws} drawn ones)"
        )

    def mean(self, net: str, explainer: str) -> float:
        return self.by[net, explainer].mean

    def claims(self) -> list[Claim]:
        invariant = [row for row in self.rows if row.network == INVARIANT]
        sure = [row for row in invariant if row.guarantee == "guaranteed"]
        open_ = [row for row in invariant if row.guarantee != "guaranteed"]
        least = min(sure, key=lambda row: row.mean)
        most = max(open_, key=lambda row: row.mean)
        wrong = [row for row in self.rows if row.guarantee == "guaranteed" and row.mean < GUARANTEED]
        total = sum(row.guarantee == "guaranteed" for row in self.rows)
        plain, augmented = self.mean(PLAIN, IG), self.mean(AUGMENTED, IG)
        claims = [
            self._claim(
                "guaranteed",
                "what is guaranteed beforehand scores at least 0.9999, for every explainer and network",
                "exact",
                f"{len(wrong)} of {total} fail",
                not wrong,
            ),
            self._claim(
                "guaranteed",
                "on the invariant network every explainer with a guarantee scores 1 (at least 0.9999)",
                "1",
                least.mean,
                least.mean >= GUARANTEED,
                note=f"the least of {len(sure)}: {least.explainer}; baseline: integrated gradients on Standard-CNN",
                baseline=plain,
            ),
            self._claim(
                "guaranteed",
                "on the invariant network every explainer without a guarantee scores at most 0.99",
                "below 1",
                most.mean,
                most.mean <= 0.99,
                note=f"the most of {len(open_)}: {most.explainer}",
            ),
            self._claim(
                "relaxed",
                "without invariance explanations are not robust; augmentation helps (by 0.1 at least) and does not reach 0.99",
                "augmented better than standard, below 1",
                augmented,
                plain + 0.1 <= augmented <= 0.99,
                baseline=plain,
                note="integrated gradients; baseline: Standard-CNN",
            ),
            self._claim(
                "relaxed",
                "the more invariant the network is on a datum, the more robust is its explanation (Spearman at least 0.5)",
                "positive",
                self.relaxed.spearman,
                self.relaxed.spearman >= 0.5,
                note=f"integrated gradients, all data of three networks; p = {self.relaxed.p_value:.1e}",
            ),
        ]
        if (INVARIANT, STILL) in self.by:
            order = [IG, "Occlusion", STILL, NOISY, PERMUTED]
            means = [self.mean(INVARIANT, name) for name in order]
            claims.append(
                self._claim(
                    "order",
                    "random and ill-fitting explainers come in the paper's order: integrated gradients, occlusion, GradientShap; feature "
                    "permutation below these",
                    "1 > occlusion > GradientShap; permutation lowest",
                    " > ".join(f"{mean:.3f}" for mean in means[:3]) + f"; permutation {means[-1]:.3f}",
                    means[0] > means[1] > means[2] > means[-1] and means[2] > means[3],
                    note=f"on All-CNN; with noise of 0.3 GradientShap has {means[3]:.3f}",
                )
            )
        if self.curve:
            last = self.curve[-1]["mean"]
            claims.append(
                self._claim(
                    "averaging",
                    "averaging a concept's presence over more elements never makes it less invariant (two standard errors), and over all "
                    "exactly invariant",
                    "monotone, 1 at the end",
                    ", ".join(f"{verdict['mean']:.3f}" for verdict in self.curve),
                    rises(self.curve) and last == 1,
                    baseline=self.curve[0]["mean"],
                    note=f"CAV on the third convolution, over {', '.join(map(str, self.curve_counts))} elements",
                )
            )
        if self.averaged:
            before, after = (verdict["mean"] for verdict in self.averaged)
            claims.append(
                self._claim(
                    "averaging",
                    "averaged over the group, attributions of the network without symmetry are equivariant (at least 0.9999)",
                    "exact",
                    after,
                    after >= GUARANTEED,
                    baseline=before,
                    note="integrated gradients on Standard-CNN; 4 data, drawn elements",
                )
            )
        return claims

    def _claim(self, key: str, text: str, reported: Any, measured: Any, holds: bool, baseline: Any = None, note: str = "") -> Claim:
        return Claim(f"{self.setting.name}: {text}", reported, measured, holds, baseline, self.scale, "", note, SOURCE, key)

    def left_out(self) -> dict[str, str]:
        """Why claims are not measured here."""
        reasons = {
            "order": "needs captum, from erlangen[explain]" if (INVARIANT, STILL) not in self.by else "",
            "averaging": "" if self.curve else "measured by part 'outlines'",
        }
        return {key: reason for key, reason in reasons.items() if reason}

    def section(self) -> Section:
        nets = list(self.right)
        names = [row.explainer for row in self.rows if row.network == INVARIANT]
        kinds = {row.explainer: row.verdict.claim.rsplit("-", 1)[-1] for row in self.rows}
        body = [[name, kinds[name], self.by[INVARIANT, name].guarantee, *(self.mean(net, name) for net in nets)] for name in names]
        about_nets = [
            ["accuracy", *(self.right[net] for net in nets)],
            ["model invariance", *(self.by[net, IG].verdict["model_invariance"] for net in nets)],
        ]
        tables = [
            Table("The networks", ["", *nets], about_nets, caption=self.setting.about),
            Table("Scores of explanations", ["explainer", "should be", "guarantee on All-CNN", *nets], body, caption=self.scale),
            Table(
                "Another question: a small change of the data",
                ["explainer", "largest relative change", "score under shifts"],
                [[name, value, self.mean(INVARIANT, name)] for name, value in self.sensitivity.items()],
                caption="captum's sensitivity in a ball of radius 0.02 (0 is best), on All-CNN: one number does not stand for the other.",
            ),
        ]
        return Section(self.setting.name.capitalize(), ABOUT, tables=tables, figures=self._figures(names, nets))

    def _figures(self, names: list[str], nets: list[str]) -> list[Figure]:
        errors = [_finite(self.by[net, name].verdict["standard_error"]) for net in nets for name in names]
        figures = [
            heatmap(
                [[self.mean(net, name) for net in nets] for name in names],
                title=f"Robustness of explanations, {self.setting.name}",
                row_labels=names,
                column_labels=nets,
                colour_label="score",
                caption=f"{self.scale}. Standard errors over data are at most {max(errors):.2g}.",
            )
        ]
        if self.curve:
            means, spreads = ([verdict[key] for verdict in self.curve] for key in ("mean", "standard_error"))
            low, high = ([m + sign * 2 * s for m, s in zip(means, spreads)] for sign in (-1, 1))
            figures.append(
                lines_with_band(
                    {CAV_MOVING: Line(self.curve_counts, means, low, high)},
                    title="Averaging over more elements",
                    x_label="elements averaged over",
                    y_label="invariance",
                    log_x=True,
                    caption="Concepts on an equivariant layer of All-CNN. Band: two standard errors over data.",
                )
            )
        figures.append(
            scatter(
                {net: (x.tolist(), y.tolist()) for net, (x, y) in self.relaxed.pairs.items()},
                title="Relaxed invariance",
                x_label="model invariance of a datum",
                y_label="score of its integrated gradients",
                caption=f"Spearman correlation {self.relaxed.spearman:.2f} (p = {self.relaxed.p_value:.1e}).",
            )
        )
        return figures

    def numbers(self) -> dict[str, Any]:
        return {
            "accuracy": self.right,
            "spearman": self.relaxed.spearman,
            "sensitivity": self.sensitivity,
            "scores": {
                net: {
                    row.explainer: dict(row.verdict.numbers) | {"guarantee": row.guarantee}
                    for row in self.rows
                    if row.network == net
                }
                for net in self.right
            },
            "averaged over": {str(n): verdict["mean"] for n, verdict in zip(self.curve_counts, self.curve)},
        }

    def answer(self) -> str:
        return (
            f"{self.setting.name}: integrated gradients score {self.mean(INVARIANT, IG):.4f} on the invariant network, "
            f"{self.mean(AUGMENTED, IG):.2f} after augmentation, {self.mean(PLAIN, IG):.2f} without, and {self.mean(INVARIANT, RAMP):.2f} "
            "on the invariant network with a baseline that moves."
        )


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0
