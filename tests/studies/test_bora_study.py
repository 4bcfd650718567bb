"""The study of BoRA on a tiny model: the contract, and what its claims are made of."""

import pytest
import torch

from erlangen.data import Texts
from erlangen.fitting.adapting.tune import NAMES
from erlangen.studies.bora import STUDY, Config, compare, curve, study

transformers = pytest.importorskip("transformers")
WORDS = ["red", "green", "blue", "sun", "moon", "sea", "hill", "tree", "bird", "fish"]


@pytest.fixture
def folder(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    made = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({w: i for i, w in enumerate(["[PAD]", "[UNK]", *WORDS])}, unk_token="[UNK]")
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(tmp_path)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24}
    transformers.BertModel(transformers.BertConfig(vocab_size=12, max_position_embeddings=16, **sizes)).save_pretrained(tmp_path)
    return tmp_path


def two_words(name, config, quiet):
    """Texts of five words, by whether the first stands before the second in the alphabet."""
    draw = torch.Generator().manual_seed(0)
    texts = [" ".join(WORDS[int(i)] for i in torch.randint(10, (5,), generator=draw)) for _ in range(config.samples + config.test)]
    target = torch.tensor([int(t.split()[0] < t.split()[1]) for t in texts])
    whole = Texts(name, tuple(texts), target, ("no", "yes"))
    index = torch.arange(len(texts))
    return whole[index[: config.samples]], whole[index[config.samples :]]


def test_the_contract_and_every_claim(checked, folder, monkeypatch):
    monkeypatch.setattr(study, "texts_of", two_words)
    config = Config(data=("tweets", "reuters"), samples=100, test=40, epochs=1, seeds=2, rates=(1e-3, 1e-2), model=folder)
    outcome = checked(STUDY, config)
    assert {claim.key for claim in outcome.claims} == set(STUDY.claims) - {"all-weights"}
    assert len([c for c in outcome.claims if c.key == "loss-order"]) == 2
    told = outcome.metrics["tweets"]
    rivals = [c for c in outcome.claims if c.key == "rival"]
    machine = next(found for name, found in told.items() if name.startswith("linear SVM"))
    assert rivals[0].baseline == pytest.approx(machine["score"])
    assert 0.4 < machine["score"] <= 1
    assert len(rivals) == 2
    # Level is what lies within a standard error over forty texts, at most 0.16 in all, and not more.
    for claim in rivals:
        assert ("(they are level)" in claim.text) <= (abs(claim.measured - claim.baseline) < 0.16)
    counts = [told[name]["trained"] for name in ("lora", "dora", "bora")]
    # two blocks of four 16 x 16 matrices, one 24 x 16 and one 16 x 24
    assert counts[0] == 2 * 4 * (4 * 32 + 2 * 40)
    assert counts[1] == counts[0] + 2 * (4 * 16 + 24 + 16)
    assert counts[2] == counts[1] + 2 * (4 * 16 + 16 + 24)
    for name in ("lora", "dora", "bora"):
        steps = {len(run["losses"]) for run in told[name]["runs"]}
        assert steps == {3}
    gain = next(c for c in outcome.claims if c.key == "gain-in-the-noise")
    assert gain.measured.value == pytest.approx(100 * (told["bora"]["score"] - told["lora"]["score"]))
    assert gain.holds == (abs(gain.measured.value) <= 1)


def test_the_curve_of_fewer_texts(folder, monkeypatch):
    monkeypatch.setattr(study, "texts_of", two_words)
    monkeypatch.setattr(study, "PLACES", (60, 80))
    config = Config(data=("tweets",), samples=100, test=40, epochs=1, rates=(1e-3, 1e-2), model=folder, curve=True)
    outcome = STUDY.run(config, quiet=True)
    found = outcome.metrics["crossover"]
    assert found["places"] == [60, 80, 100]
    assert all(len(runs) == 3 and all(0 <= v <= 1 for v in runs) for curve in found["curves"].values() for runs in curve)
    # With all texts both are what the study has of them.
    machine = next(v for name, v in outcome.metrics["tweets"].items() if name.startswith("linear SVM"))
    assert found["curves"][curve.MACHINE][-1] == pytest.approx([machine["score"]] * 3)
    name = next(n for n in ("lora", "dora", "bora") if NAMES[n] == found["method"])
    assert found["curves"][found["method"]][-1][0] == pytest.approx(outcome.metrics["tweets"][name]["score"])
    assert "one seed" in outcome.claims[0].scale


def test_losses_are_compared_at_one_rate():
    from erlangen.fitting.adapting.tune import Method, Tuned
    from erlangen.training import History

    def method(losses, chosen):
        runs = [Tuned(rate, 0, History(losses=[loss] * 10), 0.0, torch.zeros(1, 2)) for rate, loss in losses.items()]
        return Method("lora", 1, runs, [run for run in runs if run.rate == chosen], None)

    result = compare.Compared("texts", None, {}, [], "small", None, 0.0)
    lora, dora = method({1.0: 0.5, 2.0: 0.1}, 1.0), method({1.0: 0.4, 2.0: 0.9}, 2.0)
    assert compare.loss_claim(result, (lora, dora, method({1.0: 0.402, 2.0: 5.0}, 1.0))).holds
    assert not compare.loss_claim(result, (lora, dora, method({1.0: 0.404, 2.0: 5.0}, 1.0))).holds
