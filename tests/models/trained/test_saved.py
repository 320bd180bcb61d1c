"""A saved model comes back as it was and holds no pickle; a damaged one is refused by name."""

import csv
import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load as load_bytes
from safetensors.torch import save_file

from autoencoders.core.errors import DataError
from autoencoders.core.files import sha256_of
from autoencoders.data.prepared.prepared import load_prepared
from autoencoders.models import AUTOENCODERS
from autoencoders.models.trained import saved as saved_module
from autoencoders.models.trained.model import BATCH_ROWS, FORMAT, TrainedModel
from autoencoders.models.trained.saved import (
    DESCRIPTION,
    HISTORY,
    WEIGHTS,
    load,
    load_description,
    load_history,
    save,
)

TYPES = sorted(AUTOENCODERS)
CURVES = [
    {"train/reconstruction_loss": 30.25, "val/reconstruction_loss": 1 / 3},
    {"train/reconstruction_loss": 1e-12, "val/reconstruction_loss": 2e300},
]


@pytest.fixture(scope="module")
def rows(digits: Path) -> np.ndarray:
    """Raw test rows."""
    test = load_prepared(digits).rows["test"]
    return test.read(0, len(test))


@pytest.fixture
def saved(untrained: dict[str, TrainedModel], tmp_path: Path) -> Path:
    """A folder with the undercomplete type."""
    save(untrained["undercomplete"], CURVES, tmp_path / "saved")
    return tmp_path / "saved"


def test_a_description_can_not_be_changed(untrained: dict[str, TrainedModel]):
    description: Any = untrained["undercomplete"].description
    with pytest.raises(FrozenInstanceError):
        description.epochs = 3


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def answers(model: TrainedModel, rows: np.ndarray) -> dict[str, np.ndarray]:
    """All that a model says of raw rows."""
    codes = model.encode(rows)
    return {"encode": codes, "decode": model.decode(codes), "reconstruct": model.reconstruct(rows)}


# --- saving and loading ---


@pytest.mark.parametrize("model_type", TYPES)
def test_a_loaded_model_answers_bit_for_bit_like_the_saved_one(
    untrained: dict[str, TrainedModel], tmp_path: Path, rows: np.ndarray, model_type: str
):
    save(untrained[model_type], CURVES, tmp_path / model_type)
    loaded = load(tmp_path / model_type)
    expected = answers(untrained[model_type], rows)
    for name, answer in answers(loaded, rows).items():
        np.testing.assert_array_equal(answer, expected[name], strict=True)
    files = {"weights_sha256": WEIGHTS, "history_sha256": HISTORY}
    digests: dict[str, Any] = {
        name: sha256_of(tmp_path / model_type / file) for name, file in files.items()
    }
    assert loaded.description == replace(untrained[model_type].description, **digests)
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_the_learning_curves_come_back_digit_for_digit(saved: Path):
    assert load_history(saved) == CURVES


def test_the_learning_curves_are_a_table_with_an_epoch_a_row(saved: Path):
    with (saved / HISTORY).open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in table] == [1, 2]
    assert [float(row["val/reconstruction_loss"]) for row in table] == [1 / 3, 2e300]


def test_the_same_model_has_the_same_bytes_wherever_it_is_saved(saved: Path, tmp_path: Path):
    model = load(saved)
    for folder in (tmp_path / "deep" / "er" / "other", tmp_path / "again"):
        save(model, load_history(saved), folder)
        assert bytes_of(folder) == bytes_of(saved)
    model.scale[0] += 1
    save(model, CURVES, tmp_path / "again")
    assert bytes_of(tmp_path / "again")[WEIGHTS] != bytes_of(saved)[WEIGHTS]


def test_the_folder_holds_safetensors_json_and_csv_and_nothing_else(saved: Path):
    content = bytes_of(saved)
    assert (
        set(content)
        == {WEIGHTS, DESCRIPTION, HISTORY}
        == {"model.safetensors", "model.json", "history.csv"}
    )
    size = int.from_bytes(content[WEIGHTS][:8], "little")
    header = json.loads(content[WEIGHTS][8 : 8 + size])
    assert sum(
        end - start for start, end in (tensor["data_offsets"] for tensor in header.values())
    ) == (len(content[WEIGHTS]) - 8 - size)
    json.loads(content[DESCRIPTION])
    for bytes_ in content.values():
        assert not bytes_.startswith(
            (b"\x80", b"PK")
        )  # a pickle, and the archive that torch.save writes


def test_loading_opens_no_pickle(saved: Path, rows: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a pickle was opened")

    for module, name in (
        (pickle, "Unpickler"),
        (pickle, "load"),
        (pickle, "loads"),
        (torch, "load"),
    ):
        monkeypatch.setattr(module, name, refuse)
    assert len(load(saved).encode(rows)) == len(rows)


@pytest.mark.parametrize("failing", ["save_file", "write_json", "write_text"])
def test_a_save_that_fails_leaves_the_old_model(
    saved: Path, untrained: dict[str, TrainedModel], monkeypatch: pytest.MonkeyPatch, failing: str
):
    before = bytes_of(saved)

    def fail(*args: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(saved_module, failing, fail)
    with pytest.raises(OSError, match="disk full"):
        save(untrained["sparse"], CURVES, saved)
    assert bytes_of(saved) == before
    assert list(saved.parent.iterdir()) == [saved]


# --- raw in, raw out ---


@pytest.mark.parametrize("model_type", TYPES)
def test_raw_rows_are_scaled_on_the_way_in_and_answers_on_the_way_out(
    untrained: dict[str, TrainedModel], rows: np.ndarray, model_type: str
):
    autoencoder, generator = untrained[model_type].autoencoder, torch.Generator().manual_seed(0)
    shift, scale = (
        5 * torch.randn(64, generator=generator),
        0.5 + torch.rand(64, generator=generator),
    )
    model = TrainedModel(untrained[model_type].description, autoencoder, shift, scale)
    x = torch.from_numpy((rows.astype(np.float32) - shift.numpy()) / scale.numpy())
    with torch.no_grad():
        codes, x_hat = autoencoder.encode(x), autoencoder(x).numpy()
    np.testing.assert_array_equal(model.encode(rows), codes.numpy())
    np.testing.assert_allclose(
        model.reconstruct(rows), x_hat * scale.numpy() + shift.numpy(), rtol=1e-6, atol=1e-6
    )
    np.testing.assert_array_equal(model.decode(codes.numpy()), model.reconstruct(rows))


def test_unscaled_undoes_scaled(untrained: dict[str, TrainedModel], rows: np.ndarray):
    model = untrained["undercomplete"]
    np.testing.assert_array_equal(
        model.unscaled(model.scaled(torch.from_numpy(rows))).numpy(), rows
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_the_type_of_the_numbers_does_not_matter(
    untrained: dict[str, TrainedModel], rows: np.ndarray, dtype: type[np.generic]
):
    model = untrained["undercomplete"]
    np.testing.assert_array_equal(
        model.reconstruct(rows.astype(dtype)), model.reconstruct(rows), strict=True
    )
    codes = np.array([[1] * 8, [-2] * 8])
    np.testing.assert_array_equal(
        model.decode(codes.astype(dtype)), model.decode(codes.astype(np.float32)), strict=True
    )


@pytest.mark.parametrize("model_type", TYPES)
def test_a_rows_answer_does_not_depend_on_the_rows_beside_it(
    untrained: dict[str, TrainedModel], rows: np.ndarray, model_type: str
):
    model = untrained[model_type]
    many = np.resize(rows, (BATCH_ROWS + 100, 64))
    together = answers(model, many)
    for i in (0, 7, BATCH_ROWS - 1, BATCH_ROWS, len(many) - 1):
        for name, alone in answers(model, many[i : i + 1]).items():
            np.testing.assert_allclose(
                together[name][i : i + 1], alone, rtol=1e-5, atol=1e-5 * np.abs(alone).max()
            )


def test_no_rows_give_no_rows(untrained: dict[str, TrainedModel], rows: np.ndarray):
    result = answers(untrained["sparse"], rows[:0])
    assert {name: answer.shape for name, answer in result.items()} == {
        "encode": (0, 8),
        "decode": (0, 64),
        "reconstruct": (0, 64),
    }


def test_reading_rows_leaves_a_read_only_memory_map_as_it_is(
    untrained: dict[str, TrainedModel], digits: Path
):
    mapped = np.load(digits / "test.npy", mmap_mode="r")
    before = np.array(mapped)
    untrained["denoising"].reconstruct(mapped)
    np.testing.assert_array_equal(mapped, before)


# --- damaged files ---


@pytest.fixture
def without_digests(saved: Path) -> Path:
    """A model as it was written before there were digests."""
    values = json.loads((saved / DESCRIPTION).read_text())
    kept = {
        name: value
        for name, value in values.items()
        if name not in ("weights_sha256", "history_sha256")
    }
    (saved / DESCRIPTION).write_text(json.dumps(kept))
    return saved


def test_a_model_without_digests_is_loaded(without_digests: Path):
    load(without_digests)
    assert load_history(without_digests)


@pytest.mark.parametrize("place", [0, 0.01, 0.5, 0.999])
@pytest.mark.parametrize("name", [WEIGHTS, HISTORY])
def test_a_flipped_bit_is_noticed_and_the_way_out_told(saved: Path, name: str, place: float):
    content = bytearray((saved / name).read_bytes())
    content[int(place * len(content))] ^= 1
    (saved / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        (load if name == WEIGHTS else load_history)(saved)
    digest = sha256_of(saved / name)
    message = f"{saved / name}: damaged: its SHA-256 is {digest}, but model.json beside it says "
    assert str(caught.value).startswith(message)
    assert "`dvc repro`" in str(caught.value)


def refused(folder: Path, name: str, reason: str) -> None:
    """Loading ends in one error that names the file and the reason, and changes nothing."""
    before = bytes_of(folder)
    with pytest.raises(DataError, match=reason) as caught:
        load(folder)
    assert str(caught.value).startswith(f"{folder / name}: ")
    assert bytes_of(folder) == before


def go_off() -> None:
    """The effect of a pickle of `Payload` when it is opened."""
    raise AssertionError("a pickle was opened")


class Payload:
    """An object whose pickle runs code."""

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return go_off, ()


def test_the_payload_goes_off_where_a_pickle_is_opened():
    with pytest.raises(AssertionError, match="a pickle was opened"):
        pickle.loads(pickle.dumps(Payload()))


WEIGHTS_DAMAGED: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut by a byte": lambda content: content[:-1],
    "cut in the header": lambda content: content[:100],
    "cut in the header's length": lambda content: content[:5],
    "longer": lambda content: content + b"\0",
    "a header without end": lambda content: (2**62).to_bytes(8, "little") + content[8:],
    "no JSON in the header": lambda content: content[:8] + b"x" + content[9:],
    "a pickle": lambda content: pickle.dumps(Payload()),
    "a web page": lambda content: b"<html></html>",
}


@pytest.mark.parametrize("damage", WEIGHTS_DAMAGED)
def test_damaged_weights_are_refused(without_digests: Path, damage: str):
    path = without_digests / WEIGHTS
    path.write_bytes(WEIGHTS_DAMAGED[damage](path.read_bytes()))
    refused(without_digests, WEIGHTS, r"does not hold this model's weights \(.+\)")


def test_an_archive_of_torch_save_in_the_weights_place_is_refused(without_digests: Path):
    torch.save(load_bytes((without_digests / WEIGHTS).read_bytes()), without_digests / WEIGHTS)
    refused(without_digests, WEIGHTS, "does not hold this model's weights")


Weights = dict[str, torch.Tensor]
OTHER_WEIGHTS: dict[str, tuple[Callable[[Weights], Weights], str]] = {
    "another shape": (lambda w: {**w, "scale": torch.ones(63)}, "size mismatch for scale"),
    "a tensor less": (
        lambda w: {name: t for name, t in w.items() if name != "shift"},
        "Missing key.*shift",
    ),
    "a tensor more": (lambda w: {**w, "more": torch.ones(1)}, "Unexpected key.*more"),
    "scores of other rows": (
        lambda w: {**w, "calibration": torch.ones(2)},
        "size mismatch for calibration",
    ),
    "none": (lambda w: {}, "Missing key"),
}


@pytest.mark.parametrize("other", OTHER_WEIGHTS)
def test_weights_of_another_model_are_refused(without_digests: Path, other: str):
    change, reason = OTHER_WEIGHTS[other]
    save_file(
        change(load_bytes((without_digests / WEIGHTS).read_bytes())), without_digests / WEIGHTS
    )
    refused(without_digests, WEIGHTS, f"(?s)does not hold this model's weights.*{reason}")


def test_weights_of_another_type_are_refused(
    without_digests: Path, untrained: dict[str, TrainedModel], tmp_path: Path
):
    save(
        untrained["variational"], CURVES, tmp_path / "variational"
    )  # its encoder gives two numbers a code unit
    shutil.copy(tmp_path / "variational" / WEIGHTS, without_digests)
    refused(without_digests, WEIGHTS, "size mismatch for autoencoder.encoder")


def with_shape(**changes: object) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda values: {**values, "architecture": {**values["architecture"], **changes}}


def without(key: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda values: {name: value for name, value in values.items() if name != key}


DESCRIPTIONS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "an unknown kind": (
        lambda v: {**v, "kind": "quantum"},
        "kind quantum; this code reads .* kinds undercomplete, ",
    ),
    "a kind that is no name": (lambda v: {**v, "kind": ["sparse"]}, "not a model's description"),
    "another format": (
        lambda v: {**v, "format": 1},
        f"format 1, .*; this code reads format {FORMAT}",
    ),
    "no schema": (without("schema"), "not a model's description .*schema"),
    "fewer than no calibration rows": (
        lambda v: {**v, "calibration_rows": -1},
        "no model that can be built .*negative",
    ),
    "no format": (without("format"), "not a model's description .*format"),
    "no kind": (without("kind"), "not a model's description .*kind"),
    "no architecture": (without("architecture"), "not a model's description .*architecture"),
    "no fingerprint": (without("fingerprint"), "not a model's description .*fingerprint"),
    "an unknown key": (lambda v: {**v, "colour": "blue"}, "not a model's description .*colour"),
    "an unknown key in the architecture": (
        with_shape(colour="blue"),
        "not a model's description .*colour",
    ),
    "widths that are a number": (with_shape(widths=64), "not a model's description"),
    "an unknown activation": (with_shape(activation="cubic"), "no model that can be built .*cubic"),
    "a width of text": (with_shape(widths=["a"]), "no model that can be built"),
    "a -1 code size": (with_shape(code_size=-1), "no model that can be built .*negative"),
    "an unknown parameter": (
        lambda v: {**v, "own": {"weight": 1}},
        "no model that can be built .*weight",
    ),
    "another kind's parameters": (
        lambda v: {**v, "kind": "denoising"},
        "no model that can be built .*corruption",
    ),
    "a list": (lambda v: [v], "not a model's description"),
    "nothing": (lambda v: None, "not a model's description"),
}


@pytest.mark.parametrize("damage", DESCRIPTIONS)
def test_a_damaged_description_is_refused(saved: Path, damage: str):
    change, reason = DESCRIPTIONS[damage]
    path = saved / DESCRIPTION
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    refused(saved, DESCRIPTION, reason)


@pytest.mark.parametrize(
    "content",
    [b"", b'{"kind": "sparse",', b"\xff\xfe\x00", b"1" * 5000, pickle.dumps(Payload())],
    ids=["empty", "cut short", "no text", "a number too long", "a pickle"],
)
def test_a_description_that_is_no_json_is_refused(saved: Path, content: bytes):
    (saved / DESCRIPTION).write_bytes(content)
    refused(saved, DESCRIPTION, r"not JSON \(.+\); .*`dvc repro`")


def test_a_missing_file_is_named(saved: Path):
    (saved / WEIGHTS).unlink()
    refused(saved, WEIGHTS, "no such file")
    (saved / DESCRIPTION).unlink()
    refused(saved, DESCRIPTION, "no such file; `dvc repro train` makes it")
    (saved / HISTORY).unlink()
    with pytest.raises(DataError, match=f"{saved / HISTORY}: no such file"):
        load_history(saved)


@pytest.mark.parametrize("line", ["3,x,1.0", "3,1.0", "3,1.0,2.0,4.0", "3,1.0,", "<html></html>"])
def test_damaged_learning_curves_are_refused(without_digests: Path, line: str):
    path = without_digests / HISTORY
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(DataError, match=f"{path}: not a table of learning curves"):
        load_history(without_digests)


def test_the_description_comes_back_from_its_json(saved: Path, untrained: dict[str, TrainedModel]):
    files = {"weights_sha256": WEIGHTS, "history_sha256": HISTORY}
    digests: dict[str, Any] = {name: sha256_of(saved / file) for name, file in files.items()}
    description = replace(untrained["undercomplete"].description, **digests)
    assert load_description(saved) == description
    values = asdict(description)
    values["kind"] = values.pop("model_type")  # the keys of models that were written before
    values["own"] = values.pop("type_values")
    assert json.loads((saved / DESCRIPTION).read_text()) == json.loads(json.dumps(values))
