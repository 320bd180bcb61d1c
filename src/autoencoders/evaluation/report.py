"""The leaderboard: with the figures in one self-contained page, in a terminal, and as CSV."""

import base64
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from rich.table import Table

from autoencoders.data.prepared.prepared import Description, shown_notes
from autoencoders.evaluation.against_pca import on_test, percent
from autoencoders.evaluation.catalogue import (
    ANOMALY_COLUMNS,
    AUROC,
    AVERAGE_PRECISION,
    DENOISED_PSNR,
    FALSE_ALARM_RATE,
    KNN_ERROR,
    LINEAR_PROBE_ERROR,
    PURPOSES,
    REPORT_COLUMNS,
    SQUARED_ERROR,
    VALIDATION_SQUARED_ERROR,
    Metric,
)
from autoencoders.evaluation.ranking import ranking
from autoencoders.evaluation.row import Row
from autoencoders.evaluation.studies import CAPTIONS, Study
from autoencoders.evaluation.verdict import INDENT, verdict
from autoencoders.params.defaults import anomaly_place
from autoencoders.params.sections import Tune

if TYPE_CHECKING:
    from autoencoders.evaluation.unusual import Unusual

MOST_COLUMNS = 200  # of the data, that the page lists


def ranked(rows: Sequence[Row]) -> list[Row]:
    """The rows in the order of the goal, the best first.

    reconstruct: by test error; what rebuilds nothing comes last. anomaly: by test AUROC, where rows
    have it, else the types in the order of `ANOMALY_TYPES`; the others follow by test error.
    """
    best_first = _by_error(rows)
    if not _finds_anomalies(rows):
        return best_first
    if _any_has(rows, AUROC):
        return sorted(best_first, key=_auroc_place)
    return sorted(best_first, key=_type_place)


def _by_error(rows: Sequence[Row]) -> list[Row]:
    """The rows by test error; what rebuilds nothing comes last."""
    rebuilding = [row for row in rows if row.has(SQUARED_ERROR)]
    others = [row for row in rows if not row.has(SQUARED_ERROR)]
    best_first = sorted(rebuilding, key=lambda row: SQUARED_ERROR.order(row.value(SQUARED_ERROR)))
    return best_first + others


def _finds_anomalies(rows: Sequence[Row]) -> bool:
    """Whether the rows were evaluated for finding anomalies."""
    return any(row.goal == "anomaly" for row in rows)


def _auroc_place(row: Row) -> float:
    """A number to sort by: the highest AUROC first, rows without it last."""
    if not row.has(AUROC):
        return float("inf")
    return AUROC.order(row.value(AUROC))


def _type_place(row: Row) -> float:
    """A number to sort by: types in the order of `ANOMALY_TYPES`, baselines last."""
    if not row.is_trained:
        return float("inf")
    return anomaly_place(row.model)


def purpose(row: Row) -> str:
    """The metrics of the purpose of the row's type, as text."""
    metrics = [metric for metric in PURPOSES if row.has(metric)]
    return "; ".join(f"{metric.heading} {row.value(metric):.2f}" for metric in metrics)


def table(rows: Sequence[Row], title: str) -> Table:
    """The leaderboard for a terminal of 80 columns."""
    result = Table(title=title, title_justify="left", box=None)
    result.add_column("model", no_wrap=True)
    columns = _columns(rows)
    for column in columns:
        result.add_column(column.heading, justify="right", no_wrap=True)
    for row in ranked(rows):
        result.add_row(row.model, *(column.cell(row) for column in columns))
    return result


class _Column(NamedTuple):
    """A column of the terminal's table."""

    heading: str
    cell: Callable[[Row], str]  # empty where a row has no such value


def _columns(rows: Sequence[Row]) -> list[_Column]:
    """The columns behind the model's name, in the order of the goal."""
    if not _finds_anomalies(rows):
        return [
            CODE_SIZE,
            _metric_column(SQUARED_ERROR),
            _interval_column(SQUARED_ERROR),
            _Column("vs PCA", against_pca),
            *map(_metric_column, _last_metrics(rows)),
        ]
    last = [_metric_column(FALSE_ALARM_RATE), CODE_SIZE, _metric_column(SQUARED_ERROR)]
    if not _any_has(rows, AUROC):
        return last
    auroc = [_metric_column(AUROC), _interval_column(AUROC)]
    return [*auroc, _metric_column(AVERAGE_PRECISION), *last]


def _metric_column(metric: Metric) -> _Column:
    return _Column(metric.short, partial(_cell, metric=metric))


def _interval_column(metric: Metric) -> _Column:
    return _Column("95 % interval", partial(_interval_cell, metric=metric))


def _last_metrics(rows: Sequence[Row]) -> list[Metric]:
    """The metrics behind the error.

    How anomalies are ranked if any row has that, else the probes'; and the PSNR of cleaned inputs.
    """
    metrics = [LINEAR_PROBE_ERROR, KNN_ERROR]
    if _any_has(rows, AUROC):
        metrics = [AUROC, AVERAGE_PRECISION]
    return [metric for metric in (*metrics, DENOISED_PSNR) if _any_has(rows, metric)]


def _any_has(rows: Sequence[Row], metric: Metric) -> bool:
    return any(row.has(metric) for row in rows)


def against_pca(row: Row) -> str:
    """A type's test error against PCA's at the same code size, such as -48.7 %."""
    if not row.is_trained:
        return ""
    return percent(on_test(row))


def _code_size(row: Row) -> str:
    if row.network is None:
        return ""
    return str(row.network.code_size)


CODE_SIZE = _Column("code", _code_size)


def _cell(row: Row, metric: Metric) -> str:
    if not row.has(metric):
        return ""
    decimals = 1 if metric.unit == "dB" else 3
    return f"{row.value(metric):.{decimals}f}"


def _interval_cell(row: Row, metric: Metric) -> str:
    if not row.has(metric):
        return ""
    low, high = row.interval(metric)
    return f"{low:.3f}-{high:.3f}"


def csv(rows: Sequence[Row]) -> str:
    """Each model's error with its interval, for DVC's plot: the same columns in every row."""
    lines = [f"model,{SQUARED_ERROR.key},low,high"]
    for row in _by_error(rows):
        if row.has(SQUARED_ERROR):
            low, high = row.interval(SQUARED_ERROR)
            lines.append(f"{row.model},{row.value(SQUARED_ERROR)!r},{low!r},{high!r}")
    return "\n".join(lines) + "\n"


def html(
    rows: Sequence[Row],
    tune: Tune,
    figures: dict[str, list[Path]],
    data: Description,
    source: dict[str, Any],
    unusual: "Unusual | None",
    studies: Sequence[Study] = (),
) -> str:
    """The page. figures: paths of PNG files by model; source: the report on the data."""
    templates = PackageLoader("autoencoders", "evaluation")
    environment = Environment(loader=templates, autoescape=True, undefined=StrictUndefined)
    images = {}
    for row in ranking(rows, tune).rows:
        images[row.model] = [_image(path) for path in figures.get(row.model, [])]
    return environment.get_template("report.html.j2").render(
        rows=ranked(rows),
        verdict=verdict(rows, tune),
        indent=INDENT,
        first_columns=_first_metrics(rows),
        columns=_other_metrics(rows),
        validation=VALIDATION_SQUARED_ERROR,
        images={model: pictures for model, pictures in images.items() if pictures},
        unusual=unusual,
        studies=_in_order(studies, rows),
        study_images={study.model_type: _study_images(study) for study in studies},
        data=data,
        source=source,
        notes=shown_notes(source["told"]),
        most_columns=MOST_COLUMNS,
        against_pca=against_pca,
        purposes={row.model: purpose(row) for row in rows},
    )


def _first_metrics(rows: Sequence[Row]) -> list[Metric]:
    """The page's columns before the code size: how anomalies are found, where that is the goal."""
    if not _finds_anomalies(rows):
        return []
    return [metric for metric in ANOMALY_COLUMNS if _any_has(rows, metric)]


def _other_metrics(rows: Sequence[Row]) -> list[Metric]:
    """The page's columns behind the code size."""
    first = _first_metrics(rows)
    return [metric for metric in REPORT_COLUMNS if _any_has(rows, metric) and metric not in first]


def _in_order(studies: Sequence[Study], rows: Sequence[Row]) -> list[Study]:
    """The studies in the order of the leaderboard."""
    places = {row.model: place for place, row in enumerate(ranked(rows))}
    return sorted(studies, key=lambda study: places[study.model_type])


def _study_images(study: Study) -> list[tuple[str, str]]:
    """The captions of a study's pictures, and their bytes in base 64."""
    images = [_image(path) for path in study.figures]
    return [(CAPTIONS[name], content) for name, content in images]


def _image(path: Path) -> tuple[str, str]:
    """A picture's name, and its bytes in base 64."""
    return path.stem, base64.b64encode(path.read_bytes()).decode()
