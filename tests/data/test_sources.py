"""What is known of each data set, and how data/raw is filled."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from autoencoders.data.prepared import prepare
from autoencoders.data.sources import SOURCES, download, facts
from autoencoders.params import DataFacts, Params


def test_the_digits_are_scikit_learns_without_a_download(tmp_path: Path):
    download("digits", tmp_path / "raw")
    images, labels = (np.load(tmp_path / "raw" / f"{name}.npy", allow_pickle=False) for name in ("images", "labels"))
    expected = load_digits()
    np.testing.assert_array_equal(images, expected.images.reshape(-1, 64))
    np.testing.assert_array_equal(labels, expected.target)
    assert images.dtype == labels.dtype == np.uint8
    assert sorted(path.name for path in (tmp_path / "raw").iterdir()) == ["images.npy", "labels.npy"]


def test_what_is_known_of_the_digits_is_what_they_are():
    digits, source = load_digits(), SOURCES["digits"]
    assert digits.images.shape[1:] == source.shape
    assert (digits.data.min(), digits.data.max()) == (0, source.white)
    assert tuple(str(name) for name in digits.target_names) == source.labels


def test_download_replaces_what_was_there(tmp_path: Path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "test_images.npy").write_bytes(b"of another data set")
    download("digits", tmp_path / "raw")
    assert not (tmp_path / "raw" / "test_images.npy").exists()


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_has_ten_classes_and_square_images(name: str):
    source = SOURCES[name]
    assert len(set(source.labels)) == 10
    assert source.n_features == source.shape[0] ** 2 == source.shape[1] ** 2


@pytest.mark.parametrize("scaling", ["auto", "pixels", "standard", "none"])
def test_what_is_known_before_the_download_is_what_preprocess_finds(tmp_path: Path, params: Params, scaling: str):
    data = params.override({"data.name": "digits", "data.scaling": scaling}).data
    download("digits", tmp_path / "raw")
    found = prepare(tmp_path / "raw", tmp_path / "prepared", data).facts
    assert facts(data) == found == DataFacts(64, scaling in ("auto", "pixels"))
