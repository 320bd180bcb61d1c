"""The autoencoders by name; `types/` holds the equation of each."""

from typing import Any

from autoencoders.models.base import Autoencoder, Loss
from autoencoders.models.types.contractive import Contractive
from autoencoders.models.types.denoising import Denoising
from autoencoders.models.types.sparse import Sparse
from autoencoders.models.types.undercomplete import Undercomplete
from autoencoders.models.types.variational import Variational
from autoencoders.params.architecture import Architecture

AUTOENCODERS: dict[str, type[Autoencoder]] = {
    cls.__name__.lower(): cls
    for cls in (Undercomplete, Sparse, Contractive, Denoising, Variational)
}


def build(model_type: str, architecture: Architecture, type_values: dict[str, Any]) -> Autoencoder:
    """A freshly initialised autoencoder; type_values: the type's own parameters, by name."""
    return AUTOENCODERS[model_type](architecture, **type_values)


__all__ = ["AUTOENCODERS", "Autoencoder", "Loss", "build"]
