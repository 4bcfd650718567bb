"""LoRA and DoRA beside `peft`: the same files, outputs and training."""

import copy
import os

import pytest
import torch
from torch import nn

from erlangen.parameters.adapters import AdaptedModel, DoraConfig, LoraConfig, get_peft_model

os.environ.setdefault("HF_HUB_OFFLINE", "1")
peft = pytest.importorskip("peft")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.e = nn.Embedding(10, 6)
        self.q = nn.Linear(6, 8)
        self.c = nn.Conv1d(8, 4, 3, padding=1)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        h = torch.tanh(self.q(self.e(x)))
        return self.head(self.c(h.mT).mT)


TARGETS = ["e", "q", "c"]
X = torch.randint(10, (5, 7), generator=torch.Generator().manual_seed(0))


def blur(model):
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p += 0.3 * torch.randn(p.shape, generator=generator).abs()


@pytest.mark.parametrize("dora", [False, True])
def test_files_of_peft_and_ours_are_the_same(tmp_path, dora):
    torch.manual_seed(0)
    base = Net()
    config = {"r": 3, "lora_alpha": 5, "target_modules": TARGETS, "modules_to_save": ["head"]}
    theirs = peft.get_peft_model(copy.deepcopy(base), peft.LoraConfig(use_dora=dora, **config)).eval()
    blur(theirs)
    theirs.save_pretrained(tmp_path / "theirs")
    ours = AdaptedModel.from_pretrained(copy.deepcopy(base), tmp_path / "theirs").eval()
    torch.testing.assert_close(ours(X), theirs(X), atol=2e-6, rtol=1e-5)

    ours.save_pretrained(tmp_path / "ours")
    read, written = ((tmp_path / k / "adapter_model.safetensors") for k in ("theirs", "ours"))
    from safetensors.torch import load_file

    left, right = load_file(read), load_file(written)
    assert left.keys() == right.keys()
    assert all(torch.equal(left[k], right[k]) for k in left)
    again = peft.PeftModel.from_pretrained(copy.deepcopy(base), tmp_path / "ours").eval()
    assert torch.equal(again(X), theirs(X))


@pytest.mark.parametrize(("ours", "dora"), [(LoraConfig, False), (DoraConfig, True)])
def test_twenty_steps_are_those_of_peft(tmp_path, ours, dora):
    torch.manual_seed(0)
    base = Net()
    config = {"r": 3, "lora_alpha": 5, "target_modules": ["q", "c"]}
    theirs = peft.get_peft_model(copy.deepcopy(base), peft.LoraConfig(use_dora=dora, **config))
    theirs.save_pretrained(tmp_path / "start")
    mine = AdaptedModel.from_pretrained(copy.deepcopy(base), tmp_path / "start")
    assert isinstance(mine.peft_config["default"], ours)
    y = torch.randn(5, 7, 2)
    outputs = []
    for model in (theirs, mine):
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
        for _ in range(20):
            optimizer.zero_grad()
            (model(X) - y).square().mean().backward()
            optimizer.step()
        outputs.append(model(X).detach())
    torch.testing.assert_close(outputs[0], outputs[1], atol=1e-6, rtol=1e-5)
    assert float((outputs[1] - base(X)).abs().max()) > 1e-3


def test_peft_refuses_what_it_does_not_have(tmp_path):
    from erlangen.parameters.adapters import BoraConfig

    model = get_peft_model(Net(), BoraConfig(r=2, target_modules=["q"]))
    model.save_pretrained(tmp_path)
    with pytest.raises((KeyError, ValueError)):
        peft.PeftModel.from_pretrained(Net(), tmp_path)
