"""Fine-tuning of a text model: on tiny models made here, without a download."""

import csv
import json
import math
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from erlangen.cli import main
from erlangen.data import Texts, read_texts
from erlangen.errors import ArgumentError
from erlangen.fitting.adapting import AdaptConfig, adapt, load_adapted, load_text_model
from erlangen.fitting.adapting.goal import Goal, mean_with_error
from erlangen.fitting.adapting.recall import Recall, applied, lowest_trained, recall_of
from erlangen.fitting.adapting.run import parts_of
from erlangen.fitting.adapting.text_model import TextModel, trimmed
from erlangen.fitting.run import Stopped
from erlangen.parameters.adapters import AdapterConfig, BoraConfig, get_peft_model

transformers = pytest.importorskip("transformers")
WORDS = ["red", "green", "blue", "sun", "moon", "sea", "hill", "tree", "bird", "fish"]
TINY = AdaptConfig(r=2, alpha=4.0, epochs=1, rates=(1e-2,), seeds=1, batch_size=16, max_tokens=8)


def tokenizer():
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = {w: i for i, w in enumerate(["[PAD]", "[UNK]", *WORDS])}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]")


def bert():
    sizes = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24}
    return transformers.BertModel(transformers.BertConfig(vocab_size=12, max_position_embeddings=16, **sizes))


def gpt2():
    return transformers.GPT2Model(transformers.GPT2Config(vocab_size=12, n_positions=16, n_embd=16, n_layer=3, n_head=2))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    found = {}
    for name, make in (("bert", bert), ("gpt2", gpt2)):
        torch.manual_seed(0)
        found[name] = tmp_path_factory.mktemp(name)
        make().save_pretrained(found[name])
        tokenizer().save_pretrained(found[name])
    return found


def greetings(count=120, seed=0):
    """Texts with the word sun, or without."""
    draw = torch.Generator().manual_seed(seed)
    texts = []
    for _ in range(count):
        size = int(torch.randint(3, 8, (), generator=draw))
        texts.append(" ".join(WORDS[int(i)] for i in torch.randint(len(WORDS), (size,), generator=draw)))
    return Texts("greetings", tuple(texts), torch.tensor(["sun" in t.split() for t in texts]).long(), ("none", "sun"))


@pytest.mark.parametrize("method", ["bora", "full"])
def test_a_saved_model_says_the_same_in_another_process(method, folders, tmp_path):
    config = replace(TINY, method=method, seeds=2, rates=(1e-3, 1e-2))
    made = adapt(folders["bert"], greetings(), None, config, root=tmp_path, quiet=True)
    texts = ["red sun", "", "moon unknown moon"]
    code = (
        f"import torch, erlangen.fitting.adapting as a; p = a.load_adapted({str(made.directory)!r});"
        f"print([x.hex() for x in p.outputs({texts!r}).flatten().tolist()])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str([x.hex() for x in made.predictor.outputs(texts).flatten().tolist()])
    assert set(made.predictor.predict(texts)) <= {"none", "sun"}
    told = json.loads((made.directory / "metrics.json").read_text())["metrics"]
    assert len(told[method]["runs"]) == 2
    assert set(told) >= {method, "head", "TF-IDF and a linear model", "frozen vectors and a linear model"}
    # the best rate by validation is the one that all seeds took
    rates = told[method]["rates"]
    assert f"{told[method]['runs'][1]['rate']:g}" == max(rates, key=rates.get)
    assert "report.html" in {p.name for p in made.directory.iterdir()}


def test_numbers_as_targets(folders, tmp_path):
    texts = greetings()
    lengths = torch.tensor([float(len(t.split())) for t in texts.texts], dtype=torch.float64)
    data = Texts("lengths", texts.texts, lengths * 10 + 3)
    made = adapt(folders["gpt2"], data, None, replace(TINY, method="lora", rates=(1e-2,)), root=tmp_path, quiet=True)
    found = load_adapted(made.directory).predict(["red red", "red"])
    assert all(isinstance(v, float) for v in found)
    outputs = torch.tensor([[0.0], [1.0]])
    assert Goal((), 5.0, 2.0).predictions(outputs).tolist() == [5.0, 7.0]
    assert Goal((), 5.0, 2.0).score(outputs, torch.tensor([5.0, 7.0], dtype=torch.float64)) == 1.0
    assert Goal((), 5.0, 2.0).score(outputs, torch.tensor([7.0, 5.0], dtype=torch.float64)) == pytest.approx(1 - 4 / 1)


def test_an_interrupted_run_goes_on_to_the_same_bits(folders, tmp_path, monkeypatch):
    data, config = greetings(), replace(TINY, rates=(1e-3, 1e-2), seeds=2, epochs=2)
    whole = adapt(folders["bert"], data, None, config, root=tmp_path, quiet=True)
    calls, real = [], Goal.loss

    def interrupted(self, outputs, target):
        calls.append(1)
        if len(calls) == 110:
            raise KeyboardInterrupt
        return real(self, outputs, target)

    monkeypatch.setattr(Goal, "loss", interrupted)
    with pytest.raises(Stopped) as stop:
        adapt(folders["bert"], data, None, config, root=tmp_path, quiet=True)
    monkeypatch.setattr(Goal, "loss", real)
    again = adapt(folders["bert"], data, None, config, resume=stop.value.directory, quiet=True)
    assert all(torch.equal(a.outputs, b.outputs) for a, b in zip(whole.method.runs, again.method.runs))
    with pytest.raises(ArgumentError, match="other r\\)"):
        adapt(folders["bert"], data, None, replace(config, r=3), resume=stop.value.directory, quiet=True)
    with pytest.raises(ArgumentError, match="other texts\\)"):
        adapt(folders["bert"], greetings(seed=1), None, config, resume=stop.value.directory, quiet=True)


@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_remembered_states_give_the_same_outputs_and_gradients(name, folders):
    loaded = load_text_model(folders[name])
    encoder = get_peft_model(loaded.encoder, BoraConfig(r=2, layers_to_transform=(2,)))
    torch.manual_seed(1)
    model = TextModel(encoder, nn.Linear(16, 2))
    for p in model.parameters():
        if p.requires_grad:
            p.data.add_(0.1 * torch.randn_like(p))
    tokens = loaded.tokens(greetings(9).texts, 8)
    recall = recall_of(model, tokens)
    assert recall is not None
    assert recall.first == lowest_trained(encoder) == 2
    states = recall.states(tokens)
    results = []
    for apply, batch in ((applied(model, None), tokens), (applied(model, recall), (*tokens, states))):
        model.zero_grad()
        y = apply(*batch)
        y.square().sum().backward()
        results.append((y.detach(), [p.grad.clone() for p in model.parameters() if p.grad is not None]))
    torch.testing.assert_close(results[0][0], results[1][0], rtol=1e-5, atol=1e-6)
    assert len(results[0][1]) == len(results[1][1])
    for a, b in zip(results[0][1], results[1][1]):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    assert "forward" not in vars(recall.blocks[0])


def test_nothing_is_remembered_where_the_lowest_block_or_what_is_outside_is_trained(folders):
    tokens = load_text_model(folders["bert"]).tokens(greetings(4).texts, 8)
    for config in (BoraConfig(r=2), BoraConfig(r=2, target_modules=["word_embeddings"])):
        encoder = get_peft_model(load_text_model(folders["bert"]).encoder, config)
        assert recall_of(TextModel(encoder, nn.Linear(16, 2)), tokens) is None


def test_a_model_whose_blocks_pass_on_more_is_computed_whole(folders, monkeypatch):
    loaded = load_text_model(folders["bert"])
    model = TextModel(get_peft_model(loaded.encoder, BoraConfig(r=2, layers_to_transform=2)), nn.Linear(16, 2))
    tokens = loaded.tokens(greetings(4).texts, 8)
    monkeypatch.setattr(Recall, "states", lambda self, t: torch.zeros(*t.ids.shape, 16))
    assert recall_of(model, tokens) is None


def test_the_mean_is_over_tokens_alone(folders):
    loaded = load_text_model(folders["bert"])
    model = TextModel(loaded.encoder, nn.Linear(16, 2))
    both, short = loaded.tokens(["red sun", "red sun moon sea hill"], 8), loaded.tokens(["red sun"], 8)
    assert both.mask.sum(1).tolist() == [2, 5]
    with torch.no_grad():
        alone = loaded.encoder(input_ids=short.ids).last_hidden_state
        torch.testing.assert_close(model.embed(*both)[0], alone[0].mean(0), rtol=1e-4, atol=1e-5)
    assert loaded.tokens(["", "red"], 8).mask.sum(1).tolist() == [1, 1]
    assert trimmed(*both).ids.shape == (2, 5)


@pytest.mark.parametrize("name", ["bert", "gpt2"])
@pytest.mark.parametrize("method", ["lora", "dora", "bora"])
def test_checkpointed_gradients_are_the_plain_ones(name, method, folders):
    results = []
    for checkpointed in (False, True):
        loaded = load_text_model(folders[name])
        torch.manual_seed(0)
        config = AdapterConfig(method=method, r=2, split={"c_attn": 3} if name == "gpt2" else {})
        encoder = get_peft_model(loaded.encoder, config)
        if checkpointed:
            encoder.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        encoder.train()
        torch.manual_seed(1)
        for p in encoder.parameters():
            if p.requires_grad:
                p.data.add_(0.1 * torch.randn_like(p))
        ids, mask = loaded.tokens(greetings(5).texts, 8)
        encoder(input_ids=ids, attention_mask=mask).last_hidden_state.square().mean().backward()
        results.append([p.grad for p in encoder.parameters() if p.requires_grad])
    for a, b in zip(*results):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_half_precision_of_the_frozen_model(folders, tmp_path):
    half = tmp_path / "half"
    bert().to(torch.bfloat16).save_pretrained(half)
    tokenizer().save_pretrained(half)
    made = adapt(half, greetings(60), None, TINY, root=tmp_path, quiet=True)
    encoder = made.predictor.model.encoder
    kinds = {p.dtype for p in encoder.parameters() if p.requires_grad}
    assert kinds == {torch.float32}
    assert {p.dtype for p in encoder.parameters() if not p.requires_grad} == {torch.bfloat16}
    assert all(math.isfinite(v) for v in made.method.runs[0].history.losses)
    again = load_adapted(made.directory).outputs(["red sun"])
    assert torch.equal(again, made.predictor.outputs(["red sun"]))


def test_errors_over_texts_are_those_of_a_paired_sample():
    right = torch.tensor([[1.0, 0.0, 1.0, 1.0], [1.0, 0.0, 0.0, 1.0]], dtype=torch.float64)
    mean, error = mean_with_error(right)
    each = [1.0, 0.0, 0.5, 1.0]
    assert mean == pytest.approx(sum(each) / 4)
    assert error == pytest.approx(math.sqrt(sum((v - mean) ** 2 for v in each) / 3) / 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"method": "loraa"}, "argument 'method'"),
        ({"r": -1}, "argument 'r'"),
        ({"alpha": 0.0}, "argument 'alpha'"),
        ({"dropout": 1.0}, "argument 'dropout'"),
        ({"rates": ()}, "argument 'rates'"),
        ({"seeds": 0}, "argument 'seeds'"),
        ({"validation": 1.0}, "argument 'validation'"),
        ({"layers": (-1,)}, "argument 'layers'"),
    ],
)
def test_bad_settings_name_the_field(change, said):
    with pytest.raises(ArgumentError, match=said):
        replace(TINY, **change)


def test_bad_texts_name_what_is_wrong():
    with pytest.raises(ArgumentError, match="at least 20 training texts"):
        parts_of(greetings(20), None, TINY)
    rare = Texts("rare", greetings(60).texts, torch.zeros(60).long(), ("a", "b"))
    with pytest.raises(ArgumentError, match="none of 'b'"):
        parts_of(rare, None, TINY)
    with pytest.raises(ArgumentError, match="argument 'test'"):
        parts_of(greetings(), rare, TINY)
    alike = Texts("alike", greetings(60).texts, torch.arange(60.0))
    with pytest.raises(ArgumentError, match="3 for all 12 to test"):
        parts_of(alike, Texts("one", greetings(12).texts, torch.full((12,), 3.0)), TINY)  # whose R2 is no number


def test_numbers_that_are_none_are_left_out_with_a_word(tmp_path):
    """They were a class of their own, and all the numbers with them classes."""
    file = tmp_path / "numbers.csv"
    rows = [f"text {i},{'nan' if i == 3 else 'NaN' if i == 8 else i / 7}" for i in range(60)]
    file.write_text("\n".join(["text,y", *rows]))
    with pytest.warns(UserWarning, match="2 of 60 rows .* the first in line 5"):
        texts = read_texts(file)
    assert not texts.classes
    assert len(texts) == 58


def test_the_command(folders, tmp_path, capsys, monkeypatch):
    file, texts = tmp_path / "mine.csv", greetings()
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([["text", "label"], *zip(texts.texts, (texts.classes[i] for i in texts.target.tolist()))])
    words = ["adapt", str(folders["bert"]), str(file), "--r", "2", "--rates", "1e-2", "--seeds", "1", "--epochs", "1", "--quiet"]
    words += ["--out", str(tmp_path / "runs"), "--layers", "2", "--target-modules", "query,value"]
    main(words)
    said = capsys.readouterr().out
    assert said.startswith("BoRA: test accuracy ")
    directory = next((tmp_path / "runs" / "mine-bora").iterdir())
    config = json.loads((directory / "adapter" / "adapter_config.json").read_text())
    assert (config["target_modules"], config["layers_to_transform"], config["r"]) == (["query", "value"], [2], 2)

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Goal, "loss", stop)
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 130
    assert "continue with: erlangen adapt" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--layers", "7"], "argument --layers: expected numbers of the model's 3 blocks, 0 to 2; got 7"),
        (["--layers", "x"], "argument --layers: expected numbers with commas between; got 'x'"),
        (["--target-modules", "nothing"], "argument --target-modules: expected names"),
        (["--text", "no"], "argument --text: expected a column of 'mine.csv' ('text', 'label'); got 'no'"),
        (["--resume", "nowhere"], "argument --resume: expected the directory of an interrupted run"),
    ],
)
def test_bad_flags_give_one_line(flags, said, folders, tmp_path, capsys):
    file = tmp_path / "mine.csv"
    file.write_text("text,label\n" + "".join(f"red {w} {v},{w}\n" for w in WORDS[:2] for v in WORDS * 5))
    with pytest.raises(SystemExit) as end:
        main(["adapt", str(folders["bert"]), str(file), "--out", str(tmp_path / "runs"), *flags])
    err = capsys.readouterr().err
    assert end.value.code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_folders_without_a_model_are_refused(tmp_path, folders):
    with pytest.raises(ArgumentError, match="a folder with a model of transformers"):
        load_text_model(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ArgumentError, match="and its tokenizer"):
        load_text_model(tmp_path)
    with pytest.raises(ArgumentError, match="directory"):
        load_adapted(tmp_path)
