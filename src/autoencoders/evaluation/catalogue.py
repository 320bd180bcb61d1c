"""The leaderboard's metrics: each one's key, caption, unit and direction, in this one place.

A metric of reconstructions, one value a row, is computed in `metrics.reconstruction_metrics`; its
key here is its name there behind `test_`. A metric that a type's `diagnostics` add stands in
metrics/*.json and in MLflow without an entry. With an entry in PURPOSES, the report shows it too.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """A metric of the leaderboard."""

    key: str  # in metrics/*.json
    caption: str
    unit: str = ""  # errors are squared model scale, summed over features; shares have none
    better: Literal["lower", "higher"] | None = None  # None: its value says nothing of quality
    short: str = ""  # the caption in a terminal's table

    @property
    def heading(self) -> str:
        """The caption with the unit in brackets."""
        if not self.unit:
            return self.caption
        return f"{self.caption} ({self.unit})"

    def order(self, value: float) -> float:
        """A number to sort by, the best value first."""
        if self.better == "higher":
            return -value
        return value


SQUARED_ERROR = Metric("test_squared_error", "squared error", better="lower", short="error")
EXPLAINED_VARIANCE = Metric("test_explained_variance", "explained variance", better="higher")
PSNR = Metric("test_psnr", "PSNR", "dB", "higher")
SSIM = Metric("test_ssim", "SSIM", better="higher")
LINEAR_PROBE_ERROR = Metric(
    "test_linear_probe_error", "linear probe error", better="lower", short="probe"
)
KNN_ERROR = Metric("test_knn_error", "k-NN error", better="lower", short="k-NN")
DENOISED_PSNR = Metric("test_denoised_psnr", "PSNR of cleaned inputs", "dB", "higher", "PSNR")
AUROC = Metric("anomaly_auroc", "anomaly AUROC", better="higher", short="AUROC")
AVERAGE_PRECISION = Metric(
    "anomaly_average_precision", "anomaly average precision", better="higher", short="AP"
)

VALIDATION_SQUARED_ERROR = Metric(
    "validation_squared_error", "validation squared error", better="lower"
)
VALIDATION_EXPLAINED_VARIANCE = Metric(
    "validation_explained_variance", "validation explained variance", better="higher"
)
VALIDATION_AUROC = Metric("validation_anomaly_auroc", "validation anomaly AUROC", better="higher")
PCA_VALIDATION_SQUARED_ERROR = Metric(
    "pca_validation_squared_error",
    "PCA's validation squared error at this code size",
    better="lower",
)
PCA_SQUARED_ERROR = Metric(
    "pca_test_squared_error", "PCA's squared error at this code size", better="lower"
)

MEAN_ACTIVE_UNITS = Metric("test_mean_active_units", "mean active units")
JACOBIAN_NORM = Metric("test_jacobian_norm", "Jacobian norm")
SCALED_JACOBIAN_NORM = Metric("scaled_jacobian_norm", "Jacobian norm by the code's spread")
NOISY_PSNR = Metric("test_noisy_psnr", "PSNR of corrupted inputs", "dB")
PSNR_GAIN = Metric("test_psnr_gain", "PSNR gain on corrupted inputs", "dB", "higher")
ELBO = Metric("test_elbo", "ELBO", "nats", "higher")
NLL = Metric("test_nll", "NLL", "nats, importance-sampled", "lower")
NLL_VARIANCE = Metric("test_nll_variance", "variance of a row's NLL", "nats squared")
NLL_STANDARD_ERROR = Metric("nll_standard_error", "Monte-Carlo standard error of the NLL", "nats")

PROBE_L2 = Metric("probe_l2", "the linear probe's L2 penalty")
FALSE_ALARM_RATE = Metric("test_false_alarm_rate", "false-alarm rate", short="false alarms")

# the first columns of the report's table where the goal is to find anomalies
ANOMALY_COLUMNS = (AUROC, AVERAGE_PRECISION, FALSE_ALARM_RATE, VALIDATION_AUROC)
# the columns of the report's table, where a row has them
REPORT_COLUMNS = (
    SQUARED_ERROR,
    EXPLAINED_VARIANCE,
    PSNR,
    SSIM,
    LINEAR_PROBE_ERROR,
    KNN_ERROR,
    DENOISED_PSNR,
    AUROC,
    AVERAGE_PRECISION,
)
# what a type is for: in the report under the type's name, where its row has them
PURPOSES = (
    MEAN_ACTIVE_UNITS,
    JACOBIAN_NORM,
    SCALED_JACOBIAN_NORM,
    NOISY_PSNR,
    PSNR_GAIN,
    ELBO,
    NLL,
)

MLFLOW_GROUPS = {"test_": "test/", "validation_": "val/"}
# the false-alarm rate's interval is where 99 % of such rates lie, and no confidence interval
OTHER_INTERVALS = {FALSE_ALARM_RATE.key: "false_alarm_interval"}


def key_on_test(name: str) -> str:
    """The key of the test rows' mean of a value: test_psnr for psnr."""
    return f"test_{name}"


def interval_key(key: str) -> str:
    """The key under which a metric's interval stands, beside the metric's own."""
    return OTHER_INTERVALS.get(key, f"{key}_ci95")


def mlflow_name(key: str) -> str:
    """A key as MLflow's UI groups it by its split: test/x and val/x."""
    for prefix, group in MLFLOW_GROUPS.items():
        if key.startswith(prefix):
            return group + key.removeprefix(prefix)
    return key
