"""The seconds that each stage took when it ran last, beside DVC: no output depends on them.

Nothing slow is imported here, as this is loaded before a signal is answered.
"""

import time

FOLDER = ".dvc/tmp/autoencoders/times"  # neither git nor DVC looks below .dvc/tmp


class Timed:
    """A context that writes the seconds of its block where it ends without an error."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.start = 0.0

    def __enter__(self) -> None:
        self.start = time.monotonic()

    def __exit__(self, error_type: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            _write(self.stage, time.monotonic() - self.start)


def timed(stage: str, *arguments: str) -> Timed:
    """A context around all that a stage does.

    stage: as dvc.yaml names it; arguments: of its script, which tell the types' stages apart.
    """
    return Timed("@".join([stage, *arguments]))


def last_times() -> dict[str, float]:
    """The seconds of each stage's last run in this folder, by DVC's name of the stage."""
    from pathlib import Path

    from autoencoders.core.errors import DataError
    from autoencoders.core.files import read_json

    times = {}
    for path in sorted(Path(FOLDER).glob("*.json")):
        try:
            seconds = read_json(path)
        except (DataError, OSError):
            continue  # the next run writes it anew
        if isinstance(seconds, int | float):
            times[path.stem] = float(seconds)
    return times


def _write(stage: str, seconds: float) -> None:
    """Writes a stage's time where DVC has a folder for it; a full disk stops no stage."""
    from contextlib import suppress
    from pathlib import Path

    from autoencoders.core.files import write_json

    with suppress(OSError):
        if Path(".dvc").is_dir():
            write_json(Path(FOLDER) / f"{stage}.json", round(seconds, 3))
