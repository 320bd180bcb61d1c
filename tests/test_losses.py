"""Losses against closed forms."""

import torch
from torch.distributions import Normal, kl_divergence

from autoencoders.losses import gaussian_kl


def test_gaussian_kl_equals_the_closed_form_of_torch_distributions():
    mean, log_var = torch.randn(7, 3), torch.randn(7, 3)
    expected = kl_divergence(Normal(mean, (0.5 * log_var).exp()), Normal(torch.zeros(3), torch.ones(3))).sum(-1)
    torch.testing.assert_close(gaussian_kl(mean, log_var), expected)
