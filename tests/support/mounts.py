"""Small and read-only file systems, which need the right to mount.

Without it, the test is skipped.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A disk of memory on a folder. size: as tmpfs has it, such as 64k."""
    mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder)
    try:
        yield
    finally:
        unmount(folder)


@contextmanager
def replaced_by_small_disk(folder: Path, size: str) -> Iterator[Path]:
    """An empty disk of memory in a folder's place.

    Yields the path of the folder's content meanwhile.
    """
    content = folder.with_name(f"{folder.name}.content")
    folder.mkdir(exist_ok=True)
    folder.rename(content)
    folder.mkdir()
    try:
        with small_disk(folder, size):
            yield content
    finally:
        folder.rmdir()
        content.rename(folder)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """A folder in which nobody can write, not even root."""
    mount("--bind", folder, folder)
    try:
        mount("-o", "remount,bind,ro", folder)
        yield
    finally:
        unmount(folder)


def mount(*arguments: str | Path) -> None:
    """Mounts, or skips the test."""
    try:
        subprocess.run(["mount", *arguments], check=True, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no right to mount: {error.stderr.strip()}")


def unmount(folder: Path) -> None:
    """Unmounts a folder as soon as no library has a file open there."""
    subprocess.run(["umount", "--lazy", folder], check=True)
