"""Frames of graphs: equal eigenvalues, ties, features, sampling; canonical labellings; equal inputs evaluated once."""

import importlib.util
import itertools
import math

import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.actions.graphs import adjacency, graph, nodes
from erlangen.actions.records import Record
from erlangen.datasets.graphs import alike, connected_graphs, generated_graphs, relabelled
from erlangen.errors import ArgumentError, MissingExtra
from erlangen.symmetrize import AllElements, CanonicalLabelling, Distinct, InSequence, Spectral, Stochastic, Together
from erlangen.symmetrize.spectral import spectral_rows
from erlangen.testing import check_frame

F64 = torch.float64
needs_igraph = pytest.mark.skipif(importlib.util.find_spec("igraph") is None, reason="igraph is not installed")
RING = torch.roll(torch.eye(6, dtype=F64), 1, 0) + torch.roll(torch.eye(6, dtype=F64), -1, 0)


#: Coordinates in Angstrom.
MOLECULES = {
    "methane": torch.tensor([[0, 0, 0], [1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1.0]], dtype=F64) * 0.629,
    "square": torch.tensor([[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0.0]], dtype=F64) * 1.3,
    "ammonia": torch.tensor([[0, 0, 0.38], [0.94, 0, 0], [-0.47, 0.47 * 3**0.5, 0], [-0.47, -0.47 * 3**0.5, 0]], dtype=F64),
    "water": torch.tensor([[0, 0, 0.117], [0, 0.757, -0.469], [0, -0.757, -0.469]], dtype=F64),
}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def graphs():
    """All connected graphs with 8 nodes; with 7 where their generator is missing."""
    try:
        return generated_graphs(8)
    except MissingExtra:
        return connected_graphs(7)


class OnMatrix(nn.Module):
    """A function of a matrix that depends on its labels: one number for each node, or one for all."""

    def __init__(self, per_node):
        super().__init__()
        self.per_node = per_node

    def forward(self, a):
        n = a.shape[-1]
        mix = torch.linspace(-1, 1.7, n * n, dtype=a.dtype).view(n, n)
        y = torch.tanh(a @ mix + 0.2 * a @ mix @ a).sum(-1, keepdim=True) * torch.arange(1, n + 1, dtype=a.dtype).view(n, 1)
        return y if self.per_node else y.sum(1)


class TestRows:
    def test_a_ring_by_hand(self):
        """The eigenvalues 0, 1, 1, 3, 3, 4 of a ring of six: every node has 1/6 of a simple space, 1/3 of a double one."""
        rows = spectral_rows(RING[None])[0]
        expected = torch.tensor([1 / 6, 1 / 3, 1 / 3, 1 / 6, 0, 0], dtype=F64).sqrt()
        assert torch.allclose(rows, expected.expand(6, 6), atol=1e-12)

    def test_they_do_not_depend_on_the_basis_of_an_eigenspace(self, graphs):
        """Graphs with a repeated eigenvalue: the diagonal of the eigenprojector by another method, a polynomial."""
        laplacian = torch.diag_embed(graphs.sum(-1)) - graphs
        values = torch.linalg.eigvalsh(laplacian)
        repeated = (values.diff(dim=1) < 1e-9).any(1)
        for matrix, spectrum in list(zip(laplacian[repeated], values[repeated]))[::200]:
            distinct = [spectrum[0]]
            distinct += [b for a, b in itertools.pairwise(spectrum) if b - a > 1e-6]
            rows = spectral_rows((torch.diag(matrix.diagonal()) - matrix)[None])[0]
            one = torch.eye(len(matrix), dtype=F64)
            for i, mine in enumerate(distinct):
                projector = one
                for j, other in enumerate(distinct):
                    if i != j:
                        projector = projector @ (matrix - other * one) / (mine - other)
                assert torch.allclose(rows[:, i].square(), projector.diagonal(), atol=1e-8)

    def test_all_graphs_have_the_same_sorted_rows_under_relabelling_and_exact_comparison_of_floats_fails(self, graphs):
        act = adjacency(er.Symmetric(graphs.shape[-1]))
        moved = relabelled(graphs, seeded(1))

        def changed(frame):
            return ((frame.sorted_rows(act, graphs) - frame.sorted_rows(act, moved)).abs().amax((1, 2)) > 1e-6).double().mean()

        assert changed(Spectral()) == 0
        assert changed(Spectral(tolerance=0.0)) > 0.15


class TestFrames:
    def test_invariant_and_equivariant_with_enumerated_frames(self, graphs):
        S = er.Symmetric(graphs.shape[-1])
        few = []
        for piece in graphs.split(1):
            try:
                Spectral(24)(adjacency(S), piece)
            except ArgumentError:
                continue
            few.append(piece)
            if len(few) == 120:
                break
        few = torch.cat(few)
        for net, out in ((OnMatrix(False), S.scalar), (OnMatrix(True), nodes(S))):
            model = er.symmetrize(net, adjacency(S), out, frame=Spectral(24))
            assert er.equivariance_error(model, few, adjacency(S), out, elements=6)["worst"] < 1e-10

    def test_size_is_the_product_of_factorials_over_ties(self):
        S = er.Symmetric(6)
        star = torch.zeros(6, 6, dtype=F64)
        star[0, 1:] = star[1:, 0] = 1
        found = Spectral(720)(adjacency(S), torch.stack([star, RING]))
        assert (found.weights > 0).sum(1).tolist() == [math.factorial(5), math.factorial(6)]
        assert torch.allclose(found.weights.sum(1), torch.ones(2, dtype=F64))
        for row, weights in zip(found.elements, found.weights):
            assert len({tuple(e.tolist()) for e in row[weights > 0]}) == int((weights > 0).sum())

    def test_features_of_nodes_come_first_and_break_ties(self):
        S = er.Symmetric(6)
        features = torch.tensor([[3.0], [1.0], [4.0], [1.5], [5.0], [9.0]], dtype=F64)
        found = Spectral()(graph(S), {"nodes": features[None], "adjacency": RING[None]})
        assert found.elements[0].tolist() == [features[:, 0].argsort().tolist()]

    def test_features_of_pairs_break_ties_too(self):
        S = er.Symmetric(6)
        inp = Record({"adjacency": adjacency(S), "lengths": adjacency(S)})
        lengths = torch.rand(6, 6, generator=seeded(), dtype=F64)
        data = {"adjacency": RING[None], "lengths": (lengths + lengths.T)[None]}
        frame = Spectral(of="adjacency")
        assert frame(inp, data).elements.shape == (1, 1, 6)
        check_frame(frame, inp, {name: part.expand(3, -1, -1) for name, part in data.items()})

    @pytest.mark.parametrize("frame", [Spectral(), Spectral(samples=2)])
    def test_the_public_check(self, frame):
        check_frame(frame, graph(er.Symmetric(6)))

    def test_loops_and_directions_and_weights_are_seen(self):
        """Matrices without symmetry of any kind: one order each, the same after relabelling."""
        S = er.Symmetric(5)
        a = torch.randn(4, 5, 5, generator=seeded(), dtype=F64)
        model = er.symmetrize(OnMatrix(True), adjacency(S), nodes(S), frame=Spectral())
        assert er.equivariance_error(model, a, adjacency(S), nodes(S), elements=120)["worst"] < 1e-10
        loop = RING.clone()
        loop[2, 2] = 1
        assert (Spectral(720)(adjacency(er.Symmetric(6)), loop[None]).weights > 0).sum() == math.factorial(5)

    def test_draws_of_a_large_frame_average_to_the_whole(self):
        S = er.Symmetric(6)
        draws = Spectral(max_frame=1, samples=1, generator=seeded())
        model = er.symmetrize(OnMatrix(False), adjacency(S), S.scalar, frame=draws)
        whole = er.symmetrize(OnMatrix(False), adjacency(S), S.scalar, frame=Spectral(720))(RING[None])
        y = model(RING.expand(20_000, -1, -1))
        assert abs(float(y.mean() - whole)) < 4 * float(y.std()) / math.sqrt(20_000)
        again = Spectral(max_frame=1, samples=1, generator=seeded())
        assert torch.equal(er.symmetrize(OnMatrix(False), adjacency(S), S.scalar, frame=again)(RING.expand(20_000, -1, -1)), y)

    @pytest.mark.parametrize("dtype", [torch.float32, F64])
    @pytest.mark.parametrize(("shape", "orders"), [("methane", 24), ("square", 24), ("ammonia", 6), ("water", 2)])
    def test_distances_of_turned_molecules(self, shape, orders, dtype):
        """Every pose has its own rounding; what is equal by symmetry stays so, and the average does not depend on the pose."""
        points = MOLECULES[shape]
        G, S = er.E(3), er.Symmetric(len(points))
        moved = G.point.act(G.sample(12, generator=seeded(2), dtype=F64), points.expand(12, -1, -1)).to(dtype)
        distances = torch.cdist(moved, moved, compute_mode="donot_use_mm_for_euclid_dist")
        model = er.symmetrize(OnMatrix(False), adjacency(S), S.scalar, frame=Spectral())
        frame = model.frames(distances)
        assert (frame.weights > 0).sum(1).tolist() == [orders] * 12
        exact = model(torch.cdist(points, points)[None])
        error = (model(relabelled(distances, seeded(3))) - exact).abs().max()
        assert error < 2000 * torch.finfo(dtype).eps * float(exact.abs().max() + 1)

    def test_whole_numbers_are_exact_in_any_precision(self):
        """An adjacency matrix in half precision has the frame it has in double precision."""
        a = connected_graphs(6)[::10]
        S = er.Symmetric(6)
        frame = Spectral(max_frame=720)
        wide = frame(adjacency(S), a)
        for dtype in (torch.float16, torch.float32, torch.int64, torch.bool):
            assert torch.equal(frame(adjacency(S), a.to(dtype)).elements, wide.elements)
        assert frame(adjacency(S), a[:0]).elements.shape[0] == 0

    def test_two_matrices_without_names_are_both_seen(self):
        S = er.Symmetric(6)
        lengths = torch.rand(6, 6, generator=seeded(), dtype=F64)
        found = Spectral()(Record((adjacency(S), adjacency(S))), (RING[None], (lengths + lengths.T)[None]))
        assert found.elements.shape == (1, 1, 6)

    def test_errors_name_what_is_wrong(self):
        S = er.Symmetric(6)
        with pytest.raises(ArgumentError, match=r"max_frame = 120.*720"):
            Spectral()(adjacency(S), RING[None])
        with pytest.raises(ArgumentError, match=r"shape \(1, 6, 5\)"):
            er.symmetrize(OnMatrix(False), adjacency(S), S.scalar, frame=Spectral())(RING[None, :, :5])
        with pytest.raises(ArgumentError, match="finite"):
            Spectral()(adjacency(S), RING[None] * math.nan)
        with pytest.raises(ArgumentError, match="batch axis"):
            Spectral()(adjacency(S), RING)
        assert "adjacency" in Spectral().refuse(nodes(S))
        assert "all permutations" in Spectral().refuse(adjacency(er.Alternating(6)))
        for argument, options in (
            ("max_frame", {"max_frame": 0}),
            ("samples", {"samples": -1}),
            ("tolerance", {"tolerance": -1.0}),
        ):
            with pytest.raises(ArgumentError, match=f"'{argument}'"):
                Spectral(**options)


@needs_igraph
class TestCanonicalLabelling:
    def test_relabelled_graphs_have_one_canonical_form(self, graphs):
        S = er.Symmetric(graphs.shape[-1])
        some = graphs[:: max(1, len(graphs) // 500)]

        def canonical(a):
            return adjacency(S).act(S.inverse(CanonicalLabelling()(adjacency(S), a).elements[:, 0]), a)

        forms = canonical(some)
        assert torch.equal(forms, canonical(relabelled(some, seeded(1))))
        # Different graphs have different forms.
        assert len({tuple(f.flatten().tolist()) for f in forms}) == len(some)

    def test_one_evaluation_is_invariant_and_the_coset_equivariant(self):
        S = er.Symmetric(6)
        a = torch.cat([connected_graphs(6)[::6], RING[None]])
        once = er.symmetrize(OnMatrix(False), adjacency(S), S.scalar, frame=CanonicalLabelling())
        assert once.frames(a).elements.shape[1] == 1
        assert er.equivariance_error(once, a, adjacency(S), S.scalar, elements=10)["worst"] < 1e-12
        coset = er.symmetrize(OnMatrix(True), adjacency(S), nodes(S), frame=CanonicalLabelling(True, max_frame=720))
        assert er.equivariance_error(coset, a, adjacency(S), nodes(S), elements=10)["worst"] < 1e-10
        assert (coset.frames(RING[None]).weights > 0).sum() == 12  # the dihedral group

    def test_colours(self):
        S = er.Symmetric(6)
        x = {"nodes": torch.tensor([0.0, 1, 0, 0, 1, 0], dtype=F64).view(1, 6, 1), "adjacency": RING[None]}
        assert (CanonicalLabelling(True)(graph(S), x).weights > 0).sum() == 4
        check_frame(CanonicalLabelling(), graph(S), {name: part.expand(3, -1, -1) for name, part in x.items()})

    def test_outputs_of_nodes_need_the_symmetries(self):
        """A choice among the nodes of a ring, all alike, would give them different outputs."""
        S = er.Symmetric(6)
        inp = graph(S)
        for out in (nodes(S), adjacency(S), Record((S.scalar, nodes(S))), S.vector**2):
            for frame in (CanonicalLabelling(), Stochastic(CanonicalLabelling())):
                with pytest.raises(ArgumentError, match="symmetries=True") as caught:
                    er.symmetrize(nn.Identity(), inp, out, frame=frame)
                assert caught.value.argument == "frame"
        both = Together(er.Cyclic(3).scalar, inp.parts["adjacency"])
        with pytest.raises(ArgumentError, match="stage 1.*symmetries=True"):
            er.symmetrize(nn.Identity(), both, both, frame=InSequence(AllElements(), CanonicalLabelling()))
        model = er.symmetrize(OnMatrix(True), adjacency(S), nodes(S), frame=CanonicalLabelling(symmetries=True))
        y = model(RING[None])
        assert torch.allclose(y, y[:, :1].expand_as(y))
        pooled = er.symmetrize(OnMatrix(False), adjacency(S), 2 * S.scalar, frame=CanonicalLabelling(), check=False)
        assert pooled.frames(RING[None]).elements.shape == (1, 1, 6)

    @pytest.mark.parametrize("dtype", [torch.float32, F64])
    def test_colours_that_differ_by_rounding_are_one(self, dtype):
        S = er.Symmetric(6)
        x = {"nodes": torch.tensor([0.0, 1, 0, 0, 1, 0], dtype=dtype).view(1, 6, 1) + 0.1, "adjacency": RING[None].to(dtype)}
        x["nodes"][0, 1] += 4 * torch.finfo(dtype).eps
        assert (CanonicalLabelling(True)(graph(S), x).weights > 0).sum() == 4
        assert CanonicalLabelling()(graph(S), {name: part[:0] for name, part in x.items()}).elements.shape == (0, 1, 6)

    def test_errors_name_what_is_wrong(self):
        S = er.Symmetric(6)
        with pytest.raises(ArgumentError, match="zeros and ones"):
            CanonicalLabelling()(adjacency(S), 0.5 * RING[None])
        with pytest.raises(ArgumentError, match="one with 12"):
            CanonicalLabelling(True, max_frame=11)(adjacency(S), RING[None])


class TestDistinct:
    @needs_igraph
    def test_a_graph_is_evaluated_once_for_each_canonical_form(self):
        S, calls = er.Symmetric(6), []

        class Counting(OnMatrix):
            def forward(self, a):
                calls.append(len(a))
                return super().forward(a)

        frame = CanonicalLabelling(True)
        plain = er.symmetrize(OnMatrix(True), adjacency(S), nodes(S), frame=frame)
        once = er.symmetrize(Distinct(Counting(True)), adjacency(S), nodes(S), frame=frame, check=False)
        assert torch.allclose(once(RING[None]), plain(RING[None]), atol=1e-14)
        assert calls == [1]

    def test_a_flat_molecule_has_four_forms_and_eight_elements(self):
        G, calls = er.E(3), []

        class Counting(nn.Module):
            def forward(self, x):
                calls.append(len(x))
                return torch.tanh(x @ torch.arange(9, dtype=F64).view(3, 3)).sum(1)

        flat = torch.randn(1, 6, 3, generator=seeded(), dtype=F64) * torch.tensor([1.0, 1.0, 0.0], dtype=F64)
        turned = G.point.act(G.sample(1, generator=seeded(1), dtype=F64), flat)
        model = er.symmetrize(Distinct(Counting(), tolerance=1e-9), G.point, G.vector, check=False)
        whole = er.symmetrize(Counting(), G.point, G.vector, check=False)
        assert torch.allclose(model(turned), whole(turned), atol=1e-9)
        assert calls == [4, 8]

    def test_arguments_without_rows_are_shared(self):
        class Scaled(nn.Module):
            def forward(self, x, scale, *, other=None):
                return {"y": x * scale, "n": len(x)}

        x = torch.tensor([[1, 2], [1, 2], [3, 4]])
        found = Distinct(Scaled())(x, 2.0)
        assert found["n"] == 2
        assert torch.equal(found["y"], 2 * x)
        with pytest.raises(ArgumentError, match="leading batch axis"):
            Distinct(Scaled())(1.0, 2.0)


def test_pairs_that_colours_cannot_tell_apart(graphs):
    """On 8 nodes 312 pairs; on 7, 17."""
    assert len(alike(graphs)) == (312 if graphs.shape[-1] == 8 else 17)
    assert len(alike(connected_graphs(5))) == 0
