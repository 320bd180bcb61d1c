"""One `dvc repro` of all five types: DVC's and MLflow's figures, which are the same."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from autoencoders.evaluation.catalogue import mlflow_name
from autoencoders.models import AUTOENCODERS
from repository import PATIENCE, Repository, stages_that_ran

BASELINES = ("pca", "mean", "wiener", "median", "pca denoised")


def runs(repository: Repository) -> list[Any]:
    client = repository.client()
    return client.search_runs([client.get_experiment_by_name("autoencoder-digits").experiment_id])


def trainings(repository: Repository) -> dict[str, Any]:
    return {
        run.data.tags["kind"]: run
        for run in runs(repository)
        if run.data.tags.get("stage") == "train"
    }


def test_a_second_repro_has_nothing_to_do(five_types):
    told = five_types.repro()
    assert "Data and pipelines are up to date." in told
    assert stages_that_ran(told) == []


def test_the_leaderboard_has_every_type_and_every_baseline(five_types):
    rows = json.loads((five_types.folder / "metrics/leaderboard.json").read_text())
    assert [row["model"] for row in rows] == [*AUTOENCODERS, *BASELINES]
    told = five_types.run("ae", "leaderboard").stdout
    assert all(row["model"] in told for row in rows)
    assert all(
        f"{row['test_squared_error']:.3f}" in told for row in rows if "test_squared_error" in row
    )
    assert all(
        f"{row['test_denoised_psnr']:.1f}" in told for row in rows if "test_denoised_psnr" in row
    )
    assert "make ui" in told


def test_dvc_shows_metrics_plots_and_parameters(five_types):
    shown = json.loads(five_types.run("dvc", "metrics", "show", "--json").stdout)
    metrics = shown[""]["data"]["metrics/metrics.json"]["data"]
    assert set(metrics) == {*AUTOENCODERS, *BASELINES}
    plots = five_types.run("dvc", "plots", "show").stdout
    assert "WARNING" not in plots
    assert (
        "Reconstruction loss on the validation split"
        in (five_types.folder / "dvc_plots/index.html").read_text()
    )
    assert "network.code_size" not in five_types.run("dvc", "params", "diff").stdout


def test_dvc_and_mlflow_never_disagree_on_a_number(five_types):
    metrics = json.loads((five_types.folder / "metrics/metrics.json").read_text())
    for kind, run in trainings(five_types).items():
        for key, value in metrics[kind].items():
            assert run.data.metrics[mlflow_name(key)] == value, (kind, key)


def test_every_type_is_a_child_of_one_parent_with_curves_parameters_data_and_lineage(five_types):
    found = trainings(five_types)
    assert set(found) == set(AUTOENCODERS)
    assert len({run.data.tags["mlflow.parentRunId"] for run in found.values()}) == 1
    commit = five_types.git("rev-parse", "HEAD").strip()
    lock = five_types.hashes()
    for kind, run in found.items():
        assert run.info.status == "FINISHED"
        assert run.data.params["network.code_size"] == "8"
        assert run.data.tags["mlflow.source.git.commit"] == commit
        assert run.data.tags["git_dirty"] == "false"
        assert run.inputs.dataset_inputs[0].dataset.digest == lock["data/prepared"]
        curve = five_types.client().get_metric_history(run.info.run_id, "val/reconstruction_loss")
        assert [point.step for point in curve] == [1, 2, 3]
        lines = (five_types.folder / "model" / kind / "history.csv").read_text().splitlines()
        column = lines[0].split(",").index("val/reconstruction_loss")
        assert [point.value for point in curve] == [
            float(line.split(",")[column]) for line in lines[1:]
        ]


def test_every_type_is_a_registered_version_and_the_best_on_validation_is_the_champion(five_types):
    client = five_types.client()
    versions = client.search_model_versions("name = 'autoencoder-digits'")
    assert {v.tags["kind"] for v in versions} == set(AUTOENCODERS)
    rows = json.loads((five_types.folder / "metrics/leaderboard.json").read_text())
    best = min(
        (row for row in rows if row["model"] in AUTOENCODERS),
        key=lambda row: row["validation_squared_error"],
    )
    champion = client.get_model_version_by_alias("autoencoder-digits", "champion")
    assert champion.tags["kind"] == best["model"]
    assert "promoted" in five_types.run("ae", "registry", "history").stdout


SERVED = """
import numpy as np, mlflow, sys
from sklearn.datasets import load_digits
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/autoencoder-digits@champion")
rows = load_digits().data[:5].astype(np.float32)
codes = model.predict(rows, params={"op": "encode"})
assert codes.shape == (5, 8) and codes.dtype == np.float32
rebuilt = model.predict(rows)
assert rebuilt.shape == (5, 64)
decoded = model.predict(codes, params={"op": "decode"})
np.testing.assert_allclose(decoded, rebuilt, rtol=1e-5, atol=1e-5)
refused = (
    (rows, "paint", "must be one of"),
    (rows[:, :9], "encode", "expected (8, 8)"),
    (rows, "decode", "(-1, 8)"),
)
for bad, op, part in refused:
    try:
        model.predict(bad, params={"op": op})
    except Exception as error:
        assert part in str(error), error
    else:
        raise AssertionError(op)
"""


def test_the_champion_loads_without_pickle_away_from_the_repository(five_types, tmp_path):
    environment = {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", **five_types.environment}
    uri = f"sqlite:///{five_types.folder}/mlruns/mlflow.db"
    command = [sys.executable, "-c", SERVED, uri]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not [
        p
        for p in (five_types.folder / "mlruns").rglob("*")
        if p.suffix in (".pkl", ".pt", ".pth", ".ckpt")
    ]


@pytest.fixture
def ui(five_types):
    """The MLflow UI, as `ae ui` starts it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (five_types.folder / "ui.log").open("w")
    server = subprocess.Popen(
        ["ae", "ui", "--port", str(port)],
        cwd=five_types.folder,
        env=five_types.environment,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=2).close()
            break
        except OSError:
            assert server.poll() is None, Path(log.name).read_text()
            time.sleep(0.5)
    yield url
    os.killpg(server.pid, 15)
    server.wait(PATIENCE)
    log.close()


@pytest.mark.browser
def test_the_mlflow_ui_compares_the_five_types(five_types, ui, tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        assert not os.environ.get("CI"), "CI needs chromium"
        pytest.skip("chromium is not installed")
    from playwright.sync_api import expect, sync_playwright

    client = five_types.client()
    experiment = client.get_experiment_by_name("autoencoder-digits").experiment_id
    ids = [run.info.run_id for run in trainings(five_types).values()]
    quoted = urllib.parse.quote(json.dumps(ids))
    with sync_playwright() as playwright:
        options = [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
        ]
        page = playwright.chromium.launch(executable_path=browser, args=options).new_page(
            viewport={"width": 1600, "height": 1400}
        )
        page.goto(
            f"{ui}/#/compare-runs?runs={quoted}&experiments={urllib.parse.quote(json.dumps([experiment]))}"
        )
        for kind in AUTOENCODERS:
            expect(page.get_by_text(kind, exact=True).first).to_be_visible(timeout=60_000)
        expect(page.get_by_text("test/explained_variance").first).to_be_attached(timeout=60_000)
        page.screenshot(
            path=os.environ.get("AUTOENCODERS_SCREENSHOT", str(tmp_path / "compare.png"))
        )
