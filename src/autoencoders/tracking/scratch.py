"""Folders for copies, which are gone with this process."""

import atexit
import shutil
import tempfile


def scratch_folder() -> str:
    """Returns a new folder, which is removed when this process ends."""
    folder = tempfile.mkdtemp(prefix="autoencoders-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
