"""`check_study`, `check_outcome`: that a study, and what a run of it returned, keep the contract every study has."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from erlangen.reporting import RIVAL
from erlangen.testing.laws import Laws
from erlangen.verdict import Verdict


def check_study(study: Any, config: Any = None, **run_options: Any) -> Verdict:
    """Run a study on a (small) configuration and check its contract.

    Its configuration is a frozen dataclass whose fields all have defaults; what it returns passes :func:`check_outcome`.

    Args:
        study: an :class:`erlangen.studies.Study`.
        config: what to run; by default the study's own defaults, which may take minutes.
        run_options: passed on to ``study.run``.

    Raises:
        AssertionError: naming what is missing.
    """
    laws = Laws(f"study {study.name}", 0.0)
    kind = study.config
    laws.true(
        "the configuration is a frozen dataclass", dataclasses.is_dataclass(kind) and vars(kind)["__dataclass_params__"].frozen
    )
    laws.true("every field has a default", kind() == kind())
    laws.true("title and source are stated", study.title and study.source)
    _compare(laws, study, study.run(kind() if config is None else config, **run_options))
    return laws.verdict()


def check_outcome(study: Any, outcome: Any) -> Verdict:
    """Check what a run of a study returned.

    An :class:`~erlangen.reporting.Outcome` of the study's name with at least one claim, plain numbers only, and a caption for each
    figure; its numbers survive JSON. What the study announces is measured, or left out with a reason, and nothing else is measured: the
    keys of its claims and of the outcome's are the same. A study announces the claim ``"rival"``, and an outcome that does not leave it
    out has a :class:`~erlangen.reporting.Rival`: the simplest strong thing that a user would pick instead.

    Args:
        study: an :class:`erlangen.studies.Study`.
        outcome: what its ``run`` returned.

    Raises:
        AssertionError: naming what is missing.
    """
    laws = Laws(f"an outcome of study {study.name}", 0.0)
    _compare(laws, study, outcome)
    return laws.verdict()


def _compare(laws: Laws, study: Any, outcome: Any) -> None:
    laws.true("the outcome has the study's name", outcome.name == study.name, repr(outcome.name))
    laws.true("at least one claim", len(outcome.claims) > 0)
    for claim in outcome.claims:
        laws.true("claims say what was measured", claim.text and claim.measured is not None, repr(claim))
        laws.true("claims are decided", isinstance(claim.holds, bool), repr(claim))
        laws.true("measured claims have the key of an announced one", claim.key in study.claims, repr(claim))
    measured, left_out = {claim.key for claim in outcome.claims}, outcome.left_out
    for key in study.claims:
        laws.true("announced claims are measured, or left out with a reason", key in measured or left_out.get(key), repr(key))
    for key in left_out:
        laws.true("what is left out was announced, and is not measured", key in study.claims and key not in measured, repr(key))
    laws.true(f"the claim {RIVAL!r} is announced", RIVAL in study.claims, repr(tuple(study.claims)))
    rival = outcome.rivals or left_out.get(RIVAL)
    laws.true("there is a rival, which a user would pick instead, or a reason for none", rival, repr(outcome.rivals))
    laws.true("figures have captions", all(figure.caption for figure in outcome.figures))
    laws.true("metrics survive JSON", json.loads(json.dumps(outcome.metrics)) == outcome.metrics)
