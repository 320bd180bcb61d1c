"""The smallest codes of a grid, and samplers compared by the same study seeds."""

import math

import pytest
from scipy.stats import ttest_1samp

from studies import (
    LEVEL,
    SAMPLERS,
    Cell,
    Job,
    Outcome,
    differences,
    grid_entry,
    paired_interval,
    print_grid,
    smallest_code,
)

PAIRS = [(9, 10), (9, 9), (8, 10), (10, 9), (9, 12)]


def outcome(best: int, taken: int, *, feasible: bool = True) -> Outcome:
    return Outcome(best, feasible, taken, 0.86, 0.7, "untuned values", 1000)


def outcomes(**by_sampler: list[Outcome]) -> dict[Job, Outcome]:
    found = {}
    for sampler, results in by_sampler.items():
        for seed, result in enumerate(results):
            found[Job("undercomplete", sampler, seed)] = result
    return found


@pytest.mark.parametrize(
    ("kept", "smallest"),
    [
        ({7: 0.80, 8: 0.84, 9: 0.86}, 9),
        ({9: 0.86, 8: 0.85, 7: 0.84}, 8),
        ({7: 0.86, 8: 0.84, 9: 0.87}, 7),
        ({7: 0.80, 8: 0.84}, None),
        ({}, None),
    ],
)
def test_the_smallest_code_is_the_least_that_keeps_the_share_in_any_order(kept, smallest):
    assert smallest_code(kept, 0.85) == smallest


def test_a_paired_interval_is_that_of_the_t_test():
    interval = paired_interval(PAIRS)
    test = ttest_1samp([first - second for first, second in PAIRS], 0).confidence_interval(LEVEL)
    assert interval.mean == pytest.approx(-1.0)
    assert (interval.low, interval.high) == pytest.approx((test.low, test.high))
    assert interval.pairs == len(PAIRS)


def test_pairs_in_the_other_order_have_the_opposite_interval():
    interval = paired_interval(PAIRS)
    other = paired_interval([(second, first) for first, second in PAIRS])
    assert other[:3] == pytest.approx((-interval.mean, -interval.high, -interval.low))


def test_equal_differences_have_an_interval_of_no_length():
    assert paired_interval([(9, 10), (8, 9), (7, 8)])[:3] == (-1, -1, -1)


def test_one_pair_has_no_interval_and_none_has_no_mean():
    one = paired_interval([(9, 10)])
    assert one.mean == -1
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    assert math.isnan(paired_interval([]).mean)


def test_samplers_are_compared_by_seed_whatever_the_order():
    same = outcomes(auto=[outcome(8, 9), outcome(10, 10)], random=[outcome(9, 9), outcome(11, 12)])
    found = differences(dict(reversed(same.items())))
    assert found["random", "feasible_code"][:3] == (-1, -1, -1)
    assert found["random", "taken_code"].mean == pytest.approx((0 - 2) / 2)


def test_a_seed_without_a_feasible_trial_counts_for_taken_codes_alone():
    infeasible = outcome(5, 9, feasible=False)
    found = differences(
        outcomes(
            auto=[outcome(9, 9), outcome(9, 9), outcome(9, 9)],
            tpe=[infeasible, outcome(10, 9), outcome(12, 9)],
        )
    )
    assert found["tpe", "feasible_code"].pairs == 2
    assert found["tpe", "feasible_code"].mean == pytest.approx((-1 - 3) / 2)
    assert found["tpe", "taken_code"].pairs == 3


def test_every_other_sampler_is_compared_with_the_first():
    assert {other for other, _ in differences({})} == set(SAMPLERS[1:])


def test_a_grid_marks_what_was_left_out_and_names_the_smallest_code(capsys):
    grid = {
        Cell("sparse", 1, 128): {7: 0.801, 8: 0.853},
        Cell("sparse", 2, 64): dict.fromkeys(range(7, 13), 0.7),
    }
    print_grid("sparse", grid, 0.85)
    rows = [line.replace("│", " ").split() for line in capsys.readouterr().out.splitlines()]
    assert ["7", "80.10", "70.00"] in rows
    assert ["8", "85.30", "70.00"] in rows
    assert ["9", ">", "70.00"] in rows
    assert ["smallest", "that", "keeps", "85", "%", "8", ">", "12"] in rows


def test_an_entry_of_the_grid_has_its_smallest_code():
    entry = grid_entry(Cell("sparse", 2, 64), {7: 0.8, 8: 0.86}, 0.85)
    assert entry["name"] == "grid_sparse_2x64"
    assert entry["smallest_code"] == 8
    assert entry["kept"] == {"7": 0.8, "8": 0.86}
