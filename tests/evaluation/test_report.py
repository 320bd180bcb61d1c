"""The report: one page that needs nothing else and escapes names; the table for a terminal."""

import base64
import json
import math
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from autoencoders.core.files import read_json
from autoencoders.data.preparation.prepare import prepare
from autoencoders.data.prepared.prepared import (
    REPORT,
    Description,
    Prepared,
    load_description,
    load_prepared,
)
from autoencoders.data.sources.source import download
from autoencoders.evaluation import report
from autoencoders.evaluation.catalogue import (
    AUROC,
    AVERAGE_PRECISION,
    DENOISED_PSNR,
    ELBO,
    NLL,
    PSNR,
    REPORT_COLUMNS,
    SQUARED_ERROR,
    VALIDATION_SQUARED_ERROR,
    Metric,
)
from autoencoders.evaluation.leaderboard import Evaluation
from autoencoders.evaluation.ranking import ranking
from autoencoders.evaluation.report import html, purpose, ranked
from autoencoders.evaluation.row import Estimate, Row, row_of
from autoencoders.evaluation.studies import CAPTIONS, FullTraining, Study
from autoencoders.models import AUTOENCODERS
from autoencoders.models.trained.model import TrainedModel
from autoencoders.params.defaults import ANOMALY_TYPES
from autoencoders.params.params import Params
from autoencoders.params.sections import Evaluate, Tune

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)
VOID = {"meta", "img"}
BASELINES = ("pca", "mean", "wiener", "median", "pca denoised")


class Page(HTMLParser):
    """A page's attributes by tag, its text, and the cells of its table.

    Refuses tags that don't match.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.cells: list[list[str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th"):
            self.cells[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.cells[-1][-1] += data

    def values(self, attribute: str) -> list[str]:
        """An attribute's values in the order of the page."""
        return [value for _, name, value in self.attributes if name == attribute]


@pytest.fixture
def tune(params: Params) -> Tune:
    return params.tune


@pytest.fixture
def description(digits: Path) -> Description:
    return load_description(digits)


@pytest.fixture
def source(digits: Path) -> dict[str, Any]:
    """The report on the data that preprocess wrote."""
    return read_json(digits / REPORT)


@pytest.fixture
def figures(tmp_path: Path, leaderboard: list[Row]) -> dict[str, list[Path]]:
    """Two pictures a model."""
    paths: dict[str, list[Path]] = {}
    for row in leaderboard:
        if row.model in BASELINES:
            continue
        folder = tmp_path / row.model
        folder.mkdir()
        paths[row.model] = [folder / "code.png", folder / "worst.png"]
        for path in paths[row.model]:
            path.write_bytes(PIXEL + path.name.encode())
    return paths


@pytest.fixture
def page(
    leaderboard: list[Row],
    figures: dict[str, list[Path]],
    description: Description,
    source: dict[str, Any],
    tune: Tune,
) -> str:
    return html(leaderboard, tune, figures, description, source, None)


# --- the page ---


def test_the_page_needs_nothing_from_elsewhere(page: str):
    result = Page(page)
    assert result.values("src")
    assert all(source.startswith("data:image/png;base64,") for source in result.values("src"))
    assert all(link.startswith("#") for link in result.values("href"))
    assert not any(
        word in page.lower()
        for word in ("http:", "https:", "//", "@import", "url(", "<script", "<link")
    )


def test_every_link_leads_to_a_place_on_the_page(page: str, figures: dict[str, list[Path]]):
    result = Page(page)
    assert [link.removeprefix("#") for link in result.values("href")] == result.values("id")
    assert sorted(result.values("id")) == sorted(["data", *figures])
    assert result.values("id")[-1] == "data"


def test_every_picture_is_on_the_page_byte_for_byte_with_its_name(
    page: str, figures: dict[str, list[Path]]
):
    result = Page(page)
    expected = {
        f"{model_type}: {path.stem}": path.read_bytes()
        for model_type, paths in figures.items()
        for path in paths
    }
    content = [
        base64.b64decode(source.partition(",")[2], validate=True) for source in result.values("src")
    ]
    assert dict(zip(result.values("alt"), content, strict=True)) == expected


def test_the_table_has_a_row_for_every_model_the_best_first(page: str, leaderboard: list[Row]):
    header, *rows = Page(page).cells
    by_name = {row.model: row.written() for row in leaderboard}
    assert [row[0] for row in rows] == sorted(
        by_name, key=lambda name: by_name[name].get("test_squared_error", math.inf)
    )
    assert {len(row) for row in rows} == {len(header)}
    column = header.index("squared error")
    for row in rows[:-3]:  # the filters' rows are the last ones
        low, high = by_name[row[0]]["test_squared_error_ci95"]
        assert row[column] == f"{by_name[row[0]]['test_squared_error']:.3f}{low:.3f} to {high:.3f}"


def test_the_rows_of_baselines_alone_are_grey(page: str):
    assert page.count('<tr class="baseline">') == len(BASELINES)
    for name in BASELINES:
        assert f'<tr class="baseline">\n<td>{name}</td>' in page


def test_a_metric_that_a_row_lacks_leaves_its_cell_empty(page: str):
    header, *rows = Page(page).cells
    mean = next(row for row in rows if row[0] == "mean")
    assert [
        mean[header.index(name)]
        for name in ("linear probe error", "k-NN error", "error against PCA")
    ] == ["", "", ""]
    assert mean[header.index("squared error")]


def test_the_page_says_how_many_rows_it_judges(page: str, description: Description):
    words = " ".join(page.split())
    assert (
        f"{description.rows['train']} training, {description.rows['validation']} validation"
        in words
    )
    assert (
        f"{description.rows['test']} test rows of 8 × 8 pixels, scaling: {description.scaling}"
        in words
    )


def test_names_are_escaped(
    leaderboard: list[Row],
    tune: Tune,
    description: Description,
    source: dict[str, Any],
    tmp_path: Path,
):
    name = """<script>alert("&1")</script>'"""
    path = tmp_path / '"><img src=x>.png'
    path.write_bytes(PIXEL)
    page = html(
        [replace(leaderboard[0], model=name)], tune, {name: [path]}, description, source, None
    )
    assert "<script" not in page
    result = Page(page)
    assert result.cells[1][0] == name
    assert result.values("alt") == [f"{name}: {path.stem}"]
    assert [source.partition(",")[0] for source in result.values("src")] == [
        "data:image/png;base64"
    ]


def test_the_page_is_the_same_twice_and_from_rows_read_back_from_json(
    page: str,
    leaderboard: list[Row],
    figures: dict[str, list[Path]],
    description: Description,
    source: dict[str, Any],
    tune: Tune,
):
    text = json.dumps([row.written() for row in leaderboard])
    rows = [row_of(values) for values in json.loads(text)]
    assert html(rows, tune, figures, description, source, None) == page


def test_the_page_is_drawn_for_data_without_a_unit_interval(
    params: Params, evaluate: Evaluate, untrained: dict[str, TrainedModel], tmp_path: Path
):
    data = params.override({"data.name": "digits", "data.scaling": "standard"}).data
    download(data, tmp_path / "raw")
    prepare(tmp_path / "raw", tmp_path / "prepared", data)
    prepared = load_prepared(tmp_path / "prepared")
    rows = Evaluation(prepared, evaluate, "reconstruct").rows([untrained["undercomplete"]])
    header, *cells = Page(
        html(
            rows,
            params.tune,
            {},
            prepared.description,
            read_json(tmp_path / "prepared" / REPORT),
            None,
        )
    ).cells
    assert sorted(row[0] for row in cells) == ["mean", "pca", "undercomplete"]
    assert "PSNR (dB)" not in header
    assert "squared error" in header


def test_the_page_tells_what_the_data_is(page: str, source: dict[str, Any]):
    words = " ".join(page.split())
    assert (
        f"<p>{source['rows']} rows, values from 0 to 16; {source['duplicates']} duplicates" in words
    )
    assert f"Labels: 0 ({source['labels']['0']}), 1 " in words


def test_every_note_on_the_data_is_a_line_and_without_notes_there_is_no_section(
    leaderboard: list[Row], tune: Tune, description: Description, source: dict[str, Any]
):
    page = html(leaderboard, tune, {}, description, {**source, "told": []}, None)
    assert "How it was read" not in page
    told = ["column <b>: read as numbers", "left out, as dates: when"]
    page = html(leaderboard, tune, {}, description, {**source, "told": told}, None)
    assert "<h3>How it was read</h3>" in page
    assert "<li>column &lt;b&gt;: read as numbers</li>" in page
    assert "<li>left out, as dates: when</li>" in page


def test_every_column_of_a_table_has_a_line_with_its_values(
    leaderboard: list[Row], tune: Tune, table: Prepared, frame: pd.DataFrame
):
    report = read_json(table.rows["train"].path.with_name(REPORT))
    page = html(leaderboard, tune, {}, table.description, report, None)
    lines = [cells for cells in Page(page).cells if cells[0] in frame]
    assert [line[0] for line in lines] == [column["column"] for column in report["columns"]]
    assert {line[0] for line in lines} == set(frame)
    assert {line[0] for line in lines if line[-1]} == {"site", "unit"}
    (colour,) = [line[1] for line in lines if line[0] == "colour"]
    assert colour == "category: blue, green, red"


def test_of_a_wide_table_the_page_lists_the_first_columns_and_counts_the_others(
    leaderboard: list[Row], tune: Tune, table: Prepared, monkeypatch: pytest.MonkeyPatch
):
    source = read_json(table.rows["train"].path.with_name(REPORT))
    names = [column["column"] for column in source["columns"]]
    assert "more columns" not in html(leaderboard, tune, {}, table.description, source, None)
    monkeypatch.setattr(report, "MOST_COLUMNS", 2)
    page = html(leaderboard, tune, {}, table.description, source, None)
    assert [cells[0] for cells in Page(page).cells if cells[0] in names] == names[:2]
    assert f"and {len(names) - 2} more columns" in page


def test_a_row_that_lacks_what_every_row_has_is_refused(
    leaderboard: list[Row], tune: Tune, description: Description, source: dict[str, Any]
):
    key = VALIDATION_SQUARED_ERROR.key
    estimates = {name: value for name, value in leaderboard[0].estimates.items() if name != key}
    row = replace(leaderboard[0], estimates=estimates)
    with pytest.raises(KeyError, match=key):
        html([row], tune, {}, description, source, None)


# --- studies ---

UNTUNED = FullTraining(None, 8, 0.84, 2.0)
OF_TRIAL = FullTraining(3, 7, 0.861, 1.75)


@pytest.fixture
def studies(tmp_path: Path) -> list[Study]:
    """The studies of two types, in the order of their names."""
    made = []
    for model_type in ("sparse", "variational"):
        figures = [tmp_path / f"{name}.png" for name in ("code_and_share", "importances")]
        for figure in figures:
            figure.write_bytes(PIXEL + figure.name.encode())
        study = Study(
            model_type=model_type,
            objective="smallest_code",
            asked=0.85,
            taken=OF_TRIAL,
            values={"network.code_size": 7, "network.activation": "<silu>"},
            in_full=[OF_TRIAL, UNTUNED],
            summary=["20 trials (1 < 2)", "taken: values of trial 3"],
            figures=figures,
        )
        made.append(study)
    return made


@pytest.fixture
def with_studies(
    leaderboard: list[Row],
    figures: dict[str, list[Path]],
    description: Description,
    source: dict[str, Any],
    tune: Tune,
    studies: list[Study],
) -> str:
    """The page with studies."""
    return html(leaderboard, tune, figures, description, source, None, studies)


def test_without_a_study_there_is_no_section_and_no_link_to_it(page: str):
    assert "Studies" not in page
    assert "#studies" not in page


def test_with_studies_the_page_differs_in_their_section_its_link_and_nothing_else(
    page: str, with_studies: str
):
    start = with_studies.index('<h2 id="studies">')
    end = with_studies.index('<h2 id="data">')
    rest = with_studies[:start] + with_studies[end:]
    assert rest.replace('<a href="#studies">studies</a>', "") == page


def test_studies_come_in_the_order_of_the_leaderboard(
    with_studies: str, leaderboard: list[Row], studies: list[Study]
):
    types = [study.model_type for study in studies]
    in_order = [row.model for row in ranked(leaderboard) if row.model in types]
    places = [place for place in Page(with_studies).values("id") if place.startswith("study-")]
    assert places == [f"study-{model_type}" for model_type in in_order]


def test_a_study_has_its_findings_as_sentences_and_the_values_that_are_taken(with_studies: str):
    assert with_studies.count("<li>20 trials (1 &lt; 2).</li>") == 2
    assert with_studies.count("<li>Taken: values of trial 3.</li>") == 2
    taken = "<code>network.code_size: 7</code>, <code>network.activation: &lt;silu&gt;</code>"
    assert f"The training takes {taken}." in with_studies


def test_where_nothing_was_tuned_the_training_takes_the_untuned_values(
    leaderboard: list[Row],
    description: Description,
    source: dict[str, Any],
    tune: Tune,
    studies: list[Study],
):
    study = replace(studies[0], taken=UNTUNED, values={})
    page = html(leaderboard, tune, {}, description, source, None, [study])
    assert "The training takes the untuned values." in page


def test_a_studys_table_has_the_trainings_in_full_and_marks_the_one_that_is_taken(
    with_studies: str,
):
    rows = Page(with_studies).cells
    start = rows.index(["training in full", "code size", "variance kept", "squared error"])
    assert rows[start + 1 : start + 3] == [
        ["values of trial 3 (taken)", "7", "86.1 %", "1.7500"],
        ["untuned values", "8", "84.0 %", "2.0000"],
    ]
    assert with_studies.count('<tr class="taken">') == 2  # one a study


def test_a_studys_pictures_are_in_the_page_with_what_they_show(
    with_studies: str, studies: list[Study]
):
    result = Page(with_studies)
    for study in studies:
        for figure in study.figures:
            place = result.values("alt").index(
                f"study of {study.model_type}: {CAPTIONS[figure.stem]}"
            )
            content = result.values("src")[place].removeprefix("data:image/png;base64,")
            assert base64.b64decode(content) == figure.read_bytes()


# --- numbers ---


def row_with(values: dict[Metric, float]) -> Row:
    """A row that has these values and nothing else."""
    estimates = {metric.key: Estimate(value) for metric, value in values.items()}
    return Row("a model", "reconstruct", "split", 10, None, estimates)


def test_ranked_sorts_by_test_error_and_leaves_the_rows_alone(rebuilding: list[Row]):
    before = list(rebuilding)
    errors = [row.value(SQUARED_ERROR) for row in ranked(rebuilding)]
    assert errors == sorted(errors)
    assert rebuilding == before


def for_anomalies(rows: list[Row]) -> list[Row]:
    return [replace(row, goal="anomaly") for row in rows]


def with_auroc(row: Row, auroc: float) -> Row:
    estimates = {
        AUROC.key: Estimate(auroc, (auroc - 0.1, auroc + 0.1)),
        AVERAGE_PRECISION.key: Estimate(auroc / 2, (0.0, 1.0)),
    }
    return replace(row, estimates={**row.estimates, **estimates})


def test_for_anomalies_types_come_in_their_order_on_public_sets_where_no_row_has_an_auroc(
    leaderboard: list[Row], rebuilding: list[Row]
):
    names = [row.model for row in ranked(for_anomalies(leaderboard))]
    assert names[: len(ANOMALY_TYPES)] == list(ANOMALY_TYPES)
    baselines = [row.model for row in ranked(leaderboard) if row.model in BASELINES]
    assert names[len(ANOMALY_TYPES) :] == baselines


def test_for_anomalies_the_highest_auroc_comes_first_and_rows_without_it_come_last(
    leaderboard: list[Row],
):
    rows = for_anomalies(leaderboard)
    places = {"pca": 0.7, "sparse": 0.9, "contractive": 0.8}
    rows = [with_auroc(row, places[row.model]) if row.model in places else row for row in rows]
    assert [row.model for row in ranked(rows)][:3] == ["sparse", "contractive", "pca"]


def test_for_anomalies_the_terminals_table_begins_with_how_they_are_found(
    leaderboard: list[Row], capsys: pytest.CaptureFixture[str]
):
    rows = for_anomalies(leaderboard)
    labelled = [with_auroc(row, 0.75) if row.has(SQUARED_ERROR) else row for row in rows]
    for shown, first in ((rows, []), (labelled, ["AUROC", "95 % interval", "AP"])):
        result = report.table(shown, "digits")
        headings = [column.header for column in result.columns]
        assert headings == ["model", *first, "false alarms", "code", "error"]
        Console(width=80, force_terminal=False).print(result)
        text = capsys.readouterr().out
        assert max(map(len, text.splitlines())) <= 80
        assert "…" not in text
        assert ("0.750    0.650-0.850  0.375" in text) == bool(first)


def test_for_anomalies_the_page_begins_with_how_they_are_found(
    leaderboard: list[Row], tune: Tune, description: Description, source: dict[str, Any]
):
    rows = [with_auroc(row, 0.75) for row in for_anomalies(leaderboard)]
    page = html(rows, tune, {}, description, source, None)
    header = Page(page).cells[0]
    assert header[1:4] == ["anomaly AUROC", "anomaly average precision", "false-alarm rate"]
    assert len(header) == len(set(header))
    assert "goal: anomaly." in page


def test_what_a_type_is_for_stands_under_its_name(page: str, leaderboard: list[Row]):
    (row,) = [row for row in leaderboard if row.model == "variational"]
    assert f'<h2 id="variational">variational</h2>\n<p>{purpose(row)}.</p>' in unescape(page)


def test_the_verdict_stands_above_the_table_with_its_commands_apart(page: str):
    assert page.index("goal: reconstruct. No type rebuilds") < page.index("<table")
    assert "<pre>dvc exp run -S " in page


def test_types_come_in_the_order_of_their_ranks(
    page: str, leaderboard: list[Row], tune: Tune, figures: dict[str, list[Path]]
):
    types = [row.model for row in ranking(leaderboard, tune).rows]
    assert [place for place in Page(page).values("id") if place in figures] == types


def test_purpose_names_what_a_type_is_for_and_nothing_else():
    assert purpose(row_with({ELBO: -20.126, NLL: 19.5, PSNR: 3.0})) == (
        "ELBO (nats) -20.13; NLL (nats, importance-sampled) 19.50"
    )
    assert purpose(row_with({PSNR: 3.0})) == ""


@pytest.mark.parametrize(
    "metric",
    [metric for metric in REPORT_COLUMNS if metric not in (AUROC, AVERAGE_PRECISION)],
    ids=lambda metric: metric.key,
)
def test_every_column_of_the_page_is_a_metric_of_the_leaderboard(
    leaderboard: list[Row], metric: Metric
):
    cleaners = metric is DENOISED_PSNR
    expected = (
        ("denoising", "wiener", "median", "pca denoised") if cleaners else (*AUTOENCODERS, "pca")
    )
    assert all(row.has(metric) for row in leaderboard if row.model in expected)


def test_the_table_fits_a_terminal_of_80_columns_whole(
    leaderboard: list[Row], capsys: pytest.CaptureFixture[str]
):
    console = Console(width=80, force_terminal=False)
    console.print(report.table(leaderboard, "digits"))
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for row in leaderboard:
        (line,) = [line for line in text.splitlines() if f" {row.model}  " in line]
        assert not row.has(SQUARED_ERROR) or f" {row.value(SQUARED_ERROR):.3f} " in line
        assert not row.has(DENOISED_PSNR) or f" {row.value(DENOISED_PSNR):.1f} " in line
        assert ("%" in line) == (row.model not in BASELINES)


def test_the_tables_column_of_cleaned_inputs_is_there_where_a_row_has_them(
    rebuilding: list[Row], leaderboard: list[Row]
):
    plain = [row for row in rebuilding if row.model != "denoising"]
    headers = [
        [column.header for column in report.table(rows, "").columns]
        for rows in (leaderboard, plain)
    ]
    assert headers[0] == [*headers[1], "PSNR"]


def test_the_file_of_the_plot_holds_what_has_a_squared_error(
    leaderboard: list[Row], rebuilding: list[Row]
):
    header, *lines = report.csv(leaderboard).splitlines()
    assert header == "model,test_squared_error,low,high"
    assert [line.split(",")[0] for line in lines] == [row.model for row in ranked(rebuilding)]
