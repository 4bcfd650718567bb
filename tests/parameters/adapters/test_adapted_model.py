"""The verbs of an adapted model, on every class of layer."""

import copy
import dataclasses
import warnings

import pytest
import torch
from torch import nn

from erlangen.errors import ArgumentError
from erlangen.parameters.adapters import (
    AdaptedModel,
    AdapterConfig,
    BoraConfig,
    DoraConfig,
    LoraConfig,
    get_peft_model,
)


class Attend(nn.Module):
    def __init__(self, **how):
        super().__init__()
        self.att = nn.MultiheadAttention(6, 2, batch_first=True, **how)

    def forward(self, x):
        return self.att(x, x, x)[0]


class Crossed(nn.Module):
    def __init__(self):
        super().__init__()
        self.att = nn.MultiheadAttention(6, 2, kdim=5, vdim=4, batch_first=True)

    def forward(self, x):
        return self.att(x, x[..., :5], x[..., :4])[0]


X = torch.randn(3, 7, 6, generator=torch.Generator().manual_seed(0))
CASES = {
    "linear": (lambda: nn.Sequential(nn.Linear(6, 9)), X),
    "no-bias": (lambda: nn.Sequential(nn.Linear(6, 9, bias=False)), X),
    "conv1d": (lambda: nn.Sequential(nn.Conv1d(7, 4, 3, padding=1)), X),
    "grouped": (lambda: nn.Sequential(nn.Conv1d(8, 4, 3, groups=2)), torch.randn(2, 8, 9)),
    "conv2d": (lambda: nn.Sequential(nn.Conv2d(3, 4, (3, 2), stride=2)), torch.randn(2, 3, 8, 8)),
    "conv3d": (lambda: nn.Sequential(nn.Conv3d(2, 4, 2)), torch.randn(2, 2, 4, 4, 4)),
    "embedding": (lambda: nn.Sequential(nn.Embedding(11, 6, padding_idx=0)), torch.randint(11, (3, 5))),
    "attention": (Attend, X),
    "attention-no-bias": (lambda: Attend(bias=False), X),
    "crossed": (Crossed, X),
}
CONFIGS = {
    "lora": LoraConfig(r=2, target_modules=".*"),
    "dora": DoraConfig(r=2, target_modules=".*"),
    "dora-in": DoraConfig(r=2, target_modules=".*", dora_axis="in"),
    "bora": BoraConfig(r=2, target_modules=".*"),
    "bora-col": BoraConfig(r=2, target_modules=".*", first="col"),
    "bora-true": BoraConfig(r=2, target_modules=".*", detach_norms=False),
    "bora-channel": BoraConfig(r=2, target_modules=".*", column="in_channel"),
    "magnitude": AdapterConfig(method="magnitude", target_modules=".*"),
    "rslora": LoraConfig(r=2, target_modules=".*", use_rslora=True),
}


def made(case, config, seed=0):
    torch.manual_seed(seed)
    build, x = CASES[case]
    base = build().double()
    x = x.double() if x.is_floating_point() else x
    names = [n for n, m in base.named_modules() if n and "out_proj" not in n]
    pattern = "|".join(names)
    return get_peft_model(base, dataclasses.replace(config, target_modules=pattern)), copy.deepcopy(base), x


def blur(model, seed=1):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p += 0.2 * torch.rand(p.shape, generator=generator, dtype=torch.float64).to(p.dtype)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("case", CASES)
def test_start_train_merge_unmerge_disable(case, config, tmp_path):
    model, _, x = made(case, CONFIGS[config])
    with model.disable_adapter():
        base = model(x)
    torch.testing.assert_close(model(x), base, atol=1e-12, rtol=1e-12)
    blur(model)
    model.eval()
    live = model(x)
    assert float((live - base).detach().abs().max()) > 1e-3
    live.square().mean().backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in model.parameters() if p.requires_grad)
    before = {n: p.detach().clone() for layer in model.layers() for n, p in layer.base_layer.named_parameters()}
    model.merge_adapter()
    torch.testing.assert_close(model(x), live, atol=1e-10, rtol=1e-10)
    with model.disable_adapter():
        torch.testing.assert_close(model(x), base, atol=1e-13, rtol=1e-13)  # attention takes another path without gradients
    model.unmerge_adapter()
    assert all(torch.equal(p, before[n]) for layer in model.layers() for n, p in layer.base_layer.named_parameters())
    model.save_pretrained(tmp_path)
    fresh, _, _ = made(case, CONFIGS[config])
    again = AdaptedModel.from_pretrained(fresh.unload(), tmp_path).eval()
    assert torch.equal(again(x), live)
    plain = model.merge_and_unload()
    torch.testing.assert_close(plain(x), live, atol=1e-10, rtol=1e-10)
    assert not any("adapters" in n for n, _ in plain.named_parameters())


def test_half_strength_is_halfway_between_the_matrices():
    model, _, _ = made("linear", CONFIGS["bora"])
    blur(model)
    layer = next(model.layers())
    w, full = layer.base_layer.weight.detach().clone(), layer.weight.detach()
    model.merge_adapter(strength=0.5)
    torch.testing.assert_close(layer.base_layer.weight, (w + full) / 2, atol=1e-13, rtol=0)


def test_two_adapters_add_what_each_changes():
    model, _, x = made("linear", CONFIGS["bora"])
    blur(model)
    model.add_adapter("second", DoraConfig(r=3, target_modules=["0"]))
    model.set_adapter("second")
    blur(model, 5)
    outputs = {}
    for names in (["default"], ["second"], ["default", "second"], ["second", "default"]):
        model.set_adapter(names)
        outputs[tuple(names)] = model(x).detach()
    with model.disable_adapter():
        base = model(x)
    both = outputs["default", "second"]
    torch.testing.assert_close(both, outputs["default",] + outputs["second",] - base, atol=1e-12, rtol=0)
    for names in (["default", "second"], ["second", "default"]):
        torch.testing.assert_close(outputs[tuple(names)], both, atol=1e-12, rtol=0)
        model.merge_adapter(names)
        torch.testing.assert_close(model(x), both, atol=1e-12, rtol=0)
        model.unmerge_adapter()


def test_only_the_active_adapter_is_trained():
    model, _, _ = made("linear", CONFIGS["bora"])
    model.add_adapter("second", CONFIGS["lora"].__class__(r=1, target_modules=["0"]))
    model.set_adapter("second")
    assert {n.split(".")[3] for n, p in model.named_parameters() if p.requires_grad} == {"second"}
    with pytest.raises(ArgumentError, match="'default', 'second'"):
        model.set_adapter("third")
    with pytest.raises(ArgumentError, match="does not count"):
        model.delete_adapter("second")
    model.delete_adapter("default")
    assert list(model.peft_config) == ["second"]


def test_a_head_is_saved_with_its_adapter(tmp_path):
    torch.manual_seed(0)
    base = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 2))
    x = torch.randn(4, 6)
    model = get_peft_model(copy.deepcopy(base), BoraConfig(r=2, target_modules=["0"], modules_to_save=["1"]))
    blur(model)
    out = model(x)
    with model.disable_adapter():
        assert torch.equal(model(x), base(x))
    model.save_pretrained(tmp_path)
    assert torch.equal(AdaptedModel.from_pretrained(copy.deepcopy(base), tmp_path)(x), out)
    torch.testing.assert_close(model.merge_and_unload()(x), out, atol=1e-6, rtol=1e-5)


def test_what_reads_the_weight_gets_the_adapted_one():
    torch.manual_seed(0)
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0), 2).eval()
    x = torch.randn(3, 5, 8)
    model = get_peft_model(encoder, BoraConfig(r=2))
    blur(model)
    model.eval()
    expected = model(x)
    with torch.no_grad():  # torch takes a path that reads weights and calls no layer
        torch.testing.assert_close(model(x), expected, atol=1e-5, rtol=1e-5)
        padded = torch.zeros(3, 5, dtype=torch.bool)
        padded[0, 3:] = True
        masked = model(x, src_key_padding_mask=padded)
    grown = model(x, src_key_padding_mask=padded)
    torch.testing.assert_close(masked[~padded], grown[~padded].detach(), atol=1e-5, rtol=1e-5)


def test_tied_weights_are_untied_by_merging():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.e = nn.Embedding(9, 4)
            self.head = nn.Linear(4, 9, bias=False)
            self.head.weight = self.e.weight

        def forward(self, x):
            return self.head(self.e(x))

    torch.manual_seed(0)
    model = get_peft_model(Tied(), BoraConfig(r=2, target_modules=["head"]))
    blur(model)
    x = torch.randint(9, (5,))
    live = model(x)
    with pytest.warns(UserWarning, match="its own from now on"):
        plain = model.merge_and_unload()
    torch.testing.assert_close(plain(x), live, atol=1e-6, rtol=1e-5)


def test_shared_layers_are_adapted_once():
    layer = nn.Linear(4, 4)
    model = get_peft_model(nn.Sequential(layer, nn.Tanh(), layer), BoraConfig(r=2))
    assert len(list(model.layers())) == 1
    assert model.base_model[0] is model.base_model[2]
    plain = model.merge_and_unload()
    assert plain[0] is plain[2] is layer


def test_targets():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.query, self.value = nn.Linear(4, 4), nn.Linear(4, 4)

    model = nn.ModuleDict({"layer": nn.ModuleList(Block() for _ in range(3)), "head": nn.Linear(4, 2)})

    def names(**how):
        adapted = get_peft_model(copy.deepcopy(model), BoraConfig(r=1, **how))
        return [layer.name for layer in adapted.layers()]

    assert names(target_modules=["query"]) == [f"layer.{i}.query" for i in range(3)]
    assert names(target_modules=r".*\.[12]\.(query|value)") == [f"layer.{i}.{n}" for i in (1, 2) for n in ("query", "value")]
    assert names(target_modules=["query"], layers_to_transform=[0, 2]) == ["layer.0.query", "layer.2.query"]
    assert names(exclude_modules=["head", "value"]) == [f"layer.{i}.query" for i in range(3)]
    assert names(modules_to_save=["head"], layers_to_transform=1, layers_pattern="layer") == ["layer.1.query", "layer.1.value"]
    with pytest.raises(ArgumentError, match=r"layer\.0\.query, layer\.0\.value"):
        names(target_modules=["quarry"])
    with pytest.raises(ArgumentError, match="'layer', a ModuleList"):
        names(target_modules=["layer"])


def test_ranks_and_scales_by_name():
    net = nn.ModuleDict({"a": nn.Linear(4, 4), "b": nn.Linear(4, 4)})
    model = get_peft_model(net, LoraConfig(r=2, rank_pattern={"b": 3}, alpha_pattern={"b": 6.0}))
    found = {layer.name: (f.r, f.scaling) for layer in model.layers() for _, f in layer.factors("default")}
    assert found == {"a": (2, 8.0), "b": (3, 2.0)}


def test_compiled_vmapped_checkpointed_copied():
    torch.manual_seed(0)
    model = get_peft_model(nn.Sequential(nn.Linear(6, 9), nn.GELU(), nn.Linear(9, 3)), BoraConfig(r=2))
    blur(model)
    x = torch.randn(4, 6)
    expected = model(x)
    for other in (
        torch.compile(model, fullgraph=True, backend="aot_eager"),
        copy.deepcopy(model),
        lambda x: torch.utils.checkpoint.checkpoint(model, x, use_reentrant=False),
        torch.func.vmap(model),
        lambda x: torch.func.functional_call(model, dict(model.named_parameters()), (x,)),
    ):
        torch.testing.assert_close(other(x), expected)
    got = torch.autograd.grad(
        torch.compile(model, fullgraph=True, backend="aot_eager")(x).sum(), [p for p in model.parameters() if p.requires_grad]
    )
    ref = torch.autograd.grad(expected.sum(), [p for p in model.parameters() if p.requires_grad])
    for a, b in zip(got, ref):
        torch.testing.assert_close(a, b)


def test_kept_scales_follow_the_parameters():
    torch.manual_seed(0)
    model = get_peft_model(nn.Sequential(nn.Linear(6, 9)), BoraConfig(r=2)).eval()
    x = torch.randn(4, 6)
    with torch.no_grad():
        model(x)
        blur(model)
        kept = model(x)
    torch.testing.assert_close(kept, model(x).detach())
    with torch.inference_mode():
        torch.testing.assert_close(model(x), kept)
    moved = copy.deepcopy(model).double()
    with torch.no_grad():
        torch.testing.assert_close(moved(x.double()).float(), kept)


def test_loading_what_does_not_fit_names_it(tmp_path):
    model = get_peft_model(nn.Sequential(nn.Linear(6, 9)), BoraConfig(r=2))
    model.save_pretrained(tmp_path)
    with pytest.raises(ArgumentError, match=r"shape \(2, 6\) of 'base_model.model.0.lora_A'|shape \(2, 5\)"):
        AdaptedModel.from_pretrained(nn.Sequential(nn.Linear(5, 9)), tmp_path)
    with pytest.raises(ArgumentError, match="target_modules"):
        AdaptedModel.from_pretrained(nn.Sequential(nn.Tanh()), tmp_path)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"no")
    with pytest.raises(ArgumentError, match="whole safetensors"):
        AdaptedModel.from_pretrained(nn.Sequential(nn.Linear(6, 9)), tmp_path)
    with pytest.raises(ArgumentError, match=r"adapter_config\.json"):
        AdaptedModel.from_pretrained(nn.Sequential(nn.Linear(6, 9)), tmp_path / "none")


@pytest.mark.parametrize(
    "how",
    [{"r": -1}, {"lora_alpha": 0}, {"method": "vera"}, {"first": "rows"}, {"lora_dropout": 1.0}, {"split": {"qkv": 0}}, {"r": 1.5}],
)
def test_bad_configs_name_the_field(how):
    with pytest.raises(ArgumentError, match=next(iter(how))):
        AdapterConfig(**how)


def test_quantised_weights_are_refused():
    layer = nn.Linear(4, 4)
    layer.weight = nn.Parameter(torch.zeros(4, 4, dtype=torch.int8), requires_grad=False)
    with pytest.raises(ArgumentError, match="int8"):
        get_peft_model(nn.Sequential(layer), LoraConfig(r=1))


def test_no_warnings_on_the_common_way():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, _, x = made("linear", CONFIGS["bora"])
        model(x).sum().backward()
        model.merge_and_unload()
