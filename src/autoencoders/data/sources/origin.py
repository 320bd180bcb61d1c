"""The origin of raw data: source.json in `data/raw`, and the files beside it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from autoencoders.core.errors import DataError
from autoencoders.core.files import AGAIN, read_json, write_json

ORIGIN = "source.json"
FILES = "files"  # the folder of what was fetched or unpacked


@dataclass(frozen=True)
class Origin:
    """The origin of raw data, and how it is to be read.

    None: unknown of this source, and not in source.json.
    """

    path: str | None = None  # file or folder of the user's, which stays there; None: `files`
    npz: bool | None = None  # whether an archive was an .npz
    label: str | None = None  # label column of a table; empty: there is none
    labels: tuple[str, ...] | None = None  # class names by label value
    white: int | None = None  # value of a white pixel
    test_rows: int | None = None  # number of rows, the last ones, that the publisher tests on
    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    def files(self, raw: Path) -> Path:
        """The file or folder to read. raw: the folder that holds source.json."""
        if self.path is None:
            return raw / FILES
        return Path(self.path)


def write_origin(origin: Origin, raw: Path) -> None:
    """Writes source.json into a folder."""
    known = {name: value for name, value in asdict(origin).items() if value is not None}
    write_json(raw / ORIGIN, known)


def read_origin(raw: Path) -> Origin:
    """Reads source.json of a folder. Raises DataError where it is damaged, FileNotFoundError."""
    path = raw / ORIGIN
    values = read_json(path)
    try:
        return TypeAdapter(Origin).validate_python(values)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(map(str, problem["loc"])) or "its content"
        raise DataError(
            f"{path}: not what download wrote ({key}: {problem['msg']}); {AGAIN}"
        ) from error
