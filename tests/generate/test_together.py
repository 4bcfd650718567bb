"""Records of parts with one time: how they are laid out, joined and averaged."""

from __future__ import annotations

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.generate import Categorical, Gaussian, Together, WrappedNormal

T = 20


def crystal() -> Together:
    parts = {"cell": Gaussian(schedule=T), "frac": WrappedNormal(schedule=T), "kind": Categorical(4, schedule=T)}
    return Together(parts, segments={"frac": "of", "kind": "of", "charge": "of"})


def data() -> dict[str, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    return {
        "cell": torch.randn(2, 3, 3, generator=g, dtype=torch.float64),
        "frac": torch.rand(5, 3, generator=g, dtype=torch.float64),
        "kind": torch.tensor([0, 1, 2, 3, 3]),
        "charge": torch.arange(5.0),
        "of": torch.tensor([0, 0, 1, 1, 1]),
        "group": torch.tensor([225, 14]),
    }


def test_each_part_gets_the_time_of_its_datum() -> None:
    process, x0 = crystal(), data()
    x_t, target = process.noise(x0, torch.tensor([0, T]))  # the first stays as it is
    assert set(target) == {"cell", "frac", "kind"}
    assert torch.equal(x_t["cell"][0], x0["cell"][0])
    assert not torch.allclose(x_t["cell"][1], x0["cell"][1])
    torch.testing.assert_close(x_t["frac"][:2], x0["frac"][:2])
    assert torch.equal(x_t["kind"][:2], x0["kind"][:2])
    for name in ("charge", "of", "group"):
        assert x_t[name] is x0[name]


def test_collating_and_averaging() -> None:
    process, whole = crystal(), data()
    single = []
    for i in range(2):
        at = whole["of"] == i
        single.append(
            {
                "cell": whole["cell"][i],
                "group": int(whole["group"][i]),
                **{name: whole[name][at] for name in ("frac", "kind", "charge")},
            }
        )
    batch = process.collate(single)
    assert set(batch) == set(whole)
    for name, part in whole.items():
        assert torch.equal(batch[name], part), name

    x_t, target = process.noise(whole, torch.tensor([5, 15]), generator=torch.Generator().manual_seed(1))
    said = {"cell": torch.zeros(2, 3, 3), "frac": torch.zeros(5, 3), "kind": torch.zeros(5, 4)}
    parts = {
        "cell": target["cell"].square().flatten(1).mean(1),
        "frac": torch.stack([target["frac"][:2].square().mean(), target["frac"][2:].square().mean()]),
        "kind": torch.tensor([4.0, 4.0]).log(),
    }
    loss = process.loss(said, target, x_t, torch.tensor([5, 15]))
    torch.testing.assert_close(loss, sum(parts.values()), check_dtype=False)
    weighted = Together(process.parts, segments=process.segments, weights={"frac": 3.0, "cell": 0.0})
    torch.testing.assert_close(
        weighted.loss(said, target, x_t, torch.tensor([5, 15])), 3 * parts["frac"] + parts["kind"], check_dtype=False
    )
    pooled = Together(process.parts, segments=process.segments, average="entries")
    counts = {"cell": torch.tensor([9, 9]), "frac": torch.tensor([6, 9]), "kind": torch.tensor([2, 3])}
    mean = sum(parts[name] * counts[name] for name in parts) / sum(counts.values())
    torch.testing.assert_close(pooled.loss(said, target, x_t, torch.tensor([5, 15])), mean, check_dtype=False)
    summed = Together(process.parts, segments=process.segments, average="none")
    total = mean * sum(counts.values())
    torch.testing.assert_close(summed.loss(said, target, x_t, torch.tensor([5, 15])), total, check_dtype=False)


def test_data_without_rows_count() -> None:
    """Nodes of two sorts: a datum may have none of one sort."""
    process = Together(
        {"a": Categorical(3, schedule=T), "b": Categorical(5, schedule=T)}, segments={"a": "in_a", "b": "in_b"}, average="entries"
    )
    batch = process.collate([{"a": torch.zeros(0, dtype=torch.int64), "b": torch.ones(2, 2, dtype=torch.int64)},
                             {"a": torch.tensor([1]), "b": torch.zeros(1, 2, dtype=torch.int64)}])  # fmt: skip
    assert process.size(batch) == 2
    x_t, target = process.noise(batch, torch.tensor([3, 9]))
    said = {"a": torch.zeros(1, 3), "b": torch.zeros(3, 2, 5)}
    loss = process.loss(said, target, x_t, torch.tensor([3, 9]))
    logs = torch.tensor([3.0, 5.0]).log()
    torch.testing.assert_close(loss, torch.stack([logs[1], (logs[0] + 2 * logs[1]) / 3]))


def test_action_is_a_record() -> None:
    G = er.O(3)
    process = Together({"pos": Gaussian(G.vector, T, centred=True), "kind": Categorical(3, schedule=T)})
    x = {"pos": torch.randn(2, 4, 3), "kind": torch.zeros(2, 4, dtype=torch.int64)}
    g = G.sample(2)
    assert torch.equal(process.action.act(g, x)["pos"], G.vector.act(g, x["pos"]))


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: Together({}), "parts"),
        (lambda: Together({"a": Gaussian(schedule=T), "b": Gaussian(schedule=9)}), "parts"),
        (lambda: Together({"a": Gaussian(schedule=T)}, masks={"b": "m"}), "masks"),
        (lambda: Together({"a": Gaussian(schedule=T)}, weights={"b": 1.0}), "weights"),
        (lambda: Together({"a": Gaussian(schedule=T)}, average="all"), "average"),  # type: ignore[arg-type]
        (lambda: Together({"a": Gaussian(schedule=T)}, segments={"a": "a"}), "segments"),
        (lambda: crystal().size({"cell": torch.zeros(2, 3, 3)}), "data"),
        (lambda: crystal().size({**data(), "group": torch.zeros(3)}), "data"),
        (lambda: crystal().size({**data(), "group": 225}), "data"),
        (lambda: crystal().rows({**data(), "frac": torch.zeros(4, 3)}), "frac"),
        (lambda: crystal().collate([]), "data"),
        (lambda: crystal().collate([{"frac": torch.zeros(2, 3), "kind": torch.zeros(1)}]), "data"),
    ],
)
def test_refused(make, argument: str) -> None:
    with pytest.raises(ArgumentError) as error:
        make()
    assert error.value.argument == argument
