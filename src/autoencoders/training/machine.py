"""How a training uses the machine: threads, precision, batches a step."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from autoencoders.models.base import Autoencoder
from autoencoders.params.sections import FixedTrain

BATCHES_A_STEP = 64  # batches that one training_step takes at most: Lightning's own work is paid once for all of them
STEP_VALUES = 2**20  # that these have at most together, so that they stay in a processor's cache
THREAD_VALUES = (
    2**15
)  # of the widest layer's output for a batch, for which another thread is worth its start
WIDE = (
    2**26
)  # products of weights and rows in a batch, from which on bf16 gains more than its conversions cost


def batches_a_step(train: FixedTrain, n_features: int) -> int:
    """How many batches one training_step takes: of several devices one, as Lightning averages gradients in between."""
    if train.devices * train.num_nodes > 1:
        return 1
    return max(1, min(BATCHES_A_STEP, STEP_VALUES // (train.batch_size * n_features)))


def chosen_precision(train: FixedTrain, autoencoder: Autoencoder) -> str:
    """train.precision; auto: bf16-mixed where the processor multiplies bf16 and the network is wide enough to gain."""
    if train.precision != "auto":
        return train.precision
    able = (
        torch.cuda.is_bf16_supported()
        if torch.cuda.is_available()
        else torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )
    weights = sum(parameter.numel() for parameter in autoencoder.parameters())
    return "bf16-mixed" if able and train.batch_size * weights >= WIDE else "32-true"


@contextmanager
def use_threads(train: FixedTrain, widest: int) -> Iterator[None]:
    """train.threads; auto: one for small products, of which a second gains little where other processes want the core.

    auto takes never more than OMP_NUM_THREADS, or the machine's cores.
    """
    before = torch.get_num_threads()
    useful = max(1, min(before, train.batch_size * widest // THREAD_VALUES))
    torch.set_num_threads(useful if train.threads == "auto" else train.threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
