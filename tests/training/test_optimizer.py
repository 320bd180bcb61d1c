"""The lean AdamW is torch's AdamW."""

import copy

import torch
from torch import nn

from autoencoders.training.optimizer import LeanAdamW
from trainings import RATES, small_network


def gradients(model: nn.Sequential) -> None:
    x = torch.randn(7, 5, generator=torch.Generator().manual_seed(1))
    for weight in model.parameters():
        weight.grad = None
    model(x).square().sum().backward()


def test_updates_are_those_of_torch_bit_for_bit():
    lean, usual = small_network(), small_network()
    ours = LeanAdamW(lean.parameters(), weight_decay=0.1)
    theirs = torch.optim.AdamW(usual.parameters(), weight_decay=0.1, fused=True)
    for rate in RATES:
        gradients(lean)
        ours.update(rate)
        gradients(usual)
        theirs.param_groups[0]["lr"] = rate
        theirs.step()
    assert all(
        torch.equal(a, b) for a, b in zip(lean.parameters(), usual.parameters(), strict=True)
    )


def test_an_optimizer_goes_on_from_its_saved_state():
    whole, part = small_network(), small_network()
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
    assert all(
        torch.equal(a, b) for a, b in zip(whole.parameters(), part.parameters(), strict=True)
    )


def test_gradients_are_forgotten():
    model = small_network()
    gradients(model)
    LeanAdamW(model.parameters(), weight_decay=0.0).forget_gradients()
    assert all(weight.grad is None for weight in model.parameters())


def test_bf16_copies_train_as_autocast_does_bit_for_bit():
    ours, theirs = small_network(), small_network()
    lean = LeanAdamW(ours.parameters(), weight_decay=0.1)
    usual = torch.optim.AdamW(theirs.parameters(), weight_decay=0.1, fused=True)
    for rate in RATES:
        with torch.autocast("cpu", torch.bfloat16):
            with lean.in_bf16():
                gradients(ours)
                assert {weight.dtype for weight in ours.parameters()} == {torch.bfloat16}
                lean.update(rate)
            gradients(theirs)
        usual.param_groups[0]["lr"] = rate
        usual.step()
    assert {weight.dtype for weight in ours.parameters()} == {torch.float32}
    assert all(
        torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True)
    )


def test_gradients_are_clipped_as_torch_clips_them():
    ours, theirs = small_network(), small_network()
    lean = LeanAdamW(ours.parameters(), weight_decay=0.1)
    usual = LeanAdamW(theirs.parameters(), weight_decay=0.1)
    for rate in RATES:
        gradients(ours)
        lean.update(rate, gradient_clip=0.5)
        gradients(theirs)
        norm = nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
        usual.update(rate)
        assert norm > 0.5
    assert all(
        torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True)
    )
