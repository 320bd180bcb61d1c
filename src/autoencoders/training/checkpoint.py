"""The checkpoint of a killed training, with its SHA-256 beside it to show that it is undamaged."""

from pathlib import Path

from autoencoders.core.files import sha256_of, write_text

CHECKPOINT = "last.ckpt"


def replace_checkpoint(path: Path, new: Path) -> None:
    """Moves the new checkpoint to the path of the old one.

    The digests of both are written first: whenever the process is killed, that of the checkpoint
    at `path` is recorded.
    """
    digests = [sha256_of(new), *_recorded_digests(path)[:1]]
    write_text(_digest_file(path), "\n".join(digests) + "\n")
    new.replace(path)


def broken_checkpoint(path: Path) -> str | None:
    """A sentence on a damaged checkpoint and the consequence; None without damage or checkpoint."""
    if not path.exists() or sha256_of(path) in _recorded_digests(path):
        return None
    return (
        f"{path}: damaged, as its SHA-256 is not the one beside it; "
        "it is left aside and the training starts anew"
    )


def set_aside(path: Path) -> Path:
    """Renames a broken checkpoint; returns its new path."""
    return path.replace(path.with_name(f"{path.name}.broken"))


def _recorded_digests(path: Path) -> list[str]:
    """The digests of the last two checkpoints, the newest first."""
    file = _digest_file(path)
    if not file.exists():
        return []
    return file.read_text(encoding="utf-8", errors="replace").split()


def _digest_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
