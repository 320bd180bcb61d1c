"""Results of experiments, here written by hand, held against published figures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from anchors import MEASURES, Anchor, _draw, result, table
from autoencoders.core.errors import UserError
from autoencoders.params.params import load_tree
from autoencoders.params.reading import validated
from repository import ROOT

ENTRY: dict[str, Any] = {
    "about": "a",
    "published": 3.0,
    "target": 2.2,
    "unit": "nats",
    "source": "s",
    "protocol": "p",
    "beside": {},
}


def anchor(better: str = "lower", **values: Any) -> Anchor:
    return Anchor(**{**ENTRY, "better": better, **values})


def workspace(folder: Path, *rows: dict[str, object]) -> Path:
    (folder / "metrics").mkdir(parents=True)
    (folder / "metrics/leaderboard.json").write_text(json.dumps(rows))
    return folder


@pytest.mark.parametrize("name", load_tree(ROOT / "anchors.yaml"))
def test_every_anchor_is_valid_and_has_its_experiment(name):
    validated(Anchor, load_tree(ROOT / "anchors.yaml")[name], name)
    assert (ROOT / f"experiments/{name}.yaml").exists()


@pytest.mark.parametrize(
    ("better", "ours", "passes", "beats"),
    [
        ("lower", [2.0], True, True),
        ("lower", [2.0, 2.4], True, True),
        ("lower", [2.5], False, True),
        ("lower", [3.1], False, False),
        ("higher", [2.5], True, False),
        ("higher", [2.0], False, False),
        ("higher", [3.5], True, True),
    ],
)
def test_a_result_passes_by_its_mean_and_says_whether_it_beats_what_was_published(
    better, ours, passes, beats
):
    entry = result("x", anchor(better), ours, 12.0)
    assert (entry["pass"], entry["beats_published"]) == (passes, beats)
    assert (entry["ours"], entry["low"], entry["high"]) == (np.mean(ours), min(ours), max(ours))
    assert (entry["experiment"], entry["seconds"], entry["seeds"], entry["unit"]) == (
        "x",
        12.0,
        len(ours),
        "nats",
    )


def test_a_number_is_read_from_its_row_and_another_one_subtracted(tmp_path):
    folder = workspace(
        tmp_path, {"model": "denoising", "psnr": 20.0}, {"model": "wiener", "psnr": 17.5}
    )
    chosen = anchor(
        ours="denoising.psnr", less="wiener.psnr", beside={"Wiener": "wiener.psnr", "paper": 1.5}
    )
    actual = MEASURES["number"](chosen, [folder])
    assert actual.ours == 2.5
    assert actual.beside == {"Wiener": 17.5, "paper": 1.5}


def contractive(tmp_path: Path, points: list[tuple[float, float]]) -> list[Path]:
    return [
        workspace(
            tmp_path / str(i),
            {"model": "contractive", "test_squared_error": x, "scaled_jacobian_norm": y},
        )
        for i, (x, y) in enumerate(points)
    ]


def test_jacobians_are_compared_at_the_same_error_on_the_curve_without_a_penalty(tmp_path):
    variants = [{"train.epochs": 2}, {}, {"models.contractive.weight": 0.1}]
    folders = contractive(tmp_path, [(40.0, 1.0), (10.0, 4.0), (20.0, 1.0)])
    actual = MEASURES["matched_jacobian"](anchor(variants=variants, at=2), folders)
    assert actual.ours == pytest.approx(0.5)  # the curve is 40 / error: 2 at an error of 20
    assert actual.beside == {"penalty 0.1": pytest.approx(0.5)}


def test_without_a_match_in_error_there_is_no_ratio(tmp_path):
    variants = [{"train.epochs": 2}, {}, {"models.contractive.weight": 0.1}]
    folders = contractive(tmp_path, [(20.0, 1.0), (10.0, 2.0), (25.0, 0.5)])
    with pytest.raises(UserError, match="no variant without penalty has the error of variant 2"):
        MEASURES["matched_jacobian"](anchor(variants=variants, at=2), folders)


def test_the_worst_type_at_the_worst_code_size_counts(tmp_path):
    (tmp_path / "reports").mkdir()
    model_types = ["undercomplete", "sparse", "contractive", "denoising", "variational"]
    lines = ["code_size," + ",".join(model_types) + ",pca", "2,5,5,5,5,5,10", "4,3,3,3.9,3,3,5"]
    (tmp_path / "reports/rate_distortion.csv").write_text("\n".join(lines))
    actual = MEASURES["least_below_pca"](anchor("higher"), [tmp_path])
    assert actual.ours == pytest.approx(22)
    assert actual.beside["sparse"] == pytest.approx(40)


def test_the_table_and_the_figure_show_every_entry(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chosen = anchor(ours="denoising.psnr", beside={"paper": 8.0})
    folder = workspace(tmp_path / "w", {"model": "denoising", "psnr": 2.5})
    entry = result("hinton", chosen, [2.5, 2.6], 61.0)
    _draw("hinton", chosen, entry, MEASURES["number"](chosen, [folder]))
    assert Path("anchors/hinton.png").stat().st_size > 1000
    console = Console(record=True, width=140)
    console.print(table([entry]))
    shown = console.export_text()
    for text in ("hinton", "2.550", "2.500 to", "2.600", "2 seeds", "61 s", "NO", "yes"):
        assert text in shown
