"""The way of a user's file through the stages, and good tables to spoil."""

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from autoencoders.core.errors import UserError
from autoencoders.data.preparation.prepare import prepare
from autoencoders.data.prepared.prepared import Prepared, load_prepared
from autoencoders.data.sources.source import check, download
from autoencoders.models.trained.model import TrainedModel
from autoencoders.params.params import Params
from autoencoders.params.sections import Data
from autoencoders.serving.answers import answer_file


def everything(folder: Path) -> dict[str, bytes | None]:
    """All below a folder: files with their content, folders with None."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


class Intake:
    """A user's files in `source`, and beside them the stages' data folder."""

    def __init__(self, folder: Path, params: Params) -> None:
        self.folder = folder
        self.params = params
        self.source = folder / "source"
        self.data = folder / "data"
        self.raw = self.data / "raw"
        self.prepared = self.data / "prepared"
        self.source.mkdir()
        self.data.mkdir()

    def file(self, name: str, content: bytes | str) -> Path:
        """A new file of the user's."""
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            content = content.encode()
        path.write_bytes(content)
        return path

    def array(self, name: str, values: Any, *, pickled: bool = False) -> Path:
        """A new .npy file of the user's."""
        path = self.source / name
        np.save(path, np.asarray(values), allow_pickle=pickled)
        return path

    def image(self, name: str, pixels: np.ndarray, mode: str | None = None) -> Path:
        """A new image of the user's. mode: Pillow's, where it is not the pixels' own."""
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(pixels)
        if mode:
            image = image.convert(mode)
        image.save(path)
        return path

    def section(self, path: Path | str, **values: Any) -> Data:
        """params.yaml's data section with the user's path and other values."""
        keys = {"path": str(path), **values}
        return self.params.override({f"data.{key}": value for key, value in keys.items()}).data

    def stages(self, data: Data) -> None:
        """The stages of `dvc repro` that concern data: check, download, preprocess."""
        check(data)
        download(data, self.raw)
        prepare(self.raw, self.prepared, data)

    def load(self, path: Path | str, **values: Any) -> Prepared:
        """The prepared data of the user's file."""
        self.stages(self.section(path, **values))
        return load_prepared(self.prepared)

    def refusal(self, path: Path | str, **values: Any) -> str:
        """The message with which the user's file is refused.

        Checks that everything stays as it was.
        """
        self.prepared.mkdir()
        (self.prepared / "of an earlier run.txt").write_text("unchanged")
        source = everything(self.source)
        before = everything(self.data)
        with pytest.raises(UserError) as caught:
            self.stages(self.section(path, **values))
        after = everything(self.data)
        without_raw = {
            name: content for name, content in after.items() if name.split("/")[0] != "raw"
        }
        assert without_raw == before  # nor any temporary file beside it
        assert everything(self.source) == source
        assert everything(Path(tempfile.gettempdir())) == {}
        return str(caught.value)

    def answer_refusal(
        self, model: TrainedModel, op: str, source: Path, out: str = "out.csv"
    ) -> str:
        """The message with which new data is refused.

        Checks that an earlier answer stays, and that nothing stands beside it.
        """
        answers = self.folder / "answers"
        answers.mkdir(exist_ok=True)
        (answers / out).write_text("of an earlier call")
        before = everything(answers)
        with pytest.raises(UserError) as caught:
            answer_file(model, op, source, answers / out, 0.05)
        assert everything(answers) == before
        assert everything(self.folder / "scratch") == {}
        return str(caught.value)


def columns(n: int = 240) -> dict[str, list[Any]]:
    """A good table: two numbers, a category, a constant."""
    rng = np.random.default_rng(0)
    return {
        "length": [round(float(value), 3) for value in rng.normal(5, 2, n)],
        "width": [int(value) for value in rng.integers(0, 10_000, n)],
        "colour": [("red", "green", "blue")[i % 3] for i in range(n)],
        "unit": ["cm"] * n,
    }


def csv(values: Mapping[str, Iterable[Any]], separator: str = ",") -> str:
    """A table's text."""
    lines = [values, *zip(*values.values(), strict=True)]
    return "".join(separator.join(map(str, line)) + "\n" for line in lines)


def numbered(n: int, width: int = 4) -> np.ndarray:
    """Rows (n, width) whose first value is their number, and whose others are random."""
    rows = np.random.default_rng(0).normal(size=(n, width))
    rows[:, 0] = np.arange(n)
    return rows


def numbers(prepared: Prepared, split: str) -> list[int]:
    """The numbers of a split's rows, where their first value is their number."""
    return prepared.sample(split)[:, 0].astype(int).tolist()
