"""The encoding of a text file, and its first lines."""

import codecs
import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from autoencoders.core.errors import DataError

SAMPLE_BYTES = 2**20  # from which delimiter and names are decided
SAMPLE_LINES = 10  # at least: the names of a wide table may take more bytes
MOST_SAMPLE_BYTES = 2**26  # where lines have no end: 64 MB
BLOCK_BYTES = 2**18  # looked at together: as many as a processor's cache holds
MOST_DECODED_BYTES = 2**30  # that show the encoding: 1 GB takes a second
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as the mark of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def open_bytes(path: Path) -> IO[bytes]:
    """The bytes of a file, which may be compressed with gzip."""
    if path.suffix.lower() == ".gz":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return path.open("rb")


def file_encoding(path: Path) -> str:
    """The encoding of a file: utf-8, utf-8-sig, utf-16, utf-32, or cp1252.

    The whole file shows it, up to 1 GB; what stands behind is checked when its rows are read.
    Raises DataError where it is none of these.
    """
    with open_bytes(path) as stream:
        start = stream.read(4)
        for mark, encoding in BYTE_ORDER_MARKS:
            if start.startswith(mark):
                return encoding
        for encoding in ("utf-8", "cp1252"):
            stream.seek(0)
            if _decodes(path, stream, encoding):
                return encoding
    raise DataError(
        f"{path}: is neither UTF-8, UTF-16 nor cp1252 text; save it as UTF-8, or name its encoding "
        "in data.encoding"
    )


def _blocks(path: Path, stream: IO[bytes]) -> Iterator[bytes]:
    """Yields a stream in blocks, up to MOST_DECODED_BYTES.

    Raises DataError where a byte is 0: no text holds one, but UTF-16 without its mark does.
    """
    n = 0
    while n < MOST_DECODED_BYTES and (block := stream.read(BLOCK_BYTES)):
        if b"\0" in block:
            raise DataError(
                f"{path}: byte {n + block.index(0) + 1} is 0, so that this is no text in UTF-8 or "
                "cp1252; save it as UTF-8, or name its encoding in data.encoding"
            )
        yield block
        n += len(block)


def _decodes(path: Path, stream: IO[bytes], encoding: str) -> bool:
    """Whether a stream is text of this encoding, up to MOST_DECODED_BYTES."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for block in _blocks(path, stream):
            decoder.decode(block)
        is_whole = not stream.read(1)
        decoder.decode(b"", final=is_whole)
    except UnicodeDecodeError:
        return False
    return True


def sample_lines(path: Path, encoding: str) -> list[str]:
    """The first lines of a file, whole ones, without their ends."""
    with open_bytes(path) as stream:
        block = stream.read(SAMPLE_BYTES)
        while _line_ends(block) < SAMPLE_LINES and len(block) < MOST_SAMPLE_BYTES:
            more = stream.read(len(block))
            if not more:
                break
            block += more
        is_whole = not stream.read(1)
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(block, final=is_whole)
    except (UnicodeDecodeError, LookupError) as error:
        raise DataError(f"{path}: can't be read as {encoding} ({error})") from None
    lines = re.split(r"\r\n|\n|\r", text)
    if not is_whole and len(lines) > 1:
        lines.pop()  # it may go on
    return lines


def _line_ends(block: bytes) -> int:
    """The number of line ends in a block."""
    return max(block.count(b"\n"), block.count(b"\r"))
