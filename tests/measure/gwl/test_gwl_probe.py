"""Probes: invariant networks hold chains together, others do not, and what does not fit is refused."""

from __future__ import annotations

from functools import partial

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.measure.gwl import GWL, counterexample, kchain, probe, separation
from erlangen.measure.gwl.networks import EQUIVARIANT, INVARIANT, WHOLE

NETWORKS = {**INVARIANT, **EQUIVARIANT, **WHOLE}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_do_not_depend_on_order_or_frame(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    graph = counterexample("4-body")[0]
    copy = graph.moved(
        er.O(3).sample(generator=generator, dtype=torch.float64), torch.ones(3), torch.randperm(len(graph), generator=generator)
    )
    torch.manual_seed(0)
    net = NETWORKS[name](2).double()
    assert torch.allclose(net(graph), net(copy), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("layers", range(1, 9))
def test_distances_hold_chains_together(layers: int) -> None:
    make = INVARIANT["distances (SchNet-like)"]
    for k in (2, 3, 5, 8):
        assert separation(lambda: make(layers), kchain(k), n_init=3).median <= 1e-12


@pytest.mark.parametrize("k", [2, 3, 4])
def test_vectors_let_them_go_where_the_test_does(k: int) -> None:
    make = EQUIVARIANT["vectors (GVP-like)"]
    first = GWL().compare(*kchain(k)).iteration
    assert first is not None
    before, then = (separation(partial(make, layers), kchain(k), n_init=3) for layers in (first - 1, first))
    assert before.median <= 1e-12
    assert then
    assert then.verdict().holds


def test_the_random_state_is_left_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    first = separation(lambda: WHOLE["whole cloud in frames"](0), kchain(2), n_init=2)
    assert torch.equal(torch.rand(2), expected)
    assert first.values == separation(lambda: WHOLE["whole cloud in frames"](0), kchain(2), n_init=2).values


def test_any_callable() -> None:
    pairs = {"k=2": kchain(2), "mirror": counterexample("4-body-chiral")}
    found = probe(lambda graph: torch.cdist(graph.pos, graph.pos).square().sum(), pairs)
    assert [bool(s) for s in found.values()] == [True, False]
    fresh = probe(lambda: lambda graph: torch.rand(3), {"k=2": kchain(2)}, n_init=4)
    assert len(fresh["k=2"].values) == 4
    zero = probe(lambda graph: torch.zeros(2), pairs)
    assert not any(zero.values())
    assert "does not distinguish" in str(zero["k=2"])


def test_bad_models_and_numbers() -> None:
    with pytest.raises(ArgumentError, match="one shape"):
        probe(lambda graph: graph.pos[: len(graph) - 1 if graph.pos[0, 0] < 0 else 1], {"k=2": kchain(2)})
    with pytest.raises(ArgumentError, match="finite"):
        probe(lambda graph: graph.pos / 0, {"k=2": kchain(2)})
    with pytest.raises(ArgumentError, match="n_init"):
        separation(lambda: lambda graph: graph.pos, kchain(2), n_init=0)
    with pytest.raises(ArgumentError, match="pairs"):
        probe(lambda graph: graph.pos, {})
