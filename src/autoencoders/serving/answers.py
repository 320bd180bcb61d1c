"""Answers to whole files, batch by batch: of any size, and written as a whole or not at all."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
from tqdm import tqdm

from autoencoders.core.errors import DataError, UserError
from autoencoders.core.files import atomic_file
from autoencoders.data.prepared.schema import Rows, Schema, abridged
from autoencoders.data.readers.opening import open_reader
from autoencoders.data.readers.reader import Reader
from autoencoders.data.sources.archive import unpacked
from autoencoders.data.sources.source import ANSWERS
from autoencoders.models.trained.model import TrainedModel
from autoencoders.serving.inference import Answer, answer
from autoencoders.serving.named import NamedRows, as_table, named_batches, with_names
from autoencoders.serving.novelty import NovelValues
from autoencoders.serving.served import ServedModel, trained_model

if TYPE_CHECKING:
    from PIL import Image

TABLES = (".csv", ".parquet")  # the files whose answers have columns
PICTURE_COLUMNS = 8  # images side by side in a picture
PICTURE_SIDE = 32  # pixels: lower images are enlarged by a whole factor up to that height
BRIGHTEST = 255  # of a pixel with 8 bits


def answer_file(
    model: TrainedModel | ServedModel, op: str, source: Path, out: Path, rate: float
) -> int:
    """Writes an operation's answers to all rows of a file or folder; returns the number of rows.

    rate: of false alarms, for op score. Raises UserError.
    """
    n = 0

    def answers() -> Iterator[Answer]:
        nonlocal n
        named = named_batches(reader, trained.description.schema, op)
        batches: Iterable[NamedRows] = tqdm(named, desc=op, unit="batch", disable=None)
        if op == "interpolate":
            batches = _in_pairs(batches)
        for batch, names in batches:
            result = answer(model, op, batch, first=n, rate=rate, novel_values=novel_values)
            if names and out.suffix in TABLES:
                result = with_names(result, names)
            if op == "score" and isinstance(result, pd.DataFrame):
                result.insert(0, "row", np.arange(n + 1, n + 1 + len(result)))
            yield result
            n += len(batch)
        if not n:
            raise DataError(f"{source}: no rows")

    trained = trained_model(model)
    novel_values = NovelValues(trained.description.schema)
    with reading(source, trained.description.schema) as reader:
        _tell(reader.notes)
        write(answers(), out, trained)
    _tell(novel_values.notes())
    return n


def _tell(notes: Iterable[str]) -> None:
    """Prints a line a note."""
    for note in notes:
        print(note)


def _in_pairs(batches: Iterable[NamedRows]) -> Iterator[NamedRows]:
    """The rows in batches of even length; the last one may be odd.

    They have no names, as the rows between a pair are neither of the two.
    """
    odd_row: Rows | None = None  # of the batches before, whose partner is in the next one
    for batch, _ in batches:
        rows = batch if odd_row is None else _joined(odd_row, batch)
        even = len(rows) // 2 * 2
        odd_row = rows[even:] if even < len(rows) else None
        if even:
            yield NamedRows(rows[:even], {})
    if odd_row is not None:
        yield NamedRows(odd_row, {})


def _joined(first: Rows, second: Rows) -> Rows:
    """The rows of two tables or two arrays."""
    if isinstance(second, pa.Table):
        return pa.concat_tables([cast(pa.Table, first), second])
    return np.concatenate([cast(np.ndarray, first), second])


@contextmanager
def reading(source: Path, schema: Schema) -> Iterator[Reader]:
    """The reader of new data for a model, with a note on columns that the model leaves out.

    An archive is unpacked into a temporary folder. Raises DataError.
    """
    with unpacked(source) as path:
        reader = open_reader(path, like=schema)
        known = {column.name for column in schema.columns}
        names = (schema.id_column, reader.file_column)
        unknown = [name for name in reader.names if name not in known and name not in names]
        if unknown and known.intersection(reader.names):
            reader.notes.append(f"left out, as the model does not know them: {abridged(unknown)}")
        if schema.id_column and schema.id_column not in reader.names:
            reader.notes.append(
                f"no column {schema.id_column}, which names the rows (data.id): answers have none"
            )
        yield reader


def write(answers: Iterable[Answer], out: Path, model: TrainedModel) -> None:
    """Writes answers as they come; arrays and pictures at their end.

    answers: tables or arrays of some rows each. Raises UserError where a file can't hold them.
    """
    allowed = ANSWERS if model.description.schema.is_image else ANSWERS[:-1]
    if out.is_dir():
        raise UserError(f"{out}: is a folder; answers are written as {', '.join(allowed)}")
    if out.suffix not in allowed:
        raise UserError(f"{out}: answers are written as {', '.join(allowed)}")
    with atomic_file(out) as new:
        if out.suffix == ".csv":
            _write_csv(answers, new)
        elif out.suffix == ".parquet":
            _write_parquet(answers, new)
        else:
            rows = np.concatenate([np.asarray(part) for part in answers])
            if out.suffix == ".png":
                picture(rows, model).save(new)
            elif rows.dtype == object:
                raise UserError(f"{out.name}: the answers hold text; choose .csv or .parquet")
            else:
                np.save(new, rows, allow_pickle=False)


def _write_csv(answers: Iterable[Answer], path: Path) -> None:
    for part in answers:
        as_table(part).to_csv(path, mode="a", index=False, header=not path.exists())


def _write_parquet(answers: Iterable[Answer], path: Path) -> None:
    tables = (pa.Table.from_pandas(as_table(part), preserve_index=False) for part in answers)
    first = next(tables)
    with pa.parquet.ParquetWriter(path, first.schema) as writer:
        for table in chain([first], tables):
            writer.write_table(table)


def picture(rows: np.ndarray, model: TrainedModel) -> "Image.Image":
    """A PIL image of up to PICTURE_COLUMNS images side by side, in as many lines as they need.

    rows: (images, features), raw scale. Raises UserError for rows of another number of values.
    """
    from PIL import Image, ImageOps

    shape = model.description.schema.shape
    size = int(np.prod(shape))
    if rows[0].size != size:
        raise UserError(
            f"a picture needs images of {size} values, "
            f"but the answers have {rows[0].size}; choose .npy"
        )
    black = float(model.shift.min())
    white = float((model.shift + model.scale).max())
    brightness = (rows.reshape(len(rows), size) - black) / (white - black) * BRIGHTEST
    pixels = np.clip(brightness, 0, BRIGHTEST).astype(np.uint8)
    across = min(PICTURE_COLUMNS, len(rows))
    height, width, *colours = shape
    padded = np.pad(pixels, ((0, -len(rows) % across), (0, 0)))  # black images fill the last line
    images = padded.reshape(-1, across, height, width, *colours)
    sheet = images.swapaxes(1, 2).reshape(-1, across * width, *colours)
    factor = max(1, PICTURE_SIDE // height)
    return ImageOps.scale(Image.fromarray(sheet), factor, Image.Resampling.NEAREST)
