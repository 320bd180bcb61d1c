"""The sparse type's parameters."""

from collections.abc import Iterator
from typing import Any, Literal

from autoencoders.params.architecture import DataFacts
from autoencoders.params.defaults import starts_as_pca
from autoencoders.params.goal import Goal
from autoencoders.params.section import Fraction, OpenFraction, Units, Weight
from autoencoders.params.type_section import Misfit, Setting, TypeSection


class Sparse(TypeSection):
    """models/types/sparse.py."""

    penalty: Literal["auto", "kl", "l1", "top_k"] = "auto"
    """kl: a unit's mean activation is held near `sparsity`; l1: of the code; top_k: k units stay
    active. auto: l1 where PCA is a start (tables to rebuild, few images), else kl, whose codes in
    (0, 1) can't follow rows far from the others."""
    weight: Weight = 0.1
    """The penalty's weight."""
    sparsity: OpenFraction = 0.2
    """kl: a unit's mean activation."""
    k: Units = 4
    """top_k: code units that stay active."""
    anneal: Fraction = 0.0
    """top_k: the share of the training in which k falls from the code size."""
    encoding: Literal["same", "top_k", "soft_threshold"] = "same"
    """The codes that probes and `ae encode` get; same: those of the training."""
    encoding_k: Units = 8
    """encoding top_k: units that it keeps."""
    threshold: Weight = 0.0
    """encoding soft_threshold: codes are max(0, a - threshold)."""

    @classmethod
    def auto(
        cls,
        facts: DataFacts,
        goal: Goal,
        *,
        linear_path: bool,  # noqa: ARG003
    ) -> dict[str, Any]:
        """penalty: l1 where other types start as PCA by the automatic loss, else kl."""
        return {"penalty": "l1" if starts_as_pca(facts, goal) else "kl"}

    def code_activation(self) -> str:
        """A sigmoid for kl, which needs codes in (0, 1)."""
        return "sigmoid" if self.penalty == "kl" else "identity"

    def linear_path_misfit(self) -> str:
        """top_k sets code units to 0, of which PCA needs all."""
        if self.penalty == "top_k":
            return "can't be where models.sparse.penalty = top_k sets code units to 0"
        return ""

    def misfits(self, setting: Setting) -> Iterator[Misfit]:
        """Yields codes outside of (0, 1) for the KL penalty, and a k above the code size."""
        if self.penalty == "kl" and setting.network.code_activation != "sigmoid":
            yield Misfit(
                "code_activation",
                "must be sigmoid where models.sparse.penalty = kl, which needs codes in (0, 1)",
            )
        size = setting.network.code_size
        too_many = f"must be at most the code size, {size}"
        if self.penalty == "top_k" and self.k > size:
            yield Misfit("k", too_many)
        if self.encoding == "top_k" and self.encoding_k > size:
            yield Misfit("encoding_k", too_many)
