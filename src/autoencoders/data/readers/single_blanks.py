"""A text file with one blank between its fields, where any number of blanks stands for one."""

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, cast

from autoencoders.data.readers import reader
from autoencoders.data.readers.encoding import open_bytes

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

BLANKS = re.compile(r"[ \t]+")
BLANKS_AT_ENDS = re.compile(r"^ | $", re.MULTILINE)


class SingleBlanks(io.RawIOBase):
    """The bytes of a text file in UTF-8, with one blank for any number of blanks or tabs.

    Blanks at the beginning and end of a line are left out; those in quotes stay.
    """

    def __init__(self, path: Path, encoding: str, quote: str) -> None:
        """Opens the file. quote: the sign around values that hold blanks."""
        super().__init__()
        self.source = io.TextIOWrapper(
            cast("io.BufferedReader", open_bytes(path)), encoding=encoding
        )
        self.quote = quote
        self.quoted_or_blanks = re.compile(f"({quote}[^{quote}\\n]*{quote})|[ \\t]+")
        self.rest = b""

    def readable(self) -> bool:
        """Whether bytes can be read: always."""
        return True

    def readinto(self, buffer: "Buffer") -> int:
        """Fills a buffer with the next bytes, and returns their number; 0 at the end."""
        if not self.rest:
            lines = self.source.readlines(reader.BATCH_BYTES)
            self.rest = self._with_single_blanks("".join(lines)).encode()
        view = memoryview(buffer)
        part = self.rest[: len(view)]
        view[: len(part)] = part
        self.rest = self.rest[len(part) :]
        return len(part)

    def _with_single_blanks(self, lines: str) -> str:
        """Lines with one blank between their fields."""
        if self.quote in lines:
            lines = self.quoted_or_blanks.sub(lambda match: match[1] or " ", lines)
        else:
            lines = BLANKS.sub(" ", lines)
        return BLANKS_AT_ENDS.sub("", lines)

    def close(self) -> None:
        """Closes the file that the bytes come from, too."""
        self.source.close()
        super().close()
