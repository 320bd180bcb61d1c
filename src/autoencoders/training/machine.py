"""A training's use of the machine: threads, precision, batches a step."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from autoencoders.models.base import Autoencoder
from autoencoders.params.sections import FixedTrain
from autoencoders.training.processors import bf16_gains

BATCHES_A_STEP = 64  # at most: Lightning's work for a training_step is paid once for all of them
STEP_VALUES = 2**20  # of all rows of a step, at most: they stay in a processor's cache
THREAD_VALUES = 2**15  # of the widest layer's output for a batch, for each of which a thread pays
WIDE = 2**26  # products of weights and rows in a batch, from which on bf16 gains more than it costs


def batches_a_step(train: FixedTrain, n_features: int) -> int:
    """Batches per training_step.

    Always 1 with several devices, because Lightning averages gradients between steps.
    """
    if train.devices * train.num_nodes > 1:
        return 1
    cached = STEP_VALUES // (train.batch_size * n_features)
    return max(1, min(BATCHES_A_STEP, cached))


def chosen_precision(train: FixedTrain, autoencoder: Autoencoder) -> str:
    """train.precision: "32-true" or "bf16-mixed".

    auto: bf16-mixed where the network is wide enough to gain, on a kind of processor that gains.
    """
    if train.precision != "auto":
        return train.precision
    weights = sum(parameter.numel() for parameter in autoencoder.parameters())
    wide = train.batch_size * weights >= WIDE
    if wide and bf16_gains():
        return "bf16-mixed"
    return "32-true"


@contextmanager
def use_threads(train: FixedTrain, widest: int) -> Iterator[None]:
    """Sets torch's threads to train.threads within the context.

    auto: one for small products, which gain little from a second one while other processes want the
    core; never more than OMP_NUM_THREADS, or the machine's cores. widest: nodes of the widest
    layer.
    """
    before = torch.get_num_threads()
    if train.threads == "auto":
        useful = train.batch_size * widest // THREAD_VALUES
        threads = max(1, min(before, useful))
    else:
        threads = train.threads
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
