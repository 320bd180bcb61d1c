"""The optimizer: AdamW without the bookkeeping of torch's `step`, which takes as long as a small network's backward."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm


class LeanAdamW(torch.optim.AdamW):
    """torch's fused AdamW, one group, with `update` beside `step`. Loshchilov & Hutter 2019, algorithm 2."""

    def __init__(self, parameters: Iterable[nn.Parameter], weight_decay: float) -> None:
        super().__init__(parameters, weight_decay=weight_decay, fused=True)
        self.weights: Any = self.param_groups[0]["params"]
        self.moments: tuple[list[Tensor], list[Tensor], list[Tensor]] | None = None
        self.full: list[Tensor] = []  # within `in_bf16`, the weights in full precision
        self.gradients: list[Tensor] = []  # and room for their gradients

    @contextmanager
    def in_bf16(self) -> Iterator[None]:
        """Weights are bf16 copies, which `update` makes anew from those in full precision, which it keeps.

        Autocast alone converts each weight and each gradient in an operation of its own, a quarter of a wide network's
        step. Micikevicius et al. 2018, section 3.1.
        """
        self.full = [weight.data for weight in self.weights]
        self.gradients = self.gradients or [torch.empty_like(full) for full in self.full]
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
        """As torch's; `update` goes on from there."""
        super().load_state_dict(state_dict)
        self.moments = None

    def _gathered(self, weights: list[Tensor]) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """First moments, second moments and the shared count of steps, a tensor each parameter."""
        if not self.state:
            for weight, full in zip(self.weights, weights, strict=True):
                moments = {name: torch.zeros_like(full) for name in ("exp_avg", "exp_avg_sq")}
                self.state[weight] = {"step": torch.zeros((), device=full.device), **moments}
        states = [self.state[weight] for weight in self.weights]
        for state in states:
            state["step"] = states[0]["step"]
        return tuple(
            [state[name] for state in states] for name in ("exp_avg", "exp_avg_sq", "step")
        )  # type: ignore[return-value]  # three

    @torch.no_grad()
    def update(self, learning_rate: float, gradient_clip: float = 0.0) -> None:
        """One step: the same numbers as `step`. Every parameter needs its gradient.

        gradient_clip: the norm of all gradients together that is allowed; 0: any. Pascanu et al. 2013, algorithm 1.
        """
        group, weights = self.param_groups[0], self.full or self.weights
        gradients: Any = [weight.grad for weight in self.weights]
        if self.full:
            torch._foreach_copy_(self.gradients, gradients)
            gradients = self.gradients
        if gradient_clip:
            factor = (gradient_clip / (get_total_norm(gradients) + 1e-6)).clamp(
                max=1.0
            )  # as clip_grad_norm_
            torch._foreach_mul_(gradients, factor)
        group["lr"], self.moments = learning_rate, self.moments or self._gathered(weights)
        means, squares, steps = self.moments
        steps[0] += 1
        torch._fused_adamw_(
            weights, gradients, means, squares, [], steps,
            lr=learning_rate, beta1=group["betas"][0], beta2=group["betas"][1], weight_decay=group["weight_decay"],
            eps=group["eps"], amsgrad=False, maximize=False,
        )  # fmt: skip
        if self.full:
            torch._foreach_copy_([weight.data for weight in self.weights], weights)

    def forget_gradients(self) -> None:
        """`zero_grad` without its hooks."""
        for weight in self.weights:
            weight.grad = None
