"""The leaderboard: with the figures in one self-contained page, in a terminal, and as CSV."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from rich.table import Table

from autoencoders.data.prepared.prepared import Description, shown_notes
from autoencoders.evaluation.catalogue import (
    AUROC,
    AVERAGE_PRECISION,
    DENOISED_PSNR,
    KNN_ERROR,
    LINEAR_PROBE_ERROR,
    PCA_SQUARED_ERROR,
    PURPOSES,
    REPORT_COLUMNS,
    SQUARED_ERROR,
    VALIDATION_SQUARED_ERROR,
    Metric,
)
from autoencoders.evaluation.row import Row

MOST_COLUMNS = 200  # of the data, that the page lists
ROUNDING = 1e-6  # share of a model's error below which PCA's is a rounding error


def below_pca(row: Row) -> str:
    """The percentage by which the row's error lies below PCA's at the same code size.

    Empty where PCA's error is mere rounding, as with a code unit for each feature.
    """
    error = row.value(SQUARED_ERROR)
    pca = row.value(PCA_SQUARED_ERROR)
    if pca <= ROUNDING * error:
        return ""
    return f"{100 * (1 - error / pca):.1f} %"


def ranked(rows: Sequence[Row]) -> list[Row]:
    """The rows by test error, the best first; what rebuilds nothing comes last."""
    rebuilding = [row for row in rows if row.has(SQUARED_ERROR)]
    others = [row for row in rows if not row.has(SQUARED_ERROR)]
    best_first = sorted(rebuilding, key=lambda row: SQUARED_ERROR.order(row.value(SQUARED_ERROR)))
    return best_first + others


def purpose(row: Row) -> str:
    """The metrics of the purpose of the row's type, as text."""
    metrics = [metric for metric in PURPOSES if row.has(metric)]
    return "; ".join(f"{metric.heading} {row.value(metric):.2f}" for metric in metrics)


def table(rows: Sequence[Row], title: str) -> Table:
    """The leaderboard for a terminal of 80 columns."""
    result = Table(title=title, title_justify="left", box=None)
    result.add_column("model", no_wrap=True)
    metrics = _last_columns(rows)
    headings = ["code", SQUARED_ERROR.short, "95 % interval", "below PCA"]
    headings += [metric.short for metric in metrics]
    for heading in headings:
        result.add_column(heading, justify="right", no_wrap=True)
    for row in ranked(rows):
        cells = [_cell(row, metric) for metric in metrics]
        result.add_row(row.model, *_error_cells(row), *cells)
    return result


def _last_columns(rows: Sequence[Row]) -> list[Metric]:
    """The metrics behind the error.

    How anomalies are ranked if any row has that, else the probes'; and the PSNR of cleaned inputs.
    """
    metrics = [LINEAR_PROBE_ERROR, KNN_ERROR]
    if _any_has(rows, AUROC):
        metrics = [AUROC, AVERAGE_PRECISION]
    if _any_has(rows, DENOISED_PSNR):
        metrics.append(DENOISED_PSNR)
    return metrics


def _any_has(rows: Sequence[Row], metric: Metric) -> bool:
    return any(row.has(metric) for row in rows)


def _error_cells(row: Row) -> tuple[str, str, str, str]:
    """Code size, error, its interval, and the comparison with PCA; empty where the row has none."""
    code_size = ""
    if row.network is not None:
        code_size = str(row.network.code_size)
    if not row.has(SQUARED_ERROR):
        return code_size, "", "", ""
    low, high = row.interval(SQUARED_ERROR)
    comparison = ""
    if row.is_trained:
        comparison = below_pca(row)
    return code_size, f"{row.value(SQUARED_ERROR):.3f}", f"{low:.3f}-{high:.3f}", comparison


def _cell(row: Row, metric: Metric) -> str:
    if not row.has(metric):
        return ""
    decimals = 1 if metric.unit == "dB" else 3
    return f"{row.value(metric):.{decimals}f}"


def csv(rows: Sequence[Row]) -> str:
    """Each model's error with its interval, for DVC's plot: the same columns in every row."""
    lines = [f"model,{SQUARED_ERROR.key},low,high"]
    for row in ranked(rows):
        if row.has(SQUARED_ERROR):
            low, high = row.interval(SQUARED_ERROR)
            lines.append(f"{row.model},{row.value(SQUARED_ERROR)!r},{low!r},{high!r}")
    return "\n".join(lines) + "\n"


def html(
    rows: Sequence[Row], figures: dict[str, list[Path]], data: Description, source: dict[str, Any]
) -> str:
    """The page. figures: paths of PNG files by model; source: the report on the data."""
    templates = PackageLoader("autoencoders", "evaluation")
    environment = Environment(loader=templates, autoescape=True, undefined=StrictUndefined)
    images = {}
    for model, paths in figures.items():
        images[model] = [_image(path) for path in paths]
    return environment.get_template("report.html.j2").render(
        rows=ranked(rows),
        columns=[metric for metric in REPORT_COLUMNS if _any_has(rows, metric)],
        validation=VALIDATION_SQUARED_ERROR,
        images=images,
        data=data,
        source=source,
        notes=shown_notes(source["told"]),
        most_columns=MOST_COLUMNS,
        below_pca=below_pca,
        purpose=purpose,
    )


def _image(path: Path) -> tuple[str, str]:
    """A picture's name, and its bytes in base 64."""
    return path.stem, base64.b64encode(path.read_bytes()).decode()
