"""What is easily got wrong by hand: steps, shapes, padding, precision, and loops of one's own, each with the right value or refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.generate import Categorical, Diffusion, Gaussian, Process, Together, WrappedNormal
from erlangen.generate.rows import Rows
from erlangen.training import TrainingConfig

F64 = torch.float64


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Constant(nn.Module):
    """Says the same of every number."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.said = nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.said.to(x.dtype if x.is_floating_point() else self.said.dtype).expand(len(x), *self.said.shape)


def cases() -> list[tuple[Process, Tensor, Tensor]]:
    rng = generator()
    return [
        (Gaussian(schedule=9), torch.randn(3, 4, generator=rng), torch.randn(3, 4, generator=rng)),
        (WrappedNormal(schedule=9), torch.rand(3, 4, generator=rng), torch.randn(3, 4, generator=rng)),
        (Categorical(5, schedule=9), torch.randint(5, (3, 4), generator=rng), torch.randn(3, 4, 5, generator=rng)),
    ]


@pytest.mark.parametrize(("process", "x", "said"), cases())
def test_there_is_no_way_back_but_to_a_step_before(process: Process, x: Tensor, said: Tensor) -> None:
    steps = torch.tensor([4, 5, 6])
    for t, s, name in (
        (steps, steps, "'s'"),
        (steps - 2, steps, "'s'"),
        (steps, -steps, "'s'"),
        (-steps, steps - 9, "'t'"),
        (steps * 0, steps * 0, "'t'"),
        (steps[:1], steps[:1] * 0, "'t'"),
        (steps, steps[:1] * 0, "'s'"),
    ):
        for call in (
            lambda t=t, s=s: process.reverse(x, said, t, s),
            lambda t=t, s=s: process.step_nats(x, x, said, t, s),
            lambda t=t, s=s: process.log_law(x, x, t, s),
        ):
            with pytest.raises(ArgumentError, match=name):
                call()
    with pytest.raises(ArgumentError, match="'t'"):
        process.noise(x, steps[:1])


@pytest.mark.parametrize(("process", "x", "said"), cases())
@pytest.mark.parametrize("at", [1, -1])
def test_a_network_whose_output_would_be_shared_is_refused(process: Process, x: Tensor, said: Tensor, at: int) -> None:
    t, s, less = torch.tensor([4, 5, 6]), torch.tensor([1, 0, 2]), said.narrow(at, 0, 1)
    x_t, target = process.noise(x, t, generator=generator())
    for call in (
        lambda: process.loss(less, target, x_t, t),
        lambda: process.reverse(x_t, less, t, s),
        lambda: process.step_nats(x, x_t, less, t, s),
        lambda: Diffusion(process, Constant(*less.shape[1:])).sample(x),
        lambda: Diffusion(process, Constant(*less.shape[1:])).loss(x),
    ):
        with pytest.raises(ArgumentError, match="prediction"):
            call()


@pytest.mark.parametrize(("process", "x", "said"), cases())
def test_no_data_have_no_samples_and_no_bounds(process: Process, x: Tensor, said: Tensor) -> None:
    model = Diffusion(process, Constant(*said.shape[1:]))
    assert model.sample(x[:0]).shape == (0, 4)
    assert model.log_likelihood_bound(x[:0]).nats.shape == (0,)


def test_a_class_is_not_drawn_from_logits_that_are_no_numbers() -> None:
    process, x, said = cases()[2]
    t, s = torch.tensor([4, 5, 6]), torch.tensor([1, 0, 2])
    for wrong in (torch.nan, -torch.inf, torch.inf):
        broken = said.clone()
        broken[1, 2] = wrong
        with pytest.raises(ArgumentError, match="logits"):
            process.reverse(x, broken, t, s)
        mask = torch.ones(3, 4, dtype=torch.bool)
        mask[1, 2] = False
        assert int(process.reverse(x, broken, t, s, rows=Rows(3, mask=mask))[1, 2]) == 0
    with pytest.raises(ArgumentError, match="int64"):
        process.prior(x.float())


def test_half_precision_sums_and_bounds_are_those_of_its_numbers() -> None:
    """Sums of thousands of ones do not stop at 256, and bounds are computed in float32."""
    ragged = Rows(2, torch.tensor([0, 1]).repeat_interleave(3000))
    for dtype in (torch.float16, torch.bfloat16):
        assert ragged.count(torch.ones(6000, 1, dtype=dtype)).tolist() == [3000, 3000]
        points = torch.tensor([0, 1], dtype=dtype).repeat(3000)[:, None]
        assert float((ragged.centred(points).abs() - 0.5).abs().max()) == 0
    t, s = torch.tensor([1, 9]), torch.tensor([0, 4])
    for process, x, said in (
        (Gaussian(schedule=9), torch.randn(2, 500, generator=generator()), torch.randn(2, 500, generator=generator(1))),
        (Categorical(1000, schedule=9), torch.arange(100).view(2, 50), torch.randn(2, 50, 1000, generator=generator(1))),
    ):
        x, said = (x.half() if x.is_floating_point() else x), said.half()
        x_t, _ = process.noise(x, t, generator=generator())
        full = [v.double() if v.is_floating_point() else v for v in (x, x_t, said)]
        found, wanted = process.step_nats(x, x_t, said, t, s), process.step_nats(*full, t, s)
        torch.testing.assert_close(found.double(), wanted.double(), rtol=1e-5, atol=1e-5)  # float32
    for narrow in (Gaussian(schedule=1000), WrappedNormal(schedule=1000)):  # the first noise is less than rounding
        x = torch.rand(2, 3, dtype=torch.bfloat16)
        with pytest.raises(ArgumentError, match="precision"):
            narrow.step_nats(x, x, x, t, s)


class Parts(nn.Module):
    """Says something of points, coordinates and classes."""

    def __init__(self) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.tensor(0.5, dtype=F64))

    def forward(self, *, t: Tensor, pos: Tensor, frac: Tensor, kind: Tensor, there: Tensor) -> dict[str, Tensor]:
        nothing = torch.where(there, 0.0, torch.nan)[..., None]  # what is said of nothing does not matter
        logits = nn.functional.one_hot(kind, 3).to(pos)
        return {"pos": self.share * pos + nothing, "frac": self.share * frac + nothing, "kind": self.share * logits + nothing}


def test_what_stands_where_nothing_is_does_not_matter() -> None:
    names = dict.fromkeys(("pos", "frac", "kind"), "there")
    process = Together(
        {"pos": Gaussian(schedule=6, centred=True), "frac": WrappedNormal(schedule=6), "kind": Categorical(3, schedule=6)},
        masks=names,
    )
    rng = generator()
    there = torch.tensor([[True, True, True], [True, False, False], [False, False, False]])
    clean: dict[str, Tensor] = {
        "pos": torch.randn(3, 3, 2, dtype=F64, generator=rng) * there[..., None],
        "frac": torch.rand(3, 3, 2, dtype=F64, generator=rng) * there[..., None],
        "kind": torch.randint(3, (3, 3), generator=rng) * there,
        "there": there,
    }
    padded = {
        "pos": clean["pos"].masked_fill(~there[..., None], torch.nan),
        "frac": clean["frac"].masked_fill(~there[..., None], torch.nan),
        "kind": clean["kind"].masked_fill(~there, -1),
        "there": there,
    }
    model = Diffusion(process, Parts(), average=0)
    found: list[Any] = []
    for data in (clean, padded):
        loss = model.loss(data, generator=generator())
        (slope,) = torch.autograd.grad(loss, model.network.share)
        bound = model.log_likelihood_bound(data, generator=generator())
        made = model.sample(data, fixed={"frac": True}, generator=generator())
        assert torch.equal(made["frac"], clean["frac"])
        found.append((loss, slope, bound.nats, made["pos"], made["kind"]))
    for first, second in zip(*found):
        assert torch.equal(first, second)
        assert not bool(first.isnan().any())
    assert float(found[0][2][2]) == 0  # a datum of nothing is certain
    model.fit(padded, TrainingConfig(steps=1, batch_size=3), quiet=True)


def test_batches_hold_all_data_or_say_which_they_cannot() -> None:
    process = Together({"pos": Gaussian(schedule=9)}, segments={"pos": "of"})
    some, none = torch.zeros(2, 3), torch.zeros(0, 3)
    assert process.size(process.collate([{"pos": none}, {"pos": some}])) == 2
    assert process.size(process.collate([{"pos": some, "charge": 1}, {"pos": none, "charge": 0}])) == 2
    for data, said in (
        ([{"pos": some}, {"pos": none}], "no rows"),
        ([{"pos": some, "charge": 1}, {"pos": some}], "same names"),
        ([{"pos": some}, {"pos": some, "charge": 1}], "same names"),
        ([{"pos": some, "charge": None}], "numbers"),
        ([{"pos": some, "of": torch.zeros(2, dtype=torch.int64)}], "without segments"),
    ):
        with pytest.raises(ArgumentError, match=said):
            process.collate(data)
    for segment in ([-1, 1], [0, 2]):
        with pytest.raises(ArgumentError, match="segment"):
            process.noise({"pos": some, "of": torch.tensor(segment), "charge": torch.zeros(2)}, torch.tensor([1, 2]))
    with pytest.raises(ArgumentError, match="weights"):
        Together({"pos": Gaussian(schedule=9)}, weights={"pos": -1.0})


def test_the_average_follows_a_loop_of_ones_own_and_answers_only_then() -> None:
    model = Diffusion(Gaussian(schedule=9, prediction="start"), Constant(2))
    x, ones = torch.ones(64, 2), torch.tensor([3, 3])
    with torch.no_grad():
        model.network.said.fill_(5.0)  # weights from elsewhere
    assert torch.equal(model.eval()(x[:2], ones), torch.full((2, 2), 5.0))
    model.train()
    optimizer = torch.optim.SGD(model.network.parameters(), 0.5)
    for _ in range(60):
        optimizer.zero_grad()
        model.loss(x, generator=generator()).backward()
        optimizer.step()
    assert float((model.eval()(x[:2], ones) - 1).abs().max()) < 0.1
    with pytest.raises(ArgumentError, match="average"):
        Diffusion(Gaussian(schedule=9), Constant(2)).bfloat16().fit(x.bfloat16(), TrainingConfig(steps=2), quiet=True)


def test_guides_and_correctors_that_do_nothing_are_refused() -> None:
    model = Diffusion(Gaussian(schedule=9), Constant(2))
    x = torch.zeros(3, 2)
    for guide in (lambda x, t: torch.zeros(3), lambda x, t: x.detach().sum(1)):
        with pytest.raises(ArgumentError, match="guide"):
            model.sample(x, guide=guide)
    with pytest.raises(ArgumentError, match="corrector"):
        model.sample(x, corrector=float("nan"))
    here = model.sample(x, guide=lambda x, t: -x.square().sum(1), generator=generator())
    with torch.inference_mode():
        assert torch.equal(model.sample(x, guide=lambda x, t: -x.square().sum(1), generator=generator()), here)


def test_rare_classes_are_drawn_whatever_the_default_precision() -> None:
    """Numbers between 0 and 1 are too coarse in bfloat16 to tell one in ten thousand."""
    process, n = Categorical(2, torch.tensor([0.9999, 0.0001]), 3), 400_000
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        made = process.prior(torch.zeros(n, dtype=torch.int64), generator=generator())
    finally:
        torch.set_default_dtype(before)
    assert abs(int(made.sum()) - 40) < 5 * 40**0.5
