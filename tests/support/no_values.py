"""Trainings on a device without values: torch's "meta", which stands in for a GPU on any machine.

Its tensors have shapes alone. What asks for a value raises an error: there a GPU would be waited
for. What comes from the CPU is recorded: to a GPU it would be copied.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.accelerators.cpu import CPUAccelerator
from pytorch_lightning.strategies import SingleDeviceStrategy
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from autoencoders.training import closed_form, module
from autoencoders.training.batches import epoch_generator
from autoencoders.training.callbacks import History

META = torch.device("meta")
FROM_NUMBERS: tuple[Callable[..., Any], ...] = (torch.tensor, torch.as_tensor, Tensor.new_tensor)


class Copy(NamedTuple):
    """A copy from the CPU's memory to the device's."""

    function: str
    shape: tuple[int, ...]
    in_steps: bool  # whether between the first and the last step of an epoch


class AnyDevice(CPUAccelerator):
    """An accelerator that takes the strategy's device as it is."""

    def setup_device(self, device: torch.device) -> None:
        """Nothing is to be done."""


class OnMeta(SingleDeviceStrategy):
    """Trains on the device without values, and leaves the model there."""

    def __init__(self) -> None:
        super().__init__(META, AnyDevice())

    def reduce(self, tensor: Any, *_: object, **__: object) -> Any:
        """Any values on the CPU instead of sums over the devices, which are read at once."""
        return torch.ones_like(tensor, device="cpu")

    def teardown(self) -> None:
        """The model has no values to take back to the CPU."""


class Steps(pl.Callback):
    """Knows whether a training is between the first and the last step of an epoch."""

    running = False

    def on_train_batch_start(self, *args: object) -> None:
        self.running = True

    def on_train_batch_end(self, trainer: pl.Trainer, *args: object) -> None:
        self.running = not trainer.is_last_batch

    def on_validation_batch_start(self, *args: object) -> None:
        self.running = True

    def on_validation_epoch_end(self, *args: object) -> None:
        self.running = False


class Recorder(TorchDispatchMode):
    """Records copies of tensors from the CPU to the device."""

    def __init__(self, steps: Steps) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's has no types
        self.steps = steps
        self.copies: list[Copy] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        sources = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        results = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        if any(tensor.is_meta for tensor in results):
            for source in sources:
                if not source.is_meta:
                    self.add(str(func), source)
        return result

    def add(self, function: str, tensor: Tensor) -> None:
        """Records that a function copies a tensor."""
        self.copies.append(Copy(function, tuple(tensor.shape), self.steps.running))


class NumberRecorder(TorchFunctionMode):
    """Records copies of Python's numbers to the device."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in FROM_NUMBERS and result.is_meta:
            self.recorder.add(func.__name__, result)
        return result


def copies_of(train: Callable[[Sequence[pl.Callback]], object]) -> list[Copy]:
    """The copies to the device without values in a training.

    train: trains with further callbacks. What reads values at an epoch's end is left out.
    """
    steps = Steps()
    recorder = Recorder(steps)
    with pytest.MonkeyPatch.context() as patch:
        trainer = pl.Trainer

        def on_meta(**arguments: Any) -> pl.Trainer:
            return trainer(**{**arguments, "accelerator": "auto", "strategy": OnMeta()})

        def without_device(*stream: int, **_: object) -> torch.Generator:
            return epoch_generator(*stream)

        patch.setattr(pl, "Trainer", on_meta)
        patch.setattr(module, "epoch_generator", without_device)
        patch.setattr(closed_form, "covers", lambda *_: False)  # a step on the CPU alone
        patch.setattr(History, "_add", lambda *_, **__: None)
        patch.setattr("autoencoders.training.fit._take_best", lambda *_: None)
        with recorder, NumberRecorder(recorder):
            train([steps])
    return recorder.copies
