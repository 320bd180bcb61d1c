"""The parameters of each type of autoencoder, one file a type."""

from typing import get_args

from autoencoders.params.section import Section
from autoencoders.params.types.contractive import Contractive
from autoencoders.params.types.denoising import Denoising
from autoencoders.params.types.sparse import Sparse
from autoencoders.params.types.undercomplete import Undercomplete
from autoencoders.params.types.variational import Variational


class Models(Section):
    """The types to train; a type without a section is not trained."""

    undercomplete: Undercomplete | None = None
    sparse: Sparse | None = None
    contractive: Contractive | None = None
    denoising: Denoising | None = None
    variational: Variational | None = None


def tunable_by_type() -> list[str]:
    """The dotted names of the types' own parameters that a study may change."""
    names = []
    for model_type, field in Models.model_fields.items():
        section, _ = get_args(field.annotation)
        names += [f"models.{model_type}.{name}" for name in section.tunable]
    return names
