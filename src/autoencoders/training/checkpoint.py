"""The checkpoint of a killed training, with its SHA-256 beside it: whether it is as it was written."""

from pathlib import Path

from autoencoders.core.files import sha256_of, write_text

CHECKPOINT = "last.ckpt"


def replace_checkpoint(path: Path, new: Path) -> None:
    """Puts a new checkpoint in the old one's place.

    The digests of both are written first: whenever the process is killed, that of the checkpoint there is is known.
    """
    write_text(_digests(path), "\n".join([sha256_of(new), *_known(path)[:1]]) + "\n")
    new.replace(path)


def broken_checkpoint(path: Path) -> str | None:
    """A sentence on a checkpoint that is not as it was written, and what comes of it; None where all is well."""
    if not path.exists() or sha256_of(path) in _known(path):
        return None
    return f"{path}: damaged, as its SHA-256 is not the one beside it; it is left aside and the training starts anew"


def set_aside(path: Path) -> Path:
    """Moves a broken checkpoint away, and gives where to."""
    return path.replace(path.with_name(f"{path.name}.broken"))


def _known(path: Path) -> list[str]:
    """The digests of the last two checkpoints, the newest first."""
    file = _digests(path)
    return file.read_text(encoding="utf-8", errors="replace").split() if file.exists() else []


def _digests(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
