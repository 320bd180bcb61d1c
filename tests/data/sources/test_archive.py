"""Archives: unpacked as they were packed, within their folder and within bounds, or not at all."""

import io
import math
import stat
import struct
import tarfile
import warnings
import zipfile
from pathlib import Path
from typing import Literal

import pytest

from autoencoders.core.errors import DataError
from autoencoders.data.readers.opening import open_reader
from autoencoders.data.sources import archive
from autoencoders.data.sources.archive import unpack, unpacked
from autoencoders.models.trained.model import TrainedModel
from contents import GOOD_CSV, ROWS, Content, N, member, npy, png, tarred, zipped
from intake import Intake, everything


@pytest.mark.parametrize("archive_format", ["zip", "tar", "gztar", "bztar", "xztar"])
def test_an_archive_is_unpacked_as_it_was_packed(intake: Intake, archive_format: str):
    import shutil

    for name in ("a/b.csv", "c.txt"):
        intake.file(name, name)
    archive = Path(
        shutil.make_archive(str(intake.folder / "packed"), archive_format, intake.source)
    )
    unpack(archive, intake.folder / "unpacked")
    assert everything(intake.folder / "unpacked") == everything(intake.source)


@pytest.mark.parametrize("too_much", [0, 1])
def test_an_archive_may_unpack_to_what_there_is_room_for_and_not_a_byte_more(
    intake: Intake, monkeypatch: pytest.MonkeyPatch, too_much: int
):
    size, overhead, path = 100_000, 512, intake.source / "a.zip"
    monkeypatch.setattr("autoencoders.data.sources.archive.UNPACKED_BYTES", 2 * (size + overhead))
    monkeypatch.setattr("autoencoders.data.sources.archive.LARGEST_RATIO", 1)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(size))
        archive.writestr("b", bytes(size + too_much))
    if too_much:
        with pytest.raises(DataError, match=r"a\.zip: unpacks to far more than its size"):
            unpack(path, intake.folder / "unpacked")
    else:
        unpack(path, intake.folder / "unpacked")
        assert (
            sum(map(len, filter(None, everything(intake.folder / "unpacked").values()))) == 2 * size
        )


def test_an_archive_of_countless_empty_files_is_refused(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("autoencoders.data.sources.archive.UNPACKED_BYTES", 10_000)
    monkeypatch.setattr("autoencoders.data.sources.archive.LARGEST_RATIO", 0)
    path = intake.source / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(math.ceil(10_000 / 512)):
            archive.writestr(str(i), b"")
    with pytest.raises(DataError, match="unpacks to far more"):
        unpack(path, intake.folder / "unpacked")
    assert not (intake.folder / "unpacked").exists()


def test_an_error_about_a_file_names_its_archive(intake: Intake, tabular: TrainedModel):
    path = intake.file("a.zip", zipped({"in/b.png": b"no image", "in/c.png": png()}))
    with pytest.raises(DataError) as caught, unpacked(path) as files:
        open_reader(files)
    assert str(caught.value).startswith(f"{path}/in/b.png: not an image that can be read")
    table = intake.file("b.zip", zipped({"in/b.csv": b""}))
    assert intake.answer_refusal(tabular, "score", table).startswith(f"{table}/in/b.csv: ")


@pytest.mark.parametrize(("ending", "mode"), [("tbz2", "w:bz2"), ("txz", "w:xz"), ("TGZ", "w:gz")])
def test_short_endings_are_archives_too(
    intake: Intake, ending: str, mode: Literal["w:gz", "w:bz2", "w:xz"]
):
    path = intake.file(f"a.{ending}", tarred((member("a.csv"), GOOD_CSV), mode=mode))
    assert sum(intake.load(path).description.rows.values()) == N


def test_folders_may_stand_twice_and_those_of_macos_are_left_out(intake: Intake):
    folder = member("t", tarfile.DIRTYPE)
    parts = [(member(f"t/{i}.csv"), GOOD_CSV) for i in range(2)]
    mac = (member("__MACOSX/t/0.csv"), b"no table")
    path = intake.file("a.tgz", tarred((folder, b""), (folder, b""), *parts, mac, mode="w:gz"))
    assert sum(intake.load(path).description.rows.values()) == 2 * N


# --- archives that can't be used: (file, content, parts of the message) ---


OUT = {"../evil.csv": GOOD_CSV}


def with_link() -> bytes:
    """A zip that holds a table and a link to it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive_file:
        archive_file.writestr("a.csv", GOOD_CSV)
        link = zipfile.ZipInfo("link.csv")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive_file.writestr(link, "a.csv")
    return file.getvalue()


def repeated() -> bytes:
    """A zip that holds two tables of one name."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive_file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(2):
            archive_file.writestr("a.csv", GOOD_CSV)
    return file.getvalue()


ARCHIVES: dict[str, tuple[str, Content, list[str]]] = {
    "a zip that climbs": (
        "a.zip",
        zipped({"good.csv": GOOD_CSV} | OUT),
        ["'../evil.csv' leads out"],
    ),
    "a zip that climbs from within": (
        "a.zip",
        zipped({"in/../../evil.csv": GOOD_CSV}),
        ["leads out"],
    ),
    "a zip that climbs as on Windows": ("a.zip", zipped({"..\\evil.csv": GOOD_CSV}), ["leads out"]),
    "a zip with an absolute name": (
        "a.zip",
        zipped({"/tmp/evil.csv": GOOD_CSV}),
        ["'/tmp/evil.csv' leads out"],
    ),
    "an .npz that climbs": ("a.npz", zipped({"../X.npy": npy(ROWS)}), ["'../X.npy' leads out"]),
    "a zip with a link": ("a.zip", with_link(), ["member 'link.csv' is a link or a device"]),
    "a zip with a name that stands twice": ("a.zip", repeated(), ["member 'a.csv' stands twice"]),
    "a tar with a name that stands twice": (
        "a.tar",
        tarred((member("a.csv"), GOOD_CSV), (member("a.csv"), GOOD_CSV)),
        ["member 'a.csv' stands twice"],
    ),
    "a zip cut short": (
        "a.zip",
        zipped({"good.csv": GOOD_CSV})[:-30],
        ["a.zip: can't be unpacked"],
    ),
    "no zip": ("a.zip", GOOD_CSV, ["a.zip: can't be unpacked"]),
    "an empty file": ("a.zip", b"", ["a.zip: can't be unpacked"]),
    "an empty zip": ("a.zip", zipped({}), []),
    "a zip whose content is damaged": (
        "a.zip",
        zipped({"good.csv": GOOD_CSV})[:60] + b"\xff" * 40 + zipped({"good.csv": GOOD_CSV})[100:],
        ["a.zip: can't be unpacked"],
    ),
    "a zip of a zip": (
        "a.zip",
        zipped({"a.zip": zipped({"good.csv": GOOD_CSV})}),
        ["0 tables or arrays"],
    ),
    "a zip of two tables": (
        "a.zip",
        zipped({"a.csv": GOOD_CSV, "b.csv": b"x,y\n1,2\n"}),
        ["a.csv and b.csv are no parts of one table"],
    ),
    "a zip of table and image": (
        "a.zip",
        zipped({"a.csv": GOOD_CSV, "b.png": png()}),
        ["1 tables or arrays and 1"],
    ),
    "a file where a folder is": (
        "a.zip",
        zipped({"a": b"", "a/b.csv": GOOD_CSV}),
        ["a.zip: can't be unpacked"],
    ),
    "a tar that climbs": (
        "a.tar",
        tarred((member("../evil.csv"), GOOD_CSV)),
        ["'../evil.csv' leads out"],
    ),
    "a tar with an absolute name": (
        "a.tar",
        tarred((member("/tmp/evil.csv"), GOOD_CSV)),
        ["leads out"],
    ),
    "a tar with a link out": (
        "a.tar",
        tarred((member("evil.csv", tarfile.SYMTYPE, "/etc/passwd"), b"")),
        ["a.tar: member 'evil.csv' is a link or a device"],
    ),
    "a tar with a link that climbs": (
        "a.tar",
        tarred((member("up", tarfile.SYMTYPE, "../.."), b""), (member("up/evil.csv"), GOOD_CSV)),
        ["a.tar: member 'up' is a link or a device"],
    ),
    "a tar with a hard link out": (
        "a.tar",
        tarred((member("evil.csv", tarfile.LNKTYPE, "/etc/passwd"), b"")),
        ["a.tar: member 'evil.csv' is a link or a device"],
    ),
    "a tar with a device": (
        "a.tar",
        tarred((member("0.csv", tarfile.CHRTYPE), b"")),
        ["'0.csv' is a link or a device"],
    ),
    "a tar with a pipe": (
        "a.tar",
        tarred((member("p.csv", tarfile.FIFOTYPE), b"")),
        ["'p.csv' is a link or a device"],
    ),
    "a tar cut short": (
        "a.tar",
        tarred((member("a.csv"), GOOD_CSV))[:2000],
        ["a.tar: can't be unpacked"],
    ),
    "a compressed tar cut short": (
        "a.tar.gz",
        tarred((member("a.csv"), GOOD_CSV), mode="w:gz")[:500],
        ["a.tar.gz: can't be unpacked"],
    ),
    "an LZMA tar that is damaged": (
        "a.tar.xz",
        tarred((member("a.csv"), GOOD_CSV * 9), mode="w:xz")[:800] + bytes(200),
        ["a.tar.xz: can't be unpacked"],
    ),
    "a bzip2 tar cut short": (
        "a.tar.bz2",
        tarred((member("a.csv"), GOOD_CSV), mode="w:bz2")[:500],
        ["a.tar.bz2: can't be unpacked"],
    ),
    "a gzip tar that is damaged": (
        "a.tgz",
        tarred((member("a.csv"), GOOD_CSV * 9), mode="w:gz")[:100] + b"\xff" * 200,
        ["a.tgz: can't be unpacked"],
    ),
    "no tar": ("a.tar", GOOD_CSV, ["a.tar: can't be unpacked"]),
    "an empty tar": ("a.tar", tarred(), []),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_an_archive_that_can_not_be_used_is_refused_and_nothing_is_written(
    intake: Intake, tabular: TrainedModel, case: str
):
    name, content, parts = ARCHIVES[case]
    path = intake.file(name, content)
    message = intake.refusal(path)
    assert all(part in message for part in parts), message
    assert not list(intake.folder.rglob("*evil*"))
    intake.answer_refusal(tabular, "score", path)
    assert not list(intake.folder.rglob("*evil*"))


BOMB = zipped({"a.csv": bytes(3_000_000)})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.zip", BOMB),
        ("a.npz", BOMB),
        ("a.tar.gz", tarred((member("a.csv"), bytes(3_000_000)), mode="w:gz")),
        (
            "a.tar.xz",
            tarred(*[(member(f"{i}.csv"), bytes(300_000)) for i in range(10)], mode="w:xz"),
        ),
        ("a.tar.bz2", tarred((member("a.csv"), bytes(3_000_000)), mode="w:bz2")),
    ],
)
def test_an_archive_that_unpacks_to_far_more_than_its_size_is_refused(
    intake: Intake, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes
):
    monkeypatch.setattr(archive, "UNPACKED_BYTES", 1_000_000)
    assert len(content) * archive.LARGEST_RATIO < 3_000_000
    message = intake.refusal(intake.file(name, content))
    assert message.endswith(
        f"{name}: unpacks to far more than its size: a zip bomb? Nothing was unpacked"
    )


def test_a_zip_that_understates_its_size_is_refused(intake: Intake):
    content = bytearray(BOMB)
    for at in (content.find(b"PK\x03\x04") + 22, content.find(b"PK\x01\x02") + 24):
        content[at : at + 4] = struct.pack("<I", 1000)
    assert "a.zip: can't be unpacked" in intake.refusal(intake.file("a.zip", bytes(content)))
