"""Data sets of openml.org, from a server here that answers with scikit-learn's copies."""

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import sklearn.datasets
from sklearn.datasets import _openml

from autoencoders.core.errors import DataError
from autoencoders.data.preparation.prepare import prepare
from autoencoders.data.sources.source import download
from autoencoders.params.params import Params

IRIS = Path(sklearn.datasets.__file__).parent / "tests/data/openml/id_61"
ANSWERS = {
    "/api/v1/json/data/61": "api-v1-jd-61.json.gz",
    "/api/v1/json/data/features/61": "api-v1-jdf-61.json.gz",
    "/api/v1/json/data/qualities/61": "api-v1-jdq-61.json.gz",
}
pytestmark = pytest.mark.skipif(
    not IRIS.exists(), reason="this scikit-learn comes without its tests' data"
)


class Server(ThreadingHTTPServer):
    """OpenML's."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name = ANSWERS.get(
            self.path.rstrip("/"), "data-v1-dl-61.arff.gz" if "download" in self.path else None
        )
        body = (
            gzip.decompress((IRIS / name).read_bytes())
            if name
            else b'{"error": {"message": "unknown"}}'
        )
        if name == "api-v1-jd-61.json.gz":
            description = json.loads(body)
            description["data_set_description"]["url"] = (
                f"{self.server.url}/data/v1/download/61/iris.arff"
            )
            body = json.dumps(description).encode()
        self.send_response(200 if name else 412)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""


@pytest.fixture
def openml(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = Server(("127.0.0.1", 0), Handler)
    for name in ("_SEARCH_NAME", "_DATA_INFO", "_DATA_FEATURES", "_DATA_QUALITIES"):
        monkeypatch.setattr(
            _openml, name, getattr(_openml, name).replace("https://www.openml.org", server.url)
        )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_data_set_by_its_id_has_its_columns_and_its_target_as_label(
    openml, params: Params, tmp_path: Path
):
    data = params.override({"data.openml": 61}).data
    download(data, tmp_path / "raw")
    description = prepare(tmp_path / "raw", tmp_path / "prepared", data)
    assert description.name == "openml-61"
    assert description.schema.features == ["sepallength", "sepalwidth", "petallength", "petalwidth"]
    assert description.labels == ("Iris-setosa", "Iris-versicolor", "Iris-virginica")
    assert sum(description.rows.values()) == 150


def test_an_id_that_openml_does_not_know_is_named(openml, params: Params, tmp_path: Path):
    with pytest.raises(DataError, match=r"^data\.openml = 4242: "):
        download(params.override({"data.openml": 4242}).data, tmp_path / "raw")
    assert not (tmp_path / "raw").exists()
