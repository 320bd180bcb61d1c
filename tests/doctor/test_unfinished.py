"""Journal and checkpoints: broken ones are named and moved aside."""

import json
from pathlib import Path

import pytest
import torch

from autoencoders.doctor import unfinished
from autoencoders.training.checkpoint import replace_checkpoint

LINES = [
    json.dumps({"op_code": 0, "worker_id": "a", "study_name": f"s{n}", "directions": [1]})
    for n in range(3)
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("DVC_ROOT", "AUTOENCODERS_ROOT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_a_repository_without_studies_and_checkpoints_is_well(folder):
    assert unfinished.journal().problem == unfinished.checkpoints().problem == ""
    assert not list(folder.iterdir())


@pytest.mark.parametrize("garbage", [b"garbage\n", b"\xff\x00\xfe\n", b'{"op_code": 4, "tri\n'])
def test_a_journal_with_garbage_is_named_and_keeps_its_whole_lines(garbage):
    path = Path("studies/optuna.journal")
    path.parent.mkdir()
    path.write_bytes(f"{LINES[0]}\n".encode() + garbage + f"{LINES[1]}\n".encode())
    result = unfinished.journal()
    assert "optuna.journal" in result.problem
    assert result.fix is not None
    result.fix()
    assert unfinished.journal().problem == ""
    assert path.read_text().splitlines() == LINES[:2]
    assert len(list(path.parent.glob("optuna.journal.broken-*"))) == 1


def test_a_journal_whose_last_line_a_killed_writer_cut_is_well():
    path = Path("studies/optuna.journal")
    path.parent.mkdir()
    path.write_text("\n".join(LINES)[:-9])
    assert unfinished.journal().problem == ""


@pytest.mark.parametrize("fault", ["cut", "flipped"])
def test_a_broken_checkpoint_is_named_and_moved_aside_and_a_whole_one_stays(fault):
    paths = [Path(f".checkpoints/{name}/last.ckpt") for name in ("whole", "broken")]
    for path in paths:
        path.parent.mkdir(parents=True)
        torch.save({"weights": torch.arange(1000.0)}, path.with_suffix(".new"))
        replace_checkpoint(path, path.with_suffix(".new"))
    assert unfinished.checkpoints().problem == ""
    content = bytearray(paths[1].read_bytes())
    if fault == "cut":
        content = content[: len(content) // 2]
    else:
        content[len(content) // 2] ^= 1
    paths[1].write_bytes(content)
    result = unfinished.checkpoints()
    assert "broken/last.ckpt" in result.problem
    assert "whole/last.ckpt" not in result.problem
    assert result.fix is not None
    result.fix()
    assert unfinished.checkpoints().problem == ""
    assert paths[0].exists()
    assert [path.read_bytes() for path in paths[1].parent.glob("last.ckpt.broken*")] == [
        bytes(content)
    ]
