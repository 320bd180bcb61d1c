"""Files in, answers out, batch by batch: a file may be of any size; an answer is there as a whole or not at all."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
from tqdm import tqdm

from autoencoders.core.errors import DataError, UserError
from autoencoders.core.files import atomic_file
from autoencoders.data.prepared.schema import Rows, Schema, some
from autoencoders.data.readers.opening import open_reader
from autoencoders.data.readers.reader import Reader
from autoencoders.data.sources.archive import ARCHIVES, unpack
from autoencoders.data.sources.source import ANSWERS
from autoencoders.models.trained.model import TrainedModel
from autoencoders.serving.inference import answer

COLUMNS = 8  # images side by side in a picture


def answer_file(model: TrainedModel, op: str, source: Path, out: Path, rate: float) -> int:
    """Writes an operation's answers to all rows of a file or folder, and gives their number. Raises UserError."""
    n = 0

    def answers() -> Iterator[Any]:
        nonlocal n
        batches = (
            batch for batch, _ in tqdm(reader.batches(), desc=op, unit="batch", disable=None)
        )
        for batch in _in_pairs(batches) if op == "interpolate" else batches:
            found = answer(model, op, batch, first=n, rate=rate)
            if op == "score":
                found.insert(0, "row", np.arange(n + 1, n + 1 + len(found)))
            yield found
            n += len(batch)
        if not n:
            raise DataError(f"{source}: no rows")

    with reading(source, model.description.schema) as reader:
        for note in reader.notes:
            print(note)
        write(answers(), out, model)
    return n


def _in_pairs(batches: Iterable[Rows]) -> Iterator[Rows]:
    """The rows in batches of even length; the last one may be odd."""
    kept: Any = None
    for batch in batches:
        if kept is None:
            rows = batch
        else:
            rows = (
                pa.concat_tables([kept, batch])
                if isinstance(batch, pa.Table)
                else np.concatenate([kept, batch])
            )
        even = len(rows) // 2 * 2
        kept = rows[even:] if even < len(rows) else None
        if even:
            yield rows[:even]
    if kept is not None:
        yield kept


@contextmanager
def reading(source: Path, schema: Schema) -> Iterator[Reader]:
    """The reader of new data for a model; says which columns the model leaves out. Raises DataError."""
    with tempfile.TemporaryDirectory() as scratch:
        if source.name.lower().endswith(ARCHIVES) and source.exists():
            unpack(source, Path(scratch, "files"))
        path = Path(scratch, "files") if Path(scratch, "files").exists() else source
        reader = open_reader(path, like=schema)
        known = {column.name for column in schema.columns}
        if (extra := [name for name in reader.names if name not in known]) and known & {
            *reader.names
        }:
            reader.notes.append(f"left out, as the model does not know them: {some(extra)}")
        yield reader


def write(answers: Iterable[Any], out: Path, model: TrainedModel) -> None:
    """Writes answers as they come; arrays and pictures at their end. Raises UserError where a file can't hold them."""
    allowed = ANSWERS if model.description.schema.is_image else ANSWERS[:-1]
    if out.suffix not in allowed or out.is_dir():
        found = "is a folder; " if out.is_dir() else ""
        raise UserError(f"{out}: {found}answers are written as {', '.join(allowed)}")
    with atomic_file(out) as new:
        if out.suffix == ".csv":
            for found in answers:
                _as_table(found).to_csv(new, mode="a", index=False, header=not new.exists())
        elif out.suffix == ".parquet":
            tables = (
                pa.Table.from_pandas(_as_table(found), preserve_index=False) for found in answers
            )
            first = next(tables)
            with pa.parquet.ParquetWriter(new, first.schema) as writer:
                for table in chain([first], tables):
                    writer.write_table(table)
        else:
            rows = np.concatenate([np.asarray(found) for found in answers])
            if out.suffix == ".png":
                picture(rows, model).save(new)
            elif rows.dtype == object:
                raise UserError(f"{out.name}: the answers hold text; choose .csv or .parquet")
            else:
                np.save(new, rows, allow_pickle=False)


def _as_table(found: Any) -> pd.DataFrame:
    if isinstance(found, pd.DataFrame):
        return found
    return pd.DataFrame(found.reshape(len(found), -1)).add_prefix("value_")


def picture(rows: np.ndarray, model: TrainedModel) -> Any:
    """A picture of images side by side. rows: (images, features), raw scale. Raises UserError for other rows."""
    from PIL import Image, ImageOps

    schema, black, white = (
        model.description.schema,
        float(model.shift.min()),
        float((model.shift + model.scale).max()),
    )
    size = int(np.prod(schema.shape))
    if rows[0].size != size:
        raise UserError(
            f"a picture needs images of {size} values, but the answers have {rows[0].size}; choose .npy"
        )
    (height, width, *colours), across = schema.shape, min(COLUMNS, len(rows))
    pixels = np.clip(
        (rows.reshape(len(rows), size) - black) / (white - black) * 255, 0, 255
    ).astype(np.uint8)
    images = np.pad(pixels, ((0, -len(rows) % across), (0, 0))).reshape(
        -1, across, height, width, *colours
    )
    sheet = Image.fromarray(images.swapaxes(1, 2).reshape(-1, across * width, *colours))
    return ImageOps.scale(sheet, max(1, 32 // height), Image.Resampling.NEAREST)
