"""Ensembles: members as if trained alone, what they predict together, their curve and their mean."""

import copy
import dataclasses
import itertools
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from erlangen.errors import ArgumentError
from erlangen.parameters import DeepEnsemble, MoE, asymmetrize
from erlangen.parameters.asymmetric import FixedEntries, FixedGate
from erlangen.parameters.ensembles import Stack, expected_calibration_error
from erlangen.parameters.ensembles.training import Recipe, train_stack
from erlangen.parameters.matching.result import weights_of
from erlangen.training import TrainingConfig, train
from erlangen.training.randomness import seeded


def plain(inp=6, out=3, width=16, dtype=torch.float64):
    layers = [nn.Linear(inp, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, out)]
    return nn.Sequential(*layers).to(dtype)


def classes(n=230, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 6, generator=generator, dtype=torch.float64)
    return x, (x[:, :3] + 0.7 * torch.randn(n, 3, generator=generator, dtype=torch.float64)).argmax(1)


def numbers(n=150, seed=0):
    x, _ = classes(n, seed)
    return x, x[:, 0] * x[:, 1]


class Wrapped(nn.Module):
    """A module that is no sequence: it is mapped, not multiplied."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)


def normed():
    return nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.SiLU(), nn.Linear(8, 3, bias=False)).double()


MODULES = {
    "plain": plain,
    "w": lambda: asymmetrize(plain(), seed=torch.seed()),
    "sigma": lambda: asymmetrize(plain(), "sigma", seed=torch.seed()),
    "normed": normed,
    "nested": lambda: nn.Sequential(nn.Sequential(nn.Linear(6, 4), nn.Tanh()), nn.Linear(4, 3)).double(),
}


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("wrap", [False, True], ids=["products", "mapped"])
def test_a_stack_computes_what_its_members_compute(name, wrap):
    members = [Wrapped(MODULES[name]()) if wrap else MODULES[name]() for _ in range(3)]
    stack = Stack(members)
    assert (stack.layers is None) == wrap
    x = torch.randn(3, 7, 6, dtype=torch.float64)
    expected = torch.stack([m(x[i]) for i, m in enumerate(members)])
    torch.testing.assert_close(stack(x), expected, rtol=1e-12, atol=1e-12)


def test_layers_that_are_used_twice_or_watched_are_mapped():
    twice = nn.Linear(6, 6)
    assert Stack([nn.Sequential(twice, nn.Tanh(), twice)]).layers is None
    watched = nn.Sequential(nn.Linear(6, 6))
    watched[0].register_forward_hook(lambda *_: None)
    assert Stack([watched]).layers is None


@pytest.mark.parametrize("best", [False, True], ids=["last", "best"])
@pytest.mark.parametrize("kind", [None, "w", "sigma"])
def test_members_are_as_if_trained_alone_with_early_stopping(kind, best):
    x, y = classes()
    xv, yv = classes(60, 1)
    settings = {"epochs": 12, "batch_size": 32, "lr": 0.02, "patience": 2}
    ensemble = DeepEnsemble(plain, 4, kind=kind, seed=1, restore_best=best, **settings).fit(x, y, validation=(xv, yv))
    stopped = [len(h.losses) for h in ensemble.histories]
    assert len(set(stopped)) > 1
    assert min(stopped) < 12 * 7
    alone = DeepEnsemble(plain, 4, kind=kind, seed=1).build_members()
    for i, (seed, member) in enumerate(zip(ensemble.seeds, alone)):
        history = by_hand(member, seed, (x, y), (xv, yv), settings, best)
        assert history == stopped[i]
        for (name, ours), theirs in zip(ensemble.members[i].state_dict().items(), member.state_dict().values()):
            torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10, msg=name)


def by_hand(member, seed, data, held, settings, best):
    """A loop over one member, written out; returns the number of steps."""
    from erlangen.training.batches import Shuffle

    optimizer = torch.optim.AdamW(member.parameters(), lr=settings["lr"], weight_decay=0.03)
    shuffle = Shuffle(len(data[0]), settings["batch_size"], seed)
    lowest, waited, step, kept = torch.inf, 0, 0, None
    for _ in range(settings["epochs"]):
        for _ in range(len(data[0]) // settings["batch_size"]):
            rows = shuffle.batch(step)
            optimizer.zero_grad()
            nn.functional.cross_entropy(member(data[0][rows]), data[1][rows]).backward()
            optimizer.step()
            step += 1
        loss = nn.functional.cross_entropy(member(held[0]), held[1]).item()
        waited = 0 if loss < lowest else waited + 1
        if loss < lowest:
            lowest, kept = loss, {k: t.clone() for k, t in member.state_dict().items()}
        if waited == settings["patience"]:
            break
    if best:
        member.load_state_dict(kept)
    return step


def test_members_are_those_of_the_librarys_own_training():
    x, y = numbers()
    ensemble = DeepEnsemble(lambda: plain(out=1), 2, epochs=4, batch_size=32, patience=0, seed=3).fit(x, y, validation=(x, y))
    config = TrainingConfig(16, 32, 1e-3, 0.03, "constant", evaluate_every=4, seed=ensemble.seeds[1])
    member = DeepEnsemble(lambda: plain(out=1), 2, seed=3).build_members()[1]
    data = (x, y[:, None])
    history = train(member, data, lambda m, a, b: (m(a) - b).square().mean(), config, validation=data, quiet=True)
    for ours, theirs in zip(ensemble.histories[1].evaluations, history.evaluations, strict=True):
        assert ours == pytest.approx(theirs)
    for ours, theirs in zip(ensemble.members[1].parameters(), member.parameters()):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_fixed_entries_stay_bit_for_bit_and_the_optimiser_knows_nothing_of_them():
    x, y = classes()
    ensemble = DeepEnsemble(plain, 3, kind="w", epochs=15, batch_size=32, weight_decay=0.5, validation_fraction=0)
    before = ensemble.build_members()
    after = ensemble.fit(x, y).members
    for old, new in zip(before, after):
        assert len(ensemble.histories[0].losses) == 105
        for a, b in zip(old.modules(), new.modules()):
            if isinstance(b, FixedEntries):
                assert torch.equal(a.values, b.values)
                assert torch.equal(a.mask, b.mask)
        for layer in (0, 2, 4):
            fixed = ~new[layer].parametrizations.weight[0].mask
            assert torch.equal(new[layer].weight[fixed], old[layer].weight[fixed])
            assert not new[layer].parametrizations.weight.original[fixed].any()


def test_masks_are_shared_or_each_members_own():
    shared = DeepEnsemble(plain, 3, "shared", kind="w").build_members()
    own = DeepEnsemble(plain, 3, "per_member", kind="w").build_members()
    mask = lambda m: m[2].parametrizations.weight[0].mask  # noqa: E731
    assert all(torch.equal(mask(shared[0]), mask(m)) for m in shared)
    assert not any(torch.equal(mask(a), mask(b)) for a, b in itertools.combinations(own, 2))
    gates = [
        [m for m in member.modules() if isinstance(m, FixedGate)] for member in DeepEnsemble(plain, 2, kind="sigma").build_members()
    ]
    assert torch.equal(gates[0][1].fixed_matrix, gates[1][1].fixed_matrix)


def test_an_ensemble_of_one_is_its_member():
    x, y = classes()
    ensemble = DeepEnsemble(plain, 1, kind="w", epochs=3).fit(x, y)
    torch.testing.assert_close(ensemble.predict_proba(x), ensemble.members[0](x).softmax(-1), rtol=1e-12, atol=1e-12)
    (point,) = ensemble.curve([1], x, y)
    assert point.improvement == 0
    assert np.isnan(point.disagreement)
    assert point.score == pytest.approx(ensemble.score(x, y))


def test_logits_and_probabilities_are_averaged_as_defined():
    x, y = classes()
    found = {c: DeepEnsemble(plain, 3, combine=c, epochs=5, lr=0.02, seed=2).fit(x, y) for c in ("logits", "probs")}
    logits = torch.stack([m(x) for m in found["logits"].members])
    torch.testing.assert_close(found["logits"].predict_proba(x), logits.mean(0).softmax(-1), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found["probs"].predict_proba(x), logits.softmax(-1).mean(0), rtol=1e-12, atol=1e-12)
    assert (found["logits"].predict_proba(x) - found["probs"].predict_proba(x)).abs().max() > 1e-4


def test_the_curve_does_not_depend_on_the_order_of_members_on_average():
    x, y = classes()
    ensemble = DeepEnsemble(plain, 4, epochs=4, lr=0.02).fit(x, y)
    xt, yt = classes(300, 5)
    logits = ensemble.outputs(xt)
    members = ensemble._members
    found = []
    for order in itertools.permutations(range(4)):
        ensemble._members = [members[i] for i in order]
        found.append(ensemble.curve([1, 2, 4], xt, yt))
    score = lambda group: (logits[list(group)].mean(0).argmax(-1) == yt).double().mean().item()  # noqa: E731
    pairs = [score(pair) for pair in itertools.combinations(range(4), 2)]
    assert np.mean([points[1].score for points in found]) == pytest.approx(np.mean(pairs))
    assert {round(points[0].score, 12) for points in found} == {round(np.mean([score([i]) for i in range(4)]), 12)}
    for points in found:
        assert points[2].score == pytest.approx(found[0][2].score)
        assert points[2].nll == pytest.approx(found[0][2].nll)
        assert points[2].distance == pytest.approx(found[0][2].distance)
    p = logits.softmax(-1).mean(0)
    assert found[0][2].nll == pytest.approx(nn.functional.nll_loss(p.log(), yt).item())
    votes = logits.argmax(-1)
    apart = [(votes[i] != votes[j]).double().mean().item() for i, j in itertools.combinations(range(4), 2)]
    assert found[0][2].disagreement == pytest.approx(np.mean(apart))
    vectors = [nn.utils.parameters_to_vector(m.parameters()) for m in members]
    gaps = [(vectors[i] - vectors[j]).norm().item() for i, j in itertools.combinations(range(4), 2)]
    assert found[0][2].distance == pytest.approx(np.mean(gaps))


def test_calibration_is_the_gap_between_confidence_and_accuracy():
    p = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
    # Two of confidence 0.9, one right; one of 0.6, right.
    assert expected_calibration_error(p, torch.tensor([0, 1, 1])) == pytest.approx((2 * 0.4 + 0.4) / 3)


def test_numbers_are_predicted_in_the_shape_of_their_targets():
    x, y = numbers()
    flat = DeepEnsemble(lambda: plain(out=1), 2, epochs=2).fit(x, y)
    column = DeepEnsemble(lambda: plain(out=1), 2, epochs=2).fit(x, y[:, None])
    assert flat.predict(x).shape == (150,)
    assert column.predict(x).shape == (150, 1)
    torch.testing.assert_close(flat.predict(x), column.predict(x)[:, 0])
    outputs = torch.stack([m(x)[:, 0] for m in flat.members])
    (point,) = flat.curve([2], x, y)
    assert point.score == pytest.approx((outputs.mean(0) - y).square().mean().sqrt().item())
    assert point.disagreement == pytest.approx(outputs.std(0).mean().item())
    from sklearn.metrics import r2_score

    assert flat.score(x, y) == pytest.approx(r2_score(y, flat.predict(x).detach()))


def test_weights_are_averaged_where_masks_are_shared_and_nowhere_else():
    x, y = classes()
    shared = DeepEnsemble(plain, 3, kind="w", epochs=2).fit(x, y)
    average = shared.average_weights()
    expected = torch.stack([m[0].weight for m in shared.members]).mean(0)  # also of the fixed entries, which coincide
    torch.testing.assert_close(average[0].weight, expected, rtol=1e-12, atol=1e-12)
    with pytest.raises(ArgumentError, match="masks"):
        DeepEnsemble(plain, 3, "per_member", kind="w", epochs=1).fit(x, y).average_weights()


@pytest.mark.parametrize("kind", [None, "w", "sigma"])
def test_an_ensemble_comes_back_from_its_file(kind, tmp_path):
    x, y = classes()
    ensemble = DeepEnsemble(plain, 3, kind=kind, n_fix=[1, 2, 3] if kind == "w" else 2, combine="probs", epochs=2).fit(x, y)
    back = DeepEnsemble.load(ensemble.save(tmp_path / "e.safetensors"), plain)
    assert torch.equal(back.predict_proba(x), ensemble.predict_proba(x))
    assert back.seeds == ensemble.seeds
    for other in (copy.deepcopy(ensemble), pickle.loads(pickle.dumps(ensemble))):
        assert torch.equal(other.predict_proba(x), ensemble.predict_proba(x))
        assert torch.equal(other.restore(best=False).members[0][0].weight, ensemble.restore(best=False).members[0][0].weight)
        ensemble.restore(best=True)
    with pytest.raises(ArgumentError, match="ensemble"):
        back.restore(best=True)
    with pytest.raises(ArgumentError, match="build"):
        DeepEnsemble.load(tmp_path / "e.safetensors", lambda: plain(width=17))


def test_the_last_and_the_best_weights_can_both_be_had():
    x, y = classes()
    ensemble = DeepEnsemble(plain, 2, epochs=30, lr=0.05, patience=5).fit(x, y)
    best = [m[0].weight.clone() for m in ensemble.members]
    last = [m[0].weight.clone() for m in ensemble.restore(best=False).members]
    again = [m[0].weight for m in ensemble.restore(best=True).members]
    assert all(torch.equal(a, b) for a, b in zip(best, again))
    assert not torch.equal(best[0], last[0])


def test_the_same_seed_gives_the_same_bits_and_leaves_the_callers_random_numbers_alone():
    x, y = classes()
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    dropping = lambda: nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 3)).double()  # noqa: E731
    one, two = (DeepEnsemble(dropping, 2, epochs=2).fit(x, y).predict_proba(x) for _ in range(2))
    assert torch.equal(one, two)
    assert torch.equal(torch.rand(3), expected)


def test_an_asymmetric_build_needs_no_kind():
    x, y = classes()
    build = lambda: asymmetrize(plain(), n_fix=3, seed=0)  # noqa: E731
    assert DeepEnsemble(build, 2, masks="shared", epochs=1).fit(x.numpy(), y.numpy()).average_weights() is not None
    with pytest.raises(ArgumentError, match="masks"):
        DeepEnsemble(build, 2, masks="per_member").build_members()
    drawn = iter(range(9))
    with pytest.raises(ArgumentError, match="build"):
        DeepEnsemble(lambda: asymmetrize(plain(), seed=next(drawn)), 2).build_members()


def test_what_cannot_be_an_ensemble_is_refused():
    x, y = classes()
    bad = [
        ("build", lambda: DeepEnsemble(plain())),
        ("size", lambda: DeepEnsemble(plain, 0)),
        ("masks", lambda: DeepEnsemble(plain, 2, "own")),
        ("combine", lambda: DeepEnsemble(plain, 2, combine="votes")),
        ("task", lambda: DeepEnsemble(plain, 2, task="ranking")),
        ("patience", lambda: DeepEnsemble(plain, 2, patience=-1)),
        ("epochs", lambda: DeepEnsemble(plain, 2, epochs=0)),
        ("lr", lambda: DeepEnsemble(plain, 2, lr=-1.0)),
        ("lr", lambda: DeepEnsemble(plain, 2, lr=1e200).fit(x, y)),
        ("validation_fraction", lambda: DeepEnsemble(plain, 2, validation_fraction=1.0)),
        ("ensemble", lambda: DeepEnsemble(plain, 2).predict(x)),
        ("x", lambda: DeepEnsemble(plain, 2).fit(x * torch.nan, y)),
        ("x", lambda: DeepEnsemble(plain, 2).fit(x[:0], y[:0])),
        ("y", lambda: DeepEnsemble(plain, 2).fit(x, y[:-1])),
        ("y", lambda: DeepEnsemble(plain, 2).fit(x, y + 1)),
        ("y", lambda: DeepEnsemble(plain, 2).fit(x, torch.zeros(len(x), 2, dtype=torch.float64))),
        ("y", lambda: DeepEnsemble(lambda: plain(out=1), 2).fit(x, x[:, :2])),
        ("n_fix", lambda: DeepEnsemble(plain, 2, kind="w", n_fix=6).build_members()),
        ("mask", lambda: DeepEnsemble(plain, 2, kind="w", mask="some").build_members()),
        ("mask", lambda: DeepEnsemble(plain, 2, kind="w", kappa=0.0).build_members()),
        ("kind", lambda: DeepEnsemble(plain, 2, kind="v")),
        ("x", lambda: DeepEnsemble(plain, 2).fit(x[:, :5], y)),
        ("x", lambda: DeepEnsemble(plain, 2, epochs=1).fit(x, y).predict(x[:, :5])),
        ("x", lambda: DeepEnsemble(plain, 2).fit([["a"]], y)),
        ("y", lambda: DeepEnsemble(plain, 2).fit(x, ["a"] * len(x))),
        ("build", lambda: DeepEnsemble(lambda: plain().requires_grad_(False), 2).fit(x, y)),
        ("build", lambda: DeepEnsemble(lambda: nn.LSTM(6, 3).double(), 2).fit(x, y)),
        ("sizes", lambda: DeepEnsemble(plain, 2, epochs=1).fit(x, y).curve([3])),
        ("x", lambda: DeepEnsemble(plain, 2, epochs=1, validation_fraction=0).fit(x, y).curve([1])),
        ("task", lambda: DeepEnsemble(lambda: plain(out=1), 2, epochs=1).fit(x, x[:, 0]).predict_proba(x)),
    ]
    for argument, call in bad:
        with pytest.raises(ArgumentError) as caught:
            call()
        assert caught.value.argument == argument, str(caught.value)


def test_stopped_members_are_taken_out_of_the_stack():
    with seeded(0):
        stack = Stack([plain() for _ in range(3)])
    x, y = classes()
    # Labels at random for validation: its loss soon rises.
    held = (x[:50], torch.randint(0, 3, (50,), generator=torch.Generator().manual_seed(0)))
    loss = lambda out, t: nn.functional.cross_entropy(out, t, reduction="none")  # noqa: E731
    found = train_stack(stack, [0, 1, 2], (x, y), loss, Recipe(60, 32, lr=0.02, patience=1), held)
    assert all(h.stopped == "patience" for h in found.histories)
    assert stack.size == 0


def images():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16, 3)).double()


def words():
    return nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(20, 3)).double()


def mixture():
    return MoE(6, 3, 2, 8, depth=1, kind="w", gate="gumbel").double()


def half_frozen():
    net = plain()
    net[0].requires_grad_(False)
    return net


@pytest.mark.parametrize("build", [images, words, mixture, half_frozen], ids=lambda b: b.__name__)
def test_any_module_can_be_a_member(build):
    generator = torch.Generator().manual_seed(0)
    x = {
        images: torch.randn(60, 1, 6, 6, generator=generator, dtype=torch.float64),
        words: torch.randint(0, 9, (60, 5), generator=generator),
    }.get(build, classes(60)[0])
    y = classes(60)[1]
    ensemble = DeepEnsemble(build, 3, epochs=3, lr=0.01, batch_size=20, validation_fraction=0).fit(x, y)
    before = ensemble.build_members()
    expected = torch.stack([m(x) for m in ensemble.members])
    torch.testing.assert_close(ensemble.outputs(x), expected, rtol=1e-12, atol=1e-12)
    changed = [not torch.equal(a, b) for a, b in zip(before[1].parameters(), ensemble.members[1].parameters())]
    assert changed == [p.requires_grad for p in before[1].parameters()]


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.last(torch.tanh(self.second(torch.tanh(self.first(x)))))


class Counting(nn.Module):
    """Statistics of its own, written anew or in place, and a buffer that no state_dict holds."""

    def __init__(self, in_place):
        super().__init__()
        self.layer, self.in_place = nn.Linear(6, 3), in_place
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mean", torch.zeros(6))
        self.register_buffer("signs", torch.randn(6).sign(), persistent=False)

    def forward(self, x):
        if self.training and self.in_place:
            self.steps.add_(1)
            self.mean.mul_(0.9).add_(x.mean(0), alpha=0.1)
        elif self.training:
            self.steps = self.steps + 1
            self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
        return self.layer((x - self.mean) * self.signs)


@pytest.mark.parametrize(
    "build",
    [lambda: Tied().double(), lambda: Counting(True).double(), lambda: Counting(False).double()],
    ids=["tied", "in place", "anew"],
)
def test_shared_weights_and_own_statistics_are_those_of_members_trained_alone(build, tmp_path):
    x, y = classes(60)
    ensemble = DeepEnsemble(build, 2, epochs=3, lr=0.01, batch_size=20, validation_fraction=0).fit(x, y)
    config = TrainingConfig(steps=9, batch_size=20, lr=0.01, weight_decay=0.03, schedule="constant")
    for member, alone, seed in zip(ensemble.members, ensemble.build_members(), ensemble.seeds):
        train(
            alone, (x, y), lambda m, a, b: nn.functional.cross_entropy(m(a), b), dataclasses.replace(config, seed=seed), quiet=True
        )
        for (name, t), (_, u) in zip(weights_of(member).items(), weights_of(alone).items(), strict=True):
            torch.testing.assert_close(t, u, rtol=1e-10, atol=1e-12, msg=name)
    if isinstance(ensemble.members[0], Tied):
        assert all(m.first.weight is m.second.weight for m in ensemble.members)
    else:
        assert [int(m.steps) for m in ensemble.members] == [9, 9]
    again = DeepEnsemble.load(ensemble.save(tmp_path / "members.safetensors"), build)
    assert torch.equal(again.outputs(x), ensemble.outputs(x))


def test_frames_and_truth_values_are_data():
    pd = pytest.importorskip("pandas")
    x, y = classes(60)
    names = list("abcdef")
    frame, series = pd.DataFrame(x.numpy(), columns=names), pd.Series((y == 0).numpy(), index=range(7, 67))
    build = lambda: plain(out=2)  # noqa: E731
    ours = DeepEnsemble(build, 2, epochs=2).fit(frame, series)
    theirs = DeepEnsemble(build, 2, epochs=2).fit(x, (y == 0).long())
    torch.testing.assert_close(ours.outputs(frame), theirs.outputs(x), rtol=1e-10, atol=1e-12)
    with pytest.raises(ArgumentError, match="'x'"):
        ours.predict(frame.assign(f="word"))
