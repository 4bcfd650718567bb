"""What stays true around the computing: merging, saving whole modules, state dicts, names, what is kept in evaluation."""

import copy
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from erlangen.errors import ArgumentError
from erlangen.parameters.adapters import (
    AdaptedModel,
    BoraConfig,
    DoraConfig,
    LoraConfig,
    get_peft_model,
    parameter_groups,
    to_lora,
)

X = torch.randn(5, 4, generator=torch.Generator().manual_seed(2))


def blur(model, seed=1):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p += 0.2 * torch.rand(p.shape, generator=generator)
    return model


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3))


def pair():
    """A model with two trained adapters, and the outputs of each and of both."""
    model = blur(get_peft_model(net(), LoraConfig(r=2)))
    model.add_adapter("b", BoraConfig(r=2))
    model.set_adapter("b")
    blur(model, 3)
    outputs = []
    for names in ("default", "b", ["default", "b"]):
        model.set_adapter(names)
        outputs.append(model(X).detach())
    model.set_adapter("default")
    return model, *outputs


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense, self.out = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.out(torch.tanh(self.dense(x)))


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.dense, self.head = nn.Linear(4, 4), Head()

    def forward(self, x):
        return self.head(self.dense(x))


def test_another_adapter_that_is_set_counts_after_merging():
    model, _, second, _ = pair()
    model.merge_adapter()
    with pytest.warns(UserWarning, match="takes the merged default out"):
        model.set_adapter("b")
    assert torch.equal(model(X), second)
    assert model.merged_adapters == []


def test_what_is_merged_later_is_added():
    model, first, _, both = pair()
    with model.disable_adapter():
        base = model(X).detach()
    model.merge_adapter(["default"])
    model.merge_adapter("b")
    torch.testing.assert_close(model(X), both)
    model.merge_adapter("b", strength=0.0)
    torch.testing.assert_close(model(X), first)
    model.merge_adapter("default", strength=0.5)
    torch.testing.assert_close(model(X), (first + base) / 2)
    torch.testing.assert_close(copy.deepcopy(model).merge_and_unload()(X), (first + base) / 2)
    torch.testing.assert_close(copy.deepcopy(model).unload()(X), base)


def test_merged_adapters_are_not_forgotten():
    model, *_ = pair()
    model.merge_adapter(["b"])
    with pytest.raises(ArgumentError, match="not merged"):
        model.delete_adapter("b")


def test_a_disabled_merged_layer_shows_its_frozen_weight():
    torch.manual_seed(0)
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0), 1).eval()
    x = torch.randn(2, 3, 8)
    with torch.no_grad():
        expected = encoder(x)  # torch takes a path that reads weights and calls no layer
    model = blur(get_peft_model(encoder, BoraConfig(r=2))).eval()
    model.merge_adapter()
    with torch.no_grad(), model.disable_adapter():
        assert torch.equal(model(x), expected)


def test_a_state_dict_has_the_frozen_weights():
    model = blur(get_peft_model(net(), BoraConfig(r=2)))
    expected = model(X)
    model.merge_adapter()
    fresh = get_peft_model(net(), BoraConfig(r=2))
    fresh.load_state_dict(model.state_dict())
    assert torch.equal(fresh(X), expected)
    other = blur(get_peft_model(net(), BoraConfig(r=2)), 5)
    other.merge_adapter()
    other.load_state_dict(fresh.state_dict())
    assert torch.equal(other(X), expected)
    assert other.merged_adapters == []


def test_merging_takes_the_saved_module_along():
    model = blur(get_peft_model(Classifier(), LoraConfig(r=1, target_modules=["dense"], modules_to_save=["head"])))
    model.add_adapter("b", LoraConfig(r=1, target_modules=["dense"], modules_to_save=["head"]))
    model.set_adapter("b")
    expected = blur(model, 3)(X)
    model.set_adapter("default")
    model.merge_adapter("b")
    torch.testing.assert_close(model(X), expected)
    with pytest.raises(ArgumentError, match="'head'"):
        model.merge_adapter("default")
    torch.testing.assert_close(model.merge_and_unload([])(X), expected)


@pytest.mark.parametrize("whole", [["head"], ["head", "out"], ["head", "head.out"]])
def test_what_is_inside_a_saved_module_is_trained_with_it(tmp_path, whole):
    model = blur(get_peft_model(Classifier(), LoraConfig(r=2, target_modules=["dense"], modules_to_save=whole)))
    assert [layer.name for layer in model.layers()] == ["dense"]
    trained = {n.removeprefix("base_model.head.copies.default.") for n, p in model.named_parameters() if p.requires_grad}
    assert {n for n in trained if "adapters" not in n} == {"dense.weight", "dense.bias", "out.weight", "out.bias"}
    model.save_pretrained(tmp_path)
    assert torch.equal(AdaptedModel.from_pretrained(Classifier(), tmp_path)(X), model(X))


def test_saved_modules_do_not_overlap():
    def second(first, then):
        model = get_peft_model(Classifier(), LoraConfig(r=1, target_modules=first[0], modules_to_save=first[1]))
        model.add_adapter("b", LoraConfig(r=1, target_modules=["dense"], modules_to_save=then))

    for first, then in ((("dense", ["head.out"]), ["head"]), (("dense", ["head"]), ["out"]), (("head.dense", []), ["head"])):
        with pytest.raises(ArgumentError, match="modules_to_save"):
            second(first, then)
    with pytest.raises(ArgumentError, match=r"modules_to_save.*dense, head"):
        get_peft_model(Classifier(), LoraConfig(r=1, modules_to_save=["haed"]))


def test_names_like_ours_in_a_model(tmp_path):
    def build():
        torch.manual_seed(0)
        inner = nn.ModuleDict({"head": nn.Linear(4, 4), "base_layer": nn.Linear(4, 4)})
        return nn.ModuleDict({"copies": inner, "original": nn.ModuleDict({"adapters": nn.Linear(4, 4)})})

    def out(m):
        return m.original.adapters(m.copies.head(m.copies.base_layer(X)))

    config = LoraConfig(r=1, target_modules=["base_layer"], modules_to_save=["head"], bias="all")
    model = blur(get_peft_model(build(), config))
    model.save_pretrained(tmp_path)
    again = AdaptedModel.from_pretrained(build(), tmp_path)
    assert torch.equal(out(again.base_model), out(model.base_model))


def test_biases_of_every_name_are_trained_and_stay():
    model = get_peft_model(nn.ModuleDict({"cell": nn.LSTM(3, 3), "out": nn.Linear(3, 2)}), LoraConfig(r=1, bias="all"))
    trained = {n.rpartition(".")[2] for n, p in model.named_parameters() if p.requires_grad}
    assert trained == {"bias_ih_l0", "bias_hh_l0", "bias", "lora_A", "lora_B"}
    with pytest.warns(UserWarning, match="trained biases"), model.disable_adapter():
        pass


def test_biases_of_the_adapter_alone():
    model = get_peft_model(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)), LoraConfig(r=1, target_modules=["0"], bias="lora_only"))
    model.add_adapter("b", LoraConfig(r=1, target_modules=["1"]))
    assert [n for n, p in model.named_parameters() if p.requires_grad and n.endswith("bias")] == ["base_model.0.base_layer.bias"]


@pytest.mark.parametrize("name", ["", "a.b", "a/b", "/tmp", "keys", "training"])
def test_names_of_adapters(name):
    with pytest.raises(ArgumentError, match="adapter_name"):
        get_peft_model(net(), LoraConfig(r=1), name)


def test_what_cannot_be_adapted_leaves_the_model_as_it_was():
    def built(second):
        model = nn.Sequential(nn.Linear(4, 4), second)
        before = [(n, p.requires_grad) for n, p in model.named_parameters()]
        with pytest.raises(ArgumentError, match=r"target_modules.*'1'"):
            get_peft_model(model, LoraConfig(r=1, target_modules=["0", "1"]))
        assert type(model[0]) is nn.Linear
        assert [(n, p.requires_grad) for n, p in model.named_parameters()] == before

    built(nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)))
    built(nn.Embedding(4, 4, sparse=True))
    built(nn.Embedding(4, 4, max_norm=1.0))
    built(nn.Bilinear(4, 4, 4))
    with pytest.raises(ArgumentError, match="lazy"):
        get_peft_model(nn.Sequential(nn.LazyLinear(3)), LoraConfig(r=1))


class Doubled(nn.Linear):
    def forward(self, x):
        return F.linear(x, 2 * self.weight, self.bias) + 1


def test_a_linear_layer_of_another_forward_keeps_it():
    torch.manual_seed(0)
    layer = Doubled(4, 3)
    expected = layer(X)
    model = get_peft_model(nn.Sequential(layer), LoraConfig(r=2))
    assert torch.equal(model(X), expected)
    blur(model)
    factors = next(f for adapted in model.layers() for _, f in adapted.factors("default"))
    torch.testing.assert_close(model(X), expected + 2 * X @ (factors.scaling * factors.lora_B @ factors.lora_A).T)


def test_hooks_of_a_layer_run():
    model = net()
    model[0].register_forward_hook(lambda layer, inputs, output: 3 * output)
    model[0].register_forward_pre_hook(lambda layer, inputs: (inputs[0] + 1,))
    expected = model(X)
    torch.testing.assert_close(get_peft_model(model, DoraConfig(r=2))(X), expected)


@pytest.mark.parametrize("who", ["adapter", "frozen"])
def test_writing_through_data_is_seen(who):
    model = get_peft_model(net(), BoraConfig(r=2)).eval()
    with torch.no_grad():
        model(X)
        for p in model.parameters():
            if p.requires_grad == (who == "adapter"):
                p.data.add_(torch.rand(p.shape))  # counters of versions do not see it
        kept = model(X)
    torch.testing.assert_close(kept, model(X).detach())


@pytest.mark.parametrize("config", [LoraConfig(r=2), BoraConfig(r=2)])
def test_dropout_of_a_convolution_is_on_the_low_rank_branch(config):
    torch.manual_seed(0)
    base = nn.Sequential(nn.Conv1d(3, 4, 3, padding=1, padding_mode="circular"))
    how = {"target_modules": ["0"], "r": 2, "lora_dropout": 0.5}
    model = blur(get_peft_model(base, type(config)(**how)))
    x = torch.randn(2, 3, 7)
    torch.manual_seed(5)
    got = model(x)
    torch.manual_seed(5)
    dropped = F.dropout(x, 0.5)
    layer = next(model.layers())
    _, factors = next(layer.factors("default"))
    w = layer.base_layer.weight.flatten(1)
    v = w + factors.scaling * factors.lora_B @ factors.lora_A
    d, c = (factors.scales(w.detach()).get(side, torch.ones(())) for side in ("row", "col"))
    own, update = (t * d.reshape(-1, 1) * c for t in (w, v - w))

    def conv(x, m):
        return F.conv1d(F.pad(x, (1, 1), mode="circular"), m.view(4, 3, 3))

    torch.testing.assert_close(got, conv(x, own) + conv(dropped, update) + layer.base_layer.bias.view(-1, 1))


def test_dropout_that_does_nothing_is_said():
    with pytest.warns(UserWarning, match="does nothing in 0"):
        get_peft_model(nn.Sequential(nn.Embedding(4, 3)), LoraConfig(r=1, target_modules=["0"], lora_dropout=0.1))


def test_a_layer_in_two_places_shares_with_nobody():
    layer = nn.Linear(4, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        get_peft_model(nn.Sequential(layer, layer), LoraConfig(r=1)).merge_and_unload()


def test_split_of_attention_is_of_the_fused_weight():
    model = get_peft_model(nn.ModuleDict({"att": nn.MultiheadAttention(12, 2)}), BoraConfig(r=2, split={"att": 3}))
    found = {slot.name: slot.parts for layer in model.layers() for slot, _ in layer.factors("default")}
    assert found == {"in_proj_weight": 3, "out_proj.weight": 1}


def test_a_low_rank_copy_has_the_head():
    model = blur(get_peft_model(Classifier(), BoraConfig(r=1, target_modules=["dense"], modules_to_save=["head"])))
    expected = model(X)
    to_lora(model, 4, "copy")
    assert model.active_adapters == ["default"]
    model.set_adapter("copy")
    torch.testing.assert_close(model(X), expected)


def test_configs_take_numbers_of_numpy_ranges_and_sets(tmp_path):
    config = LoraConfig(r=np.int64(2), lora_alpha=np.float32(4), target_modules={"0"}, layers_to_transform=range(1))
    model = blur(get_peft_model(net(), config))
    model.save_pretrained(tmp_path)
    assert torch.equal(AdaptedModel.from_pretrained(net(), tmp_path)(X), model(X))
    with pytest.raises(ArgumentError, match="target_modules"):
        LoraConfig(target_modules=[0])


def test_a_learning_rate_of_zero_moves_nothing():
    model = get_peft_model(net(), BoraConfig(r=2))
    before = {n: p.clone() for n, p in model.named_parameters()}
    optimizer = torch.optim.AdamW(parameter_groups(model, 0.0, ratio=16))
    model(X).square().sum().backward()
    optimizer.step()
    assert all(torch.equal(p, before[n]) for n, p in model.named_parameters())
    with pytest.raises(ArgumentError, match="lr"):
        parameter_groups(model, -1.0)
