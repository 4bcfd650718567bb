"""What the tests of several studies share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from erlangen.reporting import Outcome
from erlangen.studies.base import Study
from erlangen.testing import check_study
from erlangen.training import steps_within


@pytest.fixture(autouse=True)
def short_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps of a training tell how many fit into its time, not twenty: the trials take longer than the trainings."""
    monkeypatch.setitem(steps_within.__kwdefaults__, "trial", 2)


@pytest.fixture
def checked() -> Callable[[Study, Any], Outcome]:
    """Check that a study keeps the contract, and hand on the outcome of that run."""

    def check(study: Study, config: Any) -> Outcome:
        outcomes: list[Outcome] = []

        def run(config: Any, **options: Any) -> Outcome:
            outcomes.append(study.run(config, **options))
            return outcomes[0]

        assert check_study(dataclasses.replace(study, run=run), config, quiet=True)
        return outcomes[0]

    return check
