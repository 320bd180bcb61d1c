"""The machine: free disk, and an environment that fits the lock file."""

import os
import re
import shutil
import sys
import tempfile
import tomllib
from configparser import ConfigParser
from configparser import Error as ConfigError
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path

from packaging.specifiers import SpecifierSet

from autoencoders.doctor.finding import Finding, listed

FREE = (
    2**30
)  # bytes: MNIST as numbers takes 220 MB, in data/ and in DVC's cache, and so do models and their copies
GIB = 2**30
REQUIREMENTS, PROJECT = Path("requirements.lock"), Path("pyproject.toml")


def disk() -> Finding:
    """Checks that the file systems of the repository, of DVC's cache and of temporary files have room."""
    temporary = Path(os.environ.get("TMPDIR") or tempfile.gettempdir())
    folders = {"the repository": Path.cwd(), "DVC's cache": dvc_cache(), "TMPDIR": temporary}
    free = {name: shutil.disk_usage(_existing(folder)).free for name, folder in folders.items()}
    scarce = [
        f"{name} ({folders[name]}) {room / GIB:.2f} GiB"
        for name, room in free.items()
        if room < FREE
    ]
    if scarce:
        mend = (
            "make room: `dvc gc -w` empties DVC's cache of what no commit and no workspace needs; "
        )
        mend += "TMPDIR may be another"
        return Finding("disk", f"less than {FREE / GIB:.0f} GiB free: {', '.join(scarce)}", mend)
    if not os.access(temporary, os.W_OK):
        return Finding(
            "disk",
            f"TMPDIR = {temporary} can't be written",
            "export TMPDIR=FOLDER, of a folder that can",
        )
    return Finding("disk", note=f"{min(free.values()) / GIB:.1f} GiB free")


def dvc_cache() -> Path:
    """DVC's cache folder, by the repository's own configuration."""
    configured = ""
    for name in ("config", "config.local"):
        config = ConfigParser(interpolation=None, strict=False)
        try:
            config.read(Path(".dvc", name), encoding="utf-8")
        except (ConfigError, UnicodeDecodeError):
            continue  # dvc itself tells that it can't read its configuration
        configured = config.get("cache", "dir", fallback=configured)
    return Path(".dvc", configured or "cache").absolute()


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above that is there."""
    return next(folder for folder in (path, *path.parents) if folder.exists())


def environment() -> Finding:
    """Checks that Python and the installed packages are those of pyproject.toml and requirements.lock."""
    python = ".".join(map(str, sys.version_info[:3]))
    wanted = str(tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["requires-python"])
    if python not in SpecifierSet(wanted):
        mend = "mv .venv .venv.old && make .venv/.ready PYTHON=python3.11"
        return Finding("environment", f"Python {python} is none of {wanted} (pyproject.toml)", mend)
    pairs = re.findall(r"(?m)^([\w.-]+)==(\S+)", REQUIREMENTS.read_text(encoding="utf-8"))
    differing = [text for name, version in pairs for text in _difference(name, version)]
    if differing:
        mend = f"{Path(sys.executable)} -m pip install -r {REQUIREMENTS}"
        return Finding("environment", f"not as in {REQUIREMENTS}: {listed(differing)}", mend)
    return Finding("environment", note=f"Python {python}, {len(pairs)} packages")


def _difference(name: str, version: str) -> list[str]:
    """A package that is missing or of another version; a build's own suffix, such as +cpu, does not count."""
    try:
        present = installed(name)
    except PackageNotFoundError:
        return [f"{name} is missing"]
    return (
        []
        if present.split("+")[0] == version.split("+")[0]
        else [f"{name} {present} instead of {version}"]
    )
