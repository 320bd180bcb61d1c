"""AdamW on vectors: weights, gradients and moments each lie in one, updated by one call."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

ALIGNED = 16  # numbers of a cache line, at whose start each weight's part of a vector begins


class FlatAdamW(torch.optim.AdamW):
    """torch's fused AdamW of one group, with `update` in the place of `step`.

    Loshchilov & Hutter 2019, algorithm 2. Each parameter becomes a view of its part of `weights`.
    Whoever computes gradients writes them to `gradients_of`, not to `grad`, which Lightning clears.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], weight_decay: float) -> None:
        super().__init__(parameters, weight_decay=weight_decay, fused=True)
        self.parameters: list[nn.Parameter] = self.param_groups[0]["params"]
        parts = [ALIGNED * math.ceil(weight.numel() / ALIGNED) for weight in self.parameters]
        self.weights, self.means, self.squares = torch.zeros(3, sum(parts)).unbind()
        self.gradients = torch.zeros(sum(parts))  # apart: a checkpoint holds all of a memory
        self.n_steps = torch.zeros(())
        self.gradients_of: dict[Tensor, Tensor] = {}
        for parameter, *views in zip(
            self.parameters,
            self._views(self.weights, parts),
            self._views(self.gradients, parts),
            self._views(self.means, parts),
            self._views(self.squares, parts),
            strict=True,
        ):
            weight, gradient, mean, square = views
            parameter.data = weight.copy_(parameter.data)
            self.gradients_of[parameter] = gradient
            self.state[parameter] = {"step": self.n_steps, "exp_avg": mean, "exp_avg_sq": square}

    def _views(self, vector: Tensor, parts: list[int]) -> list[Tensor]:
        """The parameters' parts of a vector, in their shapes."""
        return [
            part[: parameter.numel()].view_as(parameter)
            for part, parameter in zip(vector.split(parts), self.parameters, strict=True)
        ]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores torch's state, from which `update` goes on."""
        views = [self.state[parameter] for parameter in self.parameters]
        super().load_state_dict(state_dict)
        for parameter, own in zip(self.parameters, views, strict=True):
            for name, value in self.state[parameter].items():
                own[name].copy_(value)
            self.state[parameter] = own

    def update(self, learning_rate: float, gradient_clip: float = 0.0) -> None:
        """One step, with the numbers of torch's `step`, from the gradients in `gradients_of`.

        gradient_clip: the largest norm of all gradients together; 0: any (Pascanu et al. 2013,
        algorithm 1).
        """
        if gradient_clip:
            norm = self.gradients.norm() + 1e-6  # as in torch's clip_grad_norm_
            self.gradients.mul_((gradient_clip / norm).clamp(max=1.0))
        group = self.param_groups[0]
        group["lr"] = learning_rate
        self.n_steps += 1
        torch._fused_adamw_(
            [self.weights], [self.gradients], [self.means], [self.squares], [], [self.n_steps],
            lr=learning_rate, beta1=group["betas"][0], beta2=group["betas"][1],
            weight_decay=group["weight_decay"], eps=group["eps"], amsgrad=False, maximize=False,
        )  # fmt: skip

    def release(self) -> None:
        """Gives each parameter memory of its own."""
        for parameter in self.parameters:
            parameter.data = parameter.data.clone()
