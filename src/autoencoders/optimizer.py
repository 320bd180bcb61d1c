"""The optimizer: AdamW without the bookkeeping of torch's `step`, which takes as long as a small network's backward."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


class LeanAdamW(torch.optim.AdamW):
    """torch's fused AdamW, one group, with `update` beside `step`. Loshchilov & Hutter 2019, algorithm 2."""

    def __init__(self, parameters: Iterable[nn.Parameter], weight_decay: float) -> None:
        super().__init__(parameters, weight_decay=weight_decay, fused=True)
        self.weights: Any = self.param_groups[0]["params"]
        self.moments: tuple[list[Tensor], list[Tensor], list[Tensor]] | None = None

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As torch's; `update` goes on from there."""
        super().load_state_dict(state_dict)
        self.moments = None

    def _gathered(self) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """First moments, second moments and the shared count of steps, a tensor each parameter."""
        if not self.state:
            for weight in self.weights:
                moments = {name: torch.zeros_like(weight) for name in ("exp_avg", "exp_avg_sq")}
                self.state[weight] = {"step": torch.zeros((), device=weight.device), **moments}
        states = [self.state[weight] for weight in self.weights]
        for state in states:
            state["step"] = states[0]["step"]
        return tuple([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq", "step"))  # type: ignore[return-value]  # three

    @torch.no_grad()
    def update(self, learning_rate: float) -> None:
        """One step: the same numbers as `step`. Every parameter needs its gradient."""
        group = self.param_groups[0]
        group["lr"], self.moments = learning_rate, self.moments or self._gathered()
        means, squares, steps = self.moments
        steps[0] += 1
        gradients: Any = [weight.grad for weight in self.weights]
        torch._fused_adamw_(
            self.weights, gradients, means, squares, [], steps,
            lr=learning_rate, beta1=group["betas"][0], beta2=group["betas"][1], weight_decay=group["weight_decay"],
            eps=group["eps"], amsgrad=False, maximize=False,
        )  # fmt: skip

    def forget_gradients(self) -> None:
        """`zero_grad` without its hooks."""
        for weight in self.weights:
            weight.grad = None
