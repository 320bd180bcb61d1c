"""Compares the outputs of two clones in which the pipeline ran.

`python tools/compare_clones.py ONE OTHER`

Equal outputs mean that a change of the code changed no result. Three things hash the code itself
and are left out: the fingerprint in model.json, the study's name in the titles of the studies'
figures, and mlruns/registered.json. Exits 1 where anything else differs, and names it.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

OUTPUTS = ("data", "tuned", "model", "metrics", "reports")
TITLE = 0.12  # share of a figure's height, from the top, in which its title lies


def main(one: Path, other: Path) -> int:
    """Prints what differs. Returns the exit code."""
    names = sorted({*_files(one), *_files(other)})
    different = [name for name in names if not _is_equal(one / name, other / name)]
    print(*different, sep="\n")
    print(f"{len(names)} files, {len(different)} of them differ")
    return 1 if different or not names else 0


def _files(clone: Path) -> Iterator[Path]:
    """Every output of a clone, by its path inside of it."""
    for output in OUTPUTS:
        yield from (
            path.relative_to(clone) for path in (clone / output).rglob("*") if path.is_file()
        )


def _is_equal(one: Path, other: Path) -> bool:
    if not (one.exists() and other.exists()):
        return False
    if one.name == "model.json":
        return _without_fingerprint(one) == _without_fingerprint(other)
    if one.suffix == ".png" and "tuned" in one.parts:
        return bool(np.array_equal(_below_title(one), _below_title(other)))
    return one.read_bytes() == other.read_bytes()


def _without_fingerprint(path: Path) -> dict[str, Any]:
    description: dict[str, Any] = json.loads(path.read_text())
    del description["fingerprint"]
    return description


def _below_title(path: Path) -> np.ndarray:
    """The pixels of a figure without the part that its title lies in."""
    pixels = np.asarray(Image.open(path))
    return pixels[round(TITLE * len(pixels)) :]


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
