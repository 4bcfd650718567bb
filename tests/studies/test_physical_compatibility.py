"""The study of physical compatibility: the cantilever of a coarse mesh, its claims and figures."""

from erlangen.studies import physical_compatibility as study


def test_the_cantilever_is_cured_and_every_claim_is_answered():
    found = study.run(study.Config(cells=10, plastic_steps=2), quiet=True)
    claims = {claim.key: claim for claim in found.claims}
    assert set(claims) | set(found.left_out) == set(study.STUDY.claims)
    assert claims["cured"].holds
    assert claims["cured"].measured < 1e-8 < claims["cured"].baseline
    assert claims["steps"].holds
    # Each plastic step brought something, and the direct route is nearer than what came of it.
    for E in study.KNOWN:
        plastic, naive = (found.metrics[f"{E:.0e} {method}"]["max"] for method in ("plastic", "naive"))
        assert plastic < naive
    assert len(found.sections[0].figures) == 2
