"""What the tests of several studies share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from erlangen.reporting import Outcome
from erlangen.studies.base import Study
from erlangen.testing import check_study


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
