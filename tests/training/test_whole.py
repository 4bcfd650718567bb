"""What must be restored for a training to go on with the same bits: buffers, extra state, and every generator that is drawn from."""

import functools
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset, IterableDataset

from erlangen.errors import ArgumentError
from erlangen.training import TrainingConfig, train, train_members
from erlangen.training.randomness import generators_of
from erlangen.training.whole import restore, whole_state

CONFIG = TrainingConfig(steps=12, batch_size=8, lr=0.01, checkpoint_every=3)
X = torch.randn(24, 3, generator=torch.Generator().manual_seed(0))
Y = X.sum(1, keepdim=True)
SHARED = np.random.default_rng(5)


def squares(model, x, y):
    return (model(x) - y).square().mean()


def breaking(loss, after):
    """The loss, until the process "is killed"."""
    calls = 0

    @functools.wraps(loss)
    def counted(model, *batch):
        nonlocal calls
        calls += torch.is_grad_enabled()
        if calls > after:
            raise RuntimeError("killed")
        return loss(model, *batch)

    return counted


def gap(make, data, directory, loss=squares, config=CONFIG, **options):
    """How far the weights of a training that was killed twice are from those of one that was not."""

    def fresh():
        torch.manual_seed(1)
        return make()

    whole, parts = fresh(), fresh()
    train(whole, data(), loss, config, quiet=True, **options)
    for after in (5, 4):
        with pytest.raises(RuntimeError, match="killed"):
            train(fresh(), data(), breaking(loss, after), config, quiet=True, checkpoint=directory, **options)
    train(parts, data(), loss, config, quiet=True, checkpoint=directory, **options)
    one, two = whole_state(whole), whole_state(parts)
    assert one.keys() == two.keys()
    assert float((next(whole.parameters()) - next(fresh().parameters())).abs().max()) > 1e-4  # something was learnt
    return max(float((one[name].double() - two[name].double()).abs().max()) for name in one)


class Centred(nn.Module):
    """A running mean in a buffer that is not persistent."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 1)
        self.register_buffer("mean", torch.zeros(3), persistent=False)

    def forward(self, x):
        if self.training:
            self.mean.mul_(0.9).add_(x.detach().mean(0), alpha=0.1)
        return self.linear(x - self.mean)


class Counting(nn.Module):
    """A step number as extra state."""

    def __init__(self):
        super().__init__()
        self.linear, self.calls = nn.Linear(3, 1), 0

    def forward(self, x):
        self.calls += self.training
        return self.linear(x) * (1 + 0.1 * self.calls)

    def get_extra_state(self):
        return {"calls": self.calls}

    def set_extra_state(self, state):
        self.calls = state["calls"]


class Noisy(nn.Module):
    """Noise from a generator of its own."""

    def __init__(self):
        super().__init__()
        self.linear, self.generator = nn.Linear(3, 1), torch.Generator().manual_seed(3)

    def forward(self, x):
        return self.linear(x + 0.3 * torch.randn(x.shape, generator=self.generator) if self.training else x)


@pytest.mark.parametrize("make", [Centred, Counting, Noisy])
@pytest.mark.parametrize("validation", [None, (X[:6], Y[:6])], ids=["last", "best"])
def test_the_whole_state_of_a_model_is_resumed(make, validation, tmp_path):
    assert gap(make, lambda: (X, Y), tmp_path, validation=validation) == 0


class Augmented(Dataset):
    """Samples that are shifted by a random number, which a subclass draws."""

    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        return X[i] + self.draw(), Y[i]


class InList(Augmented):
    def __init__(self):
        self.generators = [np.random.default_rng(3)]

    def draw(self):
        return float(self.generators[0].normal())


class Transform:
    def __init__(self):
        self.random = random.Random(3)

    def __call__(self):
        return self.random.random()


class InTransform(Augmented):
    def __init__(self):
        self.draw = Transform()


class InClosure(Augmented):
    def __init__(self):
        own = random.Random(3)
        self.draw = lambda: own.random()


class InPartial(Augmented):
    def __init__(self):
        self.draw = functools.partial(lambda rng: float(rng.normal()), np.random.RandomState(3))


class OfModule(Augmented):
    def draw(self):
        return float(SHARED.normal())


class OfClass(Augmented):
    generator = random.Random(5)

    def draw(self):
        return self.generator.random()


class InSlot(Augmented):
    __slots__ = ("generator",)

    def __init__(self):
        self.generator = torch.Generator().manual_seed(2)

    def draw(self):
        return float(torch.rand((), generator=self.generator))


@pytest.mark.parametrize("kind", [InList, InTransform, InClosure, InPartial, OfModule, OfClass, InSlot])
def test_generators_are_found_wherever_a_data_set_keeps_them(kind, tmp_path):
    assert len(generators_of(kind())) == 1
    assert gap(lambda: nn.Linear(3, 1), kind, tmp_path) == 0


def test_generators_of_a_loss_are_found(tmp_path):
    own = np.random.default_rng(0)

    def closing(model, x, y):
        return squares(model, x + float(own.normal()), y)

    def naming(model, x, y):
        return squares(model, x + float(SHARED.normal()), y)

    before = SHARED.bit_generator.state
    for i, loss in enumerate((closing, naming)):
        assert gap(lambda: nn.Linear(3, 1), lambda: (X, Y), tmp_path / str(i), loss=loss) == 0
    assert SHARED.bit_generator.state == before  # the caller's state is given back


def test_a_generator_without_a_state_is_left_alone():
    assert generators_of({"a": random.SystemRandom(), "b": [1, "text", None]}) == []


def test_tuples_without_a_length_are_looked_through():
    """Irreps of e3nn are such."""

    class Silent(tuple):
        def __len__(self):
            raise NotImplementedError

    assert generators_of(Silent((SHARED, 1))) == [SHARED]


class Counter(Augmented):
    """What it says depends on how often it was asked."""

    def __init__(self):
        self.asked = 0

    def draw(self):
        self.asked += 1
        return 0.1 * self.asked


class Running(Augmented):
    def __init__(self):
        numbers = iter(range(10**6))
        self.draw = lambda: 0.1 * next(numbers)


@pytest.mark.parametrize("kind", [Counter, Running])
def test_samples_that_change_by_themselves_are_told(kind, tmp_path):
    with pytest.warns(UserWarning, match=f"{kind.__name__} gives other samples each time"):
        train(nn.Linear(3, 1), kind(), squares, CONFIG, quiet=True, checkpoint=tmp_path)
    with pytest.warns(UserWarning, match=f"{kind.__name__} gives other samples each time"):
        train_members(lambda seed: nn.Linear(3, 1), [0], kind(), squares, CONFIG, quiet=True, checkpoint=tmp_path / "members")


class Named(Dataset):
    """Samples as dictionaries, with text."""

    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        return {"x": X[i], "y": Y[i], "name": "a"}


def test_samples_may_be_dictionaries():
    torch.manual_seed(1)
    plain, named = nn.Linear(3, 1), nn.Linear(3, 1)
    named.load_state_dict(plain.state_dict())
    train(plain, (X, Y), squares, CONFIG, quiet=True)
    train(named, Named(), lambda m, b: squares(m, b["x"], b["y"]), CONFIG, quiet=True)
    assert torch.equal(plain.weight, named.weight)


class Lines(IterableDataset):
    def __len__(self):
        return 4

    def __iter__(self):
        return iter(X)


@pytest.mark.parametrize(
    ("make", "data", "loss", "argument", "said"),
    [
        (lambda: nn.Linear(3, 1), (X, Y), lambda m, x, y: (m(x) - y).square()[:, 0], "loss", "shape \\[8\\]"),
        (lambda: nn.Linear(3, 1), (X, Y), lambda m, x, y: 1.0, "loss", "float"),
        (lambda: nn.Linear(3, 1), (X, Y), lambda m, x, y: y.mean(), "loss", "constant"),
        (lambda: nn.Linear(3, 1), (X, Y), lambda m, x, y: m(x).sum() * 1j, "loss", "complex64"),
        (nn.Identity, (X, Y), squares, "model", "none that wants a gradient"),
        (lambda: nn.LazyLinear(1), (X, Y), squares, "model", "'weight' without one"),
        (lambda: nn.Linear(3, 1), Lines(), squares, "data", "Lines"),
    ],
)
def test_what_cannot_be_trained_is_named(make, data, loss, argument, said):
    with pytest.raises(ArgumentError, match=f"'{argument}'.*{said}"):
        train(make(), data, loss, CONFIG, quiet=True)


def test_a_loss_of_one_entry_is_one_number():
    torch.manual_seed(1)
    one, two = nn.Linear(3, 1), nn.Linear(3, 1)
    two.load_state_dict(one.state_dict())
    train(one, (X, Y), squares, CONFIG, quiet=True)
    train(two, (X, Y), lambda m, x, y: squares(m, x, y).reshape(1), CONFIG, quiet=True)
    assert torch.equal(one.weight, two.weight)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lr", float("nan")),
        ("lr", float("inf")),
        ("clip", float("nan")),
        ("weight_decay", float("nan")),
        ("steps", 2.5),
        ("seed", 1.5),
    ],
)
def test_settings_that_are_no_numbers_of_their_kind_are_refused(name, value):
    with pytest.raises(ArgumentError, match=f"'{name}'"):
        TrainingConfig(**{name: value})


def test_extra_state_that_cannot_be_written_is_refused(tmp_path):
    net = Counting()
    net.get_extra_state = lambda: {"calls": (1, 2)}
    with pytest.raises(ArgumentError, match="'model'.*_extra_state"):
        train(net, (X, Y), squares, CONFIG, quiet=True, checkpoint=tmp_path)


def test_a_buffer_that_is_filled_on_the_way_is_restored():
    one, two = Centred(), Centred()
    one.mean = torch.arange(5.0)
    restore(two, whole_state(one))
    assert torch.equal(two.mean, torch.arange(5.0))


class Tables(Dataset):
    """Samples beyond those that are looked at, kept in a dictionary of arrays."""

    def __init__(self, last):
        self.tables = {"x": np.zeros((100, 3), np.float32)}
        self.tables["x"][97] = last

    def __len__(self):
        return 100

    def __getitem__(self, i):
        return torch.from_numpy(self.tables["x"][i]), torch.zeros(1)


def test_arrays_in_dictionaries_tell_data_apart(tmp_path):
    train(nn.Linear(3, 1), Tables(0.0), squares, CONFIG, quiet=True, checkpoint=tmp_path)
    with pytest.raises(ArgumentError, match="'checkpoint'.*checksum"):
        train(nn.Linear(3, 1), Tables(1.0), squares, CONFIG, quiet=True, checkpoint=tmp_path)
