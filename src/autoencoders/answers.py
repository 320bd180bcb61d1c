"""Files in, answers out, batch by batch: a file may be of any size; an answer is there as a whole or not at all."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
from tqdm import tqdm

from autoencoders.checkpoint import TrainedModel
from autoencoders.data.readers import Reader, open_reader
from autoencoders.data.schema import Schema, some
from autoencoders.data.sources import ARCHIVES, unpack
from autoencoders.errors import DataError, UserError
from autoencoders.files import beside
from autoencoders.operations import answer

ENDINGS = (".csv", ".parquet", ".npy", ".png")
COLUMNS = 8  # images side by side in a picture


def answer_file(model: TrainedModel, op: str, source: Path, out: Path, rate: float) -> int:
    """Writes an operation's answers to all rows of a file or folder, and gives their number. Raises UserError."""
    schema, n = model.description.schema, 0
    with reading(source, schema) as reader, _writing(out, model) as written:
        for note in reader.told:
            print(note)
        for batch, _ in tqdm(reader.batches(), desc=op, unit="batch", disable=None):
            found = answer(model, op, batch, first=n, rate=rate)
            if op == "score":
                found.insert(0, "row", np.arange(n + 1, n + 1 + len(found)))
            written.append(found)
            n += len(batch)
        if not n:
            raise DataError(f"{source}: no rows")
    return n


@contextmanager
def reading(source: Path, schema: Schema) -> Iterator[Reader]:
    """The reader of new data for a model; says which columns the model leaves out. Raises DataError."""
    with tempfile.TemporaryDirectory() as scratch:
        if source.name.lower().endswith(ARCHIVES) and source.exists():
            unpack(source, Path(scratch, "files"))
        path = Path(scratch, "files") if Path(scratch, "files").exists() else source
        reader = open_reader(path, like=schema)
        known = {column.name for column in schema.columns}
        if (extra := [name for name in reader.names if name not in known]) and known & {*reader.names}:
            reader.told.append(f"left out, as the model does not know them: {some(extra)}")
        yield reader


class Answers:
    """Answers that are written as they come."""

    def __init__(self, path: Path, model: TrainedModel) -> None:
        self.path, self.model, self.parquet = path, model, None  # type: Path, TrainedModel, Any
        self.arrays: list[np.ndarray] = []

    def append(self, found: Any) -> None:
        """Adds the answers of one batch."""
        if self.path.suffix in (".npy", ".png"):
            self.arrays.append(found.to_numpy() if isinstance(found, pd.DataFrame) else found)
            return
        table = found if isinstance(found, pd.DataFrame) else _named(found)
        if self.path.suffix == ".csv":
            table.to_csv(self.path, mode="a", index=False, header=not self.path.exists())
            return
        rows = pa.Table.from_pandas(table, preserve_index=False)
        self.parquet = self.parquet or pa.parquet.ParquetWriter(self.path, rows.schema)
        self.parquet.write_table(rows)

    def close(self) -> None:
        """Ends the file. Raises UserError where a picture is asked for and there are no images."""
        if self.parquet is not None:
            self.parquet.close()
        if self.path.suffix == ".npy" and self.arrays:
            if (rows := np.concatenate(self.arrays)).dtype == object:
                raise UserError(f"{self.path.name}: the answers hold text; choose .csv or .parquet")
            np.save(self.path, rows, allow_pickle=False)
        if self.path.suffix == ".png" and self.arrays:
            picture(np.concatenate(self.arrays), self.model).save(self.path)


@contextmanager
def _writing(out: Path, model: TrainedModel) -> Iterator[Answers]:
    schema = model.description.schema
    if out.suffix not in ENDINGS or (out.suffix == ".png" and not schema.is_image):
        allowed = ENDINGS if schema.is_image else ENDINGS[:-1]
        raise UserError(f"{out}: answers are written as {', '.join(allowed)}")
    with beside(out) as new:
        answers = Answers(new, model)
        yield answers
        answers.close()


def write_answers(found: Any, out: Path, model: TrainedModel) -> None:
    """Writes answers that are all there. Raises UserError."""
    with _writing(out, model) as written:
        written.append(found)


def _named(rows: np.ndarray) -> pd.DataFrame:
    flat = rows.reshape(len(rows), -1)
    return pd.DataFrame(flat, columns=[f"value_{i}" for i in range(flat.shape[1])])


def picture(rows: np.ndarray, model: TrainedModel) -> Any:
    """A picture of images side by side. rows: (images, features), raw scale. Raises UserError for other rows."""
    from PIL import Image

    schema, white = model.description.schema, float((model.shift + model.scale).max())
    size = int(np.prod(schema.shape))
    if rows[0].size != size:
        raise UserError(f"a picture needs images of {size} values, but the answers have {rows[0].size}; choose .npy")
    images = np.clip(rows.reshape(len(rows), *schema.shape) / white * 255, 0, 255).astype(np.uint8)
    across = min(COLUMNS, len(images))
    missing = -len(images) % across
    images = np.concatenate([images, np.zeros((missing, *schema.shape), np.uint8)])
    grid = images.reshape(-1, across, *schema.shape).swapaxes(1, 2)
    sheet = grid.reshape(grid.shape[0] * grid.shape[1], grid.shape[2] * grid.shape[3], *schema.shape[2:])
    scale = max(1, 32 // schema.shape[0])
    return Image.fromarray(sheet).resize((sheet.shape[1] * scale, sheet.shape[0] * scale), Image.Resampling.NEAREST)
