"""The machine: free disk, and an environment that fits the lock file."""

import os
import re
import sys
import tempfile
import tomllib
from configparser import ConfigParser
from configparser import Error as ConfigError
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path

from packaging.specifiers import SpecifierSet

from autoencoders.core.faults import free_bytes
from autoencoders.doctor.finding import Finding, listed

GIB = 2**30
# MNIST as numbers takes 220 MB, in data/ and in DVC's cache, and so do models and their copies
ENOUGH = GIB  # bytes free
REQUIREMENTS = Path("requirements.lock")
PROJECT = Path("pyproject.toml")


def disk() -> Finding:
    """Checks that the disks of the repository, of DVC's cache and of temporary files have room."""
    temporary = Path(os.environ.get("TMPDIR") or tempfile.gettempdir())
    folders = {"the repository": Path.cwd(), "DVC's cache": dvc_cache(), "TMPDIR": temporary}
    free = {name: free_bytes(folder) for name, folder in folders.items()}
    scarce: list[str] = []
    for name, n_bytes in free.items():
        if n_bytes < ENOUGH:
            scarce.append(f"{name} ({folders[name]}) {n_bytes / GIB:.2f} GiB")
    if scarce:
        problem = f"less than {ENOUGH / GIB:.0f} GiB free: {', '.join(scarce)}"
        mend = (
            "make room: `dvc gc -w` empties DVC's cache of what no commit and no workspace needs; "
            "TMPDIR may be another"
        )
        return Finding("disk", problem, mend)
    if not os.access(temporary, os.W_OK):
        problem = f"TMPDIR = {temporary} can't be written"
        return Finding("disk", problem, "export TMPDIR=FOLDER, of a folder that can")
    return Finding("disk", note=f"{min(free.values()) / GIB:.1f} GiB free")


def dvc_cache() -> Path:
    """DVC's cache folder, by the repository's configuration."""
    configured = ""
    for name in ("config", "config.local"):
        config = ConfigParser(interpolation=None, strict=False)
        try:
            config.read(Path(".dvc", name), encoding="utf-8")
        except (ConfigError, UnicodeDecodeError):
            continue  # dvc itself says that it can't read its configuration
        configured = config.get("cache", "dir", fallback=configured)
    return Path(".dvc", configured or "cache").absolute()


def environment() -> Finding:
    """Checks Python and the installed packages by pyproject.toml and requirements.lock."""
    python = ".".join(map(str, sys.version_info[:3]))
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    required = str(project["requires-python"])
    if python not in SpecifierSet(required):
        problem = f"Python {python} is none of {required} (pyproject.toml)"
        mend = "mv .venv .venv.old && make .venv/.ready PYTHON=python3.11"
        return Finding("environment", problem, mend)
    locked = re.findall(r"(?m)^([\w.-]+)==(\S+)", REQUIREMENTS.read_text(encoding="utf-8"))
    differences = [_difference(name, version) for name, version in locked]
    differing = [difference for difference in differences if difference]
    if differing:
        mend = f"{Path(sys.executable)} -m pip install -r {REQUIREMENTS}"
        return Finding("environment", f"not as in {REQUIREMENTS}: {listed(differing)}", mend)
    return Finding("environment", note=f"Python {python}, {len(locked)} packages")


def _difference(name: str, version: str) -> str:
    """The difference of an installed package from the locked one; empty where it does not.

    A build's suffix, such as +cpu, does not count.
    """
    try:
        present = installed(name)
    except PackageNotFoundError:
        return f"{name} is missing"
    if present.split("+")[0] == version.split("+")[0]:
        return ""
    return f"{name} {present} instead of {version}"
