"""reports/index.html: the leaderboard and the figures in one self-contained page; the leaderboard as text."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from rich.table import Table

from autoencoders.data.prepared.prepared import Description
from autoencoders.evaluation.leaderboard import Row

COLUMNS = {
    "test_squared_error": "squared error",
    "test_explained_variance": "explained variance",
    "test_psnr": "PSNR (dB)",
    "test_ssim": "SSIM",
    "test_linear_probe_error": "linear probe error",
    "test_knn_error": "k-NN error",
    "test_denoised_psnr": "PSNR of cleaned inputs (dB)",
    "anomaly_auroc": "anomaly AUROC",
    "anomaly_average_precision": "anomaly average precision",
}
ROUNDING = 1e-6  # of a model's error, below which PCA's is one of rounding: a code for each feature
BASELINES = ("pca", "mean", "iforest", "wiener", "median", "pca denoised")
OWN = {
    "test_mean_active_units": "mean active units",
    "test_jacobian_norm": "Jacobian norm",
    "scaled_jacobian_norm": "Jacobian norm by the code's spread",
    "test_noisy_psnr": "PSNR of corrupted inputs (dB)",
    "test_psnr_gain": "PSNR gain on corrupted inputs (dB)",
    "test_elbo": "ELBO (nats)",
    "test_nll": "NLL (nats, importance-sampled)",
}


def below_pca(row: Row) -> str:
    """How far the row's error lies below PCA's at the same code size; nothing where PCA's is none but for rounding."""
    error, pca = float(row["test_squared_error"]), float(row["pca_test_squared_error"])
    return f"{100 * (1 - error / pca):.1f} %" if pca > ROUNDING * error else ""


def ranked(rows: Sequence[Row]) -> list[Row]:
    """The rows by test error, the best first; what rebuilds nothing comes last."""
    return sorted(rows, key=lambda row: float(row.get("test_squared_error", "inf")))


def purpose(row: Row) -> str:
    """What the row's type is for, in figures."""
    return "; ".join(f"{name} {row[key]:.2f}" for key, name in OWN.items() if key in row)


def table(rows: Sequence[Row], title: str) -> Table:
    """The leaderboard for a terminal of 80 columns."""
    result = Table(title=title, title_justify="left", box=None)
    result.add_column("model", no_wrap=True)
    last = {"AUROC": "anomaly_auroc", "AP": "anomaly_average_precision"}
    if not any("anomaly_auroc" in row for row in rows):
        last = {"probe": "test_linear_probe_error", "k-NN": "test_knn_error"}
    if any("test_denoised_psnr" in row for row in rows):
        last["PSNR"] = "test_denoised_psnr"
    for name in ("code", "error", "95 % interval", "below PCA", *last):
        result.add_column(name, justify="right", no_wrap=True)
    for row in ranked(rows):
        low, high = row.get("test_squared_error_ci95", ("", ""))
        result.add_row(
            row["model"],
            str(row.get("code_size", "")),
            f"{row['test_squared_error']:.3f}" if low else "",
            f"{low:.3f}-{high:.3f}" if low else "",
            "" if row["model"] in BASELINES else below_pca(row),
            *(
                f"{row[key]:.{1 if name == 'PSNR' else 3}f}" if key in row else ""
                for name, key in last.items()
            ),
        )
    return result


def csv(rows: Sequence[Row]) -> str:
    """Each model's error with its interval, for DVC's plot, which wants the same columns in every row."""
    lines = ["model,test_squared_error,low,high"]
    for row in ranked([row for row in rows if "test_squared_error" in row]):
        low, high = row["test_squared_error_ci95"]
        lines.append(f"{row['model']},{row['test_squared_error']!r},{low!r},{high!r}")
    return "\n".join(lines) + "\n"


def html(
    rows: Sequence[Row], figures: dict[str, list[Path]], data: Description, source: dict[str, Any]
) -> str:
    """The page. figures: paths of PNG files by model; source: the report on the data."""
    templates = PackageLoader("autoencoders", "evaluation")
    environment = Environment(loader=templates, autoescape=True, undefined=StrictUndefined)
    images = {
        kind: [(path.stem, base64.b64encode(path.read_bytes()).decode()) for path in paths]
        for kind, paths in figures.items()
    }
    return environment.get_template("report.html.j2").render(
        rows=ranked(rows),
        columns={key: name for key, name in COLUMNS.items() if any(key in row for row in rows)},
        images=images,
        data=data,
        source=source,
        below_pca=below_pca,
        purpose=purpose,
        baselines=BASELINES,
    )
