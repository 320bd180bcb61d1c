"""Files and folders are replaced as a whole or not at all.

Hashes see content and names, and nothing else.
"""

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from autoencoders.core.files import (
    atomic_file,
    atomic_folder,
    copied,
    read_json,
    remove,
    sha256,
    sha256_of,
    tree_sha256,
    write_json,
    write_text,
)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below the folder, by relative name."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder that is already there, the only thing beside it."""
    folder = tmp_path / "out"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("old")
    (folder / "deep" / "b.txt").write_text("old too")
    return folder


def test_replacing_puts_exactly_the_new_files_in_the_old_ones_place(old: Path):
    with atomic_folder(old) as new:
        assert list(new.iterdir()) == []
        (new / "c.txt").write_text("new")
    assert contents(old) == {"c.txt": b"new"}
    assert list(old.parent.iterdir()) == [old]


def test_replacing_makes_the_folder_and_its_parents_where_there_were_none(tmp_path: Path):
    with atomic_folder(tmp_path / "x" / "y") as new:
        (new / "c.txt").write_text("new")
    assert contents(tmp_path) == {"x/y/c.txt": b"new"}


def test_what_a_killed_writer_left_goes_with_the_next_write_and_a_living_ones_stays(old: Path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left = old.parent / f".out~{gone.pid}-abc_1"
    others = [
        old.parent / f".out~{os.getpid()}-abc",
        old.parent / f".out~x~{gone.pid}-abc",
        old.parent / ".out~note",
    ]
    for folder in (left, *others):
        folder.mkdir()
    write_text(old / "a.txt", "new")
    assert left.exists()  # of another path
    with atomic_folder(old):
        assert not left.exists()
    assert all(folder.exists() for folder in others)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_replacing_leaves_the_old_folder_and_no_scratch_when_the_block_raises(
    old: Path, error: type[BaseException]
):
    before = contents(old)

    def write_and_raise() -> None:
        with atomic_folder(old) as new:
            (new / "c.txt").write_text("half")
            assert contents(old) == before  # nor does the block itself touch it
            raise error

    with pytest.raises(error):
        write_and_raise()
    assert contents(old) == before
    assert list(old.parent.iterdir()) == [old]


def test_replacing_never_empties_the_old_folder_in_place(
    old: Path, monkeypatch: pytest.MonkeyPatch
):
    """Deleting takes a while and may fail or be killed on the way.

    Until then, a deleted folder must no longer carry its name.
    """
    deleted = []
    delete = shutil.rmtree

    def record(path: str | Path, *args: Any, **kwargs: Any) -> None:
        deleted.append(Path(path))
        delete(path, *args, **kwargs)

    monkeypatch.setattr(shutil, "rmtree", record)
    with atomic_folder(old):
        pass
    assert deleted
    assert old not in deleted


def test_beside_puts_the_new_file_in_the_old_ones_place_and_leaves_no_scratch(tmp_path: Path):
    path = tmp_path / "deep" / "a.bin"
    for content in (b"first", b"second"):
        with atomic_file(path) as new:
            assert new.name == path.name  # so that an ending means what it says
            new.write_bytes(content)
        assert contents(tmp_path) == {"deep/a.bin": content}
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_beside_leaves_the_old_file_and_no_scratch_when_the_block_raises(
    tmp_path: Path, error: type[BaseException]
):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_and_raise() -> None:
        with atomic_file(path) as new:
            new.write_text("half")
            assert path.read_text() == "old"  # nor does the block itself touch it
            raise error

    with pytest.raises(error):
        write_and_raise()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_sha256_of_a_file_is_that_of_its_content(tmp_path: Path):
    (tmp_path / "a").write_bytes(bytes(range(256)) * 10_000)
    assert sha256_of(tmp_path / "a") == sha256(bytes(range(256)) * 10_000)


def test_write_text_replaces_the_file_and_leaves_no_scratch(tmp_path: Path):
    path = tmp_path / "deep" / "a.txt"
    for text in ("first", "second, käse"):
        write_text(path, text)
        assert path.read_bytes() == text.encode()
    assert contents(tmp_path) == {"deep/a.txt": "second, käse".encode()}


def test_write_text_leaves_the_old_file_when_writing_fails_half_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half(self: Path, text: str, **kwargs: object) -> None:
        self.write_bytes(text[: len(text) // 2].encode())
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_text", write_half)
    with pytest.raises(OSError, match="disk full"):
        write_text(path, "new text")
    assert contents(tmp_path) == {"a.txt": b"old"}


def test_write_json_gives_what_read_json_reads_and_the_same_bytes_twice(tmp_path: Path):
    value = {"name": "ü", "numbers": [0.1, 1e-300, 3], "nothing": None}
    for name in ("a.json", "b.json"):
        write_json(tmp_path / name, value)
    assert read_json(tmp_path / "a.json") == value == json.loads((tmp_path / "b.json").read_bytes())
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_write_json_refuses_what_is_no_json_number_and_leaves_the_old_file(
    tmp_path: Path, number: float
):
    path = tmp_path / "a.json"
    write_json(path, {"loss": 1.0})
    before = contents(tmp_path)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"loss": [number]})
    assert contents(tmp_path) == before


def test_sha256_of_parts_is_that_of_their_concatenation():
    assert sha256(b"ab", b"", b"c") == sha256(b"abc")
    # FIPS 180-2, appendix B.1
    assert sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_tree_sha256_does_not_depend_on_where_the_tree_lies(old: Path, tmp_path: Path):
    expected = tree_sha256(old)
    for parent in ("elsewhere", "__pycache__"):
        copy = tmp_path / parent / "out"
        shutil.copytree(old, copy)
        assert tree_sha256(copy) == expected
        (copy / "a.txt").write_text("new")
        assert tree_sha256(copy) != expected


def test_tree_sha256_changes_with_content_name_and_place(old: Path):
    seen = {tree_sha256(old)}
    (old / "a.txt").write_text("odl")  # as long as before
    seen.add(tree_sha256(old))
    (old / "a.txt").rename(old / "c.txt")
    seen.add(tree_sha256(old))
    (old / "c.txt").rename(old / "deep" / "c.txt")
    seen.add(tree_sha256(old))
    (old / "empty.txt").touch()
    seen.add(tree_sha256(old))
    assert len(seen) == 5


@pytest.mark.parametrize("between", ["", "\0", "\n", "1\0"])
def test_tree_sha256_tells_where_one_file_ends_and_the_next_begins(tmp_path: Path, between: str):
    trees = {"two": {"a": "x", "b": "y"}, "one": {"a": f"xout/b{between}y"}}
    for tree, files in trees.items():
        (tmp_path / tree / "out").mkdir(parents=True)
        for name, text in files.items():
            (tmp_path / tree / "out" / name).write_text(text)
    assert tree_sha256(tmp_path / "two" / "out") != tree_sha256(tmp_path / "one" / "out")


def test_tree_sha256_ignores_the_order_of_its_arguments(old: Path):
    paths = [old / "a.txt", old / "deep"]
    assert tree_sha256(*paths) == tree_sha256(*reversed(paths))


@pytest.mark.parametrize(
    "name",
    [
        "__pycache__/b.cpython-311.pyc",
        "b.pyc",
        "b.txt~",
        "#b.txt#",
        ".b.txt.swp",
        "b.txt.swo",
        "b.txt.orig",
        "b.txt.rej",
        "b.txt.bak",
        "b.txt.tmp",
        ".b.txt~123-abc/b.txt",
        ".mypy_cache/3.11/b.data.json",
        ".ruff_cache/CACHEDIR.TAG",
        ".pytest_cache/README.md",
        ".hypothesis/examples/b",
        ".ipynb_checkpoints/b-checkpoint.ipynb",
        ".idea/workspace.xml",
        ".vscode/settings.json",
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
    ],
)
def test_tree_sha256_does_not_see_what_tools_and_editors_leave_in_a_folder(old: Path, name: str):
    expected = tree_sha256(old)
    for folder in (old, old / "deep"):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_bytes(b"\0")
    assert tree_sha256(old) == expected


def test_tree_sha256_does_not_see_an_editors_lock_which_is_a_link_to_nothing(old: Path):
    expected = tree_sha256(old)
    (old / ".#a.txt").symlink_to("someone@somewhere.123")
    assert tree_sha256(old) == expected


def test_a_copy_of_a_folder_has_its_files_and_no_leftover(old: Path, tmp_path: Path):
    before = contents(old)
    (old / "deep" / ".#b.txt").symlink_to("someone@somewhere.123")
    (old / "deep" / "b.txt~").write_text("left")
    (old / "__pycache__").mkdir()
    assert contents(copied(old, tmp_path / "elsewhere")) == before
    assert (tmp_path / "elsewhere" / "out").is_dir()


@pytest.mark.parametrize("name", [".a.txt", "a.txt~", "a.bak"])
def test_tree_sha256_sees_a_file_that_is_named_to_it_whatever_it_is_called(
    tmp_path: Path, name: str
):
    result = set()
    for text in ("one", "two"):
        (tmp_path / name).write_text(text)
        result.add(tree_sha256(tmp_path / name))
    assert len(result) == 2


def test_remove_takes_the_folder_away_and_is_content_when_there_is_none(old: Path):
    for _ in range(2):
        remove(old)
        assert list(old.parent.iterdir()) == []
