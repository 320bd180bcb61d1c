"""The lean AdamW is torch's AdamW."""

import copy

import torch
from torch import nn

from autoencoders.optimizer import LeanAdamW

RATES = [0.1, 0.01, 0.05, 0.02]


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 4), nn.SiLU(), nn.Linear(4, 3))


def gradients(model: nn.Sequential) -> None:
    x = torch.randn(7, 5, generator=torch.Generator().manual_seed(1))
    for weight in model.parameters():
        weight.grad = None
    model(x).square().sum().backward()


def test_updates_are_those_of_torch_bit_for_bit():
    lean, usual = network(), network()
    ours = LeanAdamW(lean.parameters(), weight_decay=0.1)
    theirs = torch.optim.AdamW(usual.parameters(), weight_decay=0.1, fused=True)
    for rate in RATES:
        gradients(lean)
        ours.update(rate)
        gradients(usual)
        theirs.param_groups[0]["lr"] = rate
        theirs.step()
    assert all(torch.equal(a, b) for a, b in zip(lean.parameters(), usual.parameters(), strict=True))


def test_an_optimizer_goes_on_from_its_saved_state():
    whole, part = network(), network()
    first = LeanAdamW(whole.parameters(), weight_decay=0.1)
    for rate in RATES[:2]:
        gradients(whole)
        first.update(rate)
    second = LeanAdamW(part.parameters(), weight_decay=0.1)
    gradients(part)
    second.update(9.0)  # forgotten by what follows
    part.load_state_dict(whole.state_dict())
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for rate in RATES[2:]:
        for model, optimizer in ((whole, first), (part, second)):
            gradients(model)
            optimizer.update(rate)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), part.parameters(), strict=True))


def test_gradients_are_forgotten():
    model = network()
    gradients(model)
    LeanAdamW(model.parameters(), weight_decay=0.0).forget_gradients()
    assert all(weight.grad is None for weight in model.parameters())
