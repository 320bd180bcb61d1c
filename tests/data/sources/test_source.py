"""What is known of each data set, and how data/raw is filled."""

import math
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from autoencoders.core.errors import DataError
from autoencoders.core.files import read_json
from autoencoders.data.preparation.prepare import prepare
from autoencoders.data.sources.archive import unpack
from autoencoders.data.sources.catalogue import SOURCES
from autoencoders.data.sources.source import check, download, facts
from autoencoders.params.architecture import DataFacts
from autoencoders.params.params import Params
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
    found, known = prepare(intake.raw, intake.prepared, data).facts, facts(data)
    assert known is not None
    assert (
        known._replace(rows=found.rows)
        == found
        == DataFacts(64, scaling in ("auto", "pixels"), (8, 8), found.rows)
    )
    assert found.rows < known.rows


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


# --- archives ---


@pytest.mark.parametrize("kind", ["zip", "tar", "gztar", "bztar", "xztar"])
def test_an_archive_is_unpacked_as_it_was_packed(intake: Intake, kind: str):
    import shutil

    for name in ("a/b.csv", "c.txt"):
        intake.file(name, name)
    archive = Path(shutil.make_archive(str(intake.folder / "packed"), kind, intake.source))
    unpack(archive, intake.folder / "unpacked")
    assert everything(intake.folder / "unpacked") == everything(intake.source)


@pytest.mark.parametrize("too_much", [0, 1])
def test_an_archive_may_unpack_to_what_there_is_room_for_and_not_a_byte_more(
    intake: Intake, monkeypatch: pytest.MonkeyPatch, too_much: int
):
    size, overhead, path = 100_000, 512, intake.source / "a.zip"
    monkeypatch.setattr("autoencoders.data.sources.archive.ROOM", 2 * (size + overhead))
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
    monkeypatch.setattr("autoencoders.data.sources.archive.ROOM", 10_000)
    monkeypatch.setattr("autoencoders.data.sources.archive.LARGEST_RATIO", 0)
    path = intake.source / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(math.ceil(10_000 / 512)):
            archive.writestr(str(i), b"")
    with pytest.raises(DataError, match="unpacks to far more"):
        unpack(path, intake.folder / "unpacked")
    assert not (intake.folder / "unpacked").exists()
