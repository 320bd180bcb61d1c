"""Facts of data sets by name, how data/raw is filled, sources that are refused."""

import gc
import tempfile
import threading
import warnings
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from autoencoders.core.errors import ParameterError
from autoencoders.core.files import read_json, sha256_of
from autoencoders.data.preparation.prepare import prepare
from autoencoders.data.sources.catalogue import SOURCES
from autoencoders.data.sources.source import check, download, facts
from autoencoders.params.architecture import DataFacts
from autoencoders.params.params import Params
from contents import GOOD, N
from intake import Intake, columns, csv, everything


def test_the_digits_are_scikit_learns_without_a_download(intake: Intake):
    download(intake.params.override({"data.name": "digits"}).data, intake.raw)
    images, labels = (
        np.load(intake.raw / "files" / f"{name}.npy", allow_pickle=False) for name in "Xy"
    )
    expected = load_digits()
    np.testing.assert_array_equal(images, expected.images)
    np.testing.assert_array_equal(labels, expected.target)
    assert images.dtype == labels.dtype == np.uint8
    assert set(everything(intake.raw)) == {"source.json", "files", "files/X.npy", "files/y.npy"}


def test_what_is_known_of_the_digits_is_what_they_are():
    digits, source = load_digits(), SOURCES["digits"]
    assert digits.images.shape == (source.rows, *source.shape)
    assert (digits.data.min(), digits.data.max()) == (0, source.white)
    assert [str(name) for name in digits.target_names] == source.labels


def test_download_replaces_what_was_there(intake: Intake):
    intake.raw.mkdir()
    (intake.raw / "of another data set.npy").write_bytes(b"")
    download(intake.params.override({"data.name": "digits"}).data, intake.raw)
    assert "of another data set.npy" not in everything(intake.raw)


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_has_ten_classes_and_square_images(name: str):
    source = SOURCES[name]
    assert len(set(source.labels)) == 10
    assert source.shape[0] == source.shape[1]


@pytest.mark.parametrize("scaling", ["auto", "pixels", "minmax", "standard", "robust", "none"])
def test_what_is_known_before_the_download_is_what_preprocess_finds(
    intake: Intake, params: Params, scaling: str
):
    data = params.override({"data.name": "digits", "data.scaling": scaling}).data
    download(data, intake.raw)
    prepared = prepare(intake.raw, intake.prepared, data).facts
    known = facts(data)
    assert known is not None
    assert (
        known._replace(rows=prepared.rows)
        == prepared
        == DataFacts(64, scaling in ("auto", "pixels"), (8, 8), prepared.rows)
    )
    assert prepared.rows < known.rows


def test_of_data_of_the_users_own_nothing_is_known_before_it_is_there(intake: Intake):
    assert facts(intake.section("mnist.csv", name="mnist")) is None
    assert facts(intake.params.override({"data.openml": 61}).data) is None


def test_a_file_stays_where_the_user_has_it(intake: Intake):
    path = intake.file("a.csv", csv(columns()))
    download(intake.section(path), intake.raw)
    assert everything(intake.raw) == {"source.json": (intake.raw / "source.json").read_bytes()}
    assert read_json(intake.raw / "source.json") == {"path": str(path)}


def test_a_copy_of_the_repository_links_to_the_file_that_it_lacks(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
):
    """`dvc exp run --temp` makes a copy of what git knows, which the user's data is not part of."""
    intake.file("data/a.csv", csv(columns()))
    copy = intake.folder / "copy"
    copy.mkdir()
    monkeypatch.chdir(copy)
    monkeypatch.setenv("DVC_ROOT", str(intake.source))
    for _ in range(2):
        check(intake.section("data/a.csv"))
        assert (copy / "data" / "a.csv").read_text() == csv(columns())


# --- sources that are refused ---


@pytest.mark.parametrize("name", ["none.csv", "none", "none/none.npz", "a\0b.csv", "none.zip"])
def test_a_missing_file_is_refused_with_its_key(intake: Intake, name: str):
    path = intake.source / name
    assert intake.refusal(path).startswith(f"data.path = {path}: no such file or folder")


def test_an_unknown_name_is_refused_with_the_known_ones(intake: Intake):
    assert intake.refusal(intake.params.data.path, name="cifar10").startswith(
        "data.name = cifar10: no such data set: digits, mnist, fashion_mnist"
    )


def test_two_sources_are_refused(intake: Intake):
    path = intake.file("a.csv", csv(GOOD))
    message = intake.refusal(path, openml=61)
    assert message == f"data.openml = 61 and data.path = {path}: two sources; choose one of them"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("missing", "drop"),
        ("scaling", "log"),
        ("split", "first"),
        ("sha256", "x"),
        ("image_side", 0),
        ("ignore", "a"),
    ],
)
def test_a_setting_out_of_bounds_is_refused_by_its_key(intake: Intake, key: str, value: Any):
    with pytest.raises(ParameterError, match=rf"^params.yaml: data\.{key} = "):
        intake.section("a.csv", **{key: value})


# --- URLs ---


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between attempts to fetch a file."""
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder without a word."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        self.send_response(code, message)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def site(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a server on this machine that gives what the user's folder holds."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=intake.source)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
    with warnings.catch_warnings(
        action="ignore"
    ):  # pooch leaves sockets of failed requests to the collector
        gc.collect()


def test_a_url_without_its_digest_is_refused_before_anything_is_fetched(intake: Intake):
    url = "http://127.0.0.1:9/a.csv"
    assert (
        intake.refusal(url)
        == f"data.path = {url}: a URL needs data.sha256, the digest of what it gives"
    )


def test_a_url_that_gives_something_else_is_refused_with_both_digests(intake: Intake, site: str):
    path = intake.file("a.csv", csv(GOOD))
    message = intake.refusal(f"{site}/a.csv", sha256="0" * 64)
    assert (
        message == f"{site}/a.csv: its SHA-256 is {sha256_of(path)}, but data.sha256 = {'0' * 64}"
    )


@pytest.mark.parametrize(
    "address", ["{site}/none.csv", "{site}/", "{site}/..", "{site}", "http://127.0.0.1:9/a.csv"]
)
def test_a_url_that_gives_nothing_is_refused_by_its_address(
    intake: Intake, site: str, address: str
):
    address = address.format(site=site)
    assert address.rstrip("/.") in intake.refusal(address, sha256="0" * 64)


@pytest.mark.parametrize(
    "address", ["ftp://127.0.0.1:9/a.csv", "file:///etc/hosts", "s3://bucket/a.csv", "://"]
)
def test_a_url_of_another_protocol_is_refused_by_its_address(intake: Intake, address: str):
    assert address in intake.refusal(address, sha256="0" * 64)


@pytest.mark.parametrize("query", ["", "?version=2", "?name=b.csv#part"])
def test_a_url_with_the_digest_of_its_content_is_taken(intake: Intake, site: str, query: str):
    path = intake.file("a.csv", csv(GOOD))
    prepared = intake.load(f"{site}/a.csv{query}", sha256=sha256_of(path))
    assert sum(prepared.description.rows.values()) == N
    assert prepared.description.source == "a"


def test_a_url_is_fetched_where_temporary_files_lie_on_another_file_system(
    intake: Intake, site: str, monkeypatch: pytest.MonkeyPatch
):
    other = Path("/dev/shm")
    if not other.exists() or other.stat().st_dev == intake.folder.stat().st_dev:
        pytest.skip("needs a second file system")
    path = intake.file("a.csv", csv(GOOD))
    monkeypatch.setattr(tempfile, "tempdir", str(other))
    prepared = intake.load(f"{site}/a.csv", sha256=sha256_of(path))
    assert sum(prepared.description.rows.values()) == N
