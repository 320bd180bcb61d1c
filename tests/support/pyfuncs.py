"""The class of registered models, as MLflow loads it."""

import warnings
from typing import Any


def served_autoencoder() -> Any:
    """An instance of the class, which is imported without MLflow's warning about its type hints."""
    with warnings.catch_warnings(record=True, action="ignore"):
        from autoencoders.serving.pyfunc import ServedAutoencoder

        return ServedAutoencoder()
