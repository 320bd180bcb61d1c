"""Contents of a user's files: good ones, and good ones with something changed."""

import io
import struct
import tarfile
import zipfile
import zlib
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from PIL import Image

from intake import columns, csv

Content = bytes | str
GOOD = columns()
GOOD_CSV = csv(GOOD).encode()
N = len(GOOD["length"])
ROWS = np.random.default_rng(0).normal(size=(60, 4))
IMAGES = np.random.default_rng(0).integers(0, 256, (60, 8, 8), np.uint8)


def changed(column: str, row: int, value: Any) -> dict[str, list[Any]]:
    """The good table with another value; rows count from 1, as in messages."""
    return {**GOOD, column: [*GOOD[column][: row - 1], value, *GOOD[column][row:]]}


def lacking(column: str) -> dict[str, list[Any]]:
    """The good table without a column."""
    return {name: values for name, values in GOOD.items() if name != column}


def lines(row: int, text: str) -> str:
    """The good table's CSV with another line in a row's place."""
    good = csv(GOOD).splitlines()
    return "\n".join([*good[:row], text, *good[row + 1 :]]) + "\n"


def parquet_table(values: dict[str, Any] | pa.Table) -> bytes:
    """A Parquet file."""
    file = io.BytesIO()
    table = values if isinstance(values, pa.Table) else pa.table(values)
    pyarrow.parquet.write_table(table, file)
    return file.getvalue()


def npy(values: Any, *, pickled: bool = False) -> bytes:
    """A .npy file."""
    file = io.BytesIO()
    np.save(file, np.asarray(values), allow_pickle=pickled)
    return file.getvalue()


def npz(**arrays: Any) -> bytes:
    """An .npz file."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def grey(height: int, width: int, seed: int = 0) -> np.ndarray:
    """The pixels (height, width) of a grey image."""
    return np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)


def png(height: int = 8, width: int = 8, seed: int = 0) -> bytes:
    """A grey image's file."""
    file = io.BytesIO()
    Image.fromarray(grey(height, width, seed)).save(file, "PNG")
    return file.getvalue()


def huge_png(side: int) -> bytes:
    """A file of some hundred bytes that declares side x side pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def chunk(name: bytes, content: bytes) -> bytes:
    """A part of a PNG file."""
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def tarred(
    *members: tuple[tarfile.TarInfo, bytes], mode: Literal["w", "w:gz", "w:bz2", "w:xz"] = "w"
) -> bytes:
    """A tar archive."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def member(name: str, entry_type: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    """A tar's entry."""
    info = tarfile.TarInfo(name)
    info.type = entry_type
    info.linkname = target
    return info
