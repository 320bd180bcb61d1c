"""The five autoencoders: each file is one type, its equation and its parameters."""

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


def build(kind: str, architecture: Architecture, own: dict[str, Any]) -> Autoencoder:
    """A freshly initialised autoencoder of a type; `own`: the type's own parameters, by name."""
    return AUTOENCODERS[kind](architecture, **own)


__all__ = ["AUTOENCODERS", "Autoencoder", "Loss", "build"]
