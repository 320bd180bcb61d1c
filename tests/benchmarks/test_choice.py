"""The verdict on `train.precision: auto`, and the row for the table of processors."""

import pytest

from autoencoders.training.processors import GPU, Processor
from choice import BF16, ENOUGH, FP32, Choice, about_row, choice, row
from timing import Trained

XEON = Processor("A Xeon", "Intel", "avx512_bf16")
EPYC = Processor("An EPYC", "AMD", "avx512_bf16")


def trainings(chosen: str, fp32: list[float], bf16: list[float]) -> dict[str, list[Trained]]:
    """One training a round; auto takes as many CPU seconds as the precision that it chose."""
    times = {"auto": bf16 if chosen == BF16 else fp32, "fp32": fp32, "bf16": bf16}
    precisions = {"auto": chosen, "fp32": FP32, "bf16": BF16}
    return {
        name: [Trained(1.0, cpu_seconds, 0.5, precisions[name]) for cpu_seconds in values]
        for name, values in times.items()
    }


@pytest.mark.parametrize(
    ("chosen", "bf16_seconds", "is_right"),
    [
        (BF16, 1.74, False),
        (FP32, 1.74, True),
        (BF16, 0.6, True),
        (FP32, 0.6, False),
        (BF16, 1 / (ENOUGH - 0.001), False),
        (BF16, 1 / (ENOUGH + 0.001), True),
    ],
)
def test_auto_is_wrong_where_the_other_precision_is_faster(chosen, bf16_seconds, is_right):
    judged = choice("middle", trainings(chosen, [1.0], [bf16_seconds]), XEON)
    assert judged.is_right is is_right
    assert str(judged).endswith("right" if is_right else f"WRONG, below {ENOUGH}")


def test_both_trainings_of_the_chosen_precision_count():
    rounds = trainings(FP32, [1.0], [2.0])
    rounds["auto"] = [Trained(1.0, 3.0, 0.5, FP32)]
    assert choice("small", rounds, EPYC).bf16_speed == (1.0 + 3.0) / 2 / 2.0


def test_one_slow_round_changes_nothing():
    judged = choice("small", trainings(FP32, [1.0, 9.0, 1.0], [2.0, 2.0, 2.0]), EPYC)
    assert judged.speed == 2.0


def test_a_gpus_time_passes_outside_of_the_processs_cpu_seconds():
    rounds = trainings(BF16, [1.0], [1.74])
    assert choice("middle", rounds, Processor("A GPU", GPU, "bf16")).speed == 1.0


def test_a_row_says_what_was_measured_and_where():
    measured = row(Choice("middle", BF16, 0.57), XEON)
    assert (measured.name, measured.bf16_gains) == ("Intel with avx512_bf16", False)
    assert "0.57" in measured.measured
    assert "A Xeon" in measured.measured


@pytest.mark.parametrize(
    ("processor", "bf16_speed", "agreement"),
    [
        (EPYC, 1.5, "as this row"),
        (EPYC, 0.9, "needs this row"),
        (XEON, 0.6, "as this row"),
        (Processor("New", "other", "bf16"), 1.5, "needs this row"),
    ],
)
def test_a_row_is_needed_where_the_table_chooses_otherwise(processor, bf16_speed, agreement):
    text = about_row(row(Choice("middle", FP32, bf16_speed), processor), processor)
    assert agreement in text
    assert f"vendor='{processor.vendor}'" in text
