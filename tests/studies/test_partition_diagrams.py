"""The study of partition diagrams: its counts against tables, its networks against relabellings, its clock against the layer."""

import pytest
import torch

from erlangen.datasets.graphs import connected_graphs, relabelled
from erlangen.groups import Symmetric
from erlangen.nn import EquivariantLinear
from erlangen.reporting import RIVAL
from erlangen.studies.partition_diagrams import STUDY, Config
from erlangen.studies.partition_diagrams.clock import bytes_of, dense_product
from erlangen.studies.partition_diagrams.compare import COUNTED, CURVE, SETS
from erlangen.studies.partition_diagrams.counting import bounded_partitions, by_characters
from erlangen.studies.partition_diagrams.networks import GraphNet, r2, split

# dim Hom(M^k, M^l) for k + l = 0..8, as published with the correction for few points.
PUBLISHED = {
    1: (1, 1, 1, 1, 1, 1, 1, 1, 1),
    2: (1, 1, 2, 4, 8, 16, 32, 64, 128),
    3: (1, 1, 2, 5, 14, 41, 122, 365, 1094),
    4: (1, 1, 2, 5, 15, 51, 187, 715, 2795),
    8: (1, 1, 2, 5, 15, 52, 203, 877, 4140),
}


def test_counts_are_the_published_ones():
    for n, row in PUBLISHED.items():
        assert tuple(bounded_partitions(t, n) for t in range(9)) == row
        assert tuple(by_characters(t, n) for t in range(9)) == row


@pytest.mark.parametrize(("order", "normalize"), [(2, "sqrt"), (2, "mean"), (3, "sqrt")])
def test_networks_do_not_see_labels(order, normalize):
    net = GraphNet(7, order, 16, normalize).double()
    a = connected_graphs(7)[::50]
    moved = relabelled(a, torch.Generator().manual_seed(1))
    out = net(a)
    assert out.std(0).min() > 1e-3  # it does see graphs
    assert (net(moved) - out).abs().max() < 1e-11 * out.abs().max()


def test_other_sizes_share_the_weights():
    net = GraphNet(7, 2, 4, "mean").double()
    other = net.over(6)
    assert {id(p) for p in other.parameters()} == {id(p) for p in net.parameters()}
    a = connected_graphs(6)[::10]
    out = other(a)
    assert (other(relabelled(a, torch.Generator().manual_seed(1))) - out).abs().max() < 1e-11 * out.abs().max()
    # A graph in which every node is doubled has the same means: M^2 -> scalars by means alone cannot tell it from the graph itself.
    blown = torch.kron(torch.ones(2, 2, dtype=torch.float64), connected_graphs(3)[-1])[None]
    layer = EquivariantLinear(Symmetric(6).vector ** 2, Symmetric(6).scalar, (1, 1), bias=False, normalize="mean").double()
    means = layer(blown.flatten(1)[:, None]), layer.over(Symmetric(3))(connected_graphs(3)[-1].flatten()[None, None])
    assert torch.allclose(*means, atol=1e-13)


def test_dense_matrices_compute_what_the_layer_computes():
    for order, n in ((2, 4), (3, 3)):
        V = Symmetric(n).vector
        layer = EquivariantLinear(V**order, V**order, (3, 2), bias=False, normalize="sum").double()
        x = torch.randn(4, 3, n**order, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        y = dense_product(layer.maps.basis().flatten(0, 1), layer.weight, x)
        assert torch.allclose(y, layer(x), atol=1e-10)
    assert bytes_of(3, 20) == 203 * 8000.0**2 * 4


def test_transfer_of_the_constant_prediction_is_below_zero_and_training_sets_are_apart():
    x, y, x_test, y_test, _ = split(0, 100)
    assert len(x) == len(y) == 100
    assert len(x_test) == len(y_test) == 753
    assert torch.allclose(y.mean(0), torch.zeros(3), atol=1e-5)
    assert all(r <= 1e-6 for r in r2(torch.zeros_like(y_test), y_test))
    assert r2(y_test, y_test) == [1.0, 1.0, 1.0]


def test_the_study_keeps_the_contract(checked):
    config = Config(seeds=1, steps=10, channels=3, largest=4)
    outcome = checked(STUDY, config)
    claims = {claim.key: claim for claim in outcome.claims}
    assert claims["dimensions"].holds
    assert claims["relabelling"].holds  # exact, however little the networks are trained
    few, many = outcome.rivals
    assert 0.96 < few.rival < many.rival  # known before: 0.98 and 0.99 over seeds
    assert few.seconds != many.seconds  # each row has its own
    assert outcome.metrics["change under relabelling"][COUNTED]["100"][0] < 1e-6
    assert set(outcome.metrics["crossover"]) == set()  # the clock at one size is no curve


def test_the_curve_has_every_size():
    outcome = STUDY.run(Config(seeds=2, steps=5, channels=2, largest=6, curve=True), quiet=True)
    curve = outcome.metrics["crossover"]["graphs"]
    assert tuple(curve["places"]) == CURVE
    assert set(SETS) < set(CURVE)
    assert {len(runs) for values in curve["curves"].values() for runs in values} == {2}
    ridge = [sum(runs) for runs in curve["curves"][COUNTED]]
    assert ridge[0] < ridge[2] < ridge[4]
    assert outcome.metrics["crossover"]["clock"]["places"] == [4, 6]
    assert "training graphs" in outcome.sections[2].paragraphs[0]


@pytest.mark.slow
def test_all_claims_but_the_clock_hold():
    claims = [claim for claim in STUDY.run(Config(), quiet=True).claims if claim.key not in (RIVAL, "fast")]
    assert [claim.text for claim in claims if not claim.holds] == []
