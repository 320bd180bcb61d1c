"""The flat AdamW is torch's AdamW on vectors."""

import copy

import pytest
import torch
from torch import nn

from autoencoders.training.flat_optimizer import ALIGNED, FlatAdamW
from trainings import RATES, small_network


def backward(model: nn.Sequential) -> None:
    """Computes the gradients of a loss, in each parameter's `grad`."""
    x = torch.randn(7, 5, generator=torch.Generator().manual_seed(1))
    model.zero_grad()
    model(x).square().sum().backward()


def update(model: nn.Sequential, optimizer: FlatAdamW, rate: float, clip: float = 0.0) -> None:
    """A step with autograd's gradients."""
    backward(model)
    for parameter in model.parameters():
        assert parameter.grad is not None
        optimizer.gradients_of[parameter].copy_(parameter.grad)
    optimizer.update(rate, clip)


def flat(model: nn.Sequential) -> FlatAdamW:
    return FlatAdamW(model.parameters(), weight_decay=0.1)


def weights(model: nn.Module) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


@pytest.mark.parametrize("clip", [0.0, 0.5])
def test_updates_are_those_of_torch(clip):
    ours, theirs = small_network(), small_network()
    optimizer = flat(ours)
    usual = torch.optim.AdamW(theirs.parameters(), weight_decay=0.1, fused=True)
    for rate in RATES:
        update(ours, optimizer, rate, clip)
        backward(theirs)
        if clip:
            nn.utils.clip_grad_norm_(theirs.parameters(), clip)
        usual.param_groups[0]["lr"] = rate
        usual.step()
    torch.testing.assert_close(weights(ours), weights(theirs), rtol=1e-6, atol=1e-7)


def test_taking_the_parameters_over_changes_no_value():
    before = weights(small_network())
    model = small_network()
    flat(model)
    assert all(map(torch.equal, before, weights(model)))


def test_parameters_are_parts_of_one_vector_at_aligned_places():
    model = small_network()
    optimizer = flat(model)
    optimizer.weights.zero_()
    assert not any(parameter.any() for parameter in model.parameters())
    start = optimizer.weights.data_ptr()
    for parameter in model.parameters():
        assert (parameter.data_ptr() - start) % (4 * ALIGNED) == 0


def test_numbers_between_the_parts_stay_0():
    model = small_network()
    optimizer = flat(model)
    for rate in RATES:
        update(model, optimizer, rate)
    parts = sum(parameter.abs().sum() for parameter in model.parameters())
    torch.testing.assert_close(optimizer.weights.abs().sum(), parts)


def test_an_optimizer_goes_on_from_its_saved_state():
    whole, part = small_network(), small_network()
    first, second = flat(whole), flat(part)
    for rate in RATES[:2]:
        update(whole, first, rate)
    update(part, second, 9.0)  # forgotten by what follows
    part.load_state_dict(whole.state_dict())
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for rate in RATES[2:]:
        update(whole, first, rate)
        update(part, second, rate)
    assert all(map(torch.equal, weights(whole), weights(part)))


def test_released_parameters_keep_their_values_and_share_no_memory():
    model = small_network()
    optimizer = flat(model)
    update(model, optimizer, RATES[0])
    before = weights(model)
    optimizer.release()
    optimizer.weights.zero_()
    assert all(map(torch.equal, before, weights(model)))
    assert len({parameter.untyped_storage().data_ptr() for parameter in model.parameters()}) == 4


def test_a_checkpoint_holds_weights_and_moments_and_no_gradients(tmp_path):
    model = nn.Linear(256, 256)
    optimizer = FlatAdamW(model.parameters(), weight_decay=0.1)
    torch.save([model.state_dict(), optimizer.state_dict()], tmp_path / "checkpoint")
    weights = optimizer.weights.nbytes
    assert 3 * weights < (tmp_path / "checkpoint").stat().st_size < 3.5 * weights
