"""The mathematics of adapted matrices: both forms, norms, gauges, gradients."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from erlangen.errors import ArgumentError
from erlangen.parameters.adapters import AdapterConfig, BoraConfig, DoraConfig, LoraConfig, get_peft_model
from erlangen.parameters.adapters.apply import apply_adapter, branches
from erlangen.parameters.adapters.factors import Factors
from erlangen.parameters.adapters.gauge import AdapterGauge
from erlangen.parameters.adapters.norms import col_squares, lengths, row_squares
from erlangen.parameters.adapters.slots import Slot
from erlangen.parameters.hidden import batch_functional_dimension

METHODS = ["lora", "dora", "dora-in", "bora", "bora-col", "magnitude"]


def config_of(method, r=3, **more):
    name, _, how = method.partition("-")
    side = {"in": {"dora_axis": "in"}, "col": {"first": "col"}}.get(how, {})
    return AdapterConfig(method=name, r=r, **side, **more)


def factors_of(method, out=6, inp=5, r=3, parts=1, blurred=True, seed=0, **more):
    generator = torch.Generator().manual_seed(seed)
    w = torch.randn(*((parts,) if parts > 1 else ()), out, inp, generator=generator, dtype=torch.float64)
    config = config_of(method, r, **more)
    rank = config.rank("x")
    factors = Factors(Slot("weight", (parts * out, inp), parts=parts), config, rank, config.scaling(rank), w)
    if blurred:
        with torch.no_grad():
            for p in factors.parameters():
                p += torch.rand(p.shape, generator=generator, dtype=torch.float64)
    return w, factors


def dense(w, factors):
    """The definition, word for word."""
    v = w + factors.scaling * factors.lora_B @ factors.lora_A
    for side in factors.sides:
        axis = -1 if side == "row" else -2
        m = getattr(factors, f"magnitude_{side}").unsqueeze(axis)
        v = m * v / v.norm(dim=axis, keepdim=True)
    return v


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("method", METHODS)
def test_the_start_is_the_given_matrix(method, parts):
    w, factors = factors_of(method, blurred=False, parts=parts)
    assert float((factors.matrix(w) - w).norm()) <= 1e-14 * float(w.norm())


@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("method", METHODS)
def test_matrix_and_branch_are_the_definition(method, parts, detach):
    w, factors = factors_of(method, parts=parts, detach_norms=detach)
    expected = dense(w, factors)
    torch.testing.assert_close(factors.matrix(w), expected, atol=1e-12, rtol=1e-12)
    for batch in ((), (0,), (1,), (4, 2)):
        x = torch.randn(*batch, 5, dtype=torch.float64)
        y = apply_adapter(x, w, None, factors, nn.Identity())
        torch.testing.assert_close(y, F.linear(x, expected.flatten(0, -2)), atol=1e-12, rtol=1e-12)


def test_dropout_is_on_the_low_rank_branch_alone():
    w, factors = factors_of("bora")
    x = torch.randn(7, 5, dtype=torch.float64)
    mask = (torch.rand(7, 5) > 0.4).double() / 0.6

    class Masked(nn.Module):
        def forward(self, t):
            return t * mask

    d, c = (factors.scales(w)[side] for side in ("row", "col"))
    expected = d * (F.linear(c * x, w) + factors.scaling * F.linear(mask * c * x, factors.lora_B @ factors.lora_A))
    torch.testing.assert_close(apply_adapter(x, w, None, factors, Masked()), expected, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("first", ["row", "col"])
def test_the_last_side_has_its_magnitudes(first):
    w, factors = factors_of("bora" if first == "row" else "bora-col")
    m, axis = (factors.magnitude_col, 0) if first == "row" else (factors.magnitude_row, 1)
    torch.testing.assert_close(factors.matrix(w).norm(dim=axis), m.abs(), atol=1e-12, rtol=1e-12)


def test_row_first_is_column_first_of_the_transposed_matrix():
    w, factors = factors_of("bora", out=6, inp=5)
    _, mirror = factors_of("bora-col", out=5, inp=6)
    with torch.no_grad():
        mirror.lora_A.copy_(factors.lora_B.T)
        mirror.lora_B.copy_(factors.lora_A.T)
        mirror.magnitude_row.copy_(factors.magnitude_col)
        mirror.magnitude_col.copy_(factors.magnitude_row)
    torch.testing.assert_close(mirror.matrix(w.T), factors.matrix(w).T, atol=1e-13, rtol=1e-13)


@pytest.mark.parametrize("r", [0, 1, 8, 64])
@pytest.mark.parametrize("inp", [1, 3, 64, 257])
@pytest.mark.parametrize("out", [1, 3, 64, 257])
def test_factored_and_blockwise_norms_are_those_of_the_matrix(out, inp, r):
    generator = torch.Generator().manual_seed(out + inp + r)
    w, a, b = (torch.randn(*s, generator=generator, dtype=torch.float64) for s in ((out, inp), (r, inp), (out, r)))
    m, n = (torch.rand(k, generator=generator, dtype=torch.float64) + 0.1 for k in (out, inp))
    v = w + 0.7 * b @ a
    # relative to what is added, for w + s b a may cancel
    whole = w.abs() + 0.7 * b.abs() @ a.abs()
    assert bool(((row_squares(w, a, b, 0.7).sqrt() - v.norm(dim=1)).abs() <= 1e-12 * whole.norm(dim=1)).all())
    turned, whole = (m[:, None] * v).norm(dim=0), m[:, None] * whole
    assert bool(((col_squares(w, a, b, 0.7, m).sqrt() - turned).abs() <= 1e-12 * whole.norm(dim=0)).all())
    rows, columns = lengths(w, a, b, 0.7, [("row", m), ("col", n)])
    torch.testing.assert_close(rows, v.norm(dim=1), rtol=1e-12, atol=0)
    torch.testing.assert_close(columns, (m[:, None] * v / rows[:, None]).norm(dim=0), rtol=1e-12, atol=0)
    columns, rows = lengths(w, a, b, 0.7, [("col", n), ("row", m)])
    torch.testing.assert_close(columns, v.norm(dim=0), rtol=1e-12, atol=0)
    torch.testing.assert_close(rows, (n * v / columns).norm(dim=1), rtol=1e-12, atol=0)


@pytest.mark.parametrize("method", ["dora", "dora-in", "bora", "bora-col"])
def test_true_gradients_are_finite_differences(method):
    w, factors = factors_of(method, out=4, inp=3, r=2, detach_norms=False)
    names, values = zip(*((n, p.detach().clone().requires_grad_()) for n, p in factors.named_parameters()))
    x = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)

    def f(x, *ps):
        def through(module, *_):
            return apply_adapter(x, w, None, module, nn.Identity())

        class Call(nn.Module):
            def __init__(self):
                super().__init__()
                self.f = factors

            def forward(self):
                return through(self.f)

        return torch.func.functional_call(Call(), {f"f.{n}": p for n, p in zip(names, ps)}, ())

    assert torch.autograd.gradcheck(f, (x, *values), eps=1e-6, atol=1e-6)


@pytest.mark.parametrize("method", ["dora", "bora", "bora-col"])
def test_detached_gradients_are_those_with_frozen_norms(method):
    w, factors = factors_of(method)
    norms = lengths(w, factors.lora_A, factors.lora_B, factors.scaling, factors.magnitudes())
    x = torch.randn(7, 5, dtype=torch.float64)
    weight = torch.randn(7, 6, dtype=torch.float64)
    ps = list(factors.parameters())
    got = torch.autograd.grad((weight * apply_adapter(x, w, None, factors, nn.Identity())).sum(), ps)
    v = w + factors.scaling * factors.lora_B @ factors.lora_A
    for (side, m), n in zip(factors.magnitudes(), norms):
        v = (m / n)[:, None] * v if side == "row" else v * (m / n)
    expected = torch.autograd.grad((weight * F.linear(x, v)).sum(), ps)
    for a, b in zip(got, expected):
        torch.testing.assert_close(a, b, atol=1e-11, rtol=1e-11)


@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(1, 5), (6, 1), (1, 1), (6, 5)])
def test_zero_rows_and_columns_give_no_nan(method, shape, detach):
    config = config_of(method, 2, detach_norms=detach)
    w = torch.randn(*shape)
    w[0] = 0
    w[:, 0] = 0
    rank = config.rank("x")
    factors = Factors(Slot("weight", shape), config, rank, config.scaling(rank), w)
    x = torch.randn(4, shape[1], requires_grad=True)
    y = apply_adapter(x, w, None, factors, nn.Identity())
    torch.testing.assert_close(y, F.linear(x, w), atol=1e-5, rtol=1e-5)
    y.square().sum().backward()
    assert bool(torch.isfinite(x.grad).all())
    assert all(bool(torch.isfinite(p.grad).all()) for p in factors.parameters() if p.grad is not None)


def test_rank_zero_trains_magnitudes_alone():
    w, factors = factors_of("bora", r=0)
    torch.testing.assert_close(factors.matrix(w), dense(w, factors), atol=1e-12, rtol=1e-12)
    assert sum(p.numel() for p in factors.parameters()) == 6 + 5
    with pytest.raises(ArgumentError, match="a rank from 1 on"):
        LoraConfig(r=0)


@pytest.mark.parametrize(("make", "count"), [(LoraConfig, 4 * 18), (DoraConfig, 4 * 18 + 10), (BoraConfig, 4 * 18 + 18)])
def test_parameter_counts(make, count):
    model = get_peft_model(nn.Sequential(nn.Linear(8, 10)), make(r=4))
    assert model.get_nb_trainable_parameters() == (count, count + 90)


def test_half_precision_of_the_base():
    torch.manual_seed(0)
    base = nn.Sequential(nn.Linear(64, 96))
    model = get_peft_model(base, BoraConfig(r=4))
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p += 0.05 * torch.rand_like(p)
    x = torch.randn(32, 64)
    expected = model(x)
    layer = model.base_model[0]
    layer.base_layer.to(torch.bfloat16)
    assert layer.adapters["default"]["weight"].lora_A.dtype == torch.float32
    got = model(x.bfloat16())
    assert got.dtype == torch.bfloat16
    assert float((got.float() - expected).norm() / expected.norm()) <= 2e-2
    (rows, _) = lengths(layer.base_layer.weight.detach(), *(t.detach() for t in (
        layer.adapters["default"]["weight"].lora_A, layer.adapters["default"]["weight"].lora_B)),
        layer.adapters["default"]["weight"].scaling, layer.adapters["default"]["weight"].magnitudes())  # fmt: skip
    assert rows.dtype == torch.float32


class AsMap(nn.Module):
    """The map from parameters to the adapted matrix, as a module: W' of unit vectors."""

    def __init__(self, w, factors):
        super().__init__()
        self.factors, self.w = factors, w

    def forward(self, x):
        return F.linear(x, self.factors.matrix(self.w.to(x)))


@pytest.mark.parametrize(
    ("method", "parameters", "dimension", "start"), [("lora", 30, 26, 16), ("dora", 38, 34, 24), ("bora", 45, 40, 30)]
)
def test_functional_dimensions(method, parameters, dimension, start):
    """r (o + i - r), + o, + o + i - 1; at B = 0 r o, + o, + o + i - 1 (o = 8, i = 7, r = 2)."""
    eye = torch.eye(7, dtype=torch.float64)
    for blurred, expected in ((True, dimension), (False, start)):
        w, factors = factors_of(method, out=8, inp=7, r=2, blurred=blurred, detach_norms=False)
        found = batch_functional_dimension(AsMap(w, factors), eye, method="svd")
        assert (found.num_params, found.dim) == (parameters, expected)
        gauge = AdapterGauge(factors).orbit_dimension(dict(factors.named_parameters()))
        assert gauge == 4 + (method == "bora")
        assert not blurred or parameters - gauge == dimension


@pytest.mark.parametrize("method", METHODS)
def test_the_gauge_leaves_the_matrix_alone(method):
    w, factors = factors_of(method)
    gauge = AdapterGauge(factors)
    ps = {n: p.detach() for n, p in factors.named_parameters()}
    expected = factors.matrix(w)
    for seed in range(5):
        g = gauge.group.sample(generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        moved = gauge.act(g, ps)
        assert any(not torch.equal(moved[n], ps[n]) for n in ps)
        got = torch.func.functional_call(AsMap(w, factors), {f"factors.{n}": p for n, p in moved.items()}, torch.eye(5).double()).mT
        torch.testing.assert_close(got, expected, atol=1e-12, rtol=1e-10)


def test_tripled_magnitudes_and_scaled_rows_leave_bora_alone():
    w, factors = factors_of("bora")
    expected = factors.matrix(w).detach()
    with torch.no_grad():
        factors.magnitude_row *= 3
        torch.testing.assert_close(factors.matrix(w), expected, atol=1e-13, rtol=0)
        factors.lora_B[2] *= 5
    w[2] *= 5
    torch.testing.assert_close(factors.matrix(w), expected, atol=1e-13, rtol=0)


@pytest.mark.parametrize("dead", [False, True])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("method", ["lora", "dora", "dora-in", "bora"])
def test_many_inputs_at_once_are_the_branches(method, biased, dead):
    """Values, first and second derivatives, also where a magnitude is zero."""
    w, factors = factors_of(method, detach_norms=False)
    if dead:
        with torch.no_grad():
            for side in factors.sides:
                getattr(factors, f"magnitude_{side}")[1] = 0
    bias = torch.randn(6, dtype=torch.float64, requires_grad=True) if biased else None
    x = torch.randn(300, 5, dtype=torch.float64, requires_grad=True)
    leaves = [x, *factors.parameters(), *([bias] if biased else [])]
    found = []
    for how in ("at once", "branches"):
        if how == "at once":
            y = apply_adapter(x, w, bias, factors, nn.Identity())
            assert "AtOnce" in y.grad_fn.name()
        else:
            s = factors.scales(w)
            y = branches(x, w, factors.lora_A, factors.lora_B, s.get("row"), s.get("col"), bias, factors.scaling)
        first = torch.autograd.grad(y.sin().sum(), leaves, retain_graph=True)
        graph = torch.autograd.grad(y.sin().sum(), leaves, create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in graph), leaves)
        found.append((y, *first, *graph, *second))
    for p, q in zip(*found):
        torch.testing.assert_close(p, q, atol=1e-9, rtol=1e-9)


def test_nothing_of_the_size_of_the_matrix_is_kept():
    model = get_peft_model(nn.Sequential(nn.Linear(96, 128)), BoraConfig(r=4))
    frozen = {p.untyped_storage().data_ptr() for p in model.parameters() if not p.requires_grad}
    kept = {}

    def pack(t):
        if t.untyped_storage().data_ptr() not in frozen:
            kept[t.untyped_storage().data_ptr()] = t.numel()
        return t

    x = torch.randn(600, 96, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        y = model(x)
    own = {x.untyped_storage().data_ptr(), y.untyped_storage().data_ptr()}
    assert own <= kept.keys()
    assert max(n for k, n in kept.items() if k not in own) < 96 * 128 / 4
