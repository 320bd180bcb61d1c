"""dvc.lock: the last whole one is kept, and mends one that was cut.

A lock that is read is whole; a cut one is known as such, and mended as DVC would have it.
"""

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from dvc.utils.serialize import YAMLFileCorruptedError, parse_yaml
from voluptuous import MultipleInvalid

from autoencoders.core.dvclock import (
    LOCK,
    LOCK_COPY,
    BrokenLockError,
    broken_lock,
    mend_lock,
    output_hash,
    parsed,
    parsed_quickly,
    problem_of,
    read_lock,
)

MD5 = f"{'0a' * 16}.dir"
MD5_OF_DIGITS = "12345678901234567890123456789012"
WHOLE = f"""schema: '2.0'
stages:
  preprocess:
    cmd: PYTHONPATH=src python pipeline/preprocess.py
    deps:
    - path: data/raw
      hash: md5
      md5: 62e4d8f2a1f0f7e0e0bd0f2a9c1b4d55.dir
      size: 120
      nfiles: 2
    params:
      params.yaml:
        data:
          name: digits
          ignore: []
        seed: 1
    outs:
    - path: data/prepared
      hash: md5
      md5: {MD5}
      size: 3456
      nfiles: 4
      isexec: true
  check:
    cmd:
    - echo 1
    - echo 2
    outs:
    - path: data/checked.txt
      hash: md5
      md5: {MD5_OF_DIGITS}abc
      size: 0
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc").mkdir()
    return tmp_path


def dvc_takes(text: str) -> bool:
    try:
        COMPILED_LOCKFILE_SCHEMA(parse_yaml(text, "dvc.lock"))
    except (YAMLFileCorruptedError, MultipleInvalid):
        return False
    return True


def test_a_lock_that_is_cut_anywhere_is_broken_where_dvc_says_so_or_would_die_of_it():
    assert problem_of(WHOLE) is None
    cuts = [WHOLE[:n] for n in range(len(WHOLE) + 1)]
    differing = [text for text in cuts if dvc_takes(text) != (problem_of(text) is None)]
    assert all(problem_of(text) and dvc_takes(text) for text in differing)
    ends = {text.splitlines()[-1].strip() for text in differing}
    assert ends == {"hash: m", "hash: md", *(f"md5: {MD5_OF_DIGITS[:n]}" for n in range(3, 33))}
    assert 200 < sum(problem_of(WHOLE[:n]) is not None for n in range(len(WHOLE))) < len(WHOLE)


def stages_or_none(read: Callable[[str], dict[str, Any]], text: str) -> dict[str, Any] | None:
    try:
        return read(text)
    except BrokenLockError:
        return None


def test_a_cut_lock_is_read_quickly_as_it_is_read_strictly():
    cuts = [WHOLE[:n] for n in range(len(WHOLE) + 1)]
    differing = [t for t in cuts if stages_or_none(parsed_quickly, t) != stages_or_none(parsed, t)]
    ends = {text.splitlines()[-1].strip() for text in differing}
    assert ends == {"md5: 62e4"}  # a number in YAML 1.2 alone, and no whole checksum in either


@pytest.mark.parametrize("name", ["no", "on", "1:30"])
def test_a_file_whose_name_is_no_text_in_yaml_1_1_is_read_all_the_same(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    out = f"    - path: {name}\n      md5: {'a' * 32}\n"
    LOCK.write_text(f"schema: '2.0'\nstages:\n  one:\n    cmd: x\n    outs:\n{out}")
    assert output_hash(Path(name)) == "a" * 32


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "[]",
        "a",
        "schema: '1.0'\n",
        "schema: '2.0'\n",
        "schema: '2.0'\nmore: 1\n",
        "schema: '2.0'\nstages: {}\n",
        "schema: '2.0'\nstages: {a: {cmd: b, more: 1}}\n",
        "schema: '2.0'\nstages: {a: {cmd: b, params: {c: 1}}}\n",
        "schema: '2.0'\nstages: {a: {cmd: b, outs: {c: 1}}}\n",
        "schema: '2.0'\nstages: {a: {cmd: b, outs: [{path: c, size: d}]}}\n",
        "schema: '2.0'\nstages: {a: {cmd: b, outs: [{path: c, size: 1, more: 1}]}}\n",
        "schema: '2.0'\nstages: {a: {cmd: b, outs: [{path: c, md5: null}]}}\n",
        "<<<<<<< HEAD\nschema: '2.0'\n",
        "schema: '2.0'\nstages: \0\0\0\0\n",
    ],
)
def test_other_texts_are_broken_where_dvc_says_so(text):
    assert (problem_of(text) is None) == dvc_takes(text)


def write_late(text: str) -> None:
    time.sleep(0.15)
    LOCK.write_text(text)


def test_an_outputs_hash_is_read_from_a_lock_that_is_being_written(folder):
    assert output_hash(Path("data/prepared")) is None
    whole = WHOLE
    for end in ("", "stages:", "preprocess", "data/pre", "md5: 0a0a", MD5[:-1], "isexec"):
        LOCK.write_text(
            whole[: whole.rindex(end, 0, whole.index("check:")) + len(end)] if end else ""
        )
        writer = threading.Thread(target=write_late, args=(whole,))
        writer.start()
        assert output_hash(Path("data/prepared")) == MD5
        writer.join()
    assert output_hash(Path("data/other")) is None


def test_a_lock_that_is_read_whole_is_kept_and_a_broken_one_is_not(folder):
    assert read_lock() is None
    assert not LOCK_COPY.exists()
    LOCK.write_text(WHOLE)
    stages = read_lock()
    assert stages is not None
    assert set(stages) == {"preprocess", "check"}
    assert LOCK_COPY.read_text() == WHOLE
    LOCK.write_text(WHOLE[:100])
    assert read_lock() is None
    assert LOCK_COPY.read_text() == WHOLE


def test_nothing_is_kept_where_dvc_has_no_folder(folder):
    shutil.rmtree(".dvc")
    LOCK.write_text(WHOLE)
    assert read_lock() is not None
    assert not Path(".dvc").exists()


def test_a_broken_lock_is_moved_aside_and_the_kept_one_takes_its_place(folder):
    LOCK.write_text(WHOLE)
    read_lock()
    LOCK.write_bytes(WHOLE.encode()[:99] + b"\xff\xfe")
    assert broken_lock() is not None
    moved = mend_lock()
    assert moved.name.startswith("dvc.lock.broken-")
    assert moved.read_bytes() == WHOLE.encode()[:99] + b"\xff\xfe"
    assert broken_lock() is None
    assert LOCK.read_text() == WHOLE


def test_a_broken_lock_without_a_kept_one_is_moved_aside(folder):
    LOCK.write_text("")
    assert broken_lock() == "empty"
    mend_lock()
    assert not LOCK.exists()
    assert broken_lock() is None


def test_what_was_moved_aside_before_stays_beside(folder):
    for text in ("a", "b", "c"):
        LOCK.write_text(text)
        mend_lock()
    assert sorted(path.read_text() for path in Path().glob("dvc.lock.broken-*")) == ["a", "b", "c"]
