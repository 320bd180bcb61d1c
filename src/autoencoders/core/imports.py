"""Imports without the garbage collector.

Nothing slow is imported here, as this is loaded before a signal is answered.
"""

import gc


class Importing:
    """A context in which modules are imported, a sixth faster for want of the collector.

    It would go through all modules again and again as they become more, although none is garbage.
    For the same reason it leaves out, from then on, all that there is at the context's end.
    """

    def __init__(self) -> None:
        self.was_enabled = gc.isenabled()

    def __enter__(self) -> None:
        gc.disable()

    def __exit__(self, *error: object) -> None:
        gc.freeze()
        if self.was_enabled:
            gc.enable()


def importing() -> Importing:
    """A context for imports that take seconds."""
    return Importing()
