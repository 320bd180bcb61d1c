"""The sparse type's parameters."""

from collections.abc import Iterator
from typing import Literal

from autoencoders.params.sections import (
    Fraction,
    OpenFraction,
    Rule,
    Setting,
    TypeSection,
    Units,
    Weight,
)


class Sparse(TypeSection):
    """models/types/sparse.py."""

    penalty: Literal["kl", "l1", "top_k"]
    """kl: a unit's mean activation is held near `sparsity`; l1: of the code; top_k: k units stay active."""
    weight: Weight
    """The penalty's weight."""
    sparsity: OpenFraction
    """kl: a unit's mean activation."""
    k: Units
    """top_k: code units that stay active."""
    anneal: Fraction
    """top_k: the share of the training in which k falls from the code size."""
    encoding: Literal["same", "top_k", "soft_threshold"]
    """What probes and `ae encode` have as codes."""
    encoding_k: Units
    """encoding top_k: units that it keeps."""
    threshold: Weight
    """encoding soft_threshold: codes are max(0, a - threshold)."""

    def rules(self, setting: Setting) -> Iterator[Rule]:
        """KL needs activations in (0, 1); no more units can be kept than the code has."""
        activation = setting.network.code_activation
        size = setting.network.code_size
        reason = "must be sigmoid where models.sparse.penalty = kl, which needs codes in (0, 1)"
        yield Rule(self.penalty == "kl" and activation != "sigmoid", "code_activation", reason)
        reason = f"must be at most the code size, {size}"
        yield Rule(self.penalty == "top_k" and self.k > size, "k", reason)
        yield Rule(self.encoding == "top_k" and self.encoding_k > size, "encoding_k", reason)
