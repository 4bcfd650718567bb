"""The study of orientations on a small scale."""

import pytest

pytest.importorskip("astropy")
pytest.importorskip("legwork")

from erlangen.errors import ArgumentError
from erlangen.studies.lisa_orientations import STUDY, Config
from erlangen.testing import check_outcome


def test_four_and_two_on_a_small_scale():
    outcome = STUDY.run(Config(binaries=2), quiet=True)
    assert check_outcome(STUDY, outcome)
    found = {claim.key: claim for claim in outcome.claims}
    for key in ("group", "ratios", "four", "two", "penalty", "sigma", "copies", "old", "cured", "light", "even"):
        assert found[key].holds, key
    grid, plain = (claim for claim in outcome.claims if claim.key == "rival")
    assert not grid.holds  # level with a grid
    assert plain.holds
    assert "level" in outcome.answer
    assert not found["scales"].holds  # 28 s do not pass an eighth of HM Cnc's 322 s
    assert outcome.metrics["timing"]["rate to 1e-14"] == pytest.approx(56.3, abs=0.5)
    assert set(outcome.left_out) == {"small"}
    with pytest.raises(ArgumentError, match="population"):
        STUDY.run(Config(population=3), quiet=True)
