"""The digest beside a checkpoint: it knows the one that is there, whenever a writer was killed."""

from pathlib import Path

import pytest

from autoencoders.training.checkpoint import broken_checkpoint, replace_checkpoint, set_aside


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A checkpoint that replaced another one."""
    for content in (b"first", b"second"):
        (tmp_path / "last.new").write_bytes(content)
        replace_checkpoint(tmp_path / "last.ckpt", tmp_path / "last.new")
    return tmp_path / "last.ckpt"


@pytest.mark.parametrize(
    "content", [b"second", b"first"], ids=["new", "old: the writer was killed between"]
)
def test_a_checkpoint_that_was_written_is_whole(path, content):
    path.write_bytes(content)
    assert broken_checkpoint(path) is None


@pytest.mark.parametrize("content", [b"", b"secon", b"second\0", b"secone"])
def test_one_that_is_cut_or_flipped_is_named(path, content):
    path.write_bytes(content)
    problem = broken_checkpoint(path) or ""
    assert problem.startswith(f"{path}: damaged")


def test_one_without_its_digest_is_not_trusted_and_one_that_is_missing_is_no_fault(path):
    path.with_name("last.ckpt.sha256").write_bytes(b"\xff")
    assert broken_checkpoint(path)
    path.with_name("last.ckpt.sha256").unlink()
    assert broken_checkpoint(path)
    assert set_aside(path).read_bytes() == b"second"
    assert broken_checkpoint(path) is None
