"""The optimizer: AdamW without the bookkeeping of torch's `step`.

That takes as long as a small network's backward pass.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm


class LeanAdamW(torch.optim.AdamW):
    """torch's fused AdamW of one group, with `update` beside `step`.

    Loshchilov & Hutter 2019, algorithm 2.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], weight_decay: float) -> None:
        super().__init__(parameters, weight_decay=weight_decay, fused=True)
        self.weights: list[Tensor] = self.param_groups[0]["params"]
        self.moments: tuple[list[Tensor], list[Tensor], list[Tensor]] | None = None
        self.full: list[Tensor] = []  # within `in_bf16`, the weights in full precision
        self.gradients: list[Tensor] = []  # within `in_bf16`, buffers for their gradients

    @contextmanager
    def in_bf16(self) -> Iterator[None]:
        """Within the context, the weights are bf16 copies of those in full precision.

        `update` changes the latter and copies them anew (Micikevicius et al. 2018, section 3.1).
        Autocast alone converts each weight and each gradient in an operation of its own, a quarter
        of a wide network's step.
        """
        self.full = [weight.data for weight in self.weights]
        if not self.gradients:
            self.gradients = [torch.empty_like(full) for full in self.full]
        self.forget_gradients()
        for weight, full in zip(self.weights, self.full, strict=True):
            weight.data = full.bfloat16()
        try:
            yield
        finally:
            self.forget_gradients()
            for weight, full in zip(self.weights, self.full, strict=True):
                weight.data = full
            self.full = []

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores torch's state, from which `update` goes on."""
        super().load_state_dict(state_dict)
        self.moments = None

    def _shared_state(
        self, weights: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """First moments, second moments and the count of steps, a tensor for each parameter.

        They are those of torch's own state, so that checkpoints hold them; all parameters share
        one count. weights: in full precision.
        """
        if not self.state:
            for weight, full in zip(self.weights, weights, strict=True):
                moments = {name: torch.zeros_like(full) for name in ("exp_avg", "exp_avg_sq")}
                self.state[weight] = {"step": torch.zeros((), device=full.device), **moments}
        states = [self.state[weight] for weight in self.weights]
        for state in states:
            state["step"] = states[0]["step"]
        return (
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [state["step"] for state in states],
        )

    @torch.no_grad()
    def update(self, learning_rate: float, gradient_clip: float = 0.0) -> None:
        """One step, with the same numbers as torch's `step`. Every parameter needs its gradient.

        gradient_clip: the largest norm of all gradients together; 0: any (Pascanu et al. 2013,
        algorithm 1).
        """
        group = self.param_groups[0]
        weights = self.full or self.weights
        gradients = cast(list[Tensor], [weight.grad for weight in self.weights])
        if self.full:
            torch._foreach_copy_(self.gradients, gradients)
            gradients = self.gradients
        if gradient_clip:
            norm = get_total_norm(gradients) + 1e-6  # as in torch's clip_grad_norm_
            factor = (gradient_clip / norm).clamp(max=1.0)
            torch._foreach_mul_(gradients, factor)
        group["lr"] = learning_rate
        if self.moments is None:
            self.moments = self._shared_state(weights)
        means, squares, steps = self.moments
        steps[0] += 1
        torch._fused_adamw_(
            weights, gradients, means, squares, [], steps,
            lr=learning_rate, beta1=group["betas"][0], beta2=group["betas"][1],
            weight_decay=group["weight_decay"], eps=group["eps"], amsgrad=False, maximize=False,
        )  # fmt: skip
        if self.full:
            torch._foreach_copy_([weight.data for weight in self.weights], weights)

    def forget_gradients(self) -> None:
        """`zero_grad` without its hooks."""
        for weight in self.weights:
            weight.grad = None
