"""Files of many configs of `peft`, both ways: the same tensors, the same outputs, or refused by name."""

import copy
import json
import os
import warnings

import pytest
import torch
from torch import nn

os.environ.setdefault("HF_HUB_OFFLINE", "1")
peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")

from safetensors.torch import load_file  # noqa: E402

from erlangen.errors import ArgumentError  # noqa: E402
from erlangen.parameters.adapters import AdaptedModel, LoraConfig, get_peft_model  # noqa: E402

X = torch.randint(30, (2, 7), generator=torch.Generator().manual_seed(0))


def bert(kind="BertModel"):
    config = transformers.BertConfig(
        vocab_size=30, hidden_size=12, num_hidden_layers=3, num_attention_heads=2, intermediate_size=16, max_position_embeddings=20
    )
    return getattr(transformers, kind)(config)


def gpt():
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=30, n_embd=12, n_layer=2, n_head=2, n_positions=20))


def llama():
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=30, hidden_size=12, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1
        )
    )


TWO = {"target_modules": ["query", "value"]}
CASES = {
    "rslora": (bert, TWO | {"use_rslora": True}),
    "patterns": (bert, TWO | {"rank_pattern": {r"layer.1.*query": 7}, "alpha_pattern": {"query": 3, r"layer\.[02].*value": 20}}),
    "dora-patterns": (bert, TWO | {"rank_pattern": {"^encoder.layer.1.attention.self.query": 7}, "use_dora": True}),
    "all-linear": (bert, {"target_modules": "all-linear"}),
    "regex": (bert, {"target_modules": r".*\.(query|key)$"}),
    "exclude": (bert, TWO | {"exclude_modules": r".*layer\.0.*"}),
    "layers": (bert, TWO | {"layers_to_transform": [0, 2], "layers_pattern": ["layer"]}),
    "bias-all": (bert, TWO | {"bias": "all"}),
    "bias-own": (bert, TWO | {"bias": "lora_only"}),
    "head": (lambda: bert("BertForSequenceClassification"), TWO | {"task_type": "SEQ_CLS"}),
    "inside": (lambda: bert("BertForSequenceClassification"), {"target_modules": ["dense"], "modules_to_save": ["bert.pooler"]}),
    "turned": (gpt, {"target_modules": ["c_attn"], "fan_in_fan_out": True, "use_dora": True}),
    "tied": (gpt, {"target_modules": ["c_attn"], "fan_in_fan_out": True, "modules_to_save": ["wte"]}),
    "embedding": (llama, {"target_modules": ["embed_tokens", "lm_head", "q_proj"]}),
}


def blur(model):
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p += 0.2 * torch.rand(p.shape, generator=generator)
    return model.eval()


def out(model):
    with torch.no_grad():
        return model.eval()(X)[0]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES)
def test_peft_files_both_ways(tmp_path, case):
    build, config = CASES[case]
    torch.manual_seed(0)
    base = build()
    theirs = blur(peft.get_peft_model(copy.deepcopy(base), peft.LoraConfig(**{"r": 3, "lora_alpha": 5} | config)))
    theirs.save_pretrained(tmp_path / "theirs")
    ours = AdaptedModel.from_pretrained(copy.deepcopy(base), tmp_path / "theirs")
    torch.testing.assert_close(out(ours), out(theirs))
    assert float((out(theirs) - out(base)).abs().max()) > 1e-5
    ours.save_pretrained(tmp_path / "ours")
    left, right = (load_file(tmp_path / who / "adapter_model.safetensors") for who in ("theirs", "ours"))
    assert {k for k in left if not k.endswith(".base_layer.weight")} == set(right)
    assert all(torch.equal(left[k], right[k]) for k in right)
    assert torch.equal(out(peft.PeftModel.from_pretrained(copy.deepcopy(base), tmp_path / "ours")), out(theirs))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({"init_lora_weights": "pissa"}, "init_lora_weights 'pissa'"),
        ({"init_lora_weights": "olora"}, "init_lora_weights 'olora'"),
        ({"lora_bias": True}, "lora_bias"),
        ({"target_parameters": ["encoder.layer.0.attention.self.key.weight"]}, "target_parameters"),
    ],
)
def test_what_changes_the_base_is_refused_by_name(tmp_path, config, word):
    peft.get_peft_model(bert(), peft.LoraConfig(r=2, target_modules=["query"], **config)).save_pretrained(tmp_path)
    with pytest.raises(ArgumentError, match=word):
        AdaptedModel.from_pretrained(bert(), tmp_path)


@pytest.mark.filterwarnings("ignore")
def test_other_methods_of_peft_are_refused_by_name(tmp_path):
    peft.get_peft_model(bert(), peft.IA3Config(target_modules=["query"], feedforward_modules=[])).save_pretrained(tmp_path)
    with pytest.raises(ArgumentError, match="'IA3'"):
        AdaptedModel.from_pretrained(bert(), tmp_path)


class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.out = nn.LSTM(3, 3), nn.Linear(3, 2)

    def forward(self, x):
        return (self.out(self.cell(x)[0]),)


def test_biases_that_peft_does_not_know(tmp_path):
    torch.manual_seed(0)
    base = Cell()
    theirs = blur(peft.get_peft_model(copy.deepcopy(base), peft.LoraConfig(r=1, target_modules=["out"], bias="all")))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs.save_pretrained(tmp_path / "theirs")
    x = torch.randn(4, 3)
    again = AdaptedModel.from_pretrained(copy.deepcopy(base), tmp_path / "theirs")
    torch.testing.assert_close(again(x)[0], theirs(x)[0])
    ours = blur(get_peft_model(copy.deepcopy(base), LoraConfig(r=1, target_modules=["out"], bias="all")))
    ours.save_pretrained(tmp_path / "ours")
    assert json.loads((tmp_path / "ours" / "adapter_config.json").read_text())["peft_type"] == "ERLANGEN"
    assert torch.equal(AdaptedModel.from_pretrained(copy.deepcopy(base), tmp_path / "ours")(x)[0], ours(x)[0])


def test_a_file_that_does_not_fit_leaves_the_model_as_it_was(tmp_path):
    get_peft_model(nn.Sequential(nn.Linear(3, 2)), LoraConfig(r=1)).save_pretrained(tmp_path)
    base = nn.Sequential(nn.Linear(4, 2))
    with pytest.raises(ArgumentError, match="shape"):
        AdaptedModel.from_pretrained(base, tmp_path)
    assert type(base[0]) is nn.Linear
    assert all(p.requires_grad for p in base.parameters())
    model = get_peft_model(base, LoraConfig(r=1))
    with pytest.raises(ArgumentError, match="shape"):
        model.load_adapter(tmp_path, "b")
    assert list(model.peft_config) == ["default"]
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LORA", "r": "many", "target_modules": 5}')
    with pytest.raises(ArgumentError):
        model.load_adapter(tmp_path, "b")


def test_a_config_without_a_scale_has_that_of_peft(tmp_path):
    torch.manual_seed(0)
    base = nn.Sequential(nn.Linear(3, 2))
    theirs = blur(peft.get_peft_model(copy.deepcopy(base), peft.LoraConfig(r=2, target_modules=["0"])))
    theirs.save_pretrained(tmp_path)
    path = tmp_path / "adapter_config.json"
    about = json.loads(path.read_text())
    del about["lora_alpha"]
    path.write_text(json.dumps(about))
    x = torch.randn(4, 3)
    torch.testing.assert_close(AdaptedModel.from_pretrained(copy.deepcopy(base), tmp_path)(x), theirs(x))


def test_a_broken_regular_expression_is_named():
    with pytest.raises(ArgumentError, match=r"target_modules.*regular expression"):
        LoraConfig(target_modules="((")
