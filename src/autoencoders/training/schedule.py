"""The learning-rate schedule: a warm-up, then a cosine."""

import math


def warmup_cosine(step: int, steps: int, warmup: float) -> float:
    """The learning rate's factor in a step, counted from 0: in (0, 1], and 0 after the last.

    It rises linearly over the first `warmup` share of the steps and falls along a cosine to 0
    (Loshchilov & Hutter 2017, equation 5).
    """
    rising = warmup * steps
    if step < rising:
        return (step + 1) / (rising + 1)
    falling = (step - rising) / max(1.0, steps - rising)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, falling)))
