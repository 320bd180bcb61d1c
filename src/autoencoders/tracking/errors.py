"""The MLflow store's errors as messages, for commands that may not need the store at all."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from autoencoders.core.errors import UserError


@contextmanager
def store_errors() -> Iterator[None]:
    """Raises UserError for the store's errors; imports mlflow only where the block has done so."""
    try:
        yield
    except Exception as error:
        if "mlflow" not in sys.modules:
            raise
        from autoencoders.tracking.failures import StoreError, explained

        if not isinstance(error, (*StoreError, ImportError)):
            raise
        raise UserError(explained(error)) from error
