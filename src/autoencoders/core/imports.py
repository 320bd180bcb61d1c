"""Imports without the garbage collector.

Nothing slow is imported here, as this is loaded before a signal is answered.
"""

import gc
import sys


class Importing:
    """A context in which modules are imported, a sixth faster for want of the collector.

    It would go through all modules again and again as they become more, although none is garbage.
    For the same reason it leaves out, from then on, all that there is at the context's end; not
    where nothing was imported, as what becomes garbage between two such ends would then stay. Nor
    where an interruption has turned the collector on again: it is repeated once it was swallowed
    and is garbage (`reporting.Signalled`).
    """

    def __init__(self) -> None:
        self.was_enabled = gc.isenabled()
        self.n_modules = len(sys.modules)

    def __enter__(self) -> None:
        gc.disable()

    def __exit__(self, *error: object) -> None:
        if len(sys.modules) > self.n_modules and not gc.isenabled():
            gc.freeze()
        if self.was_enabled:
            gc.enable()


def importing() -> Importing:
    """A context for imports that take seconds."""
    return Importing()
