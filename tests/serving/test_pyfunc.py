"""The champion over HTTP, as `ae serve` starts it: right under load, refusals with a reason."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from autoencoders.serving.inference import answer
from tables import table_of

SECONDS, CLIENTS = 20 if os.environ.get("CI") else 8, 8
STARTUP = 120  # seconds
Ask = Callable[[Any], tuple[int, Any]]


def environment() -> dict[str, str]:
    outer = {
        name: value for name, value in os.environ.items() if not name.startswith(("DVC", "MLFLOW"))
    }
    return {**outer, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def champion(workshop) -> str:
    """A registered variational model: it answers every operation."""
    version = workshop.add("variational")
    workshop.registry.promote_by_hand(version, "a test")
    return "models:/autoencoder-table@champion"


@pytest.fixture(scope="module")
def server(workshop, champion) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Its address, and the process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "autoencoders",
        "serve",
        "--model",
        champion,
        "--port",
        str(port),
    ]
    with (workshop.folder / "serve.log").open("w") as log:
        process = subprocess.Popen(
            command, env=environment(), stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/ping", process, Path(log.name))
        yield f"http://127.0.0.1:{port}/invocations", process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 15)
        process.wait(30)


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + STARTUP
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.3)
        else:
            return
    raise AssertionError(log.read_text())


@pytest.fixture
def ask(server) -> Ask:
    """Posts a body, or what becomes JSON, and gives the status and the answer."""

    def post(content: Any) -> tuple[int, Any]:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        request = urllib.request.Request(server[0], body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    return post


def records(frame: pd.DataFrame, op: str, **params: Any) -> dict[str, Any]:
    return {"dataframe_records": frame.to_dict("records"), "params": {"op": op, **params}}


def split(frame: pd.DataFrame, op: str, **params: Any) -> dict[str, Any]:
    return {"dataframe_split": frame.to_dict("split"), "params": {"op": op, **params}}


def assert_same(found: Any, expected: Any) -> None:
    """Equal but for rounding."""
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(
            pd.DataFrame(found), expected, check_dtype=False, rtol=1e-5, atol=1e-5
        )
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", [records, split])
@pytest.mark.parametrize("op", ["reconstruct", "encode", "denoise", "score", "interpolate"])
def test_every_operation_answers_as_in_python(ask, workshop, frame, form, op):
    status, told = ask(form(frame.head(10), op))
    assert status == 200, told
    assert_same(told["predictions"], answer(workshop.models["variational"], op, frame.head(10)))


def test_codes_samples_and_settings_answer_as_in_python(ask, workshop, frame):
    model = workshop.models["variational"]
    codes = np.asarray(answer(model, "encode", frame.head(5)))
    assert_same(
        ask({"inputs": codes.tolist(), "params": {"op": "decode"}})[1]["predictions"],
        answer(model, "decode", codes),
    )
    status, told = ask({"inputs": [0], "params": {"op": "sample", "n": 7, "seed": 3}})
    assert status == 200, told
    assert_same(told["predictions"], answer(model, "sample", None, n=7, seed=3))
    for rate in (0.01, 0.5):
        verdicts = [
            row["anomaly"]
            for row in ask(records(frame, "score", false_alarm_rate=rate))[1]["predictions"]
        ]
        assert verdicts == list(answer(model, "score", frame, rate=rate)["anomaly"])


def test_without_params_rows_are_reconstructed(ask, workshop, frame):
    status, told = ask({"dataframe_records": frame.head(3).to_dict("records")})
    assert status == 200, told
    assert_same(
        told["predictions"], answer(workshop.models["variational"], "reconstruct", frame.head(3))
    )


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
    "an unknown key": (lambda frame: {"rows": [1]}, "dataframe_split"),
    "no JSON": (lambda frame: b'{"inputs": [', "JSON"),
    "nothing": (lambda frame: b"", "JSON"),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_request_is_refused_with_its_reason_and_the_server_goes_on(ask, server, frame, bad):
    content, reason = BAD[bad]
    status, told = ask(content(frame.head(4)))
    assert 400 <= status < 500, told
    assert reason in told
    assert "Traceback" not in told
    assert ask(records(frame.head(2), "encode"))[0] == 200
    assert server[1].poll() is None


def test_many_clients_at_once_get_the_right_answers_and_no_error(ask, workshop, frame):
    model, until = workshop.models["variational"], time.monotonic() + SECONDS
    # a calibration row's own rank is a tie, which rounding decides; of the others, all processes say the same
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
            status, told = ask(records(rows, op))
            assert status == 200, told
            assert_same(told["predictions"], answer(model, op, rows))
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
pd.testing.assert_frame_equal(model.predict(codes, params={"op": "decode"}), model.predict(frame), rtol=1e-5)
for op in ("score", "denoise", "interpolate"):
    model.predict(frame, params={"op": op}).to_csv(f"{op}.csv", index=False)
model.predict(np.zeros(1), params={"op": "sample", "n": 5, "seed": 2}).to_csv("sample.csv", index=False)
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
