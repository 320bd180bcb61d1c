"""The champion over HTTP, as `ae serve` starts it: right under load, refusals with a reason."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

from autoencoders.serving.inference import answer
from model_server import Ask, environment, post, serving
from tables import table_of

SECONDS, CLIENTS = 20 if os.environ.get("CI") else 8, 8


@pytest.fixture(scope="module")
def champion(workshop) -> str:
    """A registered variational model: it answers every operation."""
    version = workshop.add("variational")
    workshop.registry.promote_by_hand(version, "a test")
    return "models:/autoencoder-table@champion"


@pytest.fixture(scope="module")
def server(workshop, champion) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Its address, and the process."""
    with serving(champion, workshop.folder) as (address, process):
        yield address, process


@pytest.fixture
def ask(server) -> Ask:
    """Posts a body, or what becomes JSON, and gives the status and the answer."""
    return partial(post, server[0])


def records(frame: pd.DataFrame, op: str, **params: Any) -> dict[str, Any]:
    return {"dataframe_records": frame.to_dict("records"), "params": {"op": op, **params}}


def split(frame: pd.DataFrame, op: str, **params: Any) -> dict[str, Any]:
    return {"dataframe_split": frame.to_dict("split"), "params": {"op": op, **params}}


def assert_same(result: Any, expected: Any) -> None:
    """Equal but for rounding."""
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(
            pd.DataFrame(result), expected, check_dtype=False, rtol=1e-5, atol=1e-5
        )
    else:
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", [records, split])
@pytest.mark.parametrize("op", ["reconstruct", "encode", "denoise", "score", "interpolate"])
def test_every_operation_answers_as_in_python(ask, workshop, frame, form, op):
    status, body = ask(form(frame.head(10), op))
    assert status == 200, body
    assert_same(body["predictions"], answer(workshop.models["variational"], op, frame.head(10)))


def test_codes_samples_and_settings_answer_as_in_python(ask, workshop, frame):
    model = workshop.models["variational"]
    codes = np.asarray(answer(model, "encode", frame.head(5)))
    assert_same(
        ask({"inputs": codes.tolist(), "params": {"op": "decode"}})[1]["predictions"],
        answer(model, "decode", codes),
    )
    status, body = ask({"inputs": [0], "params": {"op": "sample", "n": 7, "seed": 3}})
    assert status == 200, body
    assert_same(body["predictions"], answer(model, "sample", None, n=7, seed=3))
    for rate in (0.01, 0.5):
        verdicts = [
            row["anomaly"]
            for row in ask(records(frame, "score", false_alarm_rate=rate))[1]["predictions"]
        ]
        assert verdicts == list(answer(model, "score", frame, rate=rate)["anomaly"])


@pytest.mark.parametrize("settings", [{}, {"params": None}, {"params": {}}])
@pytest.mark.parametrize(
    ("form", "orient"),
    [
        ("dataframe_records", "records"),
        ("dataframe_split", "split"),
        ("inputs", "list"),
        ("instances", "records"),
    ],
)
def test_without_settings_rows_in_every_form_are_reconstructed(
    ask, workshop, frame, form, orient, settings
):
    status, body = ask({form: frame.head(3).to_dict(orient), **settings})
    assert status == 200, body
    assert_same(
        body["predictions"], answer(workshop.models["variational"], "reconstruct", frame.head(3))
    )


def test_csv_is_reconstructed_and_refused_with_a_query(server, workshop, frame):
    rows = frame.head(3).to_csv(index=False).encode()
    status, body = post(server[0], rows, "text/csv")
    assert status == 200, body
    assert_same(
        body["predictions"], answer(workshop.models["variational"], "reconstruct", frame.head(3))
    )
    for query in ("op=score", "op=reconstruct", "n"):
        assert_refused(*post(f"{server[0]}?{query}", rows, "text/csv"), "must be empty")


def test_csv_that_cannot_be_read_is_refused_and_its_traceback_is_logged(server, workshop):
    assert_refused(*post(server[0], b"", "text/csv"), "No columns to parse from file")
    assert "EmptyDataError" in (workshop.folder / "serve.log").read_text()


@pytest.mark.parametrize("path", ["ping", "health", "version"])
def test_other_paths_answer_as_those_of_mlflow(server, path):
    url = server[0].replace("invocations", path)
    with urllib.request.urlopen(url, timeout=60) as response:
        expected = mlflow.__version__ if path == "version" else "\n"
        assert response.read().decode() == expected


BAD: dict[str, tuple[Callable[[pd.DataFrame], Any], str]] = {
    "an unknown operation": (
        lambda frame: records(frame, "paint"),
        "must be one of reconstruct, encode",
    ),
    "a missing column": (
        lambda frame: records(frame.drop(columns="width"), "encode"),
        "missing columns: width",
    ),
    "text in a column of numbers": (
        lambda frame: records(frame.assign(width="wide"), "encode"),
        "column width",
    ),
    "a missing value": (lambda frame: split(frame.assign(width=None), "score"), "width"),
    "codes of a wrong width": (
        lambda frame: {"inputs": [[1.0]], "params": {"op": "decode"}},
        "(-1, 2)",
    ),
    "rows of a wrong width": (lambda frame: {"inputs": [[1.0, 2.0]]}, "expected (5,)"),
    "no rows": (lambda frame: split(frame.head(0), "encode"), "no rows"),
    "an odd number of rows": (
        lambda frame: records(frame.head(3), "interpolate"),
        "needs pairs of rows",
    ),
    "too many samples": (
        lambda frame: {"inputs": [0], "params": {"op": "sample", "n": 10**9}},
        "n = 1000000000",
    ),
    "a number that is none": (
        lambda frame: {"inputs": [0], "params": {"op": "sample", "n": "x"}},
        "n",
    ),
    "no number": (
        lambda frame: {"inputs": [0], "params": {"op": "sample", "n": None}},
        "n = None: must be a whole number",
    ),
    "an unknown setting": (
        lambda frame: records(frame, "interpolate", step=3),
        "unknown setting 'step'; allowed are op, false_alarm_rate, n, steps, seed",
    ),
    "an operation beside the rows": (
        lambda frame: {"dataframe_split": frame.to_dict("split"), "op": "score"},
        "op: must stand in 'params'",
    ),
    "a list": (lambda frame: [1.0], "must be an object"),
    "an unknown key": (lambda frame: {"rows": [1]}, "dataframe_split"),
    "JSON without end": (lambda frame: b"[" * 100_000, "nested more than 64 deep"),
    "no JSON": (lambda frame: b'{"inputs": [', "JSON"),
    "nothing": (lambda frame: b"", "JSON"),
}


def assert_refused(status: int, body: Any, reason: str) -> None:
    """Status 400 and the reason in one line, in MLflow's form, without a traceback."""
    assert status == 400, body
    error = json.loads(body)
    assert error["error_code"] in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")
    assert reason in error["message"]
    assert "\n" not in error["message"]
    assert "Traceback" not in body


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_request_is_refused_with_its_reason_and_the_server_goes_on(ask, server, frame, bad):
    content, reason = BAD[bad]
    status, body = ask(content(frame.head(4)))
    assert_refused(status, body, reason)
    assert ask(records(frame.head(2), "encode"))[0] == 200
    assert server[1].poll() is None


def test_many_clients_at_once_get_the_right_answers_and_no_error(ask, workshop, frame):
    model, until = workshop.models["variational"], time.monotonic() + SECONDS
    # a calibration row's own rank is a tie, which rounding decides; of the others, all processes
    # say the same
    scores = table_of(answer(model, "score", frame))["score"].to_numpy()
    distance = np.abs(scores[:, None] - model.calibration.numpy()).min(1)
    clear = frame[distance > 1e-3]
    assert len(clear) > 300

    def client(number: int) -> int:
        done = 0
        while time.monotonic() < until:
            start = (17 * number + done) % (len(clear) - 40)
            rows = clear.iloc[start:][: 1 + (number + done) % 40]
            op = ("encode", "reconstruct", "score")[(number + done) % 3]
            status, body = ask(records(rows, op))
            assert status == 200, body
            assert_same(body["predictions"], answer(model, op, rows))
            done += 1
        return done

    with ThreadPoolExecutor(CLIENTS) as pool:
        assert min(pool.map(client, range(CLIENTS))) >= 5


LOADED = """
import sys
import mlflow, numpy as np, pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
frame = pd.read_csv("table.csv").head(6)
codes = model.predict(frame, params={"op": "encode"})
np.save("codes.npy", codes)
decoded = model.predict(codes, params={"op": "decode"})
pd.testing.assert_frame_equal(decoded, model.predict(frame), rtol=1e-5)
for op in ("score", "denoise", "interpolate"):
    model.predict(frame, params={"op": op}).to_csv(f"{op}.csv", index=False)
sample = model.predict(np.zeros(1), params={"op": "sample", "n": 5, "seed": 2})
sample.to_csv("sample.csv", index=False)
try:
    model.unwrap_python_model().predict(None, frame, params={"step": 3})
except mlflow.MlflowException as refusal:
    assert "unknown setting 'step'" in str(refusal), refusal
else:
    raise AssertionError("an unknown setting was dropped")
"""


def test_the_loaded_model_answers_every_operation_without_pickle(workshop, champion, frame):
    uri = f"sqlite:///{workshop.folder}/mlruns/mlflow.db"
    command = [sys.executable, "-W", "ignore", "-c", LOADED, uri, champion]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    model, rows = workshop.models["variational"], frame.head(6)
    assert_same(np.load("codes.npy"), answer(model, "encode", rows))
    for op in ("score", "denoise", "interpolate"):
        assert_same(pd.read_csv(f"{op}.csv"), answer(model, op, rows))
    assert_same(pd.read_csv("sample.csv"), answer(model, "sample", None, n=5, seed=2))
    stored = [path.suffix for path in (workshop.folder / "mlruns").rglob("*")]
    assert not {".pkl", ".pt", ".pth", ".ckpt"} & set(stored)


def test_ctrl_c_ends_the_server(server):  # the last one that needs it
    process = server[1]
    process.send_signal(signal.SIGINT)
    process.wait(30)
