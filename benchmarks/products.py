"""fp32 products by MKL and by oneDNN, for the shapes of a training step, on one core.

`make bench-products`, a few seconds. Behind `LIBRARIES` of autoencoders.training.processors: it
prints the row that this processor's family would have there.
"""

import statistics
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from tqdm import tqdm

from autoencoders.models import products
from autoencoders.training.processors import Library, this_processor

ROUNDS = 9
# rows, inputs, outputs
SHAPES = ((128, 784, 512), (128, 512, 256), (128, 256, 128), (64, 784, 128))
SECONDS = 0.05  # of a library in a round, about
GAIN = 1.1  # oneDNN's median speed relative to MKL's, from which on it is worth another library


def main() -> None:
    """Times the three products of a layer, interleaved, and prints rates and ratios."""
    torch.set_num_threads(1)
    products.FROM = 1  # so that oneDNN computes whatever it is asked
    processor = this_processor()
    table = Table(
        "rows, inputs, outputs", "product", "MKL GFLOP/s", "oneDNN GFLOP/s", "ratio",
        title=f"{processor.name}\nabove 1: oneDNN is faster", title_justify="left",
    )  # fmt: skip
    ratios = []
    for shape in tqdm(SHAPES, unit="shape"):
        for name, calls in _calls(*shape).items():
            mkl, onednn = _seconds(calls)
            operations = 2 * shape[0] * shape[1] * shape[2] / 1e9
            ratios.append(mkl / onednn)
            table.add_row(
                ", ".join(map(str, shape)), name,
                f"{operations / mkl:.0f}", f"{operations / onednn:.0f}", f"{mkl / onednn:.2f}",
            )  # fmt: skip
    Console(width=120).print(table)
    measured = f"{min(ratios):.2f} to {max(ratios):.2f} times as fast as MKL on {processor.name}"
    gains = statistics.median(ratios) >= GAIN
    print(f"this family's row: {Library(processor.vendor, processor.family, gains, measured)}")


def _calls(rows: int, inputs: int, outputs: int) -> dict[str, list[products.Call]]:
    """The three products of a layer, by MKL and by oneDNN."""
    x = torch.randn(rows, inputs)
    weight = torch.randn(outputs, inputs)
    bias = torch.randn(outputs)
    gradient = torch.randn(rows, outputs)

    def both(compute: Callable[..., products.Call], *arguments: Tensor) -> list[products.Call]:
        return [compute(*arguments, onednn=onednn) for onednn in (False, True)]

    return {
        "output": both(products.affine, x, weight, bias, torch.empty(rows, outputs)),
        "weight's gradient": both(products.product, gradient.t(), x, torch.empty_like(weight)),
        "input's gradient": both(products.product, gradient, weight, torch.empty_like(x)),
    }


def _seconds(calls: list[products.Call]) -> list[float]:
    """The median seconds of each call, which take turns."""
    times: list[list[float]] = [[] for _ in calls]
    repeats = 1
    for _ in range(ROUNDS):
        for call, measured in zip(calls, times, strict=True):
            began = time.perf_counter()
            for _ in range(repeats):
                call()
            measured.append((time.perf_counter() - began) / repeats)
        repeats = max(1, int(SECONDS / times[0][-1]))
    return [statistics.median(measured[1:]) for measured in times]  # without the warm-up


if __name__ == "__main__":
    main()
