"""The metrics' unique keys, headings and directions, and their names in the files and in MLflow."""

import pytest

from autoencoders.evaluation import catalogue
from autoencoders.evaluation.catalogue import (
    EXPLAINED_VARIANCE,
    NLL,
    PSNR,
    SQUARED_ERROR,
    Metric,
    interval_key,
    key_on_test,
    mlflow_name,
)

METRICS = [value for value in vars(catalogue).values() if isinstance(value, Metric)]


def test_no_two_metrics_share_a_key_or_a_caption():
    assert len({metric.key for metric in METRICS}) == len(METRICS)
    assert len({metric.heading for metric in METRICS}) == len(METRICS)


def test_a_heading_is_the_caption_with_the_unit_if_there_is_one():
    assert SQUARED_ERROR.heading == "squared error"
    assert PSNR.heading == "PSNR (dB)"
    assert NLL.heading == "NLL (nats, importance-sampled)"


@pytest.mark.parametrize(
    ("metric", "best_first"), [(SQUARED_ERROR, [1.0, 2.0, 3.0]), (EXPLAINED_VARIANCE, [0.9, 0.5])]
)
def test_the_order_puts_the_best_value_first(metric: Metric, best_first: list[float]):
    assert sorted(best_first, key=metric.order) == best_first


def test_errors_are_better_the_lower_and_similarities_the_higher():
    directions = {metric.key: metric.better for metric in METRICS}
    for key, better in directions.items():
        if key.endswith("_error") and key != "nll_standard_error":
            assert better == "lower", key
        if key.endswith(("psnr", "ssim", "explained_variance")) and key != "test_noisy_psnr":
            assert better == "higher", key


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("test_squared_error", "test/squared_error"),
        ("validation_squared_error", "val/squared_error"),
        ("pca_test_squared_error", "pca_test_squared_error"),
        ("code_size", "code_size"),
        ("test_of_a_sixth_type", "test/of_a_sixth_type"),
    ],
)
def test_mlflow_groups_keys_by_their_split(key: str, name: str):
    assert mlflow_name(key) == name


def test_an_interval_stands_under_the_key_with_its_level():
    assert interval_key(key_on_test("psnr")) == "test_psnr_ci95"
    assert interval_key("test_false_alarm_rate") == "false_alarm_interval"
