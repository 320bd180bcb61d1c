"""MNIST and Fashion-MNIST from HTTP servers on this machine and from folders; damaged files."""

import gzip
import hashlib
import socket
import struct
import tempfile
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from autoencoders.core.errors import DataError
from autoencoders.core.files import read_json
from autoencoders.data.preparation.prepare import prepare
from autoencoders.data.prepared.prepared import load_prepared
from autoencoders.data.sources import catalogue, fetch
from autoencoders.data.sources.source import download
from autoencoders.params.params import Params
from autoencoders.params.sections import Data

IMAGES, LABELS, TEST_IMAGES, TEST_LABELS = (name for name, _ in catalogue.ARRAYS.values())
PAGE = b"<!DOCTYPE html><html><body>Please log in to this network</body></html>"


@dataclass(frozen=True)
class Answer:
    """The server's answer to one request."""

    body: bytes = b""
    status: int = 200
    length: int | None = None  # announced, where it is not the body's


class Site(ThreadingHTTPServer):
    """A server on a free port of 127.0.0.1 that notes which paths it was asked for."""

    def __init__(self, answer: Callable[[str], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        name = self.path.removeprefix("/")
        self.server.asked.append(name)
        answer = self.server.answer(name)
        self.send_response(answer.status)
        self.send_header(
            "Content-Length", str(len(answer.body) if answer.length is None else answer.length)
        )
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Stays silent."""


Serve = Callable[[Callable[[str], Answer]], Site]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers, which end with the test."""
    with ExitStack() as stack:

        def start(answer: Callable[[str], Answer]) -> Site:
            site = stack.enter_context(Site(answer))
            thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            stack.callback(thread.join)
            stack.callback(site.shutdown)
            return site

        yield start


@pytest.fixture
def refusing() -> Iterator[str]:
    """The URL of a port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/"


@pytest.fixture(autouse=True)
def on_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No public mirror, no proxy, no waiting; temporary files where a test can look for them."""
    monkeypatch.setattr(fetch, "MIRRORS", dict.fromkeys(catalogue.MIRRORS, ()))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv(fetch.MIRROR_VARIABLE, raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))


def array_of(plain: bytes) -> np.ndarray:
    """The array in decompressed IDX content, by the format: type 8, axes, their sizes, bytes."""
    zero, value_type, axes = struct.unpack_from(">HBB", plain)
    assert (zero, value_type) == (0, 8)
    shape = struct.unpack_from(f">{axes}I", plain, 4)
    return np.frombuffer(plain, np.uint8, offset=4 + 4 * axes).reshape(shape)


def images(rows: int, seed: int = 0) -> bytes:
    """Decompressed IDX content of random images."""
    pixels = np.random.default_rng(seed).integers(0, 256, (rows, 28, 28), np.uint8)
    return struct.pack(">IIII", 2051, rows, 28, 28) + pixels.tobytes()


def labels(rows: int, seed: int = 0) -> bytes:
    """Decompressed IDX content of random labels."""
    return (
        struct.pack(">II", 2049, rows)
        + np.random.default_rng(seed).integers(0, 10, rows, np.uint8).tobytes()
    )


PLAIN = {
    IMAGES: images(20),
    LABELS: labels(20),
    TEST_IMAGES: images(5, 1),
    TEST_LABELS: labels(5, 1),
}
ARRAYS = {
    IMAGES: "images",
    LABELS: "labels",
    TEST_IMAGES: "test_images",
    TEST_LABELS: "test_labels",
}
PACKED = {name: gzip.compress(plain, mtime=0) for name, plain in PLAIN.items()}


def digest(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def spec(name: str, **digests: str) -> catalogue.File:
    """A small file's specification, whose digest is that of its content, if no other is given."""
    return catalogue.File(
        name, array_of(PLAIN[name]).shape, digests.get("digest", digest(PLAIN[name]))
    )


def shrink(monkeypatch: pytest.MonkeyPatch, data: str, digests: list[str]) -> None:
    """Small files instead of a data set's own."""
    monkeypatch.setattr(
        fetch, "ARRAYS", {ARRAYS[name]: (name, array_of(PLAIN[name]).shape) for name in PLAIN}
    )
    monkeypatch.setitem(catalogue.DIGESTS, data, " ".join(digests))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small MNIST instead of the real one."""
    shrink(monkeypatch, "mnist", [digest(plain) for plain in PLAIN.values()])


@pytest.fixture
def mnist(params: Params) -> Data:
    """params.yaml's data section, for MNIST."""
    return params.override({"data.name": "mnist"}).data


@pytest.fixture
def raw(
    small: None, mnist: Data, serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Path:
    """data/raw with the small MNIST, from an earlier download that went well."""
    monkeypatch.setenv(fetch.MIRROR_VARIABLE, serve(lambda name: Answer(PACKED[name])).url)
    download(mnist, tmp_path / "data" / "raw")
    monkeypatch.delenv(fetch.MIRROR_VARIABLE)
    return tmp_path / "data" / "raw"


def everything(folder: Path) -> dict[str, bytes | None]:
    """All below a folder: files with their content, folders with None."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def refused(raw: Path, mnist: Data, mirror: str | Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The message of a download that fails, after a look whether everything stayed as it was."""
    monkeypatch.setenv(fetch.MIRROR_VARIABLE, str(mirror))
    before = everything(raw.parent)
    assert f"{raw.name}/files/X.npy" in before
    with pytest.raises(DataError) as caught:
        download(mnist, raw)
    assert everything(raw.parent) == before
    scratch = Path(tempfile.gettempdir())
    assert everything(scratch) == {}
    return str(caught.value)


# --- the canonical files ---


def rewritten(mirror: Path, folder: Path, pack: Callable[[bytes], bytes]) -> Path:
    """A folder with the mirror's files, packed in another way: other bytes, the same content."""
    folder.mkdir()
    for name in PLAIN:
        packed = (mirror / name).read_bytes()
        (folder / name).write_bytes(pack(gzip.decompress(packed)))
        assert (folder / name).read_bytes() != packed
    return folder


@pytest.mark.parametrize("wrapper", ["http", "folder", "recompressed", "unpacked on its way"])
def test_mnist_equals_what_its_files_hold(
    mnist_mirror: Path, wrapper: str, serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    site = serve(lambda name: Answer((mnist_mirror / name).read_bytes()))
    mirrors: dict[str, Callable[[], str | Path]] = {
        "http": lambda: site.url,
        "folder": lambda: mnist_mirror,
        "recompressed": lambda: rewritten(
            mnist_mirror, tmp_path / "new", lambda plain: gzip.compress(plain, 1)
        ),
        "unpacked on its way": lambda: rewritten(
            mnist_mirror, tmp_path / "new", lambda plain: plain
        ),
    }
    monkeypatch.setenv(fetch.MIRROR_VARIABLE, str(mirrors[wrapper]()))
    arrays = fetch.mnist("mnist")
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(
            arrays[array], array_of(gzip.decompress((mnist_mirror / name).read_bytes()))
        )
        assert arrays[array].dtype == np.uint8
    assert arrays["images"].shape == (60_000, 28, 28)
    assert arrays["test_images"].shape == (10_000, 28, 28)
    assert set(arrays["labels"]) == set(arrays["test_labels"]) == set(range(10))
    assert site.asked == (list(ARRAYS) if wrapper == "http" else [])


# --- which mirror ---


def test_the_users_mirror_is_asked_first_and_alone_when_it_answers(
    small: None, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    users, public = (
        serve(lambda name: Answer(PACKED[name])),
        serve(lambda name: Answer(PACKED[name])),
    )
    monkeypatch.setattr(fetch, "MIRRORS", {"mnist": (public.url,)})
    monkeypatch.setenv(fetch.MIRROR_VARIABLE, users.url.rstrip("/"))
    assert set(fetch.mnist("mnist")) == set(ARRAYS.values())
    assert (users.asked, public.asked) == (list(ARRAYS), [])


def test_without_a_mirror_of_the_users_own_the_public_ones_are_asked(
    small: None, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    public = serve(lambda name: Answer(PACKED[name]))
    monkeypatch.setattr(fetch, "MIRRORS", {"mnist": (public.url,)})
    monkeypatch.setenv(fetch.MIRROR_VARIABLE, "")
    fetch.mnist("mnist")
    assert public.asked == list(ARRAYS)
    public.answer = lambda name: Answer(status=404)
    with pytest.raises(DataError) as caught:
        fetch.mnist("mnist")
    _, *reasons, _ = str(caught.value).splitlines()
    assert [reason.split()[0] for reason in reasons] == [f"{public.url}:"]


def test_each_file_comes_from_the_first_mirror_that_has_it_undamaged(
    small: None, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    damaged = serve(lambda name: Answer(PACKED[name][:-20] if name == LABELS else PACKED[name]))
    whole = serve(lambda name: Answer(PACKED[name]))
    monkeypatch.setattr(fetch, "MIRRORS", {"mnist": (damaged.url, whole.url)})
    arrays = fetch.mnist("mnist")
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[array], array_of(PLAIN[name]))
    assert whole.asked == [LABELS]


def test_a_relative_folder_is_looked_for_in_the_users_repository(
    small: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / "repository" / "files").mkdir(parents=True)
    for name, packed in PACKED.items():
        (tmp_path / "repository" / "files" / name).write_bytes(packed)
    monkeypatch.setenv(fetch.MIRROR_VARIABLE, "files")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "repository"))
    np.testing.assert_array_equal(fetch.mnist("mnist")["test_labels"], array_of(PLAIN[TEST_LABELS]))


def test_when_all_mirrors_fail_the_error_lists_each_with_its_reason_and_says_how_to_go_on(
    raw: Path,
    mnist: Data,
    serve: Serve,
    refusing: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    lost, page = serve(lambda name: Answer(status=404)), serve(lambda name: Answer(PAGE))
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(fetch, "MIRRORS", {"mnist": (lost.url, page.url, refusing)})
    first, *reasons, advice = refused(raw, mnist, tmp_path / "empty", monkeypatch).splitlines()
    assert first.startswith(IMAGES)
    expected = {
        tmp_path / "empty": "No such file",
        lost.url: "404",
        page.url: "web page",
        refusing: "refused",
    }
    assert len(reasons) == len(expected)
    for line, (mirror, reason) in zip(reasons, expected.items(), strict=True):
        assert line.strip().startswith(f"{mirror}: ")
        assert reason in line
    assert fetch.MIRROR_VARIABLE in advice
    assert "data.name: digits" in advice


@pytest.mark.parametrize(
    "address", ["file:///files/", f"http://{'a' * 64}.example/", "http://127.0.0.1:99999/"]
)
def test_an_address_that_nobody_can_be_asked_at_is_one_failed_mirror(
    raw: Path, mnist: Data, monkeypatch: pytest.MonkeyPatch, address: str
):
    _, reason, _ = refused(raw, mnist, address, monkeypatch).splitlines()
    assert reason.strip().startswith(f"{address}: ")


# --- servers in trouble ---


@pytest.mark.parametrize(
    "trouble",
    [Answer(status=503), Answer(PACKED[IMAGES][:1000], length=len(PACKED[IMAGES]))],
    ids=["unavailable", "cut in mid-transfer"],
)
def test_a_server_that_fails_twice_and_then_answers_is_asked_until_it_does(
    small: None, serve: Serve, monkeypatch: pytest.MonkeyPatch, trouble: Answer
):
    def answer(name: str) -> Answer:
        return trouble if site.asked.count(name) <= 2 else Answer(PACKED[name])

    site = serve(answer)
    monkeypatch.setattr(fetch, "ARRAYS", {"images": (IMAGES, array_of(PLAIN[IMAGES]).shape)})
    monkeypatch.setitem(catalogue.DIGESTS, "mnist", digest(PLAIN[IMAGES]))
    monkeypatch.setenv(fetch.MIRROR_VARIABLE, site.url)
    np.testing.assert_array_equal(fetch.mnist("mnist")["images"], array_of(PLAIN[IMAGES]))
    assert site.asked == [IMAGES] * 3


def test_a_server_that_goes_on_failing_is_given_up(
    raw: Path, mnist: Data, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    site = serve(lambda name: Answer(status=503))
    assert "503" in refused(raw, mnist, site.url, monkeypatch)
    assert site.asked == [IMAGES] * (1 + fetch.MORE_ATTEMPTS)


def test_a_connection_cut_in_mid_transfer_is_distinguished_from_a_whole_file(
    raw: Path, mnist: Data, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    packed = PACKED[IMAGES]
    site = serve(lambda name: Answer(packed[:5000], length=len(packed)))
    message = refused(raw, mnist, site.url, monkeypatch)
    assert IMAGES in message
    assert f"5000 bytes read, {len(packed) - 5000} more expected" in message


# --- damaged files: (name, what the server sends, what the message says of it) ---


def packed_with(content: bytes, at: int, value: int) -> bytes:
    """The content with one byte changed."""
    assert content[at] != value
    return content[:at] + bytes([value]) + content[at + 1 :]


TAMPERED = packed_with(PLAIN[IMAGES], 16 + 5000, PLAIN[IMAGES][16 + 5000] ^ 1)
DAMAGED: dict[str, tuple[str, bytes, str]] = {
    "cut in the middle": (
        IMAGES,
        PACKED[IMAGES][:5000],
        r"5000 bytes .*expected a whole gzip file.*cut short",
    ),
    "cut before its checksum": (
        LABELS,
        PACKED[LABELS][:-8],
        r"expected a whole gzip file.*cut short",
    ),
    "cut in gzip's header": (
        IMAGES,
        PACKED[IMAGES][:6],
        r"6 bytes .*expected a whole gzip file.*cut short",
    ),
    "cut in the IDX header": (
        IMAGES,
        gzip.compress(PLAIN[IMAGES][:6]),
        r"6 bytes when decompressed, expected 15696",
    ),
    "not gzip": (IMAGES, PLAIN[IMAGES][1:], r"Not a gzipped file.*expected a whole gzip file"),
    "a web page": (IMAGES, PAGE, r"is a web page, not a gzip file"),
    "a web page after blank lines": (LABELS, b"\r\n\r\n" + PAGE, r"is a web page, not a gzip file"),
    "empty": (IMAGES, b"", r"0 bytes when decompressed, expected 15696"),
    "empty gzip": (LABELS, gzip.compress(b""), r"0 bytes when decompressed, expected 28"),
    "wrong checksum": (
        TEST_LABELS,
        packed_with(PACKED[TEST_LABELS], -6, 0),
        r"CRC check failed.*expected a whole gzip",
    ),
    "broken stream": (
        TEST_IMAGES,
        PACKED[TEST_IMAGES][:10] + b"\xff" * 99,
        r"invalid block type.*expected a whole gzip",
    ),
    "trailing bytes": (
        IMAGES,
        PACKED[IMAGES] + b"junk",
        r"Not a gzipped file \(b'ju'\).*expected a whole gzip file",
    ),
    "trailing content": (
        LABELS,
        gzip.compress(PLAIN[LABELS] + b"\0"),
        r"more than 28 bytes.*expected 28",
    ),
    "a second member": (
        LABELS,
        PACKED[LABELS] + gzip.compress(b"\0"),
        r"more than 28 bytes.*expected 28",
    ),
    "a tampered pixel": (
        IMAGES,
        gzip.compress(TAMPERED),
        f"sha256 is {hashlib.sha256(TAMPERED).hexdigest()}, "
        f"expected {hashlib.sha256(PLAIN[IMAGES]).hexdigest()}",
    ),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_ends_in_one_error_and_the_good_data_stays(
    raw: Path, mnist: Data, serve: Serve, monkeypatch: pytest.MonkeyPatch, damage: str
):
    name, content, reason = DAMAGED[damage]
    site = serve(lambda asked: Answer(content if asked == name else PACKED[asked]))
    message = refused(raw, mnist, site.url, monkeypatch)
    assert message.startswith(f"{name}: ")
    with pytest.raises(DataError, match=f"^{name}: .*{reason}") as caught:
        fetch.parse(spec(name), content)
    assert f"  {site.url}: {caught.value}" in message.splitlines()


def test_a_gzip_bomb_is_not_expanded():
    chunk, packer = bytes(1 << 20), zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(chunk) for _ in range(128)) + packer.flush()
    tracemalloc.start()
    try:
        with pytest.raises(
            DataError, match=r"more than 15696 bytes when decompressed, expected 15696"
        ):
            fetch.parse(spec(IMAGES), bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20  # of 128 MiB
    assert len(gzip.decompress(bomb)) == 128 << 20


# --- Fashion-MNIST, whose publisher gives the digests of the .gz files ---


@pytest.fixture
def fashion(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small Fashion-MNIST."""
    shrink(monkeypatch, "fashion_mnist", [digest(packed, "md5") for packed in PACKED.values()])


def test_fashion_mnist_is_known_by_the_md5_of_its_files(
    fashion: None, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(fetch.MIRROR_VARIABLE, serve(lambda name: Answer(PACKED[name])).url)
    arrays = fetch.mnist("fashion_mnist")
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[array], array_of(PLAIN[name]))


OTHER_MD5 = {
    "packed anew": (
        gzip.compress(PLAIN[LABELS], 0, mtime=0),
        "md5 is {md5}, expected {expected}$",
    ),
    "cut short": (PACKED[LABELS][:-1], "damaged or cut short"),
    "other labels": (gzip.compress(labels(20, 9)), "md5 is {md5}, expected {expected}$"),
    "a web page": (PAGE, "is a web page, not a gzip file"),
    "not packed": (PLAIN[LABELS], "md5 is {md5}, expected {expected}$"),
}


@pytest.mark.parametrize("damage", OTHER_MD5)
def test_fashion_mnist_of_another_md5_is_refused(damage: str):
    content, reason = OTHER_MD5[damage]
    md5 = hashlib.md5(content).hexdigest()
    expected = hashlib.md5(PACKED[LABELS]).hexdigest()
    pattern = reason.format(md5=md5, expected=expected)
    with pytest.raises(DataError, match=f"^{LABELS}: .*{pattern}"):
        fetch.parse(spec(LABELS, digest=digest(PACKED[LABELS], "md5")), content)


@pytest.mark.parametrize("name", catalogue.DIGESTS)
def test_every_file_has_a_whole_digest_of_its_own(name: str):
    digests = catalogue.DIGESTS[name].split()
    assert list(catalogue.ARRAYS) == list(ARRAYS.values())
    assert len(set(digests)) == len(catalogue.ARRAYS)
    for algorithm, hexadecimal in (digest.split(":") for digest in digests):
        assert len(bytes.fromhex(hexadecimal)) == hashlib.new(algorithm).digest_size


# --- data/raw ---


def test_both_parts_come_as_one_array_and_the_last_rows_are_the_test_split(raw: Path):
    images, labels = (np.load(raw / "files" / f"{name}.npy", allow_pickle=False) for name in "Xy")
    parts = {name: array_of(plain) for name, plain in PLAIN.items()}
    np.testing.assert_array_equal(images, np.concatenate([parts[IMAGES], parts[TEST_IMAGES]]))
    np.testing.assert_array_equal(labels, np.concatenate([parts[LABELS], parts[TEST_LABELS]]))
    assert images.shape == (25, 28, 28)
    assert read_json(raw / "source.json")["test_rows"] == len(parts[TEST_LABELS])


def test_the_publishers_test_split_stays_the_test_split(raw: Path, mnist: Data, tmp_path: Path):
    prepare(raw, tmp_path / "prepared", mnist)
    data = load_prepared(tmp_path / "prepared")
    np.testing.assert_array_equal(data.sample("test"), array_of(PLAIN[TEST_IMAGES]).reshape(5, -1))
    np.testing.assert_array_equal(data.labels["test"], array_of(PLAIN[TEST_LABELS]))
    others = np.concatenate([data.sample(name) for name in ("train", "validation")])
    assert {row.tobytes() for row in others} == {
        row.astype(np.float32).tobytes() for row in array_of(PLAIN[IMAGES])
    }
