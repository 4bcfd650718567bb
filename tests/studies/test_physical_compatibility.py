"""The study of physical compatibility: small runs of its parts, their claims and figures."""

import pytest

from erlangen.fields import solids
from erlangen.studies.physical_compatibility import STUDY, Config
from erlangen.studies.physical_compatibility.cantilever import KNOWN
from erlangen.studies.physical_compatibility.stand import _leaning, bodies
from erlangen.testing import check_outcome


def test_the_cantilever_is_cured_and_every_claim_is_answered():
    found = STUDY.run(Config(cells=10, plastic_steps=2), quiet=True)
    assert check_outcome(STUDY, found)
    claims = {claim.key: claim for claim in found.claims}
    assert claims["cured"].holds
    assert claims["cured"].measured < 1e-8 < claims["cured"].baseline
    assert claims["steps"].holds
    # Each plastic step brought something, and the direct route is nearer than what came of it.
    for E in KNOWN:
        plastic, naive = (found.metrics[f"{E:.0e} {method}"]["max"] for method in ("plastic", "naive"))
        assert plastic < naive
    assert len(found.sections[0].figures) == 2
    seconds, distance = found.rivals
    assert seconds.name == distance.name == "the fixed point"
    assert distance.rival == max(found.metrics[f"{E:.0e} fixed point"]["max"] for E in KNOWN)


def test_every_leaning_body_has_its_centre_as_far_outside_as_its_name_says():
    for name, mesh in bodies(full=False).items():
        out = float(name.split(", ")[1].split(" ")[0]) / 100
        assert abs(solids.stance(mesh).margin + 0.02 * out) < 1e-12, name


def test_leaning_bodies_fall_and_stand(monkeypatch):
    few = {"prism, 15 % out": _leaning(2, 2.0, 0.15), "wedge askew": _leaning(2, 2.0, 0.1, taper=0.4, heading=30.0)}
    monkeypatch.setattr("erlangen.studies.physical_compatibility.stand.bodies", lambda full: few)
    found = STUDY.run(Config(part="stand"), quiet=True)
    assert check_outcome(STUDY, found)
    claims = {claim.key: claim for claim in found.claims}
    assert claims["stand-rate"].measured == 1
    assert claims["stand-rate"].baseline == 0
    assert claims["margin"].holds
    assert claims["least"].holds
    assert found.rivals[0].measured.value < found.rivals[0].rival == 1
    assert len(found.sections[0].figures) == 3


@pytest.mark.slow
def test_a_horse_is_cured_where_it_is_stiff_and_sways_where_it_is_soft():
    found = STUDY.run(Config(part="picture", plastic_steps=1), quiet=True)
    assert check_outcome(STUDY, found)
    claims = {claim.key: claim for claim in found.claims}
    assert claims["horse-cured"].holds
    assert claims["horse-cured"].measured < 1e-9 < claims["horse-cured"].baseline
    assert claims["mirror"].holds
    assert claims["unstable"].holds
    assert claims["unstable"].measured < 0 < found.metrics["1e+07 direct"]["lambda"]
    assert len(found.sections[0].figures) == 2
