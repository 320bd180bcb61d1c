"""Gross outliers: sentinels are found, honest columns of any shape stay whole."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoencoders.data.preparation import survey as module
from autoencoders.data.preparation.gross_outliers import (
    CHANCE,
    FEWEST_IN_TAIL,
    FEWEST_VALUES,
    RATIO,
    ColumnOutliers,
    gross_outliers,
)
from autoencoders.data.preparation.survey import Survey

SENTINELS = (-9999.0, 65535.0, 1e12)
N = 1000
Rng = np.random.Generator
SMOOTH: dict[str, Callable[[Rng], np.ndarray]] = {
    "normal": lambda rng: rng.normal(50, 5, N),
    "uniform": lambda rng: rng.random(N),
    "two modes": lambda rng: np.where(
        rng.random(N) < 0.5, rng.normal(0, 1, N), rng.normal(9, 1, N)
    ),
    "skewed": lambda rng: rng.gamma(2, 10, N),
    "integers": lambda rng: rng.integers(0, 100, N).astype(float),
    "logical": lambda rng: (rng.random(N) < 0.4).astype(float),
}
HONEST: dict[str, Callable[[Rng], np.ndarray]] = {
    **SMOOTH,
    "log-normal amounts": lambda rng: rng.lognormal(3, 2, N),
    "Pareto": lambda rng: rng.pareto(1, N),
    "Cauchy": lambda rng: rng.standard_cauchy(N),
    "refunds": lambda rng: np.append(rng.lognormal(3, 2, N - 1), -500.0),
    "rare counts": lambda rng: rng.poisson(0.05, N).astype(float),
    "counts with many zeros": lambda rng: rng.negative_binomial(0.1, 0.02, N).astype(float),
    "amounts among zeros": lambda rng: np.where(rng.random(N) < 0.9, 0, rng.lognormal(3, 1.5, N)),
    "ones among zeros": lambda rng: (rng.random(N) < 0.03).astype(float),
    "codes": lambda rng: rng.choice([0.0, 17, 404, 500, 1001], N, p=[0.9, 0.04, 0.03, 0.02, 0.01]),
    "nearly constant": lambda rng: np.where(rng.random(N) < 0.99, 5, rng.normal(5, 0.001, N)),
    "rounded": lambda rng: rng.choice([0.3, 0.1 + 0.2, 0.4], N, p=[0.6, 0.35, 0.05]),
    "another operating point": lambda rng: np.append(
        rng.normal(20, 2, N - N // 10), rng.normal(500, 5, N // 10)
    ),
    "one value in a constant": lambda rng: np.append(np.full(N - 1, 20.0), -9999),
    "constant": lambda rng: np.full(N, 7.0),
}


def outliers(values: np.ndarray) -> ColumnOutliers:
    """The gross outliers of one column."""
    survey = Survey(["a"], 1)
    survey.add(values[:, None], 0)
    (column,) = gross_outliers(survey)
    return column


def with_sentinels(values: np.ndarray, sentinels: list[float]) -> np.ndarray:
    """The values, of which the first are sentinels."""
    return np.append(sentinels, values[len(sentinels) :])


@pytest.mark.parametrize("shape", HONEST)
@pytest.mark.parametrize("seed", range(10))
def test_an_honest_column_has_no_outliers(shape: str, seed: int):
    values = HONEST[shape](np.random.default_rng(seed))
    column = outliers(values)
    assert (column.n_rows, len(column.values), len(column.crowd)) == (0, 0, 0)
    assert column.low < values.min()
    assert values.max() < column.high


@pytest.mark.parametrize("sentinels", [*[[value] for value in SENTINELS], list(SENTINELS)])
@pytest.mark.parametrize("n", [1, 4, 8, 20])
@pytest.mark.parametrize("shape", SMOOTH)
def test_sentinels_are_found_in_one_row_in_a_hundred_and_in_more(
    shape: str, n: int, sentinels: list[float]
):
    values = SMOOTH[shape](np.random.default_rng(0))
    drawn = [sentinels[i % len(sentinels)] for i in range(n)]
    column = outliers(with_sentinels(values, drawn))
    assert column.values.tolist() == sorted(set(drawn))
    assert column.n_rows == n
    rest = values[n:]
    assert (column.minimum, column.maximum) == (rest.min(), rest.max())
    assert column.mean == pytest.approx(rest.mean())
    assert column.deviation == pytest.approx(rest.std())
    distance = min(abs(value - np.median(with_sentinels(values, drawn))) for value in drawn)
    assert column.nearest == pytest.approx(distance)


@pytest.mark.parametrize("shape", ["log-normal amounts", "Pareto", "counts with many zeros"])
def test_in_a_heavy_tail_only_what_no_tail_explains_is_found(shape: str):
    values = HONEST[shape](np.random.default_rng(0))
    assert outliers(with_sentinels(values, [1e12] * 8)).n_rows == 8
    assert outliers(with_sentinels(values, [2 * values.max()])).n_rows == 0


def test_the_tail_on_the_outliers_own_side_decides():
    amounts = HONEST["log-normal amounts"](np.random.default_rng(0))
    far = 30 * amounts.max()
    assert outliers(with_sentinels(amounts, [far])).n_rows == 0
    assert outliers(with_sentinels(amounts, [-far])).n_rows == 1


def test_the_fences_are_those_of_hills_estimate():
    """Distances of 1 to all but the tail, whose logarithms rise evenly, above the median alone."""
    n_tail = FEWEST_IN_TAIL
    slope = 0.3
    tail = np.exp(slope * np.arange(1, n_tail + 1) / n_tail)
    values = np.concatenate([[-1.0] * 40, [0.0], [1.0] * (40 - n_tail), tail])
    column = outliers(values)
    assert column.iqr == 2  # below it, distances say nothing of the tail
    assert column.high == pytest.approx(2 * RATIO)
    assert column.low == pytest.approx(-2 * RATIO)
    scaled = np.concatenate(
        [[-1.0] * 40, [0.0], [1.0] * (40 - n_tail), 2 * np.exp(5 * slope) * tail]
    )
    mean_log = np.log(2 * np.exp(5 * slope) * tail / 2).mean()
    reach = 2 * np.exp(6 * slope)
    column = outliers(scaled)
    assert column.high == pytest.approx(reach * CHANCE**-mean_log, rel=0.005)  # of three digits
    assert column.low == pytest.approx(-reach * RATIO)


@pytest.mark.parametrize(("n", "is_outlier"), [(10, True), (11, False)])
def test_different_values_that_lie_together_are_outliers_up_to_one_in_a_hundred(
    n: int, *, is_outlier: bool
):
    values = np.random.default_rng(0).normal(50, 5, N)
    values[:n] = 1e5 + np.arange(n)
    column = outliers(values)
    assert column.n_rows == n * is_outlier
    assert column.crowd.tolist() == ([] if is_outlier else values[:n].tolist())


@pytest.mark.parametrize("sign", [1, -1])
def test_scattered_values_are_outliers_up_to_one_in_twenty(sign: int):
    values = np.random.default_rng(0).normal(0, 5, N)
    values[:50] = sign * 1e4 * 1.1 ** np.arange(50)  # of which 8 lie within a factor of two
    assert outliers(values).n_rows == 50
    values[:50] = sign * 1e4 * 1.06 ** np.arange(50)  # 12
    assert outliers(values).n_rows == 0


@pytest.mark.parametrize(("n", "is_outlier"), [(50, True), (51, False)])
def test_repeated_values_are_outliers_up_to_one_in_twenty(n: int, *, is_outlier: bool):
    values = np.random.default_rng(0).normal(50, 5, N)
    values[:n] = 1e5
    assert outliers(values).n_rows == n * is_outlier


def test_beyond_a_crowd_there_may_still_be_outliers():
    values = np.random.default_rng(0).normal(50, 5, N)
    values[:40] = 500 + np.arange(40)  # more than Hill's tail holds
    values[40:42] = 1e12
    column = outliers(values)
    assert column.values.tolist() == [1e12]
    assert column.maximum == 539


def test_few_values_say_nothing():
    values = np.arange(FEWEST_VALUES - 1.0)
    values[0] = 1e12
    column = outliers(values)
    assert (column.low, column.high, column.n_rows) == (-np.inf, np.inf, 0)


def test_missing_values_are_none():
    values = np.random.default_rng(0).normal(50, 5, N)
    values[0] = 1e12
    gaps = values.copy()
    gaps[500:] = np.nan
    found, expected = outliers(gaps), outliers(values[:500])
    assert (found.low, found.high, found.mean) == (expected.low, expected.high, expected.mean)
    assert found.values.tolist() == [1e12]


def test_an_outlier_that_a_thinned_sample_lacks_is_found(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "SAMPLE", 400)
    monkeypatch.setattr(module, "SAMPLE_ROWS", 200)
    values = np.random.default_rng(0).normal(50, 5, 2000)
    for place in range(0, 2000, 100):
        one = values.copy()
        one[place] = -9999
        column = outliers(one)
        assert column.values.tolist() == [-9999]
        assert column.minimum > 20
        assert column.mean == pytest.approx(values.mean(), abs=2)


@given(
    shape=st.sampled_from(list(SMOOTH)),
    seed=st.integers(0, 1000),
    times=st.sampled_from([30.0, -30.0, 1e3, -1e3, 1e12]),
    n=st.integers(1, N // 50),
    stretch=st.sampled_from([0.01, 1.0, 10.0]),
)
@settings(deadline=None, derandomize=True, database=None)
def test_sentinels_change_location_and_scale_by_little(
    shape: str, seed: int, times: float, n: int, stretch: float
):
    """Little more than the rows whose values they replace. times: as far as all others."""
    values = stretch * SMOOTH[shape](np.random.default_rng(seed))
    median = np.median(values)
    sentinel = float(median + times * np.abs(values - median).max())
    column = outliers(with_sentinels(values, [sentinel] * n))
    assert column.n_rows == n
    deviation = values.std()
    assert abs(column.mean - values.mean()) < 0.2 * deviation
    assert abs(column.deviation - deviation) < 0.1 * deviation
    assert column.maximum - column.minimum <= np.ptp(values)


@given(
    values=st.lists(st.floats(-1e15, 1e15, allow_nan=False), min_size=0, max_size=80),
    factor=st.sampled_from([2.0, 0.5, -1.0, 1024.0]),
)
@settings(deadline=None, derandomize=True, database=None)
def test_fences_hold_the_others_and_move_with_the_unit(values: list[float], factor: float):
    if not values:
        return
    column = outliers(np.array(values))
    assert column.low <= column.minimum <= column.maximum <= column.high
    beyond = [value for value in values if value < column.low or value > column.high]
    assert len(beyond) == column.n_rows
    assert sorted(set(beyond)) == column.values.tolist()
    assert len(beyond) <= max(1, len(values) // 20)
    scaled = outliers(factor * np.array(values))
    assert scaled.n_rows == column.n_rows
